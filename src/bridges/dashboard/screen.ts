/** The screen that one system shows on a dashboard, and the part of it that is compared. */
import { type AnswerOptions, notComparable } from "../../comparison/index.ts";
import { isZeroText, isZeroToTheCent, sumOf } from "./figures.ts";

/** Money as exact text; null if it is not available. */
export interface Money {
  readonly realized: string | null;
  readonly unrealized: string | null;
  readonly total: string | null;
}

export interface Summary {
  /** By currency. */
  readonly totals: Readonly<Record<string, Money>>;
  /** The last trading day that has figures. */
  readonly day: { readonly tradingDay: string; readonly totals: Readonly<Record<string, Money>> } | null;
  /** The number of open positions. */
  readonly openPositions: string | null;
}

export interface PositionRow extends Money {
  readonly book?: string;
  readonly symbol: string;
  readonly currency: string | null;
  readonly quantity: string | null;
  readonly averagePrice: string | null;
  readonly mark: string | null;
  /** The time of the mark, ISO 8601; null if the system does not report it. */
  readonly markAt: string | null;
}

export interface DayRow extends Money {
  readonly tradingDay: string;
  readonly currency: string;
}

export interface TradeRow {
  readonly id: string | null;
  readonly time: string | null;
  readonly symbol: string;
  readonly book?: string;
  readonly side: string;
  readonly quantity: string | null;
  readonly price: string | null;
}

export interface ChartPoint {
  readonly tradingDay: string;
  readonly currency: string;
  readonly total: string | null;
  readonly cumulative: string | null;
}

export const panels = ["summary", "positions", "daily", "trades", "chart"] as const;
export type Panel = (typeof panels)[number];

/** All panels; a panel that the system cannot show is null. */
export interface Screen {
  readonly summary: Summary | null;
  /** In the order of the system. */
  readonly positions: readonly PositionRow[] | null;
  /** Newest first. */
  readonly daily: readonly DayRow[] | null;
  /** Newest first. */
  readonly trades: readonly TradeRow[] | null;
  /** Oldest first. */
  readonly chart: readonly ChartPoint[] | null;
  /** Why a panel (`daily`) or a figure (`summary.totals.USD.total`) is null. */
  readonly unavailable: Readonly<Record<string, string>>;
  /** Panels that are shown and never compared, because of a known defect or because they are of all books. */
  readonly uncompared?: readonly Panel[];
}

/** A request for a screen. Both systems get the same one, with the same as-of, method and marks. */
export interface ScreenRequest {
  readonly book?: string;
  /** ISO 8601. */
  readonly asOf: string;
  /** The largest number of trades that are asked for. */
  readonly trades: number;
  readonly method?: string;
  readonly marks?: Readonly<Record<string, string>>;
}

/** A screen without any figure, with one reason for all of them. */
export const emptyScreen = (why: string): Screen => ({
  summary: null,
  positions: null,
  daily: null,
  trades: null,
  chart: null,
  unavailable: Object.fromEntries(panels.map((panel) => [panel, why])),
});

const isZero = ({ realized, unrealized, total }: Money): boolean =>
  [realized, unrealized, total].every((figure) => figure === null || isZeroText(figure));
const isNothing = (rows: readonly unknown[] | null): boolean => rows === null || rows.length === 0;

/** Whether a screen shows no row and no figure other than zero, as a dashboard may during an outage. */
export const isBlank = ({ summary, positions, daily, trades }: Screen): boolean =>
  isNothing(trades) &&
  isNothing(daily) &&
  (positions ?? []).every((row) => isZero(row) && (row.quantity === null || isZeroText(row.quantity))) &&
  Object.values(summary?.totals ?? {}).every(isZero);

/**
 * Returns why the panels of a screen cannot all be true: one is empty or zero although another one proves
 * trades. Returns undefined if the panels agree. `tradesAsked` is the number of trades that were asked for.
 */
export function contradictionIn(
  { summary, positions, daily, trades }: Screen,
  tradesAsked: number,
): string | undefined {
  const days = daily ?? [];
  const hasTrades = (trades ?? []).length > 0;
  if (hasTrades && daily?.length === 0) return "shows trades and no day with P&L";
  if (trades?.length === 0 && days.some((day) => !isZero(day))) return "shows days with P&L and no trades";
  for (const [field, rows, name] of [
    ["realized", days, "days"],
    ["unrealized", positions ?? [], "positions"],
  ] as const) {
    const totals = Object.values(summary?.totals ?? {});
    const sum = sumOf(rows.map((row) => row[field]));
    if (
      totals.length > 0 &&
      totals.every((total) => isZeroText(total[field])) &&
      !isZeroToTheCent(sum ?? "0")
    )
      return `shows totals of zero and ${name} that add up to ${field} P&L`;
  }
  if (positions?.length === 0 && trades !== null && trades.length < tradesAsked) {
    const open = [...Map.groupBy(trades, ({ symbol }) => symbol)].find(([, ofSymbol]) => {
      const signed = ofSymbol.map(({ side, quantity }) =>
        quantity === null || side === "B" ? quantity : `-${quantity}`,
      );
      const net = sumOf(signed);
      return net !== null && !isZeroText(net);
    });
    if (open !== undefined) return `shows no position and open trades in ${open[0]}`;
  }
  return undefined;
}

/**
 * Returns the compared part of a screen. Panels that are not available or have a known defect are not
 * comparable; neither are the trades of a list that may have been cut. The chart is not compared, because it
 * is computed from the days.
 */
export function comparedPart({ tradesAsked, ...screen }: Screen & { readonly tradesAsked: number }): unknown {
  const { summary, positions, daily, trades, uncompared = [] } = screen;
  const part = (panel: Panel, value: unknown): unknown =>
    value === null || uncompared.includes(panel) ? notComparable : value;
  const isCut = trades !== null && trades.length >= tradesAsked;
  return {
    summary: part("summary", summary && { totals: summary.totals, openPositions: summary.openPositions }),
    positions: part("positions", positions?.map(comparedPosition) ?? null),
    daily: part("daily", daily),
    trades: part("trades", isCut ? null : trades),
  };
}

const comparedPosition = ({ mark: _, markAt, currency, total, ...compared }: PositionRow) => compared;

/** The rules by which the compared parts of two screens are compared. */
export const comparison = {
  keys: {
    positions: ["book", "symbol"],
    daily: ["tradingDay", "currency"],
    // Trades are not paired by price, because the desk's own dashboard cuts prices to four decimals.
    trades: ["id", "symbol", "side", "quantity"],
  },
  kinds: { "trades[].time": "time", "summary.openPositions": "number" },
} as const satisfies Pick<AnswerOptions, "keys" | "kinds">;
