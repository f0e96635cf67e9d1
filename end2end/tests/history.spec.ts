// History in pages. It takes more entries than a new member's credits allow, so the demo's member lends theirs, who may
// have spent them in an earlier run: what is tested is how the pages fit together, not what is on them.
import { expect, heading, open, payer, signIn, test } from "./support";

const DEMO_MEMBER = { email: "member@demo.example", password: "demo-member" };
const PER_PAGE = 25;

test("a long history comes in pages that lose nothing between them", async ({ page }) => {
  await signIn(page, DEMO_MEMBER);
  const older = page.getByRole("link", { name: "Older" });
  const newer = page.getByRole("link", { name: "Newer" });
  const rows = page.getByRole("row").filter({ has: page.getByRole("rowheader") });

  await test.step("spend until there is more than a page", async () => {
    const account = await payer(page);
    for (let spent = 0; spent < PER_PAGE && account; spent++) {
      const form = { account, action: "thumbnail", cost: "1", idempotency_key: crypto.randomUUID() };
      const answer = await page.request.post("/fn/spend", { form });
      expect([200, 402]).toContain(answer.status());
      if (answer.status() === 402) break;
    }
  });

  await open(page, "/history");
  await expect(rows).toHaveCount(PER_PAGE);
  await expect(newer).toHaveCount(0);
  const last = await numbers(PER_PAGE - 1);

  await older.click();
  await expect(page).toHaveURL(/\/history\?before=\d+$/);
  await expect(newer).toBeVisible();
  await expect(heading(page, "History")).toBeVisible();
  const next = await numbers(0);
  expect(next.balance, "the balance from which the page before goes on").toBe(last.balance - last.change);

  await test.step("the last page ends where the account began", async () => {
    while (await older.isVisible()) {
      const from = page.url();
      await older.click();
      await expect(page).not.toHaveURL(from);
      await expect(newer).toBeVisible();
    }
    const first = await numbers((await rows.count()) - 1);
    expect(first).toEqual({ change: 10, balance: 10 });
  });

  await test.step("and Newer leads all the way back", async () => {
    while (await newer.isVisible()) {
      const from = page.url();
      await newer.click();
      await expect(page).not.toHaveURL(from);
      await expect(rows).toHaveCount(PER_PAGE);
    }
    await expect(page).toHaveURL("/history");
  });

  /** What row number `index` says: by how much the balance changed, and to what. */
  async function numbers(index: number) {
    const [, change, balance] = await rows.nth(index).getByRole("cell").allInnerTexts();
    const number = (text: string) => Number(text.replace("−", "-").replace(/[^\d-]/g, ""));
    return { change: number(change!), balance: number(balance!) };
  }
});
