/**
 * A request for the rows of one trading history, which the comparison sends to a P&L system of any kind. In
 * the answer, numbers are decimal text in the system's own units (a float is converted once, at the edge, to
 * its shortest round-trip text); `null` means that the system reports no value, and other text such as
 * `awaiting data` is kept unchanged.
 */
export interface HistoryRequest {
  /** Ledger files, in trading order. */
  readonly ledgers: readonly string[];
  /** Final prices by symbol, as decimal text. Default: the last traded price of each symbol. */
  readonly marks?: Readonly<Record<string, string>>;
  /**
   * Prices by symbol and day. If present, they are the only prices for valuing open positions on each day.
   */
  readonly closes?: readonly Close[];
}

export interface Close {
  readonly symbol: string;
  /** YYYY-MM-DD. */
  readonly tradingDay: string;
  /** Decimal text. */
  readonly price: string;
}

export interface PositionRow {
  readonly book?: string;
  readonly symbol: string;
  readonly quantity: string | null;
  readonly averagePrice: string | null;
  readonly realized: string | null;
  readonly unrealized: string | null;
}

export interface DailyRow {
  readonly book?: string;
  readonly symbol: string;
  /** YYYY-MM-DD under the system's own day rule. */
  readonly tradingDay: string;
  readonly realized: string | null;
  readonly unrealized: string | null;
  readonly total: string | null;
}

export interface SystemError {
  readonly code: string;
  readonly why: string;
  readonly file?: string;
  /** The number of rows taken from a file before a bad row ended it. */
  readonly rowsTaken?: number;
}

export interface HistoryRows {
  readonly positions: readonly PositionRow[];
  readonly daily: readonly DailyRow[];
  /** Input that the system itself refused. */
  readonly errors: readonly SystemError[];
}

export interface PnlSystem {
  readonly name: string;
  /** The name of the trading-day rule of its daily rows. */
  readonly dayRule: string;
  history(request: HistoryRequest): Promise<HistoryRows>;
}
