// Addresses and requests that make no sense, and some that mean harm: the right status, plain words, a way on.
import { expect, expectBalance, heading, open, test } from "./support";

test.describe("a page that is none", () => {
  test("says so with 404 and leads to the start", async ({ page, mayRefuse }) => {
    mayRefuse(404);
    const answer = await open(page, "/no/such/page");
    expect(answer.status()).toBe(404);
    await expect(page).toHaveTitle("Page not found · Reelmaker");
    await expect(heading(page, "Page not found")).toBeVisible();
    await page.getByRole("link", { name: "Go to the start" }).click();
    await expect(page).toHaveURL("/");
  });

  test("of an action that is none, likewise", async ({ page, member, mayRefuse }) => {
    mayRefuse(404);
    const answer = await open(page, "/actions/nonsense");
    expect(answer.status()).toBe(404);
    await expect(page).toHaveTitle("Page not found · Reelmaker");
    await expect(heading(page, "Page not found")).toBeVisible();
    await expect(page.getByRole("main")).toContainText("There is no such action.");
    await page.getByRole("link", { name: "Go to Actions" }).click();
    await expect(heading(page, "Actions")).toBeVisible();
  });

  test("of history that is none, says so with 400 and leads to the newest entries", async ({
    page,
    member,
    mayRefuse,
  }) => {
    mayRefuse(400);
    for (const before of ["nonsense", "-1", "0", "1e9", "99999999999999999999", "%00", "%ff", "' or 1=1"]) {
      const answer = await page.request.get(`/history?before=${before}`);
      expect.soft(answer.status(), before).toBe(400);
    }
    await open(page, "/history?before=nonsense");
    await expect(heading(page, "No such page of this list")).toBeVisible();
    await page.getByRole("link", { name: "Newest entries" }).click();
    await expect(page.getByRole("rowheader")).toHaveText(["Sign-up credits grant"]);
  });
});

// Sent by hand, whatever the browser can do.
test.describe("a request", { tag: "@nojs" }, () => {
  const form = { account: "acct_1", action: "thumbnail", cost: "1", idempotency_key: "a-key" };

  for (const [from, headers] of [
    ["another site", { origin: "https://evil.example" }],
    ["nowhere that it admits", { origin: "null" }],
    ["another site, as the browser itself says", { "sec-fetch-site": "cross-site" }],
  ] as const) {
    test(`from ${from} is refused and changes nothing`, async ({ page, member }) => {
      for (const call of ["spend", "sign_out", "sign_in", "sign_up"]) {
        const answer = await page.request.post(`/fn/${call}`, { headers, form: { ...form, ...member } });
        expect(answer.status(), call).toBe(403);
        expect(await answer.text()).toContain("This was sent from another site, so nothing was done.");
      }
      await open(page, "/history");
      await expect(page.getByRole("rowheader")).toHaveText(["Sign-up credits grant"]);
      await expectBalance(page, 10);
    });
  }

  test("that asks for a call as if it were a page is refused", async ({ page, member }) => {
    for (const call of ["spend", "sign_out", "session", "credits", "quote"]) {
      const answer = await page.request.get(`/fn/${call}`, { params: form });
      expect(answer.status(), call).toBe(405);
    }
    await open(page, "/credits");
    await expectBalance(page, 10);
  });
});
