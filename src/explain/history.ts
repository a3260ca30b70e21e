/** The input of an explanation: the trades and prices of both systems, divided into components. */
import { type Decimal, parseDecimal, powerOfTen } from "../base/decimal.ts";
import { at } from "../base/present.ts";
import { readInstant, wallOfInstant } from "../domain/market/chicago-time.ts";
import { parseDay, type TradingDayRule } from "../domain/market/trading-day.ts";
import type { Side } from "../domain/migration/phase.ts";
import type { TradeColumns } from "../engine/index.ts";
import type { ParityReport, ParityRow } from "../ports/parity-report.ts";
import type { Close } from "../ports/pnl-system.ts";
import { legacyViews } from "../symbols/index.ts";
import { isApart, laneName, numberOf } from "./expected.ts";
import { type LaneFacts, Memory, type World } from "./reference.ts";
import { type AdmittedRow, LedgerRows, priceUnits, type RowSource, signedUnits } from "./row.ts";

/** A row that modern refused, with the texts of its fields. */
export interface RefusedRow {
  readonly file: number;
  readonly line: number;
  readonly code: string;
  readonly id: string;
  readonly symbol: string;
  readonly book?: string;
  readonly time: string;
  readonly side: string;
  readonly quantity: string;
  readonly price: string;
}

/** One history as it was read. */
export interface History {
  /** The names of the files, by `trades.file`. */
  readonly files: readonly string[];
  /** The day in each file's name. */
  readonly fileDays: readonly (number | undefined)[];
  /** The rule of the trading days of `trades`. */
  readonly dayRule: Pick<TradingDayRule, "name" | "dayOf">;
  /** Every accepted row, including repeated ones, in a lane for its own spelling. */
  readonly trades: TradeColumns;
  /** Maps a row that repeats a row of an earlier file to that row. Both are indices into `trades`. */
  readonly repeats: ReadonlyMap<number, number>;
  readonly refused: readonly RefusedRow[];
  /** The rows with a time in an unusual form, as `file:line`. */
  readonly oddTimes: ReadonlySet<string>;
  /** For each file that a system stopped reading: the number of rows that it had accepted. */
  readonly rowsTaken: ReadonlyMap<number, number>;
  /** Trades after this time are in no figure. */
  readonly asOfUs: number;
  readonly asOfDay: number;
  readonly closes: readonly Close[];
  /** Further prices of the files; a system may have chosen one of them. */
  readonly otherPrices: readonly Close[];
  /** Returns the name under which modern reports a symbol. */
  readonly nameOf: (symbol: string) => string;
  /** Whether books are matched together. */
  readonly netBooks: boolean;
  /** Whether both systems were asked for open positions only. */
  readonly onlyOpen?: boolean;
  /** The first day of the daily rows that both systems were asked for. */
  readonly firstDay?: number | undefined;
}

/** Lanes whose trades influence each other, with all rows that the report has about them. */
export interface Component {
  readonly world: Omit<World, "days"> & { readonly rows: LedgerRows };
  /** Every spelling of an instrument that a row has. */
  readonly symbols: readonly string[];
  /** The days on which each side values open lots. */
  readonly days: Readonly<Record<Side, readonly number[]>>;
  readonly rows: readonly ParityRow[];
  readonly files: readonly number[];
  /** The names of lanes that the systems reported and that no trade names. */
  readonly unknown: readonly string[];
  /** Set if the numbers are too large for exact sums. */
  readonly isTooLarge: boolean;
}

/** Returns the components of a report that have a row that differs, in the order of its rows. */
export function componentsOf(report: ParityReport, history: History): readonly Component[] {
  const groups = new Groups();
  const laneOf = lanesReported(report, history);
  const lanesOfTrades = new Map<string, Set<string>>();
  for (const { book, symbol } of history.trades.instruments) {
    const lane = laneOf(book, symbol);
    const spellings = lanesOfTrades.get(lane) ?? new Set();
    lanesOfTrades.set(lane, spellings.add(symbol));
    groups.join(lane, laneName(history.netBooks ? undefined : book, symbol));
  }
  for (const { book, symbol } of history.refused) groups.join(laneOf(book, symbol), laneName(book, symbol));
  const byLane = Map.groupBy(report.rows, ({ key }) => laneName(key.book, key.symbol));
  const differing = new Set(report.rows.filter(isApart).map(({ key }) => laneName(key.book, key.symbol)));
  joinRelatedLanes(groups, { differing, lanesOfTrades, byLane, history });
  const roots = new Set([...differing].map((lane) => groups.rootOf(lane)));
  const rowsByRoot = new Map<string, ParityRow[]>();
  for (const [lane, rows] of byLane) {
    const root = groups.rootOf(lane);
    if (!roots.has(root)) continue;
    const known = rowsByRoot.get(root) ?? [];
    rowsByRoot.set(root, known);
    for (const row of rows) known.push(row);
  }
  return new Worlds({ report, history, groups, laneOf }, roots).components(rowsByRoot);
}

type LaneOf = (book: string | undefined, symbol: string) => string;

/**
 * Returns a function that finds the lane under which the trades of a symbol and book are reported: the name
 * of the instrument, or another spelling of it if more of the two systems have a row under that spelling.
 */
function lanesReported({ rows }: ParityReport, { netBooks, nameOf }: History): LaneOf {
  const sidesOf = new Map<string, Set<Side>>();
  const reported = new Map<string, string>();
  for (const row of rows) {
    const { key, field } = row;
    const [lane, plain] = [laneName(key.book, key.symbol), laneName(key.book, nameOf(key.symbol))];
    const sides = sidesOf.get(lane) ?? new Set();
    sidesOf.set(lane, sides);
    for (const side of ["legacy", "modern"] as const)
      if (field !== "row" || row[side] !== "0") sides.add(side);
    const count = (name: string | undefined): number => sidesOf.get(name ?? "")?.size ?? 0;
    const known = reported.get(plain);
    if (count(lane) > count(known) || (lane === plain && count(lane) === count(known)))
      reported.set(plain, lane);
  }
  return (book, symbol) => {
    const plain = laneName(netBooks ? undefined : book, nameOf(symbol));
    return reported.get(plain) ?? plain;
  };
}

/** Disjoint sets of names. */
class Groups {
  readonly #parents = new Map<string, string>();

  rootOf(name: string): string {
    let root = name;
    for (
      let parent = this.#parents.get(root);
      parent !== undefined && parent !== root;
      parent = this.#parents.get(root)
    )
      root = parent;
    return root;
  }

  join(one: string, other: string): void {
    const [a, b] = [this.rootOf(one), this.rootOf(other)];
    if (a !== b) this.#parents.set(b, a);
  }
}

interface RelatedLanes {
  readonly differing: ReadonlySet<string>;
  /** The spellings of each lane that has trades. */
  readonly lanesOfTrades: ReadonlyMap<string, ReadonlySet<string>>;
  readonly byLane: ReadonlyMap<string, readonly ParityRow[]>;
  readonly history: History;
}

/**
 * Joins differing lanes if a system may have merged, renamed or netted them: lanes to which a translator of
 * the desk gives the same text, lanes of one symbol in several books, and a lane without trades with a lane
 * whose rows have the same figures. A merge leaves at least one lane without a row.
 */
function joinRelatedLanes(groups: Groups, { differing, lanesOfTrades, byLane, history }: RelatedLanes): void {
  const lacking = new Set(
    [...differing].filter((lane) => byLane.get(lane)?.some(({ field }) => field === "row") === true),
  );
  const joinAll = (lanes: readonly string[]): void => {
    const [first, ...others] = lanes;
    if (first !== undefined && lanes.some((lane) => lacking.has(lane)))
      for (const other of others) groups.join(first, other);
  };
  for (const { says } of legacyViews) {
    const byText = new Map<string, string[]>();
    for (const [lane, spellings] of lanesOfTrades) {
      if (!differing.has(lane)) continue;
      const [, book] = JSON.parse(lane);
      for (const symbol of spellings) {
        const text = says(symbol);
        if (typeof text !== "string") continue;
        const named = [text, history.nameOf(text)].flatMap((name) => [
          laneName(undefined, name),
          laneName(book, name),
        ]);
        const lanes = byText.get(text);
        if (lanes === undefined) byText.set(text, [...named, lane]);
        else lanes.push(...named, lane);
      }
    }
    for (const lanes of byText.values()) joinAll(lanes.filter((lane) => differing.has(lane)));
  }
  for (const lanes of Map.groupBy(differing, symbolIn).values()) joinAll(lanes);
  const byFigures = new Map<string, string>();
  for (const lane of differing) {
    for (const row of byLane.get(lane) ?? []) {
      if (row.field !== "row" || row.present === undefined) continue;
      const figures = JSON.stringify([row.kind, row.key.tradingDay, Object.values(row.present).map(rounded)]);
      const other = byFigures.get(figures);
      if (other !== undefined && lanesOfTrades.has(other) !== lanesOfTrades.has(lane))
        groups.join(other, lane);
      else byFigures.set(figures, lane);
    }
  }
}

const rounded = (text: string | null): string => (text === null ? "" : (numberOf(text) ?? 0).toFixed(4));

const symbolIn = (lane: string): string => {
  const [symbol = ""] = JSON.parse(lane);
  return String(symbol);
};

/** Builds the world of each component in one pass over the trades. */
class Worlds {
  readonly #report: ParityReport;
  readonly #history: History;
  readonly #groups: Groups;
  readonly #laneOf: LaneOf;
  readonly #roots: ReadonlySet<string>;

  constructor(
    given: {
      readonly report: ParityReport;
      readonly history: History;
      readonly groups: Groups;
      readonly laneOf: LaneOf;
    },
    roots: ReadonlySet<string>,
  ) {
    this.#report = given.report;
    this.#history = given.history;
    this.#groups = given.groups;
    this.#laneOf = given.laneOf;
    this.#roots = roots;
  }

  components(rowsByRoot: ReadonlyMap<string, readonly ParityRow[]>): readonly Component[] {
    const history = this.#history;
    const { trades, refused } = history;
    const lanes = trades.instruments.map(({ book, symbol }) => this.#laneOf(book, symbol));
    const groupOfLane = lanes.map((lane) => {
      const root = this.#groups.rootOf(lane);
      return this.#roots.has(root) ? root : undefined;
    });
    const tradesByRoot = new Map<string, number[]>();
    let [last, ofLast]: [string | undefined, number[]] = [undefined, []];
    for (let trade = 0; trade < trades.length; trade++) {
      const root = groupOfLane[trades.laneAt(trade)];
      if (root === undefined || trades.timeAt(trade) > history.asOfUs) continue;
      if (root !== last) {
        last = root;
        ofLast = tradesByRoot.get(root) ?? [];
        tradesByRoot.set(root, ofLast);
      }
      ofLast.push(trade);
    }
    const refusedByRoot = Map.groupBy(refused, ({ book, symbol }) =>
      this.#groups.rootOf(this.#laneOf(book, symbol)),
    );
    const rowsBefore = this.#rowsBefore();
    const shared = sharedIds(trades, [...tradesByRoot.values()]);
    const [legacy, modern] = [this.#daysOf("legacy"), this.#daysOf("modern")];
    // Equal calendars are one array, so that both sides share the matched lots.
    const days = { legacy, modern: String(legacy) === String(modern) ? legacy : modern };
    const closesOf = Map.groupBy(history.closes, ({ symbol }) => history.nameOf(symbol));
    const othersOf = Map.groupBy(history.otherPrices, ({ symbol }) => history.nameOf(symbol));
    return [...rowsByRoot].map(([root, rows]) =>
      this.#component(rows, tradesByRoot.get(root) ?? [], {
        refused: refusedByRoot.get(root) ?? [],
        source: { trades, lanes, rowsBefore, sharedIds: shared, oddTimes: history.oddTimes },
        days,
        closesOf,
        othersOf,
      }),
    );
  }

  /**
   * Returns the days on which a side values open lots: those with a row of it, and those with a close before
   * `firstDay`.
   */
  #daysOf(side: Side): readonly number[] {
    const days = new Set<number>();
    const { firstDay, closes } = this.#history;
    if (firstDay !== undefined)
      for (const { tradingDay } of closes) {
        const day = parseDay(tradingDay);
        if (day !== undefined && day < firstDay) days.add(day);
      }
    for (const { key, field, [side]: value } of this.#report.rows) {
      const day = key.tradingDay === undefined ? undefined : parseDay(key.tradingDay);
      if (day !== undefined && !(field === "row" && value === "0")) days.add(day);
    }
    return [...days].sort((a, b) => a - b);
  }

  /** Returns the number of rows in the files before each file. */
  #rowsBefore(): readonly number[] {
    const { files, trades, refused } = this.#history;
    const lastLines = files.map(() => 1);
    const see = (file: number, line: number): void => {
      lastLines[file] = Math.max(lastLines[file] ?? 1, line);
    };
    for (let trade = 0; trade < trades.length; trade++)
      see(trades.file[trade] as number, trades.line[trade] as number);
    for (const { file, line } of refused) see(file, line);
    let before = 0;
    return lastLines.map((last) => {
      before += last - 1;
      return before - (last - 1);
    });
  }

  /** Maps the place of a row that repeats another one to the place of that row. */
  #repeatsIn(order: readonly number[]): ReadonlyMap<number, number> {
    const { repeats } = this.#history;
    const places = new Map<number, number>();
    if (repeats.size === 0) return places;
    for (const [place, trade] of order.entries()) places.set(trade, place);
    return new Map(
      [...repeats].flatMap(([trade, original]) => {
        const [place, before] = [places.get(trade), places.get(original)];
        return place === undefined || before === undefined ? [] : [[place, before] as const];
      }),
    );
  }

  #component(
    reported: readonly ParityRow[],
    indices: readonly number[],
    shared: {
      readonly refused: readonly RefusedRow[];
      readonly source: Pick<RowSource, "trades" | "lanes" | "rowsBefore" | "sharedIds" | "oddTimes">;
      readonly days: Readonly<Record<Side, readonly number[]>>;
      readonly closesOf: ReadonlyMap<string, readonly Close[]>;
      readonly othersOf: ReadonlyMap<string, readonly Close[]>;
    },
  ): Component {
    const { trades } = this.#history;
    const { quantity, price } = trades;
    const lenient = shared.refused.flatMap((row) => admissible(row) ?? []);
    const closes = new Map<string, readonly Close[]>();
    const lanes = new Map<string, { book: string | undefined; symbol: string; multiplier: string }>();
    const [ownFiles, ownLanes] = [new Set<number>(), new Set<number>()];
    let [lastFile, lastLane] = [-1, -1];
    for (const index of indices) {
      const [file, lane] = [trades.file[index] as number, trades.laneAt(index)];
      if (file !== lastFile) ownFiles.add(file);
      if (lane !== lastLane) ownLanes.add(lane);
      [lastFile, lastLane] = [file, lane];
    }
    for (const { file } of lenient.map(({ row }) => row)) ownFiles.add(file);
    for (const lane of ownLanes) {
      const { book, symbol, multiplier } = at(trades.instruments, lane);
      const name = this.#history.nameOf(symbol);
      const named = this.#history.netBooks ? undefined : book;
      lanes.set(this.#laneOf(book, symbol), { book: named, symbol: name, multiplier });
      closes.set(name, shared.closesOf.get(name) ?? []);
    }
    const scales = { quantity: 0, price: 0 };
    const see = (which: "quantity" | "price", scale: number): void => {
      scales[which] = Math.max(scales[which], scale);
    };
    for (const index of indices) {
      see("quantity", quantity.scale[index] ?? 0);
      see("price", price.scale[index] ?? 0);
    }
    for (const row of lenient) {
      see("quantity", row.quantity.scale);
      see("price", row.price.scale);
    }
    for (const list of closes.values())
      for (const close of list) see("price", parseDecimal(close.price)?.scale ?? 0);
    const [quantityUnit, priceUnit] = [10 ** scales.quantity, 10 ** scales.price];
    const admitted = lenient.map(({ row, code, timeUs, sign, ...numbers }): AdmittedRow => {
      const { file, line, id, book } = row;
      const symbol = row.symbol.trim();
      const day = this.#history.dayRule.dayOf(wallOfInstant(timeUs), this.#history.fileDays[file]) ?? 0;
      const signed = sign * unitsOf(numbers.quantity, scales.quantity);
      const own = { signed, price: unitsOf(numbers.price, scales.price), code };
      return { file, line, id, book, symbol, lane: this.#laneOf(book, symbol), timeUs, day, ...own };
    });
    const order = readingOrder(trades, indices, admitted);
    const repeats = this.#repeatsIn(order);
    const source: RowSource = { ...shared.source, scales, repeats, admitted };
    let [volume, highest] = [0, 0];
    for (const index of indices) {
      const ofTrade = priceUnits(source, index);
      volume += Math.abs(signedUnits(source, index));
      highest = Number.isNaN(ofTrade) ? Number.NaN : Math.max(highest, Math.abs(ofTrade));
    }
    const facts = new Map<string, LaneFacts>();
    for (const [name, { book, symbol, multiplier }] of lanes) {
      const marks = new Map<number, number>();
      for (const { tradingDay, price: text } of closes.get(symbol) ?? []) {
        const day = parseDay(tradingDay);
        const value = numberOf(text);
        if (day !== undefined && value !== undefined) marks.set(day, Math.round(value * priceUnit));
      }
      const others = new Map<number, number[]>();
      for (const { tradingDay, price: text } of shared.othersOf.get(symbol) ?? []) {
        const day = parseDay(tradingDay);
        const value = numberOf(text);
        if (day !== undefined && value !== undefined)
          others.set(day, [...(others.get(day) ?? []), value * priceUnit]);
      }
      facts.set(name, {
        name,
        book,
        symbol,
        multiplier: numberOf(multiplier) ?? 1,
        marks,
        otherPrices: others,
      });
    }
    const named = new Set(reported.map(({ key }) => laneName(key.book, key.symbol)));
    return {
      world: {
        rows: new LedgerRows(source, order),
        repeated: new Set(repeats.values()),
        lanes: facts,
        asOfDay: this.#history.asOfDay,
        quantityUnit,
        priceUnit,
        memory: new Memory(),
      },
      symbols: [
        ...new Set([
          ...[...ownLanes].map((lane) => at(trades.instruments, lane).symbol),
          ...admitted.map(({ symbol }) => symbol),
        ]),
      ],
      days: shared.days,
      rows: reported,
      files: [...ownFiles].sort((a, b) => a - b),
      unknown: [...named].filter((name) => !facts.has(name)),
      isTooLarge: !(volume * highest < Number.MAX_SAFE_INTEGER),
    };
  }
}

/**
 * Looks at the given trades and at all trades that share an id with them. Returns the trades whose id an
 * earlier row of the same file has (`earlier`), and those whose id a later row has (`later`).
 */
function sharedIds(trades: TradeColumns, groups: readonly (readonly number[])[]): RowSource["sharedIds"] {
  // Ids are compared only for trades whose hash several trades have, at least one of them a given trade.
  const bits = Math.max(8, Math.ceil(Math.log2(4 * trades.length + 1)));
  const bucketOf = (trade: number): number => trades.idHash(trade) >>> (32 - bits);
  const buckets = new Uint8Array(2 ** bits);
  const [once, twice, wanted] = [1, 2, 4];
  let isUnique = true;
  for (let trade = 0; trade < trades.length; trade++) {
    const bucket = bucketOf(trade);
    buckets[bucket] = buckets[bucket] === 0 ? once : twice;
    isUnique &&= buckets[bucket] === once;
  }
  if (isUnique) return { earlier: new Set(), later: new Set() };
  for (const group of groups)
    for (const trade of group) {
      const bucket = bucketOf(trade);
      buckets[bucket] = (buckets[bucket] as number) | wanted;
    }
  const [earlier, later] = [new Set<number>(), new Set<number>()];
  const last = new Map<string, number>();
  for (let trade = 0; trade < trades.length; trade++) {
    if (buckets[bucketOf(trade)] !== (twice | wanted)) continue;
    const id = trades.id(trade);
    const before = last.get(id);
    last.set(id, trade);
    if (before === undefined) continue;
    later.add(before);
    if (trades.file[before] === trades.file[trade]) earlier.add(trade);
  }
  return { earlier, later };
}

interface Admissible {
  readonly row: RefusedRow;
  readonly code: string;
  readonly sign: 1 | -1;
  readonly quantity: Decimal;
  readonly price: Decimal;
  readonly timeUs: number;
}

/** Returns a refused row as a more lenient system would read it; undefined if there is no such reading. */
function admissible(row: RefusedRow): Admissible | undefined {
  const [quantity, price] = [parseDecimal(row.quantity.trim()), parseDecimal(row.price.trim())];
  const time = readInstant(row.time.trim());
  if (quantity === undefined || price === undefined || time === undefined) return undefined;
  const common = { row, quantity, price, timeUs: time.instantUs };
  if (row.code === "BAD_SIDE") return { ...common, code: "BAD_SIDE", sign: -1 };
  const sign = row.side.trim() === "B" ? 1 : -1;
  if (row.code !== "BAD_QUANTITY" || quantity.coefficient > 0n) return undefined;
  return { ...common, code: quantity.coefficient === 0n ? "ZERO_QTY" : "NEGATIVE_QTY", sign };
}

/** Returns the rows in reading order, each as the index of a trade or -(1 + the index of an admitted row). */
function readingOrder(
  trades: TradeColumns,
  indices: readonly number[],
  admitted: readonly AdmittedRow[],
): readonly number[] {
  if (admitted.length === 0) return indices;
  const placeOf = (index: number): { readonly file: number; readonly line: number } =>
    index < 0 ? at(admitted, -1 - index) : trades.placeOf(index);
  return [...indices, ...admitted.map((_, index) => -1 - index)].sort((one, other) => {
    const [a, b] = [placeOf(one), placeOf(other)];
    return a.file - b.file || a.line - b.line;
  });
}

const unitsOf = ({ coefficient, scale }: Decimal, to: number): number =>
  Number(coefficient * powerOfTen(to - scale));
