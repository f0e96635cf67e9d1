// A host's link into one account, followed by somebody who is signed in to another.
import type { Page } from "@playwright/test";
import { expect, expectBalance, heading, open, test } from "./support";
import { host, ours } from "./server";

/** The path of a link into a new account of a host's, which has 10 credits and 30 more. */
async function wayIn(page: Page) {
  const external_id = crypto.randomUUID();
  const ask = (path: string, body: unknown) => host(page.request, ours(), "POST", path, body);
  const { id } = await ask("/accounts", { external_id, name: "Bob" });
  await ask(`/accounts/${id}/grants`, { amount: 30, source: "bonus", reason: "More" });
  const { url } = await ask(`/accounts/${id}/portal-sessions`, { return_url: "http://localhost:8080/account" });
  return new URL(url).pathname;
}

const agree = (page: Page) => page.getByRole("button", { name: "Go to the other account" });

test("who agrees is in the other account, and everything on the page is the other's", async ({ page, member }) => {
  await open(page, await wayIn(page));
  await expect(heading(page, "Go to another account?")).toBeVisible();
  await expect(page.getByRole("main")).toContainText(`You are signed in as ${member.email}`);
  await agree(page).click();
  await expect(heading(page, "Actions")).toBeVisible();
  await expectBalance(page, 40);
  await expect(page.getByRole("banner")).toContainText("Bob");
  await expect(page.getByRole("link", { name: "← Back to localhost:8080" })).toBeVisible();
});

test("who stays is who they were, and the link can still be used", async ({ page, member }) => {
  const way = await wayIn(page);
  await open(page, way);
  await page.getByRole("link", { name: "Stay signed in" }).click();
  await expect(heading(page, "Actions")).toBeVisible();
  await expectBalance(page, 10);
  await open(page, way);
  await expect(agree(page)).toBeVisible();
});

test("a link that was used meanwhile says so", async ({ page, member, browser, baseURL, mayRefuse }) => {
  mayRefuse(410);
  const way = await wayIn(page);
  await open(page, way);
  const other = await browser.newContext({ baseURL });
  await (await other.newPage()).goto(way);
  await other.close();
  await agree(page).click();
  await expect(page.getByText("used already, or is too old")).toBeVisible();
  await expectBalance(page, 10);
});
