/**
 * For each evidence gate: what the gate proves, what it does not prove, and what to do if it is not open. The
 * limits are those of the default configuration. The report of the migration and docs/gates.md print these
 * texts. Parts between backquotes are commands and names.
 */
import type { GateMeaning } from "../../ports/migration-report.ts";

export const gateMeanings: Readonly<Record<string, GateMeaning>> = {
  tests_passed: {
    proves: "the tests of this build passed within the last 7 days",
    lacks: "that the tests ask the right questions",
    otherwise: "run `./run test`, then `evidence add`",
  },
  edges_covered: {
    proves: "tests and a recorded replay cover options, expiry, month-ends and days after holidays",
    lacks: "that edge cases outside this list agree",
    otherwise: "run `replay --record` over a longer history",
  },
  benchmarks_met: {
    proves: "the benchmarks of this build meet their targets",
    lacks: "speed on the desk's own machines",
    otherwise: "run `./run bench`, then `evidence add`",
  },
  "accuracy/replay": {
    proves: "at most 1 % (0.1 % before primary_switch) of replayed instrument-days remain unexplained",
    lacks: "that wiring, timing and permissions are right",
    otherwise: "run `replay --record`; explain the lanes that are apart",
  },
  "accuracy/live": {
    proves:
      "at most 5 % (1 % before primary_switch) of shadowed instrument-days remain unexplained; " +
      "each book of the last 20 replayed days was shadowed",
    lacks: "that products which were not traded on the shadowed days agree",
    otherwise: "shadow more days; explain the lanes that are apart",
  },
  "accuracy/served": {
    proves: "at most 1 % of instrument-days that modern answered remain unexplained",
    lacks: null,
    otherwise: "let modern answer more; explain the lanes that are apart",
  },
  days: {
    proves:
      "the evidence covers 5 trading days; before primary_switch and cleanup 20, among them a month-end, " +
      "an expiry week, a day after a holiday and a busy day",
    lacks: "other conditions of the market; that a busy day is busy compared with replayed days",
    otherwise: "wait for the days that are missing",
  },
  standing: {
    proves:
      "no lane is apart now without an accepted cause; the last trading day was compared, and so was each " +
      "book of the last 20 replayed days",
    lacks: "that tomorrow is like today",
    otherwise: "explain the lane; accept its cause or repair modern. The gate cannot be waived",
  },
  material: {
    proves:
      "without an accepted cause, no figure differs by more than $1 000, and no quantity differs; an " +
      "instrument-day differs by at most $10 on average",
    lacks: "that small differences do not add up; that the true mean of each source and class is as low",
    otherwise: "explain the named difference. The gate cannot be waived",
  },
  bias: {
    proves:
      "within tolerance, modern is not systematically higher or lower, and the differences of a book in a " +
      "month add up to at most $100",
    lacks: null,
    otherwise: "look for a rounding that one side lacks",
  },
  coverage: {
    proves:
      "at least 95 % of the calls and instrument-days that were due were compared, by count and by money",
    lacks: "that what was not compared agrees",
    otherwise: "find what was lost: shed calls, methods that modern lacks",
  },
  sampling: {
    proves: "the share of shadowed calls agrees with the plan",
    lacks: null,
    otherwise: "look for a program that keeps calls from the bridge",
  },
  noise: {
    proves:
      "each method has 200 A/A calls, in which the answering system is asked twice; they measure how often a " +
      "system differs from itself; at most 1 % of values, by count and by money, are excluded from comparison, and no exclusion has ended",
    lacks: "that the other differences are harmless: the gates of accuracy count them, and forgive no noise",
    otherwise: "set `shadow.control_percentage`, so that A/A calls are made; remove exclusions",
  },
  errors: {
    proves: "modern fails, and legacy does not, in at most 1 % of the minutes with calls",
    lacks: "failures that legacy has as well",
    otherwise: "run `comparisons --verdict error`, and repair modern",
  },
  latency_p50: {
    proves:
      "in the median, modern takes at most 1.1 times as long as legacy for the same call; one call a minute of each process counts",
    lacks: "speed under a load that has not occurred",
    otherwise:
      "profile modern; set `shadow.control_percentage` to measure how much faster a repeated call is",
  },
  latency_p99: {
    proves:
      "modern's slowest calls take at most 1.1 times as long as legacy's; one call a minute of each process counts",
    lacks: "speed under a load that has not occurred",
    otherwise:
      "profile modern; set `shadow.control_percentage` to measure how much faster a repeated call is",
  },
  memory: {
    proves: "in the median of all pairs of runs, modern needs at most 1.25 times legacy's memory",
    lacks: "other histories",
    otherwise: "run `evidence memory` over more pairs; find what modern keeps in memory",
  },
  leak: {
    proves: "modern's memory grows by at most 1 % an hour over 6 hours",
    lacks: "other histories",
    otherwise: "find what modern keeps in memory",
  },
  user_impact: {
    proves:
      "modern showed no wrong quantity and no material error, not even for a short time; no stale answer went unmarked; " +
      "at most 1 % of user-days had a wrong figure",
    lacks: "that modern's answers which were not compared are right; at most 5 % may be uncompared",
    otherwise: "roll back, then explain the wrong figures",
  },
  nothing_lost: {
    proves:
      "the last reconciliation, within 15 minutes, found both databases equal; no write is owed, and no row is in quarantine",
    lacks: null,
    otherwise: "run `db drain` and `db review`, then `db reconcile`. The gate cannot be waived",
  },
  rollback_drilled: {
    proves: "a rollback of this build was drilled within the last 7 days and took at most 250 ms",
    lacks: "a rollback while machines fail",
    otherwise: "run `rollback --drill`. The gate cannot be waived",
  },
  monitoring_up: {
    proves: "a scrape and a test alert succeeded within the last 24 hours",
    lacks: "that a person acts on the alerts",
    otherwise: "set `migration.monitoring.alert_url`; run `evidence add`",
  },
  team_trained: {
    proves: "two people of the desk were trained within the last 90 days, and one of them has run a drill",
    lacks: null,
    otherwise: "run `sign-off team_trained` and `rollback --drill`",
  },
  accepted_causes: {
    proves: "each accepted cause has a limit in money and ends within 30 days",
    lacks: "that the causes are harmless",
    otherwise: "run `causes revoke`, or accept the cause again",
  },
  reports_accepted: {
    proves:
      "legacy's and modern's daily reports of the last compared trading day agree, or a person has accepted " +
      "exactly their content; open while `use_new_reports` is off",
    lacks: "that the reports of later days were compared",
    otherwise: "run `report daily`, then `report diff` and `report accept`; a desk without reports waives it",
  },
  no_readers_left: {
    proves: "for at least 7 days with a month-end, no program called legacy or had one of its files open",
    lacks: "that no program reads a copy of the database",
    otherwise: "find the program that uses legacy",
  },
};
