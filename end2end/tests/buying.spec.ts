// Buying, against the stand-in Stripe: packs and plans, cards that work and that do not, money that comes late or goes
// back. Each test runs with JavaScript and without, and the stand-in's pages have none at all.
import { type Page } from "@playwright/test";
import {
  awake, expect, expectAccessible, expectBalance, hasJavaScript, heading, open, signIn, signOut, signUp, somebody, test as base,
} from "./support";
import { host, serve, type Server } from "./server";

let started: Promise<Server> | undefined;

const test = base.extend<{ server: Server }>({
  server: async ({}, use) => use(await (started ??= serve("video"))),
  baseURL: async ({ server }, use) => use(server.url),
});

// A server takes some seconds to begin.
test.slow();

const ADMIN = { email: "admin@demo.example", password: "demo-admin" };

const pack = (page: Page, title: string) =>
  page.getByRole("region", { name: "Credit packs" }).getByRole("listitem").filter({ hasText: title });
const plan = (page: Page, title: string) =>
  page.getByRole("region", { name: "Plans" }).getByRole("listitem").filter({ has: page.getByRole("heading", { name: title, exact: true }) });

/** Chooses how to pay on the stand-in's page. */
async function pay(page: Page, how: RegExp) {
  await expect(page).toHaveURL(/\/sandbox\/checkout\//);
  await page.getByRole("button", { name: how }).click();
}

const PAYS = /card that works/;
const DECLINED = /card that is declined/;
const ASKS = /card that asks/;
const LATE = /debit that arrives/;

/** Buys a pack from the page Buy and pays for it. Returns the purchase's own page. */
async function buy(page: Page, title: string) {
  await open(page, "/buy");
  await pack(page, title).getByRole("button", { name: "Buy" }).click();
  await pay(page, PAYS);
  await expect(heading(page, /credits added$/)).toBeVisible();
  await awake(page);
  return new URL(page.url()).pathname;
}

test("who lacks credits buys the smallest pack that helps, and goes on where they were", async ({ page }) => {
  await signUp(page, somebody());
  await open(page, "/actions/clip?units=60");
  await expect(heading(page, "20 credits missing")).toBeVisible();
  await page.getByRole("button", { name: "Buy Small pack — $9.00" }).click();
  await pay(page, PAYS);
  await expect(heading(page, "50 credits added")).toBeVisible();
  await awake(page);
  await expectBalance(page, 60);
  await expect(page.getByRole("link", { name: "Receipt" })).toHaveAttribute("href", /receipt/);
  await page.getByRole("link", { name: "Go back to what you were doing" }).click();
  await expect(heading(page, "Make a clip, 60 seconds, costs 30 credits")).toBeVisible();
  await open(page, "/history");
  await expect(page.getByRole("rowheader").first()).toContainText("Small pack");
});

test("a visitor signs in first, and finds what they chose", async ({ page }) => {
  const ada = somebody();
  await signUp(page, ada);
  await signOut(page);
  await open(page, "/buy?pack=large");
  await expect(heading(page, "Sign in")).toBeVisible();
  await page.getByLabel("E-mail").fill(ada.email);
  await page.getByLabel("Password").fill(ada.password);
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await expect(heading(page, "Buy credits")).toBeVisible();
  await expect(page).toHaveURL(/pack=large/);
});

test("a card that is declined buys nothing, and neither does who turns back", async ({ page }) => {
  await signUp(page, somebody());
  await open(page, "/buy");
  await pack(page, "Large pack").getByRole("button", { name: "Buy" }).click();
  await pay(page, DECLINED);
  await expect(page.getByRole("alert")).toContainText("declined");
  await page.getByRole("link", { name: "Go back" }).click();
  await expect(heading(page, "Nothing was paid")).toBeVisible();
  await awake(page);
  await expectBalance(page, 10);
  await open(page, "/buy");
  const pending = page.getByRole("region", { name: "Not paid yet" });
  await expect(pending).toContainText("Large pack");
  await pending.getByRole("link", { name: "Continue" }).click();
  await pay(page, ASKS);
  await page.getByRole("button", { name: /^Confirm/ }).click();
  await expect(heading(page, "250 credits added")).toBeVisible();
  await expectBalance(page, 260);
});

test("what was begun can be canceled", async ({ page }) => {
  await signUp(page, somebody());
  await open(page, "/buy");
  await pack(page, "Small pack").getByRole("button", { name: "Buy" }).click();
  await expect(page).toHaveURL(/\/sandbox\/checkout\//);
  await open(page, "/buy");
  const pending = page.getByRole("region", { name: "Not paid yet" });
  await pending.getByRole("button", { name: "Cancel" }).click();
  await expect(pending).toHaveCount(0);
});

test("money that comes late brings the credits when it comes", async ({ page, server }) => {
  await signUp(page, somebody());
  await open(page, "/buy");
  await pack(page, "Small pack").getByRole("button", { name: "Buy" }).click();
  await pay(page, LATE);
  await expect(heading(page, "Your bank takes its time")).toBeVisible();
  await expectBalance(page, 10);
  const { now } = await host(page.request, server, "GET", "/test/clock");
  await host(page.request, server, "PUT", "/test/clock", { now: new Date(Date.parse(now) + 6 * 60_000).toISOString() });
  await expect(async () => {
    await page.reload();
    await expect(heading(page, "50 credits added")).toBeVisible({ timeout: 1_000 });
  }).toPass();
});

test("a plan begins when it is paid, and its payment is managed at Stripe", async ({ page }) => {
  await signUp(page, somebody());
  await open(page, "/buy");
  await plan(page, "Studio").getByRole("button", { name: "Subscribe" }).click();
  await pay(page, PAYS);
  await expect(heading(page, "You are on the plan Studio")).toBeVisible();
  await expectBalance(page, 510);
  await open(page, "/buy");
  await expect(plan(page, "Studio")).toContainText("Your plan");
  await expect(plan(page, "Creator")).toContainText("With the next period");
  await open(page, "/credits");
  await page.getByRole("button", { name: "Manage payment" }).click();
  await expect(page).toHaveURL(/\/sandbox\/portal\//);
});

test("an admin refunds a part and then the rest, and sees before what that takes", async ({ page }) => {
  const ada = somebody();
  await signUp(page, ada);
  const path = (await buy(page, "Small pack")).replace("/buy/", "/admin/purchases/");
  await signOut(page);
  await signIn(page, ADMIN);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Admin" }).click();
  await expect(heading(page, "Purchases")).toBeVisible();
  for (const [amount, credits] of [["3.00", 16], ["6.00", 34]] as const) {
    await open(page, path);
    await page.getByLabel("Amount").fill(amount);
    await page.getByRole("button", { name: "See what goes back" }).click();
    await expect(heading(page, `Refund $${amount} of Small pack?`)).toBeVisible();
    await awake(page);
    await expect(page.getByRole("definition").nth(1)).toHaveText(`${credits}`);
    await page.getByLabel("Reason").fill("Asked for it");
    await page.getByRole("button", { name: `Refund $${amount}` }).click();
    await expect(page.getByText("The refund is made")).toBeVisible();
  }
  await expect(page.getByRole("main")).toContainText("all of it went back");
  await signOut(page);
  await signIn(page, ada);
  await expectBalance(page, 10);
  await open(page, "/history");
  await expect(page.getByRole("rowheader").first()).toContainText("Refund of Small pack");
});

test("an admin refunds an invoice of a plan, which is also its receipt", async ({ page }) => {
  const ada = somebody();
  await signUp(page, ada);
  await open(page, "/buy");
  await plan(page, "Studio").getByRole("button", { name: "Subscribe" }).click();
  await pay(page, PAYS);
  await expect(heading(page, "You are on the plan Studio")).toBeVisible();
  const receipt = await page.getByRole("link", { name: "Receipt" }).getAttribute("href");
  const path = new URL(page.url()).pathname.replace("/buy/", "/admin/purchases/");
  await signOut(page);
  await signIn(page, ADMIN);
  await open(page, path);
  await expect(page.getByRole("link", { name: "Open" })).toHaveAttribute("href", receipt!);
  await page.getByRole("button", { name: "See what goes back" }).click();
  await expect(heading(page, /^Refund .* of Studio\?$/)).toBeVisible();
  await awake(page);
  await expect(page.getByRole("definition").nth(1)).toHaveText("500");
  await page.getByLabel("Reason").fill("Asked for it");
  await page.getByRole("button", { name: "Refund $" }).click();
  await expect(page.getByText("The refund is made")).toBeVisible();
  await expect(page.getByRole("main")).toContainText("all of it went back");
  await expect(page.getByRole("main")).toContainText("500 taken back");
  if (hasJavaScript()) await expectAccessible(page);
  await signOut(page);
  await signIn(page, ada);
  await expectBalance(page, 10);
});

test("the inbox has what came of it, and members see none of that", async ({ page, mayRefuse }) => {
  mayRefuse(403);
  await signUp(page, somebody());
  await open(page, "/admin/inbox");
  await expect(heading(page, "For admins only")).toBeVisible();
  await signOut(page);
  await signIn(page, ADMIN);
  await open(page, "/admin/inbox");
  await expect(heading(page, "Inbox")).toBeVisible();
  await open(page, "/admin/differences");
  await expect(heading(page, "Differences")).toBeVisible();
});

test.describe("nothing stands in anybody's way", { tag: "@js" }, () => {
  test.use({ contextOptions: { reducedMotion: "reduce" } });

  test("on the pages of buying", async ({ page }) => {
    await signUp(page, somebody());
    await open(page, "/buy?pack=small");
    await expectAccessible(page);
    await pack(page, "Small pack").getByRole("button", { name: "Buy" }).click();
    await page.getByRole("link", { name: "Go back" }).click();
    await expect(heading(page, "Nothing was paid")).toBeVisible();
    await expectAccessible(page);
    const path = await buy(page, "Small pack");
    await expectAccessible(page);
    await open(page, "/actions/clip?units=900");
    await expectAccessible(page);
    await signOut(page);
    await signIn(page, ADMIN);
    const facts = path.replace("/buy/", "/admin/purchases/");
    for (const admin of ["/admin/purchases", facts, `${facts}/refund?amount=3.00`, "/admin/inbox", "/admin/differences"]) {
      await open(page, admin);
      await expectAccessible(page);
    }
  });
});
