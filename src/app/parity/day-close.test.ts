import { expect, it } from "vitest";
import type { NewComparison, RequestState } from "../../ports/evidence.ts";
import type { LaneDay } from "../../ports/tallies.ts";
import { comparison } from "../../testing/evidence-store-contract.ts";
import { MemoryEvidence } from "../../testing/memory-evidence-store.ts";
import { TestClock } from "../../testing/test-clock.ts";
import { DayClose } from "./day-close.ts";

const earlier = "2025-07-24T10:00:00.000Z";
const at = "2025-07-24T11:00:00.000Z";
const later = "2025-07-24T12:00:00.000Z";

const diverged = (at: string, request: RequestState, path: string): NewComparison => ({
  ...comparison({ verdict: "diverged", request, at }),
  fields: [
    { ...{ path, entry: null, verdict: "diverged", legacy: "1", modern: "2", difference: "1" } } as const,
  ],
  ...(request === "kept" && { requestText: "{}" }),
});

it.each([
  ["by its last comparison", [diverged(at, "kept", "realized")], ["1"]],
  [
    "by one with the same fields, if the request of the last comparison is not kept",
    [
      diverged(earlier, "kept", "realized"),
      diverged(earlier, "kept", "fees"),
      diverged(at, "daily_limit", "realized"),
    ],
    ["1"],
  ],
  [
    "by none, if no request with the same fields is kept",
    [diverged(earlier, "kept", "fees"), diverged(at, "daily_limit", "realized")],
    [],
  ],
] as const)("a lane-day before thousands of newer divergences is explained %s", async (_, stored, asked) => {
  const evidence = new MemoryEvidence().open();
  const delta = { key: "key", process: "one", at: later, day: "2025-07-24", ended: false, tallies: [] };
  const laneDay: LaneDay = {
    ...{
      source: "live",
      day: "2025-07-24",
      book: "",
      symbol: "ZN",
      method: "openPositions",
      group: "future",
      at,
    },
    ...{ apart: "realized", accepted: null, money: 1, quantityApart: false, signed: 1, weight: 100 },
  };
  await evidence.append(stored, { ...delta, laneDays: [laneDay] });
  const newer = diverged(later, "daily_limit", "unrealized");
  await evidence.append(Array.from({ length: 4_500 }, () => newer));
  const explained: string[] = [];
  const failures: unknown[] = [];
  const who = { id: "1", owner: "amy", until: "2999-12-31", reason: "a test" };
  const terms = { ...who, code: "LIFO", scope: {}, limit: null };
  const close = new DayClose({
    evidence,
    explainer: {
      explain: async (id) => {
        explained.push(id);
        return undefined;
      },
    },
    register: async () => [terms],
    key: () => "key",
    today: () => "2025-07-25",
    clock: new TestClock(),
    onFailure: (failure) => void failures.push(failure),
  });
  await close.work();
  await close.close();
  expect([explained, failures]).toEqual([asked, []]);
});
