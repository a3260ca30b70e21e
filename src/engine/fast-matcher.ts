import { powerOfTen } from "../domain/decimal.ts";
import { type Fraction, fromScaled } from "../domain/fraction.ts";
import { grown, safe, tens } from "./decimal-column.ts";
import { ExactSum, isSafe } from "./exact-sum.ts";
import { type Lot, type Matcher, MatchLog, type Standing } from "./matcher.ts";
import type { TradeColumns } from "./trade-columns.ts";
import { WideMatcher } from "./wide-matcher.ts";

/**
 * FIFO and LIFO on safe integers. Quantities and prices are whole numbers of 10^-scale, one scale each for the lane, which
 * grows as finer values arrive. Every value is checked before anything changes; sums never overflow (ExactSum).
 *
 * Open lots are the stretch [head, tail) of three columns: FIFO takes at the head, LIFO at the tail, both in constant time,
 * so a deep book costs no more a trade than a shallow one.
 */
export class FastMatcher implements Matcher {
  readonly matches = new MatchLog();
  readonly #trades: TradeColumns;
  readonly #takesOldest: boolean;
  #quantityScale = 0;
  #priceScale = 0;
  /** 1 long, -1 short; of no meaning while flat. */
  #side = 1;
  /** Unsigned, in 10^-quantityScale. */
  #openQuantity = 0;
  #head = 0;
  #tail = 0;
  #lotTrade = new Int32Array(8);
  #lotQuantity = new Float64Array(8);
  #lotPrice = new Float64Array(8);
  readonly #realized = new ExactSum();
  /** Money in less money out, in points × quantity: realized - cash is the cost of what is open. */
  readonly #cash = new ExactSum();

  constructor(trades: TradeColumns, method: "fifo" | "lifo") {
    this.#trades = trades;
    this.#takesOldest = method === "fifo";
  }

  get flat(): boolean {
    return this.#openQuantity === 0;
  }

  apply(trade: number): boolean {
    const { quantity: quantities, price: prices, side: sides } = this.#trades;
    const quantityScale = quantities.scale[trade] as number;
    const priceScale = prices.scale[trade] as number;
    if (quantityScale > this.#quantityScale && !this.#growQuantityScale(quantityScale)) return false;
    if (priceScale > this.#priceScale && !this.#growPriceScale(priceScale)) return false;
    let left = (quantities.coefficient[trade] as number) * (tens[this.#quantityScale - quantityScale] as number);
    const price = (prices.coefficient[trade] as number) * (tens[this.#priceScale - priceScale] as number);
    // Also false for NaN, which marks a value that stands in the column's wide part.
    if (!(isSafe(price) && left <= safe && this.#openQuantity + left <= safe)) return false;

    const side = sides[trade] as number;
    this.#cash.addProduct(price, -side * left);
    if (side !== this.#side && this.#openQuantity !== 0) left = this.#close(trade, left, price);
    if (left !== 0) {
      this.#side = side;
      this.#open(trade, left, price);
    }
    return true;
  }

  #close(trade: number, quantity: number, price: number): number {
    let left = quantity;
    const held = this.#side;
    while (left !== 0 && this.#head !== this.#tail) {
      const lot = this.#takesOldest ? this.#head : this.#tail - 1;
      const lotQuantity = this.#lotQuantity[lot] as number;
      const taken = left < lotQuantity ? left : lotQuantity;
      this.#realized.addDifferenceTimes(price, this.#lotPrice[lot] as number, held * taken);
      this.matches.push(this.#lotTrade[lot] as number, trade, taken, this.#quantityScale);
      left -= taken;
      if (taken === lotQuantity) {
        if (this.#takesOldest) this.#head += 1;
        else this.#tail -= 1;
      } else {
        this.#lotQuantity[lot] = lotQuantity - taken;
      }
    }
    this.#openQuantity -= quantity - left;
    if (this.#head === this.#tail) {
      this.#head = 0;
      this.#tail = 0;
    }
    return left;
  }

  #open(trade: number, quantity: number, price: number): void {
    if (this.#tail === this.#lotTrade.length) this.#makeRoom();
    this.#lotTrade[this.#tail] = trade;
    this.#lotQuantity[this.#tail] = quantity;
    this.#lotPrice[this.#tail] = price;
    this.#tail += 1;
    this.#openQuantity += quantity;
  }

  /** Moves the lots to the front where at least half of the room is behind the head, else doubles the room: constant time a lot. */
  #makeRoom(): void {
    const { length } = this.#lotTrade;
    if (this.#head * 2 < length) {
      this.#lotTrade = grown(this.#lotTrade, new Int32Array(length * 2));
      this.#lotQuantity = grown(this.#lotQuantity, new Float64Array(length * 2));
      this.#lotPrice = grown(this.#lotPrice, new Float64Array(length * 2));
      return;
    }
    this.#lotTrade.copyWithin(0, this.#head, this.#tail);
    this.#lotQuantity.copyWithin(0, this.#head, this.#tail);
    this.#lotPrice.copyWithin(0, this.#head, this.#tail);
    this.#tail -= this.#head;
    this.#head = 0;
  }

  standing(): Standing {
    const scale = this.#quantityScale + this.#priceScale;
    const [realized, cash] = [this.#realized.value, this.#cash.value];
    return {
      quantity: fromScaled(BigInt(this.#side * this.#openQuantity), this.#quantityScale),
      realized: fromScaled(realized, scale),
      openCost: fromScaled(realized - cash, scale),
    };
  }

  lots(): Lot[] {
    const lots: Lot[] = [];
    for (let lot = this.#head; lot < this.#tail; lot++) {
      lots.push({
        trade: this.#lotTrade[lot] as number,
        quantity: fromScaled(BigInt(this.#side * (this.#lotQuantity[lot] as number)), this.#quantityScale),
        price: fromScaled(BigInt(this.#lotPrice[lot] as number), this.#priceScale),
      });
    }
    return lots;
  }

  restart(matchCount: number, realized: Fraction): void {
    this.matches.truncate(matchCount);
    this.#head = 0;
    this.#tail = 0;
    this.#openQuantity = 0;
    const scaled = (realized.numerator * powerOfTen(this.#quantityScale + this.#priceScale)) / realized.denominator;
    this.#realized.value = scaled;
    this.#cash.value = scaled;
  }

  widened(): Matcher {
    return new WideMatcher(this.#trades, this.#takesOldest ? "fifo" : "lifo", {
      matches: this.matches,
      lots: this.lots(),
      standing: this.standing(),
    });
  }

  #growQuantityScale(scale: number): boolean {
    const factor = tens[scale - this.#quantityScale] as number;
    // Sums of lots stay below the open quantity, so checking that is checking all.
    if (!isSafe(this.#openQuantity * factor)) return false;
    this.#openQuantity *= factor;
    for (let lot = this.#head; lot < this.#tail; lot++) (this.#lotQuantity[lot] as number) *= factor;
    this.#scaleSums(factor);
    this.#quantityScale = scale;
    return true;
  }

  #growPriceScale(scale: number): boolean {
    const factor = tens[scale - this.#priceScale] as number;
    for (let lot = this.#head; lot < this.#tail; lot++) if (!isSafe((this.#lotPrice[lot] as number) * factor)) return false;
    for (let lot = this.#head; lot < this.#tail; lot++) (this.#lotPrice[lot] as number) *= factor;
    this.#scaleSums(factor);
    this.#priceScale = scale;
    return true;
  }

  #scaleSums(factor: number): void {
    this.#realized.value *= BigInt(factor);
    this.#cash.value *= BigInt(factor);
  }
}
