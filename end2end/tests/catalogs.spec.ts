// The four products that ship, as somebody meets them: the first page, what signing up brings, what is special. Each has
// a server of its own; one kind of browser is enough to see what the catalog says.
import { type Page } from "@playwright/test";
import { badge, banner, expect, heading, open, payer, signUp, somebody, test as base } from "./support";
import { host, serve, type Server } from "./server";

const servers = new Map<string, Promise<Server>>();

const test = base.extend<{ catalog: string; server: Server }>({
  catalog: ["video", { option: true }],
  server: async ({ catalog }, use) => {
    if (!servers.has(catalog)) servers.set(catalog, serve(catalog));
    await use(await servers.get(catalog)!);
  },
  baseURL: async ({ server }, use) => use(server.url),
});

// A server takes some seconds to begin.
test.slow();

/** A list of the first page, as its rows are read. */
async function expectList(page: Page, name: string, rows: string[][]) {
  const items = page.getByRole("region", { name, exact: true }).getByRole("listitem");
  await expect(items).toHaveCount(rows.length);
  for (const [place, words] of rows.entries()) {
    for (const some of words) await expect(items.nth(place)).toContainText(some);
  }
}

const plan = (page: Page, title: string) => page.getByRole("region", { name: `${title} plan` });

test.describe("stems", { tag: "@nojs" }, () => {
  test.use({ catalog: "stems" });
  test("a music tool: each action at its price, packs, a free song", async ({ page }) => {
    await open(page, "/");
    await expect(heading(page, "Stems")).toBeVisible();
    await expect(page.getByText("7 credits free when you sign up")).toBeVisible();
    await expectList(page, "Prices", [
      ["Separate stems", "4 credits"], ["Render a master", "2 credits"], ["Render a preview", "1 credit"],
      ["Clean up vocals", "3 credits"],
    ]);
    await expectList(page, "Credit packs", [
      ["Single", "30 credits", "$9.00"], ["EP", "120 credits", "$29.00"], ["Album", "500 credits", "$99.00"],
    ]);
    await signUp(page, somebody());
    await expect(badge(page)).toHaveAccessibleName("7 credits available");
    await expect(page.getByRole("link", { name: "Separate stems — 4 credits" })).toBeVisible();
  });
});

test.describe("tokens", { tag: "@nojs" }, () => {
  test.use({ catalog: "tokens" });
  test("a code generator: priced by tokens, a free plan to begin with and to fall back to", async ({ page, server }) => {
    await open(page, "/");
    await expectList(page, "Prices", [["Generate code", "1 credit per 2,000 tokens"]]);
    await expectList(page, "Plans", [
      ["Free", "5 credits a month", "free"], ["Pro", "100 credits a month", "$20.00 per month"],
      ["Enterprise", "1,000 credits a month", "$180.00 per month"],
    ]);
    await signUp(page, somebody());
    await expect(badge(page)).toHaveAccessibleName("5 credits available");
    await open(page, "/credits");
    await expect(plan(page, "Free")).toContainText(/5 credits a month.*Renews on/);
    await expect(page.getByRole("row", { name: "Free plan" })).toContainText("5 of 5");

    await open(page, "/actions/generate?units=1");
    const account = await page.locator("input[name=account]").getAttribute("value");
    await host(page.request, server, "PUT", `/accounts/${account}/subscription`, { plan: "pro" });
    await open(page, "/credits");
    await expect(plan(page, "Pro")).toContainText(/Active.*100 credits a month.*Renews on/);
    await host(page.request, server, "DELETE", `/accounts/${account}/subscription`);
    await open(page, "/credits");
    await expect(plan(page, "Pro")).toContainText(/Canceled.*Ends on .*, then Free/);
    await open(page, "/history");
    await expect(page.getByRole("rowheader")).toContainText([
      "Pro plan ends with its period", "Pro plan: 100 credits", "Free plan: 5 credits",
    ]);
  });
});

test.describe("video", { tag: "@nojs" }, () => {
  test.use({ catalog: "video" });
  test("video tools: what rolls over, packs that lapse, and a warning before they do", async ({ page, server }) => {
    await open(page, "/");
    await expectList(page, "Plans", [
      ["Creator", "100 credits a month · up to 200 kept · 7 days free to try", "$15.00 per month"],
      ["Studio", "500 credits a month · up to 1,000 kept", "$49.00 per month"],
      ["Studio, yearly", "500 credits a month", "$490.00 per year"],
    ]);
    await expectList(page, "Credit packs", [
      ["Small pack", "50 credits · good for 90 days", "$9.00"], ["Large pack", "250 credits", "$39.00"],
    ]);
    await signUp(page, somebody());
    await expect(badge(page)).toHaveAccessibleName("10 credits available");
    const now = new Date();
    now.setUTCDate(now.getUTCDate() + 8);
    await host(page.request, server, "PUT", "/test/clock", { now: now.toISOString() });
    await open(page, "/actions");
    await expect(banner(page)).toContainText(/10 credits expire on \d+ \w+ \d{4}/);
    await banner(page).getByRole("button", { name: "Dismiss" }).click();
    await expect(banner(page)).toHaveText("");
    now.setUTCDate(now.getUTCDate() + 5);
    now.setUTCHours(now.getUTCHours() + 1);
    await host(page.request, server, "PUT", "/test/clock", { now: now.toISOString() });
    await open(page, "/actions");
    await expect(banner(page)).toContainText("10 credits expire on");
  });
});

test.describe("interior", { tag: "@nojs" }, () => {
  test.use({ catalog: "interior" });
  test("interior design: six actions, six credits, and a plan without limit", async ({ page, server }) => {
    await open(page, "/");
    await expectList(page, "Prices", Array(6).fill(["1 credit"]));
    await expectList(page, "Plans", [["Unlimited", "unlimited", "$29.00 per month"]]);
    await signUp(page, somebody());
    await expect(badge(page)).toHaveAccessibleName("6 credits available");
    const account = await payer(page, "interior");
    await host(page.request, server, "PUT", `/accounts/${account}/subscription`, { plan: "unlimited" });
    await open(page, "/credits");
    await expect(plan(page, "Unlimited")).toContainText(/Active.*unlimited.*Renews on/);
    await expect(page.getByRole("banner")).toContainText("Unlimited");
    await open(page, "/actions/interior");
    await expect(page.getByRole("heading", { name: "Redesign a room costs you nothing now" })).toBeVisible();
    await page.getByRole("button", { name: "Confirm" }).click();
    await expect(page.getByRole("status").filter({ hasText: "It cost you nothing." })).toBeVisible();
    await open(page, "/");
    await expect(page.getByRole("main").getByRole("link", { name: "Go to Actions" })).toBeVisible();
    await expect(page.getByRole("link", { name: "Sign up" })).toHaveCount(0);
  });
});
