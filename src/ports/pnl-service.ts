/**
 * What a P&L service is asked, and what it answers: the methods of the desk's real service that callers depend on. Requests and
 * answers are plain JSON values; all prices, quantities and P&L are exact decimal text (or `p/q`), P&L in money before fees.
 * `book` stands where trades carry one. docs/service-bridge.md shows each with an example.
 */
export interface PnlService {
  /** P&L of the trades in the request, and of nothing else. */
  calculatePnl(request: CalculatePnlRequest): Promise<CalculatePnlAnswer>;
  /** What is open, of all that the system knows. */
  openPositions(request: OpenPositionsRequest): Promise<OpenPositionsAnswer>;
  /** Trades, newest first. */
  tradeHistory(request: TradeHistoryRequest): Promise<TradeHistoryAnswer>;
  /** P&L by trading day and symbol, oldest first. */
  dailyPnl(request: DailyPnlRequest): Promise<DailyPnlAnswer>;
  /** P&L added up by currency. */
  totals(request: TotalsRequest): Promise<TotalsAnswer>;
  /** One position with its open lots. */
  positionDetail(request: PositionDetailRequest): Promise<PositionDetailAnswer>;
}

export const pnlMethods = ["calculatePnl", "openPositions", "tradeHistory", "dailyPnl", "totals", "positionDetail"] as const;
export type PnlMethod = (typeof pnlMethods)[number];

const pinnedKeys = ["asOf", "method", "marks"] as const;
/** The keys that a request of each method may have. The bridge pins the first three in every request. */
export const requestKeys = {
  calculatePnl: [...pinnedKeys, "trades", "instruments"],
  openPositions: [...pinnedKeys, "book", "symbol"],
  tradeHistory: [...pinnedKeys, "book", "symbol", "limit"],
  dailyPnl: [...pinnedKeys, "book", "symbol", "from", "to"],
  totals: [...pinnedKeys, "book", "symbol"],
  positionDetail: [...pinnedKeys, "book", "symbol"],
} as const satisfies Record<PnlMethod, readonly string[]>;

/** What is pinned before either system is asked, so that both see the same world. */
export interface PinnedWorld {
  /** ISO 8601: nothing later counts. The bridge fills it in with the moment of the call where the caller names none. */
  readonly asOf?: string;
  /** How lots are closed; `fifo` where the caller names none. */
  readonly method?: "fifo" | "lifo" | "average";
  /**
   * Prices by symbol at which what is open is valued. For `calculatePnl` there are no others; elsewhere they stand before the
   * system's own of the day, and the bridge fills them in from its own source of marks, if it has one.
   */
  readonly marks?: Readonly<Record<string, string>>;
}

export interface CalculatePnlRequest extends PinnedWorld {
  readonly trades: readonly ServiceTrade[];
  readonly instruments?: Readonly<Record<string, { readonly multiplier?: string; readonly currency?: string }>>;
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
  /** Null where flat. */
  readonly averagePrice: string | null;
  readonly realized: string;
  /** Null where there are open lots and no mark. */
  readonly unrealized: string | null;
  readonly fees?: string;
  readonly mark?: string | null;
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

/** By currency. */
export type ServiceTotals = Readonly<Record<string, ServiceTotal | readonly string[]>>;
interface ServiceTotal {
  readonly realized: string;
  readonly unrealized: string;
  readonly total: string;
}

/** Which positions: all, or those of a book, or of a symbol. */
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
  /** At most this many; default 500. */
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
  /** Null where the system knows no such position. */
  readonly position: ServicePosition | null;
}
