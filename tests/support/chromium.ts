/**
 * Chromium for tests, if it is installed.
 *
 * @module
 */

import { type Browser, chromium } from "playwright-core";

const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** No screen, and no traffic of the browser's own. */
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const found = PLACES.find((place) => {
  try {
    return Deno.statSync(place).isFile;
  } catch {
    return false;
  }
});

if (found === undefined && Deno.env.get("CI") === "true") {
  throw new Error("Chromium is not installed: CI must run the tests of a browser with it");
}

/** Ignores a test if there is no browser, and says so in its name. */
export const noBrowser = found === undefined
  ? { ignore: true, reason: " (ignored: Chromium is not installed)" }
  : { ignore: false, reason: "" };

/** Starts Chromium; the caller closes it. */
export async function startChromium(): Promise<Browser> {
  return await chromium.launch({ executablePath: found!, args: FLAGS });
}
