// Spending: nothing without a yes, once for each yes, never more than there is.
import type { Locator, Page } from "@playwright/test";
import {
  alert,
  askPrice,
  badge,
  confirm,
  expect,
  expectBalance,
  expectSum,
  heading,
  notice,
  open,
  payer,
  priceOf,
  spend,
  spendUnseen,
  test,
} from "./support";

test.describe("saying no", () => {
  for (const [way, leave] of [
    ["Cancel", (page: Page) => page.getByRole("button", { name: "Cancel" }).click()],
    ["Escape", (page: Page) => page.keyboard.press("Escape")],
  ] as const) {
    test(`${way} spends nothing and goes back to the price`, { tag: "@js" }, async ({ page, member }) => {
      const prompt = await askPrice(page, "Make a video tour");
      await leave(page);
      await expect(prompt).toBeHidden();
      await expect(priceOf(page, "Make a video tour")).toBeFocused();
      await expectUntouched(page);
    });
  }

  test("Cancel on an action's page leads back and spends nothing", { tag: "@nojs" }, async ({ page, member }) => {
    const prompt = await askPrice(page);
    await prompt.getByRole("link", { name: "Cancel" }).click();
    await expect(heading(page, "Actions")).toBeVisible();
    await expectUntouched(page);
  });

  test("looking at every price spends nothing", { tag: "@js" }, async ({ page, member }) => {
    for (const action of ["Redesign a room", "Furnish an empty room", "Redesign a room"]) {
      const prompt = await askPrice(page, action);
      await expect(prompt.getByRole("heading", { name: `${action} costs 1 credit` })).toBeVisible();
      await page.keyboard.press("Escape");
      await expect(prompt).toBeHidden();
    }
    await expectUntouched(page);
  });

  async function expectUntouched(page: Page) {
    await open(page, "/history");
    await expect(page.getByRole("rowheader")).toHaveText(["Sign-up credits grant"]);
    await expectBalance(page, 6);
  }
});

test.describe("saying yes", () => {
  test("Confirm pressed twice spends once", async ({ page, member }) => {
    await confirm(await askPrice(page)).dblclick();
    await expect(notice(page)).toContainText("Spent 1 credit on Redesign a room. You have 5 left.");
    await open(page, "/history");
    await expect(page.getByRole("rowheader")).toHaveText(["Redesign a room spend", "Sign-up credits grant"]);
    await expectBalance(page, 5);
  });

  test("the same form sent twice spends once", { tag: "@nojs" }, async ({ page, member }) => {
    const prompt = await askPrice(page);
    const form = await hiddenFields(prompt.locator("form"));
    const answers = [await page.request.post("/fn/spend", { form }), await page.request.post("/fn/spend", { form })];
    for (const answer of answers) await expect(answer).toBeOK();
    await open(page, "/history");
    await expect(page.getByRole("rowheader")).toHaveText(["Redesign a room spend", "Sign-up credits grant"]);
    await expectBalance(page, 5);
  });

  test("an answer that is lost on its way can be asked for again, and the spend happened once", { tag: "@js" }, async ({
    page,
    member,
  }) => {
    const prompt = await askPrice(page);
    let lost = 0;
    await page.route("**/fn/spend", async (route) => {
      await route.fetch();
      lost += 1;
      await route.abort("aborted");
    }, { times: 1 });
    await confirm(prompt).click();
    await expect(alert(prompt, "Your browser can’t reach us.")).toBeVisible();
    expect(lost).toBe(1);
    await confirm(prompt).click();
    await expect(notice(page)).toContainText("Spent 1 credit on Redesign a room. You have 5 left.");
    await open(page, "/history");
    await expect(page.getByRole("rowheader")).toHaveText(["Redesign a room spend", "Sign-up credits grant"]);
  });

  test("spending again is a new spend", async ({ page, member }) => {
    await spend(page, 2);
    await open(page, "/history");
    await expect(page.getByRole("rowheader")).toHaveCount(3);
    await expectBalance(page, 4);
  });

  test("the prompt stays closed afterwards, even if the browser tells late that it closed", { tag: "@js" }, async ({
    page,
    member,
  }) => {
    await page.addInitScript(() => {
      const listen = EventTarget.prototype.addEventListener;
      EventTarget.prototype.addEventListener = function (type: string, listener: any, ...rest: unknown[]) {
        const late = (event: Event) =>
          setTimeout(() => {
            listener(event);
            document.title = "told";
          }, 500);
        return Reflect.apply(listen, this, [type, type === "close" ? late : listener, ...rest]);
      };
    });
    await open(page, "/actions");
    await spend(page, 1);
    await expect(page).toHaveTitle("told");
    await expect(page.getByRole("dialog")).toBeHidden();
  });

  test("an action's own page confirms as well as the dialog", { tag: "@js" }, async ({ page, member }) => {
    await open(page, "/actions/video");
    const main = page.getByRole("main");
    await expectSum(main, { "You have": "6", Cost: "−1", "Left after": "5" });
    await confirm(main).click();
    await expect(notice(page)).toContainText("Spent 1 credit on Make a video tour. You have 5 left.");
    await expectBalance(page, 5);
  });

  test("a price opens in a tab of its own where that is wanted", { tag: "@js" }, async ({ page, context, member }) => {
    const opened = context.waitForEvent("page");
    await priceOf(page, "Redesign a room").click({ modifiers: ["ControlOrMeta"] });
    const tab = await opened;
    await expect(heading(tab, "Redesign a room costs 1 credit")).toBeVisible();
    await expect(page.getByRole("dialog")).toBeHidden();
  });
});

test.describe("having too little", () => {
  test("the badge warns when little is left, and a prompt says what is missing", async ({ page, member }) => {
    await expect(badge(page)).toHaveAccessibleName("6 credits available");
    await expect(badge(page)).toHaveAttribute("data-level", "ok");
    await spend(page, 4);
    await expect(badge(page)).toHaveAccessibleName("2 credits available, low");
    await expect(badge(page)).toHaveAttribute("data-level", "low");
    await spend(page, 1);
    await expect(badge(page)).toHaveAccessibleName("1 credit available, low");
    await spend(page, 1);
    await expect(badge(page)).toHaveAccessibleName("0 credits available");
    await expect(badge(page)).toHaveAttribute("data-level", "empty");

    const prompt = await askPrice(page);
    await expect(prompt.getByRole("heading", { name: "1 credit missing" })).toBeVisible();
    await expect(prompt).toContainText("Redesign a room needs 1, you have 0. Nothing was spent.");
    await expectSum(prompt, { Needs: "1", "You have": "0", Missing: "1" });
    await expect(prompt.getByRole("button", { name: "Confirm" })).toHaveCount(0);

    await prompt.getByRole("link", { name: "See your credits" }).click();
    await expect(page.getByRole("heading", { name: "No credits left" })).toBeVisible();
    await page.getByRole("link", { name: "See where they went" }).click();
    await expect(page.getByRole("rowheader")).toHaveCount(7);
  });

  test("of two tabs that spend the last credit one succeeds, and the other says what is missing", async ({
    page,
    context,
    member,
    mayRefuse,
  }) => {
    mayRefuse(402);
    await spendUnseen(page, 5);
    const tabs = [page, await context.newPage()];
    await open(tabs[1]!, "/actions");
    const prompts = [await askPrice(tabs[0]!), await askPrice(tabs[1]!)];
    await Promise.all(prompts.map((prompt) => confirm(prompt).click()));

    const won = (tab: Page) => notice(tab).getByText("Spent 1 credit on Redesign a room. You have 0 left.");
    const lost = (tab: Page) => tab.getByText("Redesign a room needs 1, you have 0. Nothing was spent.");
    for (const tab of tabs) await expect(won(tab).or(lost(tab))).toBeVisible();
    const outcomes = await Promise.all(tabs.map(async (tab) => ((await lost(tab).isVisible()) ? "lost" : "won")));
    expect(outcomes.sort()).toEqual(["lost", "won"]);

    for (const tab of tabs) await expectBalance(tab, 0);
    await open(page, "/history");
    await expect(page.getByRole("rowheader")).toHaveCount(7);
    await expectBalance(page, 0);
  });
});

test("forms that somebody tampered with spend nothing", { tag: "@nojs" }, async ({ page, member }) => {
  const form = { account: await payer(page), action: "interior", cost: "1", idempotency_key: "a-key" };
  for (const [what, tampered, status] of [
    ["another account", { account: "acct_0193a1b2c3d47e5f8a9b0c1d2e3f4a53" }, 409],
    ["no account", { account: "" }, 400],
    ["an unknown action", { action: "nonsense" }, 404],
    ["another price", { cost: "99" }, 409],
    ["a price below nothing", { cost: "-1" }, 400],
    ["a price that is no number", { cost: "one" }, 400],
    ["no price", { cost: "" }, 400],
    ["no key", { idempotency_key: "" }, 400],
    ["a key that is far too long", { idempotency_key: "k".repeat(10_000) }, 400],
    ["units of what is not counted", { units: "5" }, 422],
  ] as const) {
    const answer = await page.request.post("/fn/spend", { form: { ...form, ...tampered } });
    expect.soft(answer.status(), what).toBe(status);
  }
  await open(page, "/history");
  await expect(page.getByRole("rowheader")).toHaveText(["Sign-up credits grant"]);
  await expectBalance(page, 6);
});

async function hiddenFields(form: Locator) {
  const fields = await form.locator("input[type=hidden]").all();
  const pairs = fields.map(async (it) => [(await it.getAttribute("name"))!, await it.inputValue()] as const);
  return Object.fromEntries(await Promise.all(pairs));
}
