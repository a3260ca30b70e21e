/** The part of a screen that a request asks for. */
import { BridgeError } from "../../base/errors.ts";
import { fingerprint } from "../../base/fingerprint.ts";
import { readInstant } from "../../domain/market/chicago-time.ts";
import { formatDay, type TradingDayRuleName, tradingDayRules } from "../../domain/market/trading-day.ts";
import { type Panel, panels, type Screen } from "./screen.ts";

export interface DashboardRequest {
  /** Default `screen`: all panels, of one source, one epoch and one as-of. */
  readonly view?: "screen" | Panel;
  readonly user?: string;
  readonly book?: string;
  /** A trading day, YYYY-MM-DD: only its daily row and trades, and the chart up to it. Default: all days. */
  readonly date?: string;
  /**
   * The largest number of rows in a list. Default 500, but 10,000 for positions, because a page shows all of
   * them.
   */
  readonly limit?: number;
  /** The `cursor` of the last answer, for the next rows of a view that is one list. */
  readonly cursor?: string;
  /** Whether the answer also contains the other system's values and the differences between both. */
  readonly beside?: boolean;
}

export type DashboardValue = Partial<Omit<Screen, "unavailable" | "uncompared">> & {
  /** Why a panel or a figure is null, by its path. */
  readonly unavailable: Readonly<Record<string, string>>;
  /** The cursor for the next rows; absent if there are none. */
  readonly cursor?: string;
};

const rowsDefault = 500;
const positionsDefault = 10_000;

/** The conditions under which a system made a screen. */
interface Made {
  readonly dayRule: TradingDayRuleName;
  /** The largest number of trades that it was asked for. */
  readonly tradesAsked: number;
}

/**
 * Returns how many of the newest trades a request needs. A request for one day needs all of them, because
 * that day's trades may be anywhere in the list. Throws BAD_USAGE for an unknown cursor.
 */
export function reachOf(request: DashboardRequest): number {
  const { limit = rowsDefault, cursor, date } = request;
  if (!panelsOf(request).includes("trades")) return 0;
  if (date !== undefined) return Number.POSITIVE_INFINITY;
  return (cursor === undefined ? 0 : placeOf(cursor).offset) + limit;
}

export const panelsOf = ({ view = "screen" }: DashboardRequest): readonly Panel[] =>
  view === "screen" ? panels : [view];

/** The panels of a view with their rows, and the number of rows at which a list was cut. */
export function viewOf(
  request: DashboardRequest,
  screen: Screen,
  { dayRule, tradesAsked }: Made,
): DashboardValue & { readonly cut: number | undefined } {
  const { date, cursor } = request;
  const wanted = panelsOf(request);
  const ofDay = date === undefined ? screen : screenOfDay(screen, date, dayRule);
  const value: Record<string, unknown> = {};
  let cut: number | undefined;
  let next: string | undefined;
  for (const panel of wanted) {
    const list = ofDay[panel];
    const limit = request.limit ?? (panel === "positions" ? positionsDefault : rowsDefault);
    if (list === null || !isList(list)) {
      value[panel] = list;
      continue;
    }
    if (panel === "trades" && mayLackTrades(screen, date, { dayRule, tradesAsked })) cut ??= tradesAsked;
    // The newest points of the chart are at its end.
    const rows: readonly unknown[] = panel === "chart" ? list.toReversed() : list;
    const from = cursor === undefined || wanted.length > 1 ? 0 : startAfter(rows, cursor);
    const shown = rows.slice(from, from + limit);
    value[panel] = panel === "chart" ? shown.toReversed() : shown;
    if (from + limit >= rows.length) continue;
    cut = limit;
    if (wanted.length === 1) next = cursorAt(from + limit, shown.at(-1));
  }
  const unavailable = Object.fromEntries(
    Object.entries(ofDay.unavailable).filter(([path]) => wanted.some((panel) => path.startsWith(panel))),
  );
  return { ...value, unavailable, ...(next !== undefined && { cursor: next }), cut };
}

const isList = (rows: NonNullable<Screen[Panel]>): rows is NonNullable<Screen[Exclude<Panel, "summary">]> =>
  Array.isArray(rows);

/**
 * Limits a screen to one trading day, and its chart to the days up to it. Positions and the sums of all days
 * are known only as of now.
 */
function screenOfDay(screen: Screen, date: string, dayRule: TradingDayRuleName): Screen {
  const why = "it is known as of now only: leave the date out";
  const hasDays = dayRule !== "file-name";
  const daily = screen.daily?.filter((row) => row.tradingDay === date) ?? null;
  const totals = Object.fromEntries(
    (daily ?? []).map(({ tradingDay: _, currency, ...money }) => [currency, money]),
  );
  return {
    ...screen,
    summary: daily && { totals: {}, day: { tradingDay: date, totals }, openPositions: null },
    positions: null,
    daily,
    trades: (hasDays && screen.trades?.filter(({ time }) => dayOf(time, dayRule) === date)) || null,
    chart: screen.chart?.filter(({ tradingDay }) => tradingDay <= date) ?? null,
    unavailable: {
      ...screen.unavailable,
      positions: why,
      "summary.totals": why,
      "summary.openPositions": why,
      ...(!hasDays && { trades: `the rule ${dayRule} does not give the day of a trade by its time` }),
    },
  };
}

/** The trading day of a time; undefined if it is not known. */
function dayOf(time: string | null, dayRule: TradingDayRuleName): string | undefined {
  const instant = time === null ? undefined : readInstant(time);
  const day = instant && tradingDayRules[dayRule].dayOf(instant.wallUs, undefined);
  return day === undefined ? undefined : formatDay(day);
}

/** Whether a system may have more trades of a request than its list shows. */
function mayLackTrades(
  { trades }: Screen,
  date: string | undefined,
  { dayRule, tradesAsked }: Made,
): boolean {
  if (trades === null || trades.length < tradesAsked) return false;
  const last = dayOf(trades.at(-1)?.time ?? null, dayRule);
  return date === undefined || last === undefined || last >= date;
}

const cursorAt = (offset: number, last: unknown): string => `${offset}-${fingerprint(JSON.stringify(last))}`;

/** Returns the place that a cursor names. Throws BAD_USAGE for any other text. */
function placeOf(cursor: string): { readonly offset: number; readonly row: string } {
  const [, offset = "", row = ""] = /^(\d{1,6})-([0-9a-f]{16})$/.exec(cursor) ?? [];
  if (row === "") throw unknownCursor();
  return { offset: Number(offset), row };
}

/**
 * Returns the place after the cursor's row, even if newer rows precede it. Throws BAD_USAGE if it is gone.
 */
function startAfter(rows: readonly unknown[], cursor: string): number {
  const { offset, row } = placeOf(cursor);
  const isRow = (at: number): boolean => fingerprint(JSON.stringify(rows[at])) === row;
  if (offset > 0 && offset <= rows.length && isRow(offset - 1)) return offset;
  const found = rows.findIndex((_, at) => isRow(at));
  if (found < 0) throw unknownCursor();
  return found + 1;
}

const unknownCursor = (): BridgeError =>
  new BridgeError("BAD_USAGE", {
    what: "the cursor names no row of this list, which may have changed",
    fix: "ask again without a cursor",
  });
