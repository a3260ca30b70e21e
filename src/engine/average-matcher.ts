import { powerOfTen } from "../base/decimal.ts";
import { add, commonDivisor, type Fraction, fraction, fromScaled, roundHalfAway } from "../base/fraction.ts";
import { type Lot, type Matcher, MatchLog, type Standing } from "./matcher.ts";
import type { Run } from "./run.ts";
import type { TradeColumns } from "./trade-columns.ts";

/**
 * The largest denominator of an exact cost. The cost of a position that never goes flat is a fraction whose
 * denominator grows with every partial close. Up to this limit, which exceeds what a report prints exactly,
 * it is exact; beyond the limit it is rounded to 40 decimal places, and every figure of the lane carries
 * `rounded` until the position is flat. Rounding only shifts the split between realized and open, by less
 * than 1e-39 per trade; realized + unrealized stays exact, because it follows from the trades' cash.
 */
const denominatorMax = 1n << 256n;
const roundedPlaces = 40;

/**
 * Average cost: one pool holds the whole open position. A close takes from the pool at the average price and
 * does not change the average. Crossing zero starts a new pool.
 */
export class AverageMatcher implements Matcher {
  readonly matches = new MatchLog();
  readonly #trades: TradeColumns;
  #quantityScale = 0;
  #priceScale = 0;
  /** Signed, in 10^-quantityScale. */
  #quantity = 0n;
  /**
   * Signed cost of the pool: numerator / denominator × 10^-(quantityScale + priceScale); the denominator is
   * positive.
   */
  #costNumerator = 0n;
  #costDenominator = 1n;
  /** Money in minus money out: realized = cash + cost of the pool. */
  #cash = 0n;
  #rounded = false;

  constructor(trades: TradeColumns) {
    this.#trades = trades;
  }

  get flat(): boolean {
    return this.#quantity === 0n;
  }

  apply(run: Run, from: number, until: number): number {
    for (let at = from; at < until; at++) this.#take(run.trade[at] as number);
    return until;
  }

  #take(trade: number): void {
    const { coefficient, scale: quantityScale } = this.#trades.quantity.at(trade);
    const { coefficient: priceCoefficient, scale: priceScale } = this.#trades.price.at(trade);
    this.#growScales(quantityScale, priceScale);
    const side = BigInt(this.#trades.sideAt(trade));
    const price = priceCoefficient * powerOfTen(this.#priceScale - priceScale);
    let signed = side * coefficient * powerOfTen(this.#quantityScale - quantityScale);
    this.#cash -= signed * price;
    if (this.#quantity * signed < 0n) signed = this.#close(trade, signed);
    this.#quantity += signed;
    this.#costNumerator += signed * price * this.#costDenominator;
  }

  /**
   * Closes as much of the pool as possible; returns the rest, which opens a position in the other direction.
   */
  #close(trade: number, signed: bigint): bigint {
    const held = this.#quantity;
    const crosses = magnitude(signed) > magnitude(held);
    const taken = crosses ? -held : signed;
    this.matches.pushWide(-1, trade, magnitude(taken), this.#quantityScale);
    this.matches.openPrice.push(
      this.#rounded ? { ...this.#averagePrice(), rounded: true } : this.#averagePrice(),
    );
    this.#quantity = held + taken;
    this.#keepCost(this.#quantity, held);
    return signed - taken;
  }

  /**
   * Keeps the share `quantity / held` of the cost. Before multiplying, cancels each numerator against the
   * denominator of the other fraction. One of the two is always a small number, so the product is in lowest
   * terms and no common divisor of two long numbers has to be computed.
   */
  #keepCost(quantity: bigint, held: bigint): void {
    const share = fraction(quantity, held);
    const byDenominator = commonDivisor(this.#costNumerator % share.denominator, share.denominator);
    const byNumerator = commonDivisor(
      share.numerator === 0n ? this.#costDenominator : this.#costDenominator % share.numerator,
      share.numerator,
    );
    this.#costNumerator = (this.#costNumerator / byDenominator) * (share.numerator / byNumerator);
    this.#costDenominator = (this.#costDenominator / byNumerator) * (share.denominator / byDenominator);
    if (this.#costDenominator > denominatorMax) {
      this.#costNumerator = roundHalfAway(
        { numerator: this.#costNumerator, denominator: this.#costDenominator },
        roundedPlaces,
      );
      this.#costDenominator = powerOfTen(roundedPlaces);
      this.#rounded = true;
    }
    if (this.#quantity === 0n) this.#rounded = false;
  }

  #averagePrice(): Fraction {
    // As in keepCost: the cost is in lowest terms, so only the common divisor with the small number is
    // needed.
    const units = this.#quantity * powerOfTen(this.#priceScale);
    const common = commonDivisor(this.#costNumerator % units, units) * (units < 0n ? -1n : 1n);
    return { numerator: this.#costNumerator / common, denominator: this.#costDenominator * (units / common) };
  }

  standing(): Standing {
    const scale = powerOfTen(this.#quantityScale + this.#priceScale);
    const openCost = fraction(this.#costNumerator, this.#costDenominator * scale);
    const cash = fraction(this.#cash, scale);
    return {
      quantity: fromScaled(this.#quantity, this.#quantityScale),
      realized: add(cash, openCost),
      openCost,
      ...(this.#rounded ? { rounded: true } : {}),
    };
  }

  lots(): Lot[] {
    if (this.flat) return [];
    return [
      { trade: null, quantity: fromScaled(this.#quantity, this.#quantityScale), price: this.#averagePrice() },
    ];
  }

  restart(matchCount: number, realized: Fraction): void {
    this.matches.truncate(matchCount);
    this.#quantity = 0n;
    this.#costNumerator = 0n;
    this.#costDenominator = 1n;
    this.#rounded = false;
    this.#cash =
      (realized.numerator * powerOfTen(this.#quantityScale + this.#priceScale)) / realized.denominator;
  }

  widened(): Matcher {
    return this;
  }

  #growScales(quantityScale: number, priceScale: number): void {
    const quantityFactor = powerOfTen(Math.max(0, quantityScale - this.#quantityScale));
    const factor = quantityFactor * powerOfTen(Math.max(0, priceScale - this.#priceScale));
    if (factor === 1n) return;
    this.#quantity *= quantityFactor;
    this.#costNumerator *= factor;
    this.#cash *= factor;
    this.#quantityScale = Math.max(quantityScale, this.#quantityScale);
    this.#priceScale = Math.max(priceScale, this.#priceScale);
  }
}

const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);
