import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { executeRepair, type RepairPlan, type RepairReport } from "../../bridges/database/index.ts";
import { defaultConfig } from "../../config/index.ts";
import type { Phase, Side } from "../../domain/migration/phase.ts";
import { openDatabase as createLegacy } from "../../legacy-desk/database.ts";
import type { ReconcileBreak, ReconcileReport } from "../../ports/reconcile.ts";
import type { BridgeRecord, TradeRecord } from "../../ports/records.ts";
import { runSql } from "../../testing/sqlite-files.ts";
import { directionOfPhase, type OpenedDatabase, openDatabase } from "./open.ts";
import type { PairSettings } from "./pair.ts";
import { reconcilePair } from "./reconcile.ts";
import { repairPlan } from "./repair.ts";

const zn = "XCMEFFDPSX20250919U0ZN";
const trade = (id: number): TradeRecord => ({
  kind: "trade",
  id: String(id),
  symbol: zn,
  book: "UST",
  side: "B",
  quantity: "2",
  price: "110.515625",
  fee: "1.25",
  time: "2025-07-15T13:08:35.561-05:00",
  file: "trades_20250715.csv",
  line: id,
});
const position = (quantity: string): BridgeRecord => ({
  kind: "position",
  symbol: zn,
  book: "UST",
  quantity,
  averagePrice: quantity === "0" ? null : "1327/12",
  realized: "593.75",
  unrealized: "0",
  asOf: "2025-07-15T16:00:00-05:00",
});
const daily: BridgeRecord = {
  kind: "daily_pnl",
  tradingDay: "2025-07-15",
  symbol: zn,
  book: "UST",
  quantity: "12",
  realized: "15.7",
  unrealized: null,
};
const price: BridgeRecord = {
  kind: "price",
  symbol: zn,
  mark: "110.5",
  markKind: "close",
  tradingDay: "2025-07-15",
  at: "2025-07-15T14:00:00-05:00",
};
const deskTrade = (id: number, quantity = 7) =>
  `INSERT INTO processed_trades (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, source_file)
   VALUES ('${id}', '${zn}', '2025-07-15', '2025-07-15 13:08:35.561000', ${quantity}, 110.515625, 'B', 'trades_20250715.csv')`;

let folder: string;
let settings: PairSettings;
let paths: Readonly<Record<Side, string>>;
const opened: OpenedDatabase[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-repair-"));
  paths = { legacy: join(folder, "pnl_tracker.db"), modern: join(folder, "newpnl.db") };
  createLegacy(paths.legacy, { journal: "wal", busyTimeoutMs: 5_000 }).close();
  settings = {
    addresses: { legacy: `sqlite:${paths.legacy}`, modern: `sqlite:${paths.modern}` },
    folder,
    database: defaultConfig.database,
  };
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
  rmSync(folder, { recursive: true });
});

const phases = { legacy: "dual_write", modern: "primary_switch" } as const satisfies Record<Side, Phase>;

/** Opens the pair, runs `work` on it, and closes it. */
async function withPair<T>(authority: Side, work: (database: OpenedDatabase) => Promise<T>): Promise<T> {
  const database = await openDatabase(settings, { direction: () => directionOfPhase(phases[authority]) });
  opened.push(database);
  const result = await work(database);
  opened.splice(opened.indexOf(database), 1);
  await database.close();
  return result;
}

const write = (authority: Side, key: string, records: readonly BridgeRecord[], timeoutMs = 20_000) =>
  withPair(authority, async ({ bridge }) => {
    expect(await bridge.write(records, { idempotencyKey: key })).toMatchObject({ kind: "acknowledged" });
    return bridge.drain({ timeoutMs });
  });

async function compared(): Promise<{ report: ReconcileReport; breaks: ReconcileBreak[] }> {
  const breaks: ReconcileBreak[] = [];
  const report = await reconcilePair(
    { pair: settings, validation: defaultConfig.validation },
    { waitMsMax: 0, onBreak: (found) => void breaks.push(found) },
  );
  return { report, breaks };
}

/** Returns the plan as it is read from a file. */
const planned = async (): Promise<RepairPlan> =>
  JSON.parse(JSON.stringify(await repairPlan(settings, (await compared()).breaks)));

const repaired = (plan: RepairPlan, dryRun = false): Promise<RepairReport & { readonly owed: number }> =>
  withPair(plan.authority, async ({ pair, backfill, bridge }) => {
    const options = { stores: pair, backfill, plan, dryRun, incarnation: "another", onResult: () => {} };
    const report = await executeRepair(options);
    return { ...report, ...(await bridge.drain({ timeoutMs: 20_000 })) };
  });

const outcomes = ({ results }: RepairReport) =>
  results.map(({ kind, do: verb, result }) => [kind, verb, result]);

function rowsIn(side: Side, sql: string): readonly unknown[] {
  const database = new Database(paths[side], { readonly: true });
  try {
    return database.prepare(sql).raw().all();
  } finally {
    database.close();
  }
}

const image = () =>
  (["legacy", "modern"] as const).map((side) =>
    rowsIn(
      side,
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
    )
      .flat()
      // The relay's lease and mark are renewed by each process.
      .filter((name) => !["pnlb_leases", "pnlb_fence", "pnlb_backfill"].includes(String(name)))
      .map((name) => [name, rowsIn(side, `SELECT * FROM ${name}`)]),
  );

const damages: Readonly<Record<Side, readonly (readonly [what: string, sql: string])[]>> = {
  legacy: [
    ["changed", "UPDATE newpnl_trades SET price = '1', fee = '9' WHERE trade_id = '1'"],
    ["missing", "DELETE FROM newpnl_positions"],
    ["changed", "UPDATE newpnl_daily SET realized = '7'"],
    ["changed", "UPDATE newpnl_marks SET price = '7'"],
  ],
  modern: [
    ["changed", "UPDATE processed_trades SET price = 1 WHERE trade_id = '1'"],
    ["missing", "DELETE FROM positions"],
    ["changed", "UPDATE eod_pnl SET realized_pnl = 7"],
    ["changed", "UPDATE market_prices SET px_last = 7"],
  ],
};

describe.each<Side>(["legacy", "modern"])("a pair in which %s is authoritative", (authority) => {
  const mirror: Side = authority === "legacy" ? "modern" : "legacy";

  it("is equal after a repair, which gives the mirror the rows of the authority, and a second repair changes nothing", async () => {
    await write(authority, "all", [trade(1), trade(2), position("12"), daily, price]);
    const before = image();
    for (const [, sql] of damages[authority]) runSql(paths[mirror], sql);
    const plan = await planned();
    expect(plan.actions.map((action) => action.do)).toEqual(Array(4).fill(`take_${authority}`));
    expect((await repaired(plan, true)).results.map(({ result }) => result)).toEqual(Array(4).fill("would"));
    expect((await compared()).report.ok).toBe(false);
    expect(await repaired(plan)).toMatchObject({ ok: true, owed: 0 });
    expect((await compared()).report.rows).toEqual([]);
    if (mirror === "modern") expect(image()).toEqual(before);
    const after = image();
    expect((await repaired(plan)).results.map(({ result }) => result)).toEqual(Array(4).fill("already"));
    expect(image()).toEqual(after);
    expect(await write(authority, "later", [position("13")])).toEqual({ drained: true, owed: 0 });
  });

  it("gets back a trade in pnlb_unstorable, and the removal of such a trade, from the authority", async () => {
    const equal = { ...trade(1), quantity: "3" } as const;
    await withPair(authority, async ({ bridge }) => {
      const keeps = { keepsUnstorable: true };
      await bridge.write([trade(1), equal, trade(2)], { idempotencyKey: "one", ...keeps });
      await bridge.drain({ timeoutMs: 20_000 });
    });
    expect((await planned()).actions).toEqual([]);
    const apart = (await compared()).report;
    expect(apart.rows.map(({ verdict, cause }) => [verdict, cause])).toEqual([
      ["not_comparable", "LEGACY_UNIQUE"],
    ]);
    expect(apart.unexplained).toBe(0);
    runSql(paths.legacy, "DELETE FROM pnlb_unstorable");
    runSql(paths.modern, "DELETE FROM newpnl_trades WHERE quantity = '3'");
    const lost = authority === "legacy" ? "newpnl_trades" : "processed_trades";
    runSql(paths[mirror], `UPDATE ${lost} SET price = '7' WHERE trade_id = '2'`);
    expect(await write(authority, "two", [{ ...trade(2), kind: "trade_removal" }])).toMatchObject({
      owed: 1,
    });
    const report = await repaired(await planned());
    expect(report.owed).toBe(0);
    expect(rowsIn(mirror, `SELECT trade_id FROM ${lost}`)).toEqual([["1"]]);
  });

  it.each<Side>(["legacy", "modern"])(
    "a row that changes in %s between plan and repair is skipped and named",
    async (side) => {
      await write(authority, "all", [trade(1), position("12")]);
      for (const [, sql] of damages[authority].slice(0, 2)) runSql(paths[mirror], sql);
      const plan = await planned();
      const sql =
        side === "legacy"
          ? "UPDATE processed_trades SET quantity = 9"
          : "UPDATE newpnl_trades SET quantity = '9'";
      runSql(paths[side], sql);
      const report = await repaired(plan);
      expect(report.ok).toBe(false);
      expect(outcomes(report)).toEqual([
        ["trade", `take_${authority}`, "skipped"],
        ["position", `take_${authority}`, "done"],
      ]);
      expect(report.results[0]?.because).toContain(side);
    },
  );

  it("a write of the bridge between plan and repair wins", async () => {
    await write(authority, "one", [position("12")]);
    runSql(paths[mirror], damages[authority][1]?.[1] ?? "");
    const plan = await planned();
    await write(authority, "two", [position("13")]);
    expect(outcomes(await repaired(plan))).toEqual([["position", `take_${authority}`, "skipped"]]);
    const again = await planned();
    expect(await repaired(again)).toMatchObject({ ok: true, covered: 1, owed: 0 });
    expect((await compared()).report.rows).toEqual([]);
  });

  it("writes that the mirror refused as FOREIGN_ROW and VERSION_GAP are applied after the repair", async () => {
    await write(authority, "one", [position("12"), trade(1)]);
    for (const [, sql] of damages[authority].slice(0, 2)) runSql(paths[mirror], sql);
    expect(await write(authority, "two", [position("13"), trade(2)])).toMatchObject({ owed: 1 });
    expect(await write(authority, "three", [position("14")])).toMatchObject({ owed: 1 + 1 });
    const plan = await planned();
    const report = await repaired(plan);
    expect(report).toMatchObject({ ok: true, covered: 2, owed: 0 });
    expect((await compared()).report.rows).toEqual([]);
    expect(await write(authority, "four", [position("0")])).toEqual({ drained: true, owed: 0 });
  });
});

it("a row that the desk's own programs wrote since the backfill enters modern", async () => {
  await write("legacy", "one", [position("12")]);
  await withPair("legacy", ({ backfill }) => backfill.run({ pass: "backfill" }));
  runSql(paths.legacy, deskTrade(5));
  const plan = await planned();
  expect(plan.actions.map((action) => action.do)).toEqual(["import"]);
  const report = await repaired(plan);
  expect(report.ok).toBe(true);
  expect((await compared()).report.rows).toEqual([]);
});

it("a row of the authority that another program has changed stays, unless a person decides to take it", async () => {
  await write("legacy", "one", [trade(1), position("12")]);
  runSql(paths.legacy, "UPDATE positions SET position_quantity = 40");
  const plan = await planned();
  expect(plan.actions.map((action) => [action.do, action.mayDo])).toEqual([
    ["leave", ["take_legacy", "take_modern", "leave"]],
  ]);
  expect(outcomes(await repaired(plan))).toEqual([["position", "leave", "left"]]);
  const chosen = {
    ...plan,
    actions: plan.actions.map((action) => ({ ...action, do: "take_legacy" as const })),
  };
  expect((await repaired(chosen)).ok).toBe(true);
  expect((await compared()).report.rows).toEqual([]);
  expect(await write("legacy", "two", [position("13")])).toEqual({ drained: true, owed: 0 });
});

describe.each<Side>(["legacy", "modern"])(
  "%s is authoritative and restored from an older copy",
  (authority) => {
    it("gets back those of its lost writes that the mirror has, and later writes reach the mirror", async () => {
      const copy = join(folder, "copy.db");
      await write(authority, "one", [trade(1), position("12")]);
      runSql(paths[authority], `VACUUM INTO '${copy}'`);
      await write(authority, "two", [trade(2), position("13")]);
      // Each write opens the pair again, as another holder of the relay's lease.
      for (let holder = 0; holder < 8; holder++) await write(authority, `three ${holder}`, [daily]);
      for (const end of ["-wal", "-shm"]) rmSync(`${paths[authority]}${end}`, { force: true });
      copyFileSync(copy, paths[authority]);
      expect(await write(authority, "four", [trade(4)], 0)).toMatchObject({ owed: 1 });
      const plan = await planned();
      expect(plan.restored).toBe(authority);
      const report = await repaired(plan);
      expect(report).toMatchObject({ ok: true, carries: true, owed: 0 });
      const { report: after } = await compared();
      expect(after.rows).toEqual([]);
      expect(rowsIn("modern", "SELECT trade_id FROM newpnl_trades ORDER BY 1")).toEqual([
        ["1"],
        ["2"],
        ["4"],
      ]);
      expect(rowsIn("modern", "SELECT quantity FROM newpnl_positions")).toEqual([["13"]]);
      expect(await write(authority, "five", [position("14")])).toEqual({ drained: true, owed: 0 });
    });
  },
);
