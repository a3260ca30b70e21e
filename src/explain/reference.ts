/**
 * The reference engine: lot matching and valuation in the plainest form, with a switch for every rule in
 * which a P&L system is known to depart. It explains a difference by reproducing it. It shares no code with
 * the modern engine, and gives the modern engine's figures if no switch is set.
 *
 * Quantities and prices are whole numbers of units (powers of ten chosen by the component), so that sums are
 * exact while they stay below 2^53. A run takes time linear in the trades and in the days with open lots;
 * each lot closed by a key also costs the logarithm of the number of lots.
 *
 * A run matches the rows and then values the open lots at the end of each day. Runs whose rules differ only
 * in valuing or reporting share the matching.
 */
import type { Row, Rows } from "./row.ts";

/** The facts about a lane besides its rows. */
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
  /** The rows in the order of reading. */
  readonly rows: Rows;
  /** The places of rows that a later row repeats. */
  readonly repeated: ReadonlySet<number>;
  readonly lanes: ReadonlyMap<string, LaneFacts>;
  /** The days on which open lots are valued, in ascending order; days with trades are added to them. */
  readonly days: readonly number[];
  readonly asOfDay: number;
  /** The units per whole lot and per point. */
  readonly quantityUnit: number;
  readonly priceUnit: number;
  /** Keeps the matched lots for further runs over the same rows. */
  readonly memory?: Memory | undefined;
}

/**
 * The order in which lots are closed. A function returns the key of a lot; the lot with the lowest key is
 * closed first.
 */
type LotRule = "fifo" | "lifo" | "average" | ((row: Row) => number);

export interface Rules {
  readonly admitsRepeated: boolean;
  /** Codes of refused rows that count. */
  readonly admits: readonly string[];
  readonly keeps: readonly ((row: Row) => boolean)[];
  /** Rows that count twice. */
  readonly doubles: ((row: Row) => boolean) | undefined;
  /** Functions that change the quantity of each row, in units. */
  readonly sizes: readonly ((signed: number, row: Row) => number)[];
  readonly edits: readonly ((rows: readonly Row[]) => readonly Row[])[];
  /** The lane under which a row is matched and reported. */
  readonly laneOf: (row: Row) => string;
  readonly dayOf: (row: Row) => number | undefined;
  readonly order: "time" | "file" | "second" | "ties-reversed";
  readonly lots: LotRule;
  /** Whether the open lots become one lot at their average price before a row. */
  readonly mergesLots: ((row: Row, before: Row) => boolean) | undefined;
  readonly carriesOverFiles: boolean;
  readonly floats: boolean;
  readonly multiplierOf: (lane: LaneFacts) => number;
  readonly markOf: (lane: LaneFacts, day: number) => number | undefined;
  /** The value of an open position without a mark. */
  readonly unmarked: "none" | "zero" | "last-trade";
  /** The treatment of a mark of 0. */
  readonly zeroMark: "a-price" | "none" | "zero" | "zero-in-positions";
  readonly unrealizedSince: "entry" | "last-close";
  readonly realizedSince: "entry" | "last-close";
  readonly total: "change" | "level";
  /** The closes whose realized P&L gets the opposite sign. */
  readonly invertedCloses: "nothing" | "longs" | "all";
  /** How a flat position is reported: with a row, without one, or with a realized P&L of 0. */
  readonly flatPosition: "row" | "no-row" | "no-realized";
  /** Decimal places to which amounts in points are rounded. */
  readonly places: number | undefined;
}

export interface Figures {
  readonly quantity: number;
  readonly averagePrice: number | null;
  /** Realized P&L in money; in a daily row, that of the day only. */
  readonly realized: number;
  readonly realizedToDate: number;
  readonly unrealized: number | null;
  readonly total: number;
  /** Whether `unrealized` is not a value but the convention for a missing mark. */
  readonly isUnmarked: boolean;
}

export interface LaneFigures {
  readonly position: Figures | undefined;
  readonly days: ReadonlyMap<number, Figures>;
}

/** A lane at the end of a day on which it traded or has open lots. */
interface DayEnd {
  readonly day: number;
  readonly quantity: number;
  readonly cost: number;
  /**
   * The value of the open lots at the entry or the last close, from which their unrealized P&L is counted.
   */
  readonly basis: number;
  readonly earned: number;
  readonly lastPrice: number | undefined;
}

interface MatchedLane {
  readonly facts: LaneFacts;
  readonly ends: readonly DayEnd[];
  /** The lane after its last trade. */
  readonly last: DayEnd;
}

type MatchedLanes = ReadonlyMap<string, MatchedLane>;

/** The matched lanes under the latest sets of rules. */
export class Memory {
  readonly #known: { readonly key: readonly unknown[]; readonly lanes: MatchedLanes }[] = [];

  find(key: readonly unknown[]): MatchedLanes | undefined {
    const isSame = (known: readonly unknown[]): boolean =>
      known.length === key.length && known.every((part, index) => part === key[index]);
    return this.#known.find((known) => isSame(known.key))?.lanes;
  }

  keep(key: readonly unknown[], lanes: MatchedLanes): void {
    this.#known.unshift({ key, lanes });
    if (this.#known.length > matchedMax) this.#known.pop();
  }
}

const matchedMax = 40;

/** Rules that do not affect the matching. */
const valuing: ReadonlySet<string> = new Set<keyof Rules>([
  "multiplierOf",
  "markOf",
  "unmarked",
  "zeroMark",
  "total",
  "flatPosition",
  "places",
]);

const isRebased = ({ unrealizedSince, realizedSince }: Rules): boolean =>
  unrealizedSince === "last-close" || realizedSince === "last-close";

/** Returns all values on which the matching depends. */
const matchingKey = ({ days }: World, rules: Rules): readonly unknown[] => [
  days,
  isRebased(rules) && rules.markOf,
  ...Object.entries(rules).flatMap(([name, rule]) => (valuing.has(name) ? [] : [name, rule].flat())),
];

/** Judges the figures of a day. */
export type DayCheck = (lane: string, day: number, figures: Figures) => boolean;

/**
 * Returns the figures of every lane under a set of rules, and the number of trades that had to be matched. A
 * run with a `check` stops at the first day that the check refuses, and has no figures then; its rows must be
 * in the order that `rules.order` names.
 */
export function figuresUnder(
  world: World,
  rules: Rules,
  check?: DayCheck,
): {
  readonly lanes: ReadonlyMap<string, LaneFigures>;
  readonly trades: number;
  readonly isStopped: boolean;
} {
  const key = world.memory === undefined ? [] : matchingKey(world, rules);
  const known = world.memory?.find(key);
  const { lanes, trades, isStopped } =
    known === undefined
      ? matched(world, rules, check && checkOfEnds(world, rules, check))
      : { lanes: known, trades: 0, isStopped: false };
  if (known === undefined && !isStopped) world.memory?.keep(key, lanes);
  const figures = new Map<string, LaneFigures>();
  for (const [name, lane] of lanes) figures.set(name, valued(world, rules, lane));
  return { lanes: figures, trades, isStopped };
}

type EndCheck = (facts: LaneFacts, end: DayEnd) => boolean;

function checkOfEnds(world: World, rules: Rules, check: DayCheck): EndCheck {
  const lanes = new Map<string, Valuation>();
  return (facts, end) => {
    const lane = lanes.get(facts.name) ?? new Valuation(world, rules, facts);
    lanes.set(facts.name, lane);
    return check(facts.name, end.day, lane.figuresOf(end));
  };
}

/**
 * Matches rows while they are read, if they arrive in the order that `rules.order` names. A lane that is read
 * in another order is sorted and matched again.
 */
function matched(
  world: World,
  rules: Rules,
  check?: EndCheck,
): { readonly lanes: MatchedLanes; readonly trades: number; readonly isStopped: boolean } {
  const { rows, copiesOf } = population(world, rules);
  const runs = new Map<string, LaneRun>();
  let trades = 0;
  let last: string | undefined;
  let run: LaneRun | undefined;
  for (let at = 0; at < rows.length; at++) {
    const row = rows.at(at);
    const copies = row === undefined ? 0 : copiesOf(row);
    if (row === undefined || copies === 0) continue;
    trades += copies;
    const name = rules.laneOf(row);
    if (run === undefined || name !== last) {
      last = name;
      const facts = world.lanes.get(name) ?? factsOf(world, name, row);
      run = runs.get(name) ?? new LaneRun(world, rules, facts, check);
      runs.set(name, run);
    }
    run.take(row);
    if (copies > 1) run.take(row);
    if (run.isStopped) return { lanes: new Map(), trades, isStopped: true };
  }
  const lanes = new Map<string, MatchedLane>();
  for (const [name, ofLane] of runs) lanes.set(name, ofLane.end());
  const unsorted = [...runs].flatMap(([name, { isInOrder }]) => (isInOrder ? [] : [name]));
  if (unsorted.length === 0) return { lanes, trades, isStopped: false };
  const rowsOf = new Map<string, Row[]>(unsorted.map((name) => [name, []]));
  for (const row of counted(world, rules)) rowsOf.get(rules.laneOf(row))?.push(row);
  for (const [name, own] of rowsOf) {
    const sorted = new LaneRun(world, rules, lanes.get(name)?.facts ?? factsOf(world, name, own[0]));
    for (const row of inOrder(own, rules)) sorted.take(row);
    lanes.set(name, sorted.end());
  }
  return { lanes, trades, isStopped: false };
}

/**
 * Returns the facts of a lane. A lane that exists only under a rule has the facts of the lane of its first
 * row.
 */
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

/**
 * Returns the rows that count under one set of rules and do not count, or count differently, under the other.
 */
export function rowsTreatedDifferently(
  world: Omit<World, "days">,
  base: Rules,
  rules: Rules,
): readonly Row[] {
  const isSame = (["laneOf", "admitsRepeated", "doubles"] as const).every(
    (part) => base[part] === rules[part],
  );
  const haveEqualLengths = (["keeps", "sizes", "edits", "admits"] as const).every(
    (part) => base[part].length === rules[part].length,
  );
  if (isSame && haveEqualLengths) return [];
  // Both lists are in the order of reading; a row may be in a list several times.
  const [before, after] = [counted(world, base), counted(world, rules)];
  let [a, b] = [0, 0];
  return [...world.rows].filter(({ place }) => {
    const [fromA, fromB] = [a, b];
    while (before[a]?.place === place) a += 1;
    while (after[b]?.place === place) b += 1;
    if (a - fromA !== b - fromB) return true;
    for (let at = 0; at < a - fromA; at++) {
      const [one, other] = [before[fromA + at] as Row, after[fromB + at] as Row];
      if (signedOf(base, one) !== signedOf(rules, other) || one.price !== other.price) return true;
      if (base.laneOf(one) !== rules.laneOf(other)) return true;
    }
    return false;
  });
}

function counted(world: Omit<World, "days">, rules: Rules): readonly Row[] {
  const { rows, copiesOf } = population(world, rules);
  const taken: Row[] = [];
  for (const row of rows) for (let copies = copiesOf(row); copies > 0; copies--) taken.push(row);
  return taken;
}

/** Returns the rows in the order of reading, each with the number of times that it counts. */
function population(
  world: Omit<World, "days">,
  rules: Rules,
): { readonly rows: Rows; readonly copiesOf: (row: Row) => 0 | 1 | 2 } {
  const { rows, repeated } = world;
  const { admits, admitsRepeated, keeps, doubles, edits } = rules;
  if (edits.length > 0) {
    const plain = counted(world, { ...rules, edits: [] });
    return { rows: edits.reduce((edited, edit) => edit(edited), plain), copiesOf: () => 1 };
  }
  // A repeated row counts if the row that it repeats does not count.
  const kept = new Set<number>();
  const copiesOf = (row: Row): 0 | 1 | 2 => {
    const { refused, repeats } = row;
    if (refused !== undefined && !admits.includes(refused)) return 0;
    for (const keep of keeps) if (!keep(row)) return 0;
    if (repeats !== undefined && !admitsRepeated && kept.has(repeats)) return 0;
    if (repeated.size > 0 && repeated.has(row.place)) kept.add(row.place);
    return doubles?.(row) === true ? 2 : 1;
  };
  return { rows, copiesOf };
}

function signedOf({ sizes }: Rules, row: Row): number {
  let { signed } = row;
  for (const size of sizes) signed = size(signed, row);
  return signed;
}

const timeOf = ({ order }: Rules, row: Row): number =>
  order === "file" ? 0 : order === "second" ? Math.floor(row.timeUs / 1e6) : row.timeUs;

/** Returns rows in the order of their days and times. */
function inOrder(rows: readonly Row[], rules: Rules): readonly Row[] {
  const days = Float64Array.from(rows, (row) => rules.dayOf(row) ?? Number.NEGATIVE_INFINITY);
  const times = Float64Array.from(rows, (row) => timeOf(rules, row));
  const ties = rules.order === "ties-reversed" ? -1 : 1;
  const comparison = (a: number, b: number): number =>
    (days[a] as number) - (days[b] as number) ||
    (times[a] as number) - (times[b] as number) ||
    ties * ((rows[a] as Row).place - (rows[b] as Row).place);
  return [...rows.keys()].sort(comparison).map((at) => rows[at] as Row);
}

/** Matches the rows of one lane, day by day. */
class LaneRun {
  /**
   * Whether every row came in the order that `rules.order` names. The first row that does not ends the run.
   */
  isInOrder = true;
  /** Whether the check has refused a day. */
  isStopped = false;
  readonly #check: EndCheck | undefined;
  readonly #world: World;
  readonly #rules: Rules;
  readonly #facts: LaneFacts;
  readonly #book: LotBook;
  readonly #quantityScale: number;
  readonly #priceScale: number;
  readonly #ties: number;
  readonly #ends: DayEnd[] = [];
  /** The next day of the calendar. */
  #next = 0;
  #day: number | undefined;
  #time = 0;
  #last: Row | undefined;

  constructor(world: World, rules: Rules, facts: LaneFacts, check?: EndCheck) {
    this.#check = check;
    this.#world = world;
    this.#rules = rules;
    this.#facts = facts;
    this.#quantityScale = rules.floats ? world.quantityUnit : 1;
    this.#priceScale = rules.floats ? world.priceUnit : 1;
    this.#ties = rules.order === "ties-reversed" ? -1 : 1;
    this.#book = new LotBook(rules, facts, this.#priceScale);
  }

  take(row: Row): void {
    const rules = this.#rules;
    const day = rules.dayOf(row);
    if (day === undefined || !this.isInOrder) return;
    const time = timeOf(rules, row);
    const last = this.#last;
    if (last !== undefined) {
      const ahead = day - (this.#day ?? day) || time - this.#time || this.#ties * (row.place - last.place);
      if (ahead < 0) {
        this.isInOrder = false;
        return;
      }
    }
    if (day !== this.#day) this.#passTo(day);
    if (last !== undefined) {
      if (!rules.carriesOverFiles && last.file !== row.file) this.#book.empty();
      if (rules.mergesLots?.(row, last) === true) this.#book.mergeLots();
    }
    this.#book.take(row, signedOf(rules, row) / this.#quantityScale, row.price / this.#priceScale);
    this.#time = time;
    this.#last = row;
  }

  end(): MatchedLane {
    this.#passTo(undefined);
    return { facts: this.#facts, ends: this.#ends, last: this.#book.state(this.#world.asOfDay) };
  }

  #passTo(day: number | undefined): void {
    const current = this.#day;
    if (current !== undefined) this.#endDay(current, true);
    const { days } = this.#world;
    for (
      let open = days[this.#next];
      open !== undefined && (day === undefined || open < day);
      open = days[++this.#next]
    )
      if (current === undefined || open > current) this.#endDay(open, false);
    this.#day = day;
  }

  #endDay(day: number, traded: boolean): void {
    const end = this.#book.endDay(day, traded);
    if (end === undefined) return;
    this.#ends.push(end);
    if (this.#check?.(this.#facts, end) === false) this.isStopped = true;
  }
}

/** Values the open lots at the end of each day, and the position on the as-of day. */
function valued(world: World, rules: Rules, { facts, ends, last }: MatchedLane): LaneFigures {
  const lane = new Valuation(world, rules, facts);
  const days = new Map(ends.map((end) => [end.day, lane.figuresOf(end)]));
  return { position: lane.position(last), days };
}

/** The open lots of one lane. */
class LotBook {
  readonly #rules: Rules;
  readonly #facts: LaneFacts;
  readonly #markUnit: number;
  readonly #isRebased: boolean;
  #prices: number[] = [];
  #signed: number[] = [];
  /** The last close for each lot, if unrealized P&L is counted from there. */
  #bases: number[] = [];
  #head = 0;
  /** The key of each lot, and a heap of the open lots; used only if lots have keys. */
  #keys: number[] = [];
  #heap: number[] = [];
  #quantity = 0;
  #cost = 0;
  #earned = 0;
  #lastPrice: number | undefined;

  constructor(rules: Rules, facts: LaneFacts, markUnit: number) {
    this.#rules = rules;
    this.#facts = facts;
    this.#markUnit = markUnit;
    this.#isRebased = isRebased(rules);
  }

  take(row: Row, signed: number, price: number): void {
    const { lots, invertedCloses, realizedSince } = this.#rules;
    const opened = realizedSince === "entry" ? this.#prices : this.#bases;
    this.#lastPrice = price;
    this.#quantity += signed;
    let left = signed;
    while (left !== 0 && this.#head < this.#signed.length) {
      const at =
        lots === "lifo" ? this.#signed.length - 1 : typeof lots === "function" ? this.#heap[0] : this.#head;
      if (at === undefined) break;
      const held = this.#signed[at] as number;
      if (held > 0 === left > 0) break;
      const matched = Math.abs(held) < Math.abs(left) ? held : -left;
      const gain = matched * (price - (opened[at] as number));
      const isInverted = invertedCloses === "all" || (invertedCloses === "longs" && matched > 0);
      this.#earned += isInverted ? -gain : gain;
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
    this.#push(left, price, typeof lots === "function" ? lots(row) : 0);
  }

  #push(signed: number, price: number, key: number): void {
    if (this.#keys.length >= 4096 && this.#keys.length > 2 * this.#heap.length) this.#forgetClosed();
    this.#signed.push(signed);
    this.#prices.push(price);
    if (this.#isRebased) this.#bases.push(price);
    if (typeof this.#rules.lots !== "function") return;
    const lot = this.#keys.push(key) - 1;
    const heap = this.#heap;
    let at = heap.push(lot) - 1;
    for (let parent = (at - 1) >> 1; at > 0 && this.#isBefore(lot, heap[parent]); parent = (at - 1) >> 1) {
      heap[at] = heap[parent] as number;
      at = parent;
    }
    heap[at] = lot;
  }

  /** Removes closed lots. If lots have keys, this happens only when most of the lots are closed. */
  #forgetClosed(): void {
    const open = this.#heap.toSorted((a, b) => a - b);
    const kept = (column: readonly number[]): number[] => open.flatMap((lot) => column[lot] ?? []);
    this.#signed = kept(this.#signed);
    this.#prices = kept(this.#prices);
    this.#bases = kept(this.#bases);
    this.#keys = kept(this.#keys);
    this.#heap = [...open.keys()].sort((a, b) => (this.#isBefore(a, b) ? -1 : 1));
  }

  /**
   * Whether a lot is closed before another one. Of two lots with one key, the earlier one is closed first.
   */
  #isBefore(lot: number, other: number | undefined): boolean {
    if (other === undefined) return true;
    const [key, otherKey] = [this.#keys[lot] as number, this.#keys[other] as number];
    return key < otherKey || (key === otherKey && lot < other);
  }

  #drop(at: number): void {
    if (typeof this.#rules.lots === "function") this.#dropFirst();
    else if (at === this.#head) {
      this.#head += 1;
      if (this.#head < 4096 || this.#head * 2 < this.#signed.length) return;
      for (const column of [this.#signed, this.#prices, this.#bases]) column.splice(0, this.#head);
      this.#head = 0;
    } else {
      this.#signed.pop();
      this.#prices.pop();
      this.#bases.pop();
    }
  }

  #dropFirst(): void {
    const heap = this.#heap;
    const moved = heap.pop();
    if (moved === undefined || heap.length === 0) {
      this.#clear();
      return;
    }
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      const right = heap[child + 1];
      if (right !== undefined && this.#isBefore(right, heap[child])) child += 1;
      const lot = heap[child] as number;
      if (this.#isBefore(moved, lot)) break;
      heap[at] = lot;
      at = child;
    }
    heap[at] = moved;
  }

  #clear(): void {
    for (const column of [this.#signed, this.#prices, this.#bases, this.#keys, this.#heap]) column.length = 0;
    this.#head = 0;
  }

  empty(): void {
    this.#clear();
    this.#quantity = 0;
    this.#cost = 0;
  }

  mergeLots(): void {
    const [quantity, cost] = [this.#quantity, this.#cost];
    if (quantity === 0) return;
    this.#clear();
    this.#push(quantity, cost / quantity, Number.NEGATIVE_INFINITY);
  }

  /** Ends a day. Returns undefined if the lane neither traded on it nor holds a lot. */
  endDay(day: number, traded: boolean): DayEnd | undefined {
    if (this.#rules.floats) this.#sumLots();
    if (!traded && this.#quantity === 0) return undefined;
    const end = this.state(day);
    this.#earned = 0;
    if (this.#isRebased) this.#rebase(day);
    return end;
  }

  state(day: number): DayEnd {
    return {
      day,
      quantity: this.#quantity,
      cost: this.#cost,
      basis: this.#basisCost(),
      earned: this.#earned,
      lastPrice: this.#lastPrice,
    };
  }

  /**
   * Sums the lots again from the start, because systems with floats do so and their rounding depends on it.
   */
  #sumLots(): void {
    this.#quantity = 0;
    this.#cost = 0;
    for (let at = this.#head; at < this.#signed.length; at++) {
      this.#quantity += this.#signed[at] as number;
      this.#cost += (this.#signed[at] as number) * (this.#prices[at] as number);
    }
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
}

/** Computes the figures of one lane from its matched days, which are given in order. */
class Valuation {
  readonly #rules: Rules;
  readonly #facts: LaneFacts;
  readonly #asOfDay: number;
  /** The divisors that convert units into whole quantities and prices. */
  readonly #quantityUnit: number;
  readonly #priceUnit: number;
  readonly #markUnit: number;
  readonly #multiplier: number;
  readonly #money: number;
  #realized = 0;
  #unrealized = 0;

  constructor({ quantityUnit, priceUnit, asOfDay }: World, rules: Rules, facts: LaneFacts) {
    this.#rules = rules;
    this.#facts = facts;
    this.#asOfDay = asOfDay;
    this.#quantityUnit = rules.floats ? 1 : quantityUnit;
    this.#priceUnit = rules.floats ? 1 : priceUnit;
    this.#markUnit = rules.floats ? priceUnit : 1;
    this.#multiplier = rules.multiplierOf(facts);
    this.#money = this.#multiplier / (this.#quantityUnit * this.#priceUnit);
  }

  figuresOf(end: DayEnd): Figures {
    const { unrealized, isUnmarked } = this.#unrealizedOf(end, end.day, false);
    this.#realized += end.earned;
    const before = this.#rules.total === "level" ? 0 : this.#unrealized;
    const change = unrealized === null ? 0 : unrealized - before;
    this.#unrealized = unrealized ?? this.#unrealized;
    return {
      ...this.#holding(end),
      realized: this.#amount(end.earned),
      realizedToDate: this.#amount(this.#realized),
      unrealized: unrealized === null ? null : this.#amount(unrealized),
      total: this.#amount(end.earned + change),
      isUnmarked,
    };
  }

  /**
   * Returns the position after the last trade, valued on the as-of day; undefined if the system has no row
   * for it.
   */
  position(last: DayEnd): Figures | undefined {
    const { flatPosition } = this.#rules;
    if (last.quantity === 0 && flatPosition === "no-row") return undefined;
    const { unrealized, isUnmarked } = this.#unrealizedOf(last, this.#asOfDay, true);
    const realized = this.#amount(last.quantity === 0 && flatPosition === "no-realized" ? 0 : this.#realized);
    const shown = unrealized !== null && isRebased(this.#rules) ? this.#unrealized : unrealized;
    return {
      ...this.#holding(last),
      realized,
      realizedToDate: realized,
      unrealized: shown === null ? null : this.#amount(shown),
      total: 0,
      isUnmarked,
    };
  }

  #holding({ quantity, cost }: DayEnd): Pick<Figures, "quantity" | "averagePrice"> {
    return {
      quantity: quantity / this.#quantityUnit,
      averagePrice: quantity === 0 ? null : cost / quantity / this.#priceUnit,
    };
  }

  /** Returns the unrealized P&L on a day, in units. */
  #unrealizedOf(
    { quantity, basis, lastPrice }: DayEnd,
    day: number,
    isPosition: boolean,
  ): { readonly unrealized: number | null; readonly isUnmarked: boolean } {
    const { unmarked, zeroMark } = this.#rules;
    let mark = this.#rules.markOf(this.#facts, day);
    if (mark !== undefined) mark /= this.#markUnit;
    let isZero = unmarked === "zero";
    if (mark === 0 && zeroMark !== "a-price" && (zeroMark !== "zero-in-positions" || isPosition)) {
      mark = undefined;
      isZero ||= zeroMark !== "none";
    }
    const isUnmarked = mark === undefined;
    if (mark === undefined && unmarked === "last-trade") mark = lastPrice;
    if (quantity === 0) return { unrealized: 0, isUnmarked };
    if (mark === undefined) return { unrealized: isZero ? 0 : null, isUnmarked };
    return { unrealized: quantity * mark - basis, isUnmarked };
  }

  #amount(units: number): number {
    const { places } = this.#rules;
    const money = units * this.#money;
    if (places === undefined) return money;
    return (Math.round((money / this.#multiplier) * 10 ** places) / 10 ** places) * this.#multiplier;
  }
}
