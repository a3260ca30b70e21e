/**
 * The legacy desk's P&L calculator: FIFO per symbol in binary floats, points without contract multiplier.
 *
 * A stand-in of a real service, so its defects are part of the contract and stand as comments beginning with "Quirk". The
 * order of float operations is fixed by what the real one answers, bit for bit (signed zeros included); do not simplify a sum.
 * Work is linear in trades plus, for each calendar day, in the lots still open on it.
 */

export type Side = "B" | "S";

/** A row that passed the reader. Only `validate` decides whether the calculator takes it. */
export interface Trade {
  readonly id: string;
  /** Raw name, never trimmed: `"X "` is another instrument than `"X"`. */
  readonly symbol: string;
  /** Wall clock `YYYY-MM-DD HH:MM:SS`; the fraction is cut off before anyone looks (quirk: order inside a second is file order). */
  readonly time: string;
  readonly side: Side;
  /** As in the file. Quirk: a negative one is taken, so that `S,-5` opens a long of 5. */
  readonly quantity: number;
  /** Points. */
  readonly price: number;
}

/** One symbol at the end of one calendar day. */
export interface DayFigures {
  readonly symbol: string;
  /** Calendar date, YYYY-MM-DD. Quirk: an evening fill belongs to the date on the wall, not to the next session. */
  readonly date: string;
  /** Lots, signed. */
  readonly position: number;
  /** Σ(q·p)/Σq of the open lots, 0 when flat (and -0 for a short of cost 0). */
  readonly averageCost: number;
  /** The close of exactly this date, or 0 when there is none. */
  readonly marketClose: number;
  readonly realized: number;
  /** The level, not the change: (close - average cost) · position. Quirk: 0 without a close of exactly this date. */
  readonly unrealized: number;
  /** realized + (unrealized - the previous row's unrealized). */
  readonly total: number;
  /** Quantity-weighted prices of the day's buys and sells; null when there were none. */
  readonly averageBuy: number | null;
  readonly averageSell: number | null;
}

/** One symbol at the end of the history. Symbols that are flat stay listed. */
export interface PositionFigures {
  readonly symbol: string;
  readonly position: number;
  readonly averageCost: number;
  /** Sum of the daily figures, in date order. */
  readonly realized: number;
  /** The close of the symbol's last daily row, 0 when there is none. */
  readonly marketClose: number;
  /** As the symbol's last daily row has it. */
  readonly unrealized: number;
  /** As the position summary has it. Quirk: the summary takes a close of 0 (a worthless option) for a missing one and says 0. */
  readonly summaryUnrealized: number;
  /** Lots closed so far, unsigned. */
  readonly closedQuantity: number;
  /** Id of the trade that was processed last. */
  readonly lastTradeId: string;
  /** Whether any trade came at price 0: an expiry, an exercise or an unknown cost. */
  readonly hasZeroPrice: boolean;
}

export interface Calculation {
  /** In order of first trade. */
  readonly positions: readonly PositionFigures[];
  /** By date, then in order of first trade. A row for each symbol that traded on the date or holds a lot after it. */
  readonly daily: readonly DayFigures[];
}

/** What the calculator raises on a row or a close that it does not take. */
export class LegacyRejection extends Error {
  override readonly name = "LegacyRejection";
  /** As in SystemFailure. */
  readonly blamesRequest = true;
}

export class Calculator {
  readonly #trades: Trade[] = [];
  readonly #closes = new Map<string, Map<string, number>>();

  /** Takes one trade, in file order. Throws LegacyRejection for quantity 0, a price below 0 or an empty symbol. */
  add(trade: Trade): void {
    validate(trade);
    this.#trades.push(trade);
  }

  /** Sets the close of one symbol on one calendar date. Throws LegacyRejection below 0; a close of 0 is taken. */
  close(symbol: string, date: string, price: number): void {
    if (price < 0) throw new LegacyRejection(`close price must not be negative: ${price}`);
    const byDate = this.#closes.get(symbol) ?? new Map<string, number>();
    this.#closes.set(symbol, byDate.set(date, price));
  }

  /** Where the history stands, all of it from the first trade on. Dates are those with a trade or a close of a known symbol. */
  calculate(): Calculation {
    const books = new Map<string, Book>();
    const daily: DayFigures[] = [];
    for (const [date, trades] of this.#days()) {
      for (const trade of trades) {
        const book = books.get(trade.symbol) ?? new Book(trade.symbol);
        books.set(trade.symbol, book);
        book.take(trade);
      }
      for (const book of books.values()) {
        const figures = book.endDay(date, this.#closes.get(book.symbol)?.get(date));
        if (figures !== undefined) daily.push(figures);
      }
    }
    return { positions: [...books.values()].map((book) => book.figures()), daily };
  }

  #days(): [date: string, trades: Trade[]][] {
    const days = new Map<string, Trade[]>();
    // Array.prototype.sort is stable, like the original's; text of this shape orders like time.
    const inTime = this.#trades.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    for (const trade of inTime) {
      const date = dateOf(trade);
      const day = days.get(date);
      if (day === undefined) days.set(date, [trade]);
      else day.push(trade);
    }
    for (const byDate of this.#closes.values()) for (const date of byDate.keys()) if (!days.has(date)) days.set(date, []);
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

/** The lots of one symbol, oldest first, and what its days brought. */
class Book {
  readonly symbol: string;
  #lots: Lot[] = [];
  /** Lots before this index are used up. An index, because shift() makes deep books quadratic. */
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

  /** Eats the oldest opposite lots, realizing on each; what is left opens a lot. */
  take({ id, side, quantity, price }: Trade): void {
    this.#day.traded = true;
    const turnover: Turnover = side === "B" ? this.#day.buys : this.#day.sells;
    turnover.quantity += quantity;
    turnover.value += quantity * price;
    this.#lastTradeId = id;
    if (price === 0) this.#hasZeroPrice = true;

    let remaining = side === "B" ? quantity : -quantity;
    while (remaining !== 0) {
      const lot = this.#lots[this.#head];
      if (lot === undefined || lot.quantity > 0 === remaining > 0) break;
      const matched = Math.min(Math.abs(remaining), Math.abs(lot.quantity));
      this.#day.realized += lot.quantity > 0 ? (price - lot.price) * matched : (lot.price - price) * matched;
      this.#closed += matched;
      if (remaining > 0) {
        remaining -= matched;
        lot.quantity += matched;
      } else {
        remaining += matched;
        lot.quantity -= matched;
      }
      // Quirk: an exact test, so the dust of 0.1 + 0.2 - 0.3 stays as a lot of 2.8e-17 for ever.
      if (lot.quantity === 0) this.#dropOldest();
    }
    if (remaining !== 0) this.#lots.push({ quantity: remaining, price });
  }

  /** Closes the day; undefined when the symbol neither traded on it nor holds a lot. */
  endDay(date: string, close: number | undefined): DayFigures | undefined {
    const { realized, traded, buys, sells } = this.#day;
    const { position, averageCost } = this.#open();
    if (!traded && position === 0) return undefined;
    // Quirk: a day without a close drops unrealized to 0, the next close brings all of it back: +1, -1, +1.
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
    this.#day = { realized: 0, traded: false, buys: { quantity: 0, value: 0 }, sells: { quantity: 0, value: 0 } };
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

  /** Summed afresh from the lots, oldest first: a running sum would round differently. */
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
