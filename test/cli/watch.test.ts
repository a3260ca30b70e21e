import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, describe, expect, it } from "vitest";
import { hasSharedData, sharedData } from "../shared-data.ts";
import { pnlBridge, type Ran } from "./run-cli.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A desk with a folder of ledgers, in dual_write. */
class Desk {
  readonly folder = mkdtempSync(join(tmpdir(), "pnl-bridge-watch-"));
  readonly ledgers = join(this.folder, "ledgers");

  constructor(watch: object = {}, more: object = {}) {
    folders.push(this.folder);
    mkdirSync(this.ledgers);
    const config = {
      migration: { phase: "dual_write", feature_flags: { use_new_storage: true } },
      stores: { legacy: "sqlite:./pnl_tracker.db", modern: "sqlite:./newpnl.db" },
      watch: { trade_ledger: "./ledgers", settle_ms: 20, ...watch },
      ...more,
    };
    writeFileSync(join(this.folder, "pnl_migration_config.yaml"), JSON.stringify(config));
  }

  write(name: string, content: string | Uint8Array): void {
    writeFileSync(join(this.ledgers, name), content);
  }

  run(...args: readonly string[]): Promise<Ran> {
    return pnlBridge(["watch", ...args], { cwd: this.folder });
  }

  /** Watches once, and answers the exit code and the status. */
  async once() {
    const { code, out, err } = await this.run("--once", "--json");
    return { code, err, ...(out === "" ? {} : JSON.parse(out)) };
  }

  async file(name: string) {
    const { out } = await this.run("status", "--json");
    return JSON.parse(out).files.find(({ path }: { readonly path: string }) => path === name);
  }

  read<T>(sql: string, file = "newpnl.db"): readonly T[] {
    const database = new Database(join(this.folder, file), { readonly: true });
    try {
      return database.prepare(sql).all() as T[];
    } finally {
      database.close();
    }
  }

  tradeIds(): readonly string[] {
    return this.read<{ trade_id: string }>("SELECT trade_id FROM newpnl_trades ORDER BY 1").map(
      ({ trade_id }) => trade_id,
    );
  }
}

interface Position {
  readonly symbol: string;
  readonly quantity: string;
  readonly averagePrice: string | null;
  readonly realized: string;
}

const positionsSql =
  "SELECT symbol, quantity, average_price AS averagePrice, realized FROM newpnl_positions ORDER BY symbol";

describe.skipIf(!hasSharedData)("watch --once over the desk's published ledgers", () => {
  it("gives the positions of replay, in whatever order the files come, and counts repeated rows once", async () => {
    const desk = new Desk();
    const from = join(sharedData, "ledgers");
    const names = readdirSync(from);
    for (const batch of [names.slice(9), names.slice(0, 9)]) {
      for (const name of batch) copyFileSync(join(from, name), join(desk.ledgers, name));
      expect(await desk.once()).toMatchObject({ code: 0 });
    }
    const { sinks, files } = await desk.once();
    expect(sinks).toEqual({
      legacy: { rows: 533, oldestUnappliedMs: 0, state: "ok" },
      modern: { rows: 533, oldestUnappliedMs: 0, state: "ok" },
    });
    expect(files.filter(({ rowsElsewhere = 0 }) => rowsElsewhere > 0)).toEqual([
      expect.objectContaining({ path: "trades_20250717.csv", rowsApplied: 4, rowsElsewhere: 4 }),
    ]);
    const { out } = await pnlBridge(["pnl", "--trades", from, "--day-rule", "calendar", "--json"]);
    const due = JSON.parse(out).positions.map(({ symbol, quantity, averagePrice, realized }: Position) => ({
      ...{ symbol, quantity, averagePrice, realized },
    }));
    const bySymbol = (a: Position, b: Position): number => (a.symbol < b.symbol ? -1 : 1);
    expect(desk.read<Position>(positionsSql)).toEqual(due.toSorted(bySymbol));
    // Legacy's own table cannot hold one of two trades with one id in one file.
    const reconciled = await pnlBridge(["db", "reconcile", "--json"], { cwd: desk.folder });
    expect(JSON.parse(reconciled.out)).toMatchObject({
      ...{ unexplained: 0, complete: true },
      verdicts: { diverged: 0, error: 0, not_comparable: 1 },
    });
  });
});
