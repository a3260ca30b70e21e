import { fingerprint } from "../../base/fingerprint.ts";
import { parseInstant } from "../../domain/market/chicago-time.ts";
import { formatDay, type TradingDayRuleName, tradingDayAt } from "../../domain/market/trading-day.ts";
import { countdown } from "../../domain/migration/countdown.ts";
import { agrees } from "../../domain/migration/verdict.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EvidenceDelta, EvidenceSource, LaneDay, Tally } from "../../ports/tallies.ts";
import type { ComparisonDraft } from "./call.ts";
import { type ComparisonSeen, type LaneSeen, textOf } from "./lanes.ts";

export interface EvidenceTallyOptions {
  /** Unique for each start of a process. */
  readonly process: string;
  readonly dayRule: TradingDayRuleName;
  /** The class of a symbol's product; the gates prove a rate for each class. */
  readonly groupOf: (symbol: string) => string;
}

/** A pair is slower if modern takes more than this times as long as legacy. */
const slowerRatio = 1.1;
/** This many first pairs of a method set the limit of a slow call, and the later pairs are judged by it. */
const firstPairs = 1_000;
const minuteMs = 60_000;
/** The length of the part of a comparison's time that names its minute: `2025-07-24T10:00`. */
const minuteLength = 16;
const questionsMax = 1_000;

/** Latencies are counted in steps of the ratio that counts as slower. */
const binOf = (ms: number): number => Math.ceil(Math.log(Math.max(ms, 0.001)) / Math.log(slowerRatio));
/** The bin of a call that did not end in time: slower than any other. */
const lateBin = 999;

/** Adds up the evidence of the gates from comparisons, until it is written to the evidence store. */
export class EvidenceTally {
  readonly #options: EvidenceTallyOptions;
  readonly #clock: Clock;
  readonly #beforeTake: () => void;
  /** By source, day and method, then by book, and by symbol. */
  readonly #laneDays = new Map<string, Map<string, Map<string, PendingLaneDay>>>();
  /** By source, signal and stratum. Counts change in place, since each comparison changes several of them. */
  readonly #tallies = new Map<string, Map<string, Map<string, Counted>>>();
  /** What nearly every comparison counts, by source and method. It joins the tallies when they are taken. */
  readonly #methods = { live: new Map<string, MethodCounts>(), served: new Map<string, MethodCounts>() };
  readonly #pairs = new Map<string, number>();
  /** The lanes of each book, with the methods whose last answer about the lane was wrong. */
  readonly #wrong = new Map<string, Set<string>>();
  /** The symbols of the latest questions by method and text, because a dashboard repeats its questions. */
  readonly #questions = new Map<string, Map<string, string>>();
  #day = "";
  #key = "";
  #open: OpenDay | undefined;
  /** The last instant whose trading day was asked for, since many calls have the same as-of. */
  #dated = { instant: "", day: "" };

  /** `beforeTake` may count further evidence before it is written. */
  constructor(options: EvidenceTallyOptions, clock: Clock, beforeTake: () => void) {
    this.#options = options;
    this.#clock = clock;
    this.#beforeTake = beforeTake;
  }

  /** The key under which evidence is counted now. With an empty key, nothing is counted. */
  get key(): string {
    return this.#key;
  }

  /**
   * Sets another key, with the number of pairs that the store has under it by method. Forgets what is
   * pending.
   */
  begin(key: string, pairs: ReadonlyMap<string, number> = new Map()): void {
    if (key === this.#key) return;
    this.#key = key;
    this.#laneDays.clear();
    this.#open = undefined;
    this.#tallies.clear();
    this.#methods.live.clear();
    this.#methods.served.clear();
    this.#pairs.clear();
    this.#wrong.clear();
    for (const [method, count] of pairs) this.#pairs.set(method, count);
  }

  add(draft: ComparisonDraft): void {
    if (this.#key === "") return;
    const { method, kind, verdict, seen } = draft;
    const source = seen.served ? "served" : "live";
    if (kind === "aa") {
      this.#addControl(draft);
      return;
    }
    const counts = this.#countsOf(source, method);
    counts.comparisons += 1;
    if (!agrees(verdict) && seen.outcome !== "both_failed") counts.apart += 1;
    counts.values += seen.values + draft.excluded;
    counts.excluded += draft.excluded;
    if (seen.outcome === "lost") this.lost(method, source, "not_comparable", undefined);
    else {
      counts.covered += 1;
      let weight = 0;
      for (const lane of seen.lanes ?? []) weight += lane.weight;
      counts.weight += weight;
      // Each value of an answer carries an equal part of the answer's money.
      if (draft.excluded > 0)
        counts.excludedWeight += (weight * draft.excluded) / (seen.values + draft.excluded);
      counts.largest = Math.max(counts.largest, weight);
    }
    this.#addMinute(draft, source, counts);
    this.#addLanes(draft, source);
  }

  /** Counts a comparison that was due and not made. `weight` is undefined if it is not known. */
  lost(method: string, source: EvidenceSource, why: string, weight: number | undefined): void {
    if (this.#key === "") return;
    const unknown = weight === undefined ? 1 : 0;
    this.#count(source, "lost", `${method} ${why}`, { k: unknown, amount: weight ?? 0 });
  }

  /** Counts `n` calls to which the plan's sample ratio applied, and the `k` of them that were shadowed. */
  sampled(ratio: number, { n, k }: { readonly n: number; readonly k: number }): void {
    if (this.#key !== "" && n > 0 && ratio > 0 && ratio < 1)
      this.#count("live", "sampling", String(ratio), { n, k });
  }

  /** Counts `n` answers of modern that are not compared although no comparison is lost. */
  unobserved(method: string, n: number): void {
    if (this.#key !== "" && n > 0) this.#count("served", "unobserved", method, { n });
  }

  /**
   * Counts an answer of legacy that lacks writes; `lacksMs` is the age of the oldest of them. If it is
   * undefined, the caller was not told that legacy lacks writes.
   */
  stale(user: string, lacksMs: number | undefined): void {
    if (this.#key === "") return;
    const nowMs = this.#clock.nowMs();
    const day = formatDay(tradingDayAt(this.#options.dayRule, nowMs * 1_000));
    const what = lacksMs === undefined ? "stale_unmarked" : "stale";
    this.#count("served", "impact", `${day} ${what} ${user}`, { largest: lacksMs ?? 0 });
  }

  /** Returns the evidence that was counted since the last `take`, and starts again at zero. */
  take(ended: boolean): EvidenceDelta {
    this.#beforeTake();
    for (const source of ["live", "served"] as const)
      for (const [method, counts] of this.#methods[source]) this.#join(source, method, counts);
    const delta: EvidenceDelta = {
      key: this.#key,
      process: this.#options.process,
      at: new Date(this.#clock.nowMs()).toISOString(),
      day: this.#day,
      ended,
      laneDays: innermost(this.#laneDays),
      tallies: innermost(this.#tallies),
    };
    this.#laneDays.clear();
    this.#open = undefined;
    this.#tallies.clear();
    return delta;
  }

  /** Adds what could not be written, so that the next `take` returns it again. */
  restore({ key, laneDays, tallies }: EvidenceDelta): void {
    if (key !== this.#key) return;
    for (const laneDay of laneDays) {
      const { source, day, method, book, symbol } = laneDay;
      const inBook = within(within(this.#laneDays, `${source} ${day} ${method}`), book);
      if (!inBook.has(symbol)) inBook.set(symbol, laneDay);
    }
    for (const { source, signal, stratum, ...counts } of tallies)
      this.#count(source, signal, stratum, counts);
  }

  #addControl({ method, verdict, legacyMs, modernMs, seen }: ComparisonDraft): void {
    if (seen.outcome !== "compared") return;
    this.#count("live", "aa", method, { k: agrees(verdict) ? 0 : 1 });
    // The first of the two calls answered; the second one ran in the shadow.
    if (legacyMs !== null && modernMs !== null)
      this.#count(
        "live",
        "order",
        `${method} ${Math.floor((modernMs / Math.max(legacyMs, 0.001)) * 20)}`,
        {},
      );
  }

  /**
   * Counts at most one error and one pair of latencies for each method and minute, because calls within a
   * minute are not independent trials.
   */
  #addMinute(
    { at, method, legacyMs, modernMs, seen, modernError }: ComparisonDraft,
    source: EvidenceSource,
    now: MethodCounts,
  ): void {
    if (seen.outcome === "both_failed" || seen.outcome === "lost") return;
    const minute = at.slice(0, minuteLength);
    const failed = seen.outcome === "modern_failed";
    if (now.minute !== minute) {
      now.minute = minute;
      now.failed = false;
      now.paired = false;
      this.#count(source, "errors", method, {});
    }
    if (failed && !now.failed) {
      now.failed = true;
      this.#count(source, "errors", method, { n: 0, k: 1 });
    }
    if (now.paired) return;
    const isLate = failed && modernError?.startsWith("TIMEOUT") === true;
    const tookMs = isLate ? Number.POSITIVE_INFINITY : failed ? null : modernMs;
    if (legacyMs === null || tookMs === null) return;
    now.paired = true;
    const before = this.#pairs.get(method) ?? 0;
    this.#pairs.set(method, before + 1);
    this.#count(source, "pairs", method, { k: tookMs > slowerRatio * legacyMs ? 1 : 0 });
    const bins = `${binOf(legacyMs)} ${isLate ? lateBin : binOf(tookMs)}`;
    this.#count(source, "bins", `${method} ${before < firstPairs ? "first" : "later"} ${bins}`, {});
  }

  #addLanes({ at, method, verdict, input, unit, seen }: ComparisonDraft, source: EvidenceSource): void {
    if (seen.outcome === "both_failed" || seen.outcome === "lost") return;
    const day = this.#dayOf(input, at);
    if (day > this.#day) this.#day = day;
    const failed = seen.outcome === "modern_failed";
    const lanes = seen.lanes ?? [
      laneOfQuestion(unit, { symbol: this.#symbolOf(method, input), method, verdict, whole: seen.whole }),
    ];
    const ofDay = this.#lanesOf(source, day, method);
    for (const lane of lanes) {
      if (!lane.isCompared && lane.apart === null && !failed) continue;
      const { book, symbol, signed, quantityApart, weight } = lane;
      const apart = failed ? "error" : lane.apart;
      const money = failed ? 0 : lane.money;
      const inBook = within(ofDay, book);
      const known = inBook.get(symbol);
      // A comparison replaces the result of the one before, in place, so that it creates no object.
      if (known === undefined) {
        const group = symbol.startsWith("#") ? "summary" : this.#options.groupOf(symbol);
        const facts = { source, day, book, symbol, method, group, at, apart, accepted: null };
        inBook.set(symbol, { ...facts, money, quantityApart, signed, weight });
      } else {
        known.at = at;
        known.apart = apart;
        known.money = money;
        known.quantityApart = quantityApart;
        known.signed = signed;
        known.weight = weight;
      }
    }
    if (source === "served") this.#addImpact(day, seen, { method, lanes, failed });
  }

  /** Counts user-days and book-days, since one screen may ask hundreds of times an hour. */
  #addImpact(
    day: string,
    { user, book, fellBack }: ComparisonSeen,
    {
      method,
      lanes,
      failed,
    }: { readonly method: string; readonly lanes: readonly LaneSeen[]; readonly failed: boolean },
  ): void {
    const wrong = this.#wrong.get(book) ?? new Set<string>();
    const wasWrong = wrong.size > 0;
    let [largest, isWrong, isQuantity, isUnknown] = [0, false, false, false];
    for (const lane of lanes) {
      if (!lane.isCompared && lane.apart === null && !failed) continue;
      const id = `${method}\n${lane.book}\n${lane.symbol}`;
      largest = Math.max(largest, lane.money ?? 0);
      // If modern failed, the user got legacy's figures.
      if (failed || lane.apart === null) wrong.delete(id);
      else {
        wrong.add(id);
        isWrong = true;
        isQuantity ||= lane.quantityApart;
        isUnknown ||= lane.money === null;
      }
    }
    const count = (what: string, who: string, most = largest): void =>
      this.#count("served", "impact", `${day} ${what} ${who}`, { largest: most });
    count("seen", user);
    if (isWrong) count("wrong", user);
    if (isWrong) count("wrong_book", book);
    if (isQuantity) count("wrong_quantity", book);
    if (isUnknown) count("wrong_unknown", book);
    if (fellBack !== undefined) count(`fell_back:${fellBack}`, user);
    if (!wasWrong && wrong.size === 0) return;
    const minute = Math.floor(this.#clock.nowMs() / minuteMs);
    if (wrong.size > 0) count("wrong_from", book, countdown(minute));
    count("wrong_until", book, minute);
    if (wrong.size > 0) this.#wrong.set(book, wrong);
    else this.#wrong.delete(book);
  }

  /** The pending lanes of a method on a day. Keeps those of the last call, since most calls repeat them. */
  #lanesOf(source: EvidenceSource, day: string, method: string): OpenDay["lanes"] {
    const open = this.#open;
    if (open?.method === method && open.source === source && open.day === day) return open.lanes;
    const lanes = within(this.#laneDays, `${source} ${day} ${method}`);
    this.#open = { source, day, method, lanes };
    return lanes;
  }

  /** The symbol of the lane of a question: its method and the fingerprint of its JSON. */
  #symbolOf(method: string, input: readonly unknown[]): string {
    const known = within(this.#questions, method);
    const text = textsIn(input) ?? questionJson(input);
    let symbol = known.get(text);
    if (symbol === undefined) {
      symbol = `#${method} ${fingerprint(questionJson(input))}`;
      if (known.size >= questionsMax) known.clear();
      known.set(text, symbol);
    }
    return symbol;
  }

  /** The trading day of the request's as-of or, without one, of the comparison. */
  #dayOf(input: readonly unknown[], at: string): string {
    const given = textOf(input[0], "asOf") ?? at;
    if (given === this.#dated.instant) return this.#dated.day;
    const instant = parseInstant(given);
    const day = formatDay(tradingDayAt(this.#options.dayRule, instant ?? parseInstant(at) ?? 0));
    if (instant !== undefined) this.#dated = { instant: given, day };
    return day;
  }

  #countsOf(source: "live" | "served", method: string): MethodCounts {
    const methods = this.#methods[source];
    let counts = methods.get(method);
    if (counts === undefined) {
      counts = { ...noCounts, minute: "", failed: false, paired: false };
      methods.set(method, counts);
    }
    return counts;
  }

  /** Moves the counts of a method to the tallies. */
  #join(source: EvidenceSource, method: string, counts: MethodCounts): void {
    const { comparisons, apart, values, excluded, excludedWeight, covered, weight, largest } = counts;
    if (comparisons > 0) this.#count(source, "ab", method, { n: comparisons, k: apart });
    if (values > 0)
      this.#count(source, "excluded", method, { n: values, k: excluded, amount: excludedWeight });
    if (covered > 0) this.#count(source, "coverage", method, { n: covered, amount: weight, largest });
    Object.assign(counts, noCounts);
  }

  #count(
    source: EvidenceSource,
    signal: string,
    stratum: string,
    { n = 1, k = 0, amount = 0, largest = 0 }: Partial<Tally>,
  ): void {
    const strata = within(within(this.#tallies, source), signal);
    let counted = strata.get(stratum);
    if (counted === undefined) {
      counted = { source, signal, stratum, n: 0, k: 0, amount: 0, largest: 0 };
      strata.set(stratum, counted);
    }
    counted.n += n;
    counted.k += k;
    counted.amount += amount;
    counted.largest = Math.max(counted.largest, largest);
  }
}

interface OpenDay {
  readonly source: EvidenceSource;
  readonly day: string;
  readonly method: string;
  readonly lanes: Map<string, Map<string, PendingLaneDay>>;
}

type Changeable<T> = { -readonly [Name in keyof T]: T[Name] };
type Counted = Changeable<Tally>;
type PendingLaneDay = Changeable<LaneDay>;

/** The counts of a method's comparisons since they were last taken. */
const noCounts = {
  comparisons: 0,
  apart: 0,
  values: 0,
  excluded: 0,
  excludedWeight: 0,
  covered: 0,
  weight: 0,
  largest: 0,
};
type MethodCounts = typeof noCounts & {
  /** The last minute with a comparison, and whether a failure and a pair of latencies were counted in it. */
  minute: string;
  failed: boolean;
  paired: boolean;
};

/** The inner map under a key, which is created if it is missing. */
function within<Inner, Value>(maps: Map<string, Map<Inner, Value>>, key: string): Map<Inner, Value> {
  let inner = maps.get(key);
  if (inner === undefined) {
    inner = new Map();
    maps.set(key, inner);
  }
  return inner;
}

const innermost = <Value>(maps: Map<string, Map<string, Map<string, Value>>>): readonly Value[] =>
  [...maps.values()].flatMap((inner) => [...inner.values()].flatMap((values) => [...values.values()]));

const noWhole = { money: null, quantityApart: false };

/** Returns the one lane of an answer whose rows name no symbols. */
const laneOfQuestion = (
  unit: string | null,
  {
    symbol,
    method,
    verdict,
    whole = noWhole,
  }: Pick<ComparisonDraft, "method" | "verdict"> &
    Pick<ComparisonSeen, "whole"> & { readonly symbol: string },
): LaneSeen => ({
  book: unit ?? "",
  symbol,
  weight: 0,
  apart: verdict === "diverged" ? method : null,
  // If no money differs, a value of another kind does, so the amount is unknown.
  money: verdict === "diverged" ? whole.money || null : 0,
  // The differences of its lanes are added up already.
  signed: 0,
  quantityApart: whole.quantityApart,
  isCompared: verdict !== "not_comparable",
});

/** The keys of a request that differ in each call, so they do not distinguish questions. */
const movingNames: ReadonlySet<string> = new Set(["asOf", "marks", "trades"]);

/** The JSON of a question. Questions that JSON cannot express count as one. */
function questionJson([request, ...rest]: readonly unknown[]): string {
  const question =
    typeof request === "object" && request !== null
      ? Object.entries(request).filter(([name]) => !movingNames.has(name))
      : request;
  try {
    return JSON.stringify([question, rest]);
  } catch {
    return "";
  }
}

/** A text for a question that consists of texts, made much faster than its JSON; else undefined. */
function textsIn(input: readonly unknown[]): string | undefined {
  const request = input[0];
  if (typeof request !== "object" || request === null || input.length > 1) return undefined;
  let texts = "";
  for (const name in request) {
    if (movingNames.has(name)) continue;
    const value = (request as Record<string, unknown>)[name];
    if (typeof value !== "string") return undefined;
    texts += `${name}\0${value}\0`;
  }
  return texts;
}
