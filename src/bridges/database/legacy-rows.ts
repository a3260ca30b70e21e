import { canonicalDecimal, sum } from "../../base/decimal.ts";
import { type Fraction, parseFigure } from "../../base/fraction.ts";
import { nearestDouble, nearestQuotient } from "../../base/nearest-double.ts";
import { present } from "../../base/present.ts";
import { Refused } from "../../base/refused.ts";
import {
  dayUs,
  formatDay,
  instantOfWall,
  readInstant,
  wallReading,
} from "../../domain/market/chicago-time.ts";
import type { RowChange } from "../../ports/record-store.ts";
import type { RecordKind } from "../../ports/records.ts";
import type { Row } from "./record-intake.ts";

/** The reasons why legacy's tables cannot hold a row. */
export type LegacyRefusalCode = "NOT_REPRESENTABLE" | "AMBIGUOUS_IN_LEGACY";

type Down = (row: Row) => RowChange;

const LegacyRefused = Refused<LegacyRefusalCode>;

/**
 * Maps a canonical row to legacy's tables. Money becomes points, times become Chicago wall time. Quantities
 * and prices must survive as doubles: a value whose double has another decimal text is refused. Averages and
 * P&L become the nearest double, as in legacy. Book, fee, line and kind of mark do not exist in legacy. A
 * position or a day without a mark gets the unrealized P&L 0, as legacy itself writes it.
 */
export function toLegacy(
  row: Row,
): { readonly change: RowChange } | { readonly code: LegacyRefusalCode; readonly because: string } {
  try {
    const change = downs[row.kind](row);
    return { change: row.does === "trade_removal" ? { ...change, set: null } : change };
  } catch (failure) {
    if (failure instanceof LegacyRefused) return failure.refusal;
    throw failure;
  }
}

/** Returns the claim on the row of legacy that a change writes, as text. */
export const claimOf = ({ table, key }: RowChange): string => JSON.stringify([table, ...Object.values(key)]);

const downs: Readonly<Record<RecordKind, Down>> = {
  trade: (row) => ({
    table: "processed_trades",
    key: { trade_id: text(row, "trade_id"), source_file: text(row, "source_file") },
    set: {
      instrument_name: text(row, "symbol"),
      trade_date:
        dayInName(text(row, "source_file")) ?? formatDay(Math.floor(moment(row, "traded_at").wallUs / dayUs)),
      trade_timestamp: wallTime(row, "traded_at"),
      quantity: exact(row, "quantity"),
      price: exact(row, "price"),
      side: text(row, "side"),
    },
    initial: {},
  }),
  position: (row) => {
    const key = { instrument_name: text(row, "symbol") };
    if (text(row, "quantity") === "0") return { table: "positions", key, set: null, initial: {} };
    return {
      table: "positions",
      key,
      set: {
        position_quantity: exact(row, "quantity"),
        avg_cost: finite(nearestDouble(figure(row, "average_price"))),
        total_realized_pnl: points(row, "realized"),
        unrealized_pnl: points(row, "unrealized"),
        last_market_price: row.values.mark === null ? null : exact(row, "mark"),
        last_updated: wallTime(row, "as_of"),
      },
      initial: {},
    };
  },
  price: (row) => ({
    table: "market_prices",
    key: { bloomberg: text(row, "symbol"), upload_timestamp: wallTime(row, "at") },
    set: { px_settle: exact(row, "price"), px_last: exact(row, "price") },
    initial: {
      asset_type: text(row, "instrument").includes("-") ? "OPTION" : "FUTURE",
      upload_date: wallTime(row, "at").slice(0, 10),
      upload_hour: Number(wallTime(row, "at").slice(11, 13)),
      source_file: text(row, "source"),
    },
  }),
  daily_pnl: (row) => ({
    table: "eod_pnl",
    key: { trade_date: text(row, "trading_day"), instrument_name: text(row, "symbol") },
    set: {
      closing_position: exact(row, "quantity"),
      realized_pnl: points(row, "realized"),
      unrealized_pnl: points(row, "unrealized"),
      total_pnl: finite(
        nearestQuotient(sum(row.values.realized ?? "0", row.values.unrealized ?? "0"), row.multiplier),
      ),
    },
    initial: { opening_position: 0, trades_count: 0 },
  }),
};

const text = (row: Row, column: string): string =>
  present(row.values[column] ?? undefined, `a row has ${column}`);

/** Returns a figure of the row; 0 if it has none. */
const figure = (row: Row, column: string): Fraction =>
  present(parseFigure(row.values[column] ?? "0"), "a canonical figure is a number");

const points = (row: Row, column: string): number =>
  finite(nearestQuotient(row.values[column] ?? "0", row.multiplier));

/** Returns the double of a value that legacy must hold exactly. */
function exact(row: Row, column: string): number {
  const value = text(row, column);
  const double = Number(value);
  const printed = String(double);
  if (printed !== value && canonicalDecimal(printed) !== value)
    throw new LegacyRefused(
      "NOT_REPRESENTABLE",
      `legacy keeps ${column} as a double, which cannot hold ${value}`,
    );
  return double;
}

function finite(double: number): number {
  if (!Number.isFinite(double))
    throw new LegacyRefused("NOT_REPRESENTABLE", "a figure is beyond the range of legacy's doubles");
  return double;
}

const moment = (row: Row, column: string) =>
  present(readInstant(text(row, column)), "a canonical time is a time");

/**
 * Returns Chicago wall time as legacy writes it: `2025-07-24 13:08:35.561`. Refuses a time that occurs twice.
 */
function wallTime(row: Row, column: string): string {
  const { instantUs, wallUs } = moment(row, column);
  const written = text(row, column).slice(0, -"-05:00".length).replace("T", " ");
  if (instantOfWall(wallUs) !== instantUs || wallReading(wallUs) === "ambiguous")
    throw new LegacyRefused(
      "AMBIGUOUS_IN_LEGACY",
      `legacy keeps ${column} as Chicago wall time, and ${written} occurs twice`,
    );
  return written;
}

/** Returns the day in a ledger's name, such as `trades_20250724.csv`. */
function dayInName(name: string): string | undefined {
  const [, year, month, date] = /(\d{4})(\d{2})(\d{2})/.exec(name) ?? [];
  return year === undefined ? undefined : `${year}-${month}-${date}`;
}
