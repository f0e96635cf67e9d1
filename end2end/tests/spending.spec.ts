// Spending: nothing without a yes, once for each yes, never more than there is.
import type { Locator, Page } from "@playwright/test";
import {
  alert,
  askPrice,
  awake,
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
import { host, ours } from "./server";

test.describe("saying no", () => {
  for (const [way, leave] of [
    ["Cancel", (page: Page) => page.getByRole("button", { name: "Cancel" }).click()],
    ["Escape", (page: Page) => page.keyboard.press("Escape")],
  ] as const) {
    test(`${way} spends nothing and goes back to the price`, { tag: "@js" }, async ({ page, member }) => {
      const prompt = await askPrice(page, "Add captions");
      await leave(page);
      await expect(prompt).toBeHidden();
      await expect(priceOf(page, "Add captions")).toBeFocused();
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
    for (const [action, price] of [
      ["Make a thumbnail", "1 credit"],
      ["Upscale to 4K", "8 credits"],
      ["Make a thumbnail", "1 credit"],
    ] as const) {
      const prompt = await askPrice(page, action);
      await expect(prompt.getByRole("heading", { name: `${action} costs ${price}` })).toBeVisible();
      await page.keyboard.press("Escape");
      await expect(prompt).toBeHidden();
    }
    await expectUntouched(page);
  });

  async function expectUntouched(page: Page) {
    await open(page, "/history");
    await expect(page.getByRole("rowheader")).toHaveText(["Sign-up credits grant"]);
    await expectBalance(page, 10);
  }
});

test.describe("saying yes", () => {
  test("Confirm pressed twice spends once", async ({ page, member }) => {
    await confirm(await askPrice(page)).dblclick();
    await expect(notice(page)).toContainText("Spent 1 credit on Make a thumbnail. You have 9 left.");
    await open(page, "/history");
    await expect(page.getByRole("rowheader")).toHaveText(["Make a thumbnail spend", "Sign-up credits grant"]);
    await expectBalance(page, 9);
  });

  test("the same form sent twice spends once", { tag: "@nojs" }, async ({ page, member }) => {
    const prompt = await askPrice(page);
    const form = await hiddenFields(prompt.locator("form"));
    const answers = [await page.request.post("/fn/spend", { form }), await page.request.post("/fn/spend", { form })];
    for (const answer of answers) await expect(answer).toBeOK();
    await open(page, "/history");
    await expect(page.getByRole("rowheader")).toHaveText(["Make a thumbnail spend", "Sign-up credits grant"]);
    await expectBalance(page, 9);
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
    await expect(notice(page)).toContainText("Spent 1 credit on Make a thumbnail. You have 9 left.");
    await open(page, "/history");
    await expect(page.getByRole("rowheader")).toHaveText(["Make a thumbnail spend", "Sign-up credits grant"]);
  });

  test("spending again is a new spend", async ({ page, member }) => {
    await spend(page, 2);
    await open(page, "/history");
    await expect(page.getByRole("rowheader")).toHaveCount(3);
    await expectBalance(page, 8);
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
    await open(page, "/actions/captions");
    const main = page.getByRole("main");
    await expectSum(main, { "You have": "10", Cost: "−2", "Left after": "8" });
    await confirm(main).click();
    await expect(notice(page)).toContainText("Spent 2 credits on Add captions. You have 8 left.");
    await expectBalance(page, 8);
  });

  test("an action that is priced by unit asks how many, and says what they cost", async ({ page, member }) => {
    await page.getByLabel("Seconds").fill("15");
    await page.getByRole("button", { name: "See price of Make a clip" }).click();
    await expect(heading(page, "Make a clip, 15 seconds, costs 8 credits")).toBeVisible();
    await awake(page);
    const main = page.getByRole("main");
    await expectSum(main, { "You have": "10", Cost: "−8", "Left after": "2" });
    await confirm(main).click();
    await expect(notice(page)).toContainText("Spent 8 credits on Make a clip. You have 2 left.");
    await expectBalance(page, 2);
  });

  test("a price opens in a tab of its own where that is wanted", { tag: "@js" }, async ({ page, context, member }) => {
    const opened = context.waitForEvent("page");
    await priceOf(page, "Make a thumbnail").click({ modifiers: ["ControlOrMeta"] });
    const tab = await opened;
    await expect(heading(tab, "Make a thumbnail costs 1 credit")).toBeVisible();
    await expect(page.getByRole("dialog")).toBeHidden();
  });
});

test.describe("having too little", () => {
  test("the badge warns when little is left, and a prompt says what is missing", async ({ page, member }) => {
    // A fifth of the plan's monthly credits is little.
    const account = await payer(page);
    const take = (amount: number) => host(page.request, ours(), "POST", "/spends", { account, amount });
    await host(page.request, ours(), "PUT", `/accounts/${account}/subscription`, { plan: "creator" });
    await take(89);
    await open(page, "/actions");
    await expect(badge(page)).toHaveAccessibleName("21 credits available");
    await expect(badge(page)).toHaveAttribute("data-level", "ok");
    await spend(page, 1);
    await expect(badge(page)).toHaveAccessibleName("20 credits available, low");
    await expect(badge(page)).toHaveAttribute("data-level", "low");
    await take(18);
    await open(page, "/actions");
    await spend(page, 1);
    await expect(badge(page)).toHaveAccessibleName("1 credit available, low");
    await spend(page, 1);
    await expect(badge(page)).toHaveAccessibleName("0 credits available");
    await expect(badge(page)).toHaveAttribute("data-level", "empty");

    const prompt = await askPrice(page);
    await expect(prompt.getByRole("heading", { name: "1 credit missing" })).toBeVisible();
    await expect(prompt).toContainText("Make a thumbnail needs 1, you have 0. Nothing was spent.");
    await expectSum(prompt, { Needs: "1", "You have": "0", Missing: "1" });
    await expect(prompt.getByRole("button", { name: "Confirm" })).toHaveCount(0);

    await expect(prompt.getByRole("button", { name: "Buy Small pack — $9.00" })).toBeVisible();
    await open(page, "/credits");
    await expect(page.getByRole("heading", { name: "No credits left" })).toBeVisible();
    await page.getByRole("link", { name: "See where they went" }).click();
    await expect(heading(page, "History")).toBeVisible();
    await expect(page.getByRole("rowheader")).toHaveCount(7);
  });

  test("of two tabs that spend the last credit one succeeds, and the other says what is missing", async ({
    page,
    context,
    member,
    mayRefuse,
  }) => {
    mayRefuse(402);
    await spendUnseen(page, 9);
    const tabs = [page, await context.newPage()];
    await open(tabs[1]!, "/actions");
    const prompts = [await askPrice(tabs[0]!), await askPrice(tabs[1]!)];
    await Promise.all(prompts.map((prompt) => confirm(prompt).click()));

    const won = (tab: Page) => notice(tab).getByText("Spent 1 credit on Make a thumbnail. You have 0 left.");
    const lost = (tab: Page) => tab.getByText("Make a thumbnail needs 1, you have 0. Nothing was spent.");
    for (const tab of tabs) await expect(won(tab).or(lost(tab))).toBeVisible();
    const outcomes = await Promise.all(tabs.map(async (tab) => ((await lost(tab).isVisible()) ? "lost" : "won")));
    expect(outcomes.sort()).toEqual(["lost", "won"]);

    for (const tab of tabs) await expectBalance(tab, 0);
    await open(page, "/history");
    await expect(page.getByRole("rowheader")).toHaveCount(11);
    await expectBalance(page, 0);
  });
});

test("forms that somebody tampered with spend nothing", { tag: "@nojs" }, async ({ page, member }) => {
  const form = { account: await payer(page), action: "thumbnail", cost: "1", idempotency_key: "a-key" };
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
  await expectBalance(page, 10);
});

async function hiddenFields(form: Locator) {
  const fields = await form.locator("input[type=hidden]").all();
  const pairs = fields.map(async (it) => [(await it.getAttribute("name"))!, await it.inputValue()] as const);
  return Object.fromEntries(await Promise.all(pairs));
}
