// What a member is warned of: when little is left, once, and until they have seen it.
import { type Page } from "@playwright/test";
import { banner, expect, open, payer, spend, test } from "./support";
import { host, ours } from "./server";

const give = (page: Page, account: string, amount: number) =>
  host(page.request, ours(), "POST", `/accounts/${account}/grants`, { amount, source: "bonus", reason: "More" });
const take = (page: Page, account: string, amount: number) =>
  host(page.request, ours(), "POST", "/spends", { account, amount });
const dismiss = (page: Page) => banner(page).getByRole("button", { name: "Dismiss" });

/** The member's account, on a plan of which a fifth is 20 credits, with `credits` left. */
async function accountWith(page: Page, credits: number) {
  const account = await payer(page);
  await host(page.request, ours(), "PUT", `/accounts/${account}/subscription`, { plan: "creator" });
  await take(page, account, 110 - credits);
  return account;
}

test("little left is told once, dismissed for good, and told again after it was enough", async ({ page, member }) => {
  const account = await accountWith(page, 21);
  await open(page, "/credits");
  await expect(banner(page)).toBeEmpty();

  await take(page, account, 1);
  await open(page, "/credits");
  await expect(banner(page)).toContainText("20 credits left");
  await dismiss(page).click();
  await expect(dismiss(page)).toHaveCount(0);
  await expect(page).toHaveURL(/\/credits\??$/);
  for (const path of ["/actions", "/history"]) {
    await open(page, path);
    await expect(banner(page)).toHaveText("");
  }

  await give(page, account, 10);
  await open(page, "/credits");
  await expect(banner(page)).toHaveText("");
  await take(page, account, 29);
  await open(page, "/credits");
  await expect(banner(page)).toContainText("1 credit left");
});

test("whoever dismisses a warning by keyboard goes on in the page", { tag: "@js" }, async ({ page, member }) => {
  await accountWith(page, 20);
  await open(page, "/actions");
  await dismiss(page).focus();
  await page.keyboard.press("Enter");
  await expect(dismiss(page)).toHaveCount(0);
  await expect(page.getByRole("main")).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.getByLabel("Seconds")).toBeFocused();
});

test("nothing left is told for as long as it is so", async ({ page, member }) => {
  const account = await payer(page);
  await take(page, account, 10);
  for (const path of ["/actions", "/credits"]) {
    await open(page, path);
    await expect(banner(page)).toContainText("No credits left");
    await expect(dismiss(page)).toHaveCount(0);
  }
  await give(page, account, 1);
  await open(page, "/actions");
  await expect(banner(page)).toHaveText("");
});

test("a spend that leaves little says so on the page at hand", async ({ page, member }) => {
  await accountWith(page, 21);
  await open(page, "/actions");
  await expect(banner(page)).toHaveText("");
  await spend(page, 1);
  await expect(banner(page)).toContainText("20 credits left");
});

test("a visitor is warned of nothing", async ({ page }) => {
  await open(page, "/");
  await expect(banner(page)).toHaveText("");
});
