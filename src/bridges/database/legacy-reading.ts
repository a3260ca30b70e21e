import { canonicalDecimal, product } from "../../base/decimal.ts";
import { present } from "../../base/present.ts";
import { Refused } from "../../base/refused.ts";
import { formatInstant, parseDay, readInstant } from "../../domain/market/chicago-time.ts";
import { legacyKeys, placeOfClaim } from "../../durable/legacy-places.ts";
import type { LegacyCell, LegacyRow } from "../../ports/backfill-calls.ts";
import type { RowChange, StoredRow, StoredValue } from "../../ports/record-store.ts";
import type { BridgeRecord, RecordKind } from "../../ports/records.ts";
import type { RowPlace } from "../../ports/repair-calls.ts";
import { claimOf, toLegacy } from "./legacy-rows.ts";
import { type IntakeTools, type Row, takeRecord } from "./record-intake.ts";

/** The tables of legacy whose rows become canonical rows. */
export type LegacyTable = "processed_trades" | "positions" | "eod_pnl" | "market_prices" | "cto_trades";

export interface LegacyShape {
  readonly kind: RecordKind;
  /** The natural key. */
  readonly key: readonly string[];
  /**
   * The columns besides the key that a write of the bridge sets; another value in them shows a foreign
   * change.
   */
  readonly set: readonly string[];
  /** Further columns, which only the mapping to a canonical row uses. */
  readonly further: readonly string[];
}

export const legacyShapes: Readonly<Record<LegacyTable, LegacyShape>> = {
  processed_trades: {
    kind: "trade",
    key: legacyKeys.processed_trades,
    set: ["instrument_name", "trade_date", "trade_timestamp", "quantity", "price", "side"],
    further: [],
  },
  positions: {
    kind: "position",
    key: legacyKeys.positions,
    set: [
      "position_quantity",
      "avg_cost",
      "total_realized_pnl",
      "unrealized_pnl",
      "last_market_price",
      "last_updated",
    ],
    further: [],
  },
  eod_pnl: {
    kind: "daily_pnl",
    key: legacyKeys.eod_pnl,
    set: ["closing_position", "realized_pnl", "unrealized_pnl", "total_pnl"],
    further: [],
  },
  market_prices: {
    kind: "price",
    key: legacyKeys.market_prices,
    set: ["px_settle", "px_last"],
    further: ["upload_date", "source_file"],
  },
  cto_trades: {
    kind: "trade",
    key: legacyKeys.cto_trades,
    set: ["Date", "Time", "Symbol", "Action", "Quantity", "Price", "Fees"],
    further: [],
  },
};

export const columnsOf = ({ key, set, further }: LegacyShape): readonly string[] => [
  ...key,
  ...set,
  ...further,
];

/** The reason why a row of legacy cannot become a canonical row. */
export interface ReadingRefusal {
  /** A code of the record intake or of the mapping to legacy, or NOT_A_TRADE. */
  readonly code: string;
  readonly because: string;
}

export interface ReadRow {
  readonly row: Row;
  readonly claim: string;
  /** The row as legacy holds it now, in the columns that the bridge sets. */
  readonly stored: RowChange;
  /** The columns that modern does not keep: a write of the canonical row would change them. */
  readonly lost: readonly string[];
}

export interface ReadingTools extends IntakeTools {
  /** The book of every row that comes from legacy. */
  readonly book: string;
}

const ReadingRefused = Refused<string>;

/**
 * Maps a row of legacy to a canonical row: the inverse of `toLegacy`. Points become money exactly, as the
 * shortest decimal that reads back as the same double, times the multiplier. Chicago wall time becomes an
 * instant; a time that occurs twice or never is refused, as is every value of another type than its column
 * must hold. `occurrence` is 1 for the first of equal rows of a source file.
 *
 * Legacy does not have some fields. The book is that of the tools, the fee is 0 except in `cto_trades`, and
 * there is no line and no kind of mark. A price row becomes one mark of kind `last_trade` from `px_last`, of
 * the day `upload_date`. `px_settle` stays in legacy only, because legacy does not say which day it settles.
 * A figure of 0 stays 0, although legacy also writes 0 if a mark is missing.
 */
export function fromLegacy(
  table: LegacyTable,
  legacy: LegacyRow,
  tools: ReadingTools,
  occurrence = 1,
): ReadRow | ReadingRefusal {
  const cells = new Cells(legacy);
  try {
    const record = records[table](cells, tools);
    const taken = takeRecord(
      record.kind === "trade" ? { ...record, occurrence } : record,
      `row ${legacy.id} of ${table}`,
      tools,
    );
    if ("code" in taken) return taken;
    const row: Row = { ...taken, values: { ...taken.values, ...ofLegacy[taken.kind](taken) } };
    const stored = storedOf(table, legacy);
    const down = table === "cto_trades" ? { change: stored } : toLegacy(row);
    if ("code" in down) return down;
    const set = stored.set ?? {};
    const lost = Object.keys(set).filter((column) => down.change.set?.[column] !== set[column]);
    return { row, claim: claimOf(stored), stored, lost };
  } catch (failure) {
    if (failure instanceof ReadingRefused) return failure.refusal;
    throw failure;
  }
}

/** Names a row of legacy for a person, in the form of a claim, whatever its columns hold. */
export const keyOfLegacy = (table: LegacyTable, legacy: LegacyRow): string =>
  claimOf(storedOf(table, legacy));

/** Returns the table and key of the row of legacy that a claim names. */
export const legacyPlace = (aggregate: string, claim: string): RowPlace => ({
  aggregate,
  ...present(placeOfClaim(claim), "a claim names a row of legacy"),
});

/** Returns the values of a row of legacy that the bridge reads, as JSON for a person. */
export const imageOfLegacy = ({ id, cells }: LegacyRow): string =>
  JSON.stringify({
    id,
    ...Object.fromEntries(Object.keys(cells).map((column) => [column, plainValue(cells[column])])),
  });

function storedOf(table: LegacyTable, { cells }: LegacyRow): RowChange {
  const { key, set } = legacyShapes[table];
  const values = (columns: readonly string[]): StoredRow => {
    const row: Record<string, StoredValue> = {};
    for (const column of columns) row[column] = plainValue(cells[column]);
    return row;
  };
  return { table, key: values(key), set: values(set), initial: {} };
}

/**
 * Returns a cell's value in the form in which a plain read of the database returns it; a blob as hexadecimal
 * text, and an infinite number as text, because JSON has no infinite numbers.
 */
function plainValue(cell: LegacyCell | undefined): StoredValue {
  if (cell === undefined || cell === null || typeof cell === "string") return cell ?? null;
  if (typeof cell === "object") return cell.type === "integer" ? Number(cell.value) : cell.value;
  return Number.isFinite(cell) ? cell : String(cell);
}

/** The columns of a row that differ from those of the record: P&L becomes money, and a trade has no line. */
const ofLegacy: Readonly<Record<RecordKind, (row: Row) => Row["values"]>> = {
  trade: () => ({ source_line: null }),
  price: () => ({}),
  position: (row) => inMoney(row),
  daily_pnl: (row) => inMoney(row),
};

const inMoney = ({ values: { realized, unrealized }, multiplier }: Row): Row["values"] => ({
  realized: product(realized ?? "0", multiplier),
  unrealized: product(unrealized ?? "0", multiplier),
});

/** Records with legacy's own figures: P&L is in points, and each trade has line 1, for want of a line. */
const records: Readonly<Record<LegacyTable, (cells: Cells, tools: ReadingTools) => BridgeRecord>> = {
  processed_trades: (cells, { book }) => {
    cells.day("trade_date");
    return {
      kind: "trade",
      id: cells.text("trade_id"),
      symbol: cells.text("instrument_name"),
      book,
      side: cells.oneOf("side", { B: "B", S: "S" } as const),
      quantity: cells.number("quantity"),
      price: cells.number("price"),
      time: cells.time("trade_timestamp"),
      file: cells.text("source_file"),
      line: 1,
    };
  },
  positions: (cells, { book }) => {
    const quantity = cells.number("position_quantity");
    const average = cells.number("avg_cost");
    return {
      kind: "position",
      symbol: cells.text("instrument_name"),
      book,
      quantity,
      averagePrice: quantity === "0" ? null : average,
      realized: cells.number("total_realized_pnl"),
      unrealized: cells.number("unrealized_pnl"),
      mark: cells.isNull("last_market_price") ? null : cells.number("last_market_price"),
      asOf: cells.time("last_updated"),
    };
  },
  eod_pnl: (cells, { book }) => {
    cells.number("total_pnl");
    return {
      kind: "daily_pnl",
      tradingDay: cells.day("trade_date"),
      symbol: cells.text("instrument_name"),
      book,
      quantity: cells.number("closing_position"),
      realized: cells.number("realized_pnl"),
      unrealized: cells.number("unrealized_pnl"),
    };
  },
  market_prices: (cells) => {
    cells.number("px_settle");
    return {
      kind: "price",
      symbol: cells.text("bloomberg"),
      mark: cells.number("px_last"),
      markKind: "last_trade",
      tradingDay: cells.day("upload_date"),
      at: cells.time("upload_timestamp"),
      source: cells.text("source_file"),
    };
  },
  cto_trades: (cells, { book }) => {
    const side = cells.oneOf("Action", { BUY: "B", SELL: "S" } as const);
    const quantity = cells.number("Quantity");
    if (quantity.startsWith("-") !== (side === "S"))
      throw new ReadingRefused("NOT_A_TRADE", `Action says ${side}, and Quantity says ${quantity}`);
    return {
      kind: "trade",
      id: cells.text("tradeID"),
      symbol: cells.text("Symbol"),
      book,
      side,
      quantity: quantity.replace(/^-/, ""),
      price: cells.number("Price"),
      fee: cells.isNull("Fees") ? "0" : cells.number("Fees"),
      time: wallTime(`${cells.day("Date")} ${cells.text("Time")}`, "Date and Time hold"),
      file: cells.text("source_file"),
      line: 1,
    };
  },
};

function wallTime(text: string, what: string): string {
  const read = readInstant(text);
  if (read === undefined)
    throw new ReadingRefused("BAD_TIME", `${what} ${JSON.stringify(text)}, which is not a time`);
  if (read.reading !== "unique")
    throw new ReadingRefused(
      read.reading === "ambiguous" ? "AMBIGUOUS_IN_LEGACY" : "BAD_TIME",
      `${what} ${text}, which ${read.reading === "ambiguous" ? "occurs twice" : "does not occur"} in Chicago`,
    );
  return formatInstant(read.instantUs);
}

/** Reads the cells of one row, and refuses a cell whose value its column must not hold. */
class Cells {
  readonly #cells: LegacyRow["cells"];

  constructor({ cells }: LegacyRow) {
    this.#cells = cells;
  }

  isNull(column: string): boolean {
    return this.#cells[column] === null;
  }

  text(column: string): string {
    const text = this.#cells[column];
    if (typeof text !== "string") throw this.#refusal("BAD_TEXT", column, "text");
    if (text.includes("\ufffd"))
      throw new ReadingRefused("BAD_TEXT", `${column} holds U+FFFD, or bytes that are not UTF-8`);
    return text;
  }

  oneOf<Value extends string>(column: string, values: Readonly<Record<string, Value>>): Value {
    const value = Object.entries(values).find(([text]) => text === this.text(column));
    if (value === undefined) throw this.#refusal("BAD_TEXT", column, Object.keys(values).join(" or "));
    return value[1];
  }

  /** Returns the shortest decimal text that reads back as the stored number. */
  number(column: string): string {
    const cell = this.#cells[column];
    const digits = typeof cell === "object" && cell?.type === "integer" ? cell.value : cell;
    const isNumber = typeof cell === "number" || digits !== cell;
    const value = isNumber ? canonicalDecimal(String(digits)) : undefined;
    if (value === undefined) throw this.#refusal("BAD_NUMBER", column, "a finite number");
    return value;
  }

  day(column: string): string {
    const day = this.#cells[column];
    if (typeof day !== "string" || parseDay(day) === undefined)
      throw this.#refusal("BAD_TIME", column, "a day such as 2025-07-24, as text");
    return day;
  }

  /** Returns the instant of a Chicago wall time. */
  time(column: string): string {
    const time = this.#cells[column];
    if (typeof time !== "string") throw this.#refusal("BAD_TIME", column, "a time, as text");
    return wallTime(time, `${column} holds`);
  }

  #refusal(code: string, column: string, wants: string): Error {
    const cell = this.#cells[column] ?? null;
    const type = typeof cell === "string" ? "text" : typeof cell === "number" ? "number" : cell?.type;
    const found = cell === null ? "NULL" : `the ${type} ${JSON.stringify(plainValue(cell))}`;
    return new ReadingRefused(code, `${column} holds ${found}; it must hold ${wants}`);
  }
}
