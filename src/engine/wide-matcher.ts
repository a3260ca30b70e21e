import type { Fraction } from "../base/fraction.ts";
import {
  absolute,
  add,
  compare,
  fromDecimal,
  isZero,
  multiply,
  negate,
  subtract,
  zero,
} from "../base/fraction.ts";
import type { Lot, Matcher, MatchLog, Standing } from "./matcher.ts";
import type { Run } from "./run.ts";
import type { TradeColumns } from "./trade-columns.ts";

/**
 * FIFO and LIFO on numbers of any size. It replaces a lane's fast matcher when a price or quantity does not
 * fit that one, and takes over its state, match log included. About twenty times slower, and equally exact.
 */
export class WideMatcher implements Matcher {
  readonly matches: MatchLog;
  readonly #trades: TradeColumns;
  readonly #takesOldest: boolean;
  /** Open lots begin at #head; quantities are unsigned. */
  #lots: OpenLot[];
  #head = 0;
  #side: number;
  #quantity: Fraction;
  #realized: Fraction;
  #openCost: Fraction;

  constructor(
    trades: TradeColumns,
    method: "fifo" | "lifo",
    from: { readonly matches: MatchLog; readonly lots: readonly Lot[]; readonly standing: Standing },
  ) {
    this.#trades = trades;
    this.#takesOldest = method === "fifo";
    this.matches = from.matches;
    this.#lots = from.lots.map((lot) => ({
      trade: lot.trade as number,
      quantity: absolute(lot.quantity),
      price: lot.price,
    }));
    this.#side = from.standing.quantity.numerator < 0n ? -1 : 1;
    this.#quantity = from.standing.quantity;
    this.#realized = from.standing.realized;
    this.#openCost = from.standing.openCost;
  }

  get flat(): boolean {
    return isZero(this.#quantity);
  }

  apply(run: Run, from: number, until: number): number {
    for (let at = from; at < until; at++) this.#take(run.trade[at] as number);
    return until;
  }

  #take(trade: number): void {
    const side = this.#trades.sideAt(trade);
    const price = fromDecimal(this.#trades.price.at(trade));
    let left = fromDecimal(this.#trades.quantity.at(trade));
    this.#quantity = add(this.#quantity, side < 0 ? negate(left) : left);
    while (!isZero(left) && side !== this.#side && this.#head < this.#lots.length)
      left = this.#close(trade, left, price);
    if (!isZero(left)) {
      this.#side = side;
      this.#lots.push({ trade, quantity: left, price });
      this.#openCost = add(this.#openCost, this.#signed(multiply(left, price)));
    }
  }

  #close(trade: number, left: Fraction, price: Fraction): Fraction {
    const at = this.#takesOldest ? this.#head : this.#lots.length - 1;
    const lot = this.#lots[at] as OpenLot;
    const whole = compare(lot.quantity, left) <= 0;
    const taken = whole ? lot.quantity : left;
    this.#realized = add(this.#realized, this.#signed(multiply(subtract(price, lot.price), taken)));
    this.#openCost = subtract(this.#openCost, this.#signed(multiply(taken, lot.price)));
    const { numerator, scale } = scaled(taken);
    this.matches.pushWide(lot.trade, trade, numerator, scale);
    if (!whole) lot.quantity = subtract(lot.quantity, taken);
    else if (this.#takesOldest) this.#dropOldest();
    else this.#lots.pop();
    return subtract(left, taken);
  }

  #dropOldest(): void {
    this.#head += 1;
    // Frees the space before the head when it is more than half: constant time per lot.
    if (this.#head > 1024 && this.#head * 2 > this.#lots.length) {
      this.#lots = this.#lots.slice(this.#head);
      this.#head = 0;
    }
  }

  #signed(value: Fraction): Fraction {
    return this.#side < 0 ? negate(value) : value;
  }

  standing(): Standing {
    return { quantity: this.#quantity, realized: this.#realized, openCost: this.#openCost };
  }

  lots(): Lot[] {
    return this.#lots
      .slice(this.#head)
      .map((lot) => ({ trade: lot.trade, quantity: this.#signed(lot.quantity), price: lot.price }));
  }

  restart(matchCount: number, realized: Fraction): void {
    this.matches.truncate(matchCount);
    this.#lots = [];
    this.#head = 0;
    this.#quantity = zero;
    this.#openCost = zero;
    this.#realized = realized;
  }

  widened(): Matcher {
    return this;
  }
}

interface OpenLot {
  readonly trade: number;
  quantity: Fraction;
  readonly price: Fraction;
}

/**
 * A decimal fraction as a whole number of units of 10^-scale. Quantities are decimals, and so are their
 * differences.
 */
function scaled({ numerator, denominator }: Fraction): { numerator: bigint; scale: number } {
  let scale = 0;
  let power = 1n;
  while (power % denominator !== 0n) {
    power *= 10n;
    scale += 1;
  }
  return { numerator: (numerator * power) / denominator, scale };
}
