import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultConfig } from "../config/index.ts";
import type { ParityReport } from "../ports/parity-report.ts";
import { generateDesk } from "./demo-desk/index.ts";
import { replay } from "./parity.ts";

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
 * that is gone afterwards, or in `keep`, which stays.
 */
export async function runDemo(options: {
  readonly seed: number;
  readonly keep?: string;
  readonly onProgress?: (text: string) => void;
}): Promise<Demo> {
  const folder = options.keep ?? (await mkdtemp(join(tmpdir(), "pnl-bridge-demo-")));
  try {
    const { ledgers, prices, trades } = await generateDesk(folder, { seed: options.seed });
    const database = join(folder, "pnl_tracker.db");
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
