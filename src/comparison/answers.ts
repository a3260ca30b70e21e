/**
 * Comparing two answers of any shape: field by field, with tolerances, exact. What one call of a bridged service answers is
 * compared here; whole histories are compared row by row by `PnLComparisonValidator`.
 */
import { digitsMax } from "../base/decimal.ts";
import { BridgeError } from "../base/errors.ts";
import { type Fraction, formatFraction, parseFraction, subtract, zero } from "../base/fraction.ts";
import { parseInstant } from "../domain/market/chicago-time.ts";
import { parseDay } from "../domain/market/trading-day.ts";
import { type Verdict, weightOf } from "../domain/migration/verdict.ts";
import { areClearlyWithin, judgeNumbers, toleranceFrom } from "./judgement.ts";
import { Sightings } from "./sightings.ts";

/** How answers of one method are compared. Paths are like `positions[].realized`: brackets stand for every entry of a list. */
export interface AnswerOptions {
  /**
   * The largest difference that is within tolerance: decimal text, by path, or by the last name of a path. Default `0`. A path with a
   * tolerance holds numbers: texts there are compared as decimals or fractions, so that "1.50" is 1.5.
   */
  readonly tolerances?: Readonly<Record<string, string>>;
  /** What the texts at a path, or at paths with this last name, stand for. Texts that nothing is declared of are compared as texts. */
  readonly kinds?: Readonly<Record<string, TextKind>>;
  /** By path of a list: the names whose values pair its entries (`{ positions: ["book", "symbol"] }`). Otherwise by place. */
  readonly keys?: Readonly<Record<string, readonly string[]>>;
  /** Paths that are left out, each with the reason, an owner and the last day (YYYY-MM-DD): after it they count again. */
  readonly exclusions?: readonly Exclusion[];
  /** Most values that are looked at, and most objects and lists that hold them; an answer with more is not comparable. Default 20 000. */
  readonly valuesMax?: number;
  /** Most fields that are told, the worst first; more are counted. Default 20. */
  readonly fieldsMax?: number;
}

/** `number`: a decimal or a fraction p/q. `time`: ISO 8601; two times are compared to the last digit of the coarser one. */
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
  /** Which entry of the lists on the path: the values of its keys, `EGB BUND`, else its place, `3`; null where there are no lists. */
  readonly entry: string | null;
  readonly verdict: FieldVerdict;
  /** Text of the value; null where there is none. */
  readonly legacy: string | null;
  readonly modern: string | null;
  /** modern - legacy; null where there are not two numbers. */
  readonly difference: string | null;
}

export interface AnswerComparison {
  readonly verdict: Verdict;
  /** Values that were looked at. */
  readonly compared: number;
  /** Values under excluded paths. */
  readonly excluded: number;
  /** What is not equal, at most `fieldsMax`: the worst first, of each verdict in order of the answers. Every path stands before any stands twice. */
  readonly fields: readonly FieldDifference[];
  /** How many more there are. */
  readonly more: number;
}

/**
 * Compares answers of one method. Numbers are compared exactly: a float is the decimal of its shortest text. Texts are compared to the
 * letter ("007" is not "7"), unless their path is declared to hold numbers or times. A value on one side only is a divergence; null
 * against a number is not comparable.
 * Dates are compared by their moment, maps by their keys, sets by what only one of them has; objects of other classes, whose
 * insides cannot be seen, are not comparable.
 *
 * What is equal to the letter costs some nanoseconds; two numbers that are not are judged in floats where the tolerance is far from
 * the difference, and in fractions where it is near. Paths are made once, however many answers are compared.
 */
export class AnswerComparer {
  /** Whether it makes a difference which day it is. */
  readonly needsToday: boolean;
  readonly #root: Place;
  readonly #valuesMax: number;
  readonly #fieldsMax: number;

  /** Throws BAD_CONFIG for tolerances that are no numbers and exclusions that do not say who, why and until when. */
  constructor(options: AnswerOptions = {}) {
    const { tolerances = {}, kinds = {}, keys = {}, exclusions = [], valuesMax = 20_000, fieldsMax = 20 } = options;
    for (const exclusion of exclusions) {
      const missing = (["path", "reason", "owner"] as const).find((name) => (exclusion[name] ?? "") === "");
      if (missing !== undefined || parseDay(exclusion.until ?? "") === undefined)
        throw new BridgeError("BAD_CONFIG", {
          what: `the exclusion of ${exclusion.path} has no ${missing ?? "day on which it ends"}`,
          fix: "an exclusion says path, reason, owner and until (YYYY-MM-DD)",
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

  /** `today` is YYYY-MM-DD: exclusions that ended before it count no longer. */
  compare(legacy: unknown, modern: unknown, today: string): AnswerComparison {
    const worst = new WorstFields(this.#fieldsMax);
    const { verdict, compared, excluded } = this.#walk(legacy, modern, today, worst);
    return { verdict, compared, excluded, ...worst.told };
  }

  /** The same without telling of each field what it was, which of most answers nobody asks: its sightings are counted. */
  judge(legacy: unknown, modern: unknown, today: string): Judgement {
    return this.#walk(legacy, modern, today, undefined);
  }

  #walk(legacy: unknown, modern: unknown, today: string, worst: WorstFields | undefined): Walk {
    const walk = new Walk(this.needsToday ? today : "", this.#valuesMax, worst);
    walk.compare(this.#root, legacy, modern, 0);
    return walk;
  }
}

interface Judgement {
  readonly verdict: Verdict;
  /** Values under excluded paths. */
  readonly excluded: number;
  /** What was met as often as its `tellAt` says: rarely anything, so that most judgements tell of no place. */
  readonly told: ReadonlySet<Sightings>;
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

/** What is declared of paths, and how many of them have been met. */
interface Declared {
  readonly tolerances: ReadonlyMap<string, Tolerance>;
  readonly kinds: ReadonlyMap<string, TextKind>;
  readonly keys: ReadonlyMap<string, readonly string[]>;
  readonly exclusions: readonly Exclusion[];
  count: number;
}

/** Answers may have names without end; beyond so many, paths are made each time. */
const placesMax = 10_000;
const inOrderMax = 64;

/** A path of the answers, with all that is declared of it: found once, then by one look-up of a name. */
class Place {
  readonly path: string;
  readonly name: string;
  readonly tolerance: Tolerance | undefined;
  readonly kind: TextKind | undefined;
  readonly keys: readonly string[] | undefined;
  /** The last day on which it is left out; "" where it is not. */
  readonly excludedUntil: string;
  readonly sightings: Readonly<Record<FieldVerdict, Sightings>> = {
    within_tolerance: new Sightings(),
    not_comparable: new Sightings(),
    diverged: new Sightings(),
  };
  readonly #declared: Declared;
  readonly #inner = new Map<string, Place>();
  /** By where they stood in an object before: most objects at a path have their names in one order. */
  readonly #inOrder: (Place | undefined)[] = [];
  #entries: Place | undefined;

  constructor(path: string, name: string, declared: Declared) {
    this.path = path;
    this.name = name;
    declared.count += 1;
    this.tolerance = declared.tolerances.get(path) ?? declared.tolerances.get(name);
    this.kind = declared.kinds.get(path) ?? declared.kinds.get(name) ?? (this.tolerance === undefined ? undefined : "number");
    this.keys = declared.keys.get(path);
    this.excludedUntil = declared.exclusions.reduce(
      (last, exclusion) => (exclusion.path === path && exclusion.until > last ? exclusion.until : last),
      "",
    );
    this.#declared = declared;
  }

  /** Of the object here; `at` is how many names stand before it. */
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

  /** Of the list here: all of its entries. */
  get entries(): Place {
    this.#entries ??= new Place(`${this.path}[]`, `${this.name}[]`, this.#declared);
    return this.#entries;
  }
}

const depthMax = 64;
const shownMax = 120;

/** One comparison under way, and what it found. */
class Walk implements Judgement {
  verdict: Verdict = "equal";
  compared = 0;
  excluded = 0;
  #told: Set<Sightings> | undefined;
  /** Undefined: fields are counted and not told. */
  readonly #worst: WorstFields | undefined;
  /** "" where nothing is left out. */
  readonly #today: string;
  readonly #valuesMax: number;
  #nested = 0;
  /** The entries that the walk is inside of, outermost first. */
  #inside: Entry[] | undefined;

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
      this.#tell(place, "not_comparable", legacy, modern);
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
    if (this.#nested > this.#valuesMax) this.#tell(place, "not_comparable", legacy, modern);
    else if (shape !== shapeOf(modern)) {
      this.compared += 1;
      this.#tell(place, "diverged", legacy, modern);
    } else if (shape === "object") this.compareObjects(place, legacy as Row, modern as Row, depth);
    else if (isList(legacy) && isList(modern)) this.compareLists(place, legacy, modern, depth);
    else if (legacy instanceof Date && modern instanceof Date) this.compareMoments(place, legacy, modern);
    else if (legacy instanceof Map && modern instanceof Map) this.compareMaps(place, legacy, modern, depth);
    else if (legacy instanceof Set && modern instanceof Set) this.compareSets(place, legacy, modern, depth);
    else this.refuse(place, legacy, modern);
  }

  compareMoments(place: Place, legacy: Date, modern: Date): void {
    this.compared += 1;
    if (!Object.is(legacy.getTime(), modern.getTime())) this.#tell(place, "diverged", legacy, modern);
  }

  compareMaps(place: Place, legacy: ReadonlyMap<unknown, unknown>, modern: ReadonlyMap<unknown, unknown>, depth: number): void {
    const inside = place.entries;
    for (const [key, ours] of legacy) this.#enter(String(key)).#compareInside(inside, ours, modern.get(key), depth);
    for (const [key, theirs] of modern)
      if (!legacy.has(key)) this.#enter(String(key)).#compareInside(inside, undefined, theirs, depth);
  }

  /** What both have is equal; what is left is paired in order, so that sets of objects can be told apart as well. */
  compareSets(place: Place, legacy: ReadonlySet<unknown>, modern: ReadonlySet<unknown>, depth: number): void {
    const ours = [...legacy].filter((entry) => !modern.has(entry));
    const theirs = [...modern].filter((entry) => !legacy.has(entry));
    this.compared += legacy.size - ours.length;
    this.compareLists(place, ours, theirs, depth);
  }

  /** An object that is not ours to look into. */
  refuse(place: Place, legacy: object, modern: object): void {
    this.compared += 1;
    if (legacy !== modern) this.#tell(place, "not_comparable", legacy, modern);
  }

  compareObjects(place: Place, legacy: Row, modern: Row, depth: number): void {
    const leavesNoneOut = this.#today === "";
    let shared = 0;
    let leaves = 0;
    let at = 0;
    for (const name in legacy) {
      let theirs = modern[name];
      // What is no plain value may have come from Object.prototype, which every object has and no answer.
      if ((theirs !== undefined && !isNested(theirs)) || Object.hasOwn(modern, name)) shared += 1;
      else theirs = undefined;
      const ours = legacy[name];
      // The place is looked up only where it will be used: equal leaves, nearly all, need none.
      if (leavesNoneOut && typeof ours !== "object") {
        leaves += 1;
        if (ours !== theirs) this.#compareLeaves(place.fieldAt(at, name), ours, theirs);
      } else this.compare(place.fieldAt(at, name), ours, theirs, depth + 1);
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
    const theirs = new Map<string, unknown[]>();
    for (const entry of modern) {
      const key = keyOf(entry, place.keys, inside);
      const known = theirs.get(key);
      if (known === undefined) theirs.set(key, [entry]);
      else known.push(entry);
    }
    for (const entry of legacy) {
      if (!this.#hasRoom(inside, legacy, modern)) return;
      const key = keyOf(entry, place.keys, inside);
      this.#enter(key).#compareInside(inside, entry, theirs.get(key)?.shift(), depth);
    }
    for (const [key, left] of theirs) for (const entry of left) this.#enter(key).#compareInside(inside, undefined, entry, depth);
  }

  #enter(entry: Entry): this {
    this.#inside ??= [];
    this.#inside.push(entry);
    return this;
  }

  /** Compares within the entry that was entered, and leaves it. */
  #compareInside(place: Place, legacy: unknown, modern: unknown, depth: number): void {
    this.compare(place, legacy, modern, depth + 1);
    this.#inside?.pop();
  }

  /** False where a list goes on beyond the limit, which is told once and not for each of its entries. */
  #hasRoom(place: Place, legacy: unknown, modern: unknown): boolean {
    if (this.compared < this.#valuesMax && this.#nested < this.#valuesMax) return true;
    this.#tell(place, "not_comparable", legacy, modern);
    return false;
  }

  #compareLeaves(place: Place, legacy: unknown, modern: unknown): void {
    if (typeof legacy === "number" && typeof modern === "number" && isNear(place.tolerance, legacy, modern))
      this.#tell(place, "within_tolerance", legacy, modern);
    else if (!Object.is(legacy, modern)) this.#compareTexts(place, legacy, modern);
  }

  #compareTexts(place: Place, legacy: unknown, modern: unknown): void {
    if (place.kind === "time" && isOneTime(legacy, modern)) return;
    const readsTexts = place.kind === "number";
    const ours = floatOf(legacy, readsTexts);
    const theirs = floatOf(modern, readsTexts);
    if (ours === undefined || theirs === undefined) {
      // "There is none" against a number: what a position without a mark is worth has not been shown to agree, nor to differ.
      const isNone = (legacy === null && theirs !== undefined) || (modern === null && ours !== undefined);
      this.#tell(place, isNone ? "not_comparable" : "diverged", legacy, modern);
      return;
    }
    const { tolerance } = place;
    if (isNear(tolerance, ours, theirs)) {
      this.#tell(place, "within_tolerance", legacy, modern);
      return;
    }
    const [exactOurs, exactTheirs] = [parseFraction(String(legacy)), parseFraction(String(modern))];
    if (exactOurs === undefined || exactTheirs === undefined) {
      this.#tell(place, "diverged", legacy, modern);
      return;
    }
    const { verdict } = judgeNumbers(exactOurs, exactTheirs, tolerance?.exact ?? zero);
    if (verdict !== "equal") this.#tell(place, verdict, legacy, modern);
  }

  #tell(place: Place, verdict: FieldVerdict, legacy: unknown, modern: unknown): void {
    if (verdict !== this.verdict && weightOf[verdict] > weightOf[this.verdict]) this.verdict = verdict;
    if (this.#worst === undefined) this.#count(place.sightings[verdict]);
    else if (this.#worst.wants(place.path, verdict)) {
      const isNumber = (value: unknown): boolean => floatOf(value, place.kind === "number") !== undefined;
      const areNumbers = isNumber(legacy) && isNumber(modern);
      this.#worst.add(new Difference({ path: place.path, inside: this.#inside?.slice(), verdict, legacy, modern, areNumbers }));
    }
  }

  #count(sightings: Sightings): void {
    sightings.count += 1;
    if (sightings.count < sightings.tellAt) return;
    this.#told ??= new Set();
    this.#told.add(sightings);
  }

  get told(): ReadonlySet<Sightings> {
    return this.#told ?? none;
  }
}

const none: ReadonlySet<never> = new Set();

/** The key of a list's entry (JSON of the values that it is paired by), or its place. */
type Entry = string | number;

interface Told {
  readonly path: string;
  readonly inside: readonly Entry[] | undefined;
  readonly verdict: FieldVerdict;
  readonly legacy: unknown;
  readonly modern: unknown;
  readonly areNumbers: boolean;
}

/** A difference whose texts are made when somebody looks; of objects at once, since they may change and are not ours to keep. */
class Difference implements FieldDifference {
  readonly path: string;
  readonly verdict: FieldVerdict;
  readonly #legacy: unknown;
  readonly #modern: unknown;
  readonly #areNumbers: boolean;
  readonly #inside: readonly Entry[];

  constructor({ path, inside = [], verdict, legacy, modern, areNumbers }: Told) {
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

  /** What `console.log` shows of it. */
  [Symbol.for("nodejs.util.inspect.custom")](): FieldDifference {
    return this.toJSON();
  }
}

/**
 * The worst fields of one comparison, at most so many. A path that is met for the first time goes before one that is there already, so
 * that no list of many entries hides another field.
 */
class WorstFields {
  readonly #max: number;
  readonly #byVerdict: Readonly<Record<FieldVerdict, { readonly firsts: Numbered[]; readonly others: Numbered[] }>> = {
    diverged: { firsts: [], others: [] },
    not_comparable: { firsts: [], others: [] },
    within_tolerance: { firsts: [], others: [] },
  };
  readonly #met = new Set<string>();
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Counts a field. Whether there is a place for it, so that it must be added. */
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

  get told(): Pick<AnswerComparison, "fields" | "more"> {
    const fields: FieldDifference[] = [];
    for (const { firsts, others } of Object.values(this.#byVerdict)) {
      const chosen = [...firsts, ...others].slice(0, this.#max - fields.length);
      for (const { field } of chosen.sort((a, b) => a.at - b.at)) fields.push(field);
    }
    return { fields, more: this.#count - fields.length };
  }
}

interface Numbered {
  readonly field: Difference;
  readonly at: number;
}

/** Whether floats suffice to say that two numbers are within the tolerance. */
const isNear = (tolerance: Tolerance | undefined, ours: number, theirs: number): boolean =>
  tolerance !== undefined && areClearlyWithin(tolerance.near, ours, theirs);

/**
 * About what a number is, or, where texts are read, one that looks like a decimal or a fraction p/q: NaN where a float cannot say.
 * Undefined for all else. Only to be told apart, not to be added.
 */
function floatOf(value: unknown, readsTexts: boolean): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (!readsTexts || typeof value !== "string" || value === "" || value.length > 2 * digitsMax) return undefined;
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
  const [ours, theirs] = [parseFraction(String(legacy)), parseFraction(String(modern))];
  return ours === undefined || theirs === undefined ? null : formatFraction(subtract(theirs, ours)).text;
}

function shown(value: unknown): string | null {
  if (value === undefined || value === null) return value === null ? "null" : null;
  const text = typeof value === "string" ? value : typeof value === "object" ? jsonText(value) : String(value);
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}

/** Whether two texts name one moment, to the last digit of the one that is cut off sooner. A day is no moment. */
function isOneTime(legacy: unknown, modern: unknown): boolean {
  if (typeof legacy !== "string" || typeof modern !== "string" || legacy.length <= dayLength || modern.length <= dayLength)
    return false;
  const [ours, theirs] = [parseInstant(legacy), parseInstant(modern)];
  if (ours === undefined || theirs === undefined) return false;
  const unitUs = 10 ** (6 - Math.min(6, fractionDigits(legacy), fractionDigits(modern)));
  return Math.floor(ours / unitUs) === Math.floor(theirs / unitUs);
}

const dayLength = "2025-07-24".length;
const fractionDigits = (time: string): number => /\.(\d+)/.exec(time)?.[1]?.length ?? 0;

const plainNumber = /^-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/;

/** A number in the one way to write it, so that "2.0" and 2 are one key. */
function numberKey(value: unknown): unknown {
  if (typeof value === "string" && plainNumber.test(value) && value !== "-0") return value;
  const exact = typeof value === "string" || typeof value === "number" ? parseFraction(String(value)) : undefined;
  return exact === undefined ? value : formatFraction(exact).text;
}

/** JSON of a list of the values. */
function keyOf(entry: unknown, keys: readonly string[], place: Place): string {
  let text = "[";
  for (const key of keys) {
    const given = (entry as Row | null)?.[key];
    const value = place.field(key).kind === "number" ? numberKey(given) : given;
    const json = typeof value === "string" ? JSON.stringify(value) : value === undefined ? "null" : jsonText(value as object);
    text += text === "[" ? json : `,${json}`;
  }
  return `${text}]`;
}

/** The values of a key, without those that an entry has not. */
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

/** JSON of whatever it is, whole numbers of any size included; a word for what has none, such as a circle. */
function jsonText(value: object): string {
  try {
    return JSON.stringify(value, (_, inside) => (typeof inside === "bigint" ? `${inside}n` : inside)) ?? "";
  } catch {
    return "(no JSON)";
  }
}
