import type {
  Affected,
  CalculationTime,
  MigrationMetrics,
  UserImpact,
} from "../../ports/migration-report.ts";
import { count, money } from "./text.ts";

/** The most methods whose times are named; the others are only counted. */
const methodsMax = 3;

export const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;

export const errorWords = ({ minutes, failed }: MigrationMetrics["errors"]): string =>
  minutes === 0
    ? "no call is compared yet"
    : `modern failed in ${count(failed)} of ${count(minutes)} minutes with calls`;

/** A time with its unit, or the words `timed out`. */
export const msWords = (ms: number | null): string =>
  ms === null ? "timed out" : ms >= 10_000 ? `${count(Math.round(ms / 1_000))} s` : `${ms} ms`;

export const slowestFirst = (times: readonly CalculationTime[]): readonly CalculationTime[] =>
  times.toSorted((one, other) => other.slower / other.pairs - one.slower / one.pairs);

/** Returns the five metrics of a migration as words, one line each, with their names. */
export function metricWords(metrics: MigrationMetrics): readonly (readonly [name: string, words: string])[] {
  const { accuracy, errors } = metrics;
  return [
    ["time", timeWords(metrics.calculationTime)],
    ["memory", memoryWords(metrics.memory)],
    [
      "accuracy",
      accuracy
        .filter(({ trials }) => trials > 0)
        .map(
          ({ source, trials, events, upper }) =>
            `${source}: ${count(events)} of ${count(trials)} instrument-days ended apart; ` +
            `the true rate is at most ${percent(upper)} (95 % confidence)`,
        )
        .join("; ") || "no instrument-day is compared yet",
    ],
    ["errors", errorWords(errors)],
    ["impact", impactWords(metrics.impact)],
  ];
}

function timeWords(all: readonly CalculationTime[]): string {
  if (all.length === 0) return "no pair of calls is measured yet";
  const named = slowestFirst(all)
    .slice(0, methodsMax)
    .map(({ method, pairs, slower, p50Ms, p99Ms }) => {
      const times = `median ${msWords(p50Ms.legacy)} and ${msWords(p50Ms.modern)}`;
      const tails = `p99 ${msWords(p99Ms.legacy)} and ${msWords(p99Ms.modern)}`;
      return `${method}: ${times}, ${tails}, modern slower in ${count(slower)} of ${count(pairs)} pairs`;
    });
  const more = all.length - named.length;
  return `legacy and modern, ${named.join("; ")}${more > 0 ? `; and ${more} more methods` : ""}`;
}

export function memoryWords(memory: MigrationMetrics["memory"]): string {
  if (memory === null) return "not measured yet";
  const { at, pairs, ratio, bytes } = memory;
  const peaks =
    bytes === null ? "" : `, legacy ${mebibytes(bytes.legacy)} and modern ${mebibytes(bytes.modern)}`;
  const measured = `measured in ${count(pairs)} pairs of processes on ${at.slice(0, 10)}`;
  return `modern's peak is ${Number(ratio.toPrecision(3))} times legacy's${peaks} (${measured})`;
}

const mebibytes = (bytes: number): string => `${count(Math.round(bytes / 1_048_576))} MiB`;

/** Users and, in brackets, the sum over days. */
export const affectedWords = ({ distinct, days }: Affected, noun: string): string =>
  `${count(distinct)} ${noun}${distinct === 1 ? "" : "s"} (${count(days)} ${noun}-day${days === 1 ? "" : "s"})`;

function impactWords(impact: UserImpact): string {
  const { seen, wrong, wrongBooks, wrongMinutes, largest, fellBack, stale, unmarked, unobserved } = impact;
  const reasons = Object.values(fellBack).reduce((sum, { days }) => sum + days, 0);
  const wrongWords =
    wrong.days === 0
      ? "no user saw a wrong figure"
      : `${affectedWords(wrong, "user")} of ${count(seen.distinct)} saw a wrong figure of ` +
        `${affectedWords(wrongBooks, "book")} for ${count(wrongMinutes)} minutes, ` +
        `the largest off by ${money(String(largest))}`;
  return [
    seen.days === 0 ? "modern has not answered any user yet" : wrongWords,
    ...(reasons === 0 ? [] : [`${count(reasons)} user-days with a fall-back`]),
    ...(stale.days === 0 ? [] : [`${affectedWords(stale, "user")} saw answers marked stale`]),
    ...(unmarked.days === 0 ? [] : [`${affectedWords(unmarked, "user")} saw stale answers WITHOUT a mark`]),
    ...(unobserved === null ? [] : [`${percent(unobserved)} of modern's answers were not compared`]),
  ].join("; ");
}
