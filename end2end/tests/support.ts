// What the tests share: a browser that notices every fault, people, and words for what people do.
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test as base, type Locator, type Page } from "@playwright/test";

export { expect };

export interface Person {
  email: string;
  password: string;
}

interface Fixtures {
  /** Says which refusals (by status) the test is about; every other one fails it. */
  mayRefuse: (...statuses: number[]) => void;
  /** Somebody who has just signed up on `page`. */
  member: Person;
}

interface Internals {
  refusals: Set<number>;
}

export const test = base.extend<Fixtures & Internals>({
  refusals: async ({}, use) => use(new Set()),

  mayRefuse: async ({ refusals }, use) => use((...statuses) => statuses.forEach((status) => refusals.add(status))),

  // Whatever page a test is about, its console stays empty, nothing fails, and nothing is asked of another site.
  context: async ({ context, baseURL, refusals }, use) => {
    const faults: string[] = [];
    const { origin } = new URL(baseURL!);
    context.on("console", (message) => {
      const text = message.text();
      const refused = /^Failed to load resource: the server responded with a status of (\d+)/.exec(text);
      const isUsual =
        (refused && refusals.has(Number(refused[1]))) ||
        (!hasJavaScript() && text.includes("was preloaded using link preload but not used"));
      if (["error", "warning", "assert"].includes(message.type()) && !isUsual) faults.push(text);
    });
    context.on("weberror", (error) => faults.push(`uncaught: ${error.error().message}`));
    context.on("request", (request) => {
      if (new URL(request.url()).origin !== origin) faults.push(`asked of another site: ${request.url()}`);
    });
    context.on("requestfailed", (request) => {
      const cause = request.failure()?.errorText;
      // A page that is left stops loading, and a browser without JavaScript loads no scripts.
      const isUsual = cause === "net::ERR_ABORTED" || (cause === "csp" && !hasJavaScript());
      if (!isUsual) faults.push(`failed: ${request.url()} (${cause})`);
    });
    context.on("response", (response) => {
      const status = response.status();
      if (status >= 400 && !refusals.has(status)) faults.push(`refused: ${response.url()} (${status})`);
    });
    await context.addInitScript(noteHydration);
    await use(context);
    expect(faults, "faults that the browser noticed").toEqual([]);
  },

  member: async ({ page }, use) => {
    const person = somebody();
    await signUp(page, person);
    await use(person);
  },
});

export const hasJavaScript = () => test.info().project.use.javaScriptEnabled !== false;

// --- pages ----------------------------------------------------------------------------------------------------------

declare global {
  interface Window {
    hydrated?: boolean;
  }
}

/** The router's listener for "back" appears in the one go in which a page is hydrated: once it is there, all are. */
function noteHydration() {
  const listen = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (type: string, ...rest: unknown[]) {
    if (this === window && type === "popstate") window.hydrated = true;
    return Reflect.apply(listen, this, [type, ...rest]);
  };
}

/** Waits until the page that was loaded does what it is told. Without JavaScript it does so at once. */
export async function awake(page: Page) {
  if (hasJavaScript()) await page.waitForFunction(() => window.hydrated);
}

/** Loads a page as if its address had been typed. */
export async function open(page: Page, path: string) {
  const response = await page.goto(path);
  await awake(page);
  return response!;
}

export const heading = (page: Page, name: string | RegExp) => page.getByRole("heading", { level: 1, name });
export const badge = (page: Page) => page.getByRole("banner").getByRole("link", { name: "available" });
export const notice = (page: Page) => page.getByRole("main").getByRole("status");
/** What a member is warned of, on every page: there, and empty where there is nothing to warn of. */
export const banner = (page: Page) => page.locator("body > [role=status]");
/** What went wrong, among regions that are there for it but mostly empty. */
export const alert = (within: Page | Locator, words: string | RegExp) =>
  within.getByRole("alert").filter({ hasText: words });

export async function expectBalance(page: Page, credits: number) {
  await expect(badge(page)).toHaveAccessibleName(new RegExp(`^${credits.toLocaleString("en-US")} credits? available`));
}

// --- people ---------------------------------------------------------------------------------------------------------

/** Somebody whom no test before has met. */
export function somebody(): Person {
  return { email: `${crypto.randomUUID()}@example.com`, password: "correct horse" };
}

/** Fills in the form of the page at hand, which is the one to sign up or the one to sign in. */
export async function submitCredentials(page: Page, { email, password }: Person) {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("main").getByRole("button", { name: /^Sign (up|in)$/ }).click();
}

export async function signUp(page: Page, person: Person) {
  await open(page, "/sign-up");
  await submitCredentials(page, person);
  await expect(heading(page, "Actions")).toBeVisible();
}

export async function signIn(page: Page, person: Person) {
  await open(page, "/sign-in");
  await submitCredentials(page, person);
  await expect(heading(page, "Actions")).toBeVisible();
}

export async function signOut(page: Page) {
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("banner").getByRole("link", { name: "Sign in" })).toBeVisible();
}

// --- spending -------------------------------------------------------------------------------------------------------

export const priceOf = (page: Page, action: string) => page.getByRole("link", { name: `${action} — ` });
export const confirm = (prompt: Locator) => prompt.getByRole("button", { name: /^Confirm — \d+ credits?$/ });

/** Presses an action's price on the page Actions. The prompt is a dialog; without JavaScript it is a page. */
export async function askPrice(page: Page, action = "Make a thumbnail"): Promise<Locator> {
  await priceOf(page, action).click();
  const prompt = hasJavaScript() ? page.getByRole("dialog") : page.getByRole("main");
  await expect(prompt.getByRole("heading", { name: /costs \d+ credits?$|missing$/ })).toBeVisible();
  return prompt;
}

/** The lines of a prompt's sum, in order. */
export async function expectSum(prompt: Locator, lines: Record<string, string>) {
  await expect(prompt.getByRole("term")).toHaveText(Object.keys(lines));
  await expect(prompt.getByRole("definition")).toHaveText(Object.values(lines));
}

/** Spends so many credits from Actions, one by one: a thumbnail costs one. */
export async function spend(page: Page, credits: number) {
  for (let spent = 0; spent < credits; spent++) {
    const before = Number.parseInt(await badge(page).innerText());
    await confirm(await askPrice(page)).click();
    await expect(notice(page)).toContainText(`You have ${before - 1} left`);
    await expectBalance(page, before - 1);
  }
}

/** The same without looking at any page: for tests that only need an account that has spent. */
export async function spendUnseen(page: Page, credits: number) {
  const account = await payer(page);
  for (let spent = 0; spent < credits; spent++) {
    const form = { account, action: "thumbnail", cost: "1", idempotency_key: crypto.randomUUID() };
    await expect(await page.request.post("/fn/spend", { form })).toBeOK();
  }
}

/** The account that would pay, as a prompt names it; nothing where there is nothing left to pay with. */
export async function payer(page: Page, action = "thumbnail") {
  const prompt = await (await page.request.get(`/actions/${action}`)).text();
  return /name="account" value="(\w+)"/.exec(prompt)?.[1] ?? "";
}

// --- who uses pages in other ways --------------------------------------------------------------------------------------

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** The page as it stands, light and dark, wide and narrow. */
export async function expectAccessible(page: Page) {
  for (const width of [1280, 375]) {
    await page.setViewportSize({ width, height: 800 });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
      const found = violations.map(({ help, nodes }) => `${help}: ${nodes.map(({ html }) => html).join(" ")}`);
      expect.soft(found, `${colorScheme}, ${width} px wide`).toEqual([]);
    }
  }
  await page.setViewportSize({ width: 320, height: 800 });
  const hidden = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });
  expect(hidden, "pixels out of sight on a screen of 320").toBe(0);
}
