import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isLongRun } from "../../../test/campaigns.ts";
import { systemClock } from "../../adapters/host/index.ts";
import { holdSqliteRecordStore, openSqliteRecordStore } from "../../adapters/sqlite/index.ts";
import { databaseTools as tools } from "../../app/database/open.ts";
import { otherSide, type Side } from "../../domain/migration/phase.ts";
import { planOf } from "../../domain/migration/plan.ts";
import { openDatabase } from "../../legacy-desk/database.ts";
import type { RecordStore } from "../../ports/record-store.ts";
import type { BridgedSystem } from "../../ports/system.ts";
import { positionRecord, tradeRecord } from "../../testing/records.ts";
import { until } from "../../testing/until.ts";
import { PnLServiceBridge } from "../service/index.ts";
import { Cutover, type CutoverOptions, type CutoverReport, recoverFences } from "./cutover.ts";
import { DatabaseBridge, type Direction } from "./database-bridge.ts";

let folder: string;
let paths: Readonly<Record<Side, string>>;
let wanted: Direction;
const closers: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-cutover-"));
  paths = { legacy: join(folder, "pnl_tracker.db"), modern: join(folder, "newpnl.db") };
  openDatabase(paths.legacy, { journal: "wal", busyTimeoutMs: 5_000 }).close();
  wanted = { authority: "legacy", mirrors: true };
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true });
});

type Pair = Record<Side, RecordStore>;

const isDead = (holder: string): boolean => holder.startsWith("dead");

async function openPair(): Promise<Pair> {
  const open = (side: Side) =>
    openSqliteRecordStore(paths[side], { side, authority: "legacy", busyMsMax: 3_000 });
  return { legacy: await open("legacy"), modern: await open("modern") };
}

async function openBridge(): Promise<DatabaseBridge> {
  const bridge = new DatabaseBridge({
    stores: await openPair(),
    tools,
    clock: systemClock,
    draw: () => 0,
    direction: () => wanted,
    lease: { name: "bridge", lastsMs: 3_000, isDead },
    keepsMs: 1_000_000,
    onEvent: () => {},
  });
  closers.push(() => bridge.close());
  return bridge;
}

async function openLadder(change: Partial<CutoverOptions> = {}): Promise<Cutover> {
  const stores = change.stores ?? (await openPair());
  closers.push(() => Promise.all(Object.values(stores).map((store) => store.close())));
  return new Cutover({
    stores,
    holdLegacy: (lastsMs) =>
      holdSqliteRecordStore(paths.legacy, { side: "legacy", authority: "legacy", busyMsMax: 3_000, lastsMs }),
    clock: systemClock,
    lease: { name: "ladder", lastsMs: 3_000, isDead },
    budgetMs: 60_000,
    drainMsMax: 60_000,
    lastReconcile: async () => ({ atMs: Date.now(), ok: true, position: 0 }),
    importForeign: async () => 0,
    onRung: () => {},
    ...change,
  });
}

/** The trades and fences of both files, read on connections of their own. */
function seen(side: Side) {
  const database = new Database(paths[side], { readonly: true });
  try {
    const table = side === "legacy" ? "processed_trades" : "newpnl_trades";
    return {
      trades: database.prepare(`SELECT trade_id FROM ${table} ORDER BY trade_id`).pluck().all(),
      fence: database.prepare("SELECT epoch, authority, step FROM pnlb_fence").get(),
    };
  } finally {
    database.close();
  }
}

const fences = () => [seen("legacy").fence, seen("modern").fence];

it("the authority moves to modern and back during writes, and no acknowledged write is lost", async () => {
  const bridge = await openBridge();
  const acknowledged: string[] = [];
  let isOver = false;
  const writer = (async () => {
    for (let id = 1; !isOver; id++) {
      for (;;) {
        const answer = await bridge.write([tradeRecord(id), positionRecord(String(id))], {
          idempotencyKey: `trade ${id}`,
        });
        if (answer.kind === "acknowledged") break;
        expect(answer).toMatchObject({ code: "DRAINING" });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      acknowledged.push(String(id));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  await until(() => acknowledged.length > 5);
  const moves = isLongRun("db-pairs")
    ? (["modern", "legacy", "modern"] as const)
    : (["modern", "legacy"] as const);
  for (const side of moves) {
    const ladder = await openLadder();
    wanted = { authority: side, mirrors: true };
    expect(await ladder.to(side)).toMatchObject({ moved: true, authority: side, failed: null });
    const before = acknowledged.length;
    await until(() => acknowledged.length > before + 5);
  }
  isOver = true;
  await writer;
  // A caller who does not know the answer of a write sends it again, whichever store is then authoritative.
  for (const id of ["1", acknowledged.at(-1) ?? ""])
    expect(
      await bridge.write([tradeRecord(Number(id)), positionRecord(id)], { idempotencyKey: `trade ${id}` }),
    ).toEqual({ kind: "acknowledged", version: Number(id), mirror: "pending" });
  expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
  expect(seen("legacy").trades).toEqual(acknowledged.toSorted());
  expect(seen("modern").trades).toEqual(acknowledged.toSorted());
  expect(fences()).toEqual(Array(2).fill({ epoch: 1 + moves.length, authority: moves.at(-1), step: "" }));
});

it("answers of legacy are stale while legacy lacks writes, and no longer", async () => {
  const bridge = await openBridge();
  const system = (name: string): BridgedSystem => ({
    ...{ name, kind: "module", methods: undefined },
    invoke: async () => ({}),
    close: async () => {},
  });
  const service = new PnLServiceBridge(
    {
      legacy: system("legacy"),
      modern: system("modern"),
      plan: planOf({ phase: "shadow_mode", flags: {} }),
      owed: bridge,
    },
    { clock: systemClock, load: { overload: () => undefined }, draw: () => 1 },
  );
  let keys = 0;
  const write = async (side: Side) => {
    expect(
      await bridge.write([positionRecord(String(++keys))], { idempotencyKey: `write ${keys}` }),
    ).toMatchObject({
      kind: "acknowledged",
    });
    return seen(side).fence;
  };
  const ask = () => service.call("totals", {});
  const moved = async (side: Side) => {
    wanted = { authority: side, mirrors: true };
    expect(await (await openLadder()).to(side)).toMatchObject({ moved: true });
  };
  await write("legacy");
  expect(await ask()).toMatchObject({ source: "legacy", stale: false });
  await moved("modern");
  wanted = { authority: "modern", mirrors: false };
  await write("modern");
  await write("modern");
  // Both writes count at once, and after a count. A write during a count may count twice.
  for (let look = 0; look < 2; look++) {
    expect(bridge.owedToLegacy().count).toBeGreaterThanOrEqual(2);
    await bridge.countOwed();
  }
  await until(() => bridge.owedToLegacy().count === 2);
  const { oldestMs } = bridge.owedToLegacy();
  await until(() => bridge.owedToLegacy().oldestMs > oldestMs);
  expect(await ask()).toMatchObject({ source: "legacy", stale: true, staleMs: expect.any(Number) });
  // The relay delivers them, and nobody asks the bridge to drain.
  wanted = { authority: "modern", mirrors: true };
  await until(() => bridge.owedToLegacy().count === 0);
  expect(await ask()).toMatchObject({ source: "legacy", stale: false });
  await write("modern");
  await moved("legacy");
  await write("legacy");
  await until(() => bridge.owedToLegacy().count === 0);
  await write("legacy");
  expect(bridge.owedToLegacy()).toEqual({ count: 0, oldestMs: 0 });
  expect(await ask()).toMatchObject({ source: "legacy", stale: false });
});

it("the move waits while another process searches for the desk's rows, and does not hold legacy's lock meanwhile", async () => {
  const stores = await openPair();
  const reader = { name: "backfill", holder: "a reader" };
  await stores.modern.call("lease", { ...reader, nowMs: Date.now(), lastsMs: 60_000 });
  const rungs: string[] = [];
  const moved = (await openLadder({ stores, onRung: (rung) => void rungs.push(rung) })).to("modern");
  await until(() => rungs.includes("drain"));
  for (const _ of [1, 2, 3]) await stores.legacy.call("owed", { nowMs: 0 });
  expect(rungs).not.toContain("hold");
  await stores.modern.call("release", reader);
  expect(await moved).toMatchObject({ moved: true, failed: null });
});

describe("a rung of the cut-over fails, and everything stays as before, if", () => {
  const refusals: readonly [string, Partial<CutoverOptions>, Partial<CutoverReport>][] = [
    [
      "the databases were never reconciled",
      { lastReconcile: async () => null },
      { failed: { rung: "drain", why: expect.stringContaining("never reconciled") } },
    ],
    [
      "the last reconciliation found breaks",
      { lastReconcile: async () => ({ atMs: Date.now(), ok: false, position: 0 }) },
      { failed: { rung: "drain", why: expect.stringContaining("found breaks") } },
    ],
    [
      "the last reconciliation is old",
      { lastReconcile: async () => ({ atMs: Date.now() - 16 * 60_000, ok: true, position: 0 }) },
      { failed: { rung: "drain", why: expect.stringContaining("15 minutes") } },
    ],
    [
      "rows of legacy's own programs wait for a decision",
      { importForeign: async () => 2 },
      { failed: { rung: "carry", why: expect.stringContaining("2 rows") } },
    ],
  ];

  it.each(refusals)("%s", async (_, change, expected) => {
    const bridge = await openBridge();
    await bridge.write([tradeRecord(1)], { idempotencyKey: "one" });
    await bridge.drain({ timeoutMs: 60_000 });
    const ladder = await openLadder(change);
    expect(await ladder.to("modern")).toMatchObject({ moved: false, authority: "legacy", ...expected });
    expect(fences()).toEqual(Array(2).fill({ epoch: 1, authority: "legacy", step: "" }));
    expect(await bridge.write([tradeRecord(2)], { idempotencyKey: "two" })).toMatchObject({
      kind: "acknowledged",
    });
  });

  it.each([
    [
      "a row of the mirror was changed by somebody else since the last reconciliation",
      "modern",
      "UPDATE newpnl_trades SET price = '1'",
      "differ",
    ],
    [
      "the reverse path is broken: legacy refuses a write",
      "modern",
      "CREATE TRIGGER no BEFORE INSERT ON processed_trades BEGIN SELECT RAISE(ABORT, 'no'); END",
      "cannot come back",
    ],
  ] as const)("%s", async (_, _side, sql, why) => {
    const bridge = await openBridge();
    await bridge.write([tradeRecord(1)], { idempotencyKey: "one" });
    await bridge.drain({ timeoutMs: 60_000 });
    const foreign = new Database(paths[sql.includes("newpnl") ? "modern" : "legacy"]);
    foreign.exec(sql);
    foreign.close();
    const report = await (await openLadder()).to("modern");
    expect(report).toMatchObject({ moved: false, authority: "legacy" });
    expect(report.failed?.why).toContain(why);
    expect(fences()).toEqual(Array(2).fill({ epoch: 1, authority: "legacy", step: "" }));
  });

  it("legacy's write lock is kept by another program for longer than the wait", async () => {
    const bridge = await openBridge();
    await bridge.write([tradeRecord(1)], { idempotencyKey: "one" });
    await bridge.drain({ timeoutMs: 60_000 });
    const foreign = new Database(paths.legacy);
    const ladder = await openLadder({
      holdLegacy: async (lastsMs) => {
        foreign.exec("BEGIN IMMEDIATE");
        return holdSqliteRecordStore(paths.legacy, {
          side: "legacy",
          authority: "legacy",
          busyMsMax: 50,
          lastsMs,
        }).finally(() => foreign.exec("ROLLBACK"));
      },
    });
    expect(await ladder.to("modern")).toMatchObject({ moved: false, failed: { rung: "hold" } });
    foreign.close();
    expect(fences()).toEqual(Array(2).fill({ epoch: 1, authority: "legacy", step: "" }));
  });

  it("the budget ends while the lock is held", async () => {
    const bridge = await openBridge();
    await bridge.write([tradeRecord(1)], { idempotencyKey: "one" });
    await bridge.drain({ timeoutMs: 60_000 });
    const ladder = await openLadder({
      budgetMs: 20,
      importForeign: () => new Promise((resolve) => setTimeout(() => resolve(0), 200)),
    });
    const report = await ladder.to("modern");
    expect(report).toMatchObject({ moved: false, authority: "legacy" });
    expect(report.failed?.why).toContain("longer than the budget");
  });
});

it.each([
  ["legacy", "legacy's database is an older copy"],
  ["modern", "modern's database is an older copy"],
] as const)(
  "a copy of the store of %s from before the cut-over is refused, and takes no write",
  async (side, why) => {
    const bridge = await openBridge();
    await bridge.write([tradeRecord(1)], { idempotencyKey: "one" });
    await bridge.drain({ timeoutMs: 60_000 });
    const copy = `${paths[side]}.copy`;
    const source = new Database(paths[side]);
    source.exec(`VACUUM INTO '${copy}'`);
    source.close();
    const stores = await openPair();
    expect(await (await openLadder({ stores })).to("modern")).toMatchObject({ moved: true });
    await Promise.all(Object.values(stores).map((store) => store.close()));
    wanted = { authority: "modern", mirrors: true };
    await bridge.close();
    for (const end of ["", "-wal", "-shm"]) rmSync(`${paths[side]}${end}`, { force: true });
    renameSync(copy, paths[side]);
    const restored = await openBridge();
    await expect(recoverFences(await openPair(), 0)).rejects.toThrow(why);
    expect(await restored.write([tradeRecord(2)], { idempotencyKey: "two" })).toMatchObject({
      kind: "refused",
      code: "DRAINING",
    });
  },
);

/**
 * Returns a pair whose process dies at one call, before or after the call has its effect: that call and all
 * later ones fail.
 */
function dying(
  stores: Pair,
  at: number,
  isAfter: boolean,
): { readonly pair: Pair; readonly calls: () => number } {
  let calls = 0;
  const over = (store: RecordStore): RecordStore => ({
    side: store.side,
    close: () => store.close(),
    call: async (name, given) => {
      calls += 1;
      if (calls > at || (calls === at && !isAfter)) throw new Error("the process is dead");
      const answer = await store.call(name, given);
      if (calls === at) throw new Error("the process is dead");
      return answer;
    },
  });
  return { pair: { legacy: over(stores.legacy), modern: over(stores.modern) }, calls: () => calls };
}

describe.each(["modern", "legacy"] as const)("a process that moves the authority to %s", (side) => {
  it("may die before and after each call: the next one finds a pair in which one store is authoritative and nothing is lost", async () => {
    const bridge = await openBridge();
    await bridge.write([tradeRecord(1)], { idempotencyKey: "one" });
    await bridge.drain({ timeoutMs: 60_000 });
    const start = otherSide(side);
    const stores = await openPair();
    const place = async (to: Side) => {
      wanted = { authority: to, mirrors: true };
      expect(await (await openLadder({ stores })).to(to)).toMatchObject({ authority: to });
    };
    await place(start);
    let id = 1;
    // Only `./run test --long db-pairs` takes every call; other runs take every fourth.
    for (let at = 1, isDone = false; !isDone; at += isLongRun("db-pairs") ? 1 : 4)
      for (const isAfter of [false, true]) {
        const { pair, calls } = dying(stores, at, isAfter);
        const ladder = await openLadder({
          stores: pair,
          lease: { name: `dead ${at} ${isAfter}`, lastsMs: 3_000, isDead },
        });
        await ladder.to(side).catch(() => {});
        isDone = calls() < at;
        const { authority } = await recoverFences(stores, 0);
        wanted = { authority, mirrors: true };
        id += 1;
        const answer = await bridge.write([tradeRecord(id)], { idempotencyKey: `trade ${id}` });
        expect(answer, `after a death at call ${at}`).toMatchObject({ kind: "acknowledged" });
        expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        if (authority !== start) await place(start);
      }
    expect(seen("legacy").trades).toHaveLength(id);
    expect(seen("modern").trades).toEqual(seen("legacy").trades);
  });
});
