/**
 * Tests a modern store that hangs or throws for a simulated hour while ledgers grow. Legacy must get each row
 * at the next look, and modern must get all of them when it works again. The stores are real files behind the
 * real database bridge.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openSqliteRecordStore } from "../../src/adapters/sqlite/index.ts";
import { databaseTools as tools } from "../../src/app/database/open.ts";
import { BridgeError } from "../../src/base/errors.ts";
import { DatabaseBridge } from "../../src/bridges/database/index.ts";
import { openDatabase } from "../../src/legacy-desk/database.ts";
import type { RecordStore } from "../../src/ports/record-store.ts";
import { connectionTo } from "../../src/testing/sqlite-files.ts";
import { until } from "../../src/testing/until.ts";
import { header, rowOf, symbols } from "./files/model.ts";
import { ledgers, World } from "./files/world.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-outage-"));
  openDatabase(join(folder, "legacy.db"), { journal: "wal", busyTimeoutMs: 5_000 }).close();
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The faults of modern's store: its calls get no answer before `ends`, or each call fails. */
const faults = {
  hangs: (ends: Promise<unknown>) => ends,
  throws: async () => {
    throw new BridgeError("SYSTEM_DOWN", { what: "modern's database does not answer" });
  },
};

it.each(["hangs", "throws"] as const)(
  "a modern store that %s for an hour does not delay legacy, and catches up without help",
  async (fault) => {
    const { promise: end, resolve: endFault } = Promise.withResolvers<void>();
    let isFaulty = false;
    const open = (side: "legacy" | "modern") =>
      openSqliteRecordStore(join(folder, `${side}.db`), { side, authority: "legacy", busyMsMax: 5_000 });
    const modern = await open("modern");
    const faulty: RecordStore = {
      side: "modern",
      call: async (name, given) => {
        if (isFaulty) await faults[fault](end);
        return modern.call(name, given);
      },
      close: () => modern.close(),
    };
    const world: World = new World({
      republished: "quarantine",
      writer: { write: (records, options) => bridge.write(records, { ...options, keepsUnstorable: true }) },
    });
    const bridge = new DatabaseBridge({
      stores: { legacy: await open("legacy"), modern: faulty },
      ...{ tools, clock: world.clock, draw: () => 0, keepsMs: 7 * 24 * 3_600_000, onEvent: () => {} },
      direction: () => ({ authority: "legacy", mirrors: true }),
      lease: { name: "this process", lastsMs: 3_000, isDead: () => false },
    });
    const rowsIn = (side: "legacy" | "modern", table: string, columns: string): readonly unknown[] => {
      using database = connectionTo(join(folder, `${side}.db`), { timeout: 5_000 });
      return database.prepare(`SELECT ${columns} FROM ${table}`).all();
    };
    const inLegacy = () => rowsIn("legacy", "processed_trades ORDER BY trade_id", "trade_id AS id");
    const inModern = () => rowsIn("modern", "newpnl_trades ORDER BY trade_id", "trade_id AS id");
    try {
      world.start(Number.POSITIVE_INFINITY);
      world.disk.write(ledgers, "trades_20250724.csv", header);
      await world.looks(0);
      isFaulty = true;
      for (let id = 1; id <= 120; id += 1) {
        const time = `2025-07-24 08:${String(Math.floor((id - 1) / 2)).padStart(2, "0")}:00`;
        world.disk.append(
          ledgers,
          "trades_20250724.csv",
          rowOf({ id: `${id}`, symbol: symbols[0], time, side: "B", quantity: "1", price: "110.5" }),
        );
        await world.looks(30_000);
        expect(inLegacy()).toHaveLength(id);
      }
      expect(inModern()).toEqual([]);
      expect(rowsIn("legacy", "pnlb_outbox", "state").length).toBe(120);

      isFaulty = false;
      endFault();
      await until(() => {
        world.clock.advance(1_000);
        return inModern().length === 120;
      }, "modern has every row");
      expect(inModern()).toEqual(inLegacy());
      expect(rowsIn("modern", "newpnl_positions", "quantity, realized")).toEqual([
        { quantity: "120", realized: "0" },
      ]);
      expect(rowsIn("legacy", "positions", "position_quantity AS quantity")).toEqual([{ quantity: 120 }]);
    } finally {
      isFaulty = false;
      endFault();
      await bridge.close();
    }
  },
);
