// Each test of tests/ runs twice: in a browser with JavaScript and in one without. The tag @js or @nojs keeps it to one.
// scripts/e2e starts the server and says where it is.
import { defineConfig } from "@playwright/test";
import { chromium } from "./chromium.mjs";

export default defineConfig({
  testDir: "tests",
  timeout: 30_000,
  workers: 2,
  fullyParallel: true,
  retries: 0,
  forbidOnly: !!process.env.CI,
  reporter: "list",
  use: {
    baseURL: process.env.BASE_URL,
    // Recording takes half as long again. What failed is seen with: scripts/e2e --trace on -g "the test's name"
    trace: "off",
    launchOptions: {
      executablePath: chromium(),
      // Quiet, and able to run as root in a container: the pages under test are our own.
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "javascript", grepInvert: /@nojs/ },
    { name: "no-javascript", grepInvert: /@js/, use: { javaScriptEnabled: false } },
  ],
});
