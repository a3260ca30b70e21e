import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import { defaultConfig, parseConfig } from "../../config/index.ts";
import { until } from "../../testing/until.ts";
import type { CallComparison } from "../index.ts";
import { createPnlBridge, type PnlBridge } from "./pnl-bridge.ts";

const zn = "XCMEFFDPSX20250919U0ZN";
const ledger = `tradeId,instrumentName,marketTradeTime,buySell,quantity,price
1,${zn},2025-07-24 09:30:00.000,B,2,110.5
2,${zn},2025-07-24 10:15:00.000,S,1,110.515625
`;
/** A service that answers zeros instead of failing. */
const zeros = `export default class {
  totals() { return { totals: { USD: { realized: "$0.00", unrealized: "$0.00", total: "$0.00" } } }; }
  openPositions() { return { positions: [] }; }
  dailyPnl() { return { daily: [] }; }
  tradeHistory() { return { trades: [] }; }
}`;
/** A controller of the desk's own dashboard, as PnLController, with a method that destroys. */
const controller = `export default class {
  get_summary_stats() {
    return { total_pnl: "$31.25", total_realized: "$15.63", total_unrealized: "$15.63", position_count: 1 };
  }
  get_position_summary() {
    return [{ instrument: "${zn}", net_position: 1, avg_price: "110.5", last_price: "110.5156",
      realized_pnl: 15.625, unrealized_pnl: 15.625, total_pnl: 31.25 }];
  }
  get_daily_pnl_summary() {
    return [{ date: "2025-07-24", trade_count: 2, realized_pnl: 15.625, unrealized_pnl: 15.625, total_pnl: 31.25 }];
  }
  get_trade_history({ limit }) {
    return [
      { trade_id: "2", instrument: "${zn}", timestamp: "2025-07-24 10:15:00", side: "SELL", quantity: 1, price: "110.5156" },
      { trade_id: "1", instrument: "${zn}", timestamp: "2025-07-24 09:30:00", side: "BUY", quantity: 2, price: "110.5000" },
    ].slice(0, limit);
  }
  rebuild_database() { throw new Error("every table is dropped"); }
}`;

let folder: string;
let bridge: PnlBridge | undefined;
let compared: CallComparison[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pnl-bridge-dashboard-"));
  compared = [];
  await writeFile(join(folder, "trades_20250724.csv"), ledger);
  await writeFile(join(folder, "zeros.mjs"), zeros);
  await writeFile(join(folder, "controller.mjs"), controller);
});
afterEach(async () => {
  await bridge?.close();
  bridge = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function open(yaml: string): Promise<PnlBridge> {
  const path = join(folder, "desk.yaml");
  await writeFile(path, yaml);
  bridge = await createPnlBridge({
    config: path,
    load: { overload: () => undefined },
    onComparison: (comparison) => compared.push(comparison),
  });
  return bridge;
}
const verdictsAfter = async ({ service }: PnlBridge) => {
  await service.idle();
  return compared.map(({ method, verdict }) => [method, verdict]);
};

it("zeros are a failure of legacy if its ledgers hold trades, and modern's figures do not replace them", async () => {
  const opened = await open(
    "{ watch: { trade_ledger: . }, systems: { legacy: { kind: module, path: ./zeros.mjs } } }",
  );
  const { value, source } = await opened.dashboard.getPnlData({ beside: true });
  expect([source, value.summary]).toEqual(["legacy", null]);
  expect(value.unavailable.summary).toContain("its store holds trades");
  expect(await verdictsAfter(opened)).toEqual([["dashboard", "error"]]);
});

it("an empty screen is a failure of legacy if legacy's own database holds trades, else evidence", async () => {
  const file = join(folder, "pnl_tracker.db");
  const database = new Database(file);
  database.exec("CREATE TABLE processed_trades (trade_id TEXT)");
  const yaml =
    "{ watch: { trade_ledger: . }, stores: { legacy: 'sqlite:pnl_tracker.db' }, dashboard: { interval_ms: 100 }, " +
    "systems: { legacy: { kind: module, path: ./zeros.mjs } } }";
  const opened = await open(yaml);
  // Legacy's database is empty, so its empty screen is evidence, and differs from modern's.
  expect((await opened.dashboard.getPnlData({})).value.positions).toEqual([]);
  expect(await verdictsAfter(opened)).toEqual([["dashboard", "diverged"]]);
  database.exec("INSERT INTO processed_trades VALUES ('1')");
  database.close();
  await until(async () => (await opened.dashboard.getPnlData({})).value.positions === null);
  expect((await verdictsAfter(opened)).at(-1)).toEqual(["dashboard", "error"]);
  // The ledgers know books, and have no trade in this one.
  expect((await opened.dashboard.getPnlData({ book: "UST", view: "trades" })).value.trades).toEqual([]);
});

it("the desk's own controller supplies legacy's figures, and only its reading methods are called", async () => {
  const opened = await open(
    "{ watch: { trade_ledger: . }, dashboard: { legacy: { kind: module, path: ./controller.mjs } } }",
  );
  const { value, source, allBooks, other } = await opened.dashboard.getPnlData({ book: "UST", beside: true });
  expect([source, allBooks]).toEqual(["legacy", expect.stringContaining("does not know books")]);
  expect(value.summary?.totals.USD).toEqual({ realized: "15.63", unrealized: "15.63", total: "31.25" });
  expect(value.positions).toMatchObject([{ symbol: zn, realized: "15.625", averagePrice: null }]);
  expect(other?.comparison?.verdict).toBe("not_comparable");
  expect(await verdictsAfter(opened)).toEqual([["dashboard", "not_comparable"]]);
});

it("the interval of the configuration decides how often a system is asked", () => {
  expect(defaultConfig.dashboard).toMatchObject({ intervalMs: 1_000, controller: "v1", legacy: null });
  expect(parseConfig("dashboard: { interval_ms: 20000 }", "desk.yaml").dashboard.intervalMs).toBe(20_000);
});
