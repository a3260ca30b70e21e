/**
 * An independent lot matcher to compare with the engine, made of plain bigint fractions and arrays. It shares
 * no code with the engine, not even its arithmetic.
 */
export interface OracleTrade {
  readonly side: "B" | "S";
  readonly quantity: string;
  readonly price: string;
}

export type Rational = readonly [numerator: bigint, denominator: bigint];

export interface OracleAnswer {
  readonly quantity: Rational;
  readonly realized: Rational;
  readonly unrealized: Rational;
  readonly lots: readonly {
    readonly opened: number | null;
    readonly quantity: Rational;
    readonly price: Rational;
  }[];
  readonly matches: readonly {
    readonly opened: number | null;
    readonly closed: number;
    readonly quantity: Rational;
    readonly pnl: Rational;
  }[];
}

export function oracle(
  method: "fifo" | "lifo" | "average",
  trades: readonly OracleTrade[],
  mark: string,
): OracleAnswer {
  type Lot = { opened: number | null; quantity: Rational; price: Rational };
  let lots: Lot[] = [];
  let realized: Rational = [0n, 1n];
  const matches: { opened: number | null; closed: number; quantity: Rational; pnl: Rational }[] = [];
  trades.forEach((trade, index) => {
    const price = read(trade.price);
    let left = trade.side === "B" ? read(trade.quantity) : minus(read(trade.quantity));
    while (left[0] !== 0n && lots.length > 0 && sign((lots[0] as Lot).quantity) !== sign(left)) {
      const at = method === "lifo" ? lots.length - 1 : 0;
      const lot = lots[at] as Lot;
      const taken = less(size(left), size(lot.quantity)) ? size(left) : size(lot.quantity);
      const gain = times(minusOf(price, lot.price), sign(lot.quantity) > 0 ? taken : minus(taken));
      realized = plus(realized, gain);
      matches.push({ opened: lot.opened, closed: index, quantity: taken, pnl: gain });
      lot.quantity = sign(lot.quantity) > 0 ? minusOf(lot.quantity, taken) : plus(lot.quantity, taken);
      left = sign(left) > 0 ? minusOf(left, taken) : plus(left, taken);
      if (lot.quantity[0] === 0n) lots.splice(at, 1);
    }
    if (left[0] === 0n) return;
    lots.push({ opened: index, quantity: left, price });
    if (method !== "average") return;
    const quantity = lots.map((lot) => lot.quantity).reduce(plus);
    const cost = lots.map((lot) => times(lot.quantity, lot.price)).reduce(plus);
    lots = [{ opened: null, quantity, price: over(cost, quantity) }];
  });
  const at = read(mark);
  return {
    quantity: lots.map((lot) => lot.quantity).reduce(plus, [0n, 1n]),
    realized,
    unrealized: lots.map((lot) => times(minusOf(at, lot.price), lot.quantity)).reduce(plus, [0n, 1n]),
    lots,
    matches: matches.map((match) => (method === "average" ? { ...match, opened: null } : match)),
  };
}

/** Reads decimal text or `p/q`. */
export function read(text: string): Rational {
  const [numerator = "", denominator] = text.split("/");
  if (denominator !== undefined) return reduced(BigInt(numerator), BigInt(denominator));
  const [whole = "", places = ""] = numerator.split(".");
  return reduced(BigInt(whole + places), 10n ** BigInt(places.length));
}

export const equal = (a: Rational, b: Rational): boolean => a[0] * b[1] === b[0] * a[1];

const reduced = (numerator: bigint, denominator: bigint): Rational => {
  const divide = (a: bigint, b: bigint): bigint => (b === 0n ? a : divide(b, a % b));
  const common = divide(
    numerator < 0n ? -numerator : numerator,
    denominator < 0n ? -denominator : denominator,
  );
  const divisor = denominator < 0n ? -common : common;
  return common === 0n ? [0n, 1n] : [numerator / divisor, denominator / divisor];
};
const plus = (a: Rational, b: Rational): Rational => reduced(a[0] * b[1] + b[0] * a[1], a[1] * b[1]);
const minus = (a: Rational): Rational => [-a[0], a[1]];
const minusOf = (a: Rational, b: Rational): Rational => plus(a, minus(b));
const times = (a: Rational, b: Rational): Rational => reduced(a[0] * b[0], a[1] * b[1]);
const over = (a: Rational, b: Rational): Rational => reduced(a[0] * b[1], a[1] * b[0]);
const less = (a: Rational, b: Rational): boolean => a[0] * b[1] < b[0] * a[1];
const sign = (a: Rational): number => (a[0] < 0n ? -1 : a[0] > 0n ? 1 : 0);
const size = (a: Rational): Rational => (a[0] < 0n ? minus(a) : a);
