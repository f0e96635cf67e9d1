// The product without a mouse. Wherever the focus goes it is seen.
import type { Locator, Page } from "@playwright/test";
import {
  alert, askPrice, badge, confirm, expect, expectBalance, heading, notice, open, priceOf, signOut, somebody,
  spendUnseen, test,
} from "./support";

test("a newcomer signs up and spends a credit with the keyboard alone", { tag: "@js" }, async ({ page }) => {
  const ada = somebody();
  await open(page, "/");
  await tabTo(page, page.getByRole("main").getByRole("link", { name: "Sign up" }));
  await page.keyboard.press("Enter");
  await expect(heading(page, "Sign up")).toBeVisible();

  await tabTo(page, page.getByLabel("E-mail"));
  await page.keyboard.type(ada.email);
  await page.keyboard.press("Tab");
  await expect(page.getByLabel("Password")).toBeFocused();
  await page.keyboard.type(ada.password);
  await page.keyboard.press("Enter");
  await expect(heading(page, "Actions")).toBeVisible();

  const price = priceOf(page, "Make a thumbnail");
  await tabTo(page, price);
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Make a thumbnail costs 1 credit" });
  await expect(dialog).toBeVisible();

  await test.step("a second Enter confirms nothing", async () => {
    await expect(dialog.getByRole("heading")).toBeFocused();
    await page.keyboard.press("Enter");
    await expect(dialog).toBeVisible();
  });

  await tabTo(page, dialog.getByRole("button", { name: "Confirm — 1 credit" }));
  await page.keyboard.press("Enter");
  await expect(notice(page)).toContainText("Spent 1 credit on Make a thumbnail. You have 9 left.");
  await expect(dialog).toBeHidden();
  await expect(price).toBeFocused();
  await expectBalance(page, 9);
});

test("a form is whole when it appears, however slow the server is", { tag: "@js" }, async ({ page }) => {
  await page.route("**/fn/typed_email", async (route) => {
    await new Promise((later) => setTimeout(later, 500));
    await route.continue();
  });
  for (const name of ["Sign up", "Sign in"]) {
    await open(page, "/");
    await page.getByRole("banner").getByRole("link", { name }).click();
    await expect(heading(page, name)).toBeVisible();
    await page.keyboard.press("Tab");
    await expect(page.getByLabel("E-mail")).toBeFocused();
  }
});

test("an open prompt keeps the focus", { tag: "@js" }, async ({ page, member }) => {
  const dialog = await askPrice(page);
  const price = priceOf(page, "Make a thumbnail");
  for (const key of ["Tab", "Tab", "Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab"]) {
    await page.keyboard.press(key);
    await expect(price).not.toBeFocused();
    await expect(page.getByRole("banner").locator(":focus")).toHaveCount(0);
  }
  await expect(dialog).toBeVisible();
});

test("a refusal takes the focus from nobody", { tag: "@js" }, async ({ page, member, mayRefuse }) => {
  mayRefuse(402, 422);

  await test.step("in the prompt", async () => {
    const prompt = await askPrice(page);
    await spendUnseen(page, 10);
    await tabTo(page, confirm(prompt));
    await page.keyboard.press("Enter");
    await expect(prompt.getByRole("heading", { name: "1 credit missing" })).toBeVisible();
    await expect(page.locator("dialog:focus, dialog :focus")).toHaveCount(1);
    await page.keyboard.press("Escape");
    await expect(prompt).toBeHidden();
  });

  await test.step("in a form", async () => {
    await signOut(page);
    await open(page, "/sign-up");
    await page.getByLabel("E-mail").fill(somebody().email);
    await page.getByLabel("Password").fill("short");
    await tabTo(page, page.getByRole("main").getByRole("button", { name: "Sign up" }));
    await page.keyboard.press("Enter");
    await expect(alert(page, "8 to 256 characters")).toBeVisible();
    await expect(page.getByRole("main").locator(":focus")).toHaveCount(1);
  });
});

test("the first Tab offers to skip the header", async ({ page, member }) => {
  await open(page, "/actions");
  const skip = page.getByRole("link", { name: "Skip to content" });
  await page.keyboard.press("Tab");
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await expect(page.getByLabel("Seconds")).toBeFocused();
});

test("the focus is seen wherever it goes, also under the header", { tag: "@js" }, async ({ page, member }) => {
  await page.setViewportSize({ width: 1280, height: 480 });
  await open(page, "/actions");
  await tabTo(page, priceOf(page, "Make a thumbnail"));
  await tabTo(page, badge(page), "Shift+Tab");
});

/** Presses Tab until the focus is where it should be, and looks at every stop on the way. */
async function tabTo(page: Page, goal: Locator, key = "Tab") {
  for (let stops = 0; stops < 30; stops++) {
    await page.keyboard.press(key);
    const stop = page.locator(":focus");
    await expect(stop).toBeInViewport({ ratio: 1 });
    expect(await stop.evaluate(howSeen), await stop.innerText()).toEqual({ outlined: true, covered: false });
    if (await goal.evaluate((it) => it === document.activeElement)) return;
  }
  throw new Error(`${key} does not lead to ${goal}`);
}

/** Whether an element bears the outline of the focus, and whether something lies over it. */
function howSeen(it: Element) {
  const { outlineStyle, outlineWidth } = getComputedStyle(it);
  const { x, y, width, height } = it.getBoundingClientRect();
  const top = document.elementFromPoint(x + width / 2, y + height / 2);
  return { outlined: outlineStyle === "solid" && parseFloat(outlineWidth) >= 2, covered: !top || !it.contains(top) };
}
