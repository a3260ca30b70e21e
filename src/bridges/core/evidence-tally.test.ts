import { describe, expect, test, vi } from "vitest";
import type { AnswerOptions } from "../../comparison/index.ts";
import { impactOf } from "../../control/evidence/metrics.ts";
import type { PlanInput } from "../../domain/migration/plan.ts";
import type { PnlMethod, ServiceTrade } from "../../ports/pnl-service.ts";
import type { BridgedSystem, JsonValue } from "../../ports/system.ts";
import type { Tally } from "../../ports/tallies.ts";
import { MemoryEvidence } from "../../testing/memory-evidence-store.ts";
import { TestClock } from "../../testing/test-clock.ts";
import { PnLServiceBridge } from "../service/index.ts";
import { breakerDefaults } from "./breaker.ts";
import type { ShadowOptions } from "./options.ts";

type Answers = Partial<Record<PnlMethod, JsonValue | (() => Promise<JsonValue>)>>;

const systemOf = (answers: Answers): BridgedSystem => ({
  name: "a system",
  kind: "builtin",
  methods: undefined,
  invoke: async (method) => {
    const answer = answers[method as PnlMethod];
    return typeof answer === "function" ? answer() : (answer as JsonValue);
  },
  close: async () => {},
});

const position = (symbol: string, given: Record<string, JsonValue> = {}): JsonValue => ({
  ...{ book: "EGB", symbol, quantity: "2", averagePrice: "110", realized: "100", unrealized: "5" },
  ...given,
});

interface Given {
  readonly legacy: Answers;
  readonly modern: Answers;
  readonly plan?: PlanInput;
  readonly shadow?: Partial<ShadowOptions>;
  readonly exclusions?: AnswerOptions["exclusions"];
  readonly draw?: () => number;
  readonly key?: string;
  /** The writes that legacy lacks. */
  readonly owed?: { readonly count: number; readonly oldestMs: number };
}

/** Returns a bridge that counts evidence, with its clock and its evidence store. */
async function countingBridge(given: Given) {
  const { legacy, modern, plan, shadow, exclusions, owed, draw = () => 0.3, key = "key" } = given;
  const [clock, place] = [new TestClock(), new MemoryEvidence()];
  const store = place.open();
  const service = new PnLServiceBridge(
    {
      legacy: systemOf(legacy),
      modern: systemOf(modern),
      plan: plan ?? { phase: "shadow_mode" },
      evidence: store,
      tally: { process: "one", dayRule: "calendar", groupOf: (symbol) => symbol.slice(0, 2) },
      ...(shadow !== undefined && { shadow }),
      ...(exclusions !== undefined && { exclusions }),
      ...(owed !== undefined && { owed: { owedToLegacy: () => owed } }),
    },
    { clock, load: { overload: () => undefined }, draw },
  );
  await service.core.setEvidenceKey(key);
  return { clock, place, store, service };
}

/** The evidence of some calls after the bridge is closed. */
async function evidenceOf(
  given: Given,
  work: (service: PnLServiceBridge, clock: TestClock) => Promise<unknown>,
) {
  const { clock, place, service } = await countingBridge(given);
  await work(service, clock);
  await service.idle();
  await service.close();
  const { laneDays, tallies, processes } = await place.open().evidence("key");
  return {
    laneDays,
    processes,
    lanes: laneDays.map(({ source, book, symbol, apart }) => [source, book, symbol, apart]),
    tally: (signal: string, stratum: string): Tally | undefined =>
      tallies.find((one) => one.signal === signal && one.stratum === stratum),
    signals: (signal: string) => tallies.filter((one) => one.signal === signal),
  };
}

/** Modern answers everybody, and legacy is its shadow. */
const served: PlanInput = {
  ...{ phase: "dual_write", newSystemPercentage: 100, bucketBy: "user" },
  flags: { calculator: true, storage: true },
};

const asOf = "2026-11-20T15:00:00Z";
const positions = (...rows: readonly JsonValue[]): Answers => ({ openPositions: { positions: rows } });
const fails = { openPositions: async () => Promise.reject(new Error("modern is down")) };

describe("a comparison counts for the lanes of its answer, on the trading day of its request's as-of", () => {
  test("with the first field that diverges, the largest money and the sum of all differences of each lane", async () => {
    const { laneDays } = await evidenceOf(
      {
        legacy: positions(position("ZNZ6"), position("ZBZ6"), position("ZFZ6")),
        modern: positions(
          position("ZNZ6", { unrealized: "5.004" }),
          position("ZBZ6", { realized: "1350.5", unrealized: "-5" }),
          position("ZFZ6", { quantity: "3" }),
        ),
      },
      (service) => service.call("openPositions", { asOf }),
    );
    const common = { source: "live", day: "2026-11-20", book: "EGB", accepted: null, weight: 220 };
    expect(laneDays).toMatchObject([
      { ...common, symbol: "ZNZ6", group: "ZN", apart: null, money: 0, quantityApart: false },
      { ...common, symbol: "ZBZ6", apart: "positions[].realized", money: 1250.5, signed: 1240.5 },
      { ...common, symbol: "ZFZ6", apart: "positions[].quantity", money: 0, quantityApart: true },
    ]);
    expect(laneDays[0]?.signed).toBeCloseTo(0.004, 9);
  });

  test("a row that one side lacks differs by its whole money", async () => {
    const { laneDays } = await evidenceOf(
      { legacy: positions(position("ZNZ6")), modern: positions(position("ZBZ6")) },
      (service) => service.call("openPositions", { asOf }),
    );
    expect(laneDays.map(({ symbol, money, quantityApart }) => [symbol, money, quantityApart])).toEqual([
      ["ZNZ6", 100, true],
      ["ZBZ6", 100, true],
    ]);
  });

  test("an excluded value excludes its part of the answer's money", async () => {
    const [small, large] = [position("ZNZ6"), position("ZNZ6", { quantity: "2000" })];
    let calls = 0;
    const answer = async () => ({ positions: [Math.floor(calls++ / 2) % 2 === 0 ? small : large] });
    const path = "positions[].unrealized";
    const { tally } = await evidenceOf(
      {
        ...{ legacy: { openPositions: answer }, modern: { openPositions: answer } },
        exclusions: [{ path, reason: "another price", owner: "amy", until: "2999-01-01" }],
      },
      async (service) => {
        for (let call = 0; call < 2; call++) {
          await service.call("openPositions", { asOf });
          await service.idle();
        }
      },
    );
    const { n = 0, k, amount } = tally("excluded", "openPositions") ?? {};
    expect(k).toBe(2);
    expect(amount).toBeCloseTo((2 * 110 + 2_000 * 110) / (n / 2), 6);
  });

  test("all calls of one trading day make one lane-day, and the last of them decides", async () => {
    let calls = 0;
    const { laneDays } = await evidenceOf(
      {
        legacy: positions(position("ZNZ6")),
        modern: {
          openPositions: async () => ({
            positions: [position("ZNZ6", { realized: calls++ < 20 ? "0" : "100" })],
          }),
        },
      },
      async (service) => {
        for (let call = 0; call < 25; call++) await service.call("openPositions", { asOf });
      },
    );
    expect(laneDays).toMatchObject([{ apart: null }]);
  });

  test("faults 4 and 5: a dashboard that repeats its question, and a request with one more trade in each call, make one lane-day each", async () => {
    const answers = { ...positions(position("ZNZ6")), calculatePnl: { positions: [position("ZNZ6")] } };
    const { laneDays } = await evidenceOf({ legacy: answers, modern: answers }, async (service) => {
      const trades: ServiceTrade[] = [];
      for (let call = 0; call < 30; call++) {
        trades.push({ id: `${call}`, symbol: "ZNZ6", side: "B", quantity: "1", price: "110", time: asOf });
        await service.call("openPositions", { asOf }, { user: "amy", book: "EGB" });
        await service.call("calculatePnl", { asOf, trades: [...trades] }, { user: "amy", book: "EGB" });
        await service.idle();
      }
    });
    expect(laneDays.map(({ method, day, symbol }) => [method, day, symbol]).toSorted()).toEqual([
      ["calculatePnl", "2026-11-20", "ZNZ6"],
      ["openPositions", "2026-11-20", "ZNZ6"],
    ]);
  });

  test("a lane-day is kept for each method, so that the agreement of one hides no difference of another", async () => {
    const daily = (realized: string): JsonValue => ({
      daily: [
        {
          ...{ book: "EGB", symbol: "ZNZ6", tradingDay: "2026-11-20", quantity: "2", realized },
          ...{ unrealized: "5", unrealizedChange: "0", total: realized },
        },
      ],
    });
    const same = positions(position("ZNZ6"));
    const { laneDays, signals } = await evidenceOf(
      {
        ...{ legacy: { ...same, dailyPnl: daily("6000") }, modern: { ...same, dailyPnl: daily("1000") } },
        plan: served,
      },
      async (service, clock) => {
        for (const method of ["dailyPnl", "openPositions"] as const) {
          await service.call(method, { asOf }, { user: "amy", book: "EGB" });
          await service.idle();
          clock.advance(600_000);
        }
      },
    );
    expect(laneDays).toMatchObject([
      { method: "dailyPnl", apart: "daily[].realized", money: 5_000 },
      { method: "openPositions", apart: null },
    ]);
    expect(impactOf({ tallies: signals("impact") }).wrongMinutes).toBe(11);
  });

  test("a diverged total counts against all lanes only if no row diverges", async () => {
    const answer = (realized: string, total: string): JsonValue => ({
      positions: [position("ZNZ6", { realized }), position("ZBZ6")],
      totals: { USD: { realized: total, unrealized: "10", total } },
      rejected: [],
    });
    const asked = async (modern: JsonValue) =>
      evidenceOf(
        { legacy: { calculatePnl: answer("100", "200") }, modern: { calculatePnl: modern } },
        (service) => service.call("calculatePnl", { asOf, trades: [] }),
      );
    expect((await asked(answer("90", "190"))).lanes.map((lane) => lane[3])).toEqual([
      "positions[].realized",
      null,
    ]);
    expect((await asked(answer("100", "190"))).lanes.map((lane) => lane[3])).toEqual([
      "totals.USD.realized",
      "totals.USD.realized",
    ]);
  });

  test("answers without rows make one lane for each request of a book or user, whatever its as-of and marks", async () => {
    const totals = { totals: { USD: { realized: "1", unrealized: "2", total: "3" } } };
    const { laneDays } = await evidenceOf({ legacy: { totals }, modern: { totals } }, async (service) => {
      for (const second of [10, 20, 30])
        await service.call(
          "totals",
          { asOf: `2026-11-20T15:00:${second}Z`, marks: { ZN: `${second}` } },
          { user: "amy" },
        );
      await service.call("totals", { asOf, book: "EGB" }, { user: "amy" });
    });
    expect(laneDays).toMatchObject([
      { book: "amy", group: "summary", apart: null },
      { book: "amy", group: "summary", apart: null },
    ]);
  });
});

test("a total that diverges has the money of its largest difference, and unknown money if no amount differs", async () => {
  const totals = (realized: string, currency = "USD") => ({
    totals: { [currency]: { realized, unrealized: "2", total: realized } },
  });
  const found = async (modern: JsonValue) =>
    (
      await evidenceOf({ legacy: { totals: totals("500") }, modern: { totals: modern } }, (service) =>
        service.call("totals", { asOf, book: "EGB" }),
      )
    ).laneDays;
  const common = { group: "summary", apart: "totals", signed: 0, quantityApart: false };
  expect(await found(totals("100"))).toMatchObject([{ ...common, money: 400 }]);
  expect(await found({ totals: "none" })).toMatchObject([{ ...common, money: null }]);
});

describe("a failure", () => {
  const legacy = positions(position("ZNZ6"), position("ZBZ6"));
  const call = (service: PnLServiceBridge) => service.call("openPositions", { asOf }).catch(() => {});

  test("of modern alone counts as an error of every lane, and once in the errors of its method", async () => {
    const { lanes, tally } = await evidenceOf({ legacy, modern: fails }, call);
    expect(lanes).toEqual([
      ["live", "EGB", "ZNZ6", "error"],
      ["live", "EGB", "ZBZ6", "error"],
    ]);
    expect(tally("errors", "openPositions")).toMatchObject({ n: 1, k: 1 });
  });

  test("of both systems counts nowhere, and one of legacy alone counts as a lost comparison", async () => {
    const both = await evidenceOf({ legacy: fails, modern: fails }, call);
    expect([both.lanes, both.signals("errors"), both.signals("lost")]).toEqual([[], [], []]);
    const ofLegacy = await evidenceOf({ legacy: fails, modern: legacy }, call);
    expect([ofLegacy.lanes, ofLegacy.tally("lost", "openPositions not_comparable")?.n]).toEqual([[], 1]);
  });

  test("of modern, when modern should have answered, counts as an error of its `served` lanes and as a fall-back on the user's day", async () => {
    const { lanes, signals } = await evidenceOf({ legacy, modern: fails, plan: served }, (service) =>
      service.call("openPositions", { asOf }, { user: "amy" }),
    );
    expect(lanes[0]).toEqual(["served", "EGB", "ZNZ6", "error"]);
    expect(signals("impact").map(({ stratum }) => stratum)).toEqual([
      "2026-11-20 seen amy",
      "2026-11-20 fell_back:FAILED amy",
    ]);
  });

  test("counts as an error of its minute also while modern is not asked because it failed too often", async () => {
    const { tally, signals } = await evidenceOf(
      { legacy, modern: fails, plan: served },
      async (service, clock) => {
        const call = () => service.call("openPositions", { asOf }, { user: "amy" });
        clock.advance(59_000);
        for (let calls = 0; calls < breakerDefaults.callsMin; calls++) await call();
        await service.idle();
        clock.advance(1_000);
        await call();
      },
    );
    expect(tally("errors", "openPositions")).toMatchObject({ n: 2, k: 2 });
    expect(signals("impact").map(({ stratum }) => stratum)).toContain(
      "2026-11-20 fell_back:BREAKER_OPEN amy",
    );
  });
});

test("a wrong figure lasts from the first answer with it until the right answer after the last wrong one", async () => {
  let realized = "900";
  const { signals } = await evidenceOf(
    {
      legacy: positions(position("ZNZ6"), position("ZBZ6")),
      modern: {
        openPositions: async () => ({ positions: [position("ZNZ6", { realized }), position("ZBZ6")] }),
      },
      plan: served,
    },
    async (service, clock) => {
      const call = async (): Promise<void> => {
        await service.call("openPositions", { asOf }, { user: "amy", book: "EGB" });
        await service.idle();
      };
      for (const answered of ["900", "100", "900", "900", "100", "100"]) {
        realized = answered;
        await call();
        clock.advance(600_000);
      }
    },
  );
  const { wrong, wrongBooks, wrongMinutes, largest, money } = impactOf({ tallies: signals("impact") });
  expect({ wrong, wrongBooks, wrongMinutes, largest, money }).toEqual({
    ...{ wrong: { distinct: 1, days: 1 }, wrongBooks: { distinct: 1, days: 1 } },
    // From the first wrong answer to the right one after the last wrong one; both minutes count.
    ...{ wrongMinutes: 41, largest: 800, money: 800 },
  });
});

test("a wrong quantity and a wrong value of unknown money count for the book's day, also if they are corrected", async () => {
  const rows = [{ quantity: "3000" }, { realized: "not available" }, {}];
  const { signals } = await evidenceOf(
    {
      legacy: positions(position("ZNZ6")),
      modern: { openPositions: async () => ({ positions: [position("ZNZ6", rows.shift() ?? {})] }) },
      plan: served,
    },
    async (service) => {
      for (let call = 0; call < 3; call++) {
        await service.call("openPositions", { asOf }, { user: "amy", book: "EGB" });
        await service.idle();
      }
    },
  );
  const found = signals("impact").map(({ stratum, n }) => [stratum, n]);
  expect(found).toEqual(
    expect.arrayContaining([
      ["2026-11-20 wrong_quantity EGB", 1],
      ["2026-11-20 wrong_unknown EGB", 1],
    ]),
  );
});

test.each<readonly [string, PlanInput, number, readonly [number, number]]>([
  ["none, if all are compared", served, 0, [0, 0]],
  ["those that sampling leaves out", { ...served, shadowSampleRatio: 0.5 }, 0, [70, 130]],
  ["all under `new_only`", { ...served, phase: "primary_switch", migrationMode: "new_only" }, 0, [200, 200]],
  ["the 2 % for which modern is asked twice, however large the ratio is", served, 1, [4, 4]],
])("the unobserved answers of modern are %s", async (_, plan, controlRatio, [least, most]) => {
  const same = positions(position("ZNZ6"));
  let drawn = 0;
  const { signals } = await evidenceOf(
    { legacy: same, modern: same, plan, shadow: { controlRatio }, draw: () => drawn },
    async (service) => {
      for (let call = 0; call < 200; call++) {
        drawn = (call % 50) / 50;
        await service.call("openPositions", { asOf }, { user: "amy", book: "EGB" });
        await service.idle();
      }
    },
  );
  const counted = (signal: string): number =>
    signals(signal).reduce((total, { source, n }) => (source === "served" ? total + n : total), 0);
  expect(counted("unobserved")).toBeGreaterThanOrEqual(least);
  expect(counted("unobserved")).toBeLessThanOrEqual(most);
  expect(counted("unobserved") + counted("coverage")).toBe(200);
});

test.each([
  ["with a mark while legacy lacks writes", { ...served, newSystemPercentage: 0 }, 3, ["stale", 7_000]],
  [
    "without a mark if the kill switch lets legacy answer and only modern is written",
    { ...served, phase: "primary_switch", useNewPnlSystem: false, migrationMode: "new_only" },
    0,
    ["stale_unmarked", 0],
  ],
] as const)("a stale answer of legacy counts for the user's day: %s", async (_, plan, owed, expected) => {
  const totals = { totals: { totals: {} } };
  const { signals } = await evidenceOf(
    { legacy: totals, modern: totals, plan, owed: { count: owed, oldestMs: 7_000 } },
    async (service) => {
      for (const user of ["amy", "amy", "bob"]) await service.call("totals", {}, { user });
    },
  );
  const found = signals("impact").map(({ stratum, largest }) => [stratum.split(" ")[1], largest]);
  expect(found).toEqual([expected, expected]);
});

test("a call that modern does not answer in time counts as an error, and as slower than every other call", async () => {
  const hangs = { openPositions: () => new Promise<JsonValue>(() => {}) };
  const given = { legacy: positions(position("ZNZ6")), modern: hangs, shadow: { timeoutMs: 50 } };
  const { tally, signals } = await evidenceOf(given, async (service, clock) => {
    await service.call("openPositions", { asOf }, { user: "amy", book: "EGB" });
    let isIdle = false;
    void service.idle().then(() => {
      isIdle = true;
    });
    await vi.waitFor(() => {
      clock.advance(50);
      expect(isIdle).toBe(true);
    });
  });
  expect(tally("errors", "openPositions")).toMatchObject({ n: 1, k: 1 });
  expect(tally("pairs", "openPositions")).toMatchObject({ n: 1, k: 1 });
  expect(signals("bins").map(({ stratum }) => stratum)).toEqual([
    expect.stringMatching(/^openPositions first -?\d+ 999$/),
  ]);
});

test("errors and latencies are counted once for each method and minute", async () => {
  const agreed = positions(position("ZNZ6"));
  const { tally, signals } = await evidenceOf({ legacy: agreed, modern: agreed }, async (service, clock) => {
    for (let call = 0; call < 30; call++) {
      await service.call("openPositions", { asOf });
      await service.idle();
      clock.advance(10_000);
    }
  });
  expect(tally("errors", "openPositions")).toMatchObject({ n: 5, k: 0 });
  expect(tally("pairs", "openPositions")?.n).toBe(5);
  expect(signals("bins").reduce((sum, { n }) => sum + n, 0)).toBe(5);
});

test("a shed comparison lowers the coverage by quantity × price of the trades in its request", async () => {
  const answer = { positions: [], totals: {}, rejected: [] };
  const trades = [{ id: "1", symbol: "ZNZ6", side: "B", quantity: "10", price: "112" }] as const;
  const { tally } = await evidenceOf(
    { legacy: { calculatePnl: answer }, modern: { calculatePnl: answer }, shadow: { inFlightMax: 0 } },
    (service) => service.call("calculatePnl", { asOf, trades }),
  );
  expect(tally("lost", "calculatePnl lane_full")).toMatchObject({ n: 1, k: 0, amount: 1_120 });
});

test("the comparison of legacy with itself counts as noise, and for no lane", async () => {
  const agreed = positions(position("ZNZ6"));
  const { lanes, tally, signals } = await evidenceOf(
    { legacy: agreed, modern: agreed, shadow: { controlRatio: 1 } },
    (service) => service.call("openPositions", { asOf }),
  );
  expect([lanes, tally("aa", "openPositions")?.n, signals("order").length]).toEqual([[], 1, 1]);
});

test("a process records its end under its key when it closes, and when another key replaces that key", async () => {
  const agreed = positions(position("ZNZ6"));
  const { place, service } = await countingBridge({ legacy: agreed, modern: agreed });
  await service.call("openPositions", { asOf });
  await service.idle();
  await service.core.setEvidenceKey("next");
  const { laneDays, processes } = await place.open().evidence("key");
  expect([laneDays.length, processes]).toMatchObject([
    1,
    [{ process: "one", day: "2026-11-20", ended: true }],
  ]);
  await service.close();
  expect((await place.open().evidence("next")).processes).toMatchObject([{ ended: true }]);
});

test("evidence that the store refuses when another key replaces its key is written later under its own key", async () => {
  const agreed = positions(position("ZNZ6"));
  const { place, store, service } = await countingBridge({ legacy: agreed, modern: agreed });
  await service.call("openPositions", { asOf });
  await service.idle();
  vi.spyOn(store, "append").mockRejectedValueOnce(new Error("the disk is full"));
  await expect(service.core.setEvidenceKey("next")).rejects.toThrow("the disk is full");
  await service.close();
  expect((await place.open().evidence("key")).laneDays).toHaveLength(1);
});

test("sampling counts the calls under the present key, without those whose answering side is asked twice", async () => {
  const agreed = positions(position("ZNZ6"));
  let drawn = 0;
  const { place, service } = await countingBridge({
    ...{ legacy: agreed, modern: agreed, key: "" },
    plan: { phase: "shadow_mode", shadowSampleRatio: 0.5 },
    shadow: { controlRatio: 0.5 },
    draw: () => drawn,
  });
  const call = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time++) {
      // Every second call asks the answering side twice.
      drawn = time % 2 === 0 ? 0 : 0.9;
      await service.call("openPositions", { asOf });
      await service.idle();
    }
  };
  await call(40);
  await service.core.setEvidenceKey("key");
  await call(400);
  await service.close();
  const { tallies } = await place.open().evidence("key");
  const { n, k = 0 } = tallies.find(({ signal }) => signal === "sampling") ?? {};
  expect(n).toBe(200);
  expect(Math.abs(k - 100)).toBeLessThan(30);
});
