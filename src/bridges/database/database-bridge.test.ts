import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isLongRun, variant } from "../../../test/campaigns.ts";
import { systemClock } from "../../adapters/host/index.ts";
import { openPostgresRecordStore } from "../../adapters/postgres/index.ts";
import { openSqliteRecordStore } from "../../adapters/sqlite/index.ts";
import { databaseTools as tools } from "../../app/database/open.ts";
import { BridgeError } from "../../base/errors.ts";
import { otherSide, type Side } from "../../domain/migration/phase.ts";
import { openDatabase } from "../../legacy-desk/database.ts";
import type { Clock } from "../../ports/clock.ts";
import type { RecordCall, RecordStore } from "../../ports/record-store.ts";
import type { BridgeRecord, TradeRecord } from "../../ports/records.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { connected, Wire } from "../../testing/postgres-wire.ts";
import { positionRecord as position, tradeRecord as trade } from "../../testing/records.ts";
import { connectionTo } from "../../testing/sqlite-files.ts";
import { StoreProcess } from "../../testing/store-process.ts";
import { TestClock } from "../../testing/test-clock.ts";
import { until } from "../../testing/until.ts";
import { DatabaseBridge } from "./database-bridge.ts";
import type { RelayEvent } from "./relay.ts";

type Statement = (sql: string) => Promise<readonly unknown[]>;

/** The modern database of a pair. */
interface Modern {
  readonly address: string;
  readonly open: (authority: Side) => Promise<RecordStore>;
  /** Runs a statement of another program. */
  readonly sql: Statement;
  readonly table: (name: string) => string;
  /** Keeps the mirror's tables locked until the function that it resolves with is called. */
  readonly lock: () => Promise<() => Promise<unknown>>;
  /** The statement after which the database refuses trades with an id up to `last`. */
  readonly refuseUpTo: (last: number) => string;
}

let folder: string;
let legacyPath: string;
let modern: Modern;
const opened: DatabaseBridge[] = [];
const events: RelayEvent[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-database-"));
  legacyPath = join(folder, "pnl_tracker.db");
  openDatabase(legacyPath, { journal: "wal", busyTimeoutMs: 5_000 }).close();
  events.length = 0;
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((bridge) => bridge.close()));
  rmSync(folder, { recursive: true });
});

const inSqlite =
  (path: string): Statement =>
  async (sql) => {
    using database = connectionTo(path, { timeout: 5_000 });
    const statement = database.prepare(sql);
    return statement.reader ? statement.all() : [statement.run()];
  };
async function lockFile(path: string): Promise<() => Promise<unknown>> {
  const foreign = connectionTo(path);
  foreign.exec("BEGIN IMMEDIATE");
  return async () => foreign.close();
}
const openFile = (path: string, side: Side, authority: Side) =>
  openSqliteRecordStore(path, { side, authority, busyMsMax: 100 });

function modernInSqlite(): Modern {
  const path = join(folder, "newpnl.db");
  return {
    address: `sqlite:${path}`,
    open: (authority) => openFile(path, "modern", authority),
    sql: inSqlite(path),
    table: (name) => (name.startsWith("pnlb_") ? name : `newpnl_${name}`),
    lock: () => lockFile(path),
    refuseUpTo: (last) => `CREATE TRIGGER no BEFORE INSERT ON newpnl_trades
      WHEN CAST(NEW.trade_id AS INTEGER) <= ${last} BEGIN SELECT RAISE(ABORT, 'no'); END`,
  };
}

let server: TestPostgres;
let admin: Client;
let schemas = 0;

function modernInPostgres(url = server.url, callMsMax = 30_000): Modern {
  schemas += 1;
  const schema = `pair_${schemas}`;
  const address = `${url}?schema=${schema}`;
  return {
    address,
    open: (authority) => openPostgresRecordStore(address, { authority, callMsMax }),
    sql: async (sql) => (await admin.query(sql)).rows,
    table: (name) => `${schema}.${name}`,
    lock: async () => {
      const foreign = await connected(server.url);
      await foreign.query(`BEGIN; LOCK TABLE ${schema}.trades, ${schema}.pnlb_fence`);
      return () => foreign.end();
    },
    refuseUpTo: (last) => `ALTER TABLE ${schema}.trades ADD CHECK (trade_id::integer > ${last})`,
  };
}

interface OpenOptions {
  readonly mirrors?: boolean;
  /** The name under which the bridge holds leases. */
  readonly worker?: string;
  readonly clock?: Clock;
  readonly change?: (stores: Record<Side, RecordStore>) => void;
}

async function open(
  authority: Side,
  { mirrors = true, worker = "this process", clock = systemClock, change = () => {} }: OpenOptions = {},
) {
  const stores: Record<Side, RecordStore> = {
    legacy: await openFile(legacyPath, "legacy", authority),
    modern: await modern.open(authority),
  };
  change(stores);
  const bridge = new DatabaseBridge({
    stores,
    tools,
    clock,
    draw: () => 0,
    direction: () => ({ authority, mirrors }),
    lease: { name: worker, lastsMs: 3_000, isDead: () => false },
    keepsMs: 7 * 24 * 3_600_000,
    onEvent: (event) => void events.push(event),
  });
  opened.push(bridge);
  return bridge;
}

/** Calls `before` at the beginning of each call of one store; if it throws, the call fails. */
function changeCalls(
  stores: Record<Side, RecordStore>,
  side: Side,
  before: (name: RecordCall, given: unknown) => void,
): void {
  const whole = stores[side];
  stores[side] = {
    side,
    call: async (name, given) => {
      before(name, given);
      return whole.call(name, given);
    },
    close: () => whole.close(),
  };
}

/**
 * Returns the program of a worker that stops itself before it applies entries, and reports the result when it
 * is continued.
 */
function sleepingWorker(authority: Side): string {
  const source = (path: string) => JSON.stringify(new URL(path, import.meta.url).pathname);
  return `
    import { systemClock } from ${source("../../adapters/host/clock.ts")};
    import { openRecordStore } from ${source("../../app/stores.ts")};
    import { otherSide } from ${source("../../domain/migration/phase.ts")};
    import { Relay } from ${source("relay.ts")};
    const addresses = ${JSON.stringify({ legacy: `sqlite:${legacyPath}`, modern: modern.address })};
    const authority = "${authority}";
    const open = (side) =>
      openRecordStore(addresses[side], { folder: ".", side, authority, creates: true });
    const stores = { legacy: await open("legacy"), modern: await open("modern") };
    const mirror = stores[otherSide(authority)];
    stores[mirror.side] = {
      side: mirror.side,
      call: (name, given) => {
        if (name !== "apply") return mirror.call(name, given);
        say("applies");
        process.kill(process.pid, "SIGSTOP");
        const answer = mirror.call(name, given);
        answer.then(() => say("applied"), (failure) => say(failure.code));
        return answer;
      },
    };
    new Relay({
      stores, clock: systemClock, draw: () => 0, isWanted: () => true, keepsMs: 1e9, onEvent: () => {},
      lease: { name: "the sleeper", lastsMs: 500, isDead: () => false },
    });
    process.stdin.resume();
    say(process.pid);`;
}

function restoreLegacy(copy: string): void {
  for (const part of ["", "-wal", "-shm"]) rmSync(`${legacyPath}${part}`, { force: true });
  renameSync(copy, legacyPath);
}

const tableOf = (side: Side, name: string): string => (side === "legacy" ? name : modern.table(name));

async function owedOf(side: Side): Promise<{ readonly count: number; readonly parked: number }> {
  const states = (await rows(side, "pnlb_outbox", "state")).flat().filter((state) => state !== "done");
  return { count: states.length, parked: states.filter((state) => state === "parked").length };
}
const versionsOf = async (side: Side) =>
  (await rows(side, "pnlb_versions", "aggregate", "version")).map(String).toSorted();

/** Returns some columns of a table's rows as text, read on a separate connection. */
async function rows(side: Side, table: string, ...columns: readonly string[]) {
  const sql = side === "legacy" ? inSqlite(legacyPath) : modern.sql;
  const found = await sql(`SELECT ${columns.join(", ")} FROM ${tableOf(side, table)}`);
  return found.map((row) => Object.values(row as object).map((value) => value && String(value)));
}
const trades = async (side: Side): Promise<number> =>
  (await rows(side, side === "legacy" ? "processed_trades" : "trades", "trade_id")).length;
const bothTrades = () => Promise.all([trades("legacy"), trades("modern")]);

const missing = postgresMissing();

for (const kind of ["SQLite", "PostgreSQL"] as const)
  describe.skipIf(kind === "PostgreSQL" && missing !== undefined)(`modern in ${kind}`, () => {
    if (kind === "PostgreSQL") {
      beforeAll(async () => {
        server = await startPostgres();
        admin = await connected(server.url);
      });
      afterAll(async () => {
        await admin.end();
        await server.stop();
      });
    }
    beforeEach(() => {
      modern = kind === "SQLite" ? modernInSqlite() : modernInPostgres();
    });

    // A short run has each kind of modern and each authority once.
    const inShort = kind === "SQLite" ? "modern" : "legacy";
    const authorities = isLongRun("db-pairs") ? (["legacy", "modern"] as const) : ([inShort] as const);
    /** The options of a test that `./run test` runs on SQLite only. */
    const inOneStore = kind === "SQLite" ? {} : variant;
    describe.each(authorities)("with %s as the authority", (authority) => {
      const mirror = otherSide(authority);

      it("a write reaches both stores, each in its own units", async () => {
        const bridge = await open(authority);
        const answer = await bridge.write([trade(1), position("12")], { idempotencyKey: "one" });
        expect(answer).toEqual({ kind: "acknowledged", version: 1, mirror: "pending" });
        expect(await trades(authority)).toBe(1);
        expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        expect(await rows("legacy", "processed_trades", "quantity", "price", "trade_timestamp")).toEqual([
          ["2", "110.515625", "2025-07-15 13:08:35.561"],
        ]);
        expect(await rows("legacy", "positions", "avg_cost", "total_realized_pnl")).toEqual([
          [String(1327 / 12), "0.59375"],
        ]);
        expect(await rows("modern", "positions", "instrument", "average_price", "realized")).toEqual([
          ["ZNU2025", "1327/12", "593.75"],
        ]);
        expect(events).toEqual([]);
      });

      it("the same write under the same key has its effect once; other records under that key, and the trade under another key, are refused", async () => {
        const bridge = await open(authority);
        const first = await bridge.write([trade(1)], { idempotencyKey: "one" });
        expect(await bridge.write([trade(1)], { idempotencyKey: "one" })).toEqual(first);
        expect(await bridge.write([trade(2)], { idempotencyKey: "one" })).toMatchObject({
          kind: "refused",
          code: "KEY_REUSED",
        });
        expect(await bridge.write([trade(1)], { idempotencyKey: "two" })).toMatchObject({
          kind: "refused",
          code: "ALREADY_STORED",
        });
        await bridge.drain({ timeoutMs: 60_000 });
        expect(await bothTrades()).toEqual([1, 1]);
      });

      it("many writes at once share commits, and a refused one among them does not affect the others", async () => {
        const bridge = await open(authority);
        const count = isLongRun("db-pairs") ? 200 : 50;
        const answers = await Promise.all(
          Array.from({ length: count }, (_, index) =>
            bridge.write([trade(index === 30 ? 8 : index + 1), position(String(index + 1))], {
              idempotencyKey: `key ${index}`,
            }),
          ),
        );
        expect(answers.map(({ kind }) => kind).filter((kind) => kind === "refused")).toHaveLength(1);
        expect(answers[30]).toMatchObject({ code: "ALREADY_STORED" });
        expect(answers.at(-1)).toMatchObject({ kind: "acknowledged", version: count - 1 });
        expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        expect(await bothTrades()).toEqual([count - 1, count - 1]);
        expect(await rows("legacy", "positions", "position_quantity")).toEqual([[String(count)]]);
        expect(await rows("modern", "positions", "quantity")).toEqual([[String(count)]]);
      });

      it("a trade is replaced by another one in its place, corrected, and removed, in both stores", async () => {
        const bridge = await open(authority);
        let keys = 0;
        const write = (...records: readonly BridgeRecord[]) =>
          bridge.write(records, { idempotencyKey: `write ${++keys}` });
        const edited = { ...trade(1), quantity: "3" };
        const moved = { ...edited, kind: "trade_correction", file: "trades_20250714.csv", fee: "5" } as const;
        for (const records of [
          [trade(1), trade(2)],
          [edited, { ...trade(1), kind: "trade_removal" }, position("3")],
          [moved],
          [{ ...trade(2), kind: "trade_removal", file: "another.csv" }],
          [{ ...trade(3), kind: "trade_removal" }],
          [trade(2)],
        ] as const)
          expect(await write(...records)).toMatchObject({ kind: "acknowledged" });
        expect(await write({ ...trade(3), kind: "trade_correction" })).toMatchObject({ code: "CONFLICT" });
        expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        const inLegacy = ["trade_id", "source_file", "quantity", "trade_date"];
        expect((await rows("legacy", "processed_trades", ...inLegacy)).toSorted()).toEqual([
          ["1", "trades_20250714.csv", "3", "2025-07-14"],
          ["2", "trades_20250715.csv", "2", "2025-07-15"],
        ]);
        const inModern = ["trade_id", "source_file", "quantity", "fee", "version"];
        expect((await rows("modern", "trades", ...inModern)).toSorted()).toEqual([
          ["1", "trades_20250714.csv", "3", "5", "2"],
          ["2", "trades_20250715.csv", "2", "0", "3"],
        ]);
        expect(await versionsOf("legacy")).toEqual(await versionsOf("modern"));
      });

      it("a trade that legacy's own tables cannot hold is refused, or kept in pnlb_unstorable of legacy and as usual in modern", async () => {
        const bridge = await open(authority);
        const trades = [
          ...["2", "3", "5"].map((quantity) => ({ ...trade(688), quantity })),
          { ...trade(1), price: "0.1234567890123456789" },
          { ...trade(2), time: "2025-11-02T01:30:00-05:00" },
        ];
        const causes = ["AMBIGUOUS_IN_LEGACY", "LEGACY_UNIQUE", "LEGACY_UNIQUE", "NOT_REPRESENTABLE"];
        for (const [code, records] of [
          ["CONFLICT", trades.slice(0, 2)],
          ["NOT_REPRESENTABLE", trades.slice(3, 4)],
          ["AMBIGUOUS_IN_LEGACY", trades.slice(4)],
        ] as const)
          expect(await bridge.write(records, { idempotencyKey: code })).toMatchObject({ code });
        const keeps = { idempotencyKey: "all", keepsUnstorable: true };
        const stored = { kind: "acknowledged", version: 1, mirror: "pending" };
        expect(await bridge.write(trades, keeps)).toEqual(stored);
        expect(await bridge.write(trades, keeps)).toEqual(stored);
        await bridge.drain({ timeoutMs: 60_000 });
        const apart = () => rows("legacy", "pnlb_unstorable", "cause");
        expect([await bothTrades(), (await apart()).toSorted()]).toEqual([
          [1, 5],
          causes.map((one) => [one]),
        ]);
        expect(await rows("modern", "pnlb_unstorable", "cause")).toEqual([]);
        const corrected = trades.map((one) => ({ ...one, kind: "trade_correction", fee: "7" }) as const);
        expect(await bridge.write(corrected, { ...keeps, idempotencyKey: "fee" })).toMatchObject({
          version: 2,
        });
        const removed = trades.slice(1).map((one) => ({ ...one, kind: "trade_removal" }) as const);
        expect(await bridge.write(removed, { idempotencyKey: "no" })).toMatchObject({ version: 3 });
        expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        expect([await bothTrades(), await apart()]).toEqual([[1, 1], []]);
        expect(await versionsOf("legacy")).toEqual(await versionsOf("modern"));
      });

      it("rows that legacy stores by itself reach modern only, and only while legacy is authoritative", async () => {
        const bridge = await open(authority);
        const own = { idempotencyKey: "own", legacyHasOwn: true };
        const answer = await bridge.write([trade(1), position("2")], own);
        if (authority === "modern") return expect(answer).toMatchObject({ code: "AUTHORITY_DIFFERS" });
        expect(await bridge.write([trade(1), position("2")], own)).toEqual(answer);
        expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        expect(await bothTrades()).toEqual([0, 1]);
        expect(await rows("legacy", "positions", "id")).toEqual([]);
        expect(await versionsOf("legacy")).toEqual(await versionsOf("modern"));
        await bridge.write([position("3")], { idempotencyKey: "later" });
        expect(await rows("legacy", "positions", "position_quantity")).toEqual([["3"]]);
      });

      it("the removal of a trade that legacy stores by itself reaches modern only, and the trade can be written again", async () => {
        const bridge = await open(authority);
        const options = { legacyHasOwn: true, keepsUnstorable: true };
        const write = (idempotencyKey: string, record: BridgeRecord) =>
          bridge.write([record], { ...options, idempotencyKey });
        const removal = (of: TradeRecord) => ({ ...of, kind: "trade_removal" }) as const;
        const [own, apart] = [trade(1), { ...trade(1), quantity: "9" }];
        if (authority === "modern")
          return expect(await write("no", removal(own))).toMatchObject({ code: "AUTHORITY_DIFFERS" });
        await inSqlite(legacyPath)(`INSERT INTO processed_trades
          (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, source_file) VALUES
          ('1', '${own.symbol}', '2025-07-15', '2025-07-15 13:08:35.561', 2, 110.515625, 'B', '${own.file}')`);
        // Legacy's table has one place for both.
        for (const record of [own, apart])
          expect(await write(record.quantity, record)).toMatchObject({ version: 1 });
        await bridge.drain({ timeoutMs: 60_000 });
        expect([await bothTrades(), await rows("legacy", "pnlb_unstorable", "cause")]).toEqual([
          [1, 2],
          [["LEGACY_UNIQUE"]],
        ]);
        for (const [key, record, version] of [
          ["own", own, 2],
          ["apart", apart, 2],
          ["once more", apart, 3],
        ] as const)
          expect(await write(key, removal(record))).toMatchObject({ kind: "acknowledged", version });
        expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        expect([await bothTrades(), await rows("legacy", "pnlb_unstorable", "cause")]).toEqual([[1, 0], []]);
        expect(await write("again", own)).toMatchObject({ version: 3 });
        expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        expect(await bothTrades()).toEqual([1, 1]);
        expect(await versionsOf("legacy")).toEqual(await versionsOf("modern"));
      });

      it("a later price of a day replaces the earlier one in modern, and is one more row in legacy", async () => {
        const bridge = await open(authority);
        for (const hour of ["14", "15"]) {
          const price = { kind: "price", symbol: "XCMEFFDPSX20250919U0ZN", markKind: "now" } as const;
          const at = `2025-07-15T${hour}:00:00-05:00`;
          const record = { ...price, mark: `110.${hour}`, tradingDay: "2025-07-15", at };
          expect(await bridge.write([record], { idempotencyKey: hour })).toMatchObject({
            kind: "acknowledged",
          });
        }
        expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        expect(await rows("legacy", "market_prices", "px_last")).toEqual([["110.14"], ["110.15"]]);
        expect(await rows("modern", "marks", "price")).toEqual([["110.15"]]);
      });

      it("a flat position is deleted in legacy and kept in modern", async () => {
        const bridge = await open(authority);
        await bridge.write([position("12")], { idempotencyKey: "one" });
        await bridge.write([position("0")], { idempotencyKey: "two" });
        await bridge.drain({ timeoutMs: 60_000 });
        expect(await rows("legacy", "positions", "id")).toEqual([]);
        expect(await rows("modern", "positions", "quantity", "average_price")).toEqual([["0", null]]);
      });

      it("a mirror that is locked catches up without help when it is free again", async () => {
        // Only calls that wait for the lock need a short limit.
        if (kind === "PostgreSQL" && mirror === "modern") modern = modernInPostgres(server.url, 1_000);
        const bridge = await open(authority);
        const release = await (mirror === "legacy" ? lockFile(legacyPath) : modern.lock());
        const answer = await bridge.write([trade(1)], { idempotencyKey: "one" });
        expect(answer.kind).toBe("acknowledged");
        expect(await bridge.drain({ timeoutMs: 0 })).toEqual({ drained: false, owed: 1 });
        await release();
        await until(async () => (await trades(mirror)) === 1);
      });

      it.runIf(kind === "SQLite")(
        "writes and entries get through between the transactions of a program that locks legacy's database all the time, and that program meets no error",
        async () => {
          // Opened first: a store that is locked while it is opened is given up soon here.
          const bridge = await open(authority);
          const desk = new StoreProcess(`
            import Database from "better-sqlite3";
            const database = new Database(${JSON.stringify(legacyPath)}, { timeout: 5_000 });
            const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
            for (;;) {
              database.exec("BEGIN IMMEDIATE; UPDATE positions SET avg_cost = avg_cost");
              pause(5);
              database.exec("COMMIT");
              say("committed");
              pause(5);
            }`);
          try {
            await desk.says(1);
            for (let id = 1; id <= 6; id++) {
              const write = () =>
                bridge.write([trade(id), position(String(id))], { idempotencyKey: String(id) });
              await until(async () => (await write()).kind === "acknowledged", "a write gets through");
            }
            expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
            // Rejects if an error has ended the program.
            await desk.says(desk.lines.length + 5);
          } finally {
            await desk.kill();
          }
          expect(await bothTrades()).toEqual([6, 6]);
          expect(await versionsOf("modern")).toEqual(await versionsOf("legacy"));
        },
      );

      it("an entry that was applied and not confirmed is applied again without effect", async () => {
        const lost = await open(authority, {
          change: (stores) =>
            changeCalls(stores, authority, (name) => {
              if (name === "settle") throw new Error("the process dies here");
            }),
        });
        await lost.write([trade(1), position("3")], { idempotencyKey: "one" });
        await until(() => events.some(({ kind }) => kind === "relay_failed"));
        await lost.close();
        const bridge = await open(authority);
        expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        expect(await bothTrades()).toEqual([1, 1]);
        expect(await rows(mirror, "pnlb_versions", "version")).toEqual([["1"], ["1"]]);
      });

      it(
        "hundreds of entries that the mirror refuses are parked, and no other entry waits for them",
        inOneStore,
        async () => {
          // In SQLite and in a long run, these are more entries than the relay applies at once.
          const poison = isLongRun("db-pairs") ? 500 : kind === "SQLite" ? 250 : 30;
          const waits = await open(authority, { mirrors: false });
          if (mirror === "legacy")
            await inSqlite(legacyPath)(`WITH ids (id) AS
              (VALUES (1) UNION ALL SELECT id + 1 FROM ids WHERE id < ${poison})
            INSERT INTO processed_trades
              (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, source_file)
            SELECT id, 'X', '2025-07-15', '2025-07-15 09:00:00', 1, 1, 'B', 'trades_20250715.csv' FROM ids`);
          else await modern.sql(modern.refuseUpTo(poison));
          const ids = Array.from({ length: poison + 1 }, (_, at) => at + 1);
          await Promise.all(ids.map((id) => waits.write([trade(id)], { idempotencyKey: String(id) })));
          const bridge = await open(authority);
          await until(
            async () => (await owedOf(authority)).parked === poison,
            "the refused entries are parked",
          );
          await until(async () => (await bridge.drain({ timeoutMs: 0 })).owed === poison);
          expect(
            await rows(mirror, mirror === "legacy" ? "processed_trades" : "trades", "trade_id"),
          ).toContainEqual([String(poison + 1)]);
        },
      );

      // The relay's clock and attempts are the same for every kind of store.
      it.runIf(kind === "SQLite" || isLongRun("db-pairs"))(
        "a mirror that is down for an hour uses up no attempt, and gets every entry when it is back",
        async () => {
          const clock = new TestClock();
          let isDown = true;
          const bridge = await open(authority, {
            clock,
            change: (stores) =>
              changeCalls(stores, mirror, (name) => {
                if (isDown && name === "apply") throw new BridgeError("SYSTEM_DOWN", { what: "it is down" });
              }),
          });
          const failures = () => events.filter(({ kind }) => kind === "relay_failed").length;
          const looks = isLongRun("db-pairs") ? 60 : 12;
          for (let id = 1; id <= looks; id++) {
            await bridge.write([trade(id), position(String(id))], { idempotencyKey: String(id) });
            const before = failures();
            clock.advance(3_600_000 / looks);
            await until(() => failures() > before, "the relay has tried again");
          }
          expect(await owedOf(authority)).toMatchObject({ count: looks, parked: 0 });
          isDown = false;
          // The relay may only now begin its pause.
          await until(async () => {
            clock.advance(60_000);
            return (await owedOf(authority)).count === 0;
          }, "the mirror has every entry");
          expect(await bothTrades()).toEqual([looks, looks]);
          expect(events.filter(({ kind }) => kind === "parked")).toEqual([]);
        },
      );

      it(
        "four workers carry each entry once and in order, each worker under its own tokens",
        inOneStore,
        async () => {
          const carriers: { readonly worker: string; readonly token: unknown }[] = [];
          const workers = new Map<string, DatabaseBridge>();
          for (const worker of ["a", "b", "c", "d"])
            workers.set(
              worker,
              await open(authority, {
                worker,
                change: (stores) =>
                  changeCalls(stores, mirror, (name, given) => {
                    if (name === "apply") carriers.push({ worker, token: Object(given).token });
                  }),
              }),
            );
          let count = 0;
          while (workers.size > 0) {
            const writes = [...workers.values()].flatMap((one) =>
              Array.from({ length: isLongRun("db-pairs") ? 10 : 4 }, () => {
                const id = ++count;
                const write = () =>
                  one.write([trade(id), position(String(id))], { idempotencyKey: String(id) });
                // The others may keep the file locked for longer than a write waits.
                return until(async () => (await write()).kind === "acknowledged");
              }),
            );
            await Promise.all(writes);
            await until(async () => (await owedOf(authority)).count === 0, "the mirror has every entry");
            // The worker that carries entries ends, so that another one must take over.
            const worker = carriers.at(-1)?.worker ?? "";
            await workers.get(worker)?.close();
            workers.delete(worker);
          }
          expect(await bothTrades()).toEqual([count, count]);
          expect(await versionsOf("modern")).toEqual(await versionsOf("legacy"));
          const tokens = new Set(carriers.map(({ token }) => token));
          const holders = new Set(carriers.map(({ worker, token }) => `${worker} ${token}`));
          expect(holders.size).toBe(tokens.size);
          expect(new Set(carriers.map(({ worker }) => worker)).size).toBe(4);
        },
      );

      it(
        "a worker that sleeps past its lease, between reading entries and applying them, is refused",
        inOneStore,
        async () => {
          const sleeper = new StoreProcess(sleepingWorker(authority));
          try {
            await sleeper.says(1);
            const writer = await open(authority, { mirrors: false });
            await writer.write([trade(1), position("1")], { idempotencyKey: "one" });
            // The worker has read the entry, holds the lease, and has stopped itself.
            await sleeper.says(2);
            const bridge = await open(authority);
            await until(async () => (await trades(mirror)) === 1, "another worker has carried the entry");
            await bridge.write([trade(2), position("2")], { idempotencyKey: "two" });
            expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
            process.kill(Number(sleeper.lines[0]), "SIGCONT");
            await sleeper.says(3);
          } finally {
            await sleeper.kill();
          }
          expect(sleeper.lines.slice(1)).toEqual(["applies", "CONFLICT"]);
          expect(await bothTrades()).toEqual([2, 2]);
          expect(await rows("modern", "positions", "quantity")).toEqual([["2"]]);
        },
      );
    });

    it("an authority that is restored from an older copy takes writes and carries none to the mirror", async () => {
      const copy = join(folder, "copy.db");
      for (const id of [1, 2]) {
        const bridge = await open("legacy");
        await bridge.write([trade(id)], { idempotencyKey: String(id) });
        await bridge.drain({ timeoutMs: 60_000 });
        await bridge.close();
        if (id === 1) await inSqlite(legacyPath)(`VACUUM INTO '${copy}'`);
      }
      restoreLegacy(copy);
      const bridge = await open("legacy");
      const write = await bridge.write([trade(3)], { idempotencyKey: "3" });
      expect(write.kind).toBe("acknowledged");
      expect(await bridge.drain({ timeoutMs: 60_000 })).toMatchObject({ drained: false, owed: 1 });
      expect(events).toContainEqual(
        expect.objectContaining({
          why: expect.stringContaining("legacy's database is an older copy of itself"),
        }),
      );
      expect((await rows("modern", "trades", "trade_id")).flat().toSorted()).toEqual(["1", "2"]);
    });

    if (kind === "SQLite") return;

    describe("over a wire that breaks", () => {
      let wire: Wire;
      /** Makes the counts of owed writes fail, so that each commit on the wire is one of a write. */
      const withoutCounts = (stores: Record<Side, RecordStore>): void =>
        changeCalls(stores, "modern", (name) => {
          if (name === "owed") throw new Error("not counted in this test");
        });

      beforeEach(async () => {
        wire = await Wire.to(server.url);
      });
      afterEach(async () => {
        await Promise.all(opened.splice(0).map((bridge) => bridge.close()));
        await wire.close();
      });

      it("a commit that is cut at any byte is never answered as refused, and a retry under the same key finds its outcome", async () => {
        modern = modernInPostgres(wire.url);
        const bridge = await open("modern", { mirrors: false, change: withoutCounts });
        // The request is 12 bytes long; the answer is 12 bytes of CommandComplete and 6 of ReadyForQuery.
        const cuts = [
          ...Array.from({ length: 13 }, (_, bytes) => ["request", bytes] as const),
          ...Array.from({ length: 19 }, (_, bytes) => ["answer", bytes] as const),
        ].filter(([, bytes]) => isLongRun("db-pairs") || bytes % 6 === 0);
        for (const [at, [message, bytes]] of cuts.entries()) {
          wire.breakAtCommit = message;
          wire.breakAfter = bytes;
          const write = () => bridge.write([trade(at + 1)], { idempotencyKey: `key ${at}` });
          const { kind: answer } = await write();
          const isStored = message === "answer" || bytes === 12;
          expect([message, bytes, answer]).toEqual([
            message,
            bytes,
            isStored ? "acknowledged" : "unresolved",
          ]);
          expect(await trades("modern")).toBe(isStored ? at + 1 : at);
          expect(await write()).toMatchObject({ kind: "acknowledged", version: 1 });
        }
        expect(wire.broken).toBe(cuts.length);
        expect([await trades("modern"), (await rows("modern", "pnlb_outbox", "seq")).length]).toEqual([
          cuts.length,
          cuts.length,
        ]);
      });

      it("a commit whose server cannot be asked is unresolved, and a retry under the same key finds its outcome", async () => {
        modern = modernInPostgres(wire.url, 1_000);
        const bridge = await open("modern", { mirrors: false, change: withoutCounts });
        for (const [at, message] of (["request", "answer"] as const).entries()) {
          const write = () => bridge.write([trade(at + 1)], { idempotencyKey: message });
          wire.away = true;
          wire.breakAtCommit = message;
          expect((await write()).kind).toBe("unresolved");
          wire.away = false;
          await until(async () => (await write()).kind === "acknowledged");
        }
        expect([await trades("modern"), wire.broken]).toEqual([2, 2]);
      });

      it("an entry that the mirror commits over a connection that breaks is applied once", async () => {
        modern = modernInPostgres(wire.url);
        const bridge = await open("legacy");
        await bridge.drain({ timeoutMs: 60_000 });
        for (const [at, message] of (["request", "answer"] as const).entries()) {
          wire.breakAtCommit = message;
          await bridge.write([trade(at + 1), position(String(at + 1))], { idempotencyKey: message });
          expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        }
        expect([await trades("modern"), wire.broken]).toEqual([2, 2]);
        expect(await rows("modern", "positions", "quantity", "version")).toEqual([["2", "2"]]);
      });
    });

    it.each(["legacy", "modern"] as const)(
      "with %s as the authority, a full disk of the server refuses a write and parks no entry, and both are stored when there is room",
      async (authority) => {
        const bridge = await open(authority);
        await admin.query(`
          CREATE FUNCTION ${modern.table("full")}() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$;
          CREATE TRIGGER full_disk BEFORE INSERT ON ${modern.table("trades")}
            FOR EACH ROW EXECUTE FUNCTION ${modern.table("full")}()`);
        const write = () => bridge.write([trade(1), position("1")], { idempotencyKey: "one" });
        if (authority === "modern")
          expect(await write()).toMatchObject({ kind: "refused", code: "UNWRITABLE" });
        else {
          expect(await write()).toMatchObject({ kind: "acknowledged" });
          await until(() => events.some(({ kind }) => kind === "relay_failed"));
          expect(await owedOf("legacy")).toEqual({ count: 1, parked: 0 });
        }
        expect(await trades("modern")).toBe(0);
        await admin.query(`DROP TRIGGER full_disk ON ${modern.table("trades")}`);
        expect(await write()).toMatchObject({ kind: "acknowledged", version: 1 });
        expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        expect(await bothTrades()).toEqual([1, 1]);
      },
    );

    it(
      "after a crash of the server every write is either acknowledged and stored, or can be sent again",
      variant,
      async () => {
        const bridge = await open("modern");
        const write = (id: number) => bridge.write([trade(id)], { idempotencyKey: String(id) });
        const ids = Array.from({ length: 30 }, (_, at) => at + 1);
        const answers = Promise.all(ids.map(async (id) => (await write(id)).kind));
        await server.crash();
        expect((await answers).filter((answer) => answer === "refused")).toEqual([]);
        await admin.end().catch(() => {});
        admin = await connected(server.url);
        for (const id of ids) await until(async () => (await write(id)).kind === "acknowledged");
        expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        expect(await bothTrades()).toEqual([30, 30]);
      },
    );

    describe("with a write that commits after another one with a higher number", () => {
      let late: DatabaseBridge;
      let answer: ReturnType<DatabaseBridge["write"]>;
      let bridge: DatabaseBridge;

      beforeEach(async () => {
        bridge = await open("modern");
        late = await open("modern", { mirrors: false });
        // Its commit waits for the lock that the test holds.
        await admin.query(`
          CREATE FUNCTION ${modern.table("wait")}() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock(${schemas}); RETURN NULL; END $$;
          CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON ${modern.table("trades")}
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.trade_id = '1')
            EXECUTE FUNCTION ${modern.table("wait")}();
          SELECT pg_advisory_lock(${schemas})`);
        answer = late.write([trade(1)], { idempotencyKey: "late" });
        await until(
          async () => (await modern.sql("SELECT 1 FROM pg_locks WHERE NOT granted")).length > 0,
          "the late write waits in its commit",
        );
        await bridge.write([trade(2)], { idempotencyKey: "early" });
        await until(async () => (await trades("legacy")) === 1);
      });
      const commitLate = async () => {
        await admin.query(`SELECT pg_advisory_unlock(${schemas})`);
        expect((await answer).kind).toBe("acknowledged");
      };

      it("the relay carries the late write too", async () => {
        await commitLate();
        expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        expect((await rows("modern", "pnlb_outbox", "seq", "place")).toSorted()).toEqual([
          ["1", "2"],
          ["2", "1"],
        ]);
        expect(await bothTrades()).toEqual([2, 2]);
      });

      it("a mirror that is restored from a copy made before the late write gets that write again", async () => {
        const copy = join(folder, "copy.db");
        await inSqlite(legacyPath)(`VACUUM INTO '${copy}'`);
        await commitLate();
        await bridge.drain({ timeoutMs: 60_000 });
        await Promise.all(opened.splice(0).map((one) => one.close()));
        restoreLegacy(copy);
        expect(await trades("legacy")).toBe(1);
        const again = await open("modern");
        expect(await again.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
        expect(events).toContainEqual({ kind: "mirror_restored", sentAgain: 1 });
        expect(await bothTrades()).toEqual([2, 2]);
      });
    });
  });

it("a write is refused after the authority's fence has moved, and a closed bridge throws", async () => {
  modern = modernInSqlite();
  const bridge = await open("legacy");
  await inSqlite(legacyPath)("UPDATE pnlb_fence SET authority = 'modern', epoch = 2");
  expect(await bridge.write([trade(1)], { idempotencyKey: "one" })).toMatchObject({
    kind: "refused",
    code: "DRAINING",
  });
  await bridge.close();
  await expect(bridge.write([trade(1)], { idempotencyKey: "two" })).rejects.toMatchObject({ code: "CLOSED" });
});
