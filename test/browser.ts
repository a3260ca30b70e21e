import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const candidates = [
  process.env.CHROMIUM ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/**
 * The Chromium of this machine, or the one that the variable CHROMIUM names. Undefined where there is none.
 */
export const chromiumPath: string | undefined = candidates.find((path) => existsSync(path));

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-software-rasterizer",
  "--in-process-gpu",
  "--renderer-process-limit=1",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // The next page of a tab gets the same process: a new one would double what a page costs.
  "--disable-site-isolation-trials",
];

/** Starts a Chromium without a window. The caller closes it. Throws where this machine has none. */
export function startBrowser(): Promise<Browser> {
  if (chromiumPath === undefined)
    throw new Error("there is no Chromium on this machine: install it, or set CHROMIUM to its path");
  return chromium.launch({ executablePath: chromiumPath, headless: true, args: flags, timeout: 90_000 });
}
