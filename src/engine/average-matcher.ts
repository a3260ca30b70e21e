import { powerOfTen } from "../domain/decimal.ts";
import { add, type Fraction, fraction, fromScaled, roundHalfAway } from "../domain/fraction.ts";
import { type Lot, type Matcher, MatchLog, type Standing } from "./matcher.ts";
import type { Run } from "./run.ts";
import type { TradeColumns } from "./trade-columns.ts";

/**
 * The cost of a position that never goes flat is a fraction whose denominator grows with every partial close. Up to this
 * size it is exact (some 1 200 digits: hundreds of partial closes of odd lots); beyond it is rounded to 40 decimal places,
 * so that cost stays linear in the trades. Only the split between realized and open moves then, by less than 1e-39 a
 * trade; realized + unrealized stays exact, because it follows from the trades' cash.
 */
const denominatorMax = 1n << 4096n;
const roundedPlaces = 40;

/** Average cost, per direction: one pool of what is open; a close takes from it at the average and leaves the average as it was. Crossing zero starts a new pool. */
export class AverageMatcher implements Matcher {
  readonly matches = new MatchLog();
  readonly #trades: TradeColumns;
  #quantityScale = 0;
  #priceScale = 0;
  /** Signed, in 10^-quantityScale. */
  #quantity = 0n;
  /** Signed cost of what is open: numerator / denominator × 10^-(quantityScale + priceScale), denominator positive. */
  #costNumerator = 0n;
  #costDenominator = 1n;
  /** Money in less money out: realized = cash + cost of what is open. */
  #cash = 0n;

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
    const side = BigInt(this.#trades.side[trade] as number);
    const price = priceCoefficient * powerOfTen(this.#priceScale - priceScale);
    let signed = side * coefficient * powerOfTen(this.#quantityScale - quantityScale);
    this.#cash -= signed * price;
    if (this.#quantity * signed < 0n) signed = this.#close(trade, signed);
    this.#quantity += signed;
    this.#costNumerator += signed * price * this.#costDenominator;
  }

  /** Takes what it can from the pool; returns what is left to open the other way. */
  #close(trade: number, signed: bigint): bigint {
    const held = this.#quantity;
    const crosses = magnitude(signed) > magnitude(held);
    const taken = crosses ? -held : signed;
    this.matches.pushWide(-1, trade, magnitude(taken), this.#quantityScale);
    this.matches.openPrice.push(this.#averagePrice());
    this.#quantity = held + taken;
    const kept = fraction(this.#costNumerator * this.#quantity, this.#costDenominator * held);
    this.#costNumerator = kept.numerator;
    this.#costDenominator = kept.denominator;
    if (kept.denominator > denominatorMax) {
      this.#costNumerator = roundHalfAway(kept, roundedPlaces);
      this.#costDenominator = powerOfTen(roundedPlaces);
    }
    return signed - taken;
  }

  #averagePrice(): Fraction {
    return fraction(this.#costNumerator, this.#costDenominator * this.#quantity * powerOfTen(this.#priceScale));
  }

  standing(): Standing {
    const scale = powerOfTen(this.#quantityScale + this.#priceScale);
    const openCost = fraction(this.#costNumerator, this.#costDenominator * scale);
    const cash = fraction(this.#cash, scale);
    return {
      quantity: fromScaled(this.#quantity, this.#quantityScale),
      realized: add(cash, openCost),
      openCost,
    };
  }

  lots(): Lot[] {
    if (this.flat) return [];
    return [{ trade: null, quantity: fromScaled(this.#quantity, this.#quantityScale), price: this.#averagePrice() }];
  }

  restart(matchCount: number, realized: Fraction): void {
    this.matches.truncate(matchCount);
    this.#quantity = 0n;
    this.#costNumerator = 0n;
    this.#costDenominator = 1n;
    this.#cash = (realized.numerator * powerOfTen(this.#quantityScale + this.#priceScale)) / realized.denominator;
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
