import { once } from "node:events";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createPnlBridge } from "../../src/app/bridge/pnl-bridge.ts";
import { parseConfig } from "../../src/config/index.ts";
import { SystemFailure } from "../../src/domain/migration/system-failure.ts";
import { startGateway } from "../../src/surfaces/gateway/index.ts";
import { allFlags } from "../../src/testing/fleet.ts";
import { until } from "../../src/testing/until.ts";
import { openRelay } from "../page/relay.ts";
import { ask, desk, listen } from "./desk.ts";

type Stream = Awaited<ReturnType<typeof listen>>;
const named = (name: string, { events }: Stream) => events.filter(({ event }) => event === name);
const kinds = ({ events }: Stream): string[] =>
  events.map(({ event }) => event).filter((event) => event !== "beat");
/** Whether each event of a stream has the number after that of the event before it. */
const isGapFree = ({ events }: Stream): boolean =>
  events.every(({ data }, at) => at === 0 || data.seq === Number(events[at - 1]?.data.seq) + 1);

const position = { symbol: "TYU5", quantity: "2", averagePrice: "110.5", realized: "0", unrealized: "31.25" };
/** A system with one position, whose mark a test moves. */
const marking = (world: { mark: string | undefined }) => (method: string) => ({
  totals: { USD: { realized: "1", unrealized: "31.25", total: "32.25" } },
  positions: [
    { ...position, symbol: "TUU5" },
    ...(world.mark === undefined
      ? []
      : [{ ...position, mark: world.mark, markAt: "2025-07-24T15:00:00-05:00" }]),
  ],
  daily: [{ symbol: "TYU5", tradingDay: "2025-07-24", realized: "1", unrealized: "31.25", total: "32.25" }],
  trades: [{ id: "1", symbol: "TUU5", side: "B", quantity: "2", price: "110.5" }],
  method,
});

describe("GET /api/v1/events", () => {
  it("sends the state, then each change, each comparison that is not equal, and beats", async () => {
    const { url, emit } = await desk({
      legacy: (method) => ({ totals: {}, positions: [], method }),
      modern: (method) => ({
        totals: method === "totals" ? { USD: { total: "1" } } : {},
        positions: [],
        method,
      }),
      limits: { events: { beatMs: 50 } },
    });
    const some = await listen(`${url}/api/v1/events`);
    const all = await listen(`${url}/api/v1/events?comparisons=all`);
    emit({ kind: "plan", what: "phase dual_write", epoch: 4 });
    emit({ kind: "freshness", what: "stale", epoch: 4 });
    await ask(`${url}/api/v1/pnl/openPositions`, "POST", {});
    await ask(`${url}/api/v1/pnl/totals`, "POST", {});
    await until(() => kinds(all).length === 5 && kinds(some).length === 4);
    await until(() => named("beat", some).length > 2);
    expect(kinds(some)).toEqual(["hello", "plan", "freshness", "comparison"]);
    expect(some.events[0]?.data).toEqual({
      seq: expect.any(Number),
      now: expect.any(String),
      epoch: 1,
      phase: "shadow_mode",
      useNewPnlSystem: true,
      freshness: "fresh",
    });
    expect(named("beat", some)[0]?.data).toEqual({
      seq: expect.any(Number),
      now: expect.stringMatching(/^\d{4}-.*Z$/),
      epoch: 1,
    });
    expect(named("comparison", some)[0]?.data).toMatchObject({ method: "totals", verdict: "diverged" });
    expect([isGapFree(some), isGapFree(all)]).toEqual([true, true]);
    some.close();
    all.close();
    await Promise.all([some.ended, all.ended]);
  });

  it("sends a limited number of comparisons between two beats, and the beat counts the others", async () => {
    const { url, service } = await desk({
      legacy: () => ({ totals: {} }),
      modern: () => ({ totals: { USD: { total: "1" } } }),
      limits: { events: { beatMs: 60_000, comparisonsMax: 3 } },
    });
    const stream = await listen(`${url}/api/v1/events`);
    for (let call = 0; call < 5; call++) await service.call("totals", {});
    await service.idle();
    await until(() => named("comparison", stream).length === 3);
    await ask(`${url}/healthz`);
    expect([named("comparison", stream).length, isGapFree(stream)]).toEqual([3, true]);
    stream.close();

    const quick = await desk({
      legacy: () => ({ totals: {} }),
      modern: () => ({ totals: { USD: { total: "1" } } }),
      limits: { events: { beatMs: 100, comparisonsMax: 0 } },
    });
    const beats = await listen(`${quick.url}/api/v1/events`);
    for (let call = 0; call < 5; call++) await quick.service.call("totals", {});
    const skipped = () => named("beat", beats).reduce((sum, { data }) => sum + Number(data.skipped ?? 0), 0);
    await until(() => skipped() === 5);
    beats.close();
  });

  it("sends the changed positions and marks of a book that a client has asked for, once for each answer of the system", async () => {
    const world: { mark: string | undefined } = { mark: "110.5" };
    const { url } = await desk({
      legacy: marking(world),
      plan: { phase: "read_only", epoch: 5 },
      limits: { lookMs: 20, events: { beatMs: 50 } },
    });
    const stream = await listen(`${url}/api/v1/events`);
    await until(() => named("beat", stream).length > 0);
    expect(named("positions", stream)).toEqual([]);
    await ask(`${url}/api/v1/dashboard?book=UST`);
    await until(() => named("positions", stream).length > 0);
    const [first] = named("positions", stream);
    expect(first?.data).toMatchObject({
      source: "legacy",
      book: "UST",
      epoch: 5,
      stale: false,
      rows: [{ symbol: "TUU5" }, { symbol: "TYU5", mark: "110.5" }],
      removed: [],
    });
    world.mark = "110.53125";
    await until(() => named("marks", stream).length > 1);
    expect(named("marks", stream)[1]?.data).toMatchObject({
      source: "legacy",
      marks: [{ symbol: "TYU5", mark: "110.53125", markAt: "2025-07-24T15:00:00-05:00" }],
    });
    const changed = named("positions", stream).filter(({ data }) => JSON.stringify(data.rows) !== "[]");
    expect(changed[1]?.data).toMatchObject({ rows: [{ symbol: "TYU5", mark: "110.53125" }], removed: [] });
    world.mark = undefined;
    const isRemoved = ({ data }: { data: Record<string, unknown> }) => JSON.stringify(data.removed) !== "[]";
    await until(() => named("positions", stream).some(isRemoved));
    expect(named("positions", stream).find(isRemoved)?.data).toMatchObject({
      rows: [],
      removed: [{ symbol: "TYU5" }],
    });
    const answers = named("positions", stream).map(({ data }) => data.asOf);
    expect(new Set(answers).size).toBe(answers.length);
    expect(isGapFree(stream)).toBe(true);
    stream.close();
  });

  it("says that positions are stale while their system fails, although the connection is alive", async () => {
    const world = { mark: "110.5" };
    let isDown = false;
    const { url } = await desk({
      plan: { phase: "read_only" },
      limits: { lookMs: 100 },
      legacy: (method) => {
        if (isDown) throw new Error("the desk is away");
        return marking(world)(method);
      },
    });
    const stream = await listen(`${url}/api/v1/events`);
    const { body } = await ask(`${url}/api/v1/dashboard`);
    isDown = true;
    const isStale = ({ data }: { data: Record<string, unknown> }) => data.stale === true;
    await until(() => named("positions", stream).some(isStale));
    const stale = named("positions", stream).find(isStale)?.data;
    expect(stale).toMatchObject({
      source: "legacy",
      removed: [],
      staleWhy: expect.stringContaining("the desk is away"),
    });
    const later = (await ask(`${url}/api/v1/dashboard`)).body;
    expect([later.value, later.stale, later.asOf >= body.asOf]).toEqual([body.value, true, true]);
    isDown = false;
    await until(async () => (await ask(`${url}/api/v1/dashboard`)).body.stale === false);
    stream.close();
  });

  it("says that positions are not available, and sends all rows again afterwards", async () => {
    const nothing = { totals: {}, positions: [], daily: [], trades: [] };
    let isEmpty = false;
    const { url } = await desk({
      ...{ plan: { phase: "read_only" }, limits: { lookMs: 100 } },
      legacy: (method) => (isEmpty ? nothing : marking({ mark: "110.5" })(method)),
    });
    const stream = await listen(`${url}/api/v1/events`);
    await ask(`${url}/api/v1/dashboard`);
    const withRows = () => named("positions", stream).filter(({ data }) => (data.rows as []).length > 0);
    await until(() => withRows().length === 1);
    isEmpty = true;
    const isGone = ({ data }: { data: Record<string, unknown> }) => data.unavailable !== undefined;
    await until(() => named("positions", stream).some(isGone));
    expect(named("positions", stream).find(isGone)?.data).toMatchObject({
      ...{ rows: [], removed: [] },
      unavailable: expect.stringContaining("nothing but zeros"),
    });
    isEmpty = false;
    await until(() => withRows().length === 2);
    expect(withRows()[1]?.data.rows).toEqual(withRows()[0]?.data.rows);
    stream.close();
  });

  it("sends the positions of other books and the databases while one book is refused or answers late", async () => {
    const late = Promise.withResolvers<void>();
    let isBad = false;
    const { url } = await desk({
      ...{ plan: { phase: "read_only" }, limits: { lookMs: 100 } },
      legacy: async (method, request) => {
        const { book } = request as { book?: string };
        if (isBad && book === "REFUSED") throw new SystemFailure("REFUSED", "no", { code: "BAD_REQUEST" });
        if (isBad && book === "LATE") await late.promise;
        return marking({ mark: "110.5" })(method);
      },
    });
    const stream = await listen(`${url}/api/v1/events`);
    for (const book of ["REFUSED", "LATE", "UST"]) await ask(`${url}/api/v1/dashboard?book=${book}`);
    const ofBook = (book: string) => named("positions", stream).filter(({ data }) => data.book === book);
    await until(() => ofBook("LATE").length > 0 && ofBook("REFUSED").length > 0);
    isBad = true;
    const before = ofBook("UST").length;
    await until(() => ofBook("UST").length > before + 3);
    late.resolve();
    stream.close();
  });

  it("distinguishes viewers for whom legacy answers instead of modern from viewers whom the plan gives to legacy", async () => {
    const plan = { phase: "dual_write", flags: allFlags, bucketBy: "user", userWhitelist: ["amy"] } as const;
    const { url } = await desk({
      ...{ plan, legacy: marking({ mark: "110.5" }), limits: { lookMs: 100 } },
      modern: () => {
        throw new Error("modern is away");
      },
    });
    const stream = await listen(`${url}/api/v1/events`);
    const [amy, bob] = await Promise.all(
      ["amy", "bob"].map((user) => ask(`${url}/api/v1/dashboard`, "GET", undefined, { "x-pnl-user": user })),
    );
    expect([amy?.body.fellBack, bob?.body.fellBack]).toEqual(["FAILED", undefined]);
    const first = (isFallback: boolean) =>
      named("positions", stream).find(({ data }) => (data.fellBack !== undefined) === isFallback)?.data;
    await until(() => first(true) !== undefined && first(false) !== undefined);
    expect([first(true)?.source, first(false)?.source]).toEqual(["legacy", "legacy"]);
    expect(first(true)?.rows).toEqual(first(false)?.rows);
    stream.close();
  });

  it("a row that a ledger gains reaches the stream with its position and mark, from real files", async () => {
    const folder = await mkdtemp(join(tmpdir(), "pnl-bridge-events-"));
    const file = join(folder, "trades_20250724.csv");
    const row = (id: number, price: string) =>
      `${id},XCMEFFDPSX20250919U0ZN,2025-07-24 0${id}:30:00.000,B,1,${price}\n`;
    await writeFile(
      file,
      `tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n${row(1, "110.5")}`,
    );
    const bridge = await createPnlBridge({
      config: parseConfig(`watch: { trade_ledger: ${folder} }`, "desk.yaml"),
    });
    const gateway = await startGateway({
      ...{ host: "127.0.0.1", port: 0, tokens: [], allowedHosts: [], localActor: "amy", rateLimitPerS: 0 },
      ...{ bridge, limits: { leaveMs: 0, lookMs: 100 } },
    });
    const stream = await listen(`${gateway.url}/api/v1/events`);
    await ask(`${gateway.url}/api/v1/dashboard?book=UST`);
    await until(() => named("positions", stream).length > 0);
    await appendFile(file, row(2, "111"));
    const isGrown = ({ data }: { data: Record<string, unknown> }) =>
      /"quantity":"2"/.test(JSON.stringify(data));
    await until(() => named("positions", stream).some(isGrown));
    expect(named("positions", stream).find(isGrown)?.data).toMatchObject({
      source: "legacy",
      rows: [{ symbol: "XCMEFFDPSX20250919U0ZN", averagePrice: "110.75" }],
    });
    stream.close();
    await gateway.close();
    await bridge.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("sends what the databases owe each other, and their state, when a count changes", async () => {
    const database = {
      latest: {
        shouldBe: "legacy",
        authority: "legacy",
        step: "",
        epoch: 1,
        mode: "dual_write",
        owed: { toLegacy: { count: 0, oldestMs: 0 }, toModern: { count: 2, oldestMs: 40 } },
        modernAway: null,
        olderCopy: null,
        parked: [],
        lastReconcile: null,
        quarantine: 0,
        reviews: 1,
        foreignRows: null,
        backfill: null,
        canGoBack: { now: true, why: "" },
      },
    };
    const { url } = await desk({
      database: database as never,
      limits: { lookMs: 50, events: { beatMs: 50 } },
    });
    const stream = await listen(`${url}/api/v1/events`);
    await until(() => named("database", stream).length === 1);
    database.latest.owed.toModern = { count: 2, oldestMs: 900 };
    await until(() => named("beat", stream).length > 2);
    database.latest.owed.toModern = { count: 3, oldestMs: 1_900 };
    await until(() => named("owed", stream).length === 2);
    expect(named("owed", stream).map(({ data }) => data.toModern)).toEqual([
      { count: 2, oldestMs: 40 },
      { count: 3, oldestMs: 1_900 },
    ]);
    expect(named("database", stream).map(({ data }) => data)).toEqual([
      expect.objectContaining({ authority: "legacy", mode: "dual_write", parked: 0, reviews: 1 }),
    ]);
    stream.close();
  });

  it("continues the numbers in a new stream, so a client sees how many events it missed while disconnected", async () => {
    const { url, emit } = await desk({ limits: { events: { beatMs: 60_000 } } });
    await using relay = await openRelay(url);
    const tell = (epoch: number): void => emit({ kind: "plan", what: "a change", epoch });
    const first = await listen(`${relay.url}/api/v1/events`);
    for (let epoch = 1; epoch <= 3; epoch++) tell(epoch);
    await until(() => first.events.length === 4);
    const last = Number(first.events.at(-1)?.data.seq);
    relay.stall();
    for (let epoch = 4; epoch <= 6; epoch++) tell(epoch);
    await sleep(50);
    expect(first.events.length).toBe(4);
    relay.heal();
    await first.ended;
    const second = await listen(`${relay.url}/api/v1/events`);
    await until(() => second.events.length === 1);
    expect(second.events[0]).toMatchObject({ event: "hello", data: { seq: last + 3 } });
    tell(7);
    await until(() => second.events.length === 2);
    expect([isGapFree(first), isGapFree(second)]).toEqual([true, true]);
    second.close();
  });

  it("cuts off and counts a client that does not read, without delaying others", async () => {
    const { url, emit } = await desk({ limits: { events: { waitingBytesMax: 100_000, beatMs: 60_000 } } });
    const slow = connect(Number(new URL(url).port), "127.0.0.1");
    slow.on("error", () => {});
    slow.write("GET /api/v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    await once(slow, "readable");
    const quick = await listen(`${url}/api/v1/events`);
    const metric = async (name: string) =>
      Number(new RegExp(`^${name} (\\d+)$`, "m").exec((await ask(`${url}/metrics`)).text)?.[1]);
    expect(await metric("pnl_bridge_event_streams")).toBe(2);
    let sent = 0;
    for (
      ;
      sent < 2_000 && (sent % 100 !== 0 || (await metric("pnl_bridge_event_streams_dropped_total")) === 0);
      sent++
    ) {
      emit({ kind: "plan", what: "x".repeat(10_000), epoch: sent });
      await sleep(1);
    }
    expect(await metric("pnl_bridge_event_streams_dropped_total")).toBe(1);
    await until(() => kinds(quick).length === sent + 1);
    expect(isGapFree(quick)).toBe(true);
    expect(await metric("pnl_bridge_event_streams")).toBe(1);
    slow.destroy();
    quick.close();
  });

  it("keeps nothing of a client that has gone, however many come and go", async () => {
    const { url } = await desk({ limits: { events: { clientsMax: 8 } } });
    const metric = async () =>
      /^pnl_bridge_event_streams (\d+)$/m.exec((await ask(`${url}/metrics`)).text)?.[1];
    for (let round = 0; round < 5; round++) {
      const streams = await Promise.all(Array.from({ length: 8 }, () => listen(`${url}/api/v1/events`)));
      for (const stream of streams) stream.close();
      await Promise.all(streams.map(({ ended }) => ended));
      await until(async () => (await metric()) === "0");
    }
  });

  it("refuses a client beyond the limit with retry-after", async () => {
    const { url } = await desk({ limits: { events: { clientsMax: 1 } } });
    const first = await listen(`${url}/api/v1/events`);
    const refused = await ask(`${url}/api/v1/events`);
    expect(refused).toMatchObject({ status: 503, body: { code: "BUSY" } });
    expect(refused.headers.get("retry-after")).toBe("1");
    first.close();
    await first.ended;
  });
});
