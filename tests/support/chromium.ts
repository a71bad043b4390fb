/**
 * A real browser for tests, if there is one.
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

/** As on a machine without a screen, and with nothing sent anywhere else. */
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

/** How to ignore a test when there is no browser, and what to add to its name. */
export const noBrowser = found === undefined
  ? { ignore: true, reason: " (ignored: Chromium is not installed)" }
  : { ignore: false, reason: "" };

/** Starts it, for as long as the test runs. */
export async function startChromium(): Promise<Browser> {
  return await chromium.launch({ executablePath: found!, args: FLAGS });
}
