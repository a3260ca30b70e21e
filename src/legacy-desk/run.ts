/**
 * Runs a list of ledgers through the legacy desk's calculator; the results are raw floats.
 *
 * `chained` uses one calculator for all files in order. `file-at-a-time` is the service as it was deployed: a
 * new calculator for each file, so that no position is carried from one file to the next (quirk: a buy in one
 * file and its sale in the next give two open positions and no realized P&L).
 */
import type { HistoryRequest, SystemError } from "../ports/pnl-system.ts";
import {
  type Calculation,
  Calculator,
  type DayFigures,
  dateOf,
  LegacyRejection,
  type PositionFigures,
  type Trade,
} from "./calculator.ts";
import { type LedgerFile, readLedger } from "./ledger-file.ts";

export type LegacyMode = "chained" | "file-at-a-time";

/** A row of a market price file. Prices are in points; null means `#N/A`. */
export interface PriceRow {
  readonly bloomberg: string;
  readonly assetType: "FUTURE" | "OPTION";
  readonly settle: number | null;
  readonly last: number | null;
  readonly bid?: number | null;
  readonly ask?: number | null;
  readonly expires?: string | null;
  readonly moneyness?: string | null;
  /** `YYYY-MM-DD HH:MM:SS`. */
  readonly uploadedAt: string;
  readonly sourceFile: string;
}

/** The result of one file. */
export interface FileRun {
  readonly path: string;
  readonly name: string;
  /** The day in its name, YYYY-MM-DD. */
  readonly date: string | null;
  readonly sizeBytes: number;
  /** Unix time; null for a file that could not be read. */
  readonly modifiedMs: number | null;
  /** The accepted trades; for a rejected file, the trades before its bad row. */
  readonly trades: readonly Trade[];
  readonly error: SystemError | null;
  /**
   * The calculation after this file: present after each file in `file-at-a-time`, after the last one in
   * `chained`.
   */
  readonly calculation: Calculation | null;
}

export interface LegacyRun extends Calculation {
  readonly mode: LegacyMode;
  readonly files: readonly FileRun[];
  readonly errors: readonly SystemError[];
}

/** Runs ledgers through the desk. `errors` lists refused files and marks; they do not throw. */
export function runLegacy(request: HistoryRequest, mode: LegacyMode = "chained"): LegacyRun {
  const { prices, errors: markErrors } = readPrices(request);
  const { files, calculation } =
    mode === "chained" ? runChained(request.ledgers, prices) : runFileAtATime(request.ledgers, prices);
  const fileErrors = files.flatMap(({ error }) => (error === null ? [] : [error]));
  return { mode, files, ...calculation, errors: [...markErrors, ...fileErrors] };
}

type Marks = ReadonlyMap<string, number>;
/** Either final marks, or only closes by day. */
type Prices =
  | { readonly marks: Marks }
  | { readonly closes: readonly { symbol: string; date: string; price: number }[] };
interface RunResult {
  readonly files: readonly FileRun[];
  readonly calculation: Calculation;
}

/**
 * Marks become the closes of the last calendar day of the whole history, so that the last row of every open
 * symbol uses its mark. No other day has a close, so unrealized is 0 there. A symbol that was flat before has
 * no row on the last day; the summary shows its close as 0, which has no effect on a flat position.
 */
function runChained(ledgers: readonly string[], prices: Prices): RunResult {
  const calculator = new Calculator();
  const files = ledgers.map((path) => loadFile(path, calculator));
  const trades = files.flatMap((file) => file.trades);
  const lastDate = trades.reduce((last, trade) => (dateOf(trade) > last ? dateOf(trade) : last), "");
  if ("closes" in prices)
    for (const { symbol, date, price } of prices.closes) calculator.close(symbol, date, price);
  else
    for (const [symbol, price] of withLastPrices(trades, prices.marks))
      calculator.close(symbol, lastDate, price);
  const calculation = calculator.calculate();
  return {
    files: files.map((file, index) => ({
      ...file,
      calculation: index === files.length - 1 ? calculation : null,
    })),
    calculation,
  };
}

/**
 * Quirks of the deployed service: a path that was read before counts as "already processed"; the close
 * belongs to the date in the file's *name*, so that fills of the evening before have no close on their own
 * date; daily rows are INSERT OR REPLACE by (date, symbol), so that those evening fills replace the row from
 * the file of that date. A mark is the close for the last file with the symbol; earlier files use the last
 * traded price. Positions come from the last file with the symbol, and realized is the sum over all files, as
 * the desk's dashboard shows it.
 */
function runFileAtATime(ledgers: readonly string[], prices: Prices): RunResult {
  const loads = [...new Set(ledgers)].map((path) => {
    const calculator = new Calculator();
    return { calculator, file: loadFile(path, calculator) };
  });
  const lastFile = new Map(loads.flatMap(({ file }) => file.trades.map(({ symbol }) => [symbol, file])));
  const files = loads.map(({ calculator, file }): FileRun => {
    const date = file.date ?? file.trades.map(dateOf).sort().at(-1) ?? "";
    if ("closes" in prices) {
      for (const close of prices.closes)
        if (close.date === date) calculator.close(close.symbol, date, close.price);
    } else {
      const current = new Map([...prices.marks].filter(([symbol]) => lastFile.get(symbol) === file));
      for (const [symbol, price] of withLastPrices(file.trades, current))
        calculator.close(symbol, date, price);
    }
    return { ...file, calculation: calculator.calculate() };
  });
  const positions = new Map<string, PositionFigures>();
  const daily = new Map<string, DayFigures>();
  for (const { calculation } of files) {
    for (const figures of calculation?.positions ?? []) {
      const before = positions.get(figures.symbol);
      const realized = (before?.realized ?? 0) + figures.realized;
      const closedQuantity = (before?.closedQuantity ?? 0) + figures.closedQuantity;
      const hasZeroPrice = figures.hasZeroPrice || before?.hasZeroPrice === true;
      positions.set(figures.symbol, { ...figures, realized, closedQuantity, hasZeroPrice });
    }
    for (const figures of calculation?.daily ?? []) daily.set(`${figures.date} ${figures.symbol}`, figures);
  }
  const byDate = [...daily.values()].sort((a, b) => (a.date < b.date ? -1 : a.date > b.date ? 1 : 0));
  return { files, calculation: { positions: [...positions.values()], daily: byDate } };
}

/**
 * Adds the wanted trades of a file to a calculator. Quirk: one bad row rejects the file, but the rows before
 * it stay added.
 */
export function loadFile(
  path: string,
  calculator: Pick<Calculator, "add">,
  isWanted: (trade: Trade) => boolean = () => true,
): FileRun {
  const trades: Trade[] = [];
  const nothing = { path, name: path, date: null, sizeBytes: 0, modifiedMs: null, trades, calculation: null };
  let ledger: LedgerFile;
  try {
    ledger = readLedger(path);
  } catch (error) {
    return {
      ...nothing,
      error: {
        code: "LEGACY_FILE_UNREADABLE",
        why: error instanceof Error ? error.message : String(error),
        file: path,
      },
    };
  }
  const { name, date, sizeBytes, modifiedMs } = ledger;
  const read = { ...nothing, name, date, sizeBytes, modifiedMs };
  try {
    for (const trade of ledger.rows()) {
      if (!isWanted(trade)) continue;
      calculator.add(trade);
      trades.push(trade);
    }
    return { ...read, error: null };
  } catch (error) {
    if (!(error instanceof LegacyRejection)) throw error;
    return {
      ...read,
      error: { code: "LEGACY_FILE_REJECTED", why: error.message, file: path, rowsTaken: trades.length },
    };
  }
}

/** The mark of each traded symbol, or its last traded price without a mark. */
function withLastPrices(trades: readonly Trade[], marks: Marks): Map<string, number> {
  const last = new Map<string, Trade>();
  for (const trade of trades) {
    const before = last.get(trade.symbol);
    if (before === undefined || trade.time >= before.time) last.set(trade.symbol, trade);
  }
  return new Map([...last].map(([symbol, { price }]) => [symbol, marks.get(symbol) ?? price]));
}

/**
 * Reads the prices, and refuses each one that is negative or not a number. With final marks, a symbol whose
 * price is refused uses its last traded price.
 */
function readPrices(request: HistoryRequest): { prices: Prices; errors: readonly SystemError[] } {
  const errors: SystemError[] = [];
  const read = (symbol: string, text: string): number | undefined => {
    const price = text.trim() === "" ? Number.NaN : Number(text);
    if (Number.isFinite(price) && price >= 0) return price;
    errors.push({
      code: "LEGACY_MARK_REJECTED",
      why: `the close price of ${symbol} is not valid: '${text}'`,
    });
    return undefined;
  };
  if (request.closes !== undefined) {
    const closes = request.closes.flatMap(({ symbol, tradingDay, price: text }) => {
      const price = read(symbol, text);
      return price === undefined ? [] : [{ symbol, date: tradingDay, price }];
    });
    return { prices: { closes }, errors };
  }
  const marks = new Map<string, number>();
  for (const [symbol, text] of Object.entries(request.marks ?? {})) {
    const price = read(symbol, text);
    if (price !== undefined) marks.set(symbol, price);
  }
  return { prices: { marks }, errors };
}
