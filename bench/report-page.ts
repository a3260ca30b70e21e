import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { renderParityPage } from "../src/adapters/report/index.ts";
import { PnLComparisonValidator } from "../src/comparison/index.ts";
import type { ParityReport } from "../src/ports/parity-report.ts";
import type { DailyRow } from "../src/ports/pnl-system.ts";
import { chromiumPath, startBrowser } from "../test/browser.ts";
import { interleaved, ratio, type Times } from "./measure.ts";
import { type BenchResult, type BenchRow, megabytes, milliseconds } from "./report.ts";
import { inTemporaryFolder } from "./temporary.ts";

const sizes = [10_000, 25_000, 50_000] as const;
const repetitions = 5;

/** Actions of a person on the page. Each returns its time in milliseconds, layout included. */
const actions = {
  "open the page": async (page: Page, address: string) => {
    const startedMs = performance.now();
    await page.goto(address);
    return performance.now() - startedMs;
  },
  "show all figures": (page: Page) =>
    page.evaluate<number>(timed("form.elements.verdict.forEach((box) => box.checked || box.click())")),
  "sort by difference": (page: Page) =>
    page.evaluate<number>(timed('document.querySelector("[data-column=difference] button").click()')),
  "search three words": (page: Page) =>
    page.evaluate<number>(
      timed('form.elements.search.value = "note 2025-07 total"; form.dispatchEvent(new Event("input"))'),
    ),
} as const;

const timed = (code: string): string =>
  `{ const start = performance.now(); ${code}; document.body.offsetHeight; performance.now() - start }`;

/**
 * Measures the report page with 10,000 to 50,000 figures in Chromium. Its times must grow linearly with the
 * figures.
 */
export async function reportPage(): Promise<BenchResult> {
  const what = `the report page in Chromium, median of ${repetitions}; ratios are of the time for one figure`;
  if (chromiumPath === undefined)
    return { name: "report-page", what, rows: [], skipped: "Chromium is not installed on this machine" };
  const browser = await startBrowser();
  try {
    return await inTemporaryFolder(async (folder) => {
      const pages = await Promise.all(sizes.map((figures) => pageOf(figures, folder)));
      const [smallest] = pages;
      const rows: BenchRow[] = [];
      const page = await browser.newPage();
      const times = new Map<string, Times>();
      for (const action of Object.keys(actions) as (keyof typeof actions)[]) {
        const candidates = pages.map(({ figures, address }) => {
          const prepare = async (): Promise<void> => {
            await page.goto(action === "open the page" ? "about:blank" : address);
            if (action === "sort by difference" || action === "search three words")
              await actions["show all figures"](page);
          };
          return [figures, { prepare, run: () => actions[action](page, address) }] as const;
        });
        const found = await interleaved(Object.fromEntries(candidates), repetitions);
        for (const [name, one] of Object.entries(found)) times.set(`${action} ${name}`, one);
      }
      for (const action of Object.keys(actions))
        for (const { figures, bytes } of pages) {
          const [one, base] = [times.get(`${action} ${figures}`), times.get(`${action} ${sizes[0]}`)];
          if (one === undefined || base === undefined) continue;
          const measured = milliseconds(one.medianMs);
          const size = action === "open the page" ? ` (${megabytes(bytes)})` : "";
          const isBase = figures === smallest?.figures;
          rows.push({
            case: `${action}, ${figures.toLocaleString("en-US")} figures${size}`,
            measured,
            ...(isBase
              ? {}
              : {
                  ratio: (ratio(one, base) * sizes[0]) / figures,
                  against: "10,000 figures",
                  target: { atMost: 1.5 },
                }),
          });
        }
      return { name: "report-page", what, rows };
    });
  } finally {
    await browser.close();
  }
}

interface WrittenPage {
  readonly figures: number;
  readonly address: string;
  readonly bytes: number;
}

async function pageOf(figures: number, folder: string): Promise<WrittenPage> {
  const path = join(folder, `${figures}.html`);
  const html = renderParityPage(reportOf(figures));
  await writeFile(path, html);
  return { figures, address: pathToFileURL(path).href, bytes: Buffer.byteLength(html) };
}

/** A report with this number of figures, by instrument and day; one in fifty rows differs. */
function reportOf(figures: number): ParityReport {
  const rows = Array.from({ length: Math.ceil(figures / 3) }, (_, index): DailyRow => {
    const [symbol, day] = [`XCMEOPADPS20250721N0VY3/${100 + (index % 400) / 8}`, Math.floor(index / 400)];
    const tradingDay = new Date(Date.UTC(2025, 6, 1 + day)).toISOString().slice(0, 10);
    return {
      symbol,
      tradingDay,
      realized: `${index}.25`,
      unrealized: `${-index}.5`,
      total: `${-index}.0000000000000001`,
    };
  });
  const modern = rows.map((row, index) => (index % 50 === 0 ? { ...row, total: `${index}` } : row));
  const side = (system: string, daily: readonly DailyRow[]) => ({
    system,
    dayRule: "calendar",
    positions: [],
    daily,
    errors: [],
  });
  const report = new PnLComparisonValidator().compare(
    side("legacy-desk", rows),
    side("modern-engine", modern),
  );
  const instruments = [...new Set(rows.map(({ symbol }) => symbol))].map((symbol) => ({
    symbol,
    instrument: symbol,
    title: `10-year note ${symbol.split("/")[1]} put, 21 Jul 2025`,
    currency: "USD",
  }));
  return { ...report, rows: report.rows.slice(0, figures), instruments };
}
