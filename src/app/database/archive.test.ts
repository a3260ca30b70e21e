import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { variant } from "../../../test/campaigns.ts";
import { openDatabase as createLegacy } from "../../legacy-desk/database.ts";
import { comparison } from "../../testing/evidence-store-contract.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { connected } from "../../testing/postgres-wire.ts";
import { positionRecord, tradeRecord } from "../../testing/records.ts";
import { connectionTo, runSql } from "../../testing/sqlite-files.ts";
import { openOperator, settingsOf } from "../control/session.ts";
import { openEvidenceStore } from "../stores.ts";
import { type ArchiveCommand, archiveLegacy, removeBridge } from "./archive.ts";
import { openDatabase } from "./open.ts";
import { pairOf } from "./pair.ts";
import { reconcilePair, reconcileSettings, recordReconcile } from "./reconcile.ts";

let folder: string;
let config: string;
let legacy: string;
let modern: string;
let out: string;

/** The files of the desk with which every test begins, except the one on PostgreSQL. */
const template = mkdtempSync(join(tmpdir(), "pnl-bridge-leaving-"));

beforeAll(async () => {
  enter(template);
  configure("sqlite:./newpnl.db");
  await makeDesk();
});
afterAll(() => rmSync(template, { recursive: true }));
beforeEach(() => {
  enter(mkdtempSync(join(tmpdir(), "pnl-bridge-leaving-")));
  cpSync(template, folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

function enter(where: string): void {
  folder = where;
  config = join(folder, "pnl_migration_config.yaml");
  legacy = join(folder, "pnl_tracker.db");
  modern = join(folder, "newpnl.db");
  out = join(folder, "archive.db");
}

const configure = (address: string): void =>
  writeFileSync(
    config,
    `stores: { control: "sqlite:./control.db", legacy: "sqlite:./pnl_tracker.db", modern: "${address}" }\n`,
  );

async function inControlStore<T>(
  work: (session: Awaited<ReturnType<typeof openOperator>>) => Promise<T>,
): Promise<T> {
  const session = await openOperator(await settingsOf({ config }));
  return work(session).finally(() => session.close());
}

const closeWindow = () =>
  inControlStore(({ store }) =>
    store.change({
      ...{ actor: "amy", action: "sign-off", reason: "legacy is not needed any more" },
      set: { phase: "cleanup", grantedPhase: "cleanup", legacyWindow: "closed" },
    }),
  );

/** A desk that has left legacy: both databases were equal, and modern alone has taken writes since. */
async function makeDesk(): Promise<void> {
  createLegacy(legacy, { journal: "wal", busyTimeoutMs: 5_000 }).close();
  const settings = await reconcileSettings({ config });
  const pair = pairOf(await settingsOf({ config }));
  const both = await openDatabase(pair, { direction: () => ({ authority: "modern", mirrors: true }) });
  await both.bridge.write([tradeRecord(1), tradeRecord(2), positionRecord("1")], { idempotencyKey: "both" });
  expect(await both.bridge.drain({ timeoutMs: 60_000 })).toMatchObject({ drained: true });
  await both.close();
  await recordReconcile(settings, await reconcilePair(settings));
  await closeWindow();
  const alone = await openDatabase(pair, { direction: () => ({ authority: "modern", mirrors: false }) });
  await alone.bridge.write([tradeRecord(3), positionRecord("2")], { idempotencyKey: "alone" });
  await alone.close();
}

const archive = (options: Partial<ArchiveCommand> = {}) =>
  archiveLegacy({
    ...{ config, out, days: 0, accept: [], removeBridge: false, yes: false, reason: "the desk has left" },
    ...options,
  });
const missing = async (options: Partial<ArchiveCommand> = {}) => {
  const { archived, evidence } = await archive(options);
  return { archived, missing: evidence.filter(({ holds }) => !holds).map(({ name }) => name) };
};

const tablesOf = (path: string): readonly unknown[] => {
  using database = connectionTo(path, { readonly: true });
  return database.prepare("SELECT name FROM sqlite_schema ORDER BY name").pluck().all();
};
const countIn = (path: string, table: string): unknown => {
  using database = connectionTo(path, { readonly: true });
  return database.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
};
const isOwn = (name: unknown): boolean => String(name).startsWith("pnlb_");

const newTrade = `INSERT INTO processed_trades (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, source_file)
  VALUES ('9', 'XCMEFFDPSX20250919U0ZN', '2025-07-15', '2025-07-15 13:08:35.561000', 7, 110.515625, 'B', 'trades_20250715.csv')`;

describe("the archive of legacy's database", () => {
  it("is made when all evidence holds, is recorded in the audit, and overwrites nothing", async () => {
    const report = await archive();
    expect(report.evidence.map(({ name, holds }) => [name, holds])).toEqual(
      ["window", "fleet", "writes", "files", "rows"].map((name) => [name, true]),
    );
    expect(report).toMatchObject({
      ...{ archived: true, removed: false, objects: null },
      tables: { processed_trades: { rows: 2 }, positions: { rows: 1 }, pnlb_keys: { rows: 1 } },
    });
    expect(countIn(out, "processed_trades")).toBe(2);
    const audit = await inControlStore(({ store }) => store.audit(0, 100));
    expect(audit.at(-1)).toMatchObject({ action: "archive", reason: "the desk has left" });
    await expect(archive()).rejects.toMatchObject({ code: "UNWRITABLE" });
  });

  it("is refused in a dual phase, with the command that closes the window", async () => {
    rmSync(join(folder, "control.db"));
    const { archived, evidence } = await archive();
    expect(archived).toBe(false);
    expect(evidence[0]).toMatchObject({ name: "window", holds: false, why: /sign-off legacy_window/ });
    expect(tablesOf(legacy).filter(isOwn)).not.toEqual([]);
  });

  it("is refused until the window has been closed, and legacy has received no write, for the required number of days", async () => {
    expect(await missing({ days: 7 })).toEqual({ archived: false, missing: ["window", "writes", "rows"] });
  });

  it("is refused while a stored comparison shows that a call has reached legacy after the window was closed", async () => {
    const evidence = await openEvidenceStore(await settingsOf({ config }));
    await evidence?.append([comparison({ at: new Date(Date.now() + 3_600_000).toISOString() })]);
    await evidence?.close();
    expect(await missing()).toEqual({ archived: false, missing: ["window", "rows"] });
  });

  it("is refused while a process of the fleet is running", async () => {
    const process = { id: "1", name: "gateway-1", seenEpoch: 2, drainedEpoch: 2, report: null };
    await inControlStore(({ store }) => store.heartbeat(process));
    expect(await missing()).toEqual({ archived: false, missing: ["fleet", "rows"] });
  });

  it.skipIf(process.platform !== "linux")(
    "is refused while another process has the file open, under any name",
    async () => {
      const other = spawn("sh", [
        "-c",
        'ln "$1" "$1.other"; exec 3<"$1.other"; echo open; exec sleep 60',
        "sh",
        legacy,
      ]);
      await once(other.stdout, "data");
      const { archived, evidence } = await archive();
      other.kill("SIGKILL");
      await once(other, "close");
      expect(archived).toBe(false);
      const [files] = evidence.filter(({ name }) => name === "files");
      expect(files).toMatchObject({ holds: false, why: expect.stringContaining(`open: ${other.pid}`) });
    },
  );

  it("is refused once for new rows of legacy's own programs, which enter modern, and for changed ones until a person decides", async () => {
    runSql(legacy, newTrade);
    expect(await missing()).toEqual({ archived: false, missing: ["rows"] });
    expect(countIn(modern, "newpnl_trades")).toBe(4);
    runSql(legacy, "UPDATE positions SET avg_cost = 1");
    expect(await missing()).toEqual({ archived: false, missing: ["rows"] });
    runSql(modern, "UPDATE pnlb_quarantine SET settled_ms = 1, settled_as = 'accepted'");
    expect(await missing()).toEqual({ archived: true, missing: [] });
  });

  it("is refused for an unknown name of evidence, and without a control store, which leaves evidence missing", async () => {
    await expect(archive({ accept: ["all"] })).rejects.toMatchObject({ code: "BAD_USAGE" });
    writeFileSync(config, readFileSync(config, "utf8").replace('control: "sqlite:./control.db",', ""));
    expect(await missing()).toEqual({ archived: false, missing: ["window", "fleet", "rows"] });
  });
});

describe("the removal of the bridge", () => {
  it("lists the objects to remove, changes nothing without a confirmation, and then leaves no table of the bridge in either database", async () => {
    const { archived, objects, removed } = await archive({ removeBridge: true });
    expect([archived, removed]).toEqual([false, false]);
    for (const [side, path] of [
      ["legacy", legacy],
      ["modern", modern],
    ] as const) {
      const listed = objects?.[side].map(({ name }) => name).toSorted();
      expect(listed).toEqual(tablesOf(path).filter(isOwn));
    }
    const report = await archive({ removeBridge: true, yes: true });
    expect(report).toMatchObject({
      archived: true,
      removed: true,
      proved: { trades: 3, positions: 1, daily: 0, marks: 0 },
    });
    for (const path of [legacy, modern]) expect(tablesOf(path).filter(isOwn)).toEqual([]);
    expect([countIn(legacy, "processed_trades"), countIn(modern, "newpnl_trades")]).toEqual([2, 3]);
    expect(countIn(out, "pnlb_keys")).toBe(1);
    runSql(modern, "UPDATE newpnl_positions SET quantity = '9', version = version + 1");
    expect(await archive({ removeBridge: true, yes: true })).toMatchObject({
      ...{ archived: true, removed: true, proved: null, objects: { legacy: [], modern: [] } },
    });
  });

  it("continues at the point where a process died, and uses the archive that was made before", async () => {
    await archive();
    await removeBridge(pairOf(await settingsOf({ config })), { legacy: false, modern: true });
    expect(tablesOf(legacy).filter(isOwn)).not.toEqual([]);
    expect(await archive({ removeBridge: true, yes: true })).toMatchObject({ removed: true, proved: null });
    expect(tablesOf(legacy).filter(isOwn)).toEqual([]);
  });

  it("is refused if the archive lacks a row of legacy", async () => {
    await archive();
    runSql(out, "DELETE FROM positions");
    await expect(archive({ removeBridge: true, yes: true })).rejects.toMatchObject({ code: "CONFLICT" });
    expect(tablesOf(legacy).filter(isOwn)).not.toEqual([]);
  });

  it("removes nothing while a trigger of modern's database needs the bridge", async () => {
    runSql(
      modern,
      `CREATE TRIGGER mine AFTER UPDATE ON newpnl_trades BEGIN DELETE FROM pnlb_inbox WHERE seq = -1; END`,
    );
    const before = tablesOf(modern);
    await expect(archive({ removeBridge: true, yes: true })).rejects.toMatchObject({ code: "REFUSED" });
    expect(tablesOf(modern)).toEqual(before);
  });
});

const noPostgres = postgresMissing();
describe.skipIf(noPostgres !== undefined)(`PostgreSQL ${noPostgres ?? ""}`, () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  it(
    "keeps its rows when a second call removes the bridge's tables after the first call stopped half-way",
    variant,
    async () => {
      configure(server.url);
      rmSync(legacy);
      rmSync(join(folder, "control.db"));
      await makeDesk();
      expect(await archive()).toMatchObject({ archived: true });
      const admin = await connected(server.url);
      await admin.query("CREATE VIEW newpnl.mine AS SELECT * FROM newpnl.pnlb_keys");
      await expect(archive({ removeBridge: true, yes: true })).rejects.toMatchObject({ code: "REFUSED" });
      await admin.query("DROP VIEW newpnl.mine");
      await removeBridge(pairOf(await settingsOf({ config })), { legacy: false, modern: true });
      expect(await archive({ removeBridge: true, yes: true })).toMatchObject({
        removed: true,
        objects: {
          legacy: expect.arrayContaining([expect.objectContaining({ name: "pnlb_fence" })]),
          modern: [],
        },
      });
      const { rows } = await admin.query(
        "SELECT relname AS name FROM pg_class WHERE relnamespace = 'newpnl'::regnamespace AND relkind = 'r' ORDER BY 1",
      );
      expect(rows.map(({ name }) => name)).toEqual(["daily", "marks", "positions", "trades"]);
      expect((await admin.query("SELECT 1 FROM newpnl.trades")).rows).toHaveLength(3);
      await admin.end();
      expect(tablesOf(legacy).filter(isOwn)).toEqual([]);
    },
  );
});
