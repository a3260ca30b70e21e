/**
 * A process dies before and after each statement and commit of both real stores, while it writes, relays, fills
 * modern from legacy, moves the authority to modern, and moves it back. The next process recovers without a person.
 *
 * The statements run in this process, so a death is exact and cheap: at one statement both files are closed, which
 * rolls back what is not committed as the end of a process does, the connections to PostgreSQL are cut, and every
 * later statement fails. At a statement of PostgreSQL the death comes before the statement is sent, or after the
 * server has executed it, so that nobody learns the answer.
 */
import { setImmediate as turn } from "node:timers/promises";
import Database from "better-sqlite3";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/adapters/host/index.ts";
import { openPostgresRecordStore } from "../../src/adapters/postgres/index.ts";
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
import type { HeldStore, RecordStore } from "../../src/ports/record-store.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../src/testing/postgres.ts";
import { Wire } from "../../src/testing/postgres-wire.ts";
import { positionRecord, tradeRecord } from "../../src/testing/records.ts";
import { isLongRun, longSeconds } from "../campaigns.ts";
import { audit, type Line, PairOfDatabases } from "./database/pair.ts";

const dead = new Error("the process is dead");
const { prepare, exec } = Database.prototype;
const { query } = Client.prototype;

/** The life of a process that will die. A step is before or after a statement. */
interface Life {
  readonly dieAt: number;
  steps: number;
  isOver: boolean;
  readonly opened: Set<Database.Database>;
  cutConnections: () => void;
}

/** The life to which the statements of this moment belong; undefined for those of a process that does not die. */
let life: Life | undefined;

function step(of: Life): void {
  of.steps += 1;
  if (of.steps === of.dieAt) {
    of.isOver = true;
    for (const database of of.opened) database.close();
    of.cutConnections();
  }
  if (of.isOver) throw dead;
}

function statement<T>(of: Life, database: Database.Database, run: () => T): T {
  if (!of.isOver) of.opened.add(database);
  step(of);
  const value = run();
  step(of);
  return value;
}

async function sent<T>(of: Life, run: () => Promise<T>): Promise<T> {
  step(of);
  const answer = await run();
  step(of);
  return answer;
}

beforeAll(() => {
  vi.spyOn(Database.prototype, "prepare").mockImplementation(function (this: Database.Database, sql: string) {
    const made: Database.Statement<unknown[], unknown> = prepare.call(this, sql);
    const of = life;
    if (of === undefined) return made;
    const { run, all } = made;
    return Object.assign(made, {
      run: (...values: unknown[]) => statement(of, this, () => run.apply(made, values)),
      all: (...values: unknown[]) => statement(of, this, () => all.apply(made, values)),
    });
  });
  vi.spyOn(Database.prototype, "exec").mockImplementation(function (this: Database.Database, sql: string) {
    return life === undefined ? exec.call(this, sql) : statement(life, this, () => exec.call(this, sql));
  });
  vi.spyOn(Client.prototype, "query").mockImplementation(function (this: Client, ...given: unknown[]) {
    const run = () => Reflect.apply(query, this, given);
    return life === undefined ? run() : sent(life, run);
  });
});
afterEach(() => {
  life = undefined;
});
afterAll(() => {
  vi.restoreAllMocks();
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

/** A store on a server, whose connections break when the process dies. */
async function storeAt(address: string): Promise<RecordStore> {
  const wire = await Wire.to(address);
  const death = Promise.withResolvers<never>();
  const unlessDead = <T>(work: Promise<T>): Promise<T> => Promise.race([work, death.promise]);
  death.promise.catch(() => {});
  if (life !== undefined)
    life.cutConnections = () => {
      death.reject(dead);
      // The store goes on for some seconds, asks for the outcome of its last commit, and reaches nobody.
      void wire.close();
    };
  const store = await unlessDead(openPostgresRecordStore(wire.url, { authority: "legacy" }));
  return {
    side: "modern",
    call: (name, given) => unlessDead(store.call(name, given)),
    close: () => unlessDead(store.close()).finally(() => wire.close()),
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
async function begin({ legacyPath, addresses }: PairOfDatabases, name: string): Promise<Process> {
  const stores: Record<Side, RecordStore> = {
    legacy: storeIn(legacyPath, "legacy"),
    modern: addresses.modern.startsWith("sqlite:")
      ? storeIn(addresses.modern.slice("sqlite:".length), "modern")
      : await storeAt(addresses.modern),
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
        const held = storeIn(legacyPath, "legacy");
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

async function write({ bridge }: Process, lines: Line[], ...ids: readonly number[]): Promise<void> {
  const writes = ids.map(async (id) => {
    const key = `trade ${id}`;
    lines.push(["sent", id, key]);
    const records = [tradeRecord(id), positionRecord(String(id))];
    const answer = await bridge.write(records, { idempotencyKey: key });
    lines.push(["answer", id, key, answer.kind]);
  });
  await Promise.all(writes);
}

/** Everything that a process does in its life. Throws when the process dies. */
async function live(process: Process, lines: Line[]): Promise<void> {
  const move = async (side: Side): Promise<void> => {
    wanted = side;
    const { failed } = await process.cutover.to(side);
    if (failed !== null) throw new Error(failed.why);
  };
  await write(process, lines, 1, 2);
  await process.backfill.run({ pass: "backfill" });
  await write(process, lines, 3);
  await move("modern");
  await write(process, lines, 4, 5);
  await process.bridge.drain({ timeoutMs: 60_000 });
  await move("legacy");
  await write(process, lines, 6);
  await process.bridge.drain({ timeoutMs: 60_000 });
}

async function dieAt(at: number, postgres: string | undefined): Promise<number> {
  await using pair = new PairOfDatabases({ rows: 3, authority: "legacy", ...(postgres && { postgres }) });
  wanted = "legacy";
  const lines: Line[] = [];
  const mortal = {
    dieAt: at,
    steps: 0,
    isOver: false,
    opened: new Set<Database.Database>(),
    cutConnections: () => {},
  };
  life = mortal;
  let first: Process | undefined;
  try {
    first = await begin(pair, "first");
    await live(first, lines);
  } catch (failure) {
    if (!mortal.isOver) throw failure;
  }
  await first?.end();
  life = undefined;

  const next = await begin(pair, "next");
  const { authority } = await next.cutover.recover();
  wanted = authority;
  await next.backfill.run({ pass: "backfill" });
  await write(next, lines, 99);
  expect(lines.at(-1)).toEqual(["answer", 99, "trade 99", "acknowledged"]);
  expect(await next.bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
  await next.end();

  await audit(pair, lines);
  const versions = (side: Side) =>
    pair.sql(side, "SELECT aggregate, version FROM [pnlb_versions] ORDER BY aggregate");
  expect(await versions("modern")).toEqual(await versions("legacy"));
  expect(await pair.sql("modern", "SELECT trade_id FROM {trades}")).toEqual(
    expect.arrayContaining([["B1"], ["B2"], ["B3"]]),
  );
  return mortal.steps;
}

/** All points, in an order whose beginning is spread over all of them. */
function* spread(all: number): Generator<number> {
  const golden = 0.618_033_988_75;
  const indexes = Array.from({ length: all }, (_, index) => index);
  const sorted = indexes.toSorted((a, b) => ((a * golden) % 1) - ((b * golden) % 1));
  for (const index of indexes) yield sorted.indexOf(index) + 1;
}

const isLong = isLongRun("db-points");
/** The number of points in `./run test`. */
const pointsOf = { SQLite: 25, PostgreSQL: 5 } as const;
const missing = postgresMissing();

describe.each(["SQLite", "PostgreSQL"] as const)("with modern in %s", (kind) => {
  const isHere = kind === "SQLite" || missing === undefined;
  let server: TestPostgres | undefined;

  beforeAll(async () => {
    if (kind === "PostgreSQL" && isHere) server = await startPostgres();
  });
  afterAll(() => server?.stop());

  it.skipIf(!isHere)(
    `a process may die before and after each statement: the next one loses nothing, doubles nothing, and needs no person ${isHere ? "" : missing}`,
    async () => {
      const all = await dieAt(Number.POSITIVE_INFINITY, server?.url);
      expect(all).toBeGreaterThan(500);
      // Each kind has half of a campaign's time.
      const untilMs = Date.now() + (isLong ? longSeconds * 500 : Number.POSITIVE_INFINITY);
      const { SEED } = process.env;
      let tried = 0;
      for (const at of SEED === undefined ? spread(all) : [Number(SEED)]) {
        if (Date.now() >= untilMs || (!isLong && tried === pointsOf[kind])) break;
        await dieAt(at, server?.url).catch((failure) => {
          throw new Error(`to repeat: SEED=${at} ./run test test/simulation/database-failpoints.test.ts`, {
            cause: failure,
          });
        });
        tried += 1;
      }
      if (isLong) console.info(`db-points, modern in ${kind}: ${tried} of ${all} points`);
    },
  );
});
