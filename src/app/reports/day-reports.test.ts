import { expect, test } from "vitest";
import { defaultConfig } from "../../config/index.ts";
import { type PlanInput, planOf } from "../../domain/migration/plan.ts";
import { MemoryControlPlace } from "../../testing/memory-control-store.ts";
import { TestClock } from "../../testing/test-clock.ts";
import { auditActions } from "../control/audit-rows.ts";
import { DayReports } from "./day-reports.ts";

const hourMs = 3_600_000;
const flags = { calculator: true, storage: true, reports: true };
const diff = { ok: true, counts: {}, hashes: { legacy: "l", modern: "m" } };

/** Two processes over one control store, on a Friday. Each records its hand-outs, as `report daily` does. */
function twoProcesses({ plan = { phase: "shadow_mode", flags }, fails = () => undefined } = {} as Given) {
  const clock = new TestClock("2025-08-01T14:30:00.000Z");
  const store = new MemoryControlPlace(clock).open();
  const built: string[] = [];
  const lines: string[] = [];
  const handOut = (date: string, compared: typeof diff | { readonly error: string } = diff) =>
    store.note({
      ...{ actor: "amy", action: auditActions.handOutReport, reason: "a test" },
      evidence: { date, side: "legacy", contentHash: "l", diff: compared },
    });
  const processes = ["one", "two"].map(
    () =>
      new DayReports({
        ...{ store: () => store, plan: () => planOf(plan), config: defaultConfig, clock },
        generate: async (date) => {
          built.push(date);
          if (fails() === "building") throw new Error("no ledger");
          const compared = fails() === "comparing" ? { error: "no ledger" } : diff;
          await handOut(date, compared);
          return {
            diff:
              "error" in compared
                ? compared
                : { path: "a.diff.json", ok: true, counts: {}, failedTotals: [] },
          };
        },
        onFailure: (line) => lines.push(line),
      }),
  );
  const pass = async (ms: number) => {
    clock.advance(ms);
    await Promise.all(processes.map((one) => one.work()));
  };
  return { pass, built, lines, handOut };
}
interface Given {
  readonly plan?: PlanInput;
  readonly fails?: () => "building" | "comparing" | undefined;
}

test("each closed trading day is compared once, by one of two processes, and a weekend adds none", async () => {
  const { pass, built } = twoProcesses();
  for (let hour = 0; hour < 5 * 24; hour++) await pass(hourMs);
  expect(built).toEqual(["2025-07-31", "2025-08-01", "2025-08-04", "2025-08-05"]);
});

test("a day that was compared after its close is not compared again, and a comparison before the close does not count", async () => {
  const { pass, built, handOut } = twoProcesses();
  await handOut("2025-07-31");
  await handOut("2025-08-01");
  await pass(hourMs);
  expect(built).toEqual([]);
  for (let hour = 0; hour < 24; hour++) await pass(hourMs);
  expect(built).toEqual(["2025-08-01"]);
});

test.each(["building", "comparing"] as const)(
  "each process reports a failure of %s once, and the day is tried again after an hour",
  async (failing) => {
    let isFailing = true;
    const { pass, built, lines } = twoProcesses({ fails: () => (isFailing ? failing : undefined) });
    for (let minute = 0; minute < 150; minute++) await pass(60_000);
    isFailing = false;
    await pass(hourMs);
    await pass(hourMs);
    expect(built).toEqual(Array(4).fill("2025-07-31"));
    // Each of the two processes reports its own failures.
    expect([...new Set(lines)]).toEqual([
      "the two daily reports of 2025-07-31 could not be compared: no ledger",
    ]);
    expect(lines.length).toBeLessThanOrEqual(2);
  },
);

test.each<[string, PlanInput]>([
  ["a phase that does not compare", { phase: "read_only", flags }],
  ["a plan without use_new_reports", { phase: "shadow_mode", flags: { ...flags, reports: false } }],
])("%s builds no report by itself", async (_, plan) => {
  const { pass, built } = twoProcesses({ plan });
  await pass(hourMs);
  expect(built).toEqual([]);
});
