/**
 * Makes a screen from the controller of one of the desk's own two dashboards. The bridge gets the numbers
 * from the methods listed here, and calls no others: a controller also has methods that start watchers and
 * rebuild the database. Figures with a known defect are not taken over; `unavailable` names the defect.
 */
import type { JsonValue } from "../../base/exact-json.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import { isRow, isZeroText, type Row } from "./figures.ts";
import type { DayRow, Money, PositionRow, Screen, ScreenRequest, Summary, TradeRow } from "./screen.ts";
import { type Ask, type CurrencyOf, ScreenReader, textOf } from "./service-screen.ts";

/** For each controller, the only methods that the bridge calls. */
export const controllerReads = {
  v1: ["get_summary_stats", "get_position_summary", "get_daily_pnl_summary", "get_trade_history"],
  v2: ["get_summary_metrics", "get_positions_data", "get_daily_pnl_data", "get_trades_data"],
} as const;
export type Controller = keyof typeof controllerReads;
type Read = (typeof controllerReads)[Controller][number];

/** The currency of the sums, which both pages print with a dollar sign. */
const currency = "USD";

/**
 * The controller's own names of the panels and fields. A name that begins with `defect:` marks a field that
 * is not taken over, for the reason that follows.
 */
interface Layout {
  /** The key that holds the rows of a list; "" for the answer itself. */
  readonly list: string;
  readonly summary: { readonly [Name in keyof Money | "openPositions"]: string };
  readonly positions: Readonly<Record<"symbol" | "quantity" | "averagePrice" | "mark" | keyof Money, string>>;
  readonly daily: Readonly<Record<"tradingDay" | keyof Money, string>>;
  readonly trades: Readonly<Record<"id" | "symbol" | "side" | "quantity" | "price", string>>;
  readonly timeOf: (row: Row) => string | null;
}

const layouts: Readonly<Record<Controller, Layout>> = {
  v1: {
    list: "",
    summary: {
      realized: "total_realized",
      unrealized: "total_unrealized",
      total: "total_pnl",
      openPositions: "position_count",
    },
    positions: {
      symbol: "instrument",
      quantity: "net_position",
      averagePrice: "defect:the desk shows the average price of the day, not the cost of the open lots",
      mark: "last_price",
      realized: "realized_pnl",
      unrealized: "unrealized_pnl",
      total: "total_pnl",
    },
    daily: {
      tradingDay: "date",
      realized: "realized_pnl",
      unrealized: "unrealized_pnl",
      total: "defect:the desk adds the level of the unrealized P&L, not its change",
    },
    trades: { id: "trade_id", symbol: "instrument", side: "side", quantity: "quantity", price: "price" },
    timeOf: ({ timestamp }) => textOf(timestamp),
  },
  v2: {
    list: "data",
    summary: {
      realized: "defect:the desk shows the all-time realized P&L as today's, and 0 as the all-time one",
      unrealized: "total_unrealized_pnl",
      total: "defect:the desk's total lacks the realized P&L",
      openPositions: "open_positions",
    },
    positions: {
      symbol: "Instrument",
      quantity: "Position",
      averagePrice: "Avg Price",
      mark: "Last Price",
      realized: "Realized P&L",
      unrealized: "Unrealized P&L",
      total: "Total P&L",
    },
    daily: {
      tradingDay: "Date",
      realized: "Daily Realized Δ",
      unrealized: "EOD Unrealized",
      total: "defect:the desk shows the two parts of the day, not their sum",
    },
    trades: {
      id: "defect:the desk's trade ledger shows no trade id",
      symbol: "Symbol",
      side: "Type",
      quantity: "Quantity",
      price: "Price",
    },
    timeOf: ({ Date: date, Time: time }) => (textOf(date) && textOf(time) ? `${date} ${time}` : null),
  },
};

/**
 * Reads one controller. Rejects with GARBLED for an answer of another shape, such as `{}` after a failure.
 */
export async function controllerScreen(
  ask: Ask<string>,
  { trades: limit }: Pick<ScreenRequest, "trades">,
  { controller, currencyOf }: { readonly controller: Controller; readonly currencyOf: CurrencyOf },
): Promise<Screen> {
  const read = new ScreenReader();
  const layout = layouts[controller];
  const [cards, open, days, history]: readonly Read[] = controllerReads[controller];
  const [summary, positions, daily, trades] = await Promise.all([
    ask(String(cards), {}),
    ask(String(open), {}),
    ask(String(days), {}),
    ask(String(history), { limit }),
  ]);
  const rowsOf = (answer: JsonValue, panel: string): readonly Row[] =>
    read.rows(layout.list === "" ? answer : isRow(answer) ? answer[layout.list] : null, panel) ?? [];
  const positionRows = rowsOf(positions, "positions").map((row): PositionRow => {
    const symbol = textOf(row[layout.positions.symbol]) ?? "";
    const figures = figuresOf(read, `positions[${symbol}]`, { row, names: layout.positions });
    const isFlat = isZeroText(figures.quantity);
    return {
      ...figures,
      symbol,
      currency: currencyOf(symbol) ?? null,
      averagePrice: isFlat ? null : figures.averagePrice,
      markAt: null,
    };
  });
  const result: Screen = {
    summary: summaryOf(read, summary, layout.summary),
    positions: positionRows.filter(({ quantity }) => !isZeroText(quantity)),
    daily: rowsOf(daily, "daily")
      .map((row): DayRow => {
        const tradingDay = textOf(row[layout.daily.tradingDay])?.slice(0, 10) ?? "";
        return {
          ...figuresOf(read, `daily[${tradingDay}]`, { row, names: layout.daily }),
          tradingDay,
          currency,
        };
      })
      .sort((a, b) => (a.tradingDay < b.tradingDay ? 1 : -1)),
    // The desk's table begins each file with a row that holds the file's name.
    trades: rowsOf(trades, "trades")
      .filter((row) => row.is_header !== true)
      .map((row): TradeRow => {
        const { id, symbol, side } = layout.trades;
        const figures = figuresOf(read, `trades[${textOf(row[id])}]`, { row, names: layout.trades });
        const letter = /^(B|S)(?:UY|ELL)?$/i.exec(textOf(row[side]) ?? "")?.[1]?.toUpperCase();
        const time = layout.timeOf(row)?.replace(" ", "T") ?? null;
        return {
          ...figures,
          id: textOf(row[id]),
          symbol: textOf(row[symbol]) ?? "",
          side: letter ?? "",
          time,
        };
      })
      .sort((a, b) => ((a.time ?? "") < (b.time ?? "") ? 1 : -1)),
    chart: null,
    unavailable: read.unavailable,
    ...(layout.trades.id.startsWith(defect) && { uncompared: ["trades"] }),
  };
  read.unavailable.chart = "the desk adds up daily totals that are not P&L of the day";
  return result;
}

const defect = "defect:";

/** Returns the figures of a row by the names of a layout. Texts are null; the caller sets them. */
function figuresOf<Name extends string>(
  read: ScreenReader,
  path: string,
  { row, names }: { readonly row: Row; readonly names: Readonly<Record<Name, string>> },
): Record<Name, string | null> {
  const figures: Partial<Record<string, string | null>> = {};
  for (const [field, name] of Object.entries<string>(names)) {
    const isDefect = name.startsWith(defect);
    if (isDefect) read.unavailable[`${path}.${field}`] = name.slice(defect.length);
    figures[field] = isDefect || texts.has(field) ? null : read.figure(`${path}.${field}`, row[name]);
  }
  return figures as Record<Name, string | null>;
}

const texts: ReadonlySet<string> = new Set(["symbol", "side", "id", "tradingDay"]);

function summaryOf(
  read: ScreenReader,
  cards: JsonValue,
  { openPositions, ...names }: Layout["summary"],
): Summary {
  if (!isRow(cards) || Object.keys(cards).length === 0)
    throw new SystemFailure(
      "GARBLED",
      "the desk's dashboard answered without cards, as it does after a failure of its own",
    );
  return {
    totals: { [currency]: figuresOf(read, `summary.totals.${currency}`, { row: cards, names }) },
    day: null,
    ...figuresOf(read, "summary", { row: cards, names: { openPositions } }),
  };
}
