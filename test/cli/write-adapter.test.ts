import { execFileSync } from "node:child_process";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { examineSystem } from "../../src/app/doctor.ts";
import { python, pythonMissing, pythonWorker } from "../../src/testing/worker-programs.ts";
import { pnlBridge, root, withFiles } from "./run-cli.ts";

const sample = join(root, "examples/unified-desk");
const service = "unified_service:UnifiedPnLService";
const configFor = (target: string, more: object = {}): string =>
  JSON.stringify({
    systems: {
      legacy: {
        kind: "command",
        command: [python, pythonWorker, target, '["pnl.db", "ledgers", []]'],
        ...more,
      },
    },
  });

/** A folder with the sample desk and a configuration that names it. */
const withDesk = (use: (folder: string, config: string) => Promise<void>): Promise<void> =>
  withFiles({ "desk.yaml": configFor(service) }, async (folder) => {
    await cp(sample, folder, { recursive: true });
    await use(folder, join(folder, "desk.yaml"));
  });

describe.skipIf(python === undefined)(`doctor --write-adapter (${pythonMissing ?? "with python3"})`, () => {
  it("writes an adapter that passes every check with the sample service, and replaces no file", async () => {
    await withDesk(async (folder, config) => {
      const file = join(folder, "desk_adapter.py");
      const first = await examineSystem("legacy", config, file);
      expect(first.filter(({ ok }) => !ok).map(({ check }) => check)).toEqual(["methods"]);
      expect(first.find(({ check }) => check === "adapter")?.detail).toContain(
        `lines marked CHECK (2), and name desk_adapter:Desk instead of ${service} in systems.legacy.command`,
      );
      const text = await readFile(file, "utf8");
      await writeFile(config, configFor("desk_adapter:Desk"));
      const second = await examineSystem("legacy", config);
      expect(second.filter(({ ok }) => !ok)).toEqual([]);
      expect(second.find(({ check }) => check === "answers tradeHistory")?.detail).toBe(
        "rows with every field: 6",
      );

      await writeFile(config, configFor(service));
      await expect(examineSystem("legacy", config, file)).rejects.toMatchObject({ code: "UNWRITABLE" });
      expect(await readFile(file, "utf8")).toBe(text);
    });
  });

  it("refuses a file name that Python cannot import, and a system that is not a Python worker", async () => {
    await withDesk(async (folder, config) => {
      await expect(examineSystem("legacy", config, join(folder, "desk-adapter.py"))).rejects.toMatchObject({
        code: "BAD_USAGE",
      });
      await expect(examineSystem("modern", config, "x.py")).rejects.toMatchObject({
        code: "BAD_USAGE",
        message: expect.stringContaining("systems.modern is not a Python worker"),
      });
      expect((await pnlBridge(["doctor", "--write-adapter", "x.py"])).err).toMatch(
        /^BAD_USAGE: --write-adapter needs --system/,
      );
    });
  });

  it("adapts data frames, rows by symbol, a calculator, other words for sides, and P&L in points", async () => {
    const service = `
class Frame:
    def __init__(self, rows):
        self.rows = rows
    def to_dict(self, how="records"):
        return self.rows
class Service:
    def calculate_pnl(self, trades, prices, desk):
        assert [type(trade["qty"]) for trade in trades] == [float], trades
        row = {"ticker": trades[0]["ticker"], "net_position": prices["A"], "avg_cost": 1}
        return Frame([dict(row, realised=2, open_pnl=3)])
    def get_positions(self):
        print("this is no part of the adapter")
        return Frame([{"ticker": "A", "net_position": 2, "avg_cost": "1.5", "realised": 0, "open_pnl": 1}])
    def get_trades(self, limit=5):
        return [{"trade_id": 1, "ticker": "A", "action": "SELL", "qty": 1, "px": 2,
                 "timestamp": "2025-07-24T09:00:00-05:00"}]
    def get_daily_pnl(self):
        return {"A": {"date": "2025-07-24", "realised": 1, "open_pnl": 2, "net_pnl": 3}}
    def get_total_pnl(self):
        raise RuntimeError("no price")
    def get_position(self, symbol):
        row = {"instrument": symbol, "net_position": 2, "avg_cost": 1, "realised": 0, "open_pnl": 1}
        return {"data": [row]}
`;
    const program = `
import json
import adapter
desk = adapter.Desk()
trade = {"id": "1", "symbol": "A", "side": "B", "quantity": "1", "price": "2"}
print(json.dumps([desk.calculatePnl({"trades": [trade], "marks": {"A": 7}}),
                  desk.openPositions({"symbol": "A"}), desk.tradeHistory({}),
                  desk.totals({}), desk.positionDetail({"symbol": "A"}), desk.openPositions({"symbol": "B"}),
                  desk.dailyPnl({"from": "2025-07-24"}), desk.dailyPnl({"to": "2025-07-23"})]))
`;
    const command = [python, pythonWorker, "desk:Service"];
    const config = JSON.stringify({ systems: { legacy: { kind: "command", command, pnl_in: "points" } } });
    await withFiles({ "desk.yaml": config, "desk.py": service, "program.py": program }, async (folder) => {
      await examineSystem("legacy", join(folder, "desk.yaml"), join(folder, "adapter.py"));
      const out = execFileSync(python ?? "", ["program.py"], { cwd: folder, encoding: "utf8" }).replace(
        /^this is .*\n/gm,
        "",
      );
      const open = { symbol: "A", quantity: 2, averagePrice: "1.5", realized: 0, unrealized: 1 };
      expect(JSON.parse(out)).toEqual([
        {
          positions: [{ symbol: "A", quantity: 7, averagePrice: 1, realized: 2, unrealized: 3 }],
          totals: {},
          rejected: [],
        },
        { positions: [open] },
        {
          trades: [
            { id: "1", symbol: "A", side: "S", quantity: 1, price: 2, time: "2025-07-24T09:00:00-05:00" },
          ],
        },
        { positions: [open], totals: {} },
        { position: { symbol: "A", quantity: 2, averagePrice: 1, realized: 0, unrealized: 1 } },
        { positions: [] },
        { daily: [{ symbol: "A", tradingDay: "2025-07-24", realized: 1, unrealized: 2, total: 3 }] },
        { daily: [] },
      ]);
    });
  });
});
