import { parseDecimal } from "../../base/decimal.ts";
import {
  add,
  type Fraction,
  formatFraction,
  fraction,
  multiply,
  parseFigure,
  zero,
} from "../../base/fraction.ts";
import { type LazyList, lazyMap } from "../../base/lazy-list.ts";
import { formatPrice } from "../../domain/market/price-notation.ts";
import type { ColumnKind, DailyReport, ReportColumn, ReportSheet, ReportValue } from "./report.ts";

/** The figures of a day, as the engine computed them. Numbers are decimal text or `p/q`. */
export interface DailyFigures {
  readonly positions: readonly ReportedPosition[];
  /** Every trade up to the day, in order of time. */
  readonly trades: LazyList<ReportedTrade>;
  /** The sum of the realized P&L of all trades. */
  readonly realizedTotal: string;
  /** The P&L of the day, of all symbols. */
  readonly dailyTotal: string;
}

export type InstrumentType = "FUT" | "CALL" | "PUT";

/** An open position. */
interface ReportedPosition {
  readonly symbol: string;
  readonly type: InstrumentType;
  readonly quantity: string;
  readonly closedQuantity: string;
  readonly averagePrice: string | null;
  readonly priorMark: string | null;
  readonly mark: string | null;
  /** Whether the mark is a close or settlement price, and not a trade or a quote. */
  readonly isClose: boolean;
  readonly multiplier: string;
  readonly realized: string;
  readonly unrealized: string | null;
  readonly daily: string | null;
  readonly lots: readonly { readonly quantity: string; readonly price: string }[];
}

export interface ReportedTrade {
  readonly id: string;
  /** Wall-clock time of the desk, `YYYY-MM-DD HH:MM:SS`. */
  readonly time: string;
  readonly symbol: string;
  readonly side: "BUY" | "SELL";
  readonly quantity: string;
  readonly price: string;
  readonly fee: string;
  readonly type: InstrumentType;
  readonly realized: string;
}

/** Builds the report of a day from its figures. */
export const dailyReport = (figures: DailyFigures, facts: Omit<DailyReport, "sheets">): DailyReport => ({
  ...facts,
  sheets: [summary(figures), positions(figures), trades(figures), riskMatrix(figures), breakdown(figures)],
});

const columns = (kinds: Readonly<Record<string, ColumnKind>>): readonly ReportColumn[] =>
  Object.entries(kinds).map(([name, kind]) => ({ name, kind }));

const positionColumns = columns({
  Symbol: "text",
  Type: "text",
  Net_Quantity: "quantity",
  Closed_Quantity: "quantity",
  Avg_Entry_Price: "price",
  Avg_Entry_Price_32nds: "text",
  Prior_Close: "price",
  Current_Price: "price",
  Prior_Present_Value: "money",
  Current_Present_Value: "money",
  Unrealized_PNL: "money",
  Unrealized_PNL_Current: "money",
  Unrealized_PNL_Flash: "money",
  Unrealized_PNL_Close: "money",
  Realized_PNL: "money",
  Daily_PNL: "money",
  Total_PNL: "money",
});

const tradeColumns = columns({
  Trade_ID: "text",
  DateTime: "text",
  Symbol: "text",
  Action: "text",
  Quantity: "quantity",
  Price_Decimal: "price",
  Price_32nds: "text",
  Fees: "money",
  Type: "text",
  Realized_PNL: "money",
  Counterparty: "text",
});

/** A formula over a whole column: its text does not change with the number of rows. */
const overColumn = (name: "SUM" | "COUNT", sheet: string, column: string): string => {
  const all = sheet === "Trades" ? tradeColumns : positionColumns;
  const letter = String.fromCharCode(65 + all.findIndex((one) => one.name === column));
  return `${name}(${sheet}!${letter}:${letter})`;
};

function summary({ positions: open, trades: all, realizedTotal, dailyTotal }: DailyFigures): ReportSheet {
  const unrealized = total(open.map((one) => one.unrealized ?? "0"));
  const counted = (sheet: string, column: string, count: number): ReportValue => ({
    formula: overColumn("COUNT", sheet, column),
    result: String(count),
    kind: "count",
  });
  const rows: readonly (readonly ReportValue[])[] = [
    [
      "Total PNL",
      { formula: "SUM(B4:B5)", result: text(add(number(realizedTotal), unrealized)) },
      "Realized + Unrealized",
    ],
    ["Daily PNL", dailyTotal, "P&L of the day"],
    [
      "Realized PNL",
      { formula: overColumn("SUM", "Trades", "Realized_PNL"), result: realizedTotal },
      "All trades",
    ],
    [
      "Unrealized PNL",
      { formula: overColumn("SUM", "Positions", "Unrealized_PNL"), result: text(unrealized) },
      "Open positions",
    ],
    ["Active Positions", counted("Positions", "Net_Quantity", open.length), "Open positions"],
    ["Total Trades", counted("Trades", "Quantity", all.length), "All trades"],
  ];
  return { name: "Summary", columns: columns({ Metric: "text", Value: "money", Details: "text" }), rows };
}

const positions = ({ positions: open }: DailyFigures): ReportSheet => ({
  name: "Positions",
  columns: positionColumns,
  rows: open.map((one) => {
    const { symbol, type, quantity, closedQuantity, averagePrice, priorMark, mark, unrealized, realized } =
      one;
    const worth = (price: string | null): string | null =>
      price === null
        ? null
        : text(multiply(multiply(number(price), number(quantity)), number(one.multiplier)));
    const whole = unrealized === null ? null : text(add(number(realized), number(unrealized)));
    return [
      ...[symbol, type, quantity, closedQuantity, averagePrice, in32nds(averagePrice)],
      ...[priorMark, mark, worth(priorMark), worth(mark)],
      ...[unrealized, unrealized, null, one.isClose ? unrealized : null],
      ...[realized, one.daily, whole],
    ];
  }),
});

function trades({ trades: all }: DailyFigures): ReportSheet {
  // Many trades have the same price.
  const written = new Map<string, string | null>();
  const known = (price: string): string | null => {
    const text = written.get(price) ?? in32nds(price);
    written.set(price, text);
    return text;
  };
  return {
    name: "Trades",
    columns: tradeColumns,
    rows: lazyMap(all, ({ id, time, symbol, side, quantity, price, fee, type, realized }) => [
      ...[id, time, symbol, side, quantity, price, known(price), fee, type, realized, ""],
    ]),
  };
}

const steps = Array.from({ length: 13 }, (_, at) => fraction(BigInt(at - 6), 2n));

/**
 * The P&L of each position if its price moved by each of `steps`, in points. It is exact for futures, with or
 * without a mark. An option's price does not move with the points of its underlying, so its figures are not
 * available.
 */
const riskMatrix = ({ positions: open }: DailyFigures): ReportSheet => ({
  name: "Risk_Matrix",
  columns: columns({
    Position_ID: "text",
    TYU5_Price: "price",
    TYU5_Price_32nds: "text",
    Price_Change: "price",
    Scenario_PNL: "money",
  }),
  rows: steps.flatMap((step) =>
    open.map(({ symbol, type, quantity, mark, multiplier }): readonly ReportValue[] => {
      const isFuture = type === "FUT";
      const price = isFuture && mark !== null ? text(add(number(mark), step)) : null;
      const moved = isFuture ? text(multiply(multiply(step, number(quantity)), number(multiplier))) : null;
      return [positionId(symbol, 0), price, in32nds(price), text(step), moved];
    }),
  ),
});

const positionId = (symbol: string, at: number): string => `POS_${symbol}_${String(at + 1).padStart(3, "0")}`;

const breakdown = ({ positions: open }: DailyFigures): ReportSheet => ({
  name: "Position_Breakdown",
  columns: columns({
    Symbol: "text",
    Label: "text",
    Description: "text",
    Quantity: "quantity",
    Price: "price",
    Daily_PNL: "money",
    Type: "text",
    Inception_PNL: "money",
    Notes: "text",
  }),
  rows: open.flatMap(({ symbol, type, quantity, averagePrice, daily, realized, unrealized, lots }) => {
    const inception = unrealized === null ? null : text(add(number(realized), number(unrealized)));
    return [
      [
        symbol,
        "SUMMARY",
        "SUMMARY",
        quantity,
        averagePrice,
        daily,
        type,
        inception,
        `${lots.length} open lots`,
      ],
      ...lots.map((lot, at): readonly ReportValue[] => [
        ...[symbol, "OPEN_POSITION", positionId(symbol, at), lot.quantity],
        { words: in32nds(lot.price) ?? lot.price },
        ...["", type, "", ""],
      ]),
    ];
  }),
});

/** The price in points and 32nds, exactly; null if it has no such text. */
function in32nds(price: string | null): string | null {
  const decimal = price === null ? undefined : parseDecimal(price);
  return (decimal && formatPrice(decimal, "futures-32nds-decimal")) ?? null;
}

const number = (figure: string): Fraction => parseFigure(figure) ?? zero;
const text = (value: Fraction): string => formatFraction(value).text;
function total(figures: Iterable<string>): Fraction {
  let sum = zero;
  for (const figure of figures) sum = add(sum, number(figure));
  return sum;
}
