/**
 * The gates that judge the records of people and programs, such as test runs, drills and reconciliations, and
 * those that judge edge features, user impact, accepted causes and daily reports.
 */

import { kindsOfDay } from "./day-kinds.ts";
import { type EvidenceFacts, type EvidenceRecord, newestOf } from "./facts.ts";
import { coverageMin, coverageOf, isMaterial } from "./figure-gates.ts";
import { shownErrors, unknownErrors } from "./harm.ts";
import { impactOf } from "./metrics.ts";
import { judgeRate, theilSen, trialsNeeded } from "./statistics.ts";
import { ofSources, rowMax, type Trial } from "./trials.ts";
import {
  closed,
  dollars,
  type EvidenceGate,
  type EvidenceVerdict,
  inconclusive,
  many,
  open,
  percent,
} from "./verdict.ts";

const dayMs = 86_400_000;
const resultDays = 7;
const drillMsMax = 250;
const trainingDays = 90;
const causeDays = 30;
const reconcileMs = 15 * 60_000;
const memoryRatio = 1.25;
const [leakPerHour, leakHours] = [0.01, 6];
const impactMax = 0.01;
/** The least number of counted days, so that programs that run once a week are seen. */
const readerDays = 7;

const addTo = "record the result with evidence add FILE --actor NAME";

const numbersIn = (content: EvidenceRecord["content"]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(content).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
const listIn = (content: EvidenceRecord["content"], name: string): readonly unknown[] => {
  const value = content[name];
  return Array.isArray(value) ? value : [];
};

/**
 * Judges the newest record of a kind. If that record is missing, too old or of another build, the verdict is
 * inconclusive.
 */
function onNewest(
  facts: EvidenceFacts,
  {
    kind,
    what = kind,
    way,
    days = resultDays,
  }: { readonly kind: string; readonly what?: string; readonly way: string; readonly days?: number },
  judge: (record: EvidenceRecord) => EvidenceVerdict,
): EvidenceVerdict {
  const record = newestOf(facts, kind);
  if (record === undefined) return inconclusive(`no ${what} is recorded; ${way}`);
  const age = (facts.nowMs - record.atMs) / dayMs;
  const evidence = { build: record.build, ageDays: Number(age.toFixed(1)), limit: days };
  if (record.build !== null && record.build !== facts.build)
    return inconclusive(
      `the last ${what} is of build ${record.build}, and build ${facts.build} runs; ${way}`,
      evidence,
    );
  if (age > days)
    return inconclusive(
      `the last ${what} is ${Math.floor(age)} days old; the limit is ${days} days; ${way}`,
      evidence,
    );
  return judge(record);
}

/** The number of replayed trials that show a feature and that the feature needs. Options need more. */
const featureTrials = 3;
const criticalTrials = 30;

/** The edge features (rare cases of a desk's business), each with the condition of a trial that shows it. */
export const edgeFeatures: Readonly<Record<string, (trial: Trial, kinds: ReadonlySet<string>) => boolean>> = {
  option: ({ group }) => group === "option",
  expiry: (_, kinds) => kinds.has("expiry week"),
  "month-end": (_, kinds) => kinds.has("month-end"),
  holiday: (_, kinds) => kinds.has("day after a holiday"),
};

export const recordGates: readonly EvidenceGate[] = [
  {
    name: "tests_passed",
    title: "all tests of this build pass",
    before: ["shadow_mode", "dual_write", "primary_switch", "cleanup"],
    isWaivable: true,
    judge: (facts) =>
      onNewest(
        facts,
        { kind: "tests", what: "test run", way: `run ./run test, then ${addTo}` },
        ({ content }) => {
          const { passed = 0, failed = 0, skipped = 0 } = numbersIn(content);
          const evidence = { passed, failed, skipped };
          const why = `${many(passed, "test")} passed, ${failed} failed, and ${skipped} were skipped`;
          if (failed > 0) return closed(`${why}; repair what the failed tests show`, evidence);
          if (passed === 0) return inconclusive(`${why}; run ./run test, then ${addTo}`, evidence);
          const named = listIn(content, "skippedTests").length;
          return named < skipped
            ? inconclusive(
                `${why}; skippedTests in the result file must name every skipped test, and names ${named}`,
                evidence,
              )
            : open(why, evidence);
        },
      ),
  },
  {
    name: "edges_covered",
    title: "tests and replays cover the edge features of the desk's business",
    before: ["dual_write", "primary_switch", "cleanup"],
    isWaivable: true,
    judge(facts) {
      const tested = listIn(newestOf(facts, "tests")?.content ?? {}, "features").map(String);
      const replayed = ofSources(facts.trials.trials, "replay").map((trial) => ({
        trial,
        kinds: kindsOfDay(trial.day),
      }));
      const asked = Object.entries(edgeFeatures).filter(
        ([feature]) => facts.features?.includes(feature) ?? true,
      );
      const missing = asked.flatMap(([feature, shows]) => {
        const needed = feature === "option" ? criticalTrials : featureTrials;
        const n = replayed.filter(({ trial, kinds }) => shows(trial, kinds)).length;
        const untested = tested.includes(feature) ? "" : ", no test";
        return n >= needed && untested === ""
          ? []
          : [`${feature} ${n} of ${needed} replayed instrument-days${untested}`];
      });
      const count = asked.length;
      const evidence = { covered: count - missing.length, limit: count };
      const why = `the evidence covers ${count - missing.length} of ${count} edge features`;
      return missing.length === 0
        ? open(why, evidence)
        : inconclusive(
            `${why}; the others have: ${missing.join("; ")}; run replay --record, or add tests`,
            evidence,
            { missing },
          );
    },
  },
  {
    name: "benchmarks_met",
    title: "the benchmarks of this build meet their targets",
    before: ["dual_write", "primary_switch"],
    isWaivable: true,
    judge: (facts) =>
      onNewest(
        facts,
        { kind: "benchmarks", what: "benchmark", way: `run ./run bench, then ${addTo}` },
        ({ content }) => {
          const { met = 0, missed = 0, noisy = 0 } = numbersIn(content);
          const evidence = { met, missed, noisy };
          const why =
            `${met} targets are met, ${missed} are missed, and ` +
            `${noisy} have more noise than their margin allows`;
          if (missed > 0) return closed(`${why}; profile modern`, evidence);
          return noisy > 0 || met === 0
            ? inconclusive(`${why}; repeat the benchmark on an idle machine`, evidence)
            : open(why, evidence);
        },
      ),
  },
  {
    name: "memory",
    title: "in the median, modern needs at most 1.25 times legacy's memory",
    before: ["dual_write", "primary_switch", "cleanup"],
    isWaivable: true,
    judge: (facts, { alpha }) =>
      onNewest(
        facts,
        {
          kind: "memory",
          what: "memory run",
          way: "run evidence memory --trades DIR --actor NAME",
        },
        ({ content }) => {
          const ratios = listIn(content, "ratios").map(Number);
          const count = { k: ratios.filter((ratio) => ratio > memoryRatio).length, n: ratios.length };
          const evidence = { ...count, limit: memoryRatio, alpha };
          const why =
            `modern needed more than ${memoryRatio} times legacy's memory ` +
            `in ${count.k} of ${many(count.n, "pair")} of runs; the limit is half of the pairs`;
          const state = judgeRate(count, 0.5, alpha);
          if (state === "closed") return closed(`${why}; find what modern keeps in memory`, evidence);
          if (state === "open") return open(why, evidence);
          const clean = trialsNeeded(count.k, 0.5, alpha) - count.n;
          return inconclusive(
            `${why}; the gate needs ${clean} more pairs in which modern needs at most ${memoryRatio} times as much`,
            evidence,
            { clean },
          );
        },
      ),
  },
  {
    name: "leak",
    title: "modern's memory grows by at most 1 % an hour",
    before: ["dual_write", "primary_switch", "cleanup"],
    isWaivable: true,
    judge: (facts) =>
      onNewest(
        facts,
        {
          kind: "leak",
          what: "memory series",
          way: `sample nodejs_heap_size_used_bytes for 6 hours, then ${addTo}`,
        },
        ({ content }) => {
          const points = listIn(content, "points").flatMap((point) =>
            Array.isArray(point) ? [{ x: Number(point[0]), y: Number(point[1]) }] : [],
          );
          const times = points.map(({ x }) => x);
          const hours = points.length === 0 ? 0 : Math.max(...times) - Math.min(...times);
          const growth = (theilSen(points) ?? 0) / (points[0]?.y || 1);
          const evidence = { growth, hours, limit: leakPerHour };
          const why =
            `modern's memory grew by ${percent(Math.max(0, growth))} an hour ` +
            `over ${Number(hours.toFixed(1))} hours; the limit is ${percent(leakPerHour)}`;
          if (hours < leakHours)
            return inconclusive(`${why}; the gate needs a series of ${leakHours} hours`, evidence);
          return growth > leakPerHour
            ? closed(`${why}; find what modern keeps in memory`, evidence)
            : open(why, evidence);
        },
      ),
  },
  {
    name: "user_impact",
    title: "users see wrong figures on at most 1 % of their days, and no materially wrong one",
    // Also before dual_write: modern may be taken back into use after it has answered in that phase.
    before: ["dual_write", "ramp", "primary_switch", "cleanup"],
    isWaivable: true,
    judge(facts) {
      const {
        stored: { tallies },
        trials: found,
      } = facts;
      // A user-day is one user on one trading day.
      const impact = impactOf({ tallies });
      const { days: seen } = impact.seen;
      const { days: wrong } = impact.wrong;
      const unmarked = impact.unmarked.days;
      if (unmarked > 0)
        return closed(
          `${many(unmarked, "user-day")} had answers of legacy that lacked writes and were not marked stale; ` +
            "set migration_mode to dual_write, so that legacy is written",
          { seen, wrong, unmarked },
        );
      if (seen === 0) return open("modern has not answered any user yet", { seen, wrong });
      const critical = ofSources(found.trials, "served").filter((one) => one.event && isMaterial(one));
      const all = shownErrors(facts);
      const shown = all.filter(({ day }) => day < facts.today).length;
      const unknown = unknownErrors(facts);
      const share = wrong / seen;
      const evidence = {
        ...{ seen, wrong, critical: critical.length, shown, unknown, limit: impactMax },
        fellBack: Object.values(impact.fellBack).reduce((sum, { days }) => sum + days, 0),
        ...{ users: impact.wrong.distinct, books: impact.wrongBooks.distinct },
        ...{ minutes: impact.wrongMinutes, largest: impact.largest, money: impact.money },
        ...{ stale: impact.stale.days, unmarked },
      };
      const why =
        `${wrong} of ${many(seen, "user-day")} had a wrong figure ` +
        `(for ${many(impact.wrongMinutes, "minute")}; the largest error is ${dollars(impact.largest)}); ` +
        `the limit is ${percent(impactMax)} of user-days` +
        (critical.length === 0
          ? ""
          : `; ${many(critical.length, "instrument-day")} ended with a material error, and none may`) +
        (shown === 0
          ? ""
          : `; ${many(shown, "book-day")} had a wrong quantity or an error above ${dollars(rowMax)}, even if it was corrected, and none may`);
      if (critical.length > 0 || shown > 0 || share > impactMax)
        return closed(`${why}; roll back, then explain the wrong figures`, evidence);
      if (unknown > 0)
        return inconclusive(
          `${why}; on ${many(unknown, "book-day")} the money of a wrong value is unknown`,
          evidence,
        );
      // The close of the day finds out whether an accepted cause explains the error.
      if (all.length > shown)
        return inconclusive(
          `${why}; ${many(all.length - shown, "book")} had a wrong quantity or an error above ` +
            `${dollars(rowMax)} on the running trading day, which is judged after its end`,
          evidence,
        );
      const coverage = coverageOf(tallies, found, ["served"]);
      if (coverage.state !== "open")
        return inconclusive(`${why}; too few of modern's answers were compared: ${coverage.why}`, evidence);
      const unobserved = impact.unobserved ?? 0;
      return unobserved <= 1 - coverageMin
        ? open(why, evidence)
        : inconclusive(
            `${why}; ${percent(unobserved)} of modern's answers were not compared, and at most ` +
              `${percent(1 - coverageMin)} may be: set shadow_sample_ratio to 1`,
            evidence,
          );
    },
  },
  {
    name: "nothing_lost",
    title: "both databases agree, and nothing is owed or quarantined",
    before: ["primary_switch", "cleanup", "window"],
    isWaivable: false,
    judge(facts) {
      const { hasPair, owed, quarantined, nowMs } = facts;
      if (owed === null)
        return inconclusive(
          "it is unknown which writes legacy lacks: a database is unreachable or an older copy; " +
            "run db status",
        );
      if (owed > 0 || (quarantined ?? 0) > 0)
        return closed(
          `${many(owed, "write is", "writes are")} owed, and ` +
            `${many(quarantined ?? 0, "row is", "rows are")} in quarantine; run db drain, and decide the rows with db review`,
          {
            owed,
            quarantined,
          },
        );
      if (quarantined === null)
        return inconclusive(
          "the content of the quarantine is unknown; repair what keeps db review from reading it",
        );
      if (!hasPair) return open("no pair of databases is configured, so no write can be lost between them");
      const record = newestOf(facts, "reconcile");
      if (record === undefined) return inconclusive("no reconciliation is recorded; run db reconcile");
      const minutes = (nowMs - record.atMs) / 60_000;
      const evidence = { ok: record.content.ok === true, ageMinutes: Number(minutes.toFixed(1)) };
      if (record.content.ok !== true)
        return closed("the last reconciliation found differences; run db repair", evidence);
      return nowMs - record.atMs > reconcileMs
        ? inconclusive(
            `the last reconciliation is ${Math.floor(minutes)} minutes old; the limit is ${reconcileMs / 60_000}; run db reconcile`,
            evidence,
          )
        : open("the last reconciliation found no difference, and nothing is owed", evidence);
    },
  },
  {
    name: "rollback_drilled",
    title: "a rollback was drilled with this build",
    before: ["dual_write", "primary_switch", "cleanup"],
    isWaivable: false,
    judge: (facts) =>
      onNewest(facts, { kind: "drill", way: "run rollback --drill --reason TEXT" }, ({ content, actor }) => {
        const { acknowledgedMs: ms = Number.POSITIVE_INFINITY } = numbersIn(content);
        const evidence = { acknowledgedMs: ms, limit: drillMsMax };
        const took = Number.isFinite(ms) ? `took ${ms} ms` : "was not followed by every process";
        const why =
          `the last drill, by ${actor}, ${content.ok === true ? "" : "failed, and "}${took}; ` +
          `the limit is ${drillMsMax} ms`;
        return content.ok === true && ms <= drillMsMax
          ? open(why, evidence)
          : closed(`${why}; drill again`, evidence);
      }),
  },
  {
    name: "monitoring_up",
    title: "metrics are scraped and alerts arrive",
    before: ["shadow_mode", "dual_write", "primary_switch", "cleanup"],
    isWaivable: true,
    judge(facts) {
      if (!facts.hasAlertUrl)
        return inconclusive("no alert_url is configured; set migration.monitoring.alert_url");
      const fine = open("a scrape and a test alert of the last 24 hours are recorded");
      for (const kind of ["scrape", "alert"]) {
        const checked = { kind, way: `test the ${kind}, then ${addTo}`, days: 1 };
        const verdict = onNewest(facts, checked, ({ content }) =>
          content.ok === true ? fine : closed(`the last ${kind} failed; repair the monitoring`),
        );
        if (verdict !== fine) return verdict;
      }
      return fine;
    },
  },
  {
    name: "team_trained",
    title: "people of the desk are trained, and one of them has run a drill",
    before: ["primary_switch", "cleanup"],
    isWaivable: true,
    judge({ records, nowMs }) {
      const trained = new Set(
        records
          .filter(({ kind, atMs }) => kind === "training" && nowMs - atMs <= trainingDays * dayMs)
          .map(({ actor }) => actor),
      );
      const drilled = records.some(({ kind, actor }) => kind === "drill" && trained.has(actor));
      const evidence = { trained: [...trained], drilled };
      const people = many(trained.size, "person was", "people were");
      const why =
        `${people} trained in the last ${trainingDays} days, ` +
        `and ${drilled ? "one" : "none"} of them has run a drill`;
      return trained.size >= 2 && drilled
        ? open(why, evidence)
        : inconclusive(
            `${why}; the gate needs two trained people and a drill by one of them: ` +
              "run sign-off team_trained --actor NAME --note TEXT, and rollback --drill --actor NAME",
            evidence,
          );
    },
  },
  {
    name: "accepted_causes",
    title: "each accepted cause has a limit in money, and ends within 30 days",
    before: ["dual_write", "primary_switch", "cleanup"],
    isWaivable: true,
    judge({ causes, date, nowMs, trials: { accepted } }) {
      const latest = new Date(nowMs + causeDays * dayMs).toISOString().slice(0, 10);
      const bad = causes.find(({ limit, until }) => until < date || until > latest || limit === null);
      const money = accepted.reduce((total, one) => total + (one.money ?? 0), 0);
      const evidence = { causes: causes.length, accepted: accepted.length, money };
      const why =
        `${many(causes.length, "cause is", "causes are")} accepted; ` +
        `differences of ${dollars(money)} on ${many(accepted.length, "instrument-day")} have an accepted cause`;
      if (bad === undefined) return open(why, evidence);
      const what =
        bad.until < date
          ? `ended on ${bad.until}`
          : bad.limit === null
            ? "has no limit in money"
            : `ends on ${bad.until}, later than the last allowed day, ${latest}`;
      return closed(
        `${why}; ${bad.code} ${what}: revoke the cause (causes revoke), or accept it again`,
        evidence,
      );
    },
  },
  {
    name: "reports_accepted",
    title: "legacy's and modern's daily reports agree, or a person has accepted their differences",
    before: ["primary_switch", "cleanup"],
    isWaivable: true,
    judge({ usesReports, lastReport }) {
      if (!usesReports) return open("use_new_reports is off, so users get legacy's reports");
      if (lastReport === undefined)
        return inconclusive(
          "legacy's and modern's daily reports of no closed trading day were compared; " +
            "run report daily --date DAY (a desk without reports waives the gate)",
        );
      const { date, state, because } = lastReport;
      if (state === "accepted") return open(because, { date });
      return state === "not compared"
        ? inconclusive(`${because}; run report daily --date ${date}`, { date })
        : closed(`${because}; run report accept LEGACY.xlsx MODERN.xlsx --date ${date}`, { date });
    },
  },
  {
    name: "no_readers_left",
    title: "no program calls legacy or has a file of legacy open",
    before: ["window"],
    isWaivable: true,
    judge: (facts) =>
      onNewest(
        facts,
        { kind: "readers", what: "count of legacy's readers", way: `count them, then ${addTo}` },
        ({ content }) => {
          const { calls = 0, handles = 0, days = 0 } = numbersIn(content);
          const evidence = { calls, handles, days };
          const why = `${calls} calls and ${handles} open files of legacy were counted in ${days} days`;
          if (calls + handles > 0) return closed(`${why}; find the program that uses legacy`, evidence);
          return content.monthEnd === true && days >= readerDays
            ? open(why, evidence)
            : inconclusive(`${why}; the gate needs ${readerDays} days, among them a month-end`, evidence);
        },
      ),
  },
];
