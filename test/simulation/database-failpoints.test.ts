/**
 * Tests of crashes at each statement and commit of both real stores, while a process writes, relays, fills
 * modern from legacy, moves the authority to modern, and moves it back. The next process recovers without a
 * person.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/adapters/host/index.ts";
import { openPostgresRecordStore } from "../../src/adapters/postgres/index.ts";
import { databaseTools } from "../../src/app/database/open.ts";
import {
  Backfill,
  backfillLimits,
  backfillTables,
  Cutover,
  DatabaseBridge,
} from "../../src/bridges/database/index.ts";
import type { Side } from "../../src/domain/migration/phase.ts";
import type { RecordStore } from "../../src/ports/record-store.ts";
import type { BridgeRecord } from "../../src/ports/records.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../src/testing/postgres.ts";
import { Wire } from "../../src/testing/postgres-wire.ts";
import { positionRecord, tradeRecord } from "../../src/testing/records.ts";
import { isLongRun, longSeconds, variant } from "../campaigns.ts";
import { beginLife, dead, mortal, spread, storeIn, watchStatements } from "./database/mortal.ts";
import { audit, changingId, type Line, PairOfDatabases } from "./database/pair.ts";

beforeAll(watchStatements);
afterEach(() => {
  mortal.life = undefined;
});
afterAll(() => {
  vi.restoreAllMocks();
});

/** A store on a server, whose connections break when the process dies. */
async function storeAt(address: string): Promise<RecordStore> {
  const wire = await Wire.to(address);
  const death = Promise.withResolvers<never>();
  const unlessDead = <T>(work: Promise<T>): Promise<T> => Promise.race([work, death.promise]);
  death.promise.catch(() => {});
  if (mortal.life !== undefined) {
    mortal.life.cutConnections = () => {
      death.reject(dead);
      // For some seconds the store still asks for the outcome of its last commit, and gets no answer.
      void wire.close();
    };
    mortal.life.received = () => new Promise((received) => (wire.onReceived = received));
  }
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

/** Composes bridge, backfill and cut-over as `openDatabase` does, over stores of this thread. */
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
    const records = [tradeRecord(id), positionRecord(String(id)), ...changesOf(id)];
    const answer = await bridge.write(records, { idempotencyKey: key, keepsUnstorable: true });
    lines.push(["answer", id, key, answer.kind]);
  });
  await Promise.all(writes);
}

/**
 * Returns one of several trades that have the same id and file and differ in their quantity. Legacy can hold
 * only one of them.
 */
const rival = (quantity: number) => ({ ...tradeRecord(7), id: changingId, quantity: String(quantity) });

/**
 * Returns the records that a write has beside its trade and position. Writes 1 and 3 store two trades of one
 * id, one of which goes to `pnlb_unstorable`. Later writes correct or remove these two; the last write stores
 * a third one.
 */
const changesOf = (id: number): readonly BridgeRecord[] =>
  ({
    1: [rival(1)],
    3: [rival(2)],
    4: [{ ...rival(1), kind: "trade_correction", fee: "4" } as const],
    5: [{ ...rival(2), kind: "trade_removal" } as const],
    6: [{ ...rival(1), kind: "trade_removal" } as const],
    99: [rival(3)],
  })[id] ?? [];

/** Runs all work of a process. Throws when the process dies. */
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
  const life = beginLife(at);
  let first: Process | undefined;
  try {
    first = await begin(pair, "first");
    await live(first, lines);
  } catch (failure) {
    if (!life.isOver) throw failure;
  }
  await first?.end();
  mortal.life = undefined;

  const next = await begin(pair, "next");
  const { authority } = await next.cutover.recover();
  wanted = authority;
  await next.backfill.run({ pass: "backfill" });
  await write(next, lines, 99);
  expect(lines.at(-1)).toEqual(["answer", 99, "trade 99", "acknowledged"]);
  expect(await next.bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
  await next.end();

  await audit(pair, lines);
  const rivals = (side: Side, sql: string) => pair.sql(side, sql).then((found) => found.flat().map(Number));
  const [inLegacy, inModern] = [
    await rivals(
      "legacy",
      `SELECT quantity FROM processed_trades WHERE trade_id = '${changingId}'
       UNION ALL SELECT json_extract(row, '$.quantity') FROM pnlb_unstorable`,
    ),
    await rivals("modern", `SELECT quantity FROM {trades} WHERE trade_id = '${changingId}'`),
  ];
  expect(inLegacy.toSorted()).toEqual(inModern.toSorted());
  const has = (id: number, what: string) => lines.some((line) => line[1] === id && line.includes(what));
  for (const [quantity, stored, removed] of [
    [1, 1, 6],
    [2, 3, 5],
    [3, 99, 100],
  ] as const) {
    if (has(stored, "acknowledged") && !has(removed, "sent")) expect(inModern).toContain(quantity);
    if (has(removed, "acknowledged")) expect(inModern).not.toContain(quantity);
  }
  const versions = (side: Side) =>
    pair.sql(side, "SELECT aggregate, version FROM [pnlb_versions] ORDER BY aggregate");
  expect(await versions("modern")).toEqual(await versions("legacy"));
  expect(await pair.sql("modern", "SELECT trade_id FROM {trades}")).toEqual(
    expect.arrayContaining([["B1"], ["B2"], ["B3"]]),
  );
  return life.steps;
}

const isLong = isLongRun("db-points");
/** The number of points of death that `./run test` tries. */
const pointsOf = { SQLite: 15, PostgreSQL: 5 } as const;
const missing = postgresMissing();

for (const kind of ["SQLite", "PostgreSQL"] as const)
  describe.skipIf(kind === "PostgreSQL" && missing !== undefined)(
    `with modern in ${kind}`,
    kind === "SQLite" ? {} : variant,
    () => {
      const isHere = kind === "SQLite" || missing === undefined;
      let server: TestPostgres | undefined;

      beforeAll(async () => {
        if (kind === "PostgreSQL" && isHere) server = await startPostgres();
      });
      afterAll(() => server?.stop());

      it(`a process may die before and after each statement: the next one loses nothing, doubles nothing, and needs no person ${isHere ? "" : missing}`, async () => {
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
      });
    },
  );
