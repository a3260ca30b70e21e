/** Tests of a pair in which the bridge's tables are in a file beside legacy's database. */
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase as createLegacy } from "../../legacy-desk/database.ts";
import { positionRecord, tradeRecord } from "../../testing/records.ts";
import { connectionTo, runSql, schemaDump } from "../../testing/sqlite-files.ts";
import { until } from "../../testing/until.ts";
import { settingsOf } from "../control/session.ts";
import { archiveLegacy } from "./archive.ts";
import { type DatabaseBridgeSettings, openDatabaseBridge } from "./bridge.ts";
import { backfill, readStatus } from "./commands.ts";
import { initDatabases, plannedTables } from "./init.ts";
import { openDatabase } from "./open.ts";
import { pairOf } from "./pair.ts";
import { reconcilePair, reconcileSettings } from "./reconcile.ts";
import { review } from "./review.ts";

let folder: string;
let config: string;
let legacy: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-beside-"));
  config = join(folder, "pnl_migration_config.yaml");
  legacy = join(folder, "pnl_tracker.db");
  createLegacy(legacy, { journal: "rollback", busyTimeoutMs: 5_000 }).close();
  runSql(legacy, insertTrade("0"));
  configure("beside");
});
afterEach(() => rmSync(folder, { recursive: true }));

const configure = (bridgeTables: string): void =>
  writeFileSync(
    config,
    `migration: { phase: dual_write, feature_flags: { use_new_calculator: true, use_new_storage: true } }
stores: { legacy: "sqlite:./pnl_tracker.db", modern: "sqlite:./newpnl.db" }
database: { bridge_tables: ${bridgeTables} }
`,
  );

const insertTrade = (id: string): string => `INSERT INTO processed_trades
  (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, source_file) VALUES
  ('${id}', 'XCMEFFDPSX20250919U0ZN', '2025-07-15', '2025-07-15 13:08:35.561000', 7, 110.515625, 'B', 'desk.csv')`;

const open = (settings: Partial<DatabaseBridgeSettings> = {}) =>
  openDatabaseBridge({
    ...{ legacy: `sqlite:${legacy}`, modern: `sqlite:${join(folder, "newpnl.db")}` },
    ...{ phase: "dual_write", bridgeTables: "beside" },
    ...settings,
  });
type Bridge = Awaited<ReturnType<typeof open>>;

async function using<T>(work: (bridge: Bridge) => Promise<T>): Promise<T> {
  const bridge = await open();
  return work(bridge).finally(() => bridge.close());
}

const rows = (path: string, sql: string): readonly unknown[] => {
  using database = connectionTo(path, { timeout: 5_000 });
  return database.prepare(sql).all();
};

const legacyOnly = { code: "REFUSED", message: expect.stringContaining("legacy alone can be authoritative") };

describe("with the bridge's tables beside legacy's database", () => {
  it("legacy's file gets nothing but rows: backfill, writes, status and reconcile work without a table in it", async () => {
    const schema = schemaDump(legacy);
    const before = rows(legacy, "SELECT * FROM processed_trades");
    const where = join(folder, "pnl_tracker.db.pnlb");
    expect(await plannedTables({ config })).toMatchObject([
      { side: "legacy", where, tables: ["pnlb_*"] },
      { side: "modern", tables: ["newpnl_*", "pnlb_*"] },
    ]);
    expect(existsSync(where)).toBe(false);
    await initDatabases({ config });
    expect((await plannedTables({ config })).map(({ tables }) => tables)).toEqual([[], []]);
    expect(await backfill({ config, onEvent: () => {} })).toMatchObject({
      tables: { processed_trades: { imported: 1 } },
    });
    await using(async (bridge) => {
      const records = [tradeRecord(1), positionRecord("2")];
      expect(await bridge.write(records, { idempotencyKey: "one" })).toMatchObject({ kind: "acknowledged" });
      expect(await bridge.write(records, { idempotencyKey: "one" })).toMatchObject({ version: 1 });
      expect(await bridge.write([positionRecord("0")], { idempotencyKey: "two" })).toMatchObject({
        version: 2,
      });
      expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
      expect(await bridge.reconcile()).toMatchObject({ unexplained: 0, complete: true, position: 2 });
      expect(await bridge.status()).toMatchObject({ authority: "legacy", lastReconcile: { ok: true } });
    });
    expect(schemaDump(legacy)).toBe(schema);
    expect(rows(legacy, "SELECT * FROM processed_trades WHERE trade_id = '0'")).toEqual(before);
    expect(rows(legacy, "SELECT trade_id FROM processed_trades")).toHaveLength(2);
    // A connection without the bridge's mapping sees only the desk's own file, in the desk's own journal
    // mode.
    expect(await reconcilePair(await reconcileSettings({ config }))).toMatchObject({ unexplained: 0 });
  });

  it("modern never becomes authoritative: the phase, a cut-over and a moved fence are refused", async () => {
    await expect(open({ phase: "primary_switch" })).rejects.toMatchObject(legacyOnly);
    await initDatabases({ config });
    const pair = pairOf(await settingsOf({ config }));
    const database = await openDatabase(pair, { direction: () => ({ authority: "modern", mirrors: true }) });
    try {
      await expect(database.cutover("modern")).rejects.toMatchObject(legacyOnly);
      expect(await database.ready("modern")).toMatchObject({ open: false, why: legacyOnly.message });
      const from = await database.pair.legacy.call("fence", null);
      const to = { epoch: 2, authority: "modern", step: "" } as const;
      await expect(database.pair.legacy.call("moveFence", { from, to })).rejects.toMatchObject(legacyOnly);
    } finally {
      await database.close();
    }
    expect(() => runSql(`${legacy}.pnlb`, "UPDATE pnlb_fence SET authority = 'modern'")).toThrow(
      "legacy alone can be authoritative",
    );
  });

  it("only one process writes: a second one is refused until the first has closed, even if it opens legacy through another link", async () => {
    const first = await open();
    symlinkSync(legacy, join(folder, "link.db"));
    const link = { legacy: `sqlite:${join(folder, "link.db")}` };
    await expect(open(link)).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringContaining("another process writes to these databases"),
    });
    await first.close();
    const second = await open(link);
    expect(await second.write([tradeRecord(1)], { idempotencyKey: "one" })).toMatchObject({ version: 1 });
    await second.close();
    expect(readdirSync(folder).filter((name) => name.startsWith("link"))).toEqual(["link.db"]);
  });

  it("a process that was suspended for longer than its lease writes nothing after another process has become the writer", async () => {
    await using(async (bridge) => {
      const other = "UPDATE pnlb_leases SET holder = 'another', until_ms = 9e15 WHERE name = 'writer'";
      runSql(`${legacy}.pnlb`, `PRAGMA busy_timeout = 5000; ${other}`);
      let at = 0;
      await until(async () => {
        at += 1;
        const answer = await bridge.write([tradeRecord(at)], { idempotencyKey: String(at) });
        return answer.kind === "refused" && answer.code === "DRAINING";
      }, "writes are refused");
      expect(rows(legacy, "SELECT * FROM processed_trades")).toHaveLength(at);
    });
  });

  it("a record whose table has no unique key is refused, and records of other tables are written", async () => {
    runSql(
      legacy,
      `ALTER TABLE positions RENAME TO keyed;
       CREATE TABLE positions AS SELECT * FROM keyed; DROP TABLE keyed`,
    );
    await using(async (bridge) => {
      const [position, trade] = await Promise.all([
        bridge.write([positionRecord("1")], { idempotencyKey: "position" }),
        bridge.write([tradeRecord(1)], { idempotencyKey: "trade" }),
      ]);
      expect(position).toMatchObject({
        kind: "refused",
        because: expect.stringContaining("positions has no"),
      });
      expect(trade).toMatchObject({ kind: "acknowledged" });
    });
    expect(rows(legacy, "SELECT * FROM positions")).toEqual([]);
  });

  it("a write of unknown outcome waits for a person, who sees legacy's row and the wanted one and settles it", async () => {
    await using((bridge) => bridge.write([positionRecord("1")], { idempotencyKey: "one" }));
    const [position] = rows(legacy, "SELECT instrument_name FROM positions") as { instrument_name: string }[];
    const change = {
      table: "positions",
      key: { instrument_name: position?.instrument_name },
      set: { position_quantity: 3 },
      initial: {},
    };
    // A process died in a commit, and another program has changed the row since.
    const intent = {
      token: "t",
      rows: [
        {
          change,
          keys: ["lost"],
          columns: ["position_quantity"],
          before: { position_quantity: 2 },
          after: { position_quantity: 3 },
        },
      ],
      statements: [{ sql: "INSERT INTO pnlb_keys VALUES (?, ?, ?)", values: ["lost", "digest", 1] }],
    };
    using intents = connectionTo(`${legacy}.pnlb-intents`);
    intents.prepare("INSERT INTO pnlb_intents VALUES ('t', ?)").run(JSON.stringify(intent));
    expect(await readStatus({ config })).toMatchObject({ reviews: 1, quarantine: 0 });
    const { waiting } = await review({ config });
    expect(waiting).toMatchObject([{ key: "lost", code: "UNDECIDED", table: "writes" }]);
    expect(JSON.parse(waiting[0]?.legacy ?? "")).toMatchObject([{ position_quantity: 1 }]);
    expect(JSON.parse(waiting[0]?.modern ?? "")).toMatchObject([{ position_quantity: 3 }]);
    const again = () => using((bridge) => bridge.write([positionRecord("3")], { idempotencyKey: "lost" }));
    expect(await again()).toMatchObject({
      kind: "unresolved",
      because: expect.stringContaining("waits for a person"),
    });
    expect((await review({ config, settle: "lost", reason: "sent again" })).waiting).toEqual([]);
    expect(await again()).toMatchObject({ kind: "acknowledged", version: 2 });
  });

  it("a pair whose tables are not at the configured place is refused, and the message names their place", async () => {
    await initDatabases({ config });
    const refused = (where: string) => ({
      code: "BAD_DATABASE",
      message: expect.stringContaining(`the bridge's tables are ${where}`),
    });
    configure("inside");
    await expect(initDatabases({ config })).rejects.toMatchObject(refused("beside legacy's database"));
    await expect(readStatus({ config })).rejects.toMatchObject({ code: "BAD_DATABASE" });
    for (const end of ["", "-intents"]) rmSync(`${legacy}.pnlb${end}`);
    await initDatabases({ config });
    configure("beside");
    await expect(initDatabases({ config })).rejects.toMatchObject(refused("in legacy's database"));
  });

  it("the removal of the bridge removes its files, and leaves legacy's as it is", async () => {
    await using(async (bridge) => {
      await bridge.write([tradeRecord(1)], { idempotencyKey: "one" });
      await bridge.drain({ timeoutMs: 60_000 });
    });
    const accept = ["window", "fleet", "writes", "files", "rows"];
    const out = join(folder, "archive.db");
    const asked = { config, out, accept, days: 0, removeBridge: true, reason: "the desk leaves" };
    const listed = await archiveLegacy({ ...asked, yes: false });
    expect(listed.objects?.legacy).toEqual(
      ["", "-intents"].map((end) => ({ kind: "file", name: `${legacy}.pnlb${end}`, rows: null })),
    );
    const schema = schemaDump(legacy);
    expect(await archiveLegacy({ ...asked, yes: true })).toMatchObject({
      removed: true,
      tables: { processed_trades: { rows: 2 } },
      proved: { trades: 1 },
    });
    expect(readdirSync(folder).filter((name) => name.includes("pnlb"))).toEqual([]);
    expect(schemaDump(legacy)).toBe(schema);
  });
});
