import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium } from "playwright-core";
import { present } from "../src/base/present.ts";
import { printed } from "./printed.ts";

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
  // Only the last list of features counts, so this one repeats what Playwright disables. Chromium would
  // render its own address bar as pages, in a further process, which doubles what a page costs.
  `--disable-features=${[
    ...["WebUIOmniboxPopup", "WebUIOmniboxAimPopup"],
    ...["AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"],
    ...["HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding"],
    ...["ThirdPartyStoragePartitioning", "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled"],
    ...["PreconnectToSearch"],
  ].join()}`,
];

function installedChromium(): string {
  if (chromiumPath !== undefined) return chromiumPath;
  throw new Error("there is no Chromium on this machine: install it, or set CHROMIUM to its path");
}

/** Starts a Chromium without a window. The caller closes it. Throws where this machine has none. */
export const startBrowser = async (): Promise<Browser> =>
  chromium.launch({ executablePath: installedChromium(), headless: true, args: flags, timeout: 90_000 });

interface ThrottlingBrowser extends AsyncDisposable {
  readonly context: BrowserContext;
}

/**
 * Starts a Chromium in which a tab behind another one is hidden, and has slow timers, as on a person's desk.
 * In a browser that Playwright starts, every tab counts as visible and nothing is throttled.
 */
export async function startThrottlingBrowser(): Promise<ThrottlingBrowser> {
  const profile = await mkdtemp(join(tmpdir(), "pnl-bridge-chromium-"));
  const own = ["--headless", "--remote-debugging-port=0", `--user-data-dir=${profile}`];
  const child = spawn(installedChromium(), [...own, ...flags, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const close = async (): Promise<void> => {
    const ended = once(child, "exit");
    child.kill();
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 10 });
  };
  try {
    const address = await printed(child.stderr, /listening on (ws:\S+)/);
    const browser = await chromium.connectOverCDP(address, { noDefaults: true, timeout: 90_000 });
    const [context] = browser.contexts();
    return { context: present(context, "Chromium has a context of its own"), [Symbol.asyncDispose]: close };
  } catch (failure) {
    if (child.exitCode === null) await close();
    throw failure;
  }
}
