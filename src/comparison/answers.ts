/**
 * Compares two answers of any shape, field by field, exactly and with tolerances. This module compares the
 * answers to one call of a bridged service; `PnLComparisonValidator` compares whole histories row by row.
 */
import { digitsMax } from "../base/decimal.ts";
import { BridgeError } from "../base/errors.ts";
import { type Fraction, formatFraction, parseFraction, subtract, zero } from "../base/fraction.ts";
import { nearestDouble } from "../base/nearest-double.ts";
import { parseInstant } from "../domain/market/chicago-time.ts";
import { parseDay } from "../domain/market/trading-day.ts";
import { type Verdict, weightOf } from "../domain/migration/verdict.ts";
import { areClearlyWithin, judgeNumbers, toleranceFrom } from "./judgement.ts";
import { Sightings } from "./sightings.ts";

/**
 * Rules for comparing the answers of one method. In a path such as `positions[].realized`, brackets mean
 * every list entry.
 */
export interface AnswerOptions {
  /**
   * The largest difference that is within tolerance, as decimal text by path or by the last name of a path.
   * Default `0`. A path with a tolerance holds numbers: texts there are compared as decimals or fractions, so
   * that "1.50" equals 1.5.
   */
  readonly tolerances?: Readonly<Record<string, string>>;
  /**
   * The meaning of the texts at a path, or at paths with this last name. Other texts are compared as texts.
   */
  readonly kinds?: Readonly<Record<string, TextKind>>;
  /**
   * The names whose values pair the entries of a list, by path (`{ positions: ["book", "symbol"] }`).
   * Entries of other lists are paired by their position.
   */
  readonly keys?: Readonly<Record<string, readonly string[]>>;
  /** The excluded paths, each with a reason, an owner and the last day (YYYY-MM-DD) of the exclusion. */
  readonly exclusions?: readonly Exclusion[];
  /**
   * Limit of compared values, and of objects and lists; an answer beyond it is not comparable. Default 20
   * 000.
   */
  readonly valuesMax?: number;
  /** Limit of reported fields, the worst first; the others are counted. Default 20. */
  readonly fieldsMax?: number;
}

/**
 * `number`: a decimal or a fraction p/q. `time`: ISO 8601; two times are compared at the precision of the
 * coarser one.
 */
type TextKind = "number" | "time";

interface Exclusion {
  readonly path: string;
  readonly reason: string;
  readonly owner: string;
  readonly until: string;
}

type FieldVerdict = Exclude<Verdict, "equal" | "error">;

interface FieldDifference {
  readonly path: string;
  /**
   * The list entry: the values of its keys (`EGB BUND`), or its place (`3`); null if the path contains no
   * list.
   */
  readonly entry: string | null;
  readonly verdict: FieldVerdict;
  /** Text of the value; null if there is no value. */
  readonly legacy: string | null;
  readonly modern: string | null;
  /** modern - legacy; null unless both are numbers. */
  readonly difference: string | null;
}

export interface AnswerComparison {
  readonly verdict: Verdict;
  /** Number of values compared. */
  readonly compared: number;
  /** Number of values under excluded paths. */
  readonly excluded: number;
  /**
   * The unequal fields, at most `fieldsMax`: the worst verdict first, then in order of the answers. Within a
   * verdict, a path appears a second time only if every other path of that verdict fits.
   */
  readonly fields: readonly FieldDifference[];
  /** Number of unequal fields beyond `fields`. */
  readonly more: number;
  /** The unequal rows, without a limit. */
  readonly rows: readonly RowDifference[];
}

/** All differences of one row, which is an entry of the outermost list. */
export interface RowDifference {
  /** The row of legacy or, if it has none, of modern; undefined for values outside of rows. */
  readonly row: unknown;
  verdict: FieldVerdict;
  /** The path of the first value with that verdict. */
  field: string;
  /** The largest difference of money, without its sign; null if one has no amount. */
  money: number | null;
  /** The sum of the differences of money, modern - legacy. */
  signed: number;
  quantityApart: boolean;
}

const moneyNames: ReadonlySet<string> = new Set(["realized", "unrealized", "total"]);

/**
 * Compares answers of one method. Numbers are compared exactly: a float counts as the decimal of its shortest
 * text. Texts are compared literally ("007" is not "7"), unless their path is declared to hold numbers or
 * times. A value on one side only is a divergence; null against a number is not comparable. Dates are
 * compared by their instant, maps by their keys, sets by the members that only one of them has. Objects of
 * other classes are opaque and therefore not comparable.
 *
 * Identical values cost a few nanoseconds. Different numbers are judged in floats if the tolerance is far
 * from the difference, and in fractions otherwise. Paths are built once, however many answers are compared.
 */
export class AnswerComparer {
  /** Whether the result may depend on the current day. */
  readonly needsToday: boolean;
  readonly #root: Place;
  readonly #valuesMax: number;
  readonly #fieldsMax: number;

  /**
   * Throws BAD_CONFIG for a tolerance that is not a number and for an exclusion without owner, reason or last
   * day.
   */
  constructor(options: AnswerOptions = {}) {
    const {
      tolerances = {},
      kinds = {},
      keys = {},
      exclusions = [],
      valuesMax = 20_000,
      fieldsMax = 20,
    } = options;
    for (const exclusion of exclusions) {
      const missing = (["path", "reason", "owner"] as const).find((name) => (exclusion[name] ?? "") === "");
      if (missing !== undefined || parseDay(exclusion.until ?? "") === undefined)
        throw new BridgeError("BAD_CONFIG", {
          what:
            missing === "path"
              ? "an exclusion has no path"
              : `the exclusion of ${exclusion.path} has no ${missing ?? "last day"}`,
          fix: "give each exclusion path, reason, owner and until (YYYY-MM-DD)",
        });
    }
    const declared = {
      tolerances: new Map(Object.entries(tolerances).map(([path, text]) => [path, toleranceOf(path, text)])),
      kinds: new Map(Object.entries(kinds)),
      keys: new Map(Object.entries(keys)),
      exclusions,
    };
    this.needsToday = exclusions.length > 0;
    this.#root = new Place("", "", { ...declared, count: 0 });
    this.#valuesMax = valuesMax;
    this.#fieldsMax = fieldsMax;
  }

  /** Compares two answers. `today` is YYYY-MM-DD; exclusions that ended before it have no effect. */
  compare(legacy: unknown, modern: unknown, today: string): AnswerComparison {
    const worst = new WorstFields(this.#fieldsMax);
    const { verdict, compared, excluded } = this.#walk(legacy, modern, today, worst);
    return { verdict, compared, excluded, ...worst.reported, rows: [...worst.rows.values()] };
  }

  /**
   * As `compare`, but only counts how often each field had each verdict. Most callers do not need the
   * description of every field.
   */
  judge(legacy: unknown, modern: unknown, today: string): Judgement {
    return this.#walk(legacy, modern, today, undefined);
  }

  #walk(legacy: unknown, modern: unknown, today: string, worst: WorstFields | undefined): Walk {
    const walk = new Walk(this.needsToday ? today : "", this.#valuesMax, worst);
    walk.compare(this.#root, legacy, modern, 0);
    return walk;
  }
}

/**
 * A placeholder for a part of an answer that is no evidence, such as a panel that a system cannot show. The
 * part counts as not comparable, unless both answers have the placeholder.
 */
export const notComparable: object = Object.freeze(new (class NotComparable {})());

interface Judgement {
  readonly verdict: Verdict;
  /** Number of values compared. */
  readonly compared: number;
  /** Number of values under excluded paths. */
  readonly excluded: number;
  /** The counters that have reached their `reportAt`; usually none. */
  readonly due: ReadonlySet<Sightings>;
}

type Row = Readonly<Record<string, unknown>>;

interface Tolerance {
  readonly exact: Fraction;
  readonly near: number;
}

function toleranceOf(path: string, text: string): Tolerance {
  const exact = toleranceFrom(`the tolerance of ${path}`, text);
  return { exact, near: Number(exact.numerator) / Number(exact.denominator) };
}

/** The rules for paths, and the number of paths seen so far. */
interface Declared {
  readonly tolerances: ReadonlyMap<string, Tolerance>;
  readonly kinds: ReadonlyMap<string, TextKind>;
  readonly keys: ReadonlyMap<string, readonly string[]>;
  readonly exclusions: readonly Exclusion[];
  count: number;
}

/** The number of paths that are kept. Answers may contain more; those are built anew for each answer. */
const placesMax = 10_000;
const inOrderMax = 64;

/** A path of the answers with its rules. After its first use, finding it costs one look-up of a name. */
class Place {
  readonly path: string;
  readonly name: string;
  readonly tolerance: Tolerance | undefined;
  readonly kind: TextKind | undefined;
  readonly keys: readonly string[] | undefined;
  /** The last day on which the path is excluded; "" if it is not. */
  readonly excludedUntil: string;
  readonly sightings: Readonly<Record<FieldVerdict, Sightings>> = {
    within_tolerance: new Sightings(),
    not_comparable: new Sightings(),
    diverged: new Sightings(),
  };
  readonly #declared: Declared;
  readonly #inner = new Map<string, Place>();
  /**
   * Fields by their place in an earlier object: most objects at a path have their names in the same order.
   */
  readonly #inOrder: (Place | undefined)[] = [];
  #entries: Place | undefined;

  constructor(path: string, name: string, declared: Declared) {
    this.path = path;
    this.name = name;
    declared.count += 1;
    this.tolerance = declared.tolerances.get(path) ?? declared.tolerances.get(name);
    this.kind =
      declared.kinds.get(path) ??
      declared.kinds.get(name) ??
      (this.tolerance === undefined ? undefined : "number");
    this.keys = declared.keys.get(path);
    this.excludedUntil = declared.exclusions.reduce(
      (last, exclusion) => (exclusion.path === path && exclusion.until > last ? exclusion.until : last),
      "",
    );
    this.#declared = declared;
  }

  /** The field of an object at this path; `at` is the number of names before it. */
  fieldAt(at: number, name: string): Place {
    const before = at < inOrderMax ? this.#inOrder[at] : undefined;
    if (before?.name === name) return before;
    const found = this.field(name);
    if (at < inOrderMax) this.#inOrder[at] = found;
    return found;
  }

  field(name: string): Place {
    const known = this.#inner.get(name);
    if (known !== undefined) return known;
    const made = new Place(this.path === "" ? name : `${this.path}.${name}`, name, this.#declared);
    if (this.#declared.count <= placesMax) this.#inner.set(name, made);
    return made;
  }

  /** The path that all entries of a list at this path share. */
  get entries(): Place {
    this.#entries ??= new Place(`${this.path}[]`, `${this.name}[]`, this.#declared);
    return this.#entries;
  }
}

const depthMax = 64;
const shownMax = 120;

/** One running comparison and its result. */
class Walk implements Judgement {
  verdict: Verdict = "equal";
  compared = 0;
  excluded = 0;
  #due: Set<Sightings> | undefined;
  /** Undefined if fields are only counted. */
  readonly #worst: WorstFields | undefined;
  /** "" if nothing is excluded. */
  readonly #today: string;
  readonly #valuesMax: number;
  #nested = 0;
  /** The list entries that contain the current value, outermost first. */
  #inside: Entry[] | undefined;
  /** The entry of the outermost list that contains the current value. */
  #row: unknown;

  constructor(today: string, valuesMax: number, worst: WorstFields | undefined) {
    this.#today = today;
    this.#valuesMax = valuesMax;
    this.#worst = worst;
  }

  compare(place: Place, legacy: unknown, modern: unknown, depth: number): void {
    if (this.#today !== "" && place.excludedUntil >= this.#today) {
      this.excluded += 1;
      return;
    }
    if (this.compared >= this.#valuesMax || depth > depthMax) {
      this.#report(place, "not_comparable", legacy, modern);
      return;
    }
    const nested = typeof legacy === "object" && legacy !== null;
    if (nested && typeof modern === "object" && modern !== null) {
      this.#compareNested(place, legacy, modern, depth);
      return;
    }
    this.compared += 1;
    if (legacy !== modern) this.#compareLeaves(place, legacy, modern);
  }

  #compareNested(place: Place, legacy: object, modern: object, depth: number): void {
    this.#nested += 1;
    const shape = shapeOf(legacy);
    if (this.#nested > this.#valuesMax) this.#report(place, "not_comparable", legacy, modern);
    else if (legacy === notComparable || modern === notComparable) this.refuse(place, legacy, modern);
    else if (shape !== shapeOf(modern)) {
      this.compared += 1;
      this.#report(place, "diverged", legacy, modern);
    } else if (shape === "object") this.compareObjects(place, legacy as Row, modern as Row, depth);
    else if (isList(legacy) && isList(modern)) this.compareLists(place, legacy, modern, depth);
    else if (legacy instanceof Date && modern instanceof Date) this.compareMoments(place, legacy, modern);
    else if (legacy instanceof Map && modern instanceof Map) this.compareMaps(place, legacy, modern, depth);
    else if (legacy instanceof Set && modern instanceof Set) this.compareSets(place, legacy, modern, depth);
    else this.refuse(place, legacy, modern);
  }

  compareMoments(place: Place, legacy: Date, modern: Date): void {
    this.compared += 1;
    if (!Object.is(legacy.getTime(), modern.getTime())) this.#report(place, "diverged", legacy, modern);
  }

  compareMaps(
    place: Place,
    legacy: ReadonlyMap<unknown, unknown>,
    modern: ReadonlyMap<unknown, unknown>,
    depth: number,
  ): void {
    const inside = place.entries;
    for (const [key, legacyValue] of legacy)
      this.#enter(String(key)).#compareInside(inside, legacyValue, modern.get(key), depth);
    for (const [key, modernValue] of modern)
      if (!legacy.has(key)) this.#enter(String(key)).#compareInside(inside, undefined, modernValue, depth);
  }

  /**
   * Common members are equal; the others are paired in order, so that sets of objects can be compared too.
   */
  compareSets(place: Place, legacy: ReadonlySet<unknown>, modern: ReadonlySet<unknown>, depth: number): void {
    const legacyOnly = [...legacy].filter((entry) => !modern.has(entry));
    const modernOnly = [...modern].filter((entry) => !legacy.has(entry));
    this.compared += legacy.size - legacyOnly.length;
    this.compareLists(place, legacyOnly, modernOnly, depth);
  }

  /** Handles objects of other classes, which are opaque. */
  refuse(place: Place, legacy: object, modern: object): void {
    this.compared += 1;
    if (legacy !== modern) this.#report(place, "not_comparable", legacy, modern);
  }

  compareObjects(place: Place, legacy: Row, modern: Row, depth: number): void {
    const leavesNoneOut = this.#today === "";
    let shared = 0;
    let leaves = 0;
    let at = 0;
    for (const name in legacy) {
      let modernValue = modern[name];
      // A function or object may come from Object.prototype; then it is not part of the answer.
      if ((modernValue !== undefined && !isNested(modernValue)) || Object.hasOwn(modern, name)) shared += 1;
      else modernValue = undefined;
      const legacyValue = legacy[name];
      // Looks up the place only when it is needed: equal leaves, which are nearly all, need none.
      if (leavesNoneOut && typeof legacyValue !== "object") {
        leaves += 1;
        if (legacyValue !== modernValue)
          this.#compareLeaves(place.fieldAt(at, name), legacyValue, modernValue);
      } else this.compare(place.fieldAt(at, name), legacyValue, modernValue, depth + 1);
      at += 1;
    }
    this.compared += leaves;
    let count = 0;
    for (const _ in modern) count += 1;
    if (count === shared) return;
    for (const name in modern)
      if (!Object.hasOwn(legacy, name)) this.compare(place.field(name), undefined, modern[name], depth + 1);
  }

  compareLists(place: Place, legacy: readonly unknown[], modern: readonly unknown[], depth: number): void {
    const inside = place.entries;
    if (place.keys === undefined) {
      const length = Math.max(legacy.length, modern.length);
      for (let at = 0; at < length && this.#hasRoom(inside, legacy, modern); at++)
        this.#enter(at).#compareInside(inside, legacy[at], modern[at], depth);
      return;
    }
    const modernByKey = new Map<string, unknown[]>();
    for (const entry of modern) {
      const key = keyOf(entry, place.keys, inside);
      const known = modernByKey.get(key);
      if (known === undefined) modernByKey.set(key, [entry]);
      else known.push(entry);
    }
    for (const entry of legacy) {
      if (!this.#hasRoom(inside, legacy, modern)) return;
      const key = keyOf(entry, place.keys, inside);
      this.#enter(key).#compareInside(inside, entry, modernByKey.get(key)?.shift(), depth);
    }
    for (const [key, left] of modernByKey)
      for (const entry of left) this.#enter(key).#compareInside(inside, undefined, entry, depth);
  }

  #enter(entry: Entry): this {
    this.#inside ??= [];
    this.#inside.push(entry);
    return this;
  }

  /** Compares within the current entry, and leaves it. */
  #compareInside(place: Place, legacy: unknown, modern: unknown, depth: number): void {
    const isOutermost = this.#inside?.length === 1;
    if (isOutermost) this.#row = legacy ?? modern;
    this.compare(place, legacy, modern, depth + 1);
    this.#inside?.pop();
    if (isOutermost) this.#row = undefined;
  }

  /** False when a list exceeds the limit, which is reported once and not for each of its entries. */
  #hasRoom(place: Place, legacy: unknown, modern: unknown): boolean {
    if (this.compared < this.#valuesMax && this.#nested < this.#valuesMax) return true;
    this.#report(place, "not_comparable", legacy, modern);
    return false;
  }

  #compareLeaves(place: Place, legacy: unknown, modern: unknown): void {
    if (typeof legacy === "number" && typeof modern === "number" && isNear(place.tolerance, legacy, modern))
      this.#report(place, "within_tolerance", legacy, modern);
    else if (!Object.is(legacy, modern)) this.#compareTexts(place, legacy, modern);
  }

  #compareTexts(place: Place, legacy: unknown, modern: unknown): void {
    if (place.kind === "time" && isOneTime(legacy, modern)) return;
    const readsTexts = place.kind === "number";
    const legacyValue = floatOf(legacy, readsTexts);
    const modernValue = floatOf(modern, readsTexts);
    if (legacyValue === undefined || modernValue === undefined) {
      // Null against a number, such as the value of a position without a mark, shows neither agreement nor a
      // difference.
      const isNone =
        (legacy === null && modernValue !== undefined) || (modern === null && legacyValue !== undefined);
      this.#report(place, isNone ? "not_comparable" : "diverged", legacy, modern);
      return;
    }
    const { tolerance } = place;
    if (isNear(tolerance, legacyValue, modernValue)) {
      this.#report(place, "within_tolerance", legacy, modern);
      return;
    }
    const [exactOurs, exactTheirs] = [parseFraction(String(legacy)), parseFraction(String(modern))];
    if (exactOurs === undefined || exactTheirs === undefined) {
      this.#report(place, "diverged", legacy, modern);
      return;
    }
    const { verdict } = judgeNumbers(exactOurs, exactTheirs, tolerance?.exact ?? zero);
    if (verdict !== "equal") this.#report(place, verdict, legacy, modern);
  }

  #report(place: Place, verdict: FieldVerdict, legacy: unknown, modern: unknown): void {
    if (verdict !== this.verdict && weightOf[verdict] > weightOf[this.verdict]) this.verdict = verdict;
    this.#worst?.addToRow(this.#row, { place, verdict, legacy, modern });
    if (this.#worst === undefined) this.#count(place.sightings[verdict]);
    else if (this.#worst.wants(place.path, verdict)) {
      const isNumber = (value: unknown): boolean => floatOf(value, place.kind === "number") !== undefined;
      const areNumbers = isNumber(legacy) && isNumber(modern);
      this.#worst.add(
        new Difference({
          path: place.path,
          inside: this.#inside?.slice(),
          verdict,
          legacy,
          modern,
          areNumbers,
        }),
      );
    }
  }

  #count(sightings: Sightings): void {
    sightings.count += 1;
    if (sightings.count < sightings.reportAt) return;
    this.#due ??= new Set();
    this.#due.add(sightings);
  }

  get due(): ReadonlySet<Sightings> {
    return this.#due ?? none;
  }
}

const none: ReadonlySet<never> = new Set();

/** The key of a list entry (JSON of the values that pair it), or its place. */
type Entry = string | number;

interface DifferenceParts {
  readonly path: string;
  readonly inside: readonly Entry[] | undefined;
  readonly verdict: FieldVerdict;
  readonly legacy: unknown;
  readonly modern: unknown;
  readonly areNumbers: boolean;
}

/**
 * A difference whose texts are built on demand; those of objects are built at once, since the caller may
 * change the objects.
 */
class Difference implements FieldDifference {
  readonly path: string;
  readonly verdict: FieldVerdict;
  readonly #legacy: unknown;
  readonly #modern: unknown;
  readonly #areNumbers: boolean;
  readonly #inside: readonly Entry[];

  constructor({ path, inside = [], verdict, legacy, modern, areNumbers }: DifferenceParts) {
    this.path = path;
    this.#inside = inside;
    this.verdict = verdict;
    this.#legacy = isNested(legacy) ? shown(legacy) : legacy;
    this.#modern = isNested(modern) ? shown(modern) : modern;
    this.#areNumbers = areNumbers;
  }

  get entry(): string | null {
    return this.#inside.length === 0 ? null : this.#inside.map(entryText).join(", ").slice(0, shownMax);
  }

  get legacy(): string | null {
    return shown(this.#legacy);
  }

  get modern(): string | null {
    return shown(this.#modern);
  }

  get difference(): string | null {
    return this.#areNumbers ? differenceOf(this.#legacy, this.#modern) : null;
  }

  toJSON(): FieldDifference {
    const { path, entry, verdict, legacy, modern, difference } = this;
    return { path, entry, verdict, legacy, modern, difference };
  }

  /** The value that `console.log` shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): FieldDifference {
    return this.toJSON();
  }
}

/**
 * The worst fields of one comparison, up to a limit. The first difference of each path precedes further ones,
 * so that a long list does not hide other fields.
 */
class WorstFields {
  readonly #max: number;
  readonly #byVerdict: Readonly<
    Record<FieldVerdict, { readonly firsts: Numbered[]; readonly others: Numbered[] }>
  > = {
    diverged: { firsts: [], others: [] },
    not_comparable: { firsts: [], others: [] },
    within_tolerance: { firsts: [], others: [] },
  };
  readonly #met = new Set<string>();
  readonly rows = new Map<unknown, RowDifference>();
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  addToRow(row: unknown, { place, verdict, legacy, modern }: ValueDifference): void {
    let found = this.rows.get(row);
    if (found === undefined) {
      found = { row, verdict, field: place.path, money: 0, signed: 0, quantityApart: false };
      this.rows.set(row, found);
    }
    if (weightOf[verdict] > weightOf[found.verdict]) Object.assign(found, { verdict, field: place.path });
    const isWhole = typeof row === "object" && row !== null && (legacy === row || modern === row);
    const pairs = isWhole
      ? Object.keys(row).map((name) => [name, fieldOf(legacy, name), fieldOf(modern, name)] as const)
      : ([[place.name, legacy, modern]] as const);
    for (const [name, ours, theirs] of pairs) {
      const isQuantity = name === "quantity" && verdict === "diverged";
      if (!isQuantity && !moneyNames.has(name)) continue;
      const difference = amountBetween(ours, theirs);
      if (isQuantity && difference !== 0) found.quantityApart = true;
      if (isQuantity) continue;
      if (difference === undefined) found.money = null;
      else {
        found.signed += difference;
        if (found.money !== null) found.money = Math.max(found.money, Math.abs(difference));
      }
    }
  }

  /** Counts a field and returns whether the report has room for it; then the caller adds it. */
  wants(path: string, verdict: FieldVerdict): boolean {
    this.#count += 1;
    const { firsts, others } = this.#byVerdict[verdict];
    if (firsts.length >= this.#max) return false;
    return others.length < this.#max || !this.#met.has(`${verdict} ${path}`);
  }

  add(field: Difference): void {
    const { firsts, others } = this.#byVerdict[field.verdict];
    const kind = `${field.verdict} ${field.path}`;
    (this.#met.has(kind) ? others : firsts).push({ field, at: this.#count });
    this.#met.add(kind);
  }

  get reported(): Pick<AnswerComparison, "fields" | "more"> {
    const fields: FieldDifference[] = [];
    for (const { firsts, others } of Object.values(this.#byVerdict)) {
      const chosen = [...firsts, ...others].slice(0, this.#max - fields.length);
      for (const { field } of chosen.sort((a, b) => a.at - b.at)) fields.push(field);
    }
    return { fields, more: this.#count - fields.length };
  }
}

interface ValueDifference {
  readonly place: Place;
  readonly verdict: FieldVerdict;
  readonly legacy: unknown;
  readonly modern: unknown;
}

const fieldOf = (row: unknown, name: string): unknown => (row as Row | undefined)?.[name];

/** modern - legacy, where a missing value counts as 0; undefined if one is not a number. */
function amountBetween(legacy: unknown, modern: unknown): number | undefined {
  const [ours, theirs] = [exactOf(legacy), exactOf(modern)];
  if (ours === undefined || theirs === undefined) return undefined;
  return nearestDouble(subtract(theirs, ours));
}

const exactOf = (value: unknown): Fraction | undefined =>
  value === undefined
    ? zero
    : typeof value === "string" || typeof value === "number" || typeof value === "bigint"
      ? parseFraction(String(value))
      : undefined;

interface Numbered {
  readonly field: Difference;
  readonly at: number;
}

/** Whether floats suffice to decide that two numbers are within the tolerance. */
const isNear = (tolerance: Tolerance | undefined, legacyValue: number, modernValue: number): boolean =>
  tolerance !== undefined && areClearlyWithin(tolerance.near, legacyValue, modernValue);

/**
 * The approximate value of a number or, if texts are read, of a text that looks like a decimal or a fraction
 * p/q; NaN if a float cannot hold it. Undefined for other values. Good enough for comparisons, not for sums.
 */
function floatOf(value: unknown, readsTexts: boolean): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (!readsTexts || typeof value !== "string" || value === "" || value.length > 2 * digitsMax)
    return undefined;
  const first = value.charCodeAt(0);
  if (!((first >= 48 && first <= 57) || (first >= 43 && first <= 46))) return undefined;
  const slash = value.indexOf("/");
  return slash < 0 ? Number(value) : Number(value.slice(0, slash)) / Number(value.slice(slash + 1));
}

type Shape = "list" | "object" | "moment" | "map" | "set" | "other";

function shapeOf(value: object): Shape {
  if (Array.isArray(value)) return "list";
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return "object";
  if (value instanceof Date) return "moment";
  if (value instanceof Map) return "map";
  if (value instanceof Set) return "set";
  return isList(value) ? "list" : "other";
}

const isList = (value: object): value is readonly unknown[] =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

const isNested = (value: unknown): boolean => typeof value === "object" || typeof value === "function";

function differenceOf(legacy: unknown, modern: unknown): string | null {
  const [legacyValue, modernValue] = [parseFraction(String(legacy)), parseFraction(String(modern))];
  return legacyValue === undefined || modernValue === undefined
    ? null
    : formatFraction(subtract(modernValue, legacyValue)).text;
}

function shown(value: unknown): string | null {
  if (value === undefined || value === null) return value === null ? "null" : null;
  const text =
    typeof value === "string" ? value : typeof value === "object" ? jsonText(value) : String(value);
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}

/**
 * Whether two texts name the same instant, at the precision of the coarser one. A day without a time is not
 * an instant.
 */
function isOneTime(legacy: unknown, modern: unknown): boolean {
  if (
    typeof legacy !== "string" ||
    typeof modern !== "string" ||
    legacy.length <= dayLength ||
    modern.length <= dayLength
  )
    return false;
  const [legacyValue, modernValue] = [parseInstant(legacy), parseInstant(modern)];
  if (legacyValue === undefined || modernValue === undefined) return false;
  const unitUs = 10 ** (6 - Math.min(6, fractionDigits(legacy), fractionDigits(modern)));
  return Math.floor(legacyValue / unitUs) === Math.floor(modernValue / unitUs);
}

const dayLength = "2025-07-24".length;
const fractionDigits = (time: string): number => /\.(\d+)/.exec(time)?.[1]?.length ?? 0;

const plainNumber = /^-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/;

/** A number in canonical form, so that "2.0" and 2 are the same key. */
function numberKey(value: unknown): unknown {
  if (typeof value === "string" && plainNumber.test(value) && value !== "-0") return value;
  const exact =
    typeof value === "string" || typeof value === "number" ? parseFraction(String(value)) : undefined;
  return exact === undefined ? value : formatFraction(exact).text;
}

/** The key of a list entry: JSON of a list of the values that pair it. */
function keyOf(entry: unknown, keys: readonly string[], place: Place): string {
  let text = "[";
  for (const key of keys) {
    const given = (entry as Row | null)?.[key];
    const value = place.field(key).kind === "number" ? numberKey(given) : given;
    const json =
      typeof value === "string"
        ? JSON.stringify(value)
        : value === undefined
          ? "null"
          : jsonText(value as object);
    text += text === "[" ? json : `,${json}`;
  }
  return `${text}]`;
}

/** The values of a key, without those that an entry lacks. */
function entryText(entry: Entry): string {
  if (typeof entry === "number" || !entry.startsWith("[")) return String(entry);
  try {
    const values: readonly unknown[] = JSON.parse(entry);
    return values
      .filter((value) => value !== null)
      .map((value) => (typeof value === "object" ? JSON.stringify(value) : String(value)))
      .join(" ");
  } catch {
    return entry;
  }
}

/**
 * JSON of any object, including bigints; a placeholder for an object that has no JSON, such as a circular
 * one.
 */
function jsonText(value: object): string {
  try {
    return JSON.stringify(value, (_, inside) => (typeof inside === "bigint" ? `${inside}n` : inside)) ?? "";
  } catch {
    return "(no JSON)";
  }
}
