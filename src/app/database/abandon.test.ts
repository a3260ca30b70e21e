import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { variant } from "../../../test/campaigns.ts";
import type { DatabaseBridge, Direction } from "../../bridges/database/index.ts";
import { planOf } from "../../domain/migration/plan.ts";
import { openDatabase as createLegacy } from "../../legacy-desk/database.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { Wire } from "../../testing/postgres-wire.ts";
import { positionRecord, tradeRecord } from "../../testing/records.ts";
import { connectionTo, runSql } from "../../testing/sqlite-files.ts";
import { until } from "../../testing/until.ts";
import { openOperator, settingsOf } from "../control/session.ts";
import { abandon } from "./abandon.ts";
import { readStatus } from "./commands.ts";
import { type OpenedDatabase, openDatabase } from "./open.ts";
import { pairOf } from "./pair.ts";
import { DatabaseService } from "./service.ts";

let folder: string;
let config: string;
let legacyFile: string;
let modernFile: string;
const opened: OpenedDatabase[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-abandon-"));
  legacyFile = join(folder, "pnl_tracker.db");
  modernFile = join(folder, "newpnl.db");
  createLegacy(legacyFile, { journal: "wal", busyTimeoutMs: 5_000 }).close();
  configure(`sqlite:${modernFile}`);
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  rmSync(folder, { recursive: true });
});

function configure(modern: string): void {
  config = join(folder, "pnl_migration_config.yaml");
  writeFileSync(
    config,
    `stores: { control: "sqlite:./control.db", legacy: "sqlite:${legacyFile}", modern: "${modern}" }\n`,
  );
}

/** The direction after a `rollback` from a phase that writes both databases. */
const legacyFirst: Direction = { authority: "legacy", mirrors: true };
const modernFirst: Direction = { authority: "modern", mirrors: true };

async function open(direction: Direction): Promise<OpenedDatabase> {
  const database = await openDatabase(pairOf(await settingsOf({ config })), { direction: () => direction });
  opened.push(database);
  return database;
}

async function close(database: OpenedDatabase): Promise<void> {
  opened.splice(opened.indexOf(database), 1);
  await database.close();
}

let keys = 0;
const write = (bridge: DatabaseBridge, ...records: readonly ReturnType<typeof positionRecord>[]) =>
  bridge.write(records, { idempotencyKey: `write ${++keys}` });
const acknowledged = { kind: "acknowledged" };

/** Makes a pair in which modern is authoritative, and legacy has the first write and lacks the other two. */
async function pairThatOwes(): Promise<void> {
  const mirrored = await open(modernFirst);
  expect(await write(mirrored.bridge, tradeRecord(1), positionRecord("1"))).toMatchObject(acknowledged);
  expect(await mirrored.bridge.drain({ timeoutMs: 60_000 })).toMatchObject({ drained: true });
  await close(mirrored);
  const alone = await open({ ...modernFirst, mirrors: false });
  expect(await write(alone.bridge, tradeRecord(2), positionRecord("2"))).toMatchObject(acknowledged);
  expect(await write(alone.bridge, positionRecord("3"))).toMatchObject(acknowledged);
  await close(alone);
}

/** Returns the gate `no_quarantine` as `gates` shows it. */
async function quarantineGate() {
  const session = await openOperator(await settingsOf({ config }));
  const { gates } = await session.operator.gates("dual_write");
  await session.close();
  return gates.find(({ name }) => name === "no_quarantine");
}

const unknown = /^it is unknown which writes legacy lacks/;

/**
 * Returns whether the operator's status calls a rollback possible, why the authority cannot go back according
 * to `db status`, the gates that are not open because the owed writes are unknown, and their number.
 */
async function wayBack() {
  const { authority, canGoBack, owed } = await readStatus({ config });
  expect([authority, canGoBack.now]).toEqual(["modern", false]);
  const session = await openOperator(await settingsOf({ config }));
  const { rollback } = await session.status();
  const { gates } = await session.operator.gates("primary_switch");
  await session.close();
  const closed = gates.filter(({ open, why }) => !open && unknown.test(why)).map(({ name }) => name);
  return [rollback.possible, canGoBack.why, closed, owed.toLegacy?.count ?? null];
}

const asked = (actor: string, lost = false) => abandon({ config, actor, reason: "modern is dead", lost });

async function abandonByTwo(): Promise<void> {
  expect(await asked("amy")).toMatchObject({ state: "requested", epoch: 1 });
  expect(await asked("bob")).toMatchObject({ state: "abandoned", epoch: 2 });
}

const legacyRows = (sql: string): unknown[] => {
  using database = connectionTo(legacyFile, { readonly: true });
  return database.prepare(sql).pluck().all();
};
const trades = () => legacyRows("SELECT trade_id FROM processed_trades ORDER BY trade_id");
const quantity = () => legacyRows("SELECT position_quantity FROM positions");

async function quarantineOf({ pair }: OpenedDatabase) {
  await until(async () => (await pair.legacy.call("fence", null)).step === "");
  return pair.modern.call("quarantine", { after: null, limit: 100 });
}

async function auditActions(): Promise<readonly string[]> {
  const session = await openOperator(await settingsOf({ config }));
  const rows = await session.store.audit(0, 100);
  await session.close();
  return rows.map(({ action, actor }) => `${action} by ${actor}`);
}

/**
 * Checks what must hold for every pair whose modern store was unreachable, was abandoned, and has returned.
 */
async function expectSettled(database: OpenedDatabase): Promise<void> {
  const waiting = await quarantineOf(database);
  const images = waiting.map(({ code, kind, legacy, modern }) => ({
    code,
    kind,
    legacy: legacy && JSON.parse(legacy).position_quantity,
    modern: modern && JSON.parse(modern).values.quantity,
  }));
  const review = { code: "ABANDONED", kind: "review" };
  expect(images).toEqual([
    { ...review, legacy: 7, modern: "2" },
    { ...review, legacy: 7, modern: "3" },
    { ...review, legacy: null, modern: "2" },
  ]);
  expect([trades(), quantity()]).toEqual([["1"], [7]]);
  expect(await readStatus({ config })).toMatchObject({
    ...{ authority: "legacy", step: "", reviews: 3, modernAway: null, owed: { toLegacy: { count: 0 } } },
  });
  // Modern follows legacy again, from the version that legacy had.
  expect(await write(database.bridge, tradeRecord(3), positionRecord("8"))).toMatchObject(acknowledged);
  expect(await database.bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
  expect(await database.pair.modern.call("owed", { nowMs: 0 })).toMatchObject({ count: 0 });
  expect(await database.pair.modern.call("fence", null)).toMatchObject({
    epoch: 2,
    authority: "legacy",
    step: "",
  });
}

describe("a modern database that is dead while it is authoritative", () => {
  const deaths: Readonly<Record<string, () => () => void>> = {
    "is missing": () => {
      renameSync(modernFile, `${modernFile}.away`);
      return () => renameSync(`${modernFile}.away`, modernFile);
    },
    "is damaged": () => {
      copyFileSync(modernFile, `${modernFile}.copy`);
      writeFileSync(modernFile, "no database\n".repeat(1_000));
      return () => copyFileSync(`${modernFile}.copy`, modernFile);
    },
  };
  it.each(Object.keys(deaths))(
    "is abandoned when its file %s, and the writes that legacy lacks wait for a person",
    async (name) => {
      await pairThatOwes();
      expect(await wayBack()).toEqual([true, "2 writes are on their way to legacy", [], 2]);
      const comeBack = deaths[name]?.();
      expect(await wayBack()).toEqual([
        false,
        expect.stringMatching("^it is unknown which writes legacy lacks"),
        ["rollback_possible", "nothing_lost"],
        null,
      ]);
      // After a rollback, a process that starts now does not create modern's database anew.
      const service = new DatabaseService({
        settings: pairOf(await settingsOf({ config })),
        plan: () => planOf({ phase: "shadow_mode", flags: {} }),
      });
      await service.started;
      expect(service.owed()).toMatchObject({ count: 1 });
      await service.close();
      await abandonByTwo();
      const database = await open(legacyFirst);
      expect(await write(database.bridge, positionRecord("7"))).toMatchObject(acknowledged);
      expect(await database.pair.legacy.call("fence", null)).toMatchObject({ step: "abandoned", epoch: 2 });
      expect(quantity()).toEqual([7]);
      comeBack?.();
      await expectSettled(database);
      expect(await auditActions()).toEqual(["abandon-request by amy", "abandon by bob"]);
    },
  );

  it("no longer owes the writes that legacy got before the abandonment, and quarantines none of them", async () => {
    await pairThatOwes();
    // The relay died between legacy's commit and modern's note of it.
    runSql(modernFile, "UPDATE pnlb_outbox SET state = 'pending', place = NULL WHERE seq = 1");
    renameSync(modernFile, `${modernFile}.away`);
    await abandonByTwo();
    const database = await open(legacyFirst);
    const entry = { seq: 9, idempotencyKey: "late", digest: "", rows: [] };
    const late = database.pair.legacy.call("apply", { entries: [entry], source: "modern", token: 9 });
    await expect(late).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await write(database.bridge, positionRecord("7"))).toMatchObject(acknowledged);
    expect(await quarantineGate()).toMatchObject({ open: false, why: expect.stringContaining("unknown") });
    renameSync(`${modernFile}.away`, modernFile);
    await expectSettled(database);
    expect(await quarantineGate()).toMatchObject({
      open: false,
      why: "rows wait in the quarantine: 3",
    });
    for (const { table, key } of await quarantineOf(database))
      await database.pair.modern.call("settleQuarantine", { table, key, as: "dropped", nowMs: 0 });
    expect(await quarantineGate()).toMatchObject({ open: true });
  });

  it("moves parked writes into quarantine too, and the next process completes the work of a dead one", async () => {
    await pairThatOwes();
    runSql(modernFile, "UPDATE pnlb_outbox SET state = 'parked', code = 'X', because = 'x' WHERE seq = 2");
    await abandonByTwo();
    const incarnation = legacyRows("SELECT incarnation FROM pnlb_fence");
    // The dead process had moved modern's fence and put one of the writes into quarantine.
    runSql(
      modernFile,
      "UPDATE pnlb_fence SET epoch = 2, authority = 'legacy', step = 'abandoned'; UPDATE pnlb_outbox SET state = 'pending'",
    );
    const database = await open(legacyFirst);
    const waiting = await quarantineOf(database);
    expect(waiting.map(({ key }) => key)).toHaveLength(3);
    expect(legacyRows("SELECT incarnation FROM pnlb_fence")).toEqual(incarnation);
  });
});

describe("the people who abandon modern's database", () => {
  it("must be two: a second call by the same person only repeats the request", async () => {
    await pairThatOwes();
    expect(await asked("amy")).toMatchObject({ state: "requested" });
    expect(await asked(" amy ")).toMatchObject({ state: "requested" });
    expect(legacyRows("SELECT authority FROM pnlb_fence")).toEqual(["modern"]);
    expect(await asked("bob")).toMatchObject({ state: "abandoned" });
    expect(legacyRows("SELECT authority FROM pnlb_fence")).toEqual(["legacy"]);
  });

  it("cannot abandon a pair whose legacy is authoritative, or give up a database that is not abandoned", async () => {
    await pairThatOwes();
    await expect(asked("amy", true)).rejects.toMatchObject({ code: "REFUSED" });
    await abandonByTwo();
    const database = await open(legacyFirst);
    await quarantineOf(database);
    await expect(asked("amy")).rejects.toThrow(/nothing to abandon/);
  });

  it("get a new, empty database instead of the abandoned one only after two of them have given it up", async () => {
    await pairThatOwes();
    rmSync(modernFile);
    await abandonByTwo();
    const database = await open(legacyFirst);
    expect(await write(database.bridge, positionRecord("7"))).toMatchObject(acknowledged);
    await expect(database.pair.modern.call("fence", null)).rejects.toMatchObject({ code: "UNWRITABLE" });
    await close(database);
    expect(await asked("amy")).toMatchObject({ state: "abandoned" });
    expect(await asked("amy", true)).toMatchObject({ state: "requested" });
    expect(await asked("bob", true)).toMatchObject({ state: "given_up", epoch: 2 });
    const replaced = await open(legacyFirst);
    expect(await replaced.pair.modern.call("fence", null)).toMatchObject({ authority: "legacy" });
  });
});

const missing = postgresMissing();
describe.skipIf(missing !== undefined)(`PostgreSQL ${missing ?? ""}`, () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  it(
    "is abandoned while it is stopped, and the writes that legacy lacks wait for a person when it runs again",
    variant,
    async () => {
      const wire = await Wire.to(server.url);
      configure(wire.url);
      await pairThatOwes();
      wire.away = true;
      await abandonByTwo();
      const database = await open(legacyFirst);
      expect(await write(database.bridge, positionRecord("7"))).toMatchObject(acknowledged);
      expect(quantity()).toEqual([7]);
      wire.away = false;
      await expectSettled(database);
      await close(database);
      await wire.close();
    },
  );
});
