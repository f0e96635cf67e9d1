// Automatic top-up, against the stand-in Stripe: turned on through a first purchase, used while nobody is there, paused
// when the card is declined twice. Each test runs with JavaScript and without.
import { type Page } from "@playwright/test";
import {
  alert, awake, banner, expect, expectAccessible, expectBalance, heading, open, payer, signIn, signOut, signUp, somebody,
  test as base,
} from "./support";
import { host, serve, type Server } from "./server";

let started: Promise<Server> | undefined;

// A server of its own: its clock is set.
const test = base.extend<{ server: Server }>({
  server: async ({}, use) => use(await (started ??= serve("video"))),
  baseURL: async ({ server }, use) => use(server.url),
});

// A server takes some seconds to begin, and so does whoever looks at what has changed.
test.slow();

const PAYS = /card that works/;
const DECLINES_LATER = /card that declines later/;
const ADMIN = { email: "admin@demo.example", password: "demo-admin" };

/** Fills in the form and sends it. */
async function choose(page: Page, threshold: string, limit: string, button = "Turn on") {
  await page.getByLabel("When fewer credits are left than").fill(threshold);
  await page.getByLabel("Buy this pack").selectOption({ label: "Small pack, $9.00" });
  await page.getByLabel("Spend at most, each month").fill(limit);
  await page.getByRole("button", { name: button, exact: true }).click();
}

/** Pays on the stand-in's page, and goes back to the settings. */
async function pay(page: Page, how: RegExp) {
  await expect(page).toHaveURL(/\/sandbox\/checkout\//);
  await page.getByRole("button", { name: how }).click();
  await expect(heading(page, "50 credits added")).toBeVisible();
  await awake(page);
  await page.getByRole("link", { name: "Go back to what you were doing" }).click();
  await expect(heading(page, "Settings")).toBeVisible();
}

/** Somebody who has sixty credits and turned top-up on, below five, with a card. */
async function turnOn(page: Page, how: RegExp) {
  const person = somebody();
  await signUp(page, person);
  await open(page, "/settings");
  await expect(page.getByRole("main")).toContainText("It is off");
  await choose(page, "5", "30");
  await pay(page, how);
  await expect(page.getByRole("main")).toContainText("It is on.");
  return person;
}

/** Loads a page until it says so. */
async function comesTo(page: Page, path: string, words: string | RegExp) {
  await expect(async () => {
    await open(page, path);
    await expect(page.locator("body")).toContainText(words, { timeout: 500 });
  }).toPass({ timeout: 20_000 });
}

async function passTime(page: Page, server: Server, minutes: number) {
  const { now } = await host(page.request, server, "GET", "/test/clock");
  const later = new Date(Date.parse(now) + minutes * 60_000).toISOString();
  await host(page.request, server, "PUT", "/test/clock", { now: later });
}

test("whoever turns it on buys one pack, and the next one comes by itself", async ({ page, server }) => {
  const ada = await turnOn(page, PAYS);
  await expectBalance(page, 60);
  await host(page.request, server, "POST", "/spends", { account: await payer(page), amount: 57 });
  await comesTo(page, "/history", "Small pack, by automatic top-up");
  await open(page, "/settings");
  await expectBalance(page, 53);
  await expect(page.getByRole("definition").first()).toHaveText("$21.00 of $30.00");
  await expect(page.getByRole("definition").last()).toContainText("$9.00 Paid");

  await page.getByRole("button", { name: "Turn automatic top-up off" }).click();
  await expect(page.getByRole("main")).toContainText("It is off");
  await signOut(page);
  await signIn(page, ADMIN);
  await open(page, "/admin/purchases");
  await expect(page.getByRole("row").filter({ hasText: "automatic" }).first()).toContainText("Small pack");
  await signOut(page);
  await signIn(page, ada);
  await expectBalance(page, 53);
});

test("a card that is declined twice pauses it, and another card mends that", async ({ page, server }) => {
  await turnOn(page, DECLINES_LATER);
  await host(page.request, server, "POST", "/spends", { account: await payer(page), amount: 57 });
  await comesTo(page, "/settings", /\$9\.00 Failed/);
  await expect(page.getByRole("main")).toContainText("It is on.");
  await passTime(page, server, 61);
  await comesTo(page, "/actions", "Automatic top-up is paused: your card was declined twice");
  await banner(page).getByRole("link", { name: "See to it" }).click();
  await expect(heading(page, "Settings")).toBeVisible();
  await expect(page.getByRole("main")).toContainText("It is paused");
  await expectBalance(page, 3);

  await page.getByRole("button", { name: "Buy the pack with another card, and turn on" }).click();
  await pay(page, PAYS);
  await expect(page.getByRole("main")).toContainText("It is on.");
  await expect(banner(page)).not.toContainText("paused");
  await expectBalance(page, 53);
});

test("what is typed in wrong is said beside the field, and stays there", async ({ page }) => {
  await signUp(page, somebody());
  await open(page, "/buy");
  await page.getByRole("link", { name: "automatic top-up" }).click();
  await expect(heading(page, "Settings")).toBeVisible();
  await awake(page);
  await choose(page, "none", "30");
  await expect(alert(page, "Enter a whole number")).toBeVisible();
  await expect(page.getByLabel("When fewer credits are left than")).toHaveValue("none");
  await expect(page.getByLabel("When fewer credits are left than")).toHaveAttribute("aria-invalid", "true");
  await awake(page);
  await choose(page, "5", "8.99");
  await expect(alert(page, "below what the pack costs")).toBeVisible();
  await expect(page.getByLabel("Spend at most, each month")).toHaveValue("8.99");
});

test("of two windows, the one that is out of date turns nothing on", async ({ page, context }) => {
  await turnOn(page, PAYS);
  const other = await context.newPage();
  await open(other, "/settings");
  await awake(page);
  await page.getByRole("button", { name: "Turn automatic top-up off" }).click();
  await expect(page.getByRole("main")).toContainText("It is off");
  await choose(other, "20", "90", "Save");
  await expect(alert(other, "changed meanwhile")).toBeVisible();
  await expect(other.getByRole("main")).toContainText("It is off");
});

test.describe("nothing stands in anybody's way", { tag: "@js" }, () => {
  test.use({ contextOptions: { reducedMotion: "reduce" } });

  test("on the settings", async ({ page, server }) => {
    await signUp(page, somebody());
    await open(page, "/settings");
    await expectAccessible(page);
    await choose(page, "none", "30");
    await expect(alert(page, "Enter a whole number")).toBeVisible();
    await expectAccessible(page);
    await choose(page, "5", "30");
    await pay(page, DECLINES_LATER);
    await expectAccessible(page);
    await host(page.request, server, "POST", "/spends", { account: await payer(page), amount: 57 });
    await comesTo(page, "/settings", /\$9\.00 Failed/);
    await passTime(page, server, 61);
    await comesTo(page, "/settings", "It is paused");
    await expectAccessible(page);
  });
});
