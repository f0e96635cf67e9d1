// The main road through the product, as a newcomer walks it.
import {
  askPrice, awake, badge, confirm, expect, expectBalance, expectSum, heading, notice, open, signIn, signOut, somebody,
  submitCredentials, test,
} from "./support";

test("a newcomer signs up, spends a credit and finds it in the history, today and when they come back", async ({
  page,
}) => {
  const ada = somebody();

  await test.step("the first page says what everything costs", async () => {
    await open(page, "/");
    await expect(page.getByText("10 credits free when you sign up")).toBeVisible();
    const prices = page.getByRole("region", { name: "Prices" }).getByRole("listitem");
    await expect(prices).toHaveCount(4);
    await expect(prices.filter({ hasText: "Make a thumbnail" })).toContainText("1 credit");
  });

  await test.step("signing up brings 10 credits", async () => {
    await page.getByRole("main").getByRole("link", { name: "Sign up" }).click();
    await expect(heading(page, "Sign up")).toBeVisible();
    await awake(page);
    await submitCredentials(page, ada);
    await expect(heading(page, "Actions")).toBeVisible();
    await expect(badge(page)).toHaveAccessibleName("10 credits available");
  });

  await test.step("the price is asked before anything is spent", async () => {
    const prompt = await askPrice(page, "Make a thumbnail");
    await expect(prompt.getByRole("heading", { name: "Make a thumbnail costs 1 credit" })).toBeVisible();
    await expectSum(prompt, { "You have": "10", Cost: "−1", "Left after": "9" });
    await expectBalance(page, 10);
    await confirm(prompt).click();
  });

  await test.step("the page says what was spent and what is left", async () => {
    await expect(notice(page)).toContainText("Spent 1 credit on Make a thumbnail. You have 9 left.");
    await expect(badge(page)).toHaveAccessibleName("9 credits available");
  });

  await test.step("History has it all, newest first", async () => {
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "History" }).click();
    await expect(heading(page, "History")).toBeVisible();
    const [, spend, grant] = await page.getByRole("row").all();
    await expect(page.getByRole("row")).toHaveCount(3);
    await expect(spend!.getByRole("rowheader")).toHaveText("Make a thumbnail spend");
    await expect(spend!.getByRole("cell")).toHaveText([/\d{4}, \d\d:\d\d$/, "−1", "9"]);
    await expect(grant!.getByRole("rowheader")).toHaveText("Sign-up credits grant");
    await expect(grant!.getByRole("cell")).toHaveText([/\d{4}, \d\d:\d\d$/, "+10", "10"]);
  });

  await test.step("Credits says what is left of what", async () => {
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Credits" }).click();
    await expect(heading(page, "Credits")).toBeVisible();
    await expect(page.getByRole("main")).toContainText("9 credits available");
    const signUp = page.getByRole("row", { name: "Sign-up" });
    await expect(signUp.getByRole("cell")).toHaveText(["9 of 10", /^\d+ \w+ \d{4}$/, "Active"]);
  });

  await test.step("who comes back finds what they left", async () => {
    await signOut(page);
    await expect(page).toHaveURL("/");
    await signIn(page, ada);
    await expect(badge(page)).toHaveAccessibleName("9 credits available");
  });
});
