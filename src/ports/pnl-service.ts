/**
 * The P&L service: the methods of the desk's real service that callers depend on. Requests and answers are
 * plain JSON values; all prices, quantities and P&L are exact decimal text (or `p/q`), and P&L is money
 * before fees. `book` is present if the trades have one. docs/service-bridge.md shows an example of each
 * method.
 */
export interface PnlService {
  /** Returns the P&L of the trades in the request only. */
  calculatePnl(request: CalculatePnlRequest): Promise<CalculatePnlAnswer>;
  /** Returns the open positions of all trades that the system knows. */
  openPositions(request: OpenPositionsRequest): Promise<OpenPositionsAnswer>;
  /** Returns trades, newest first. */
  tradeHistory(request: TradeHistoryRequest): Promise<TradeHistoryAnswer>;
  /** Returns the P&L by trading day and symbol, oldest first. */
  dailyPnl(request: DailyPnlRequest): Promise<DailyPnlAnswer>;
  /** Returns the P&L added up by currency. */
  totals(request: TotalsRequest): Promise<TotalsAnswer>;
  /** Returns one position with its open lots. */
  positionDetail(request: PositionDetailRequest): Promise<PositionDetailAnswer>;
}

export const pnlMethods = [
  "calculatePnl",
  "openPositions",
  "tradeHistory",
  "dailyPnl",
  "totals",
  "positionDetail",
] as const;
export type PnlMethod = (typeof pnlMethods)[number];

const pinnedKeys = ["asOf", "method", "marks"] as const;
/**
 * The keys that a request of each method may have. The bridge sets the as-of and the method of every request,
 * and the marks where the method values the system's own positions.
 */
export const requestKeys = {
  calculatePnl: [...pinnedKeys, "trades", "instruments"],
  openPositions: [...pinnedKeys, "book", "symbol"],
  tradeHistory: [...pinnedKeys, "book", "symbol", "limit"],
  dailyPnl: [...pinnedKeys, "book", "symbol", "from", "to"],
  totals: [...pinnedKeys, "book", "symbol"],
  positionDetail: [...pinnedKeys, "book", "symbol"],
} as const satisfies Record<PnlMethod, readonly string[]>;

/** Whether the answers of a method have figures by instrument, whose differences can be explained. */
export const hasExplainableRows = (method: string): boolean => explainableMethods.has(method);
const explainableMethods: ReadonlySet<string> = new Set<PnlMethod>([
  "calculatePnl",
  "openPositions",
  "dailyPnl",
  "positionDetail",
]);

const position = ["book", "symbol", "quantity", "averagePrice", "realized", "unrealized"] as const;
const money = ["realized", "unrealized", "total"] as const;
/**
 * The fields of each method's answer that are compared, by the path that holds them, the method's rows first:
 * `[]` stands for the entries of a list, `*` for a currency, and an empty path for the answer itself.
 */
export const comparedFields = {
  calculatePnl: { "positions[]": position, "totals.*": money, "rejected[]": ["index"] },
  openPositions: { "positions[]": position },
  tradeHistory: {
    "trades[]": ["id", "book", "symbol", "side", "quantity", "price", "time"],
    "": ["newestFirst"],
  },
  dailyPnl: { "daily[]": ["book", "symbol", "tradingDay", ...money] },
  totals: { "totals.*": money },
  positionDetail: { position },
} as const satisfies Record<PnlMethod, Readonly<Record<string, readonly string[]>>>;

/** Values that the bridge fixes before it calls a system, so that both systems use the same inputs. */
export interface PinnedWorld {
  /** ISO 8601; later trades do not count. Default: the time of the call, filled in by the bridge. */
  readonly asOf?: string;
  /** The lot method; default `fifo`. */
  readonly method?: "fifo" | "lifo" | "average";
  /**
   * Prices by symbol for valuing open positions. `calculatePnl` uses no others; the other methods prefer them
   * to the system's own marks of the day, and the bridge fills them in from its own source of marks, if it
   * has one.
   */
  readonly marks?: Readonly<Record<string, string>>;
}

export interface CalculatePnlRequest extends PinnedWorld {
  readonly trades: readonly ServiceTrade[];
  readonly instruments?: Readonly<
    Record<string, { readonly multiplier?: string; readonly currency?: string }>
  >;
}

export interface ServiceTrade {
  readonly id: string;
  readonly symbol: string;
  readonly book?: string;
  readonly side: "B" | "S";
  readonly quantity: string;
  readonly price: string;
  readonly time?: string;
  readonly fee?: string;
}

export interface CalculatePnlAnswer {
  readonly positions: readonly ServicePosition[];
  readonly matches?: readonly ServiceMatch[];
  readonly totals: ServiceTotals;
  readonly rejected: readonly { readonly index: number; readonly code: string; readonly why: string }[];
}

export interface ServicePosition {
  readonly book?: string;
  readonly symbol: string;
  readonly quantity: string;
  /** Null if the position is flat. */
  readonly averagePrice: string | null;
  readonly realized: string;
  /** Null if there are open lots but no mark. */
  readonly unrealized: string | null;
  readonly fees?: string;
  readonly mark?: string | null;
  /** The time of the mark, ISO 8601. */
  readonly markAt?: string;
  readonly currency?: string;
  readonly lots?: readonly ServiceLot[];
}

interface ServiceLot {
  readonly tradeId: string | null;
  /** Negative for a short lot. */
  readonly quantity: string;
  readonly price: string;
}

interface ServiceMatch {
  readonly book?: string;
  readonly symbol: string;
  readonly openTradeId: string | null;
  readonly closeTradeId: string;
  readonly quantity: string;
  readonly openPrice: string;
  readonly closePrice: string;
  readonly pnl: string;
}

/** Totals by currency. */
export type ServiceTotals = Readonly<Record<string, ServiceTotal | readonly string[]>>;
interface ServiceTotal {
  readonly realized: string;
  readonly unrealized: string;
  readonly total: string;
}

/** Selects all positions, or those of a book or symbol. */
export interface PositionFilter {
  readonly book?: string;
  readonly symbol?: string;
}

export type OpenPositionsRequest = PinnedWorld & PositionFilter;
export interface OpenPositionsAnswer {
  readonly positions: readonly ServicePosition[];
}

export interface TradeHistoryRequest extends PositionFilter {
  readonly asOf?: string;
  /** The maximum number of trades; default 500. */
  readonly limit?: number;
}
export interface TradeHistoryAnswer {
  readonly trades: readonly ServiceTrade[];
}

export interface DailyPnlRequest extends PinnedWorld, PositionFilter {
  /** First and last trading day, YYYY-MM-DD, both included. */
  readonly from?: string;
  readonly to?: string;
}
export interface DailyPnlAnswer {
  readonly daily: readonly {
    readonly book?: string;
    readonly symbol: string;
    readonly tradingDay: string;
    readonly realized: string;
    readonly unrealized: string | null;
    readonly total: string;
  }[];
}

export type TotalsRequest = PinnedWorld & PositionFilter;
export interface TotalsAnswer {
  readonly totals: ServiceTotals;
}

export interface PositionDetailRequest extends PinnedWorld {
  readonly symbol: string;
  readonly book?: string;
}
export interface PositionDetailAnswer {
  /** Null if the system knows no such position. */
  readonly position: ServicePosition | null;
}
