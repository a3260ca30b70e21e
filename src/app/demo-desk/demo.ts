import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultConfig } from "../../config/index.ts";
import { checkNew, makeFolder, unwritable } from "../../platform/output.ts";
import type { ParityReport } from "../../ports/parity-report.ts";
import { replay } from "../parity/replay.ts";
import { type DualWrite, dualWrite } from "./dual-write.ts";
import { generateDesk } from "./index.ts";
import { type LivingDesk, makeLivingDesk } from "./living-desk.ts";

/** Seeds are whole numbers from 0 to this. */
export const seedMax = 2 ** 32 - 1;

export interface Demo {
  readonly trades: number;
  readonly ledgers: string;
  readonly prices: string;
  /** The database that the legacy desk wrote. */
  readonly database: string;
  readonly report: ParityReport;
  readonly dualWrite: DualWrite;
}

/**
 * Generates a small desk, ledgers and prices with the oddities of real ones, and replays it through both
 * systems. Then another small desk writes two databases at once. Works in a temporary folder that is deleted
 * afterwards, or in `keep`, which must not hold a desk yet. Throws UNWRITABLE.
 */
export async function runDemo(options: {
  readonly seed: number;
  readonly keep?: string;
  readonly onProgress?: (text: string) => void;
}): Promise<Demo> {
  // Existing files could belong to a real desk.
  if (options.keep !== undefined)
    for (const name of made) await checkNew(join(options.keep, name), "name a new folder for the demo");
  return inFolder(options.keep, async (folder) => {
    const { ledgers, prices, trades } = await generateDesk(folder, { seed: options.seed });
    const database = join(folder, databaseName);
    const report = await replay({
      trades: [ledgers],
      prices: [prices],
      config: defaultConfig,
      legacyDatabase: database,
      onProgress: options.onProgress,
    });
    return { trades, ledgers, prices, database, report, dualWrite: await dualWrite(join(folder, pairName)) };
  });
}

/**
 * Makes a living desk in a temporary folder, which is deleted when the promise of `serve` settles, or in a
 * folder of `keep`. Throws UNWRITABLE.
 */
export const runLivingDemo = (
  { seed, keep }: { readonly seed: number; readonly keep?: string },
  serve: (desk: LivingDesk) => Promise<void>,
): Promise<void> =>
  inFolder(keep === undefined ? undefined : join(keep, livingName), async (folder) => {
    await makeFolder(folder);
    await serve(await makeLivingDesk(folder, seed));
  });

/** Works in the given folder, or in a temporary one that is deleted afterwards. */
async function inFolder<T>(given: string | undefined, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = given ?? (await temporaryFolder());
  try {
    return await work(folder);
  } finally {
    if (given === undefined) await rm(folder, { recursive: true, force: true });
  }
}

const databaseName = "pnl_tracker.db";
/** The folder of the two databases that are written together. */
const pairName = "two_databases";
/** The folder of the desk that the page shows. */
const livingName = "living_desk";
/** The entries that a demo creates in its folder. */
const made = [databaseName, "trade_ledger", "market_prices", pairName, livingName];

const temporaryFolder = (): Promise<string> =>
  mkdtemp(join(tmpdir(), "pnl-bridge-demo-")).catch((cause) => {
    throw unwritable(tmpdir(), cause, "make room there, or set TMPDIR to another folder");
  });
