import { stat } from "node:fs/promises";
import { findLedgers } from "../../../adapters/csv/ledger-reader.ts";
import { findPriceFiles } from "../../../adapters/csv/price-files.ts";
import { parseInstant } from "../../../domain/market/chicago-time.ts";
import type { TradingDayRuleName } from "../../../domain/market/trading-day.ts";
import type { GivenMark } from "../../parity/marks-file.ts";
import { inHand, type PnlRun, runPnl, valuedAt } from "../../parity/pnl-run.ts";
import { nameOfTraded } from "../../symbols/symbols.ts";

interface LedgerWorldOptions {
  /** Ledger files and folders. */
  readonly trades: readonly string[];
  readonly prices?: readonly string[] | undefined;
  readonly dayRule?: TradingDayRuleName;
  /** Match across books, beside a system that knows none. */
  readonly netBooks?: boolean;
}

/** What a run depends on besides the files. */
interface WorldView {
  readonly method: "fifo" | "lifo" | "average";
  readonly asOf: string | undefined;
  /** Prices that stand before those of the files. */
  readonly marks?: readonly GivenMark[] | undefined;
}

/**
 * The desk's files as both built-in systems see them, until there is a store: read when they are asked for, and again when one of
 * them has another size or time. An as-of time after the last trade and price is the same as none, so the latest views are kept.
 */
export class LedgerWorld {
  readonly options: LedgerWorldOptions;
  readonly #runs = new Map<string, Promise<PnlRun>>();
  #latest: PnlRun | undefined;

  constructor(options: LedgerWorldOptions) {
    this.options = options;
  }

  /** The modern engine over the files. Throws BridgeError as `runPnl` does. */
  async run({ marks, ...view }: WorldView): Promise<PnlRun> {
    const run = await this.#run(view);
    if (marks === undefined) return run;
    const valued = valuedAt(run, marks);
    return { ...valued, statement: inHand(valued.statement) };
  }

  /** The name under which a symbol of any dialect joins what the latest run has read. */
  nameOf(symbol: string): string {
    const latest = this.#latest;
    return latest === undefined ? symbol : nameOfTraded(latest.symbols, symbol, latest.valuation.asOfDay);
  }

  async #run({ method, asOf }: WorldView): Promise<PnlRun> {
    const stamp = await this.#stamp();
    const latest = await this.#kept(`${stamp} ${method}`, { method });
    this.#latest = latest;
    const asOfUs = asOf === undefined ? Number.POSITIVE_INFINITY : parseInstant(asOf);
    if (asOf === undefined || (asOfUs !== undefined && asOfUs >= (latest.asOfUs ?? 0))) return latest;
    return this.#kept(`${stamp} ${method} ${asOf}`, { method, asOf });
  }

  #kept(key: string, view: Pick<WorldView, "method"> & { readonly asOf?: string }): Promise<PnlRun> {
    const known = this.#runs.get(key);
    if (known !== undefined) return known;
    const { trades, prices, dayRule, netBooks } = this.options;
    const run = runPnl({ trades, prices, dayRule, netBooks, ...view }).then((made) => ({
      ...made,
      statement: inHand(made.statement),
    }));
    // A run that failed is tried again with the next call.
    run.catch(() => this.#runs.delete(key));
    this.#runs.set(key, run);
    const [oldest] = this.#runs.keys();
    if (this.#runs.size > runsMax && oldest !== undefined) this.#runs.delete(oldest);
    return run;
  }

  /** Names, sizes and times of all files: changes when any of them does. */
  async #stamp(): Promise<string> {
    const { trades, prices } = this.options;
    const files = [
      ...(await findLedgers(trades)),
      ...(prices === undefined ? [] : await findPriceFiles(prices)),
    ];
    const stats = await Promise.all(files.map((file) => stat(file)));
    return stats
      .map(({ size, mtimeMs, ino }, index) => `${files[index]}:${size}:${mtimeMs}:${ino}`)
      .join("|");
  }
}

const runsMax = 8;
