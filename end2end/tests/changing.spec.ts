// Another plan for who pays for one: what it comes to is shown, and only that is charged. With JavaScript and without.
import { awake, expect, expectAccessible, expectBalance, heading, open, signUp, somebody, test as base } from "./support";
import { serve, type Server } from "./server";

let started: Promise<Server> | undefined;

const test = base.extend<{ server: Server }>({
  server: async ({}, use) => use(await (started ??= serve("tokens"))),
  baseURL: async ({ server }, use) => use(server.url),
});

// A server takes some seconds to begin.
test.slow();

test("an upgrade shows its sum, is confirmed, and brings its credits; back takes nothing", async ({ page }) => {
  await signUp(page, somebody());
  await open(page, "/buy");
  const plan = (title: string) =>
    page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: title, exact: true }) });
  await plan("Pro").getByRole("button", { name: "Subscribe" }).click();
  await page.getByRole("button", { name: /card that works/ }).click();
  await expect(heading(page, "You are on the plan Pro")).toBeVisible();
  await expectBalance(page, 105);

  await open(page, "/buy");
  await plan("Enterprise").getByRole("button", { name: "Upgrade" }).click();
  await expect(heading(page, "Change from Pro to Enterprise?")).toBeVisible();
  await awake(page);
  const sums = page.getByRole("definition");
  await expect(sums.nth(0)).toHaveText(/^\$1(59|60)\.\d\d$/);
  await expect(sums.nth(1)).toHaveText("900 credits");
  await expect(sums.nth(2)).toHaveText("$180.00 per month");
  await expectBalance(page, 105);
  await expectAccessible(page);
  await page.getByRole("button", { name: /^Pay \$1(59|60)\.\d\d and change$/ }).click();
  await expect(heading(page, "Credits")).toBeVisible();
  await expect(page.getByRole("region", { name: "Enterprise plan" })).toContainText("Renews on");
  await expectBalance(page, 1005);

  await open(page, "/buy");
  await plan("Pro").getByRole("button", { name: "Switch" }).click();
  await expect(heading(page, "Change from Enterprise to Pro?")).toBeVisible();
  await awake(page);
  await expect(sums.nth(0)).toHaveText("$0.00");
  await page.getByRole("button", { name: "Change", exact: true }).click();
  await expect(page.getByRole("region", { name: "Enterprise plan" })).toContainText("then Pro");
  await expectBalance(page, 1005);
});
