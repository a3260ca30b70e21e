/**
 * The reference engine: lot matching and valuation in the plainest form, with a switch for every rule in which
 * a P&L system is known to depart. It explains a difference by reproducing it. It shares no code with the
 * modern engine, whose figures it gives when no switch is set.
 *
 * Quantities and prices are whole numbers of units (powers of ten chosen by the component), so that sums are
 * exact while they stay below 2^53. Linear in trades, and in days with open lots.
 */

/** One row of a ledger. */
export interface Row {
  /** Its place in the order of reading, from 0. */
  readonly place: number;
  readonly file: number;
  readonly line: number;
  /** Its number in its file and in all files, from 1: rows of other instruments and refused rows count too. */
  readonly number: number;
  readonly ordinal: number;
  readonly id: string;
  readonly book: string | undefined;
  /** The symbol as the row spells it. */
  readonly symbol: string;
  /** The lane in which modern keeps the row. */
  readonly lane: string;
  /** Quantity in units; negative for a sale. */
  readonly signed: number;
  /** Price in units. */
  readonly price: number;
  readonly timeUs: number;
  /** Chicago wall time. */
  readonly wallUs: number;
  /** The trading day under the rule of the base. */
  readonly day: number;
  /** The place of the row of an earlier file that this one repeats. */
  readonly repeats: number | undefined;
  /** The code of the refusal; such a row is in no figure unless a rule admits it. */
  readonly refused: string | undefined;
  /** Whether an earlier row of the file, or a later row of any file, has the same id; also in another lane. */
  readonly hasEarlierId: boolean;
  readonly hasLaterId: boolean;
  /** Whether the row's time is written in a form of its own, such as with a `T`. */
  readonly oddTime: boolean;
}

/** What is known of a lane besides its rows. */
export interface LaneFacts {
  readonly name: string;
  readonly book: string | undefined;
  readonly symbol: string;
  readonly multiplier: number;
  /** Marks in price units by day. */
  readonly marks: ReadonlyMap<number, number>;
  /** Other prices of the same symbol and day that the price files have. */
  readonly otherPrices: ReadonlyMap<number, readonly number[]>;
}

export interface World {
  /** In the order of reading. */
  readonly rows: readonly Row[];
  readonly lanes: ReadonlyMap<string, LaneFacts>;
  /** Days on which open lots are valued, ascending; days of trades come on top. */
  readonly days: readonly number[];
  readonly asOfDay: number;
  /** Units per whole lot and per point. */
  readonly quantityUnit: number;
  readonly priceUnit: number;
}

type LotRule = "fifo" | "lifo" | "average" | ((row: Row) => string);

export interface Rules {
  readonly admitsRepeated: boolean;
  /** Codes of refused rows that count. */
  readonly admits: ReadonlySet<string>;
  readonly keeps: readonly ((row: Row) => boolean)[];
  readonly edits: readonly ((rows: readonly Row[]) => readonly Row[])[];
  /** The lane under which a row is matched and reported. */
  readonly laneOf: (row: Row) => string;
  readonly dayOf: (row: Row) => number | undefined;
  readonly order: "time" | "file" | "second" | "ties-reversed";
  readonly lots: LotRule;
  /** Whether the open lots become one lot at their average price before a row. */
  readonly melts: ((row: Row, before: Row) => boolean) | undefined;
  readonly carriesOverFiles: boolean;
  readonly floats: boolean;
  readonly multiplierOf: (lane: LaneFacts) => number;
  readonly markOf: (lane: LaneFacts, day: number) => number | undefined;
  /** The value of an open position without a mark. */
  readonly unmarked: "none" | "zero" | "last-trade";
  /** Where a mark of 0 counts as none. */
  readonly zeroMark: "a-price" | "none" | "zero" | "zero-in-positions";
  readonly unrealizedSince: "entry" | "last-close";
  readonly realizedSince: "entry" | "last-close";
  readonly total: "change" | "level";
  readonly flips: "nothing" | "longs" | "all";
  readonly flat: "row" | "no-row" | "no-realized";
  /** Decimal places to which amounts in points are rounded. */
  readonly places: number | undefined;
}

export interface Figures {
  readonly quantity: number;
  readonly averagePrice: number | null;
  /** In money. Of a day: of that day alone. */
  readonly realized: number;
  readonly realizedToDate: number;
  readonly unrealized: number | null;
  readonly total: number;
  /** Set if `unrealized` is no value but the convention for a missing mark. */
  readonly isUnmarked: boolean;
}

export interface LaneFigures {
  readonly position: Figures | undefined;
  readonly days: ReadonlyMap<number, Figures>;
}

/** The figures of every lane under a set of rules, and the number of trades taken. */
export function figuresUnder(
  world: World,
  rules: Rules,
): { readonly lanes: ReadonlyMap<string, LaneFigures>; readonly trades: number } {
  const byLane = new Map<string, Row[]>();
  let trades = 0;
  for (const row of population(world.rows, rules)) {
    const name = rules.laneOf(row);
    const rows = byLane.get(name);
    if (rows === undefined) byLane.set(name, [row]);
    else rows.push(row);
    trades += 1;
  }
  const lanes = new Map<string, LaneFigures>();
  for (const [name, rows] of byLane) {
    const facts = world.lanes.get(name) ?? factsOf(world, name, rows[0]);
    lanes.set(name, laneFigures(world, rules, facts, rows));
  }
  return { lanes, trades };
}

/** A lane that only a rule knows has the facts of the lane of its first row. */
const factsOf = (world: World, name: string, row: Row | undefined): LaneFacts => {
  const known = world.lanes.get(row?.lane ?? "");
  return known === undefined ? { ...nothingKnown, name } : { ...known, name };
};

const nothingKnown = {
  book: undefined,
  symbol: "",
  multiplier: 1,
  marks: new Map<number, number>(),
  otherPrices: new Map<number, readonly number[]>(),
};

/** The rows that count under one set of rules and not, or not in the same way, under the other. */
export function rowsTreatedDifferently(
  { rows }: Pick<World, "rows">,
  base: Rules,
  rules: Rules,
): readonly Row[] {
  const inLanes = (under: Rules): ReadonlyMap<number, string> => {
    const treated = new Map<number, string>();
    for (const row of population(rows, under)) {
      const how = `${row.signed} ${row.price} ${under.laneOf(row)}`;
      treated.set(row.place, `${treated.get(row.place) ?? ""}${how} `);
    }
    return treated;
  };
  const [before, after] = [inLanes(base), inLanes(rules)];
  return rows.filter(({ place }) => before.get(place) !== after.get(place));
}

function population(all: readonly Row[], rules: Rules): readonly Row[] {
  // A repeated row counts if the row that it repeats does not.
  const kept = all.some(({ repeats }) => repeats !== undefined) ? new Set<number>() : undefined;
  let rows: readonly Row[] = all.filter((row) => {
    if (row.refused !== undefined && !rules.admits.has(row.refused)) return false;
    if (!rules.keeps.every((keeps) => keeps(row))) return false;
    if (row.repeats !== undefined && !rules.admitsRepeated && kept?.has(row.repeats) === true) return false;
    kept?.add(row.place);
    return true;
  });
  for (const edit of rules.edits) rows = edit(rows);
  return rows;
}

function inOrder(rows: readonly Row[], rules: Rules): readonly (readonly [Row, number])[] {
  const dated: [Row, number][] = [];
  for (const row of rows) {
    const day = rules.dayOf(row);
    if (day !== undefined) dated.push([row, day]);
  }
  const { order } = rules;
  const timeOf = order === "second" ? (row: Row) => Math.floor(row.timeUs / 1e6) : (row: Row) => row.timeUs;
  const ties = order === "ties-reversed" ? -1 : 1;
  const comparison = ([a, dayA]: [Row, number], [b, dayB]: [Row, number]): number =>
    dayA - dayB || (order === "file" ? 0 : timeOf(a) - timeOf(b)) || ties * (a.place - b.place);
  for (let at = 1; at < dated.length; at++)
    if (comparison(dated[at - 1] as [Row, number], dated[at] as [Row, number]) > 0)
      return dated.sort(comparison);
  return dated;
}

function laneFigures(world: World, rules: Rules, facts: LaneFacts, rows: readonly Row[]): LaneFigures {
  const scale = rules.floats ? [world.quantityUnit, world.priceUnit] : [1, 1];
  const [quantityScale = 1, priceScale = 1] = scale;
  const book = new LotBook(world, rules, facts);
  const days = new Map<number, Figures>();
  const calendar = world.days;
  let next = 0;
  let current: number | undefined;
  let last: Row | undefined;
  const end = (day: number, traded: boolean): void => {
    const figures = book.endDay(day, traded);
    if (figures !== undefined) days.set(day, figures);
  };
  const passTo = (day: number | undefined): void => {
    if (current !== undefined) end(current, true);
    for (
      let open = calendar[next];
      open !== undefined && (day === undefined || open < day);
      open = calendar[++next]
    )
      if (current === undefined || open > current) end(open, false);
    current = day;
  };
  for (const [row, day] of inOrder(rows, rules)) {
    if (day !== current) passTo(day);
    if (last !== undefined && !rules.carriesOverFiles && last.file !== row.file) book.empty();
    if (last !== undefined && rules.melts?.(row, last) === true) book.melt();
    book.take(row, row.signed / quantityScale, row.price / priceScale);
    last = row;
  }
  passTo(undefined);
  return { position: book.position(), days };
}

/** The open lots of one lane and the figures of its running day. */
class LotBook {
  readonly #rules: Rules;
  readonly #facts: LaneFacts;
  readonly #asOfDay: number;
  /** What turns units into whole quantities and prices. */
  readonly #quantityUnit: number;
  readonly #priceUnit: number;
  readonly #money: number;
  readonly #markUnit: number;
  #prices: number[] = [];
  #signed: number[] = [];
  /** The price since which a lot's unrealized P&L counts, where that is the last close. */
  #bases: number[] = [];
  #keys: string[] = [];
  #head = 0;
  #quantity = 0;
  #cost = 0;
  #earned = 0;
  #realized = 0;
  #unrealized = 0;
  #lastPrice: number | undefined;
  #rebased = false;

  constructor({ quantityUnit, priceUnit, asOfDay }: World, rules: Rules, facts: LaneFacts) {
    this.#rules = rules;
    this.#facts = facts;
    this.#asOfDay = asOfDay;
    this.#quantityUnit = rules.floats ? 1 : quantityUnit;
    this.#priceUnit = rules.floats ? 1 : priceUnit;
    this.#markUnit = rules.floats ? priceUnit : 1;
    this.#money = rules.multiplierOf(facts) / (this.#quantityUnit * this.#priceUnit);
    this.#rebased = rules.unrealizedSince === "last-close" || rules.realizedSince === "last-close";
  }

  take(row: Row, signed: number, price: number): void {
    const { lots, flips, realizedSince } = this.#rules;
    const opened = realizedSince === "entry" ? this.#prices : this.#bases;
    this.#lastPrice = price;
    this.#quantity += signed;
    let left = signed;
    while (left !== 0 && this.#head < this.#signed.length) {
      const at = lots === "lifo" ? this.#signed.length - 1 : this.#head;
      const held = this.#signed[at] as number;
      if (held > 0 === left > 0) break;
      const matched = Math.abs(held) < Math.abs(left) ? held : -left;
      const gain = matched * (price - (opened[at] as number));
      this.#earned += flips === "all" || (flips === "longs" && matched > 0) ? -gain : gain;
      this.#cost -= matched * (this.#prices[at] as number);
      this.#signed[at] = held - matched;
      left += matched;
      if (this.#signed[at] === 0) this.#drop(at);
    }
    if (left === 0) return;
    this.#cost += left * price;
    if (lots === "average" && this.#head < this.#signed.length) {
      this.#signed[this.#head] = (this.#signed[this.#head] as number) + left;
      this.#prices[this.#head] = this.#cost / (this.#signed[this.#head] as number);
      return;
    }
    if (typeof lots === "function") this.#insert(left, price, lots(row));
    else this.#push(left, price);
  }

  #push(signed: number, price: number): void {
    this.#signed.push(signed);
    this.#prices.push(price);
    if (this.#rebased) this.#bases.push(price);
  }

  /** Keeps the lots in the order of their keys; equal keys stay in order of time. */
  #insert(signed: number, price: number, key: string): void {
    let [at, end] = [this.#head, this.#signed.length];
    while (at < end) {
      const middle = (at + end) >> 1;
      if ((this.#keys[middle] as string) > key) end = middle;
      else at = middle + 1;
    }
    this.#signed.splice(at, 0, signed);
    this.#prices.splice(at, 0, price);
    this.#keys.splice(at, 0, key);
    if (this.#rebased) this.#bases.splice(at, 0, price);
  }

  #drop(at: number): void {
    if (at === this.#head) {
      this.#head += 1;
      if (this.#head < 4096 || this.#head * 2 < this.#signed.length) return;
      for (const column of [this.#signed, this.#prices, this.#bases, this.#keys])
        column.splice(0, this.#head);
      this.#head = 0;
    } else for (const column of [this.#signed, this.#prices, this.#bases, this.#keys]) column.pop();
  }

  empty(): void {
    for (const column of [this.#signed, this.#prices, this.#bases, this.#keys]) column.length = 0;
    this.#head = 0;
    this.#quantity = 0;
    this.#cost = 0;
  }

  melt(): void {
    const [quantity, cost] = [this.#quantity, this.#cost];
    if (quantity === 0) return;
    this.empty();
    this.#quantity = quantity;
    this.#cost = cost;
    if (typeof this.#rules.lots === "function") this.#keys.push("");
    this.#push(quantity, cost / quantity);
  }

  /** Ends a day. Undefined if the lane neither traded on it nor holds a lot. */
  endDay(day: number, traded: boolean): Figures | undefined {
    if (this.#rules.floats) this.#sumLots();
    if (!traded && this.#quantity === 0) return undefined;
    const figures = this.#valued(day, false);
    const earned = this.#earned;
    this.#realized += earned;
    this.#earned = 0;
    const unrealized = figures.unrealized;
    const change =
      unrealized === null ? 0 : this.#rules.total === "level" ? unrealized : unrealized - this.#unrealized;
    this.#unrealized = unrealized ?? this.#unrealized;
    if (this.#rebased) this.#rebase(day);
    return {
      ...figures,
      realized: this.#amount(earned),
      realizedToDate: this.#amount(this.#realized),
      unrealized: unrealized === null ? null : this.#amount(unrealized),
      total: this.#amount(earned + change),
    };
  }

  /** The position after the last trade, valued on the as-of day. Undefined if the system has no row for it. */
  position(): Figures | undefined {
    const { flat } = this.#rules;
    if (this.#quantity === 0 && flat === "no-row") return undefined;
    const figures = this.#valued(this.#asOfDay, true);
    const realized = this.#quantity === 0 && flat === "no-realized" ? 0 : this.#realized;
    const unrealized = this.#rebased && figures.unrealized !== null ? this.#unrealized : figures.unrealized;
    return {
      ...figures,
      realized: this.#amount(realized),
      realizedToDate: this.#amount(realized),
      unrealized: unrealized === null ? null : this.#amount(unrealized),
      total: 0,
    };
  }

  /** A restart of a float's sum each time: that is how such systems round. */
  #sumLots(): void {
    this.#quantity = 0;
    this.#cost = 0;
    for (let at = this.#head; at < this.#signed.length; at++) {
      this.#quantity += this.#signed[at] as number;
      this.#cost += (this.#signed[at] as number) * (this.#prices[at] as number);
    }
  }

  /** The position valued on a day; amounts in units. */
  #valued(day: number, isPosition: boolean): Figures {
    const quantity = this.#quantity;
    const { unmarked, zeroMark } = this.#rules;
    let mark = this.#rules.markOf(this.#facts, day);
    if (mark !== undefined) mark /= this.#markUnit;
    let isZero = unmarked === "zero";
    if (mark === 0 && zeroMark !== "a-price" && (zeroMark !== "zero-in-positions" || isPosition)) {
      mark = undefined;
      isZero ||= zeroMark !== "none";
    }
    const isUnmarked = mark === undefined;
    if (mark === undefined && unmarked === "last-trade") mark = this.#lastPrice;
    const unrealized =
      quantity === 0 ? 0 : mark === undefined ? (isZero ? 0 : null) : quantity * mark - this.#basisCost();
    return {
      quantity: quantity / this.#quantityUnit,
      averagePrice: quantity === 0 ? null : this.#cost / quantity / this.#priceUnit,
      realized: 0,
      realizedToDate: 0,
      unrealized,
      total: 0,
      isUnmarked,
    };
  }

  #basisCost(): number {
    if (this.#rules.unrealizedSince === "entry") return this.#cost;
    let cost = 0;
    for (let at = this.#head; at < this.#signed.length; at++)
      cost += (this.#signed[at] as number) * (this.#bases[at] as number);
    return cost;
  }

  #rebase(day: number): void {
    const mark = this.#rules.markOf(this.#facts, day);
    if (mark !== undefined) this.#bases.fill(mark / this.#markUnit, this.#head);
  }

  #amount(units: number): number {
    const { places } = this.#rules;
    const money = units * this.#money;
    if (places === undefined) return money;
    const multiplier = this.#rules.multiplierOf(this.#facts);
    return (Math.round((money / multiplier) * 10 ** places) / 10 ** places) * multiplier;
  }
}
