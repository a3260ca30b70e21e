import type { TradeColumns } from "../../engine/index.ts";

/**
 * Which rows of a file stand in another file already. Rows are a multiset: a row that one file holds three times and
 * another twice is three trades. 12 bytes a trade; constant time a row.
 */
export class RowSet {
  readonly #trades: TradeColumns;
  /** Per slot: the first trade with this content (or -1), how many were accepted, and how many the current file has shown. */
  #first = new Int32Array(1024).fill(-1);
  #accepted = new Int32Array(1024);
  #shown = new Int32Array(1024);
  #file = new Int32Array(1024);
  #size = 0;

  constructor(trades: TradeColumns) {
    this.#trades = trades;
  }

  /** Looks at the row that stands at `trade` in the columns, not yet counted there: the earlier trade that it repeats, or -1 where it is new. */
  earlier(trade: number, file: number): number {
    if (this.#size * 2 > this.#first.length) this.#grow();
    const slot = this.#slotOf(trade, this.#first);
    const first = this.#first[slot] as number;
    if (first < 0) {
      this.#first[slot] = trade;
      this.#size += 1;
    }
    if (first < 0 || this.#file[slot] !== file) {
      this.#file[slot] = file;
      this.#shown[slot] = 0;
    }
    this.#shown[slot] = (this.#shown[slot] as number) + 1;
    if ((this.#shown[slot] as number) <= (this.#accepted[slot] as number)) return first;
    this.#accepted[slot] = this.#shown[slot] as number;
    return -1;
  }

  #slotOf(trade: number, table: Int32Array): number {
    const mask = table.length - 1;
    for (let slot = this.#hash(trade) & mask; ; slot = (slot + 1) & mask) {
      const known = table[slot] as number;
      if (known < 0 || this.#same(known, trade)) return slot;
    }
  }

  #hash(trade: number): number {
    const { timeUs, lane, side, price, quantity } = this.#trades;
    const time = timeUs[trade] as number;
    let hash = Math.imul(time | 0, 0x9e3779b1) ^ Math.imul((time / 4294967296) | 0, 0x85ebca6b);
    // Start-of-day rows share time, price and often quantity; only their ids tell them apart.
    hash = Math.imul(hash ^ this.#trades.idHash(trade), 0x2c1b3c6d);
    hash = Math.imul(hash ^ (lane[trade] as number) ^ ((side[trade] as number) << 30), 0xc2b2ae35);
    hash = Math.imul(hash ^ (price.coefficient[trade] as number), 0x27d4eb2f);
    hash = Math.imul(hash ^ (quantity.coefficient[trade] as number), 0x165667b1);
    return (hash ^ (hash >>> 15)) >>> 0;
  }

  #same(a: number, b: number): boolean {
    const { timeUs, lane, side, price, quantity, fee } = this.#trades;
    const [feeA, feeB] = [fee.get(a), fee.get(b)];
    return (
      timeUs[a] === timeUs[b] &&
      lane[a] === lane[b] &&
      side[a] === side[b] &&
      price.same(a, b) &&
      quantity.same(a, b) &&
      feeA?.coefficient === feeB?.coefficient &&
      feeA?.scale === feeB?.scale &&
      this.#trades.sameId(a, b)
    );
  }

  #grow(): void {
    const size = this.#first.length * 4;
    const first = new Int32Array(size).fill(-1);
    const [accepted, shown, file] = [new Int32Array(size), new Int32Array(size), new Int32Array(size)];
    for (let old = 0; old < this.#first.length; old++) {
      const trade = this.#first[old] as number;
      if (trade < 0) continue;
      const slot = this.#slotOf(trade, first);
      first[slot] = trade;
      accepted[slot] = this.#accepted[old] as number;
      shown[slot] = this.#shown[old] as number;
      file[slot] = this.#file[old] as number;
    }
    this.#first = first;
    this.#accepted = accepted;
    this.#shown = shown;
    this.#file = file;
  }
}
