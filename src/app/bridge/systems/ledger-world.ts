import { stat } from "node:fs/promises";
import { findLedgers } from "../../../adapters/csv/ledger-reader.ts";
import { findPriceFiles } from "../../../adapters/csv/price-files.ts";
import { parseInstant } from "../../../domain/market/chicago-time.ts";
import type { TradingDayRuleName } from "../../../domain/market/trading-day.ts";
import type { GivenMark } from "../../parity/marks-file.ts";
import { type PnlRun, runPnl, valuedAt, withComputedDays } from "../../parity/pnl-run.ts";
import { nameOfTraded } from "../../symbols/symbols.ts";

interface LedgerWorldOptions {
  /** Ledger files and folders. */
  readonly trades: readonly string[];
  readonly prices?: readonly string[] | undefined;
  readonly dayRule?: TradingDayRuleName;
  /** Match lots across books, because the other system does not know books. */
  readonly netBooks?: boolean;
}

/** The inputs of a run besides the files. */
interface WorldView {
  readonly method: "fifo" | "lifo" | "average";
  readonly asOf: string | undefined;
  /** Prices that take precedence over those of the files. */
  readonly marks?: readonly GivenMark[] | undefined;
}

/**
 * The desk's files as the built-in systems see them. They are read on demand, and again when the size or time
 * of a file changes. The latest runs are cached. An as-of time after the last trade and price gives the same
 * run as no as-of time.
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
    return { ...valued, statement: withComputedDays(valued.statement) };
  }

  /** The name under which the latest run keeps a symbol, whatever its dialect. */
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
      statement: withComputedDays(made.statement),
    }));
    // A run that failed is tried again with the next call.
    run.catch(() => this.#runs.delete(key));
    this.#runs.set(key, run);
    const [oldest] = this.#runs.keys();
    if (this.#runs.size > runsMax && oldest !== undefined) this.#runs.delete(oldest);
    return run;
  }

  /** A text of the names, sizes and times of all files, which changes if any of them changes. */
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
