/**
 * `node scripts/screenshots.ts` makes the pictures in README.md, docs/explain.md and docs/page.md: the report
 * page of the demo, its explanations, the output of `status` on a terminal, and the page of `serve` at each
 * stop of a new user's walk over the living desk. `node scripts/screenshots.ts page` makes only the pictures
 * of that walk. Needs Chromium (see test/browser.ts).
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { pino } from "pino";
import type { Browser } from "playwright-core";
import { renderParityPage } from "../src/adapters/report/index.ts";
import { runDemo } from "../src/app/demo-desk/demo.ts";
import { makeLivingDesk } from "../src/app/demo-desk/living-desk.ts";
import { commands } from "../src/surfaces/cli/commands/status.ts";
import { serveUntil } from "../src/surfaces/cli/serving.ts";
import { startBrowser } from "../test/browser.ts";
import { LiveDesk } from "../test/cli/live-desk.ts";
import { withFiles } from "../test/cli/run-cli.ts";
import { ledgersRead, walk } from "../test/page/walk.ts";
import { build } from "./pack.ts";

const images = fileURLToPath(new URL("../docs/images/", import.meta.url));

async function picture(
  browser: Browser,
  name: string,
  html: string,
  viewport: { width: number; height: number },
  /**
   * The heading of the section to picture. Without it the picture shows the window or, of a terminal, the
   * whole text.
   */
  section?: string,
): Promise<void> {
  await withFiles({ "page.html": html }, async (folder) => {
    const page = await browser.newPage({ viewport, colorScheme: "light" });
    await page.goto(pathToFileURL(join(folder, "page.html")).href);
    const part = page.locator("section", { has: page.getByRole("heading", { name: section ?? "" }) });
    // The picture of the status shows all of it; that of the long report shows only the window.
    const image = await (section === undefined
      ? page.screenshot({ fullPage: name === "status.png" })
      : part.screenshot());
    await writeFile(join(images, name), image);
    await page.close();
  });
}

/** Returns the output of `status` on a terminal, for a desk that has begun to move users to modern. */
async function statusOfDesk(): Promise<string> {
  await using desk = new LiveDesk();
  await desk.start();
  await desk.toDualWrite();
  for (const step of [
    ["whitelist", "add", "amy"],
    ["traffic", "25"],
  ]) {
    const { code, err } = await desk.run(...step, "--reason", "a first share of the desk");
    if (code !== 0) throw new Error(`${step.join(" ")}: ${err}`);
  }
  const [status] = commands;
  if (status === undefined) throw new Error("there is no command status");
  const out = Object.assign(Object.create(process.stdout), { isTTY: true, columns: 110 });
  const { text } = await status.run({ config: join(desk.folder, "pnl_migration_config.yaml") } as never, {
    out,
    err: process.stderr,
  });
  return String(text).replaceAll(desk.folder, "/desk");
}

const styles: Readonly<Record<string, string>> = {
  "1": "font-weight: bold",
  "2": "color: #9aa4af",
  "31": "color: #ff8f8a",
  "32": "color: #6fd08c",
  "33": "color: #f0b849",
};

/** Converts a terminal's text with escape codes into a page. */
function terminalPage(text: string): string {
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what this looks for
  const styled = escaped.replaceAll(/\u001b\[(\d+)m/g, (_, code) =>
    code in styles ? `<span style="${styles[code]}">` : "</span>",
  );
  const style =
    "margin: 0; padding: 1.2rem 1.5rem; background: #14171b; color: #e6e8eb; font: 15px/1.45 monospace";
  return `<!doctype html><meta charset="utf-8"><body style="margin: 0"><pre style="${style}">$ pnl-bridge status\n${styled}</pre>`;
}

async function otherPictures(browser: Browser): Promise<void> {
  const { report } = await runDemo({ seed: 1 });
  await picture(browser, "report.png", renderParityPage(report), { width: 1280, height: 1100 });
  const few = { ...report, explanations: report.explanations?.slice(0, 4) ?? [] };
  await picture(browser, "explain.png", renderParityPage(few), { width: 1280, height: 800 }, "Explanations");
  await picture(browser, "status.png", terminalPage(await statusOfDesk()), { width: 1200, height: 100 });
}

/** How long the page is open before the picture of its charts. */
const chartsMs = 60_000;

/** Walks over a living desk, and takes a picture of the page at each stop. */
const pagePictures = (browser: Browser): Promise<void> =>
  withFiles({}, async (folder) => {
    const desk = await makeLivingDesk(folder, 1, { twoYearNote: 0, badRow: 0, republished: 0 });
    await serveUntil(desk.config, {
      log: pino({ level: "silent" }),
      env: { ...process.env, ...desk.env },
      page: `${await build()}/web`,
      onOpen: async ({ url, bridge }) => {
        const token = desk.env.DEMO_OPERATOR_TOKEN;
        await ledgersRead({ url, token });
        const stop = await desk.start(bridge);
        const viewport = { width: 1280, height: 800 };
        const page = await browser.newPage({ viewport, colorScheme: "light" });
        await walk(page, {
          ...{ url, token },
          at: async (name) => {
            await sleep(name === "health" ? chartsMs : 3_000);
            await writeFile(join(images, `page-${name}.png`), await page.screenshot());
          },
        });
        await page.close();
        await stop();
      },
    });
  });

await mkdir(images, { recursive: true });
const browser = await startBrowser();
try {
  await pagePictures(browser);
  if (process.argv[2] !== "page") await otherPictures(browser);
} finally {
  await browser.close();
}
