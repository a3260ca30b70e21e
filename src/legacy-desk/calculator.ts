/**
 * The legacy desk's P&L calculator: FIFO per symbol in binary floats, points without contract multiplier.
 *
 * It stands in for a real service, so its defects are part of the contract; comments that begin with "Quirk"
 * describe them. The answers of the real one determine the order of float operations, bit for bit (signed
 * zeros included): do not simplify a sum. Work is linear in trades and, for each calendar day, in the lots
 * still open on it.
 */

export type Side = "B" | "S";

/** A row that the reader accepted. `validate` decides whether the calculator accepts it too. */
export interface Trade {
  readonly id: string;
  /** The raw name, never trimmed: `"X "` and `"X"` are different instruments. */
  readonly symbol: string;
  /**
   * Wall-clock time `YYYY-MM-DD HH:MM:SS`. Quirk: the fraction is cut off, so trades of one second keep the
   * order of the file.
   */
  readonly time: string;
  readonly side: Side;
  /** The quantity in the file. Quirk: a negative one is accepted, so that `S,-5` opens a long of 5. */
  readonly quantity: number;
  /** Points. */
  readonly price: number;
}

/** One symbol at the end of one calendar day. */
export interface DayFigures {
  readonly symbol: string;
  /**
   * Calendar date, YYYY-MM-DD. Quirk: an evening fill belongs to its calendar date, not to the next session.
   */
  readonly date: string;
  /** Lots, signed. */
  readonly position: number;
  /** Σ(q·p)/Σq of the open lots, 0 for a flat position (-0 for a short with cost 0). */
  readonly averageCost: number;
  /** The close of exactly this date, or 0 without one. */
  readonly marketClose: number;
  readonly realized: number;
  /**
   * The level, not the change: (close - average cost) · position. Quirk: 0 without a close of exactly this
   * date.
   */
  readonly unrealized: number;
  /** realized + (unrealized - the previous row's unrealized). */
  readonly total: number;
  /** Quantity-weighted average prices of the day's buys and sells; null without any. */
  readonly averageBuy: number | null;
  readonly averageSell: number | null;
}

/** One symbol at the end of the history. Flat symbols stay listed. */
export interface PositionFigures {
  readonly symbol: string;
  readonly position: number;
  readonly averageCost: number;
  /** Sum of the daily figures, in date order. */
  readonly realized: number;
  /** The close of the symbol's last daily row, or 0 without one. */
  readonly marketClose: number;
  /** The unrealized P&L of the symbol's last daily row. */
  readonly unrealized: number;
  /**
   * The unrealized P&L of the position summary. Quirk: it treats a close of 0 (a worthless option) as
   * missing, and gives 0.
   */
  readonly summaryUnrealized: number;
  /** Quantity closed so far, unsigned. */
  readonly closedQuantity: number;
  /** Id of the last processed trade. */
  readonly lastTradeId: string;
  /** Whether any trade has a price of 0: an expiry, an exercise or an unknown cost. */
  readonly hasZeroPrice: boolean;
}

export interface Calculation {
  /** In order of first trade. */
  readonly positions: readonly PositionFigures[];
  /**
   * By date, then in order of first trade. A row for each symbol that traded on the date or holds a lot at
   * its end.
   */
  readonly daily: readonly DayFigures[];
}

/** Receives what a calculation does not keep. */
export interface CalculationWatch {
  /** Called for each trade in order of time, with the P&L that it realized, in points. */
  readonly trade: (trade: Trade, realized: number) => void;
  /** Called at the end for each symbol, with its open lots, oldest first. */
  readonly openLots: (symbol: string, lots: readonly Readonly<Lot>[]) => void;
}

/** The error for a row or a close that the legacy desk refuses. */
export class LegacyRejection extends Error {
  override readonly name = "LegacyRejection";
  /** Means the same as in SystemFailure. */
  readonly blamesRequest = true;
}

export class Calculator {
  readonly #trades: Trade[] = [];
  readonly #closes = new Map<string, Map<string, number>>();

  /**
   * Adds one trade, in file order. Throws LegacyRejection for quantity 0, a price below 0 or an empty symbol.
   */
  add(trade: Trade): void {
    validate(trade);
    this.#trades.push(trade);
  }

  /**
   * Sets the close of one symbol on one calendar date. Throws LegacyRejection for a negative one; 0 is
   * accepted.
   */
  close(symbol: string, date: string, price: number): void {
    if (price < 0) throw new LegacyRejection(`close price must not be negative: ${price}`);
    const byDate = this.#closes.get(symbol) ?? new Map<string, number>();
    this.#closes.set(symbol, byDate.set(date, price));
  }

  /**
   * Computes the whole history from the first trade. Its dates are those with a trade, or with a close of any
   * symbol, even of one without trades.
   */
  calculate(watch?: CalculationWatch): Calculation {
    const lotsBySymbol = new Map<string, SymbolLots>();
    const daily: DayFigures[] = [];
    for (const [date, trades] of this.#days()) {
      for (const trade of trades) {
        const lots = lotsBySymbol.get(trade.symbol) ?? new SymbolLots(trade.symbol);
        lotsBySymbol.set(trade.symbol, lots);
        const realized = lots.take(trade);
        watch?.trade(trade, realized);
      }
      for (const lots of lotsBySymbol.values()) {
        const figures = lots.endDay(date, this.#closes.get(lots.symbol)?.get(date));
        if (figures !== undefined) daily.push(figures);
      }
    }
    for (const lots of lotsBySymbol.values()) watch?.openLots(lots.symbol, lots.open);
    return { positions: [...lotsBySymbol.values()].map((lots) => lots.figures()), daily };
  }

  #days(): [date: string, trades: Trade[]][] {
    const days = new Map<string, Trade[]>();
    // toSorted is stable, like the original's sort; texts of this format sort by time.
    const inTime = this.#trades.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    for (const trade of inTime) {
      const date = dateOf(trade);
      const day = days.get(date);
      if (day === undefined) days.set(date, [trade]);
      else day.push(trade);
    }
    for (const byDate of this.#closes.values())
      for (const date of byDate.keys()) if (!days.has(date)) days.set(date, []);
    return [...days].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

export const dateOf = (trade: Trade): string => trade.time.slice(0, 10);

function validate({ symbol, quantity, price }: Trade): void {
  if (symbol === "") throw new LegacyRejection("symbol must not be empty");
  if (quantity === 0) throw new LegacyRejection("quantity must not be zero");
  if (price < 0) throw new LegacyRejection(`price must not be negative: ${price}`);
}

interface Lot {
  /** Signed. */
  quantity: number;
  readonly price: number;
}

interface Turnover {
  quantity: number;
  value: number;
}

/** The lots of one symbol, oldest first, and its figures. */
class SymbolLots {
  readonly symbol: string;
  #lots: Lot[] = [];
  /**
   * Lots before this index are closed. An index is used because shift() takes quadratic time for many lots.
   */
  #head = 0;
  #day = { realized: 0, traded: false, buys: { quantity: 0, value: 0 }, sells: { quantity: 0, value: 0 } };
  #last: DayFigures | undefined;
  #realized = 0;
  #closed = 0;
  #lastTradeId = "";
  #hasZeroPrice = false;

  constructor(symbol: string) {
    this.symbol = symbol;
  }

  get open(): readonly Readonly<Lot>[] {
    return this.#lots.slice(this.#head);
  }

  /**
   * Closes the oldest opposite lots and realizes P&L on each; the remaining quantity opens a lot. Returns the
   * P&L that the trade realized.
   */
  take({ id, side, quantity, price }: Trade): number {
    this.#day.traded = true;
    const turnover: Turnover = side === "B" ? this.#day.buys : this.#day.sells;
    turnover.quantity += quantity;
    turnover.value += quantity * price;
    this.#lastTradeId = id;
    if (price === 0) this.#hasZeroPrice = true;

    let realized = 0;
    let remaining = side === "B" ? quantity : -quantity;
    while (remaining !== 0) {
      const lot = this.#lots[this.#head];
      if (lot === undefined || lot.quantity > 0 === remaining > 0) break;
      const matched = Math.min(Math.abs(remaining), Math.abs(lot.quantity));
      const pnl = lot.quantity > 0 ? (price - lot.price) * matched : (lot.price - price) * matched;
      this.#day.realized += pnl;
      realized += pnl;
      this.#closed += matched;
      if (remaining > 0) {
        remaining -= matched;
        lot.quantity += matched;
      } else {
        remaining += matched;
        lot.quantity -= matched;
      }
      // Quirk: the comparison is exact, so 0.1 + 0.2 - 0.3 leaves a lot of 2.8e-17 for ever.
      if (lot.quantity === 0) this.#dropOldest();
    }
    if (remaining !== 0) this.#lots.push({ quantity: remaining, price });
    return realized;
  }

  /** Ends the day. Undefined if the symbol neither traded on it nor holds a lot. */
  endDay(date: string, close: number | undefined): DayFigures | undefined {
    const { realized, traded, buys, sells } = this.#day;
    const { position, averageCost } = this.#open();
    if (!traded && position === 0) return undefined;
    // Quirk: unrealized is 0 on a day without a close, and the next close restores all of it. So the changes
    // may be +1, -1, +1 although the price stays.
    const unrealized = close === undefined ? 0 : (close - averageCost) * position;
    const figures: DayFigures = {
      symbol: this.symbol,
      date,
      position,
      averageCost,
      marketClose: close ?? 0,
      realized,
      unrealized,
      total: realized + (unrealized - (this.#last?.unrealized ?? 0)),
      averageBuy: average(buys),
      averageSell: average(sells),
    };
    this.#last = figures;
    this.#realized += realized;
    this.#day = {
      realized: 0,
      traded: false,
      buys: { quantity: 0, value: 0 },
      sells: { quantity: 0, value: 0 },
    };
    return figures;
  }

  figures(): PositionFigures {
    const marketClose = this.#last?.marketClose ?? 0;
    const unrealized = this.#last?.unrealized ?? 0;
    return {
      symbol: this.symbol,
      ...this.#open(),
      realized: this.#realized,
      marketClose,
      unrealized,
      summaryUnrealized: marketClose === 0 ? 0 : unrealized,
      closedQuantity: this.#closed,
      lastTradeId: this.#lastTradeId,
      hasZeroPrice: this.#hasZeroPrice,
    };
  }

  /** Sums the lots again each time, oldest first: a running sum would round differently. */
  #open(): { position: number; averageCost: number } {
    let position = 0;
    let value = 0;
    for (let index = this.#head; index < this.#lots.length; index++) {
      const { quantity, price } = this.#lots[index] as Lot;
      position += quantity;
      value += quantity * price;
    }
    return { position, averageCost: position === 0 ? 0 : value / position };
  }

  #dropOldest(): void {
    this.#head += 1;
    if (this.#head < 1024 || this.#head * 2 < this.#lots.length) return;
    this.#lots = this.#lots.slice(this.#head);
    this.#head = 0;
  }
}

const average = ({ quantity, value }: Turnover): number | null => (quantity === 0 ? null : value / quantity);
