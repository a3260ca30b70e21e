import { expect, test } from "vitest";
import { countdown } from "../../domain/migration/countdown.ts";
import type { Tally } from "../../ports/tallies.ts";
import { impactOf, metricsOf } from "./metrics.ts";
import { trialsOf } from "./trials.ts";

const tally = (signal: string, stratum: string, given: Partial<Tally> = {}): Tally => ({
  ...{ source: "served", signal, stratum, n: 1, k: 0, amount: 0, largest: 0, ...given },
});
const impact = (stratum: string, largest = 0, n = 1): Tally => tally("impact", stratum, { largest, n });

test("user impact counts users, books, days and minutes, and not calls", () => {
  const minute = 29_000_000;
  expect(
    impactOf({
      tallies: [
        impact("2026-11-26 seen amy lee", 0, 500),
        impact("2026-11-27 seen amy lee"),
        impact("2026-11-27 seen bob"),
        impact("2026-11-27 wrong amy lee", 40, 90),
        impact("2026-11-27 wrong bob", 60),
        impact("2026-11-27 wrong_book EGB", 60, 91),
        impact("2026-11-26 wrong_book EGB", 15),
        // The store keeps the largest value of a tally; a countdown is largest for the earliest minute.
        impact("2026-11-27 wrong_from EGB", countdown(minute)),
        impact("2026-11-27 wrong_until EGB", minute + 11),
        // A right answer on a day without a wrong figure adds no minutes.
        impact("2026-11-30 wrong_until EGB", minute + 4_000),
        impact("2026-11-27 fell_back:TIMEOUT bob"),
        impact("2026-11-27 stale bob", 1_500),
        tally("coverage", "openPositions", { n: 9 }),
        tally("lost", "openPositions dropped", { n: 1 }),
        tally("lost", "openPositions dropped", { n: 5, source: "live" }),
      ],
    }),
  ).toEqual({
    seen: { distinct: 2, days: 3 },
    wrong: { distinct: 2, days: 2 },
    wrongBooks: { distinct: 1, days: 2 },
    wrongMinutes: 12,
    largest: 60,
    money: 75,
    fellBack: { TIMEOUT: { distinct: 1, days: 1 } },
    stale: { distinct: 1, days: 1 },
    staleMs: 1_500,
    unmarked: { distinct: 0, days: 0 },
    unobserved: 0.1,
  });
});

test("the other metrics are latencies of pairs, recorded memory, trials by source and minutes with failures", () => {
  const bins = (legacy: number, modern: number, n: number): Tally =>
    tally("bins", `totals later ${legacy} ${modern}`, { n });
  const stored = {
    laneDays: [
      {
        ...({
          source: "live",
          day: "2026-11-27",
          book: "EGB",
          symbol: "ZNZ6",
          method: "openPositions",
          group: "future",
        } as const),
        ...{ at: "2026-11-27T20:00:00Z", apart: null, accepted: null },
        ...{ money: 0, quantityApart: false, signed: 0, weight: 1 },
      },
    ],
    tallies: [
      tally("pairs", "totals", { n: 200, k: 3 }),
      ...[bins(10, 12, 197), bins(20, 999, 3)],
      tally("errors", "totals", { n: 40, k: 1 }),
    ],
    ...{ processes: [], others: [] },
  };
  const [today, nowMs] = ["2026-11-30", Date.parse("2026-11-30T18:00:00Z")];
  const mib = 1_048_576;
  const content = { ratios: [0.9, 1.2, 1], peaks: [[mib, 2 * mib]] };
  expect(
    metricsOf({
      ...{ key: "k", attempt: 1, looks: 1, stored, trials: trialsOf(stored, { today, nowMs }), nowMs, today },
      ...{ date: today, build: "b", limits: { accuracy: { replay: 1, live: 1, served: 1 }, days: 1 } },
      records: [{ kind: "memory", atMs: nowMs, actor: "amy", build: "b", content }],
      ...{
        waivers: [],
        causes: [],
        exclusions: [],
        isNoiseMeasured: true,
        hasAlertUrl: true,
        hasPair: false,
        usesReports: true,
      },
      ...{ owed: 0, quarantined: 0 },
    }),
  ).toMatchObject({
    calculationTime: [
      {
        ...{ method: "totals", pairs: 200, slower: 3 },
        p50Ms: { legacy: 2.59, modern: 3.14 },
        p99Ms: { legacy: 6.73, modern: null },
      },
    ],
    memory: { at: "2026-11-30T18:00:00.000Z", pairs: 3, ratio: 1, bytes: { legacy: mib, modern: 2 * mib } },
    accuracy: [
      { source: "replay", trials: 0, events: 0, upper: 1 },
      { source: "live", trials: 1, events: 0 },
      { source: "served", trials: 0 },
    ],
    errors: { minutes: 40, failed: 1 },
  });
});
