// Another plan for who pays for one: what it comes to is shown, and only that is charged. With JavaScript and without.
import type { Page } from "@playwright/test";
import { awake, expect, expectAccessible, expectBalance, heading, open, signUp, somebody, test as base } from "./support";
import { serve, type Server } from "./server";

let started: Promise<Server> | undefined;

const test = base.extend<{ server: Server }>({
  server: async ({}, use) => use(await (started ??= serve("tokens"))),
  baseURL: async ({ server }, use) => use(server.url),
});

// A server takes some seconds to begin.
test.slow();

const plan = (page: Page, title: string) =>
  page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: title, exact: true }) });

/** Somebody new subscribes to Pro with a card. */
async function subscribe(page: Page) {
  await signUp(page, somebody());
  await open(page, "/buy");
  await plan(page, "Pro").getByRole("button", { name: "Subscribe" }).click();
  await page.getByRole("button", { name: /card that works/ }).click();
  await expect(heading(page, "You are on the plan Pro")).toBeVisible();
}

test("an upgrade shows its sum, is confirmed, and brings its credits; back takes nothing", async ({ page }) => {
  await subscribe(page);
  await expectBalance(page, 105);

  await open(page, "/buy");
  await plan(page, "Enterprise").getByRole("button", { name: "Upgrade" }).click();
  await expect(heading(page, "Change from Pro to Enterprise?")).toBeVisible();
  await awake(page);
  const sums = page.getByRole("definition");
  await expect(sums.nth(0)).toHaveText(/^\$1(59|60)\.\d\d$/);
  await expect(sums.nth(1)).toHaveText("900 credits");
  await expect(sums.nth(2)).toHaveText("$180.00 per month");
  await expectBalance(page, 105);
  await page.getByRole("button", { name: /^Pay \$1(59|60)\.\d\d and change$/ }).click();
  await expect(heading(page, "Credits")).toBeVisible();
  await expect(page.getByRole("region", { name: "Enterprise plan" })).toContainText("Renews on");
  await expectBalance(page, 1005);

  await open(page, "/buy");
  await plan(page, "Pro").getByRole("button", { name: "Switch" }).click();
  await expect(heading(page, "Change from Enterprise to Pro?")).toBeVisible();
  await awake(page);
  await expect(sums.nth(0)).toHaveText("$0.00");
  await page.getByRole("button", { name: "Change", exact: true }).click();
  await expect(page.getByRole("region", { name: "Enterprise plan" })).toContainText("then Pro");
  await expectBalance(page, 1005);
});

test("nothing stands in anybody's way on the page of a change", { tag: "@js" }, async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await subscribe(page);
  await open(page, "/buy/plan/enterprise");
  await expect(heading(page, "Change from Pro to Enterprise?")).toBeVisible();
  await expectAccessible(page);
});
