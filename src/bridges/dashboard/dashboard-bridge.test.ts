import { describe, expect, it } from "vitest";
import type { JsonValue } from "../../base/exact-json.ts";
import type { PlanInput } from "../../domain/migration/plan.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import { allFlags } from "../../testing/fleet.ts";
import { TestClock } from "../../testing/test-clock.ts";
import { BridgeCore } from "../core/bridge-core.ts";
import type { CallComparison } from "../core/options.ts";
import {
  controllerReads,
  controllerScreen,
  DashboardDataBridge,
  type ScreenSource,
  serviceScreen,
} from "./index.ts";

type Answerer = (method: string, request: JsonValue) => JsonValue;

/** A book with one trade, as the methods of the P&L service answer it. */
const desk =
  (quantity = "2"): Answerer =>
  (method) => {
    const figures = { realized: "15.625", unrealized: "31.25", total: "46.875" };
    switch (method) {
      case "totals":
        return { totals: { USD: figures, unmarked: [] } };
      case "openPositions":
        return {
          positions: [
            {
              ...{ symbol: "ZN", quantity, averagePrice: "110.5", mark: "110.53125" },
              ...{ markAt: "2025-07-24T15:00:00-05:00", realized: "15.625", unrealized: "31.25" },
            },
          ],
        };
      case "dailyPnl":
        return {
          daily: [
            { symbol: "ZN", tradingDay: "2025-07-23", realized: "0", unrealized: "10", total: "10" },
            { symbol: "ZN", tradingDay: "2025-07-24", ...figures, total: "36.875" },
            { symbol: "RX", tradingDay: "2025-07-24", realized: "1", unrealized: null, total: "1" },
          ],
        };
      default:
        return {
          trades: ["3", "2", "1"].map((id) => ({
            ...{
              id,
              symbol: "ZN",
              side: "B",
              quantity,
              price: "110.5",
              time: `2025-07-24T10:0${id}:00-05:00`,
            },
          })),
        };
    }
  };
/** The dashboard that a desk shows while its service throws. */
const nothing: Answerer = (method) => ({
  totals: { USD: { realized: "$0.00", unrealized: "$0.00", total: "$0.00" } },
  positions: [],
  daily: [],
  trades: [],
  method,
});
const down: Answerer = () => {
  throw new SystemFailure("DOWN", "the desk is away");
};

function opened({
  legacy = desk(),
  modern = desk(),
  plan = { phase: "shadow_mode" },
  hasTrades = undefined,
  allBooks,
  legacyAllBooks = allBooks,
  dayRule = "calendar",
  read,
  modernRead,
  controlRatio = 0,
  currencyOf = (symbol: string): string | undefined => (symbol === "RX" ? "EUR" : "USD"),
}: {
  legacy?: Answerer;
  modern?: Answerer;
  plan?: PlanInput;
  hasTrades?: boolean | undefined;
  allBooks?: string;
  legacyAllBooks?: string;
  dayRule?: ScreenSource["dayRule"];
  read?: ScreenSource["read"];
  modernRead?: ScreenSource["read"];
  controlRatio?: number;
  currencyOf?: (symbol: string) => string | undefined;
} = {}) {
  const clock = new TestClock();
  const systems = { legacy, modern };
  const compared: CallComparison[] = [];
  const asked: string[] = [];
  const core = new BridgeCore(
    { plan, shadow: { controlRatio }, onComparison: (comparison) => void compared.push(comparison) },
    { clock, load: { overload: () => undefined }, draw: () => 0 },
  );
  const sourceOf = (side: "legacy" | "modern"): ScreenSource => ({
    dayRule,
    allBooks: side === "legacy" ? legacyAllBooks : allBooks,
    read: (request) =>
      serviceScreen(
        async (method, question) => {
          asked.push(`${side} ${method}`);
          return systems[side](method, question);
        },
        request,
        currencyOf,
      ),
  });
  let generation = 0;
  const bridge = new DashboardDataBridge({
    core,
    legacy: { ...sourceOf("legacy"), ...(read && { read }), hasTrades: async () => hasTrades },
    modern: { ...sourceOf("modern"), ...(modernRead && { read: modernRead }) },
    pin: () => ({ asOf: new Date(clock.nowMs()).toISOString(), method: "fifo" }),
    generation: () => generation,
    doubt: () => undefined,
    clock,
  });
  const settled = async (): Promise<readonly CallComparison[]> => {
    await core.idle();
    return compared;
  };
  return {
    ...{ bridge, core, clock, systems, asked, settled },
    raiseGeneration: () => {
      generation += 1;
    },
  };
}

describe("DashboardDataBridge", () => {
  it("asks a system again to measure its noise, and answers viewers from the first answer", async () => {
    let quantity = 1;
    const noisy: Answerer = (method, request) => {
      if (method === "totals") quantity += 1;
      return desk(String(quantity))(method, request);
    };
    const { bridge, settled, asked } = opened({ legacy: noisy, controlRatio: 1 });
    const first = await bridge.getPnlData({ book: "UST" });
    expect(await settled()).toMatchObject([{ kind: "aa", answered: "legacy", verdict: "diverged" }]);
    expect(asked.filter((one) => one === "legacy totals")).toHaveLength(2);
    expect((await bridge.getPnlData({ book: "UST" })).value).toEqual(first.value);
  });

  it("answers all panels of a screen from one source, epoch and as-of, with exact text", async () => {
    const { bridge, settled, clock } = opened({ plan: { phase: "shadow_mode", epoch: 7 } });
    const answer = await bridge.getPnlData({ book: "UST" });
    expect(answer).toMatchObject({
      source: "legacy",
      epoch: 7,
      generation: 0,
      asOf: new Date(clock.nowMs()).toISOString(),
      answeredAt: new Date(clock.nowMs()).toISOString(),
      stale: false,
      dayRule: "calendar",
      zone: "America/Chicago",
      complete: true,
      markAge: clock.nowMs() - Date.parse("2025-07-24T15:00:00-05:00"),
    });
    expect(answer.value.summary).toEqual({
      totals: { USD: { realized: "15.625", unrealized: "31.25", total: "46.875" } },
      day: {
        tradingDay: "2025-07-24",
        totals: {
          USD: { realized: "15.625", unrealized: "31.25", total: "36.875" },
          EUR: { realized: "1", unrealized: null, total: "1" },
        },
      },
      openPositions: "1",
    });
    expect(answer.value.positions).toMatchObject([{ symbol: "ZN", total: "46.875", currency: "USD" }]);
    expect(answer.value.chart?.map(({ cumulative }) => cumulative)).toEqual(["10", "1", "46.875"]);
    expect(answer.value.unavailable).toEqual({
      "daily[2025-07-24 EUR].unrealized": "a position has no mark on that day",
    });
    expect((await settled()).map(({ method, verdict }) => [method, verdict])).toEqual([
      ["dashboard", "equal"],
    ]);
  });

  it("shows a total with an unmarked position as missing, never as the part that is known", async () => {
    const { bridge } = opened({
      legacy: (method, request) => {
        if (method !== "openPositions") return desk()(method, request);
        const position = { symbol: "TU", quantity: "1", averagePrice: "1", realized: "0", unrealized: null };
        return { positions: [position] };
      },
    });
    const { value } = await bridge.getPnlData({ view: "summary" });
    expect(value.summary?.totals.USD).toEqual({ realized: "15.625", unrealized: null, total: null });
    expect(value.unavailable["summary.totals.USD.unrealized"]).toBe("there is no mark for TU");
  });

  it("asks each system once for a book and interval, whatever view each viewer asks for", async () => {
    const { bridge, asked, clock, settled } = opened();
    const views = ["screen", "summary", "positions", "daily", "trades", "chart"] as const;
    await Promise.all(
      Array.from({ length: 600 }, (_, at) =>
        bridge.getPnlData({ view: views[at % 6] ?? "screen", book: "UST", user: `user${at}` }),
      ),
    );
    await settled();
    const once = ["totals", "openPositions", "dailyPnl", "tradeHistory"].flatMap((method) => [
      `legacy ${method}`,
      `modern ${method}`,
    ]);
    expect(asked.toSorted()).toEqual(once.toSorted());
    expect((await settled()).length).toBe(1);
    clock.advance(1_000);
    await bridge.getPnlData({ book: "UST" });
    await settled();
    expect(asked.length).toBe(16);
  });

  it("asks a slow system once, however many intervals its answer takes", async () => {
    const released = Promise.withResolvers<void>();
    const slow = desk();
    let asked = 0;
    const { bridge, clock } = opened({
      plan: { phase: "read_only" },
      read: async (request) => {
        asked += 1;
        await released.promise;
        return serviceScreen(
          async (method, question) => slow(method, question),
          request,
          () => "USD",
        );
      },
    });
    const answers = [];
    for (let viewer = 0; viewer < 5; viewer++) {
      answers.push(bridge.getPnlData({ book: "UST" }));
      clock.advance(2_000);
    }
    released.resolve();
    const ages = (await Promise.all(answers)).map(({ asOf }) => asOf);
    expect([asked, new Set(ages).size]).toEqual([1, 1]);
    await bridge.getPnlData({ book: "UST" });
    expect(asked).toBe(2);
  });

  it("goes on to answer viewers of modern while legacy does not answer", async () => {
    const released = Promise.withResolvers<void>();
    const { bridge, clock } = opened({
      plan: { phase: "dual_write", flags: allFlags, bucketBy: "user", userWhitelist: ["amy"] },
      read: async (request) => {
        await released.promise;
        return serviceScreen(
          async (method, question) => desk()(method, question),
          request,
          () => "USD",
        );
      },
    });
    const bob = bridge.getPnlData({ user: "bob" });
    const first = await bridge.getPnlData({ user: "amy" });
    clock.advance(5_000);
    const later = await bridge.getPnlData({ user: "amy" });
    expect([first.source, later.source]).toEqual(["modern", "modern"]);
    expect(Date.parse(later.asOf) - Date.parse(first.asOf)).toBe(5_000);
    released.resolve();
    expect((await bob).asOf).toBe(first.asOf);
  });

  it("shows no figures under an epoch or a generation that began after they were asked for", async () => {
    const { bridge, core, asked, raiseGeneration } = opened({ plan: { phase: "read_only", epoch: 3 } });
    await bridge.getPnlData({});
    expect(asked.length).toBe(4);
    raiseGeneration();
    expect([(await bridge.getPnlData({})).generation, asked.length]).toEqual([1, 8]);
    core.setPlan({ phase: "read_only", epoch: 4 });
    expect([(await bridge.getPnlData({})).epoch, asked.length]).toEqual([4, 12]);
  });

  it.each([
    ["nothing can confirm it", undefined, "not_comparable", "nothing confirms that it has no trades"],
    ["the store holds trades", true, "error", "its store holds trades"],
  ] as const)("an empty screen of legacy is no evidence if %s", async (_, hasTrades, verdict, why) => {
    const { bridge, settled } = opened({ legacy: nothing, hasTrades });
    const { value, complete } = await bridge.getPnlData({});
    expect(value.summary).toBeNull();
    expect(value.positions).toBeNull();
    expect(value.unavailable.summary).toContain(why);
    expect(complete).toBe(false);
    expect((await settled()).map((one) => one.verdict)).toEqual([verdict]);
  });

  it("an empty screen of legacy is right if legacy's store is empty", async () => {
    const { bridge, settled } = opened({ legacy: nothing, modern: nothing, hasTrades: false });
    const { value } = await bridge.getPnlData({});
    expect(value).toMatchObject({ positions: [], summary: { totals: { USD: { total: "0" } } } });
    expect((await settled()).map(({ verdict }) => verdict)).toEqual(["equal"]);
  });

  it.each([
    ["openPositions", { positions: [] }, "shows no position and open trades in ZN"],
    ["dailyPnl", { daily: [] }, "shows trades and no day with P&L"],
    ["tradeHistory", { trades: [] }, "shows days with P&L and no trades"],
    ["totals", { totals: { USD: { realized: 0, unrealized: 0, total: 0 } } }, "realized P&L"],
    ["totals", { totals: { USD: { realized: 16, unrealized: "$0.00", total: 16 } } }, "unrealized P&L"],
  ])("panels that contradict each other count as a failure: empty %s", async (empty, answer, why) => {
    const { bridge, settled } = opened({
      legacy: (method, request) => (method === empty ? answer : desk()(method, request)),
    });
    const { value, source } = await bridge.getPnlData({});
    expect([source, value.summary]).toEqual(["legacy", null]);
    expect(value.unavailable.summary).toMatch(/^not available – legacy: /);
    expect(value.unavailable.summary).toContain(why);
    expect((await settled()).map(({ verdict }) => verdict)).toEqual(["error"]);
  });

  it("shows the last good figures as stale while a system fails, and never under another plan", async () => {
    const { bridge, clock, systems, core, raiseGeneration } = opened({
      plan: { phase: "read_only", epoch: 3 },
    });
    const good = await bridge.getPnlData({});
    systems.legacy = down;
    clock.advance(47_000);
    const stale = await bridge.getPnlData({});
    expect(stale).toEqual({
      ...good,
      stale: true,
      staleWhy: "legacy does not answer: the desk is away",
      markAge: Number(good.markAge) + 47_000,
    });
    raiseGeneration();
    expect((await bridge.getPnlData({})).value.positions).toBeNull();
    core.setPlan({ phase: "read_only", epoch: 4 });
    const changed = await bridge.getPnlData({});
    expect([changed.epoch, changed.value.positions, changed.stale]).toEqual([4, null, true]);
  });

  it("falls back to legacy only for the users of modern, and gives the reason", async () => {
    const { bridge } = opened({
      modern: down,
      plan: { phase: "dual_write", flags: allFlags, bucketBy: "user", userWhitelist: ["amy"] },
    });
    const [amy, bob] = [await bridge.getPnlData({ user: "amy" }), await bridge.getPnlData({ user: "bob" })];
    expect([amy.source, amy.fellBack, bob.source, bob.fellBack]).toEqual([
      "legacy",
      "FAILED",
      "legacy",
      undefined,
    ]);
    expect(amy.value).toEqual(bob.value);
  });

  it("routes a request without a book to legacy while modern has a part of the books", async () => {
    const { bridge, core } = opened();
    const plan = { phase: "dual_write", flags: allFlags, bucketBy: "book", userWhitelist: ["amy"] } as const;
    const sourceAt = async (newSystemPercentage: number, request = {}) => {
      core.setPlan({ ...plan, newSystemPercentage, epoch: core.plan.epoch + 1 });
      return (await bridge.getPnlData(request)).source;
    };
    expect(await sourceAt(99, { user: "bob" })).toBe("legacy");
    expect(await sourceAt(99, {})).toBe("legacy");
    expect(await sourceAt(1, { user: "amy" })).toBe("modern");
    expect(await sourceAt(100, {})).toBe("modern");
    expect(await sourceAt(100, { user: "bob" })).toBe("modern");
  });

  it("gives each user the same source in every view and at every time", async () => {
    const plan = { phase: "dual_write", flags: allFlags, bucketBy: "user", newSystemPercentage: 50 } as const;
    const { bridge, clock } = opened({ plan });
    const sources = new Map<string, Set<string>>();
    for (let round = 0; round < 3; round++) {
      for (const view of ["screen", "positions", "chart"] as const)
        for (let user = 0; user < 20; user++) {
          const { source } = await bridge.getPnlData({ view, user: `user${user}` });
          sources.set(`user${user}`, (sources.get(`user${user}`) ?? new Set()).add(source));
        }
      clock.advance(5_000);
    }
    const each = [...sources.values()].map((found) => [...found]);
    expect(each.every((found) => found.length === 1)).toBe(true);
    expect(new Set(each.flat())).toEqual(new Set(["legacy", "modern"]));
  });

  it("shows both systems with their differences if the request asks for it", async () => {
    const { bridge } = opened({ modern: desk("3") });
    const { other, value } = await bridge.getPnlData({ beside: true });
    expect(value.positions?.[0]?.quantity).toBe("2");
    expect(other).toMatchObject({ source: "modern", comparison: { verdict: "diverged" } });
    expect(other?.comparison?.fields.find(({ path }) => path === "positions[].quantity")).toMatchObject({
      legacy: "2",
      modern: "3",
      difference: "1",
    });
    const failing = opened({ modern: down });
    const { other: none } = await failing.bridge.getPnlData({ beside: true, view: "summary" });
    expect(none?.value.unavailable.summary).toBe("not available – modern: the desk is away");
    expect(none?.comparison).toBeUndefined();
  });

  it("shows all positions, and lists every difference for a viewer, but only the worst ones for the store", async () => {
    const position = (quantity: string) => (symbol: string) => ({
      ...{ symbol, quantity, averagePrice: "1", mark: "1", realized: "0", unrealized: "0" },
    });
    const many =
      (quantity: string): Answerer =>
      (method, request) =>
        method === "openPositions"
          ? { positions: Array.from({ length: 600 }, (_, at) => `S${at}`).map(position(quantity)) }
          : desk()(method, request);
    const { bridge, settled } = opened({ legacy: many("2"), modern: many("3") });
    const { value, other } = await bridge.getPnlData({ beside: true });
    expect(value.positions).toHaveLength(600);
    expect([other?.comparison?.fields.length, other?.comparison?.more]).toEqual([600, 0]);
    expect((await settled()).map(({ fields, more }) => [fields.length, more])).toEqual([[20, 580]]);
  });

  it("pages through a list without loss, even if newer rows arrive, and refuses an unknown cursor", async () => {
    let first = 300;
    const trade = (id: number) => ({ id: String(id), symbol: "ZN", side: "B", quantity: "1", price: "110" });
    const { bridge, clock } = opened({
      plan: { phase: "read_only" },
      legacy: (method, request) =>
        method === "tradeHistory"
          ? { trades: Array.from({ length: first }, (_, at) => trade(first - at)) }
          : desk()(method, request),
    });
    const ids: (string | null)[] = [];
    let cursor: string | undefined;
    do {
      const answer = await bridge.getPnlData({ view: "trades", limit: 70, ...(cursor && { cursor }) });
      ids.push(...(answer.value.trades ?? []).map(({ id }) => id));
      cursor = answer.value.cursor;
      expect([answer.truncatedAt, answer.complete]).toEqual(
        cursor === undefined ? [undefined, true] : [70, false],
      );
      first += 3;
      clock.advance(2_000);
    } while (cursor !== undefined);
    expect(ids).toEqual(Array.from({ length: 300 }, (_, at) => String(300 - at)));
    for (const unknown of ["x", "7-0123456789abcdef"])
      await expect(bridge.getPnlData({ view: "trades", cursor: unknown })).rejects.toMatchObject({
        code: "BAD_USAGE",
      });
  });

  it("limits days and trades to a day and the chart to the days up to it, and has no positions of a past day", async () => {
    const { bridge } = opened();
    const { value } = await bridge.getPnlData({ date: "2025-07-23" });
    expect(value.daily?.map(({ tradingDay }) => tradingDay)).toEqual(["2025-07-23"]);
    expect(value.summary?.day).toMatchObject({ tradingDay: "2025-07-23", totals: { USD: { total: "10" } } });
    expect([value.trades, value.positions]).toEqual([[], null]);
    expect(value.unavailable.positions).toContain("leave the date out");
  });

  it("limits trades to a trading day by the system's rule, however many newer ones there are", async () => {
    const trade = (id: number, time: string) => ({
      id: String(id),
      symbol: "ZN",
      side: "B",
      quantity: "1",
      time,
    });
    const newer = Array.from({ length: 600 }, (_, at) => trade(at + 10, "2025-07-24T10:00:00-05:00"));
    const older = [
      trade(4, "2025-07-23T22:30:00Z"),
      trade(3, "2025-07-23T17:30:00-05:00"),
      trade(2, "2025-07-23T16:30:00-05:00"),
      trade(1, "2025-07-22T17:30:00"),
      trade(0, "2025-07-22T16:30:00"),
    ];
    const legacy: Answerer = (method, request) => {
      const { limit } = request as { limit: number };
      return method === "tradeHistory"
        ? { trades: [...newer, ...older].slice(0, limit) }
        : desk()(method, request);
    };
    const { bridge } = opened({ plan: { phase: "read_only" }, legacy, dayRule: "chicago-17" });
    const { value, complete } = await bridge.getPnlData({ view: "trades", date: "2025-07-23" });
    expect([value.trades?.map(({ id }) => id), complete]).toEqual([["2", "1"], true]);
    const untold = opened({ plan: { phase: "read_only" }, legacy, dayRule: "file-name" });
    const none = (await untold.bridge.getPnlData({ view: "trades", date: "2025-07-23" })).value;
    expect([none.trades, none.unavailable.trades]).toEqual([null, expect.stringContaining("file-name")]);
  });

  it("reports a list of trades as incomplete if it has as many trades as the system was asked for", async () => {
    const trades = Array.from({ length: 100_100 }, (_, at) => ({
      ...{ id: String(at), symbol: "ZN", side: "B", quantity: "1", time: "2025-07-24T10:00:00-05:00" },
    }));
    const { bridge } = opened({
      plan: { phase: "read_only" },
      legacy: (method, request) =>
        method === "tradeHistory"
          ? { trades: trades.slice(0, (request as { limit: number }).limit) }
          : desk()(method, request),
    });
    const day = await bridge.getPnlData({ view: "trades", date: "2025-07-23" });
    expect([day.value.trades, day.complete, day.truncatedAt]).toEqual([[], false, 100_001]);
  });

  it("pages through the chart from its newest points to its oldest", async () => {
    const daily = Array.from({ length: 7 }, (_, at) => ({
      ...{ symbol: "ZN", tradingDay: `2025-07-0${at + 1}`, realized: "1", unrealized: "0", total: "1" },
    }));
    const { bridge } = opened({
      plan: { phase: "read_only" },
      legacy: (method, request) => (method === "dailyPnl" ? { daily } : desk()(method, request)),
    });
    const pages: (readonly (string | null)[])[] = [];
    let cursor: string | undefined;
    do {
      const answer = await bridge.getPnlData({ view: "chart", limit: 3, ...(cursor && { cursor }) });
      pages.push((answer.value.chart ?? []).map(({ cumulative }) => cumulative));
      cursor = answer.value.cursor;
      expect(answer.complete).toBe(cursor === undefined);
    } while (cursor !== undefined);
    expect(pages).toEqual([["5", "6", "7"], ["2", "3", "4"], ["1"]]);
  });

  it("shows no total of a currency while an unmarked position has an unknown currency", async () => {
    const position = { symbol: "TU", quantity: "1", averagePrice: "1", realized: "0", unrealized: null };
    const { bridge } = opened({
      plan: { phase: "read_only" },
      legacy: (method, request) =>
        method === "openPositions" ? { positions: [position] } : desk()(method, request),
      currencyOf: () => undefined,
    });
    const { value } = await bridge.getPnlData({ view: "summary" });
    expect(value.summary?.totals.USD).toEqual({ realized: "15.625", unrealized: null, total: null });
  });

  it("only the marks of open positions count for the age of the marks", async () => {
    const flat = { ...{ symbol: "TU", quantity: "0", averagePrice: null, mark: "1" }, markAt: "2020-01-01" };
    const { bridge, clock } = opened({
      plan: { phase: "read_only" },
      legacy: (method, request) => {
        const answer = desk()(method, request) as { positions?: JsonValue[] };
        return method === "openPositions"
          ? { positions: [...(answer.positions ?? []), { ...flat, realized: "0", unrealized: "0" }] }
          : (answer as JsonValue);
      },
    });
    const { markAge } = await bridge.getPnlData({ view: "positions" });
    expect(markAge).toBe(clock.nowMs() - Date.parse("2025-07-24T15:00:00-05:00"));
  });

  it("does not compare the figures of a book with those of all books", async () => {
    const { bridge, settled } = opened({
      legacy: desk("5"),
      legacyAllBooks: "legacy knows no books",
    });
    const { other } = await bridge.getPnlData({ book: "UST", beside: true });
    expect(other?.comparison?.verdict).toBe("not_comparable");
    expect((await settled()).map(({ verdict }) => verdict)).toEqual(["not_comparable"]);
  });

  it("asks once for all books if no system knows books", async () => {
    const { bridge, asked } = opened({ plan: { phase: "read_only" }, allBooks: "no system knows books" });
    await Promise.all(["UST", "SFR", "RX"].map((book) => bridge.getPnlData({ book })));
    expect(asked.length).toBe(4);
  });

  it("asks modern without the deadline of a comparison, because viewers share the answer", async () => {
    const released = Promise.withResolvers<void>();
    const slow: ScreenSource["read"] = async (request) => {
      await released.promise;
      return serviceScreen(
        async (method, question) => desk()(method, question),
        request,
        () => "USD",
      );
    };
    const contexts: unknown[][] = [];
    const { bridge } = opened({
      plan: { phase: "dual_write", flags: allFlags, bucketBy: "user", userWhitelist: ["amy"] },
      modernRead: async (...args) => {
        contexts.push(args);
        return slow(...args);
      },
    });
    await bridge.getPnlData({ user: "bob" });
    const amy = bridge.getPnlData({ user: "amy" });
    released.resolve();
    expect((await amy).source).toBe("modern");
    expect(contexts.map((args) => args.length)).toEqual([1]);
  });

  it("totals of zero and days of less than a cent do not contradict each other", async () => {
    const cents = { realized: "$0.00", unrealized: "$0.00", total: "$0.00" };
    const { bridge } = opened({
      plan: { phase: "read_only" },
      legacy: (method) => {
        if (method === "totals") return { totals: { USD: cents } };
        if (method === "openPositions") return { positions: [] };
        if (method === "dailyPnl")
          return {
            daily: [
              {
                ...{ symbol: "ZN", tradingDay: "2025-07-24" },
                ...{ realized: "0.000000000000005", unrealized: "0", total: "0.000000000000005" },
              },
            ],
          };
        return {
          trades: ["B", "S"].map((side) => ({ id: side, symbol: "ZN", side, quantity: "1", price: "1" })),
        };
      },
    });
    expect((await bridge.getPnlData({})).value.summary?.totals.USD?.total).toBe("0");
  });

  it("asks for all books if a system cannot select the book, and gives the reason", async () => {
    const { bridge } = opened({ allBooks: "legacy knows no books" });
    expect((await bridge.getPnlData({ book: "UST" })).allBooks).toBe("legacy knows no books");
    expect((await bridge.getPnlData({})).allBooks).toBeUndefined();
  });

  it("passes the refusal of a request on to the caller", async () => {
    const { bridge } = opened({
      plan: { phase: "read_only" },
      legacy: () => {
        throw new SystemFailure("REFUSED", "the book is not text", { code: "BAD_REQUEST" });
      },
    });
    await expect(bridge.getPnlData({})).rejects.toThrow("the book is not text");
  });
});

describe("the controllers of the desk's own dashboards", () => {
  const v1: Record<string, JsonValue> = {
    get_summary_stats: {
      ...{ total_pnl: "$46.88", total_realized: "$15.63", total_unrealized: "$31.25", today_pnl: "$999.99" },
      position_count: 1,
    },
    get_position_summary: [
      {
        ...{ instrument: "ZN", net_position: 2, avg_price: "110.5156", last_price: "110.5313" },
        ...{ realized_pnl: "15.625", unrealized_pnl: "31.25", total_pnl: "46.875" },
      },
    ],
    get_daily_pnl_summary: [
      {
        ...{ date: "2025-07-24", trade_count: 1, realized_pnl: "15.625", unrealized_pnl: "31.25" },
        total_pnl: "46.875",
      },
    ],
    get_trade_history: [
      { trade_id: "--- trades_20250724.csv ---", is_header: true },
      {
        ...{ trade_id: 1, instrument: "ZN", timestamp: "2025-07-24 10:01:00", side: "BUY", quantity: 2 },
        price: "110.5000",
      },
    ],
  };
  const v2: Record<string, JsonValue> = {
    get_summary_metrics: {
      ...{ total_historic_pnl: "$31.25", total_realized_pnl: "$0.00", total_unrealized_pnl: "$-1,234.50" },
      open_positions: 1,
    },
    get_positions_data: {
      data: [
        {
          ...{ Instrument: "ZN", Position: 2, "Avg Price": "110.5", "Last Price": "N/A" },
          ...{ "Realized P&L": "15.625", "Unrealized P&L": "-1234.5", "Total P&L": "-1218.875" },
        },
      ],
      count: 1,
    },
    get_daily_pnl_data: {
      data: [{ Date: "2025-07-24", "Daily Realized Δ": "15.625", "EOD Unrealized": "-1234.5" }],
    },
    get_trades_data: {
      data: [
        { Date: "2025-07-24", Time: "10:01:00", Symbol: "ZN", Type: "BUY", Quantity: 2, Price: "110.5" },
      ],
    },
  };
  const screenOf = (controller: "v1" | "v2", answers: Record<string, JsonValue>, asked: string[] = []) =>
    controllerScreen(
      async (method) => {
        asked.push(method);
        return answers[method] ?? null;
      },
      { trades: 501 },
      { controller, currencyOf: () => "USD" },
    );

  it.each([
    ["v1", v1],
    ["v2", v2],
  ] as const)("only reading methods of %s are called", async (controller, answers) => {
    const asked: string[] = [];
    await screenOf(controller, answers, asked);
    expect(asked.toSorted()).toEqual([...controllerReads[controller]].toSorted());
    expect(asked.every((name) => name.startsWith("get_"))).toBe(true);
  });

  it("figures are exact, and a figure with a known defect is missing with the defect as its reason", async () => {
    const first = await screenOf("v1", v1);
    expect(first).toMatchObject({
      summary: {
        totals: { USD: { realized: "15.63", unrealized: "31.25", total: "46.88" } },
        openPositions: "1",
      },
      positions: [{ symbol: "ZN", quantity: "2", averagePrice: null, mark: "110.5313", total: "46.875" }],
      daily: [{ tradingDay: "2025-07-24", realized: "15.625", total: null }],
      trades: [{ id: "1", side: "B", time: "2025-07-24T10:01:00", price: "110.5" }],
      chart: null,
    });
    expect(first.unavailable).toMatchObject({
      "positions[ZN].averagePrice": expect.stringContaining("average price of the day"),
      "daily[2025-07-24].total": expect.stringContaining("level"),
    });
    const second = await screenOf("v2", v2);
    expect(second).toMatchObject({
      summary: { totals: { USD: { realized: null, unrealized: "-1234.5", total: null } } },
      positions: [{ quantity: "2", averagePrice: "110.5", mark: null, unrealized: "-1234.5" }],
      trades: [{ id: null, symbol: "ZN", side: "B", quantity: "2" }],
      uncompared: ["trades"],
    });
  });

  it.each([
    ["an answer without cards", { get_summary_stats: {} }, "without cards"],
    ["an error instead of rows", { get_position_summary: "Error updating positions" }, "not a list of rows"],
  ])("%s is a failure of the desk", async (_, broken, why) => {
    await expect(screenOf("v1", { ...v1, ...broken })).rejects.toThrow(why);
  });

  it("a figure with a known defect of the desk is not comparable, and counts as no difference", async () => {
    const read: ScreenSource["read"] = () => screenOf("v2", { ...v2 });
    const { bridge, settled } = opened({
      read,
      modern: (method) => {
        const figures = { realized: "15.625", unrealized: "-1234.5", total: "-1218.875" };
        if (method === "totals") return { totals: { USD: figures } };
        if (method === "dailyPnl") return { daily: [{ symbol: "ZN", tradingDay: "2025-07-24", ...figures }] };
        if (method === "openPositions")
          return { positions: [{ symbol: "ZN", quantity: "2", averagePrice: "110.5", ...figures }] };
        return { trades: [{ id: "1", symbol: "ZN", side: "B", quantity: "2", price: "110.5" }] };
      },
    });
    const { source, value } = await bridge.getPnlData({ view: "summary" });
    expect([source, value.summary?.totals.USD?.unrealized]).toEqual(["legacy", "-1234.5"]);
    const [comparison] = await settled();
    expect(comparison?.verdict).toBe("not_comparable");
    expect(comparison?.fields.every(({ verdict }) => verdict === "not_comparable")).toBe(true);
  });
});
