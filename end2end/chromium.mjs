// The Chromium that the tests drive: the one that CHROMIUM names, else the machine's own. None found: undefined, and
// Playwright takes the one that `npx playwright install chromium` brought, if any.
import { accessSync, constants } from "node:fs";

const usual = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

const runs = (path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

export const chromium = () => process.env.CHROMIUM || usual.find(runs);
