/**
 * Finds the causes of the differences of a report. For each component and each side it searches for the
 * smallest set of switches with which the reference engine reproduces all rows that the side reported. The
 * causes are the switches in which the two sets differ. Deterministic: the budget counts work, not time.
 */

import { fingerprint } from "../base/fingerprint.ts";
import {
  add,
  type Fraction,
  formatFraction,
  fraction,
  multiply,
  parseFigure,
  subtract,
  zero,
} from "../base/fraction.ts";
import { parseDay } from "../domain/market/trading-day.ts";
import type { Side } from "../domain/migration/phase.ts";
import type { CauseLevel, Explanation } from "../ports/explanation.ts";
import type { ParityReport, ParityRow } from "../ports/parity-report.ts";
import {
  alteredTrades,
  baseRules,
  type Case,
  cutsOf,
  singleTrades,
  type Variant,
  variantsOf,
} from "./catalogue.ts";
import { type ComparedDays, Expected, isApart, laneName, numberOf, textAt, valueAt } from "./expected.ts";
import { type Component, componentsOf, type History } from "./history.ts";
import {
  type DayCheck,
  figuresUnder,
  type LaneFigures,
  type Rules,
  rowsTreatedDifferently,
  type World,
} from "./reference.ts";
import type { Row } from "./row.ts";
import { witnessOf } from "./witness.ts";

export interface ExplainOptions {
  /** The largest number of runs of the reference for one component. */
  readonly runsMax: number;
  /** The largest number of trades that all runs for one component may evaluate. */
  readonly tradesMax: number;
  /** The largest number of trades that all runs for the whole report may evaluate. */
  readonly reportTradesMax: number;
}

/** These limits allow two to four seconds for one component, and a little more for a report. */
export const explainDefaults: ExplainOptions = Object.freeze({
  runsMax: 10_000,
  tradesMax: 12_000_000,
  reportTradesMax: 16_000_000,
});

export interface Explained {
  readonly explanation: Explanation;
  /** The rows of the component that differ, each with the codes of the proved causes that change it. */
  readonly rows: ReadonlyMap<ParityRow, readonly string[]>;
  /** The trades that the proved causes treat differently; for a repeated row, the trade that it repeats. */
  readonly trades: readonly Pick<Row, "file" | "line" | "id" | "day">[];
}

interface Run {
  readonly report: ParityReport;
  readonly compared: ComparedDays;
  readonly budget: Budget;
  readonly known: Recipe[];
}

/**
 * Explains every component of a report that has a row that differs; `only` limits this to the component of
 * one row.
 */
export function explain(
  report: ParityReport,
  given: History,
  options: ExplainOptions = explainDefaults,
  only?: ParityRow,
): readonly Explained[] {
  const history = withOneName(given);
  const base = baseRules(history, report.method, report.dayRules.modern);
  const compared = { first: history.firstDay ?? Number.NEGATIVE_INFINITY, last: lastDaysOf(report) };
  const cuts = cutsOf(history);
  const known: Recipe[] = [];
  let left = options.reportTradesMax;
  return componentsOf(report, history)
    .filter(({ rows }) => only === undefined || rows.includes(only))
    .map((component) => {
      const budget = new Budget(options.runsMax, Math.max(0, Math.min(options.tradesMax, left)));
      const explained = new Search(
        { component, history, base, cuts },
        { report, compared, budget, known },
      ).result();
      left -= budget.trades;
      return explained;
    });
}

/** Gives each instrument one name, because two books may use different spellings as its name. */
const withOneName = (history: History): History => ({
  ...history,
  nameOf: (symbol) => {
    const name = history.nameOf(symbol);
    return history.nameOf(name) === symbol && symbol < name ? symbol : name;
  },
});

function lastDaysOf({ rows }: ParityReport): ReadonlyMap<ParityRow["kind"], number> {
  const last = new Map<ParityRow["kind"], number>();
  for (const { kind, key } of rows)
    last.set(kind, Math.max(last.get(kind) ?? Number.NEGATIVE_INFINITY, parseDay(key.tradingDay ?? "") ?? 0));
  return last;
}

/** Counts the work of one component. */
class Budget {
  runs = 0;
  trades = 0;
  readonly runsMax: number;
  readonly tradesMax: number;

  constructor(runsMax: number, tradesMax: number) {
    this.runsMax = runsMax;
    this.tradesMax = tradesMax;
  }

  get isExhausted(): boolean {
    return this.runs >= this.runsMax || this.trades >= this.tradesMax;
  }

  /** Runs the reference. A run costs the number of its trades plus `overhead`. */
  run(world: World, rules: Rules): ReadonlyMap<string, LaneFigures> {
    return this.runWhile(world, rules) ?? new Map();
  }

  /** Like `run`, but returns undefined if the check refuses a day. */
  runWhile(world: World, rules: Rules, check?: DayCheck): ReadonlyMap<string, LaneFigures> | undefined {
    const { lanes, trades, isStopped } = figuresUnder(world, rules, check);
    this.runs += 1;
    this.trades += trades + overhead + world.days.length;
    return isStopped ? undefined : lanes;
  }
}

const overhead = 100;

/** The names of a proved set of causes, which is tried early on later components. */
type Recipe = readonly string[];

interface Found {
  readonly variants: readonly Variant[];
  readonly level: CauseLevel;
  /** Other sets of codes that reproduce the same rows. */
  readonly alternatives: readonly (readonly string[])[];
}

interface SidedCause {
  readonly side: Side;
  readonly variant: Variant;
  /** Whether the cause changes a row. Set for a cause whose effect no run of the reference shows. */
  readonly changes?: (row: ParityRow) => boolean;
}

type Lanes = ReadonlyMap<string, LaneFigures>;

type FoundBySide = { [S in Side]?: Found | undefined };

interface Judged {
  readonly variants: readonly Variant[];
  readonly apart: number;
}

const sides = ["legacy", "modern"] as const;

class Search {
  readonly #given: Case;
  readonly #component: Component;
  readonly #report: ParityReport;
  readonly #worlds: Readonly<Record<Side, World>>;
  readonly #base: Rules;
  readonly #expected: Readonly<Record<Side, Expected>>;
  readonly #budget: Budget;
  readonly #known: Recipe[];
  readonly #variants: readonly Variant[];
  readonly #judged = new Map<string, number>();
  readonly #tried = new Map<string, number>();

  constructor(given: Case, { report, compared, budget, known }: Run) {
    const { component, base } = given;
    const { days, world } = component;
    this.#given = given;
    this.#report = report;
    this.#worlds = { legacy: { ...world, days: days.legacy }, modern: { ...world, days: days.modern } };
    this.#component = component;
    this.#base = base;
    this.#expected = {
      legacy: new Expected(component.rows, "legacy", compared),
      modern: new Expected(component.rows, "modern", compared),
    };
    this.#budget = budget;
    this.#known = known;
    this.#variants = component.isTooLarge ? [] : variantsOf(given);
  }

  result(): Explained {
    const found: FoundBySide = {};
    if (!this.#component.isTooLarge) for (const side of sides) found[side] = this.#solve(side);
    const rows = this.#component.rows.filter(isApart);
    const causes = this.#causesOf(found);
    return {
      explanation: this.#explanation(found, causes, rows),
      rows: this.#codesByRow(found, causes, rows),
      trades: this.#treated(found),
    };
  }

  /** Returns the number of figures in which a set of variants differs from the rows of a side. */
  #judge(side: Side, variants: readonly Variant[]): number {
    const key = keyOf(side, variants);
    const known = this.#judged.get(key);
    if (known !== undefined) return known;
    const { apart } = this.#expected[side].compare(this.#run(side, variants));
    this.#judged.set(key, apart);
    return apart;
  }

  #run(side: Side, variants: readonly Variant[]): Lanes {
    return this.#budget.run(this.#worlds[side], rulesWith(this.#base, inOrder(this.#variants, variants)));
  }

  /**
   * Whether a variant may give all rows of a side. Its run stops at the first day on which a figure differs
   * from the side's.
   */
  #mayProve(side: Side, variant: Variant): boolean {
    const rules = rulesWith(this.#base, [variant]);
    if (rules.dayOf !== this.#base.dayOf || rules.order !== this.#base.order) return true;
    const expected = this.#expected[side];
    const lanes = this.#budget.runWhile(this.#worlds[side], rules, (lane, day, figures) =>
      expected.isDayRight(lane, day, figures),
    );
    if (lanes !== undefined) this.#judged.set(keyOf(side, [variant]), expected.compare(lanes).apart);
    return lanes !== undefined;
  }

  /**
   * Whether the rows are read in the order of their days and times, so that a run may judge each day at its
   * end.
   */
  #isReadInOrder(): boolean {
    const { rows } = this.#component.world;
    let [lastDay, lastTime] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let place = 0; place < rows.length; place++) {
      const row = rows.at(place);
      const day = row && this.#base.dayOf(row);
      if (row === undefined || day === undefined) continue;
      if (day < lastDay || (day === lastDay && row.timeUs < lastTime)) return false;
      lastDay = day;
      lastTime = row.timeUs;
    }
    return true;
  }

  /** Finds the smallest sets of variants that reproduce all rows of a side. */
  #solve(side: Side): Found | undefined {
    const before = this.#judge(side, []);
    if (before === 0) return { variants: [], level: "proved", alternatives: [] };
    const judge = (variants: readonly Variant[]): Judged => ({
      variants,
      apart: this.#judge(side, variants),
    });
    const singles = (some: readonly Variant[]): readonly Judged[] => {
      const judged: Judged[] = [];
      for (const variant of some) {
        if (this.#budget.isExhausted) break;
        const one = judge([variant]);
        judged.push(one);
        const least = this.#tried.get(variant.code) ?? Number.POSITIVE_INFINITY;
        this.#tried.set(variant.code, Math.min(least, one.apart));
      }
      return judged;
    };
    const certain = this.#variants.filter(({ fits }) => fits === undefined);
    if (this.#isLarge && this.#isReadInOrder()) {
      const proved = this.#proved(singles(certain.filter((variant) => this.#mayProve(side, variant))));
      if (proved !== undefined) return proved;
    }
    const sure = singles(certain);
    const helpful = sure.filter(({ apart }) => apart < before).sort((a, b) => a.apart - b.apart);
    const fits = this.#variants.filter(({ fits }) => fits === true);
    const proved = this.#proved(this.#isLarge ? sure : [...sure, ...singles(fits)]);
    return (
      (proved?.variants.every(({ fits }) => fits === undefined) === true ? proved : undefined) ??
      this.#proved(this.#recipes().map(judge)) ??
      this.#proved(this.#pairs(helpful, this.#isLarge ? helpful : sure, judge)) ??
      this.#fitting(side, singles(fits), judge) ??
      this.#proved(this.#isLarge ? [] : this.#pairs(sure, sure, judge)) ??
      this.#proved(this.#threes(helpful, judge)) ??
      this.#reducing(side, helpful)
    );
  }

  /**
   * Whether each run is so costly that the search skips pairs of causes that do not help alone, and
   * alternatives of pairs.
   */
  get #isLarge(): boolean {
    return this.#component.world.rows.length > 20_000;
  }

  #proved(judged: Iterable<Judged>): Found | undefined {
    const proving: Judged[] = [];
    for (const one of judged) if (one.apart === 0) proving.push(one);
    const [first] = proving;
    if (first === undefined) return undefined;
    const own = codesOf(first.variants).join(" ");
    const others = new Map(proving.map(({ variants }) => [codesOf(variants).join(" "), codesOf(variants)]));
    others.delete(own);
    for (const { variants } of proving.slice(0, alternativesMax)) {
      const recipe = variants.map(nameOfVariant);
      const isKnown = this.#known.some((known) => known.join("\n") === recipe.join("\n"));
      if (recipe.length > 1 && !isKnown) this.#known.push(recipe);
    }
    return {
      variants: first.variants,
      level: "proved",
      alternatives: [...others.values()].slice(0, alternativesMax),
    };
  }

  #recipes(): readonly (readonly Variant[])[] {
    return this.#known.flatMap((recipe) => {
      const variants = this.#variants.filter((variant) => recipe.includes(nameOfVariant(variant)));
      return variants.length === recipe.length ? [variants] : [];
    });
  }

  *#pairs(
    some: readonly Judged[],
    all: readonly Judged[],
    judge: (variants: readonly Variant[]) => Judged,
  ): Generator<Judged> {
    for (const one of some)
      for (const other of all) {
        if (this.#budget.isExhausted) return;
        const [a, b] = [one.variants[0], other.variants[0]];
        if (a === undefined || b === undefined || a.code === b.code) continue;
        yield judge(inOrder(this.#variants, [a, b]));
      }
  }

  *#threes(helpful: readonly Judged[], judge: (variants: readonly Variant[]) => Judged): Generator<Judged> {
    const best: Variant[] = [];
    for (const { variants } of helpful)
      for (const variant of variants)
        if (best.length < 6 && !best.some(({ code }) => code === variant.code)) best.push(variant);
    for (const [one, a] of best.entries())
      for (const [two, b] of best.slice(0, one).entries())
        for (const c of this.#variants) {
          if (this.#budget.isExhausted) return;
          if (
            c.fits === undefined &&
            c.code !== a.code &&
            c.code !== b.code &&
            (best.indexOf(c) < 0 || best.indexOf(c) < two)
          )
            yield judge(inOrder(this.#variants, [a, b, c]));
        }
  }

  /**
   * Finds the changes of one trade that reproduce all rows. The level is `proved` if the whole search finds
   * exactly one of them and the side has rows, otherwise `fits`.
   */
  #oneTrade(side: Side, judge: (variants: readonly Variant[]) => Judged): Found | undefined {
    const fitting: Variant[] = [];
    const untilDay = this.#firstDay();
    for (const variants of [
      singleTrades(this.#given, untilDay),
      alteredTrades(this.#given, untilDay, this.#lacking(side)),
    ])
      for (const variant of variants) {
        if (this.#budget.isExhausted || fitting.length >= 5) break;
        if (judge([variant]).apart === 0) fitting.push(variant);
      }
    const [first] = fitting;
    if (first === undefined) return undefined;
    const hasRows = this.#component.rows.some((row) => !(row.field === "row" && row[side] === "0"));
    if (fitting.length === 1 && hasRows && !this.#budget.isExhausted)
      return { variants: [first], level: "proved", alternatives: [] };
    const rules = fitting.map((variant) => variant.rule).join("; ");
    const rule = fitting.length === 1 ? rules : `one of: ${rules}`;
    return { variants: [{ ...first, rule }], level: "fits", alternatives: [] };
  }

  #firstDay(): number {
    const days = this.#component.rows
      .filter(isApart)
      .flatMap(({ key }) => parseDay(key.tradingDay ?? "") ?? []);
    return days.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...days);
  }

  /** Returns the quantity and cash that the reference lacks against the position of a side, in units. */
  #lacking(side: Side): { readonly quantity: number; readonly cash: number } {
    const { world, rows } = this.#component;
    const lanes = this.#run(side, []);
    let [quantity, money] = [0, 0];
    for (const row of rows) {
      if (row.kind !== "position" || row.field === "averagePrice") continue;
      const gap = (numberOf(row[side] ?? "") ?? 0) - (valueAt(lanes, row) ?? 0);
      if (row.field === "quantity") quantity += gap;
      else if (row.field === "realized" || row.field === "unrealized")
        money += gap / (world.lanes.get(laneName(row.key.book, row.key.symbol))?.multiplier ?? 1);
    }
    return {
      quantity: Math.round(quantity * world.quantityUnit),
      cash: Math.round(money * world.quantityUnit * world.priceUnit),
    };
  }

  /**
   * Returns a cause that only fits, with the change of a single trade as its alternative; if no cause fits,
   * that change.
   */
  #fitting(
    side: Side,
    singles: readonly Judged[],
    judge: (variants: readonly Variant[]) => Judged,
  ): Found | undefined {
    const [found, oneTrade] = [this.#proved(singles), this.#oneTrade(side, judge)];
    if (found === undefined || oneTrade === undefined) return found ? { ...found, level: "fits" } : oneTrade;
    return { ...found, level: "fits", alternatives: [...found.alternatives, ["ONE_TRADE"]] };
  }

  /**
   * Returns the best single variant, if with it at least half of the differing rows agree and no other row
   * differs.
   */
  #reducing(side: Side, helpful: readonly Judged[]): Found | undefined {
    const [best] = helpful;
    if (best === undefined) return undefined;
    const wrong = (variants: readonly Variant[]): ReadonlySet<string> =>
      this.#expected[side].compare(this.#run(side, variants)).wrong;
    const [before, after] = [wrong([]), wrong(best.variants)];
    if (after.size * 2 > before.size || [...after].some((row) => !before.has(row))) return undefined;
    return { variants: best.variants, level: "reduces", alternatives: [] };
  }

  /**
   * Returns the switches in which the two sides differ. A switch that both sides have causes no difference.
   */
  #causesOf(found: FoundBySide): readonly SidedCause[] {
    const has = (side: Side, variant: Variant): boolean =>
      found[side]?.variants.some((one) => nameOfVariant(one) === nameOfVariant(variant)) === true;
    const causes = sides.flatMap((side) =>
      (found[side]?.variants ?? []).flatMap((variant) =>
        has(side === "legacy" ? "modern" : "legacy", variant) ? [] : [{ side, variant }],
      ),
    );
    const { legacy, modern } = this.#report.dayRules;
    const isOther = ({ key }: ParityRow): boolean => {
      const day = parseDay(key.tradingDay ?? "");
      const { days } = this.#component;
      return day !== undefined && days.legacy.includes(day) !== days.modern.includes(day);
    };
    const isListed = causes.some(({ variant }) => variant.code === "DAY_RULE");
    if (legacy === modern || isListed || !this.#component.rows.some(isOther)) return causes;
    // Each side has the days of its own rule, even if no trade of the component moves to another day.
    const rule = `the days of the rule ${legacy}, where modern has those of ${modern}`;
    const variant = { code: "DAY_RULE", rule, apply: (rules: Rules) => rules } as const;
    return [...causes, { side: "legacy", variant, changes: isOther }];
  }

  /** Returns the figures of a side under the chosen causes of that side. */
  #runWith(
    found: FoundBySide,
    causes: readonly SidedCause[],
    side: Side,
    isChosen: (cause: SidedCause) => boolean,
  ) {
    const left = new Set(causes.filter((cause) => !isChosen(cause)).map(({ variant }) => variant));
    return this.#run(side, found[side]?.variants.filter((variant) => !left.has(variant)) ?? []);
  }

  #treated(found: FoundBySide): readonly Row[] {
    const { world } = this.#component;
    if (sides.some((side) => found[side]?.level !== "proved")) return [];
    const rows = sides.flatMap((side) =>
      rowsTreatedDifferently(
        world,
        this.#base,
        rulesWith(this.#base, inOrder(this.#variants, found[side]?.variants ?? [])),
      ),
    );
    const places = new Set(rows.map((row) => row.repeats ?? row.place));
    return [...places].flatMap((place) => world.rows.at(place) ?? []);
  }

  #codesByRow(found: FoundBySide, causes: readonly SidedCause[], rows: readonly ParityRow[]) {
    const isProved = sides.every((side) => found[side]?.level === "proved");
    const all = isProved ? causes.map(({ variant }) => variant.code) : [];
    if (all.length < 2) return new Map(rows.map((row) => [row, all]));
    const changes = causes.map((cause) => {
      const { side } = cause;
      if (cause.changes !== undefined) return cause.changes;
      const [none, alone, others, whole] = [
        () => false,
        (one: SidedCause) => one === cause,
        (one: SidedCause) => one !== cause,
        () => true,
      ].map((isChosen) => this.#runWith(found, causes, side, isChosen));
      return (row: ParityRow): boolean =>
        textAt(none, row) !== textAt(alone, row) || textAt(others, row) !== textAt(whole, row);
    });
    return new Map(
      rows.map((row) => {
        const own = all.filter((_, index) => changes[index]?.(row) === true);
        return [row, own.length === 0 ? all : own];
      }),
    );
  }

  #explanation(found: FoundBySide, causes: readonly SidedCause[], rows: readonly ParityRow[]): Explanation {
    const first = firstOf(rows);
    const difference = hasNumbers(first) ? (parseFigure(first.difference ?? "") ?? zero) : null;
    const isWhole =
      causes.length > 0 &&
      sides.every((side) => found[side] !== undefined && found[side].level !== "reduces");
    const isProved = isWhole && sides.every((side) => found[side]?.level === "proved");
    const figuresWith = (chosen: readonly SidedCause[], side: Side): Fraction =>
      exactly(
        valueAt(
          this.#runWith(found, causes, side, (cause) => chosen.includes(cause)),
          first,
        ) ?? 0,
      );
    const changes = new Map<number, Fraction>();
    const changeWith = (mask: number): Fraction => {
      if (mask === 0 || difference === null) return zero;
      if (isWhole && mask === 2 ** causes.length - 1) return difference;
      const known = changes.get(mask);
      if (known !== undefined) return known;
      const chosen = causes.filter((_, bit) => (mask >> bit) % 2 === 1);
      const change = subtract(figuresWith(chosen, "modern"), figuresWith(chosen, "legacy"));
      changes.set(mask, change);
      return change;
    };
    const amounts = difference === null ? [] : shapley(causes.length, changeWith);
    const explained = amounts.reduce(add, zero);
    const all = 2 ** causes.length - 1;
    const reproduced = this.#reproduced(found);
    const text = (value: Fraction): string => formatFraction(value).text;
    const unexplained =
      difference === null
        ? isProved && causes.length > 0
          ? "0"
          : null
        : text(subtract(difference, explained));
    const lanes = [
      ...new Map(this.#component.rows.map(({ key }) => [laneName(key.book, key.symbol), key])).values(),
    ];
    const id = fingerprint(
      JSON.stringify([lanes.map(({ book, symbol }) => [book, symbol]), first.kind, first.key, first.field]),
    ).slice(0, 8);
    const switched = causes.filter(({ changes }) => changes === undefined);
    const witness = isProved
      ? witnessOf({
          given: this.#given,
          budget: this.#budget,
          first,
          worlds: this.#worlds,
          rulesOf: (side, left) => {
            const chosen = switched.filter((cause, index) => cause.side === side && index !== left);
            const own = new Set(causes.map(({ variant }) => variant));
            const shared = found[side]?.variants.filter((variant) => !own.has(variant)) ?? [];
            const variants = [...shared, ...chosen.map(({ variant }) => variant)];
            return rulesWith(this.#base, inOrder(this.#variants, variants));
          },
          causes: switched.length,
          codes: switched.map(({ variant }) => variant.code),
        })
      : null;
    const named = new Set<string>(causes.map(({ variant }) => variant.code));
    return {
      id,
      component: {
        lanes: lanes.map(({ book, symbol }) => ({ ...(book === undefined ? {} : { book }), symbol })),
        files: this.#component.files.map((file) => this.#given.history.files[file] ?? ""),
      },
      first: {
        kind: first.kind,
        key: first.key,
        ...(first.key.tradingDay === undefined ? {} : { tradingDay: first.key.tradingDay }),
        field: first.field,
      },
      difference: difference && text(difference),
      causes: causes.map(({ side, variant }, index) => ({
        code: variant.code,
        level: found[side]?.level === "proved" && !isProved ? "reduces" : (found[side]?.level ?? "reduces"),
        amount: amounts[index] === undefined ? null : text(amounts[index]),
        alone: difference && text(changeWith(2 ** index)),
        last: difference && text(subtract(changeWith(all), changeWith(all - 2 ** index))),
        ...reproduced,
        side,
        rule: variant.rule,
      })),
      unexplained,
      alternatives: sides.flatMap((side) => found[side]?.alternatives ?? []),
      witness,
      tried: [...this.#tried]
        .filter(([code]) => !named.has(code))
        .map(([code, rowsLeft]) => ({ code, rowsLeft }))
        .sort((a, b) => a.rowsLeft - b.rowsLeft),
      budget: {
        runs: this.#budget.runs,
        runsMax: this.#budget.runsMax,
        trades: this.#budget.trades,
        tradesMax: this.#budget.tradesMax,
        exhausted: this.#budget.isExhausted,
      },
    };
  }

  #reproduced(found: FoundBySide): { rowsReproduced: number; rowsTotal: number } {
    const wrong = new Set<string>();
    if (!this.#component.isTooLarge)
      for (const side of sides)
        for (const row of this.#expected[side].compare(this.#run(side, found[side]?.variants ?? [])).wrong)
          wrong.add(row);
    const rowsTotal = this.#expected.legacy.rows;
    return { rowsReproduced: Math.max(0, rowsTotal - wrong.size), rowsTotal };
  }
}

const alternativesMax = 10;

const nameOfVariant = ({ code, rule }: Variant): string => `${code} ${rule}`;

const keyOf = (side: Side, variants: readonly Variant[]): string =>
  `${side} ${variants.map(nameOfVariant).join("\n")}`;

const codesOf = (variants: readonly Variant[]): readonly string[] => variants.map(({ code }) => code);

const rulesWith = (base: Rules, variants: readonly Variant[]): Rules =>
  variants.reduce((rules, { apply }) => apply(rules), base);

/** Sorts switches into the order of the catalogue, in which they apply. */
const inOrder = (all: readonly Variant[], some: readonly Variant[]): readonly Variant[] => {
  const place = (variant: Variant): number => {
    const found = all.indexOf(variant);
    return found < 0 ? all.length : found;
  };
  return some.toSorted((a, b) => place(a) - place(b));
};

/** Whether both sides have a figure. The row counts of the field `row` are not figures. */
const hasNumbers = ({ field, difference }: ParityRow): boolean => field !== "row" && difference !== null;

/** Returns the first row in time that has two numbers; if there is none, the first row in time. */
function firstOf(rows: readonly ParityRow[]): ParityRow {
  const inTime = rows.toSorted((a, b) => {
    const [dayA, dayB] = [a.key.tradingDay ?? "~", b.key.tradingDay ?? "~"];
    return dayA < dayB ? -1 : dayA > dayB ? 1 : 0;
  });
  const first = inTime.find(hasNumbers) ?? inTime[0];
  if (first === undefined) throw new Error("broken invariant: a component has a row that differs");
  return first;
}

/**
 * Returns each cause's exact share: its mean contribution over all orders in which the causes could be added.
 */
function shapley(causes: number, changeWith: (mask: number) => Fraction): readonly Fraction[] {
  const factorial = (n: number): bigint => (n < 2 ? 1n : BigInt(n) * factorial(n - 1));
  return Array.from({ length: causes }, (_, cause) => {
    let share = zero;
    for (let mask = 0; mask < 2 ** causes; mask++) {
      if ((mask >> cause) % 2 === 1) continue;
      let size = 0;
      for (let bit = 0; bit < causes; bit++) size += (mask >> bit) % 2;
      const weight = fraction(factorial(size) * factorial(causes - size - 1), factorial(causes));
      share = add(share, multiply(weight, subtract(changeWith(mask + 2 ** cause), changeWith(mask))));
    }
    return share;
  });
}

/** Returns a figure of the reference as an exact number; money has at most nine places. */
const exactly = (value: number): Fraction => parseFigure(value.toFixed(9)) ?? zero;
