/**
 * A process dies before and after each statement and commit of both real stores, while it writes, relays, fills
 * modern from legacy, moves the authority to modern, and moves it back. The next process recovers without a person.
 *
 * The statements run in this process, so a death is exact and cheap: at one statement both files are closed, which
 * rolls back what is not committed as the end of a process does, and every later statement fails.
 */
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import Database from "better-sqlite3";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { systemClock } from "../../src/adapters/host/index.ts";
import { RecordFile } from "../../src/adapters/sqlite/record-file.ts";
import { databaseTools } from "../../src/app/database/open.ts";
import { codeOf } from "../../src/base/errors.ts";
import {
  Backfill,
  backfillLimits,
  backfillTables,
  Cutover,
  DatabaseBridge,
} from "../../src/bridges/database/index.ts";
import type { Side } from "../../src/domain/migration/phase.ts";
import { openDatabase } from "../../src/legacy-desk/database.ts";
import type { HeldStore, RecordStore } from "../../src/ports/record-store.ts";
import { positionRecord, tradeRecord } from "../../src/testing/records.ts";
import { connectionTo } from "../../src/testing/sqlite-files.ts";
import { isLongRun, longSeconds } from "../campaigns.ts";

const dead = new Error("the process is dead");
const { prepare, exec } = Database.prototype;

/** The databases of the process that will die, and the number of steps until then; a step is before or after a statement. */
const mortal = { isArmed: false, opened: new Set<Database.Database>(), steps: 0, dieAt: 0 };

function step(): void {
  mortal.steps += 1;
  if (mortal.steps < mortal.dieAt) return;
  for (const database of mortal.opened) database.close();
  mortal.opened.clear();
  throw dead;
}

function statement<T>(database: Database.Database, run: () => T): T {
  mortal.opened.add(database);
  step();
  const value = run();
  step();
  return value;
}

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-failpoints-"));
  openDatabase(join(folder, "legacy.template"), { journal: "wal", busyTimeoutMs: 5_000 }).close();
  using desk = connectionTo(join(folder, "legacy.template"));
  for (const id of ["B1", "B2", "B3"])
    desk.exec(`INSERT INTO processed_trades
      (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, source_file) VALUES
      ('${id}', 'XCMEFFDPSX20250919U0ZN', '2025-07-14', '2025-07-14 13:08:35.561000', 2, 110.515625, 'B', 'before.csv')`);
  vi.spyOn(Database.prototype, "prepare").mockImplementation(function (this: Database.Database, sql: string) {
    const made: Database.Statement<unknown[], unknown> = prepare.call(this, sql);
    if (!mortal.isArmed) return made;
    const { run, all } = made;
    return Object.assign(made, {
      run: (...values: unknown[]) => statement(this, () => run.apply(made, values)),
      all: (...values: unknown[]) => statement(this, () => all.apply(made, values)),
    });
  });
  vi.spyOn(Database.prototype, "exec").mockImplementation(function (this: Database.Database, sql: string) {
    return mortal.isArmed ? statement(this, () => exec.call(this, sql)) : exec.call(this, sql);
  });
});
afterEach(() => {
  mortal.isArmed = false;
});
afterAll(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** A store in this thread. It waits for a lock of the other connection, as the thread of a real store does. */
function storeIn(path: string, side: Side): HeldStore & { readonly file: RecordFile } {
  const file = new RecordFile({ path, side, authority: "legacy", creates: true, incarnation: path });
  const untilFree = async <T>(work: () => T): Promise<T> => {
    for (;;) {
      try {
        return work();
      } catch (failure) {
        if (!codeOf(failure).startsWith("SQLITE_BUSY")) throw failure;
      }
      await turn();
    }
  };
  return {
    side,
    file,
    call: (name, given) => untilFree(() => file.call(name, given)),
    letGo: async (how) => void file.letGo(how),
    close: async () => file.close(),
  };
}

interface Process {
  readonly bridge: DatabaseBridge;
  readonly backfill: Backfill;
  readonly cutover: Cutover;
  readonly end: () => Promise<void>;
}

let wanted: Side;

/** Composes the same parts as the application's `openDatabase`, but over stores in this thread. */
function begin(paths: Readonly<Record<Side, string>>, name: string): Process {
  const stores: Record<Side, RecordStore> = {
    legacy: storeIn(paths.legacy, "legacy"),
    modern: storeIn(paths.modern, "modern"),
  };
  const common = {
    stores,
    clock: systemClock,
    lease: { name, lastsMs: 60_000, isDead: (holder: string) => !holder.startsWith(name) },
    onEvent: () => {},
  };
  const direction = () => ({ authority: wanted, mirrors: true });
  const bridge = new DatabaseBridge({
    ...common,
    tools: databaseTools,
    draw: () => 0,
    direction,
    keepsMs: 1e9,
  });
  const filling = (pair: Record<Side, RecordStore>) =>
    new Backfill({
      ...common,
      stores: pair,
      tools: { ...databaseTools, book: "" },
      tables: backfillTables,
      limits: backfillLimits,
      held: () => undefined,
    });
  return {
    bridge,
    backfill: filling(stores),
    cutover: new Cutover({
      ...common,
      holdLegacy: async (lastsMs) => {
        const held = storeIn(paths.legacy, "legacy");
        held.file.hold(lastsMs);
        return held;
      },
      budgetMs: 60_000,
      drainMsMax: 60_000,
      lastReconcile: async () => ({ atMs: Date.now(), ok: true, position: 0 }),
      importForeign: async (legacy) => {
        await filling({ legacy, modern: stores.modern }).run({ pass: "new_rows", isUrgent: true });
        return 0;
      },
      onRung: () => {},
    }),
    end: () => bridge.close().catch(() => {}),
  };
}

interface Told {
  readonly id: number;
  /** Undefined if the process died before it answered. */
  answer?: string;
}

/** Everything that a process does in its life. Throws when the process dies. */
async function live({ bridge, backfill, cutover }: Process, told: Told[]): Promise<void> {
  const write = async (...ids: readonly number[]): Promise<void> => {
    const writes = ids.map(async (id) => {
      const one: Told = { id };
      told.push(one);
      const answer = await bridge.write([tradeRecord(id), positionRecord(String(id))], {
        idempotencyKey: String(id),
      });
      one.answer = answer.kind;
    });
    await Promise.all(writes);
  };
  const move = async (side: Side): Promise<void> => {
    wanted = side;
    const { failed } = await cutover.to(side);
    if (failed !== null) throw new Error(failed.why);
  };
  await write(1, 2);
  await backfill.run({ pass: "backfill" });
  await write(3);
  await move("modern");
  await write(4, 5);
  await bridge.drain({ timeoutMs: 60_000 });
  await move("legacy");
  await write(6);
  await bridge.drain({ timeoutMs: 60_000 });
}

async function dieAt(at: number): Promise<number> {
  const paths = { legacy: join(folder, `legacy ${at}`), modern: join(folder, `modern ${at}`) };
  copyFileSync(join(folder, "legacy.template"), paths.legacy);
  wanted = "legacy";
  const told: Told[] = [];
  Object.assign(mortal, { isArmed: true, steps: 0, dieAt: at });
  mortal.opened.clear();
  const first = begin(paths, "first");
  await live(first, told).catch((failure) => {
    if (mortal.steps < mortal.dieAt) throw failure;
  });
  await first.end();
  const { steps } = mortal;
  mortal.isArmed = false;

  const next = begin(paths, "next");
  const { authority } = await next.cutover.recover();
  wanted = authority;
  await next.backfill.run({ pass: "backfill" });
  expect(await next.bridge.write([tradeRecord(99)], { idempotencyKey: "99" })).toMatchObject({
    kind: "acknowledged",
  });
  expect(await next.bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
  await next.end();

  using legacy = connectionTo(paths.legacy);
  using modern = connectionTo(paths.modern);
  const read = (sql: string) =>
    [legacy, modern].map((database, index) =>
      database
        .prepare(sql.replace("TRADES", index === 0 ? "processed_trades" : "newpnl_trades"))
        .raw()
        .all(),
    );
  const [inLegacy, inModern] = read("SELECT trade_id FROM TRADES ORDER BY trade_id").map((rows) =>
    rows.flat(),
  );
  expect(inModern).toEqual(inLegacy);
  expect(new Set(inLegacy).size).toBe(inLegacy?.length);
  expect(inLegacy).toEqual(expect.arrayContaining(["99", "B1", "B2", "B3"]));
  for (const { id, answer } of told) {
    const isStored = inLegacy?.includes(String(id));
    if (answer === "acknowledged") expect([id, isStored]).toEqual([id, true]);
    if (answer === "refused") expect([id, isStored]).toEqual([id, false]);
  }
  const [mine, theirs] = read("SELECT aggregate, version FROM pnlb_versions ORDER BY aggregate");
  expect(mine).toEqual(theirs);
  const [deciding, following] = read("SELECT epoch, authority, step FROM pnlb_fence");
  expect(deciding).toEqual(following);
  for (const path of Object.values(paths))
    for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
  return steps;
}

it("a process may die before and after each statement: the next one loses nothing, doubles nothing, and needs no person", async () => {
  const all = await dieAt(Number.POSITIVE_INFINITY);
  expect(all).toBeGreaterThan(500);
  const first = Number(process.env.SEED ?? 0);
  // A campaign of a minute or longer tries every point; a shorter one, as in CI, tries a part of them.
  const wanted = isLongRun("db-points") ? (longSeconds < 60 ? 25 * longSeconds : all) : 25;
  const stride = Math.max(1, Math.ceil(all / wanted));
  for (let at = first > 0 ? first : 1; at <= (first > 0 ? first : all); at += stride)
    await dieAt(at).catch((failure) => {
      throw new Error(`to repeat: SEED=${at} ./run test test/simulation/database-failpoints.test.ts`, {
        cause: failure,
      });
    });
  if (isLongRun("db-points")) console.info(`db-points: ${Math.ceil(all / stride)} of ${all} points`);
});
