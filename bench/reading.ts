import { createReadStream } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse";
import { readLedgers } from "../src/adapters/csv/ledger-reader.ts";
import { generateLedgerFile } from "../src/app/demo-desk/index.ts";
import { describerOf, symbolBridge } from "../src/app/symbols/symbols.ts";
import { tradingDayRules } from "../src/domain/market/trading-day.ts";
import { interleaved, ratio } from "./measure.ts";
import { type BenchResult, milliseconds, perSecond } from "./report.ts";
import { inTemporaryFolder } from "./temporary.ts";

const symbols = symbolBridge(undefined);
const describeSymbol = describerOf(symbols);

const rows = 500_000;
const repetitions = 5;

/**
 * Measures the ledger reader, which checks and converts every field, against csv-parse, which only splits the
 * text.
 */
export const reading = (): Promise<BenchResult> =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, "trades_20250718.csv");
    const { bytes } = await generateLedgerFile(path, { trades: rows });
    const times = await interleaved(
      { ledger: { run: () => readAll(path) }, parse: { run: () => parseAll(path) } },
      repetitions,
    );
    return {
      name: "reading",
      what: `a ledger of ${rows / 1_000} k rows, ${Math.round(bytes / 1e6)} MB, median of ${repetitions}`,
      rows: [
        {
          case: `ledger reader, ${perSecond(rows, times.ledger.medianMs)} rows`,
          measured: milliseconds(times.ledger.medianMs),
        },
        {
          case: `csv-parse alone, ${perSecond(rows, times.parse.medianMs)} rows`,
          measured: milliseconds(times.parse.medianMs),
          ratio: ratio(times.parse, times.ledger),
          against: "ledger reader",
        },
      ],
    };
  });

async function readAll(path: string): Promise<void> {
  const input = await readLedgers([path], {
    dayRule: tradingDayRules["chicago-17"],
    describe: describeSymbol,
  });
  if (input.accepted !== rows) throw new Error(`the ledger reader took ${input.accepted} of ${rows} rows`);
}

async function parseAll(path: string): Promise<void> {
  let seen = 0;
  for await (const row of createReadStream(path).pipe(parse({ from_line: 2 })))
    seen += row.length === 6 ? 1 : 0;
  if (seen !== rows) throw new Error(`csv-parse took ${seen} of ${rows} rows`);
}
