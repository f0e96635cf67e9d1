// Signing up, in and out: what a typo gets, where one lands, and what a session is worth.
import type { Page } from "@playwright/test";
import {
  alert, askPrice, awake, badge, confirm, expect, expectBalance, heading, open, signIn, signOut, signUp, somebody,
  submitCredentials, test,
} from "./support";

const email = (page: Page) => page.getByLabel("E-mail");
const password = (page: Page) => page.getByLabel("Password");
const INVALID = ["aria-invalid", "true"] as const;

test.describe("a form that can't be accepted", () => {
  for (const typed of ["ada@nowhere", "ada lovelace@example.com"]) {
    test(`“${typed}” is no e-mail address, is marked, and kept to be put right`, async ({ page, mayRefuse }) => {
      mayRefuse(422);
      await open(page, "/sign-up");
      await submitCredentials(page, { ...somebody(), email: typed });
      await expect(email(page)).toHaveAttribute(...INVALID);
      await expect(email(page)).toHaveAccessibleDescription("Enter an e-mail address, such as ada@example.com.");
      await expect(email(page)).toHaveValue(typed);
      await expect(password(page)).not.toHaveAttribute(...INVALID);
    });
  }

  test("an e-mail address that is taken is marked and kept, however it is written", async ({
    page,
    member,
    mayRefuse,
  }) => {
    mayRefuse(409);
    await signOut(page);
    await open(page, "/sign-up");
    await submitCredentials(page, { ...member, email: member.email.toUpperCase() });
    await expect(email(page)).toHaveAttribute(...INVALID);
    await expect(email(page)).toHaveAccessibleDescription(
      "An account with this e-mail address exists already. Sign in instead.",
    );
    await expect(email(page)).toHaveValue(member.email.toUpperCase());
  });

  for (const [what, typed] of [
    ["of 7 characters", "1234567"],
    ["of 10,000 characters", "x".repeat(10_000)],
  ] as const) {
    test(`a password ${what} is marked, and the e-mail address kept`, async ({ page, mayRefuse }) => {
      mayRefuse(422);
      const ada = { ...somebody(), password: typed };
      await open(page, "/sign-up");
      await submitCredentials(page, ada);
      await expect(password(page)).toHaveAttribute(...INVALID);
      await expect(password(page)).toHaveAccessibleDescription(
        "At least 8 characters A password has 8 to 256 characters.",
      );
      await expect(email(page)).not.toHaveAttribute(...INVALID);
      await expect(email(page)).toHaveValue(ada.email);
    });
  }

  test("a wrong password and an unknown e-mail address get the same words", async ({ page, member, mayRefuse }) => {
    mayRefuse(401);
    await signOut(page);
    for (const typed of [{ ...member, password: "wrong horse" }, somebody()]) {
      await open(page, "/sign-in");
      await submitCredentials(page, typed);
      await expect(alert(page, "The e-mail address or the password is wrong.")).toBeVisible();
      await expect(email(page)).not.toHaveAttribute(...INVALID);
      await expect(password(page)).not.toHaveAttribute(...INVALID);
      await expect(email(page)).toHaveValue(typed.email);
    }
  });

  test("is forgotten by whoever goes elsewhere and comes back", async ({ page, mayRefuse }) => {
    mayRefuse(401);
    const link = (name: string) => page.getByRole("main").getByRole("link", { name });
    await open(page, "/sign-in");
    await submitCredentials(page, somebody());
    await expect(alert(page, "is wrong")).toBeVisible();
    await awake(page);
    await link("Sign up").click();
    await expect(heading(page, "Sign up")).toBeVisible();
    await awake(page);
    await link("Sign in").click();
    await expect(heading(page, "Sign in")).toBeVisible();
    await expect(alert(page, "is wrong")).toBeHidden();
  });

  test("what was wrong can be put right in the same form", async ({ page, mayRefuse }) => {
    mayRefuse(422);
    const ada = somebody();
    await open(page, "/sign-up");
    await submitCredentials(page, { ...ada, password: "short" });
    await expect(password(page)).toHaveAttribute(...INVALID);
    await awake(page);
    await password(page).fill(ada.password);
    await page.getByRole("main").getByRole("button", { name: "Sign up" }).click();
    await expect(heading(page, "Actions")).toBeVisible();
    await expectBalance(page, 10);
  });
});

test.describe("where one lands", () => {
  test("who is signed out signs in and gets to the page that was wanted", async ({ page, member }) => {
    await signOut(page);
    for (const [path, title] of [
      ["/credits", "Credits"],
      ["/actions/thumbnail", "Make a thumbnail costs 1 credit"],
    ] as const) {
      await open(page, path);
      await expect(heading(page, "Sign in")).toBeVisible();
      await submitCredentials(page, member);
      await expect(heading(page, title)).toBeVisible();
      // A prompt's page keeps the key of its form in its address.
      await expect(page).toHaveURL((url) => url.pathname === path);
      await signOut(page);
    }
  });

  test("who is new signs up instead and gets there too", async ({ page }) => {
    await open(page, "/history?before=1");
    await expect(heading(page, "Sign in")).toBeVisible();
    await page.getByRole("main").getByRole("link", { name: "Sign up" }).click();
    await expect(heading(page, "Sign up")).toBeVisible();
    await awake(page);
    await submitCredentials(page, somebody());
    await expect(heading(page, "History")).toBeVisible();
    await expect(page).toHaveURL("/history?before=1");
  });

  test("nobody is led to another site", async ({ page, member, baseURL }) => {
    await signOut(page);
    for (const next of ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]) {
      await open(page, `/sign-in?next=${encodeURIComponent(next)}`);
      await submitCredentials(page, member);
      await expect(badge(page)).toBeVisible();
      expect(new URL(page.url()).origin).toBe(new URL(baseURL!).origin);
      await signOut(page);
    }
  });
});

test.describe("a session", () => {
  test("that was forged is nobody's", async ({ page, context, baseURL }) => {
    await context.addCookies([{ name: "scrip_session", value: "Zm9yZ2VkLWZvcmdlZC0xMg", url: baseURL! }]);
    await open(page, "/credits");
    await expect(heading(page, "Sign in")).toBeVisible();
    await expect(badge(page)).toHaveCount(0);
  });

  test("is another after signing in, and worth nothing after signing out", async ({ page, context, member }) => {
    const session = async () => (await context.cookies()).find((cookie) => cookie.name === "scrip_session");
    const first = (await session())!;
    expect(first).toMatchObject({ httpOnly: true, sameSite: "Lax" });
    await signOut(page);
    await signIn(page, member);
    expect((await session())!.value).not.toBe(first.value);

    await context.addCookies([first]);
    await open(page, "/credits");
    await expect(heading(page, "Sign in")).toBeVisible();
  });

  test("that ended in another tab spends nothing in this one", async ({ page, context, member, mayRefuse }) => {
    mayRefuse(401);
    const prompt = await askPrice(page);
    const other = await context.newPage();
    await open(other, "/credits");
    await signOut(other);

    await confirm(prompt).click();
    await expect(heading(page, "Sign in")).toBeVisible();
    await expect(page.getByRole("dialog")).toBeHidden();
    await awake(page);
    await submitCredentials(page, member);
    await expectBalance(page, 10);
  });

  test("that ended in another tab leads from this one to signing in, and back to the page that was wanted", async ({
    page,
    context,
    member,
    mayRefuse,
  }) => {
    mayRefuse(401);
    const other = await context.newPage();
    await open(other, "/credits");
    await signOut(other);

    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "History" }).click();
    await expect(heading(page, "Sign in")).toBeVisible();
    await awake(page);
    await submitCredentials(page, member);
    await expect(heading(page, "History")).toBeVisible();
  });

  test("is one person's alone: who signs in next sees their own balance", async ({ page, member }) => {
    await signOut(page);
    const next = somebody();
    await signUp(page, next);
    await expect(page.getByRole("banner")).toContainText(next.email);
    await expect(page.getByRole("banner")).not.toContainText(member.email);
  });
});
