/**
 * The gates that judge counted evidence: trials, money, failures and latencies. A gate may judge several
 * strata (classes of products, or methods), each by its own counts.
 */
import { businessDayBefore, formatDay, isBusinessDay, parseDay } from "../../domain/market/trading-day.ts";
import type { EvidenceSource, LaneDay, Tally } from "../../ports/tallies.ts";
import { type Bin, binsOf, methodsOf, quantile, sum } from "./bins.ts";
import { kindsOfDay } from "./day-kinds.ts";
import type { EvidenceFacts } from "./facts.ts";
import {
  type Count,
  evidenceOfShares,
  excessOverNoise,
  judgeRate,
  meanBound,
  medianAbove,
  trialsNeeded,
  upperBound,
} from "./statistics.ts";
import { daysOf, ofSources, rowMax, type Trial, type Trials } from "./trials.ts";
import {
  closed,
  dollars,
  type EvidenceGate,
  type EvidenceVerdict,
  type Guarded,
  inconclusive,
  many,
  open,
  percent,
} from "./verdict.ts";

/** Limits in dollars: the mean difference of all trials, and a book's sum within tolerance in one month. */
const [meanMax, driftMax] = [10, 100];
export const coverageMin = 0.95;
const [errorMax, minutesMin] = [0.01, 200];
const [pairsMin, controlsMin] = [200, 200];
const liveMax = 0.05;
const excludedMax = 0.01;
/** The number of replayed days, counted from the last one, whose books must be shadowed as well. */
const bookDays = 20;
/** The time for which another evidence key counts as in use after its last write. */
const otherKeysMs = 3_600_000;
const switches: readonly Guarded[] = ["primary_switch", "cleanup"];
const moves: readonly Guarded[] = ["dual_write", "ramp", "primary_switch", "cleanup"];

/** Whether a quantity of an instrument-day differs, or an amount of money by more than `rowMax`. */
export const isMaterial = ({ money, quantityApart }: LaneDay): boolean =>
  quantityApart || (money ?? 0) > rowMax;

/** Describes a material difference and its limit. */
export function materialText({ day, book, symbol, apart, money, quantityApart }: LaneDay): string {
  const by = quantityApart
    ? "in a quantity; no quantity may differ"
    : `by up to ${dollars(money ?? 0)}; the limit is ${dollars(rowMax)}`;
  return `${[book, symbol].filter(Boolean).join(" ")} (first in ${apart}) on ${day} ${by}`;
}

const countOf = (trials: readonly Trial[]): Count => ({
  n: trials.length,
  k: trials.filter(({ event }) => event).length,
});

const booksOf = (laneDays: readonly LaneDay[]): ReadonlySet<string> =>
  new Set(laneDays.filter(({ group, book }) => group !== "summary" && book !== "").map(({ book }) => book));

/**
 * Returns the books that occur on the last `bookDays` days of the replayed history and have no trial of
 * `sources`. Books that occur only on earlier days may be closed. If the answers of `sources` name no books,
 * they cover all books, and none is missing.
 */
function missingBooks({ trials, voided }: Trials, ...sources: readonly EvidenceSource[]): readonly string[] {
  const seen = booksOf(ofSources(trials, ...sources));
  if (seen.size === 0 && booksOf(voided.filter(({ source }) => sources.includes(source))).size === 0)
    return [];
  const replayed = ofSources(trials, "replay");
  const since = daysOf(replayed).at(-bookDays) ?? "";
  return [...booksOf(replayed.filter(({ day }) => day >= since))]
    .filter((book) => !seen.has(book))
    .toSorted();
}

const missingBooksText = (books: readonly string[]): string =>
  books.length === 0
    ? ""
    : `; replayed books without a trial: ${books.slice(0, 5).join(", ")}` +
      (books.length > 5 ? ` and ${books.length - 5} more` : "");

/**
 * Returns about how many trading days `clean` further trials of a class take. The pace is `seen` trials over
 * the trading days from the first to the last trial of any class in `all`. Null if the class has no trial.
 */
function daysFor(clean: number, seen: number, all: readonly LaneDay[]): number | null {
  const days = daysOf(all);
  const [first, last] = [days[0], days.at(-1)].map((day) => parseDay(day ?? ""));
  if (seen === 0 || first === undefined || last === undefined) return null;
  let passed = 0;
  for (let day = first; day <= last; day++) if (isBusinessDay(day)) passed += 1;
  return Math.ceil((clean * Math.max(1, passed)) / seen);
}

/**
 * Returns the limit of the rate of events. Before `primary_switch` the limit is a tenth of the configured one
 * for replayed trials, and a fifth for shadowed ones.
 */
function accuracyLimit(
  { limits: { accuracy } }: EvidenceFacts,
  source: EvidenceSource,
  before: Guarded,
): number {
  const isSwitch = switches.includes(before);
  if (source === "replay") return isSwitch ? accuracy.replay / 10 : accuracy.replay;
  if (source === "live") return Math.min(liveMax, isSwitch ? accuracy.live / 5 : accuracy.live);
  return accuracy.served;
}

const accuracyGate = (source: EvidenceSource, before: readonly Guarded[]): EvidenceGate => ({
  name: `accuracy/${source}`,
  title: {
    replay: "instrument-days of replayed histories agree",
    live: "instrument-days that modern shadows agree",
    served: "instrument-days that modern answers agree",
  }[source],
  before,
  isWaivable: true,
  judge(facts, { before, alpha }) {
    const limit = accuracyLimit(facts, source, before);
    const { trials } = facts.trials;
    const own = ofSources(trials, source);
    // If another source has trials of a class, the desk trades that class, so this source must have some too.
    const groups = [...new Set(trials.filter(({ group }) => group !== "summary").map(({ group }) => group))];
    for (const { group } of own) if (!groups.includes(group)) groups.push(group);
    const strata = groups.map((group) => {
      const count = countOf(own.filter((trial) => trial.group === group));
      const upper = upperBound(count, alpha);
      return { group, ...count, upper, state: judgeRate(count, limit, alpha, groups.length) };
    });
    const [worst] = strata.toSorted((one, other) => other.upper - one.upper);
    const { group = "", k = 0, n = 0, upper = 1 } = worst ?? {};
    const evidence = { k, n, upper, limit, alpha, strata };
    const of = groups.length > 1 ? ` of ${group === "summary" ? "summaries" : `${group}s`}` : "";
    const why =
      `${k} of ${many(n, "instrument-day")}${of} remained unexplained, ` +
      `so the true rate is at most ${percent(upper)}; the limit is ${percent(limit)}`;
    if (strata.some(({ state }) => state === "closed"))
      return closed(`${why}; ${waysToExplain(ofSources(facts.trials.trials, source))}`, evidence);
    const books = source === "replay" ? [] : missingBooks(facts.trials, source);
    if (worst !== undefined && books.length === 0 && strata.every(({ state }) => state === "open"))
      return open(why, evidence);
    const clean = Math.max(books.length, trialsNeeded(k, limit, alpha) - n);
    const withOneBreak = Math.max(clean, trialsNeeded(k + 1, limit, alpha) - n);
    const days = books.length > 0 ? null : daysFor(clean, n, own);
    const pace =
      days === null
        ? "; how long that takes is not known yet"
        : `, about ${many(days, "day")} at the present pace`;
    const classes = strata.filter((one) => one.n === 0).map((one) => one.group);
    const missing = [...classes, ...books];
    const lacks =
      (classes.length === 0 ? "" : `; classes without a trial: ${classes.join(", ")}`) +
      missingBooksText(books);
    const next = source === "replay" ? "; run replay --record" : "";
    return inconclusive(
      `${why}; the gate needs ${many(clean, "more clean instrument-day")} ` +
        `(${withOneBreak} if one remains unexplained)${pace}${lacks}${next}`,
      evidence,
      { clean, withOneBreak, days, ...(missing.length > 0 && { missing }) },
    );
  },
});

function waysToExplain(trials: readonly Trial[]): string {
  const events = trials.filter(({ event }) => event);
  const { day, book, symbol } = events.findLast(({ group }) => group !== "summary") ?? events.at(-1) ?? {};
  const last = [day, book, symbol].filter(Boolean).join(" ");
  return `explain the last unexplained instrument-day (${last}), then accept its cause or repair modern`;
}

const dayNames = ["month-end", "expiry week", "day after a holiday", "busy day"] as const;

/**
 * Returns the kinds of `days`. A busy day is one of the tenth of the days in `all` with the largest sums of
 * |quantity × price|; if only one to nine days have such a sum, none is busy. Replayed days have no sum. If
 * no day has one, the busy days are not known: `days` count as having one once `all` has ten days.
 */
function dayTypes(days: readonly string[], all: readonly LaneDay[]): ReadonlySet<string> {
  const weights = new Map<string, number>();
  for (const { day, weight } of all) if (weight > 0) weights.set(day, (weights.get(day) ?? 0) + weight);
  const sorted = [...weights.values()].toSorted((one, other) => one - other);
  const busy = sorted[Math.floor(sorted.length * 0.9)] ?? Number.POSITIVE_INFINITY;
  const isBusy =
    sorted.length === 0
      ? daysOf(all).length >= 10
      : days.some((day) => sorted.length >= 10 && (weights.get(day) ?? 0) >= busy);
  return new Set([...days.flatMap((day) => [...kindsOfDay(day)]), ...(isBusy ? ["busy day"] : [])]);
}

const latencyMoves = ["dual_write", "ramp", "primary_switch"] as const;

export const figureGates: readonly EvidenceGate[] = [
  accuracyGate("replay", ["dual_write", "primary_switch"]),
  accuracyGate("live", ["dual_write", "ramp", "primary_switch"]),
  accuracyGate("served", ["cleanup"]),
  {
    name: "days",
    title: "the evidence covers enough trading days of every kind",
    before: ["dual_write", "primary_switch", "cleanup"],
    isWaivable: true,
    judge({ trials: { trials }, limits }, { before, alpha }) {
      const live = ofSources(trials, "live", "served");
      const days = daysOf(live);
      const k = new Set(live.filter(({ event }) => event).map(({ day }) => day)).size;
      const isSwitch = switches.includes(before);
      const needed = isSwitch ? Math.max(20, limits.days) : limits.days;
      const seen = dayTypes(days, trials);
      const missing = isSwitch ? dayNames.filter((name) => !seen.has(name)) : [];
      const upper = upperBound({ k, n: days.length }, alpha);
      const evidence = { k, n: days.length, upper, limit: needed, alpha };
      const why =
        `the evidence covers ${many(days.length, "day")}, ${k} of them with an unexplained instrument-day ` +
        `(so the true share of such days is at most ${percent(upper)}); the gate needs ${many(needed, "day")}`;
      const left = Math.max(0, needed - days.length);
      if (left === 0 && missing.length === 0) return open(why, evidence);
      const lacks = missing.length === 0 ? "" : `; missing kinds of days: ${missing.join(", ")}`;
      return inconclusive(`${why}${lacks}`, evidence, { clean: left, days: left, missing });
    },
  },
  {
    name: "standing",
    title: "no lane is apart now, and the last trading day was compared",
    before: moves,
    isWaivable: false,
    judge({ trials: found, today }) {
      const { trials, apartNow } = found;
      const ofInstruments = apartNow.filter(({ group }) => group !== "summary");
      // Answers without symbols, such as those of a dashboard, are named only if no instrument is apart.
      const named = ofInstruments.length > 0 ? ofInstruments : apartNow;
      const [first] = named.toSorted((one, other) => (other.money ?? Infinity) - (one.money ?? Infinity));
      if (first !== undefined) {
        const { day, book, symbol, apart } = first;
        // A lane counts once, however many sources find it apart.
        const lanes = new Set(named.map((lane) => JSON.stringify([lane.book, lane.symbol]))).size;
        return closed(
          `${many(lanes, "lane is", "lanes are")} apart now, ` +
            `such as ${[book, symbol].filter(Boolean).join(" ")} (${apart}) on ${day}; ` +
            "explain the difference, then accept its cause or repair modern",
          { apart: lanes },
        );
      }
      const live = ofSources(trials, "live", "served");
      const last = daysOf(live).at(-1);
      const due = formatDay(businessDayBefore(parseDay(today) ?? 0));
      if (last === undefined)
        return inconclusive(
          "no closed trading day has a trial of the shadow or of modern's answers; shadow a trading day",
        );
      const books = missingBooks(found, "live", "served");
      if (books.length > 0)
        return inconclusive(
          `no lane is apart now${missingBooksText(books)}; shadow these books, ` +
            "or record a newer replay if they are closed",
          { last, due },
          { missing: books },
        );
      const groups = [...new Set(live.map(({ group }) => group))];
      const stale = groups.filter((group) => !live.some((one) => one.group === group && one.day >= due));
      if (stale.length === 0) return open(`no lane is apart now; the last trading day, ${due}, was compared`);
      const latest = daysOf(live.filter(({ group }) => stale.includes(group))).at(-1);
      return inconclusive(
        `the last trading day, ${due}, has no trial of ${stale.join(", ")}; the latest such trial was on ${latest}`,
        { last, due },
      );
    },
  },
  {
    name: "material",
    title: "no figure differs by much money, and no quantity differs",
    before: moves,
    isWaivable: false,
    judge({ trials: { trials, apart } }, { alpha }) {
      const [worst] = apart
        .filter(isMaterial)
        .toSorted((one, other) => (other.money ?? 0) - (one.money ?? 0));
      const absolute = apart.reduce((sum, { money }) => sum + (money ?? 0), 0);
      const largest = Math.max(0, ...apart.map(({ money }) => money ?? 0));
      if (worst !== undefined)
        return closed(`the two sides differ about ${materialText(worst)}; explain the difference`, {
          largest,
          absolute,
          limit: rowMax,
        });
      const unknown = apart.filter(({ money }) => money === null).length;
      // A difference that an accepted cause explains counts as none.
      const sumOf = (of: readonly Trial[]): number =>
        of
          .filter(({ accepted }) => accepted === null)
          .reduce((total, { signed }) => total + Math.min(1, Math.abs(signed) / rowMax), 0);
      const [sum, n] = [sumOf(trials), trials.length];
      // The mean of each source and class must be within the limit, so that none is hidden by the others.
      const [high] = [...Map.groupBy(trials, ({ source, group }) => JSON.stringify([source, group])).values()]
        .flatMap((own) => {
          const { source, group } = own[0] ?? {};
          return { source, group, n: own.length, mean: (rowMax * sumOf(own)) / own.length };
        })
        .filter(({ mean }) => mean > meanMax)
        .toSorted((one, other) => other.mean - one.mean);
      const bound = n === 0 ? rowMax : meanBound({ sum, n }, rowMax, alpha);
      const evidence = { k: sum, n, upper: bound, limit: meanMax, alpha, largest, absolute };
      const why =
        `the largest unexplained difference is ${dollars(largest)} (the limit is ${dollars(rowMax)}); after ` +
        `${many(n, "instrument-day")} the true mean difference is at most ${dollars(bound)} (the limit is ${dollars(meanMax)})`;
      if (unknown > 0)
        return inconclusive(
          `${why}; the money of ${many(unknown, "unexplained difference")} is unknown`,
          evidence,
        );
      if (high !== undefined) {
        const { source, group, mean } = high;
        const clean = Math.ceil((mean / meanMax) * high.n) - high.n;
        return inconclusive(
          `${why}; the mean difference in the ${source} evidence of the class ${group} is ${dollars(mean)}; ` +
            `the gate needs ${clean} more of these instrument-days without a difference`,
          { ...evidence, source: source ?? "", group: group ?? "", mean },
          { clean },
        );
      }
      if (n > 0 && bound <= meanMax) return open(why, evidence);
      const clean = Math.max(1, trialsNeeded(sum, meanMax / rowMax, alpha) - n);
      const live = ofSources(trials, "live", "served");
      const days = daysFor(clean, live.length, live);
      return inconclusive(
        `${why}; the gate needs ${clean} more instrument-days without a difference`,
        evidence,
        {
          clean,
          days,
        },
      );
    },
  },
  {
    name: "bias",
    title: "within tolerance, modern is not systematically higher or lower than legacy",
    before: moves,
    isWaivable: true,
    judge({ trials: { trials, voided } }, { alpha }) {
      const within = [...trials, ...voided].filter(({ apart, signed }) => apart === null && signed !== 0);
      // The sources may repeat each other's days, so each is judged alone.
      const strata = [...Map.groupBy(within, ({ source }) => source)].map(([source, own]) => {
        const plus = own.filter(({ signed }) => signed > 0).length;
        const e = evidenceOfShares([plus, own.length - plus], [0.5, 0.5]);
        return { source, plus, n: own.length, e, drift: Math.max(...monthlySums(own).map(Math.abs)) };
      });
      const [worst] = strata.toSorted((one, other) => other.e - one.e);
      const { source = "", plus = 0, n = 0, e = 1 } = worst ?? {};
      const drift = Math.max(0, ...strata.map((one) => one.drift));
      const of = strata.length > 1 ? `${source} ` : "";
      const why =
        `modern is higher on ${plus} of ${many(n, `${of}instrument-day`)} that differ within tolerance ` +
        `(${againstChance(e, alpha)}); the largest sum of a book and month is ${dollars(drift)}; ` +
        `the limit is ${dollars(driftMax)}`;
      const evidence = { k: plus, n, e, drift, limit: driftMax, alpha, source };
      if (trials.length === 0) return inconclusive("no closed trading day has a trial; shadow a trading day");
      const way = "; look for a rounding or convention that one side lacks";
      return e >= 1 / alpha || drift > driftMax ? closed(`${why}${way}`, evidence) : open(why, evidence);
    },
  },
  {
    name: "coverage",
    title: "nearly all calls and instrument-days that were due were compared, by count and by money",
    before: moves,
    isWaivable: true,
    judge({ stored: { tallies, others }, trials, nowMs }) {
      const { why, ...verdict } = coverageOf(tallies, trials, ["live", "served"]);
      const since = new Date(nowMs - otherKeysMs).toISOString();
      const writing = others.filter(({ at }) => at >= since).map(({ key }) => key);
      const named =
        writing.length === 0
          ? ""
          : `; evidence under other keys is written and does not count: ${writing.join(", ")}`;
      return { ...verdict, why: `${why}${named}` };
    },
  },
  {
    name: "sampling",
    title: "the share of shadowed calls agrees with the plan",
    before: moves,
    isWaivable: true,
    judge({ stored: { tallies } }, { alpha }) {
      const samples = tallies.filter(({ signal }) => signal === "sampling");
      for (const { stratum, n, k } of samples) {
        const ratio = Number(stratum);
        const e = evidenceOfShares([k, n - k], [ratio, 1 - ratio]);
        if (e >= 1 / alpha)
          return closed(
            `${k} of ${n} calls were shadowed, and the plan says ${percent(ratio)} ` +
              `(${againstChance(e, alpha)}); look for a program that keeps calls from the bridge`,
            { k, n, e, limit: ratio, alpha },
          );
      }
      if (!tallies.some(({ source, signal }) => signal === "coverage" && source !== "replay"))
        return inconclusive("no call has been shadowed; send calls through the bridge");
      return open(
        samples.length === 0 ? "every call is shadowed" : "the share of shadowed calls agrees with the plan",
      );
    },
  },
  {
    name: "noise",
    title: "A/A calls measure how often a system differs from itself; exclusions are few, and none has ended",
    before: ["dual_write", "primary_switch"],
    isWaivable: true,
    judge({ stored: { tallies }, exclusions, date, isNoiseMeasured }, { alpha }) {
      const ended = exclusions.find(({ until }) => until < date);
      if (ended !== undefined)
        return closed(
          `the exclusion of ${ended.path} (${ended.owner}) ended on ${ended.until}; remove the exclusion`,
        );
      const { k, n, amount } = sum(tallies, "excluded");
      const [byCount, byMoney] = [k / (n || 1), amount / (sum(tallies, "coverage").amount || 1)];
      if (Math.max(byCount, byMoney) > excludedMax)
        return closed(
          `${percent(byCount)} of the values, with ${percent(byMoney)} of the money, are excluded from comparison; ` +
            `the limit is ${percent(excludedMax)}; remove exclusions`,
          { k, n, byMoney, limit: excludedMax },
        );
      const methods = methodsOf(tallies, "ab");
      const lacking = methods.filter((method) => sum(tallies, "aa", method).n < controlsMin);
      const excess = excessOverNoise(sum(tallies, "ab"), sum(tallies, "aa"), alpha);
      const aa = sum(tallies, "aa");
      const evidence = { k: aa.k, n: aa.n, excess, limit: controlsMin, alpha };
      const missing = lacking.length === 0 ? "" : `, and has fewer of ${lacking.join(", ")}`;
      const way = isNoiseMeasured ? "" : "; set shadow.control_percentage";
      return methods.length > 0 && lacking.length === 0
        ? open(
            `at most ${percent(excess)} of calls differ beyond the noise, which ${many(aa.n, "A/A call")} measured`,
            evidence,
          )
        : inconclusive(
            `${aa.n} A/A calls were made; the gate needs ${controlsMin} of each method${missing}${way}`,
            evidence,
            {
              clean:
                methods.length === 0
                  ? controlsMin
                  : lacking.reduce((missed, one) => missed + controlsMin - sum(tallies, "aa", one).n, 0),
              missing: lacking,
            },
          );
    },
  },
  {
    name: "errors",
    title: "modern fails, and legacy does not, in at most 1 % of the minutes with calls",
    before: moves,
    isWaivable: true,
    judge({ stored: { tallies, processes }, nowMs }, { alpha }) {
      // A process that died may have lost a failure that it had not written, so each counts as one failure.
      const died = processes.filter(({ ended, at }) => !ended && Date.parse(at) + 60_000 < nowMs).length;
      const { k: failed, n: minutes } = sum(tallies, "errors");
      const count = { k: failed + died, n: minutes + died };
      const upper = upperBound(count, alpha);
      const evidence = { ...count, upper, limit: errorMax, alpha };
      const why =
        `modern failed in ${failed} of ${many(minutes, "minute")}, and ${many(died, "process", "processes")} died ` +
        `(each counts as one more failure), so the true rate is at most ${percent(upper)}; ` +
        `the limit is ${percent(errorMax)}`;
      const state = judgeRate(count, errorMax, alpha);
      if (state === "closed")
        return closed(`${why}; run comparisons --verdict error, and repair modern`, evidence);
      if (state === "open" && count.n >= minutesMin) return open(why, evidence);
      const clean = Math.max(minutesMin, trialsNeeded(count.k, errorMax, alpha)) - count.n;
      return inconclusive(`${why}; the gate needs ${clean} more minutes without a failure`, evidence, {
        clean,
      });
    },
  },
  {
    name: "latency_p50",
    title: "modern takes at most 1.1 times as long as legacy in the median",
    before: latencyMoves,
    isWaivable: true,
    judge: ({ stored: { tallies } }, { alpha }) => medianVerdict(tallies, alpha),
  },
  {
    name: "latency_p99",
    title: "modern's slowest calls take at most 1.1 times as long as legacy's",
    before: latencyMoves,
    isWaivable: true,
    judge: ({ stored: { tallies } }, { alpha }) => tailVerdict(tallies, alpha),
  },
];

function monthlySums(within: readonly LaneDay[]): readonly number[] {
  const sums = new Map<string, number>();
  for (const { book, day, signed } of within) {
    const month = `${book} ${day.slice(0, 7)}`;
    sums.set(month, (sums.get(month) ?? 0) + signed);
  }
  return [...sums.values()];
}

/**
 * Judges which share of the due comparisons was made, by count and by money, for each method. If some
 * instrument-days are void, the share of the others is judged as well. A lost comparison was due and not
 * made. If its money is unknown, it counts with the money of the largest answer of the method; this
 * assumption alone cannot close the gate.
 */
export function coverageOf(
  all: readonly Tally[],
  { trials, voided: allVoided }: Pick<Trials, "trials" | "voided">,
  sources: readonly EvidenceSource[],
): EvidenceVerdict {
  const tallies = all.filter(({ source }) => sources.includes(source));
  const methods = [...new Set([...methodsOf(tallies, "coverage"), ...methodsOf(tallies, "lost")])];
  if (methods.length === 0)
    return inconclusive("nothing was due to be compared; send calls through the bridge");
  const strata = methods.map((method) => {
    const [seen, lost] = [sum(tallies, "coverage", method), sum(tallies, "lost", method)];
    const byCount = seen.n / (seen.n + lost.n);
    const known = seen.amount / (seen.amount + lost.amount || 1);
    const unknown = lost.k * seen.largest;
    const byMoney =
      seen.amount + lost.amount + unknown === 0
        ? byCount
        : seen.amount / (seen.amount + lost.amount + unknown);
    return { method, byCount, byMoney, surely: Math.min(byCount, lost.amount > 0 ? known : 1) };
  });
  const voided = allVoided.filter(({ source }) => sources.includes(source));
  const days = voided.length;
  if (days > 0) {
    const kept = ofSources(trials, ...sources);
    const weightOf = (of: readonly LaneDay[]): number => of.reduce((total, { weight }) => total + weight, 0);
    const byCount = kept.length / (kept.length + days);
    const weight = weightOf(kept) + weightOf(voided);
    const byMoney = weight === 0 ? byCount : weightOf(kept) / weight;
    strata.push({ method: "instrument-days", byCount, byMoney, surely: byCount });
  }
  const [worst] = strata.toSorted(
    (one, other) => Math.min(one.byCount, one.byMoney) - Math.min(other.byCount, other.byMoney),
  );
  const { method = "", byCount = 0, byMoney = 0 } = worst ?? {};
  const reasons = tallies
    .filter(({ signal, stratum }) => signal === "lost" && stratum.startsWith(`${method} `))
    .toSorted((one, other) => other.n - one.n)
    .map(({ stratum, n }) => `${n} (${stratum.slice(method.length + 1)})`);
  const why =
    `${method}: ${percent(byCount)} by count and ${percent(byMoney)} by money were compared; ` +
    `the least allowed is ${percent(coverageMin)}` +
    (reasons.length === 0 ? "" : `; not compared: ${reasons.join(", ")}`) +
    (days === 0 ? "" : `; a process died, so ${many(days, "instrument-day is", "instrument-days are")} void`);
  const evidence = { byCount, byMoney, limit: coverageMin, voided: days };
  if (strata.some(({ surely }) => surely < coverageMin)) return closed(why, evidence);
  return Math.min(byCount, byMoney) >= coverageMin ? open(why, evidence) : inconclusive(why, evidence);
}

/**
 * Returns how much faster a repeated call is, as far as `n` A/A calls prove it. `m` is the median time of the
 * second call divided by that of the first one. `steps` is the number of bins between both, rounded up.
 */
function orderEffect(
  tallies: readonly Tally[],
  alpha: number,
): { readonly n: number; readonly steps: number; readonly m: number } {
  const gains = tallies
    .filter(({ signal }) => signal === "order")
    .map(({ stratum, n }) => ({ value: 20 / (Number(stratum.split(" ")[1]) + 0.5), n }));
  const faster = medianAbove(gains, [1.1, 1.2, 1.3, 1.5, 2, 3], alpha) ?? 1;
  const n = gains.reduce((total, gain) => total + gain.n, 0);
  return { n, steps: Math.ceil(Math.log(faster) / Math.log(1.1)), m: 1 / faster };
}

/** Prints evidence of `evidenceOfShares`, and the evidence from which on the gate is closed. */
const againstChance = (e: number, alpha: number): string =>
  `evidence against chance: ${Number(e.toPrecision(3))}; ${Number((1 / alpha).toPrecision(3))} closes the gate`;

function medianVerdict(tallies: readonly Tally[], alpha: number): EvidenceVerdict {
  const order = orderEffect(tallies, alpha);
  const bins = binsOf(tallies);
  const methods = methodsOf(tallies, "pairs");
  const strata = methods.map((method) => {
    const { n, k: exact } = sum(tallies, "pairs", method);
    // If a repeated call is faster, the limit is below 1.1, and bins are used: `exact` is for 1.1 only. Bins
    // tell a ratio to a factor of 1.21. So the gate opens by the pairs that may be slower, and closes by
    // those that surely are.
    const stepped = (least: number): number =>
      bins
        .filter((bin) => bin.method === method && bin.modern - bin.legacy >= least - order.steps)
        .reduce((total, bin) => total + bin.n, 0);
    const [surely, k] = order.steps === 0 ? [exact, exact] : [Math.max(exact, stepped(2)), stepped(1)];
    const isClosed = judgeRate({ k: surely, n }, 0.5, alpha, methods.length) === "closed";
    const opens = judgeRate({ k, n }, 0.5, alpha, methods.length) === "open";
    return { method, k, n, state: isClosed ? "closed" : opens ? "open" : "inconclusive" };
  });
  const slower = strata.find(({ state }) => state === "closed");
  const worst = slower ?? strata.toSorted((one, other) => other.k / other.n - one.k / one.n)[0];
  const { method = "", k = 0, n = 0 } = worst ?? {};
  const limit = 1.1 ** (1 - order.steps);
  const lowered = order.steps === 0 ? "" : " (not 1.1 times, because a repeated call is faster)";
  const took = order.steps === 0 ? "took" : "took, or may have taken,";
  const why =
    `${method === "" ? "" : `${method}: `}modern ${took} more than ` +
    `${Number(limit.toPrecision(3))} times as long as legacy in ${k} of ${many(n, "pair")} of calls${lowered}; ` +
    "the limit is half of the pairs";
  const evidence = { k, n, limit, alpha, orderEffect: order.m, controls: order.n };
  if (slower !== undefined) return closed(`${why}; profile modern`, evidence);
  const few = strata.some((one) => one.n < pairsMin);
  if (strata.length > 0 && !few && order.n >= controlsMin && strata.every(({ state }) => state === "open"))
    return open(why, evidence);
  const clean = Math.max(0, Math.max(pairsMin, trialsNeeded(k, 0.5, alpha)) - n);
  return inconclusive(
    `${why}; the gate needs ${clean} more pairs in which modern is not slower${controlsText(order.n)}`,
    evidence,
    { clean },
  );
}

const controlsText = (n: number): string =>
  n >= controlsMin ? "" : `; ${n} of ${controlsMin} A/A calls were made: set shadow.control_percentage`;

function tailVerdict(tallies: readonly Tally[], alpha: number): EvidenceVerdict {
  const order = orderEffect(tallies, alpha);
  const all = binsOf(tallies);
  const methods = [...new Set(all.map(({ method }) => method))];
  const strata = methods.map((method) => {
    const bins = all.filter((bin) => bin.method === method);
    const threshold = quantile(
      bins.filter(({ isFirst }) => isFirst),
      0.99,
      ({ legacy }) => legacy,
    );
    const later = bins.filter(({ isFirst }) => !isFirst);
    const slowAt = threshold + 1 - order.steps;
    const count = (of: (bin: Bin) => boolean): number =>
      later.filter(of).reduce((total, { n }) => total + n, 0);
    // The pairs in which only modern is slow (b), and those in which only legacy is slow (c).
    const b = count(({ legacy, modern }) => modern > slowAt && legacy <= threshold);
    const c = count(({ legacy, modern }) => legacy > threshold && modern <= slowAt);
    const state = judgeRate({ k: b, n: b + c }, 0.5, alpha, methods.length);
    const [thresholdMs, slowMs] = [threshold, slowAt].map((step) => Number((1.1 ** step).toPrecision(3)));
    return { method, b, c, state, pairs: count(() => true), thresholdMs, slowMs };
  });
  const slower = strata.find(({ state }) => state === "closed");
  const worst = slower ?? strata.toSorted((one, other) => other.b - other.c - (one.b - one.c))[0];
  const { method = "", b = 0, c = 0, pairs = 0, thresholdMs = 0, slowMs = 0 } = worst ?? {};
  const why =
    `${method === "" ? "" : `${method}: `}in ${b + c} of ${many(pairs, "pair")} of calls only one system was slow ` +
    `(legacy above ${thresholdMs} ms, modern above ${slowMs} ms); modern was the slow one in ${b} of these pairs; the limit is half`;
  const evidence = { k: b, n: b + c, pairs, thresholdMs, limit: 1.1, alpha };
  if (slower !== undefined) return closed(`${why}; profile modern's slowest calls`, evidence);
  const isOpen = strata.every(({ state }) => state === "open");
  if (strata.length > 0 && isOpen && order.n >= controlsMin) return open(why, evidence);
  const clean = Math.max(0, trialsNeeded(b, 0.5, alpha) - b - c);
  return inconclusive(
    `${why}; the gate needs ${clean} more pairs in which only legacy is slow${controlsText(order.n)}`,
    evidence,
    { clean },
  );
}
