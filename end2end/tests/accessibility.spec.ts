// Every page and state is looked at by axe, light and dark, wide and narrow; and even at 320 px nothing has to be
// scrolled sideways. What no tool sees is in keyboard.spec.ts.
import type { Page } from "@playwright/test";
import {
  alert, askPrice, expect, expectAccessible, open, somebody, spend, spendUnseen, submitCredentials, test,
} from "./support";

// Nothing moves, so nothing is judged half-way.
test.use({ contextOptions: { reducedMotion: "reduce" } });

/** Pages and states, and how one gets there. */
const VISITORS: Record<string, (page: Page) => Promise<unknown>> = {
  "the first page": (page) => open(page, "/"),
  "Sign up": (page) => open(page, "/sign-up"),
  "Sign up, refused": async (page) => {
    await open(page, "/sign-up");
    await submitCredentials(page, { ...somebody(), password: "short" });
    await expect(alert(page, "8 to 256 characters")).toBeVisible();
  },
  "Sign in": (page) => open(page, "/sign-in"),
  "Sign in, refused": async (page) => {
    await open(page, "/sign-in");
    await submitCredentials(page, somebody());
    await expect(alert(page, "is wrong")).toBeVisible();
  },
  "a page that is none": (page) => open(page, "/no/such/page"),
  // Long, so it is looked at for long; nothing awakes there, since it has no scripts.
  "the reference of the API": (page) => {
    test.slow();
    return page.goto("/docs/api#insufficient_credits");
  },
};

const MEMBERS: typeof VISITORS = {
  Actions: (page) => open(page, "/actions"),
  "the prompt": (page) => askPrice(page),
  "the price of so many units": (page) => open(page, "/actions/clip?units=15"),
  "an action's page": (page) => open(page, "/actions/captions"),
  "Actions after a spend": (page) => spend(page, 1),
  Credits: (page) => open(page, "/credits"),
  History: async (page) => {
    await spendUnseen(page, 4);
    await open(page, "/history");
  },
  "the prompt that says what is missing": async (page) => {
    await spendUnseen(page, 10);
    await askPrice(page);
  },
  "Credits with nothing left": async (page) => {
    await spendUnseen(page, 10);
    await open(page, "/credits");
  },
};

for (const [name, go] of Object.entries(VISITORS)) {
  test(`${name}: nothing stands in anybody's way`, { tag: "@js" }, async ({ page, mayRefuse }) => {
    mayRefuse(401, 404, 422);
    await go(page);
    await expectAccessible(page);
  });
}

for (const [name, go] of Object.entries(MEMBERS)) {
  test(`${name}: nothing stands in anybody's way`, { tag: "@js" }, async ({ page, member }) => {
    await go(page);
    await expectAccessible(page);
  });
}
