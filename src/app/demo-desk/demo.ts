import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultConfig } from "../../config/index.ts";
import { checkNew, unwritable } from "../../platform/output.ts";
import type { ParityReport } from "../../ports/parity-report.ts";
import { replay } from "../parity/replay.ts";
import { generateDesk } from "./index.ts";

/** Seeds are whole numbers from 0 to this. */
export const seedMax = 2 ** 32 - 1;

export interface Demo {
  readonly trades: number;
  readonly ledgers: string;
  readonly prices: string;
  /** What the legacy desk wrote. */
  readonly database: string;
  readonly report: ParityReport;
}

/**
 * A complete small desk: ledgers and prices with the oddities of real ones, through both systems. In a folder of its own
 * that is gone afterwards, or in `keep`, which stays and may hold no desk yet. Throws UNWRITABLE.
 */
export async function runDemo(options: {
  readonly seed: number;
  readonly keep?: string;
  readonly onProgress?: (text: string) => void;
}): Promise<Demo> {
  // What is there already could be a real desk's.
  if (options.keep !== undefined)
    for (const name of made) await checkNew(join(options.keep, name), "name a new folder for the demo");
  const folder = options.keep ?? (await temporaryFolder());
  try {
    const { ledgers, prices, trades } = await generateDesk(folder, { seed: options.seed });
    const database = join(folder, databaseName);
    const report = await replay({
      trades: [ledgers],
      prices: [prices],
      config: defaultConfig,
      legacyDatabase: database,
      onProgress: options.onProgress,
    });
    return { trades, ledgers, prices, database, report };
  } finally {
    if (options.keep === undefined) await rm(folder, { recursive: true, force: true });
  }
}

const databaseName = "pnl_tracker.db";
/** What a demo makes in its folder. */
const made = [databaseName, "trade_ledger", "market_prices"];

const temporaryFolder = (): Promise<string> =>
  mkdtemp(join(tmpdir(), "pnl-bridge-demo-")).catch((cause) => {
    throw unwritable(tmpdir(), cause, "make room there, or set TMPDIR to another folder");
  });
