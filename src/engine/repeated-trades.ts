import { grown } from "./decimal-column.ts";
import type { TradeColumns } from "./trade-columns.ts";

/** A trade of an earlier file that is related to the one being read. */
interface Earlier {
  /** The trade of the earlier file. */
  readonly trade: number;
  /** The one part of the identity that differs; undefined if the identity is equal. */
  readonly differs: Difference | undefined;
  /** Whether it is the same trade, so that the one being read does not count again. */
  readonly same: boolean;
}

type Difference =
  | "the fraction of the second"
  | "the time"
  | "the book"
  | "the symbol"
  | "the side"
  | "the quantity"
  | "the price";

/** At most this many trades of one id and second are searched for one that is nearly equal. */
const neighboursMax = 16;

/**
 * Finds the trades of a file that an earlier file already has. Trades are a multiset: a trade that occurs
 * three times in one file and twice in another counts three times. Two trades are the same if their
 * `tradeIdentity` is equal; two differences are tolerated: a time that one file cuts to fewer digits of the
 * second, and a book that only one of the files names. Any other single difference between trades of equal id
 * and second is reported, and both trades count. Trades must come file by file.
 *
 * 32 to 96 bytes and constant time per trade.
 */
export class RepeatedTrades {
  readonly #trades: TradeColumns;
  readonly #equal: TradeTable;
  /** By id and second. */
  readonly #neighbours: TradeTable;
  /** By trade: the number of equal trades that were accepted. */
  #accepted = new Int32Array(1024);
  /** By trade: the number of equal trades seen so far in the file `#file`. */
  #shown = new Int32Array(1024);
  #file = new Int32Array(1024);
  /** By trade: the next trade of the same id and second. */
  #next = new Int32Array(1024);

  constructor(trades: TradeColumns) {
    this.#trades = trades;
    this.#equal = new TradeTable(
      (trade) => hashOf(trades, trade),
      (a, b) => isSame(trades, a, b),
    );
    this.#neighbours = new TradeTable(
      (trade) => Math.imul(trades.idHash(trade) ^ secondOf(trades, trade), 0x2c1b3c6d),
      (a, b) => secondOf(trades, a) === secondOf(trades, b) && trades.sameId(a, b),
    );
  }

  /** Looks up the trade in the first row of the columns that is not committed yet. */
  look(file: number): Earlier | undefined {
    const trade = this.#trades.length;
    const first = this.#equal.find(trade);
    if (first >= 0) {
      if (this.#claim(first, file)) return { trade: first, differs: undefined, same: true };
      this.#accepted[first] = known(this.#shown, first);
      return undefined;
    }
    const head = this.#neighbours.find(trade);
    const earlier = head < 0 || file === 0 ? undefined : this.#neighbour(head, trade, file);
    if (earlier?.same !== true) this.#keep(trade, file, head);
    return earlier;
  }

  /**
   * Counts one more occurrence of the trade `first` in this file. Returns whether as many were accepted
   * before, so that this occurrence repeats one of them.
   */
  #claim(first: number, file: number): boolean {
    if (this.#file[first] !== file) {
      this.#file[first] = file;
      this.#shown[first] = 0;
    }
    const shown = known(this.#shown, first) + 1;
    this.#shown[first] = shown;
    return shown <= known(this.#accepted, first);
  }

  #keep(trade: number, file: number, head: number): void {
    if (trade >= this.#accepted.length) {
      const grow = (column: Int32Array<ArrayBuffer>) => grown(column, new Int32Array(trade * 2));
      this.#accepted = grow(this.#accepted);
      this.#shown = grow(this.#shown);
      this.#file = grow(this.#file);
      this.#next = grow(this.#next);
    }
    this.#accepted[trade] = 1;
    this.#shown[trade] = 1;
    this.#file[trade] = file;
    this.#equal.insert(trade);
    if (head < 0) {
      this.#neighbours.insert(trade);
      this.#next[trade] = -1;
    } else {
      this.#next[trade] = known(this.#next, head);
      this.#next[head] = trade;
    }
  }

  /**
   * Among the trades of the same id and second: one that differs only in a tolerated way, else one with a
   * single difference.
   */
  #neighbour(head: number, trade: number, file: number): Earlier | undefined {
    const { file: fileOf } = this.#trades;
    let found: Earlier | undefined;
    let count = 0;
    for (let other = head; other >= 0 && count < neighboursMax; other = known(this.#next, other), count++) {
      if (fileOf[other] === file) continue;
      const differs = differenceOf(this.#trades, other, trade);
      if (differs === undefined) continue;
      const shown = this.#file[other] === file ? known(this.#shown, other) : 0;
      if (shown >= known(this.#accepted, other)) continue;
      if (
        differs === "the fraction of the second" ||
        (differs === "the book" && isBookOfOne(this.#trades, other, trade))
      ) {
        this.#claim(other, file);
        return { trade: other, differs, same: true };
      }
      found ??= { trade: other, differs, same: false };
    }
    return found;
  }
}

/** A hash table of trades under a given equality: open addressing, 8 to 32 bytes per trade. */
class TradeTable {
  readonly #hash: (trade: number) => number;
  readonly #same: (a: number, b: number) => boolean;
  #slots = new Int32Array(1024).fill(-1);
  #size = 0;
  /** The slot where the last search ended. */
  #slot = 0;

  constructor(hash: (trade: number) => number, same: (a: number, b: number) => boolean) {
    this.#hash = hash;
    this.#same = same;
  }

  /** The trade of the table that equals this one, or -1. */
  find(trade: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = mixed(this.#hash(trade)) & mask; ; slot = (slot + 1) & mask) {
      const found = known(this.#slots, slot);
      this.#slot = slot;
      if (found < 0 || this.#same(found, trade)) return found;
    }
  }

  /** Adds the trade that the last search did not find. */
  insert(trade: number): void {
    this.#slots[this.#slot] = trade;
    this.#size += 1;
    if (this.#size * 2 > this.#slots.length) this.#grow();
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 4).fill(-1);
    const mask = this.#slots.length - 1;
    for (const trade of old) {
      if (trade < 0) continue;
      let slot = mixed(this.#hash(trade)) & mask;
      while (known(this.#slots, slot) >= 0) slot = (slot + 1) & mask;
      this.#slots[slot] = trade;
    }
  }
}

/** The value of a column for a trade that it holds. */
const known = (column: Int32Array, trade: number): number => column[trade] as number;

const mixed = (hash: number): number => (hash ^ (hash >>> 15)) >>> 0;

const secondOf = (trades: TradeColumns, trade: number): number => Math.floor(trades.timeAt(trade) / 1e6);

function hashOf(trades: TradeColumns, trade: number): number {
  const { price, quantity } = trades;
  const time = trades.timeAt(trade);
  let hash = Math.imul(time | 0, 0x9e3779b1) ^ Math.imul((time / 4294967296) | 0, 0x85ebca6b);
  // Start-of-day rows share time, price and often quantity; only their ids tell them apart.
  hash = Math.imul(hash ^ trades.idHash(trade), 0x2c1b3c6d);
  hash = Math.imul(hash ^ trades.laneAt(trade) ^ (trades.sideAt(trade) << 30), 0xc2b2ae35);
  hash = Math.imul(hash ^ (price.coefficient[trade] as number), 0x27d4eb2f);
  return Math.imul(hash ^ (quantity.coefficient[trade] as number), 0x165667b1);
}

const isSame = (trades: TradeColumns, a: number, b: number): boolean =>
  trades.timeUs[a] === trades.timeUs[b] &&
  trades.lane[a] === trades.lane[b] &&
  trades.side[a] === trades.side[b] &&
  trades.price.same(a, b) &&
  trades.quantity.same(a, b) &&
  trades.sameId(a, b);

/** The difference between two trades of one id and second, if there is exactly one. */
function differenceOf(trades: TradeColumns, a: number, b: number): Difference | undefined {
  const { timeUs, side, quantity, price } = trades;
  const [ofA, ofB] = [trades.instrumentAt(a), trades.instrumentAt(b)];
  const found: Difference[] = [];
  if (timeUs[a] !== timeUs[b])
    found.push(isCut(trades.timeAt(a), trades.timeAt(b)) ? "the fraction of the second" : "the time");
  if (ofA.book !== ofB.book) found.push("the book");
  if (ofA.instrument !== ofB.instrument || (ofA.instrument === null && ofA.symbol !== ofB.symbol))
    found.push("the symbol");
  if (side[a] !== side[b]) found.push("the side");
  if (!quantity.same(a, b)) found.push("the quantity");
  if (!price.same(a, b)) found.push("the price");
  return found.length === 1 ? found[0] : undefined;
}

/** Whether one of two times within a second is the other cut to fewer digits, as `.046` is of `.046123`. */
function isCut(timeUs: number, otherUs: number): boolean {
  const [cut, whole] = timeUs < otherUs ? [timeUs, otherUs] : [otherUs, timeUs];
  let unit = 1;
  while (unit < 1e6 && cut % (unit * 10) === 0) unit *= 10;
  return whole - cut < unit;
}

const isBookOfOne = (trades: TradeColumns, a: number, b: number): boolean =>
  trades.instrumentAt(a).book === undefined || trades.instrumentAt(b).book === undefined;
