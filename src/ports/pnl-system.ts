/**
 * What the comparison asks of a P&L system, whatever it is written in: the rows of one trading history.
 * Numbers are decimal text (a float answer is its shortest round-trip text, made once, at the edge), in the system's own
 * units; `null` is "the system says there is none", absent text such as `awaiting data` is kept as it came.
 */
export interface HistoryRequest {
  /** Ledger files, in the order in which they were traded. */
  readonly ledgers: readonly string[];
  /** Final prices by symbol, as decimal text. Absent: the last traded price of each symbol. */
  readonly marks?: Readonly<Record<string, string>>;
  /** Prices by symbol and day: then these, and no others, are what open positions are valued at on each day. */
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
  /** Of a file that was given up at a bad row: how many rows before it had been taken. */
  readonly rowsTaken?: number;
}

export interface HistoryRows {
  readonly positions: readonly PositionRow[];
  readonly daily: readonly DailyRow[];
  /** What the system itself refused. */
  readonly errors: readonly SystemError[];
}

export interface PnlSystem {
  readonly name: string;
  /** The name of the trading-day rule its daily rows follow. */
  readonly dayRule: string;
  history(request: HistoryRequest): Promise<HistoryRows>;
}
