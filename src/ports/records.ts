/**
 * A record that callers write through the database bridge. Every value is text: quantities and prices are
 * decimals, P&L is money (points × multiplier × quantity), times are ISO 8601 with an offset and at most six
 * decimals of a second, days are `YYYY-MM-DD`. A record without a book belongs to the book `""`.
 */
export type BridgeRecord = TradeRecord | PositionRecord | PriceRecord | DailyRecord;

/**
 * A trade, or a change of one that is stored. `trade_correction` writes the attributes of a stored trade
 * again: fee, file and line. `trade_removal` removes a trade; if it is not stored, nothing is removed. Both
 * find the trade by its identity, which is every field except fee, file and line.
 */
export interface TradeRecord {
  readonly kind: "trade" | "trade_correction" | "trade_removal";
  readonly id: string;
  readonly symbol: string;
  readonly book?: string;
  readonly side: "B" | "S";
  readonly quantity: string;
  readonly price: string;
  /** Money. Default: 0. */
  readonly fee?: string;
  readonly time: string;
  /** The ledger file and the line in it. */
  readonly file: string;
  readonly line: number;
  /** 1 for the first of equal rows in a source file, 2 for the second, and so on. Absent means 1. */
  readonly occurrence?: number;
}

export interface PositionRecord {
  readonly kind: "position";
  readonly symbol: string;
  readonly book?: string;
  /** Signed. 0 for a flat position. */
  readonly quantity: string;
  /** Decimal text or `p/q`; null for a flat position. */
  readonly averagePrice: string | null;
  readonly realized: string;
  /** Null if the position has no mark. */
  readonly unrealized: string | null;
  readonly mark?: string | null;
  readonly asOf: string;
}

interface PriceRecord {
  readonly kind: "price";
  readonly symbol: string;
  readonly mark: string;
  /** now, close, sod_today, sod_tomorrow, last_trade or given. */
  readonly markKind: string;
  readonly tradingDay: string;
  readonly at: string;
  /** The file or system that the price comes from. Absent means `""`. */
  readonly source?: string;
}

export interface DailyRecord {
  readonly kind: "daily_pnl";
  readonly tradingDay: string;
  readonly symbol: string;
  readonly book?: string;
  readonly quantity: string;
  readonly realized: string;
  readonly unrealized: string | null;
}

export type TradeChange = Exclude<TradeRecord["kind"], "trade">;

/** The kinds of records that a row can hold. */
export type RecordKind = Exclude<BridgeRecord["kind"], TradeChange>;
