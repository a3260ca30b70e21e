/**
 * The known ways in which a P&L system departs from the rules of the reference. Each is a counterfactual: a
 * switch of the reference engine. A cause is called proved only if the reference with its switch gives the
 * figures that the system reported; a cause that explains only a part of them has the level `reduces`.
 */
import { dayUs } from "../domain/market/chicago-time.ts";
import { formatDay, tradingDayRules } from "../domain/market/trading-day.ts";
import { legacyViews } from "../symbols/index.ts";
import { laneName, numberOf } from "./expected.ts";
import type { Component, History } from "./history.ts";
import { type Figures, figuresUnder, type LaneFacts, type Rules } from "./reference.ts";
import type { Row } from "./row.ts";

/** The meaning of each code, for reports and docs. */
export const explainedCauses = {
  DAY_RULE: "another rule assigns trades to trading days",
  NO_CARRY: "positions are not carried from one file to the next",
  LOT_TEXT: "lots are closed in the order of the text of day and number, so 10 comes before 2",
  LIFO: "the newest lot is closed first",
  AVERAGE: "lots are closed at the average price of the position",
  RESTART_AVERAGE: "a restart merges the open lots into one at their average price",
  FILE_ORDER: "trades are matched in the order of the file, not of their times",
  TIES: "trades of one time are matched in another order",
  MULTIPLIER: "a trade counts with another contract multiplier",
  TU_MULTIPLIER: "the two-year note counts 1000 a point, not 2000",
  COUNTED_TWICE: "rows that an earlier file also contains count again",
  RELOADED: "a file was loaded twice",
  DEDUPED: "of several rows with one id in a file only the first counts",
  ID_REUSE: "a later row with an id that was used before replaces the earlier row",
  FILE_REJECTED: "a file was given up at a bad row, so the rows after it do not count",
  BAD_SIDE: "a row with a side that is neither B nor S counts as a sale",
  NEGATIVE_QTY: "a row with a negative quantity counts with the opposite side",
  ZERO_QTY: "a row with the quantity 0 is accepted and changes no lot",
  NEGATIVE_PRICE: "rows with a negative price do not count",
  TIME_FORMAT: "rows with another form of time do not count",
  EXPIRY_DROPPED: "rows with a price of 0, such as expiries, do not count",
  SOD_EXCLUDED: "rows at midnight, the start-of-day positions, do not count",
  LATE_TRADE: "trades that came in a later file than newer ones do not count",
  TAIL_NOT_READ: "the last lines of a file were not read",
  UNREADABLE_SYMBOL: "symbols that a translator of the desk cannot read have the quantity 0",
  SYMBOL_MERGE: "instruments with one text in a translator of the desk are one position",
  SYMBOL_SPLIT: "spellings of one instrument are separate positions",
  NAME_ONLY: "the same figures appear under another name",
  BOOK_NETTING: "positions of several books are one",
  NO_MARK: "an open position without a price has an unrealized P&L of 0",
  ZERO_MARK: "a price of 0 counts as no price",
  LAST_TRADE_MARK: "a position without a price is valued at its last trade",
  PRICE_NOTATION: "prices in 32nds were read as decimals",
  PRICE_CHOICE: "another price of the day's files was taken",
  STALE_MARK: "the price of the day before was taken",
  SINCE_SOD: "unrealized P&L counts since the last close, not since the entry",
  OVERLAPPING_DAYS: "a day's total adds P&L since entry and P&L since the last close",
  MTM_REBASE: "lots get the closing price as their new entry price each day",
  DAILY_DEFINITION: "a day's total adds the level of unrealized P&L, not its change",
  SIGN_FLIP: "realized P&L has the opposite sign",
  REALIZED_LOST: "realized P&L is lost when the position is flat",
  TRUNCATED_QTY: "the fraction of each quantity is cut off",
  FLOAT_DUST: "binary floats leave a tiny open lot where the position is flat",
  ROUNDING: "amounts are rounded to fewer places",
  ONE_TRADE: "a single trade is missing, counted twice or different",
} as const;
type CauseCode = keyof typeof explainedCauses;

/** One way in which a cause may apply to one component. */
export interface Variant {
  readonly code: CauseCode;
  /** Distinguishes the variants of one code. */
  readonly rule: string;
  readonly apply: (rules: Rules) => Rules;
  /** Set if equal figures do not prove the cause; it then has the level `fits`. */
  readonly fits?: true;
}

/** Returns the rules of modern: FIFO or the given method, and its day rule. */
export function baseRules(history: History, method: string | undefined, dayRule: string): Rules {
  const rule = Object.values(tradingDayRules).find(({ name }) => name === dayRule);
  const own = rule === undefined || rule.name === history.dayRule.name;
  return {
    admitsRepeated: false,
    admits: [],
    keeps: [],
    doubles: undefined,
    sizes: [],
    edits: [],
    laneOf: ({ lane }) => lane,
    dayOf: own ? ({ day }) => day : ({ wallUs, file }) => rule.dayOf(wallUs, history.fileDays[file]),
    order: "time",
    lots: method === "lifo" || method === "average" ? method : "fifo",
    mergesLots: undefined,
    carriesOverFiles: true,
    floats: false,
    multiplierOf: ({ multiplier }) => multiplier,
    markOf: ({ marks }, day) => marks.get(day),
    unmarked: "none",
    zeroMark: "a-price",
    unrealizedSince: "entry",
    realizedSince: "entry",
    total: "change",
    invertedCloses: "nothing",
    flatPosition: history.onlyOpen === true ? "no-row" : "row",
    places: undefined,
  };
}

/** The data on which the variants of a component depend. */
export interface Case {
  readonly component: Component;
  readonly history: History;
  readonly base: Rules;
  /** The first line of each file at which a stricter reader would stop. */
  readonly cuts: ReadonlyMap<number, number>;
}

type Switch = Omit<Variant, "code">;
type Variants = (given: Case) => Iterable<Switch>;

const set = (rule: string, change: Partial<Rules>): Switch => ({
  rule,
  apply: (rules) => ({ ...rules, ...change }),
});
const keep = (rule: string, keeps: (row: Row) => boolean): Switch => ({
  rule,
  apply: (rules) => ({ ...rules, keeps: [...rules.keeps, keeps] }),
});
const resize = (rule: string, size: Rules["sizes"][number]): Switch => ({
  rule,
  apply: (rules) => ({ ...rules, sizes: [...rules.sizes, size] }),
});
const edit = (rule: string, change: (rows: readonly Row[]) => readonly Row[]): Switch => ({
  rule,
  apply: (rules) => ({ ...rules, edits: [...rules.edits, change] }),
});
const admit = (rule: string, code: string): Switch => ({
  rule,
  apply: (rules) => ({ ...rules, admits: [...rules.admits, code] }),
});
const when = (condition: boolean, ...switches: readonly Switch[]): readonly Switch[] =>
  condition ? switches : [];
const isMarked = ({ component }: Case): boolean =>
  [...component.world.lanes.values()].some(({ marks }) => marks.size > 0);
function some({ component: { world } }: Case, test: (row: Row) => boolean): boolean {
  for (let place = 0; place < world.rows.length; place++) {
    const row = world.rows.at(place);
    if (row !== undefined && test(row)) return true;
  }
  return false;
}

/** The variants of every cause. If several causes fit equally well, they are named in this order. */
const catalogue: Readonly<Record<Exclude<CauseCode, "ONE_TRADE">, Variants>> = {
  *DAY_RULE({ history, base, component }) {
    const rows = component.world.rows.ofEachHour;
    for (const { name, dayOf } of Object.values(tradingDayRules)) {
      const dayOfRow = ({ wallUs, file }: Row) => dayOf(wallUs, history.fileDays[file]);
      if (rows.some((row) => dayOfRow(row) !== base.dayOf(row)))
        yield set(`the day rule ${name}`, { dayOf: dayOfRow });
    }
  },
  NO_CARRY: ({ component }) =>
    when(component.files.length > 1, set("each file begins without open lots", { carriesOverFiles: false })),
  *LOT_TEXT({ component, history }) {
    if (component.world.rows.length < 2) return;
    const textOf = (numberOf: (row: Row) => number) => (row: Row) => textKey(row.day, numberOf(row));
    yield set("lots in the order of the text of day and number in the file", {
      lots: textOf(({ number }) => number),
    });
    if (history.files.length === 1) return;
    yield set("lots in the order of the text of day and number through all files", {
      lots: textOf(({ ordinal }) => ordinal),
    });
  },
  LIFO: ({ base }) => when(base.lots !== "lifo", set("the newest lot first", { lots: "lifo" })),
  AVERAGE: ({ base }) => when(base.lots !== "average", set("the average price", { lots: "average" })),
  *RESTART_AVERAGE({ component, base }) {
    const { rows } = component.world;
    const all = new Set(rows.ofEachHour.map(base.dayOf));
    const days = [...all].filter((day) => day !== undefined).sort((a, b) => a - b);
    if (days.length < 2 && component.files.length < 2) return;
    yield set("a restart before each file", { mergesLots: (row, before) => row.file !== before.file });
    yield set("a restart before each day", {
      mergesLots: (row, before) => base.dayOf(row) !== base.dayOf(before),
    });
    for (const day of days.slice(1, restartsMax))
      yield set(`a restart before ${formatDay(day)}`, {
        mergesLots: (row, before) => (base.dayOf(row) ?? 0) >= day && (base.dayOf(before) ?? 0) < day,
      });
  },
  FILE_ORDER: () => [set("the order of the file within each day", { order: "file" })],
  TIES: (given) => {
    const seconds = new Set<number>();
    return when(
      some(given, ({ timeUs }) => seconds.size === seconds.add(Math.floor(timeUs / 1e6)).size),
      set("trades of one second in the order of the file", { order: "second" }),
      set("a tie: trades of one time in reverse order", { order: "ties-reversed" }),
    );
  },
  *MULTIPLIER({ component, base }) {
    const given = [...component.world.lanes.values()].map(({ multiplier }) => multiplier);
    for (const factor of factorsOf(component, base))
      if (!given.includes(factor) && !(factor === 1000 && given.includes(2000)))
        yield set(`a multiplier of ${factor}`, { multiplierOf: () => factor });
  },
  TU_MULTIPLIER: ({ component }) =>
    when(
      [...component.world.lanes.values()].some(({ multiplier }) => multiplier === 2000),
      set("1000 a point instead of 2000", {
        multiplierOf: ({ multiplier }) => (multiplier === 2000 ? 1000 : multiplier),
      }),
    ),
  COUNTED_TWICE: (given) =>
    when(
      some(given, ({ repeats }) => repeats !== undefined),
      set("rows that an earlier file also contains count again", { admitsRepeated: true }),
    ),
  *RELOADED({ component, history }) {
    for (const file of component.files.slice(0, filesMax))
      yield set(`${history.files[file]} counts twice`, { doubles: (row) => row.file === file });
  },
  DEDUPED: (given) => withoutRows(given, "the first row of each id in a file", (row) => row.hasEarlierId),
  ID_REUSE: (given) => withoutRows(given, "the last row of each id", (row) => row.hasLaterId),
  *FILE_REJECTED({ history, component, cuts }) {
    const own = component.files.filter((file) => cuts.has(file));
    const cutOf = (files: readonly number[]) => (row: Row) =>
      !files.includes(row.file) || row.line < (cuts.get(row.file) ?? Number.POSITIVE_INFINITY);
    const place = (file: number) => `${history.files[file]}:${cuts.get(file)}`;
    if (own.length > 0) yield keep(`no row from the bad one on: ${own.map(place).join(", ")}`, cutOf(own));
    if (own.length > 1)
      for (const file of own.slice(0, filesMax))
        yield keep(`no row from the bad one on: ${place(file)}`, cutOf([file]));
  },
  BAD_SIDE: (given) => admitted(given, "BAD_SIDE", "a row without a known side counts as a sale"),
  NEGATIVE_QTY: (given) => admitted(given, "NEGATIVE_QTY", "a negative quantity turns the side round"),
  ZERO_QTY: (given) => admitted(given, "ZERO_QTY", "a row of quantity 0 is accepted"),
  NEGATIVE_PRICE: (given) => without(given, "negative prices", ({ price }) => price < 0),
  TIME_FORMAT: (given) => without(given, "times of another form", ({ oddTime }) => oddTime),
  EXPIRY_DROPPED: (given) => without(given, "a price of 0", ({ price }) => price === 0),
  SOD_EXCLUDED: (given) => without(given, "a time of midnight", ({ wallUs }) => wallUs % dayUs === 0),
  LATE_TRADE: ({ component }) => {
    const late = lateRows(component.world.rows);
    return when(
      late.size > 0,
      keep("without the late trades", ({ place }) => !late.has(place)),
    );
  },
  *TAIL_NOT_READ({ component, history }) {
    const lastLines = new Map<number, number[]>();
    for (const { file, line } of component.world.rows) {
      const lines = lastLines.get(file) ?? [];
      if (lines.push(line) > tailMax) lines.shift();
      lastLines.set(file, lines);
    }
    for (const file of component.files.slice(0, filesMax)) {
      for (const line of lastLines.get(file)?.toReversed() ?? [])
        yield {
          ...keep(
            `${history.files[file]} only up to line ${line - 1}`,
            (row) => row.file !== file || row.line < line,
          ),
          fits: true,
        };
    }
  },
  *UNREADABLE_SYMBOL({ component }) {
    for (const { name, says } of legacyViews) {
      const isLost = new Set(component.symbols.filter((symbol) => says(symbol) === null));
      if (isLost.size > 0)
        yield resize(`symbols that ${name} cannot read have no quantity`, (signed, { symbol }) =>
          isLost.has(symbol) ? 0 : signed,
        );
    }
  },
  *SYMBOL_MERGE({ component, history }) {
    if (new Set([...component.world.lanes.values()].map(({ symbol }) => symbol)).size < 2) return;
    for (const { name, says } of legacyViews) {
      if (!mergesInstruments({ component, history }, says)) continue;
      yield set(`one position for each text of ${name}`, {
        laneOf: ({ symbol, book, lane }) => {
          const text = says(symbol);
          return typeof text === "string"
            ? laneName(history.netBooks ? undefined : book, history.nameOf(text))
            : lane;
        },
      });
    }
    const onlyLane = component.world.lanes.values().next().value;
    for (const target of [...component.world.lanes.keys(), ...component.unknown])
      if (onlyLane !== undefined)
        yield set(`one position under ${wordsOf(target)}`, { laneOf: () => target });
  },
  SYMBOL_SPLIT: ({ component, history }) =>
    when(
      component.symbols.length > component.world.lanes.size,
      set("one position for each spelling", {
        laneOf: ({ symbol, book }) => laneName(history.netBooks ? undefined : book, symbol),
      }),
    ),
  *NAME_ONLY({ component }) {
    for (const target of component.unknown)
      for (const lane of component.world.lanes.keys())
        yield set(`${wordsOf(lane)} is called ${wordsOf(target)}`, {
          laneOf: (row) => (row.lane === lane ? target : row.lane),
        });
    // Another name of an instrument that has a position in several books.
    const names = new Set(component.unknown.map(symbolOf));
    if (names.size === component.unknown.length) return;
    for (const name of names)
      for (const symbol of new Set([...component.world.lanes.keys()].map(symbolOf)))
        yield set(`${symbol} is called ${name} in every book`, {
          laneOf: ({ lane, book }) => (symbolOf(lane) === symbol ? laneName(book, name) : lane),
        });
  },
  *BOOK_NETTING({ component }) {
    const symbols = new Set([...component.world.lanes.values()].map(({ symbol }) => symbol));
    if (symbols.size === component.world.lanes.size && component.unknown.length === 0) return;
    const symbolOfLane = (row: Row) => component.world.lanes.get(row.lane)?.symbol ?? row.symbol;
    if ([...component.world.lanes.values()].every(({ book }) => book === undefined)) return;
    yield set("positions without books", { laneOf: (row) => laneName(undefined, symbolOfLane(row)) });
    for (const { book } of component.world.lanes.values())
      yield set(`all trades in the book ${book}`, { laneOf: (row) => laneName(book, symbolOfLane(row)) });
  },
  NO_MARK: () => [set("an open position without a price is worth its cost", { unmarked: "zero" })],
  ZERO_MARK: ({ component }) =>
    when(
      [...component.world.lanes.values()].some(({ marks }) => [...marks.values()].includes(0)),
      set("a price of 0 is none", { zeroMark: "none" }),
      set("a price of 0 gives an unrealized P&L of 0", { zeroMark: "zero" }),
      set("a price of 0 gives an unrealized P&L of 0 in positions", { zeroMark: "zero-in-positions" }),
    ),
  LAST_TRADE_MARK: () => [set("the last trade where a price is missing", { unmarked: "last-trade" })],
  PRICE_NOTATION: (given) => {
    const { priceUnit } = given.component.world;
    return when(
      isMarked(given),
      set("marks in 32nds read as decimals", {
        markOf: ({ marks }, day) => {
          const mark = marks.get(day);
          return mark === undefined ? undefined : asDigits(mark / priceUnit) * priceUnit;
        },
      }),
    );
  },
  *PRICE_CHOICE({ component }) {
    const most = Math.max(
      0,
      ...[...component.world.lanes.values()].flatMap(({ otherPrices }) =>
        [...otherPrices.values()].map(({ length }) => length),
      ),
    );
    for (let at = 0; at < Math.min(most, pricesMax); at++)
      yield set(`price ${at + 1} of the day's files`, {
        markOf: ({ marks, otherPrices }, day) => otherPrices.get(day)?.[at] ?? marks.get(day),
      });
  },
  STALE_MARK: (given) => {
    const { lanes } = given.component.world;
    const before = new Map([...lanes.values()].map((lane) => [lane.symbol, shifted(lane)]));
    return when(
      isMarked(given),
      set("the price of the day before", {
        markOf: ({ symbol, marks }, day) => before.get(symbol)?.get(day) ?? marks.get(day),
      }),
    );
  },
  SINCE_SOD: (given) =>
    when(isMarked(given), set("unrealized since the last close", { unrealizedSince: "last-close" })),
  OVERLAPPING_DAYS: (given) =>
    when(
      isMarked(given),
      set("realized since entry plus unrealized since the last close", {
        unrealizedSince: "last-close",
        total: "level",
      }),
    ),
  MTM_REBASE: (given) =>
    when(
      isMarked(given),
      set("entry prices replaced by each close", {
        unrealizedSince: "last-close",
        realizedSince: "last-close",
        total: "level",
      }),
    ),
  DAILY_DEFINITION: () => [set("the level of unrealized in each total", { total: "level" })],
  SIGN_FLIP: () => [
    set("closes of long lots negated", { invertedCloses: "longs" }),
    set("every close negated", { invertedCloses: "all" }),
  ],
  REALIZED_LOST: () => [
    set("no row for a flat position", { flatPosition: "no-row" }),
    set("a flat position has realized nothing", { flatPosition: "no-realized" }),
  ],
  TRUNCATED_QTY: ({ component }) => {
    const { quantityUnit } = component.world;
    return when(
      quantityUnit > 1,
      resize(
        "the fraction of each quantity cut off",
        (signed) => Math.trunc(signed / quantityUnit) * quantityUnit,
      ),
    );
  },
  FLOAT_DUST: ({ component }) =>
    when(component.world.quantityUnit > 1, set("binary floats", { floats: true })),
  *ROUNDING() {
    for (const places of [5, 4, 3, 2]) yield set(`amounts in points rounded to ${places} places`, { places });
  },
};

const [filesMax, restartsMax, tailMax, pricesMax] = [12, 24, 8, 6];

/** Returns all variants that can apply to a component. */
export function variantsOf(given: Case): readonly Variant[] {
  const found: Variant[] = [];
  for (const code of codesInOrder)
    for (const variant of catalogue[code](given)) found.push({ ...variant, code });
  return found;
}

const isListed = (code: string): code is keyof typeof catalogue => Object.hasOwn(catalogue, code);
const codesInOrder = Object.keys(explainedCauses).filter(isListed);

/** Yields each single change of one trade; the search tries them last. */
export function* singleTrades({ component, base }: Case, untilDay: number): Generator<Variant> {
  const variant = (rule: string, change: (row: Row) => readonly Row[], place: number): Variant => ({
    code: "ONE_TRADE",
    ...edit(rule, (rows) => rows.flatMap((row) => (row.place === place ? change(row) : [row]))),
  });
  for (const row of component.world.rows) {
    if (row.repeats !== undefined || row.refused !== undefined || (base.dayOf(row) ?? 0) > untilDay) continue;
    const name = `trade ${row.id} of line ${row.line}`;
    yield variant(`${name} is missing`, () => [], row.place);
    yield variant(`${name} counts twice`, (one) => [one, one], row.place);
    yield variant(`${name} has the other side`, (one) => [one.with({ signed: -one.signed })], row.place);
  }
}

/**
 * Yields changes of the quantity or the price of one trade, by the amount that the reference's figures lack.
 */
export function* alteredTrades(
  { component, base }: Case,
  untilDay: number,
  lacking: { readonly quantity: number; readonly cash: number },
): Generator<Variant> {
  for (const row of component.world.rows) {
    if (row.repeats !== undefined || row.refused !== undefined || (base.dayOf(row) ?? 0) > untilDay) continue;
    const name = `trade ${row.id} of line ${row.line}`;
    const signed = row.signed + lacking.quantity;
    const price = row.price - lacking.cash / row.signed;
    const altered = (rule: string, change: Parameters<Row["with"]>[0]): Variant => ({
      code: "ONE_TRADE",
      ...edit(rule, (rows) => rows.map((one) => (one.place === row.place ? one.with(change) : one))),
    });
    if (lacking.quantity !== 0 && signed !== 0) yield altered(`${name} has another quantity`, { signed });
    if (lacking.quantity === 0 && lacking.cash !== 0 && Number.isFinite(price))
      yield altered(`${name} has another price`, { price: Math.round(price) });
  }
}

const admitted = (given: Case, code: string, rule: string): readonly Switch[] =>
  when(
    some(given, ({ refused }) => refused === code),
    admit(rule, code),
  );

const withoutRows = (given: Case, rule: string, test: (row: Row) => boolean): readonly Switch[] =>
  when(
    some(given, test),
    keep(rule, (row) => !test(row)),
  );

const without = (given: Case, what: string, test: (row: Row) => boolean): readonly Switch[] =>
  withoutRows(given, `without rows with ${what}`, test);

const symbolOf = (lane: string): string => String(JSON.parse(lane)[0]);
/**
 * A lane in words. Two lanes never have the same words, because variants are distinguished by their rules.
 */
const wordsOf = (lane: string): string => JSON.parse(lane).join(" in ");

/** Whether a translator of the desk gives two instruments of a component one text. */
function mergesInstruments(
  { component, history }: Pick<Case, "component" | "history">,
  says: (symbol: string) => unknown,
): boolean {
  const names = new Map<unknown, string>();
  return component.symbols.some((symbol) => {
    const [text, name] = [says(symbol), history.nameOf(symbol)];
    if (typeof text !== "string") return false;
    const other = names.get(text) ?? name;
    names.set(text, name);
    return other !== name;
  });
}

/** Returns the multipliers that a row of the report suggests, and the usual ones. */
function factorsOf(component: Component, base: Rules): readonly number[] {
  const { lanes } = figuresUnder({ ...component.world, days: component.days.legacy }, base);
  const factors = new Set([1, 1000, 2000]);
  for (const row of component.rows) {
    const multiplier = component.world.lanes.get(laneName(row.key.book, row.key.symbol))?.multiplier;
    const figures = lanes.get(laneName(row.key.book, row.key.symbol))?.position;
    if (row.kind !== "position" || multiplier === undefined || figures === undefined) continue;
    const ours = moneyOf(figures, row.field);
    for (const text of [row.legacy, row.modern]) {
      const factor = ((numberOf(text ?? "") ?? 0) / (ours ?? 0)) * multiplier;
      if (Number.isFinite(factor) && factor > 0) factors.add(Number(factor.toPrecision(9)));
    }
  }
  return [...factors].slice(0, 8);
}

const moneyOf = (figures: Figures, field: string): number | null =>
  field === "realized" ? figures.realized : field === "unrealized" ? figures.unrealized : null;

/** The first line of each file at which a stricter reader would stop. */
export function cutsOf({ refused, trades, oddTimes, rowsTaken }: History): ReadonlyMap<number, number> {
  const cuts = new Map<number, number>();
  const see = (file: number, line: number): void => {
    cuts.set(file, Math.min(cuts.get(file) ?? Number.POSITIVE_INFINITY, line));
  };
  for (const { file, line } of refused) see(file, line);
  for (let trade = 0; trade < trades.length; trade++)
    if ((trades.price.coefficient[trade] ?? 0) < 0) see(...placeOf(trades, trade));
  for (const place of oddTimes) {
    const [file = "", line = ""] = place.split(":");
    see(Number(file), Number(line));
  }
  for (const [file, taken] of rowsTaken) {
    const lines = refused.filter((row) => row.file === file).map(({ line }) => line);
    for (let trade = 0; trade < trades.length; trade++)
      if (trades.file[trade] === file) lines.push(trades.line[trade] ?? 0);
    const line = lines.sort((a, b) => a - b)[taken];
    if (line !== undefined) cuts.set(file, line);
  }
  return cuts;
}

const placeOf = (trades: History["trades"], trade: number): [number, number] => {
  const { file, line } = trades.placeOf(trade);
  return [file, line];
};

/** Returns a number that orders lots like the text of their day and number: 10 comes before 2. */
function textKey(day: number, number: number): number {
  let key = day;
  let digits = 0;
  for (let place = 10 ** Math.floor(Math.log10(number)); place >= 1; place /= 10) {
    key = key * 11 + 1 + (Math.floor(number / place) % 10);
    digits += 1;
  }
  return key * 11 ** Math.max(0, textDigits - digits);
}

/** Numbers of rows have at most this many digits. */
const textDigits = 9;

/** Returns the rows that are older than a row of their lane in an earlier file. */
function lateRows(rows: Iterable<Row>): ReadonlySet<number> {
  const late = new Set<number>();
  const newest = new Map<string, { file: number; before: number; time: number }>();
  for (const { place, lane, file, timeUs } of rows) {
    const seen = newest.get(lane) ?? { file, before: Number.NEGATIVE_INFINITY, time: timeUs };
    newest.set(lane, seen);
    if (seen.file !== file) Object.assign(seen, { file, before: seen.time });
    if (timeUs < seen.before) late.add(place);
    seen.time = Math.max(seen.time, timeUs);
  }
  return late;
}

/** Returns a price in 32nds misread as a decimal: 110.515625, which is 110-16.5, becomes 110.165. */
function asDigits(price: number): number {
  const handle = Math.trunc(price);
  return handle + ((price - handle) * 32) / 100;
}

/** Returns the marks of a lane, each moved to the next day that has a mark. */
function shifted({ marks }: LaneFacts): ReadonlyMap<number, number> {
  const days = [...marks].sort(([a], [b]) => a - b);
  return new Map(days.slice(1).map(([day], index) => [day, days[index]?.[1] ?? 0]));
}
