/** The five metrics of a migration: calculation time, memory, accuracy, errors and user impact. */
import { countdown } from "../../domain/migration/countdown.ts";
import type {
  Affected,
  CalculationTime,
  MigrationMetrics,
  UserImpact,
} from "../../ports/migration-report.ts";
import type { EvidenceSource, StoredEvidence, Tally } from "../../ports/tallies.ts";
import { type Bin, binsOf, methodsOf, quantile, sum } from "./bins.ts";
import { type EvidenceFacts, newestOf } from "./facts.ts";
import { upperBound } from "./statistics.ts";
import { ofSources, type Trial } from "./trials.ts";

/** The accepted probability that a bound of a rate is wrong, as for the gates before `dual_write`. */
const alpha = 0.05;

export function metricsOf(facts: EvidenceFacts): MigrationMetrics {
  const {
    stored,
    trials: { trials },
  } = facts;
  const { tallies } = stored;
  const { n: minutes, k: failed } = sum(tallies, "errors");
  const memory = newestOf(facts, "memory");
  return {
    calculationTime: methodsOf(tallies, "pairs").map((method) => timeOf(method, tallies)),
    memory: memory === undefined ? null : memoryOf(memory),
    accuracy: (["replay", "live", "served"] as const).map((source) => accuracyOf(source, trials)),
    errors: { minutes, failed },
    impact: impactOf(stored),
  };
}

function timeOf(method: string, tallies: readonly Tally[]): CalculationTime {
  const { n: pairs, k: slower } = sum(tallies, "pairs", method);
  const bins = binsOf(tallies).filter((bin) => bin.method === method);
  const at = (share: number) => ({
    legacy: msOf(quantile(bins, share, ({ legacy }) => legacy)),
    modern: msOf(quantile(bins, share, ({ modern }) => modern)),
  });
  return { method, pairs, slower, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Returns the upper end of a bin in milliseconds; null without pairs, or if the call did not end in time. */
const msOf = (bin: Bin["legacy"]): number | null => {
  const ms = 1.1 ** bin;
  return ms < 1e9 ? Number(ms.toPrecision(3)) : null;
};

function memoryOf({ atMs, content }: EvidenceFacts["records"][number]): MigrationMetrics["memory"] {
  const ratios = numbersOf(content.ratios);
  const peaks = Array.isArray(content.peaks) ? content.peaks.map(numbersOf) : [];
  const peakOf = (place: 0 | 1): number => median(peaks.map((pair) => pair[place] ?? 0));
  return {
    at: new Date(atMs).toISOString(),
    pairs: ratios.length,
    ratio: median(ratios),
    bytes: peaks.length === 0 ? null : { legacy: peakOf(0), modern: peakOf(1) },
  };
}

const numbersOf = (value: unknown): readonly number[] => (Array.isArray(value) ? value.map(Number) : []);

const median = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[Math.floor((values.length - 1) / 2)] ?? 0;

function accuracyOf(source: EvidenceSource, all: readonly Trial[]): MigrationMetrics["accuracy"][number] {
  const trials = ofSources(all, source);
  const events = trials.filter(({ event }) => event).length;
  return {
    ...{ source, trials: trials.length, events },
    upper: upperBound({ k: events, n: trials.length }, alpha),
  };
}

/** One effect on one user or book on one trading day. */
interface Seen {
  readonly day: string;
  /** The effect, such as `seen` or `wrong_book`. */
  readonly what: string;
  /** A user or a book; empty if a call named none. */
  readonly who: string;
  /**
   * The largest value of the effect: money, an age in milliseconds, or a minute. The effect `wrong_from` has
   * the countdown of its minute, so that the largest value is the first minute.
   */
  readonly largest: number;
}

/** Reads the tallies of the signal `impact`. */
export function seenIn(tallies: readonly Tally[]): readonly Seen[] {
  return tallies
    .filter(({ signal }) => signal === "impact")
    .map(({ stratum, largest }) => {
      const [day = "", what = ""] = stratum.split(" ", 2);
      return { day, what, who: stratum.slice(day.length + what.length + 2), largest };
    });
}

const affected = (seen: readonly Seen[]): Affected => ({
  distinct: new Set(seen.map(({ who }) => who)).size,
  days: seen.length,
});

/**
 * Returns the effects on users. The number of tallies that it reads grows with users, books and days, and not
 * with calls.
 */
export function impactOf({ tallies }: Pick<StoredEvidence, "tallies">): UserImpact {
  const all = Map.groupBy(seenIn(tallies), ({ what }) => what);
  const of = (what: string): readonly Seen[] => all.get(what) ?? [];
  const amounts = (what: string): readonly number[] => of(what).map(({ largest }) => largest);
  const reasons = [...all.keys()].filter((what) => what.startsWith(fellBack));
  const served = tallies.filter(({ source }) => source === "served");
  const unobserved = sum(served, "lost").n + sum(served, "unobserved").n;
  const answers = sum(served, "coverage").n + unobserved;
  return {
    seen: affected(of("seen")),
    wrong: affected(of("wrong")),
    wrongBooks: affected(of("wrong_book")),
    wrongMinutes: minutesOf(of("wrong_from"), of("wrong_until")),
    largest: Math.max(0, ...amounts("wrong"), ...amounts("wrong_book")),
    money: amounts("wrong_book").reduce((total, amount) => total + amount, 0),
    fellBack: Object.fromEntries(
      reasons.map((reason) => [reason.slice(fellBack.length), affected(of(reason))]),
    ),
    stale: affected(of("stale")),
    staleMs: Math.max(0, ...amounts("stale")),
    unmarked: affected(of("stale_unmarked")),
    unobserved: answers === 0 ? null : unobserved / answers,
  };
}

const fellBack = "fell_back:";

/**
 * Adds up the minutes of all books and days. Those of a book and day begin with the first answer of the day
 * while a figure of the book was wrong, and end with the answer that corrected the last wrong figure. Without
 * such an answer they end with the book's last answer of the day. The first and the last minute count.
 */
function minutesOf(from: readonly Seen[], until: readonly Seen[]): number {
  const ends = new Map(until.map(({ day, who, largest }) => [`${day} ${who}`, largest]));
  return from.reduce((total, { day, who, largest }) => {
    const first = countdown(largest);
    return total + Math.max(0, (ends.get(`${day} ${who}`) ?? first) - first) + 1;
  }, 0);
}
