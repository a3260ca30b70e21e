/**
 * Comparing two answers of any shape: field by field, with tolerances, exact. What one call of a bridged service answers is
 * compared here; whole histories are compared row by row by `PnLComparisonValidator`.
 */
import { digitsMax } from "../domain/decimal.ts";
import { BridgeError } from "../domain/errors.ts";
import { absolute, compare, type Fraction, formatFraction, parseFraction, subtract } from "../domain/fraction.ts";
import type { Verdict } from "./report.ts";

/** How answers of one method are compared. Paths are like `positions[].realized`: brackets stand for every entry of a list. */
export interface AnswerOptions {
  /** The largest difference that is within tolerance: decimal text, by path, or by the last name of a path. Default `0`. */
  readonly tolerances?: Readonly<Record<string, string>>;
  /** By path of a list: the names whose values pair its entries (`{ positions: ["book", "symbol"] }`). Otherwise by place. */
  readonly keys?: Readonly<Record<string, readonly string[]>>;
  /** Paths that are left out, each with the reason, an owner and the last day (YYYY-MM-DD): after it they count again. */
  readonly exclusions?: readonly Exclusion[];
  /** Most values that are looked at, and most objects and lists that hold them; an answer with more is not comparable. Default 20 000. */
  readonly valuesMax?: number;
  /** Most fields that are told; more are counted. Default 20. */
  readonly fieldsMax?: number;
}

export interface Exclusion {
  readonly path: string;
  readonly reason: string;
  readonly owner: string;
  readonly until: string;
}

export interface FieldDifference {
  readonly path: string;
  /** Which entry of the lists on the path: the values of its keys, `EGB BUND`, else its place, `3`; null where there are no lists. */
  readonly entry: string | null;
  readonly verdict: Exclude<Verdict, "equal">;
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
  /** What is not equal, at most `fieldsMax`, in order of the answers. */
  readonly fields: readonly FieldDifference[];
  /** How many more there are. */
  readonly more: number;
}

/**
 * Compares answers of one method. Numbers and decimal texts are numbers, compared exactly: a float is the decimal of its shortest
 * text. Texts that are no numbers, and everything else, must be equal. A value on one side only is a divergence; null against a
 * number is not comparable.
 * Dates are compared by their moment, maps by their keys, sets by what only one of them has; objects of other classes, whose
 * insides cannot be seen, are not comparable.
 *
 * What is equal to the letter costs some nanoseconds; two numbers that are not are judged in floats where the tolerance is far from
 * the difference, and in fractions where it is near.
 */
export class AnswerComparer {
  readonly #tolerances = new Map<string, Tolerance>();
  readonly #keys: ReadonlyMap<string, readonly string[]>;
  readonly #exclusions: readonly Exclusion[];
  readonly #valuesMax: number;
  readonly #fieldsMax: number;
  /** What is left out on the day that was last asked for. */
  #excluded: { readonly on: string; readonly paths: ReadonlySet<string> } | undefined;

  /** Throws BAD_CONFIG for tolerances that are no numbers and exclusions that do not say who, why and until when. */
  constructor({ tolerances = {}, keys = {}, exclusions = [], valuesMax = 20_000, fieldsMax = 20 }: AnswerOptions = {}) {
    for (const [path, text] of Object.entries(tolerances)) {
      const exact = parseFraction(text);
      if (exact === undefined || exact.numerator < 0n)
        throw new BridgeError("BAD_CONFIG", {
          what: `the tolerance of ${path} is not a number of 0 or more: ${text}`,
          mend: 'write "0.01"',
        });
      this.#tolerances.set(path, { exact, near: Number(exact.numerator) / Number(exact.denominator) });
    }
    for (const exclusion of exclusions) {
      const missing = (["path", "reason", "owner"] as const).find((name) => (exclusion[name] ?? "") === "");
      if (missing !== undefined || !/^\d{4}-\d{2}-\d{2}$/.test(exclusion.until))
        throw new BridgeError("BAD_CONFIG", {
          what: `the exclusion of ${exclusion.path} has no ${missing ?? "day on which it ends"}`,
          mend: "an exclusion says path, reason, owner and until (YYYY-MM-DD)",
        });
    }
    this.#keys = new Map(Object.entries(keys));
    this.#exclusions = exclusions;
    this.#valuesMax = valuesMax;
    this.#fieldsMax = fieldsMax;
  }

  /** Whether it makes a difference which day it is. */
  get needsToday(): boolean {
    return this.#exclusions.length > 0;
  }

  /** `today` is YYYY-MM-DD: exclusions that ended before it count no longer. */
  compare(legacy: unknown, modern: unknown, today: string): AnswerComparison {
    const walk = new Walk(this.#tolerances, this.#keys, this.#excludedOn(today), this.#valuesMax, this.#fieldsMax);
    walk.compare("", legacy, modern, 0);
    return walk.result();
  }

  #excludedOn(today: string): ReadonlySet<string> {
    if (this.#exclusions.length === 0) return nothing;
    if (this.#excluded?.on !== today) {
      const paths = this.#exclusions.filter(({ until }) => until >= today).map(({ path }) => path);
      this.#excluded = { on: today, paths: new Set(paths) };
    }
    return this.#excluded.paths;
  }
}

interface Tolerance {
  readonly exact: Fraction;
  readonly near: number;
}

const nothing: ReadonlySet<string> = new Set();
const depthMax = 64;
const shownMax = 120;

class Walk {
  readonly #tolerances: ReadonlyMap<string, Tolerance>;
  readonly #keys: ReadonlyMap<string, readonly string[]>;
  readonly #exclusions: ReadonlySet<string>;
  readonly #valuesMax: number;
  readonly #fieldsMax: number;
  readonly #fields: FieldDifference[] = [];
  #more = 0;
  #compared = 0;
  #nested = 0;
  #excluded = 0;
  #verdict: Verdict = "equal";
  /** The entries that the walk is inside of, outermost first. */
  readonly #inside: Entry[] = [];

  constructor(
    tolerances: ReadonlyMap<string, Tolerance>,
    keys: ReadonlyMap<string, readonly string[]>,
    exclusions: ReadonlySet<string>,
    valuesMax: number,
    fieldsMax: number,
  ) {
    this.#tolerances = tolerances;
    this.#keys = keys;
    this.#exclusions = exclusions;
    this.#valuesMax = valuesMax;
    this.#fieldsMax = fieldsMax;
  }

  result(): AnswerComparison {
    return { verdict: this.#verdict, compared: this.#compared, excluded: this.#excluded, fields: this.#fields, more: this.#more };
  }

  compare(path: string, legacy: unknown, modern: unknown, depth: number): void {
    if (this.#exclusions.size > 0 && this.#exclusions.has(path)) {
      this.#excluded += 1;
      return;
    }
    if (this.#compared >= this.#valuesMax || depth > depthMax) {
      this.#tell(path, "not_comparable", legacy, modern, null);
      return;
    }
    const nested = typeof legacy === "object" && legacy !== null;
    if (nested && typeof modern === "object" && modern !== null) {
      this.#compareNested(path, legacy, modern, depth);
      return;
    }
    this.#compared += 1;
    if (legacy === modern || Object.is(legacy, modern)) return;
    this.#compareLeaves(path, legacy, modern);
  }

  #compareNested(path: string, legacy: object, modern: object, depth: number): void {
    this.#nested += 1;
    const shape = shapeOf(legacy);
    if (this.#nested > this.#valuesMax) this.#tell(path, "not_comparable", legacy, modern, null);
    else if (shape !== shapeOf(modern)) {
      this.#compared += 1;
      this.#tell(path, "diverged", legacy, modern, null);
    } else compareShape[shape](this, path, legacy as never, modern as never, depth);
  }

  compareMoments(path: string, legacy: Date, modern: Date): void {
    this.#compared += 1;
    if (!Object.is(legacy.getTime(), modern.getTime())) this.#tell(path, "diverged", legacy, modern, null);
  }

  compareMaps(path: string, legacy: ReadonlyMap<unknown, unknown>, modern: ReadonlyMap<unknown, unknown>, depth: number): void {
    const inside = `${path}[]`;
    for (const [key, ours] of legacy) this.#compareEntry(inside, String(key), ours, modern.get(key), depth);
    for (const [key, theirs] of modern) if (!legacy.has(key)) this.#compareEntry(inside, String(key), undefined, theirs, depth);
  }

  /** What both have is equal; what is left is paired in order, so that sets of objects can be told apart as well. */
  compareSets(path: string, legacy: ReadonlySet<unknown>, modern: ReadonlySet<unknown>, depth: number): void {
    const ours = [...legacy].filter((entry) => !modern.has(entry));
    const theirs = [...modern].filter((entry) => !legacy.has(entry));
    this.#compared += legacy.size - ours.length;
    this.compareLists(path, ours, theirs, depth);
  }

  /** An object that is not ours to look into. */
  refuse(path: string, legacy: object, modern: object): void {
    this.#compared += 1;
    if (legacy !== modern) this.#tell(path, "not_comparable", legacy, modern, null);
  }

  compareObjects(
    path: string,
    legacy: Readonly<Record<string, unknown>>,
    modern: Readonly<Record<string, unknown>>,
    depth: number,
  ): void {
    let shared = 0;
    for (const name in legacy) {
      let theirs = modern[name];
      // What is no plain value may have come from Object.prototype, which every object has and no answer.
      if ((theirs !== undefined && !isNested(theirs)) || Object.hasOwn(modern, name)) shared += 1;
      else theirs = undefined;
      // The path is made only where it will be used: equal leaves, nearly all, need none.
      const ours = legacy[name];
      if (ours === theirs && typeof ours !== "object" && this.#exclusions.size === 0) this.#compared += 1;
      else this.compare(path === "" ? name : `${path}.${name}`, ours, theirs, depth + 1);
    }
    let count = 0;
    for (const _ in modern) count += 1;
    if (count === shared) return;
    for (const name in modern)
      if (!Object.hasOwn(legacy, name)) this.compare(path === "" ? name : `${path}.${name}`, undefined, modern[name], depth + 1);
  }

  compareLists(path: string, legacy: readonly unknown[], modern: readonly unknown[], depth: number): void {
    const inside = `${path}[]`;
    const keys = this.#keys.get(path);
    if (keys === undefined) {
      const length = Math.max(legacy.length, modern.length);
      for (let at = 0; at < length && this.#hasRoom(inside, legacy, modern); at++)
        this.#compareEntry(inside, at, legacy[at], modern[at], depth);
      return;
    }
    const theirs = new Map<string, unknown[]>();
    for (const entry of modern) {
      const key = keyOf(entry, keys);
      const known = theirs.get(key);
      if (known === undefined) theirs.set(key, [entry]);
      else known.push(entry);
    }
    for (const entry of legacy) {
      if (!this.#hasRoom(inside, legacy, modern)) return;
      const key = keyOf(entry, keys);
      this.#compareEntry(inside, key, entry, theirs.get(key)?.shift(), depth);
    }
    for (const [key, left] of theirs) for (const entry of left) this.#compareEntry(inside, key, undefined, entry, depth);
  }

  #compareEntry(path: string, entry: Entry, legacy: unknown, modern: unknown, depth: number): void {
    this.#inside.push(entry);
    this.compare(path, legacy, modern, depth + 1);
    this.#inside.pop();
  }

  /** False where a list goes on beyond the limit, which is told once and not for each of its entries. */
  #hasRoom(path: string, legacy: unknown, modern: unknown): boolean {
    if (this.#compared < this.#valuesMax && this.#nested < this.#valuesMax) return true;
    this.#tell(path, "not_comparable", legacy, modern, null);
    return false;
  }

  #compareLeaves(path: string, legacy: unknown, modern: unknown): void {
    const ours = floatOf(legacy);
    const theirs = floatOf(modern);
    if (ours === undefined || theirs === undefined) {
      // "There is none" against a number: what a position without a mark is worth has not been shown to agree, nor to differ.
      const isNone = (legacy === null && theirs !== undefined) || (modern === null && ours !== undefined);
      this.#tell(path, isNone ? "not_comparable" : "diverged", legacy, modern, null);
      return;
    }
    const tolerance = this.#tolerances.get(path) ?? this.#tolerances.get(path.slice(path.lastIndexOf(".") + 1));
    // Floats decide where rounding cannot have: each is at most half a unit in the last place off its text, as is the difference.
    const difference = Math.abs(theirs - ours);
    const doubt = (Math.abs(ours) + Math.abs(theirs) + (tolerance?.near ?? 0)) * 1e-15;
    if (tolerance !== undefined && difference > doubt && difference + doubt < tolerance.near) {
      this.#tell(path, "within_tolerance", legacy, modern, ours);
      return;
    }
    const [exactOurs, exactTheirs] = [parseFraction(String(legacy)), parseFraction(String(modern))];
    if (exactOurs === undefined || exactTheirs === undefined) {
      this.#tell(path, "diverged", legacy, modern, null);
      return;
    }
    const exact = subtract(exactTheirs, exactOurs);
    if (exact.numerator === 0n) return;
    const within = tolerance !== undefined && compare(absolute(exact), tolerance.exact) <= 0;
    this.#tell(path, within ? "within_tolerance" : "diverged", legacy, modern, ours);
  }

  /** `number` is not null where both are numbers. */
  #tell(path: string, verdict: Exclude<Verdict, "equal">, legacy: unknown, modern: unknown, number: number | null): void {
    if (verdict !== this.#verdict && rank[verdict] > rank[this.#verdict]) this.#verdict = verdict;
    if (this.#fields.length >= this.#fieldsMax) {
      this.#more += 1;
      return;
    }
    const inside = this.#inside.length === 0 ? nowhere : this.#inside.slice();
    this.#fields.push(new Difference(path, inside, verdict, legacy, modern, number !== null));
  }
}

/** The key of a list's entry (JSON of the values that it is paired by), or its place. */
type Entry = string | number;

const nowhere: readonly Entry[] = [];

/** A difference whose texts are made when somebody looks: most are only counted. */
class Difference implements FieldDifference {
  readonly path: string;
  readonly verdict: Exclude<Verdict, "equal">;
  readonly #legacy: unknown;
  readonly #modern: unknown;
  readonly #isNumber: boolean;
  readonly #inside: readonly Entry[];

  constructor(
    path: string,
    inside: readonly Entry[],
    verdict: Exclude<Verdict, "equal">,
    legacy: unknown,
    modern: unknown,
    isNumber: boolean,
  ) {
    this.path = path;
    this.#inside = inside;
    this.verdict = verdict;
    this.#legacy = legacy;
    this.#modern = modern;
    this.#isNumber = isNumber;
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
    return this.#isNumber ? differenceOf(this.#legacy, this.#modern) : null;
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

/** The worst verdict of a call's fields is the call's. */
const rank: Readonly<Record<Verdict, number>> = { equal: 0, within_tolerance: 1, not_comparable: 2, diverged: 3, error: 4 };

/**
 * About what a number is, or a text that looks like a decimal or a fraction p/q: NaN where a float cannot say. Undefined for all
 * else. Only to be told apart, not to be added.
 */
function floatOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "string" || value === "" || value.length > 2 * digitsMax) return undefined;
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
  return ArrayBuffer.isView(value) && !(value instanceof DataView) ? "list" : "other";
}

type Compare<Value> = (walk: Walk, path: string, legacy: Value, modern: Value, depth: number) => void;

const compareShape: Readonly<Record<Shape, Compare<never>>> = {
  list: (walk, path, legacy, modern, depth) => walk.compareLists(path, legacy, modern, depth),
  object: (walk, path, legacy, modern, depth) => walk.compareObjects(path, legacy, modern, depth),
  moment: (walk, path, legacy, modern) => walk.compareMoments(path, legacy, modern),
  map: (walk, path, legacy, modern, depth) => walk.compareMaps(path, legacy, modern, depth),
  set: (walk, path, legacy, modern, depth) => walk.compareSets(path, legacy, modern, depth),
  other: (walk, path, legacy, modern) => walk.refuse(path, legacy, modern),
};

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

const keyOf = (entry: unknown, keys: readonly string[]): string =>
  jsonText(keys.map((key) => (entry as Readonly<Record<string, unknown>> | null)?.[key]));

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
