/** The gates that judge figures: counts of trials, money, errors and times. */
import { businessDayBefore, formatDay, parseDay } from "../../domain/market/trading-day.ts";
import type { EvidenceSource, LaneDay, Tally } from "../../ports/tallies.ts";
import { type Bin, binsOf, quantile, strataOf, sum } from "./bins.ts";
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
import { daysOf, ofSources, type Trial, type Trials } from "./trials.ts";
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

/** Limits of money: for one row, for the mean of instrument-days, and for the drift of a book in a month. */
const [rowMax, meanMax, driftMax] = [1_000, 10, 100];
const coverageMin = 0.95;
const [errorMax, minutesMin] = [0.01, 200];
const [pairsMin, controlsMin] = [200, 200];
const liveMax = 0.05;
const excludedMax = 0.01;
/** The time for which another evidence key counts as in use after its last write. */
const otherKeysMs = 3_600_000;
const switches: readonly Guarded[] = ["primary_switch", "cleanup"];
const moves: readonly Guarded[] = ["dual_write", "ramp", "primary_switch", "cleanup"];

/** Whether a difference is one of quantity, or larger than the limit of a row. */
export const isMaterial = ({ money, quantityApart }: LaneDay): boolean =>
  quantityApart || (money ?? 0) > rowMax;

const countOf = (trials: readonly Trial[]): Count => ({
  n: trials.length,
  k: trials.filter(({ event }) => event).length,
});

/** The number of trading days until there are `clean` further trials, at the pace of the given lane days. */
function daysFor(clean: number, seen: readonly LaneDay[]): number | null {
  const days = daysOf(seen).length;
  return days === 0 ? null : Math.ceil(clean / (seen.length / days));
}

/**
 * The limit of the rate of unexplained instrument-days. For replayed and shadowed ones it is stricter before
 * modern takes over.
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
    // If another source has seen a group, the desk trades it, so this source needs trials of it too.
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
      `a rate of at most ${percent(upper)}; the limit is ${percent(limit)}`;
    if (strata.some(({ state }) => state === "closed"))
      return closed(`${why}; ${waysToExplain(ofSources(facts.trials.trials, source))}`, evidence);
    if (worst !== undefined && strata.every(({ state }) => state === "open")) return open(why, evidence);
    const clean = Math.max(0, trialsNeeded(k, limit, alpha) - n);
    const withOneBreak = Math.max(0, trialsNeeded(k + 1, limit, alpha) - n);
    const days = daysFor(
      clean,
      own.filter((trial) => trial.group === group),
    );
    const pace = days === null ? "and its pace is not known yet" : `about ${many(days, "day")} at this pace`;
    const missing = strata.filter((one) => one.n === 0).map((one) => one.group);
    const lacks = missing.length === 0 ? "" : `; it has never seen ${missing.join(", ")}`;
    const next = source === "replay" ? "; run replay --record" : "";
    return inconclusive(
      `${why}; the gate needs ${clean} more clean ones (${withOneBreak} with one break), ` +
        `${pace}${lacks}${next}`,
      evidence,
      { clean, withOneBreak, days, ...(missing.length > 0 && { missing }) },
    );
  },
});

function waysToExplain(trials: readonly Trial[]): string {
  const events = trials.filter(({ event }) => event);
  const { day, book, symbol } = events.findLast(({ group }) => group !== "summary") ?? events.at(-1) ?? {};
  const last = [day, book, symbol].filter(Boolean).join(" ");
  return `explain the last break (${last}), then accept its cause or repair modern`;
}

const dayNames = ["month-end", "expiry week", "day after a holiday", "busy day"] as const;

/** The kinds of some days. A busy day is among the tenth of all days of the evidence with the most money. */
function dayTypes(days: readonly string[], all: readonly LaneDay[]): ReadonlySet<string> {
  const weights = new Map<string, number>();
  for (const { day, weight } of all) weights.set(day, (weights.get(day) ?? 0) + weight);
  const sorted = [...weights.values()].toSorted((one, other) => one - other);
  const busy = sorted[Math.floor(sorted.length * 0.9)] ?? Number.POSITIVE_INFINITY;
  const isBusy = days.some((day) => sorted.length >= 10 && (weights.get(day) ?? 0) >= busy);
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
        `the evidence covers ${many(days.length, "day")}, at most ${percent(upper)} of them bad; ` +
        `the gate needs ${needed}`;
      const left = Math.max(0, needed - days.length);
      if (left === 0 && missing.length === 0) return open(why, evidence);
      const lacks = missing.length === 0 ? "" : `; it has not seen: ${missing.join(", ")}`;
      return inconclusive(`${why}${lacks}`, evidence, { clean: left, days: left, missing });
    },
  },
  {
    name: "standing",
    title: "no lane is apart now, and evidence is recent",
    before: moves,
    isWaivable: false,
    judge({ trials: { trials, apartNow }, today }) {
      const ofInstruments = apartNow.filter(({ group }) => group !== "summary");
      // Answers without symbols, such as those of a dashboard, are named only if no instrument is apart.
      const named = ofInstruments.length > 0 ? ofInstruments : apartNow;
      const [first] = named.toSorted((one, other) => (other.money ?? Infinity) - (one.money ?? Infinity));
      if (first !== undefined) {
        const { day, book, symbol, apart } = first;
        // A lane may be apart in a replay, in the shadow and in modern's answers at once.
        const lanes = new Set(named.map((lane) => JSON.stringify([lane.book, lane.symbol]))).size;
        return closed(
          `${many(lanes, "lane is", "lanes are")} apart now, ` +
            `such as ${[book, symbol].filter(Boolean).join(" ")} (${apart}) on ${day}; ` +
            "explain it, then accept its cause or repair modern",
          { apart: lanes },
        );
      }
      const live = ofSources(trials, "live", "served");
      const last = daysOf(live).at(-1);
      const due = formatDay(businessDayBefore(parseDay(today) ?? 0));
      if (last === undefined)
        return inconclusive("no lane has a comparison of a closed trading day; shadow a trading day");
      const groups = [...new Set(live.map(({ group }) => group))];
      const stale = groups.filter((group) => !live.some((one) => one.group === group && one.day >= due));
      if (stale.length === 0) return open(`no lane is apart; the last trading day, ${due}, was compared`);
      const latest = daysOf(live.filter(({ group }) => stale.includes(group))).at(-1);
      return inconclusive(
        `the last trading day, ${due}, has no trial of ${stale.join(", ")}, and the latest one was on ${latest}`,
        { last, due },
      );
    },
  },
  {
    name: "material",
    title: "no row is apart by much money or by quantity",
    before: moves,
    isWaivable: false,
    judge({ trials: { trials, apart } }, { alpha }) {
      const [worst] = apart
        .filter(isMaterial)
        .toSorted((one, other) => (other.money ?? 0) - (one.money ?? 0));
      const absolute = apart.reduce((sum, { money }) => sum + (money ?? 0), 0);
      const largest = Math.max(0, ...apart.map(({ money }) => money ?? 0));
      if (worst !== undefined) {
        const { day, book, symbol, apart: field, money, quantityApart } = worst;
        const by = quantityApart
          ? "in quantity"
          : `by ${dollars(money ?? 0)} (the limit is ${dollars(rowMax)})`;
        return closed(
          `${[book, symbol].filter(Boolean).join(" ")} is apart ${by} in ${field} on ${day}; explain it`,
          {
            largest,
            absolute,
            limit: rowMax,
          },
        );
      }
      const unknown = apart.filter(({ money }) => money === null).length;
      const sum = trials.reduce((total, { signed }) => total + Math.min(1, Math.abs(signed) / rowMax), 0);
      const n = trials.length;
      const bound = n === 0 ? rowMax : meanBound({ sum, n }, rowMax, alpha);
      const evidence = { k: sum, n, upper: bound, limit: meanMax, alpha, largest, absolute };
      const why =
        `the largest difference is ${dollars(largest)}, and the mean of ${many(n, "instrument-day")} ` +
        `at most ${dollars(bound)}; the limit is ${dollars(meanMax)}`;
      if (unknown > 0)
        return inconclusive(`${why}; the money of ${many(unknown, "break")} is unknown`, evidence);
      if (n > 0 && bound <= meanMax) return open(why, evidence);
      const clean = Math.max(1, trialsNeeded(sum, meanMax / rowMax, alpha) - n);
      const days = daysFor(clean, trials);
      return inconclusive(`${why}; the gate needs ${clean} more clean ones`, evidence, { clean, days });
    },
  },
  {
    name: "bias",
    title: "differences within tolerance have no direction",
    before: moves,
    isWaivable: true,
    judge({ trials: { trials, voided } }, { alpha }) {
      const within = [...trials, ...voided].filter(({ apart, signed }) => apart === null && signed !== 0);
      const plus = within.filter(({ signed }) => signed > 0).length;
      const signs = [plus, within.length - plus];
      const e = evidenceOfShares(signs, [0.5, 0.5]);
      const drift = Math.max(0, ...monthlySums(within).map(Math.abs));
      const why =
        `modern is higher in ${plus} of ${within.length} differences within tolerance ` +
        `(${againstChance(e, alpha)}); they add up to at most ${dollars(drift)} a book and month; ` +
        `the limit is ${dollars(driftMax)}`;
      const evidence = { k: plus, n: within.length, e, drift, limit: driftMax, alpha };
      if (trials.length === 0) return inconclusive("no closed trading day has been compared");
      const way = "; look for a rounding or convention that one side lacks";
      return e >= 1 / alpha || drift > driftMax ? closed(`${why}${way}`, evidence) : open(why, evidence);
    },
  },
  {
    name: "coverage",
    title: "nearly everything that should be compared is compared, by count and by money",
    before: moves,
    isWaivable: true,
    judge({ stored: { tallies, others }, trials, nowMs }) {
      const { why, ...verdict } = coverageOf(tallies, trials, ["live", "served"]);
      const since = new Date(nowMs - otherKeysMs).toISOString();
      const writing = others.filter(({ at }) => at >= since).map(({ key }) => key);
      const named =
        writing.length === 0 ? "" : `; other keys are in use and not counted: ${writing.join(", ")}`;
      return { ...verdict, why: `${why}${named}` };
    },
  },
  {
    name: "sampling",
    title: "the share of shadowed calls is the one that the plan sets",
    before: moves,
    isWaivable: true,
    judge({ stored: { tallies } }, { alpha }) {
      const samples = tallies.filter(({ signal }) => signal === "sampling");
      for (const { stratum, n, k } of samples) {
        const ratio = Number(stratum);
        const e = evidenceOfShares([k, n - k], [ratio, 1 - ratio]);
        if (e >= 1 / alpha)
          return closed(
            `${k} of ${n} calls were shadowed where the plan says ${percent(ratio)} ` +
              `(${againstChance(e, alpha)}); look for a program that keeps calls from the bridge`,
            { k, n, e, limit: ratio, alpha },
          );
      }
      if (tallies.every(({ source }) => source === "replay"))
        return inconclusive("nothing has been shadowed");
      return open(samples.length === 0 ? "every call is shadowed" : "the shadowed share is that of the plan");
    },
  },
  {
    name: "noise",
    title: "the answering system's own noise is measured; exclusions are few, and none has ended",
    before: ["dual_write", "primary_switch"],
    isWaivable: true,
    judge({ stored: { tallies }, exclusions, date, isNoiseMeasured }, { alpha }) {
      const ended = exclusions.find(({ until }) => until < date);
      if (ended !== undefined)
        return closed(`the exclusion of ${ended.path} (${ended.owner}) ended on ${ended.until}; remove it`);
      const values = sum(tallies, "excluded");
      const share = values.n === 0 ? 0 : values.k / values.n;
      if (share > excludedMax)
        return closed(
          `${percent(share)} of the compared values are excluded; the limit is ${percent(excludedMax)}`,
          {
            k: values.k,
            n: values.n,
            limit: excludedMax,
          },
        );
      const methods = strataOf(tallies, "ab");
      const lacking = methods.filter((method) => sum(tallies, "aa", method).n < controlsMin);
      const excess = excessOverNoise(sum(tallies, "ab"), sum(tallies, "aa"), alpha);
      const aa = sum(tallies, "aa");
      const evidence = { k: aa.k, n: aa.n, excess, limit: controlsMin, alpha };
      const missing = lacking.length === 0 ? "" : ` for ${lacking.join(", ")}`;
      const way = isNoiseMeasured ? "" : "; set shadow.control_percentage";
      return methods.length > 0 && lacking.length === 0
        ? open(`at most ${percent(excess)} of calls differ beyond the noise of ${aa.n} A/A calls`, evidence)
        : inconclusive(
            `${aa.n} A/A calls were made; the gate needs ${controlsMin} a method${missing}${way}`,
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
    title: "modern fails in at most 1 % of minutes",
    before: moves,
    isWaivable: true,
    judge({ stored: { tallies, processes }, nowMs }, { alpha }) {
      // A killed process may have lost an error that it had not written yet.
      const killed = processes.filter(({ ended, at }) => !ended && Date.parse(at) + 60_000 < nowMs).length;
      const { k: failed, n: minutes } = sum(tallies, "errors");
      const count = { k: failed + killed, n: minutes + killed };
      const upper = upperBound(count, alpha);
      const evidence = { ...count, upper, limit: errorMax, alpha };
      const why =
        `modern failed in ${failed} of ${minutes} minutes, and ${many(killed, "process", "processes")} did not end ` +
        `properly: together a rate of at most ${percent(upper)}; ` +
        `the limit is ${percent(errorMax)}`;
      const state = judgeRate(count, errorMax, alpha);
      if (state === "closed") return closed(`${why}; see comparisons --verdict error`, evidence);
      if (state === "open" && count.n >= minutesMin) return open(why, evidence);
      const clean = Math.max(minutesMin, trialsNeeded(count.k, errorMax, alpha)) - count.n;
      return inconclusive(`${why}; the gate needs ${clean} more clean ones`, evidence, { clean });
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
 * If the money of a lost comparison is unknown, the comparison counts with the money of the largest answer of
 * its method. Instrument-days that are void, since a process died, are lost too.
 */
export function coverageOf(
  all: readonly Tally[],
  { trials, voided: allVoided }: Pick<Trials, "trials" | "voided">,
  sources: readonly EvidenceSource[],
): EvidenceVerdict {
  const tallies = all.filter(({ source }) => sources.includes(source));
  const methods = [...new Set([...strataOf(tallies, "coverage"), ...strataOf(tallies, "lost")])];
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
    .map(({ stratum, n }) => `${n} ${stratum.slice(method.length + 1)}`);
  const why =
    `${method}: ${percent(byCount)} by count and ${percent(byMoney)} by money were compared; ` +
    `the limit is ${percent(coverageMin)}` +
    (reasons.length === 0 ? "" : `; lost: ${reasons.join(", ")}`) +
    (days === 0 ? "" : `; a process died, which voids ${many(days, "instrument-day")}`);
  const evidence = { byCount, byMoney, limit: coverageMin, voided: days };
  if (strata.some(({ surely }) => surely < coverageMin)) return closed(why, evidence);
  return Math.min(byCount, byMoney) >= coverageMin ? open(why, evidence) : inconclusive(why, evidence);
}

/**
 * The proved factor by which the second of two calls of one system is faster: in `steps` of the ratio 1.1,
 * and as its inverse `m`.
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

/** How strongly counts show that shares differ from the expected ones: 1 / alpha closes a gate. */
const againstChance = (e: number, alpha: number): string =>
  `evidence against chance ${Number(e.toPrecision(3))}, which closes the gate at ${Number((1 / alpha).toPrecision(3))}`;

function medianVerdict(tallies: readonly Tally[], alpha: number): EvidenceVerdict {
  const order = orderEffect(tallies, alpha);
  const bins = binsOf(tallies);
  const methods = strataOf(tallies, "pairs");
  const strata = methods.map((method) => {
    const { n, k: exact } = sum(tallies, "pairs", method);
    // With an order effect the limit is below 1.1. Pairs are counted exactly for 1.1 only, so bins are used.
    const stepped = bins
      .filter((bin) => bin.method === method && bin.modern - bin.legacy >= 2 - order.steps)
      .reduce((total, bin) => total + bin.n, 0);
    const k = order.steps === 0 ? exact : Math.max(exact, stepped);
    return { method, k, n, state: judgeRate({ k, n }, 0.5, alpha, methods.length) };
  });
  const slower = strata.find(({ state }) => state === "closed");
  const worst = slower ?? strata.toSorted((one, other) => other.k / other.n - one.k / one.n)[0];
  const { method = "", k = 0, n = 0 } = worst ?? {};
  const limit = 1.1 * order.m;
  const why =
    `${method === "" ? "" : `${method}: `}modern took more than ` +
    `${Number(limit.toPrecision(3))} times as long in ${k} of ${many(n, "pair")}`;
  const evidence = { k, n, limit, alpha, orderEffect: order.m, controls: order.n };
  if (slower !== undefined) return closed(`${why}; profile modern`, evidence);
  const few = strata.some((one) => one.n < pairsMin);
  if (strata.length > 0 && !few && order.n >= controlsMin && strata.every(({ state }) => state === "open"))
    return open(why, evidence);
  const clean = Math.max(0, Math.max(pairsMin, trialsNeeded(k, 0.5, alpha)) - n);
  return inconclusive(`${why}; the gate needs ${clean} more pairs${controlsText(order.n)}`, evidence, {
    clean,
  });
}

const controlsText = (n: number): string =>
  n >= controlsMin ? "" : `; ${n} of ${controlsMin} A/A pairs were made: set shadow.control_percentage`;

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
    `${method === "" ? "" : `${method}: `}in ${b + c} of ${many(pairs, "pair")} only one system was slow ` +
    `(legacy above ${thresholdMs} ms, modern above ${slowMs} ms); in ${b} of them it was modern`;
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
