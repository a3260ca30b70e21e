import { powerOfTen } from "../base/decimal.ts";
import { type Fraction, fromDecimal, fromScaled } from "../base/fraction.ts";
import { type DecimalColumn, grown, safe, tens } from "./decimal-column.ts";
import { ExactSum, half } from "./exact-sum.ts";
import { type Lot, type Matcher, MatchLog, roomAfter, type Standing } from "./matcher.ts";
import type { Run } from "./run.ts";
import type { TradeColumns } from "./trade-columns.ts";
import { WideMatcher } from "./wide-matcher.ts";

/**
 * FIFO and LIFO on safe integers. Quantities and prices are whole numbers of 10^-scale; the lane has one
 * scale for each, which grows as finer values arrive. Every value is checked before anything changes. A sum
 * accumulates in a float while that is exact and moves to a bigint before it would lose a digit.
 *
 * Open lots are the range [head, tail) of two columns. FIFO takes from the head and LIFO from the tail, both
 * in constant time, so a trade costs the same in a deep book as in a shallow one.
 */
export class FastMatcher implements Matcher {
  readonly matches = new MatchLog();
  readonly #trades: TradeColumns;
  readonly #takesOldest: boolean;
  #quantityScale = 0;
  #priceScale = 0;
  /** 1 long, -1 short; meaningless while flat. */
  #side = 1;
  /** Unsigned, in 10^-quantityScale. */
  #openQuantity = 0;
  #head = 0;
  #tail = 0;
  #lotTrade = new Int32Array(2);
  #lotQuantity = new Float64Array(2);
  /**
   * Money in minus money out of all trades, in points × quantity. The realized P&L is this plus the cost of
   * the open lots.
   */
  #cash = 0n;
  /** Realized P&L of the first `#realizedMatches` matches. */
  #realized = 0n;
  #realizedMatches = 0;

  constructor(trades: TradeColumns, method: "fifo" | "lifo") {
    this.#trades = trades;
    this.#takesOldest = method === "fifo";
  }

  get flat(): boolean {
    return this.#openQuantity === 0;
  }

  /**
   * This loop is the hot path of the whole engine, so it works on plain locals: it reads the state from the
   * fields first and writes it back at the end.
   */
  apply(run: Run, from: number, until: number): number {
    const {
      trade: trades,
      side: sides,
      quantity: quantities,
      quantityScale: quantityScales,
      price: prices,
      priceScale: priceScales,
    } = run;
    const { matches } = this;
    const takesOldest = this.#takesOldest;
    let { open: matchOpen, close: matchClose } = matches;
    let { coefficient: matchQuantity, scale: matchScale } = matches.quantity;
    let matchCount = matches.length;
    let [lotTrade, lotQuantity] = [this.#lotTrade, this.#lotQuantity];
    let [head, tail, held, openQuantity] = [this.#head, this.#tail, this.#side, this.#openQuantity];
    let [quantityScale, priceScale] = [this.#quantityScale, this.#priceScale];
    let cash = 0;
    let at = from;
    for (; at < until; at++) {
      const itsQuantityScale = quantityScales[at] as number;
      const itsPriceScale = priceScales[at] as number;
      if (itsQuantityScale > quantityScale || itsPriceScale > priceScale) {
        matches.length = matchCount;
        this.#keep(head, tail, held, openQuantity);
        this.#cash += BigInt(cash);
        cash = 0;
        const grew = this.#growScales(itsQuantityScale, itsPriceScale);
        [quantityScale, priceScale, openQuantity] = [
          this.#quantityScale,
          this.#priceScale,
          this.#openQuantity,
        ];
        if (!grew) break;
      }
      let left = (quantities[at] as number) * (tens[quantityScale - itsQuantityScale] as number);
      const price = (prices[at] as number) * (tens[priceScale - itsPriceScale] as number);
      // Also false for NaN, which marks a value in the column's wide part.
      if (!(price <= safe && price >= -safe && left <= safe && openQuantity + left <= safe)) break;

      const trade = trades[at] as number;
      const side = sides[at] as number;
      const paid = price * left * -side;
      if (paid <= half && paid >= -half) cash += paid;
      else this.#cash += BigInt(price) * BigInt(-side * left);
      if (cash > half || cash < -half) {
        this.#cash += BigInt(cash);
        cash = 0;
      }
      if (side !== held && openQuantity !== 0) {
        openQuantity -= left;
        while (left !== 0 && head !== tail) {
          const lot = takesOldest ? head : tail - 1;
          const lotLeft = lotQuantity[lot] as number;
          const taken = left < lotLeft ? left : lotLeft;
          if (matchCount === matchOpen.length) {
            matches.length = matchCount;
            matches.reserve(roomAfter(matchCount));
            ({ open: matchOpen, close: matchClose } = matches);
            ({ coefficient: matchQuantity, scale: matchScale } = matches.quantity);
          }
          matchOpen[matchCount] = lotTrade[lot] as number;
          matchClose[matchCount] = trade;
          matchQuantity[matchCount] = taken;
          matchScale[matchCount] = quantityScale;
          matchCount += 1;
          left -= taken;
          if (taken !== lotLeft) lotQuantity[lot] = lotLeft - taken;
          else if (takesOldest) head += 1;
          else tail -= 1;
        }
        openQuantity += left;
        if (head === tail) [head, tail] = [0, 0];
      }
      if (left !== 0) {
        if (tail === lotTrade.length) {
          [this.#head, this.#tail] = [head, tail];
          this.#makeRoom();
          [head, tail] = [this.#head, this.#tail];
          [lotTrade, lotQuantity] = [this.#lotTrade, this.#lotQuantity];
        }
        held = side;
        lotTrade[tail] = trade;
        lotQuantity[tail] = left;
        tail += 1;
        openQuantity += left;
      }
    }
    matches.length = matchCount;
    this.#keep(head, tail, held, openQuantity);
    this.#cash += BigInt(cash);
    return at;
  }

  #keep(head: number, tail: number, side: number, openQuantity: number): void {
    this.#head = head;
    this.#tail = tail;
    this.#side = side;
    this.#openQuantity = openQuantity;
  }

  /**
   * Moves the lots to the front if at least half of the space lies before the head, else doubles it. Constant
   * time per lot.
   */
  #makeRoom(): void {
    const { length } = this.#lotTrade;
    if (this.#head * 2 < length) {
      this.#lotTrade = grown(this.#lotTrade, new Int32Array(length * 2));
      this.#lotQuantity = grown(this.#lotQuantity, new Float64Array(length * 2));
      return;
    }
    this.#lotTrade.copyWithin(0, this.#head, this.#tail);
    this.#lotQuantity.copyWithin(0, this.#head, this.#tail);
    this.#tail -= this.#head;
    this.#head = 0;
  }

  /**
   * Linear in the matches since the last call or in the open lots, whichever are fewer: the realized P&L is
   * the sum of the matches' P&L, and also the cash plus the cost of the open lots. So closing a day costs no
   * more than its trades.
   */
  standing(): Standing {
    this.#settle();
    const scale = this.#quantityScale + this.#priceScale;
    return {
      quantity: fromScaled(BigInt(this.#side * this.#openQuantity), this.#quantityScale),
      realized: fromScaled(this.#realized, scale),
      openCost: fromScaled(this.#realized - this.#cash, scale),
    };
  }

  /** Brings the realized P&L up to the last match. */
  #settle(): void {
    const byLots = this.#tail - this.#head < this.matches.length - this.#realizedMatches;
    if (byLots) this.#realized = this.#cash + BigInt(this.#side) * this.#lotsCost();
    else this.#realized += this.#gainSince(this.#realizedMatches);
    this.#realizedMatches = this.matches.length;
  }

  /** P&L of the matches from `first` on, all made at the current scales. */
  #gainSince(first: number): bigint {
    const { side: sides, price } = this.#trades;
    const { open, close, length } = this.matches;
    const { coefficient: quantities } = this.matches.quantity;
    const sum = new ExactSum();
    for (let index = first; index < length; index++) {
      const trade = close[index] as number;
      const [closed, opened] = [
        this.#scaledPrice(price, trade),
        this.#scaledPrice(price, open[index] as number),
      ];
      // A sell closes a long.
      sum.addDifferenceTimes(closed, opened, (quantities[index] as number) * -(sides[trade] as number));
    }
    return sum.value;
  }

  /**
   * A price of the lane in 10^-priceScale. It is a safe integer: checked when its trade was taken and when
   * the scale grew.
   */
  #scaledPrice({ coefficient, scale }: DecimalColumn, trade: number): number {
    return (coefficient[trade] as number) * (tens[this.#priceScale - (scale[trade] as number)] as number);
  }

  /** Σ quantity × price of the open lots, unsigned. */
  #lotsCost(): bigint {
    const sum = new ExactSum();
    for (let lot = this.#head; lot < this.#tail; lot++) {
      sum.addProduct(
        this.#lotQuantity[lot] as number,
        this.#scaledPrice(this.#trades.price, this.#lotTrade[lot] as number),
      );
    }
    return sum.value;
  }

  lots(): Lot[] {
    const lots: Lot[] = [];
    for (let lot = this.#head; lot < this.#tail; lot++) {
      const trade = this.#lotTrade[lot] as number;
      lots.push({
        trade,
        quantity: fromScaled(BigInt(this.#side * (this.#lotQuantity[lot] as number)), this.#quantityScale),
        price: fromDecimal(this.#trades.price.at(trade)),
      });
    }
    return lots;
  }

  restart(matchCount: number, realized: Fraction): void {
    this.matches.truncate(matchCount);
    this.#head = 0;
    this.#tail = 0;
    this.#openQuantity = 0;
    this.#realizedMatches = matchCount;
    // While flat, no money is tied up in lots, so the cash equals the realized P&L.
    this.#realized =
      (realized.numerator * powerOfTen(this.#quantityScale + this.#priceScale)) / realized.denominator;
    this.#cash = this.#realized;
  }

  widened(): Matcher {
    return new WideMatcher(this.#trades, this.#takesOldest ? "fifo" : "lifo", {
      matches: this.matches,
      lots: this.lots(),
      standing: this.standing(),
    });
  }

  /**
   * Switches to finer units. Returns false and changes nothing if a held number would no longer be a safe
   * integer.
   */
  #growScales(quantityScale: number, priceScale: number): boolean {
    const quantityFactor = tens[Math.max(0, quantityScale - this.#quantityScale)] as number;
    const priceFactor = tens[Math.max(0, priceScale - this.#priceScale)] as number;
    // No lot is larger than the open quantity.
    if (!(this.#openQuantity * quantityFactor <= safe)) return false;
    // The price of each lot must stay a safe integer too, or its cost could not be summed.
    for (let lot = this.#head; lot < this.#tail && priceFactor > 1; lot++)
      if (!this.#fits(this.#lotTrade[lot] as number, priceScale)) return false;
    this.#settle();
    this.#openQuantity *= quantityFactor;
    for (let lot = this.#head; lot < this.#tail; lot++) (this.#lotQuantity[lot] as number) *= quantityFactor;
    this.#cash *= BigInt(quantityFactor) * BigInt(priceFactor);
    this.#realized *= BigInt(quantityFactor) * BigInt(priceFactor);
    this.#quantityScale = Math.max(quantityScale, this.#quantityScale);
    this.#priceScale = Math.max(priceScale, this.#priceScale);
    return true;
  }

  #fits(trade: number, priceScale: number): boolean {
    const { coefficient, scale } = this.#trades.price;
    return (
      Math.abs((coefficient[trade] as number) * (tens[priceScale - (scale[trade] as number)] as number)) <=
      safe
    );
  }
}
