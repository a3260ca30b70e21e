/**
 * The real ledgers, processed by the legacy desk into a `pnl_tracker.db`, are copied into modern: every row
 * of legacy is in modern with its exact values or waits with a reason, also if the process is killed
 * meanwhile.
 */
import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/adapters/host/index.ts";
import { openSqliteRecordStore } from "../../src/adapters/sqlite/index.ts";
import { reconcilePair } from "../../src/app/database/reconcile.ts";
import { openRecordStore } from "../../src/app/stores.ts";
import { describeSymbol } from "../../src/app/symbols/symbols.ts";
import {
  Backfill,
  type BackfillReport,
  backfillLimits,
  backfillTables,
} from "../../src/bridges/database/index.ts";
import { defaultConfig } from "../../src/config/index.ts";
import { tradingDayRules } from "../../src/domain/market/trading-day.ts";
import { LegacyDesk } from "../../src/legacy-desk/index.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../src/testing/postgres.ts";
import { connected } from "../../src/testing/postgres-wire.ts";
import { runSql } from "../../src/testing/sqlite-files.ts";
import { StoreProcess } from "../../src/testing/store-process.ts";
import { isLongRun, variant } from "../campaigns.ts";
import { hasSharedData, sharedData } from "../shared-data.ts";

const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-real-backfill-"));
afterAll(() => rmSync(folder, { recursive: true }));
const original = join(folder, "pnl_tracker.db");

beforeAll(async () => {
  if (!hasSharedData) return;
  const ledgers = ["ledgers-mock", "ledgers"].flatMap((name) =>
    readdirSync(join(sharedData, name))
      .toSorted()
      .map((file) => join(sharedData, name, file)),
  );
  await new LegacyDesk({ database: original }).history({ ledgers });
});

const tools = {
  describe: describeSymbol,
  dayRule: tradingDayRules["chicago-17"],
  digest: (text: string) => createHash("sha256").update(text).digest("hex"),
  book: "",
};

function query(path: string, sql: string): readonly Record<string, unknown>[] {
  const database = new Database(path, { readonly: true });
  try {
    return database.prepare<[], Record<string, unknown>>(sql).all();
  } finally {
    database.close();
  }
}

interface Pair {
  readonly legacy: string;
  /** A file, or the address of a schema on a server. */
  readonly modern: string;
}

function pairNamed(name: string, modern = join(folder, `${name}.modern.db`)): Pair {
  const legacy = join(folder, `${name}.legacy.db`);
  copyFileSync(original, legacy);
  return { legacy, modern };
}

const addressOf = ({ modern }: Pair): string =>
  modern.startsWith("postgres:") ? modern : `sqlite:${modern}`;

async function filled(pair: Pair): Promise<BackfillReport> {
  const stores = {
    legacy: await openSqliteRecordStore(pair.legacy, { side: "legacy", authority: "legacy" }),
    modern: await openRecordStore(addressOf(pair), {
      folder,
      side: "modern",
      authority: "legacy",
      creates: true,
      isBeside: false,
    }),
  };
  try {
    const backfill = new Backfill({
      stores,
      tools,
      clock: systemClock,
      lease: { name: "test", lastsMs: 60_000, isDead: () => true },
      tables: backfillTables,
      limits: backfillLimits,
      held: () => undefined,
      onEvent: () => {},
    });
    return await backfill.run({ pass: "backfill" });
  } finally {
    await stores.legacy.close();
    await stores.modern.close();
  }
}

/** Rows as sorted texts, whatever the order of rows and columns is, and whether a number is a text. */
const asTexts = (rows: readonly Readonly<Record<string, unknown>>[]): readonly string[] =>
  rows
    .map((row) =>
      JSON.stringify(
        Object.entries(row)
          .toSorted()
          .map(([name, value]) => [name, value === null ? null : String(value)]),
      ),
    )
    .toSorted();

const missing = postgresMissing();
const tablesOf = ["trades", "positions", "daily", "marks"].map((table) => `newpnl_${table}`);
const contents = ({ modern }: Pair) =>
  [...tablesOf, "pnlb_versions"]
    .map((table) => query(modern, `SELECT * FROM ${table}`))
    .concat([query(modern, "SELECT source, key, code, legacy, modern FROM pnlb_quarantine")]);

describe.skipIf(!hasSharedData)("the real ledgers", () => {
  /** Fills modern, and compares before and after a person has accepted the rows that wait. */
  async function reconciled(pair: Pair, accept: (sql: string) => unknown): Promise<void> {
    await filled(pair);
    const settings = {
      pair: {
        addresses: { legacy: `sqlite:${pair.legacy}`, modern: addressOf(pair) },
        folder,
        database: defaultConfig.database,
      },
      validation: defaultConfig.validation,
    };
    const before = await reconcilePair(settings);
    expect(before.verdicts).toMatchObject({ diverged: 0, error: 0 });
    expect([...new Set(before.rows.map(({ cause }) => cause))]).toEqual(["LEGACY_DOUBLE_COUNT"]);
    expect(before.unexplained).toBe(before.rows.length);
    await accept("UPDATE pnlb_quarantine SET settled_ms = 1, settled_as = 'accepted'");
    expect(await reconcilePair(settings)).toMatchObject({ unexplained: 0, complete: true });
  }

  it("are reconciled without an unexplained difference once a person has accepted the repeated trades", async () => {
    const pair = pairNamed("reconciled");
    await reconciled(pair, (sql) => runSql(pair.modern, sql));
  });

  describe.skipIf(missing !== undefined)(`on PostgreSQL ${missing ?? ""}`, () => {
    let server: TestPostgres;

    beforeAll(async () => {
      server = await startPostgres();
    });
    afterAll(() => server.stop());

    it("are reconciled in the same way, and are the same rows as in SQLite", variant, async () => {
      const client = await connected(server.url);
      await client.query("SET search_path = newpnl");
      await reconciled(pairNamed("server", `${server.url}?schema=newpnl`), (sql) => client.query(sql));
      const inSqlite = pairNamed("for the server");
      await filled(inSqlite);
      for (const table of ["trades", "positions", "daily", "marks"]) {
        const { rows } = await client.query(`SELECT * FROM ${table}`);
        expect(asTexts(rows), table).toEqual(
          asTexts(query(inSqlite.modern, `SELECT * FROM newpnl_${table}`)),
        );
      }
      await client.end();
    });
  });

  it("are in modern row by row, and every row that is not there waits with its reason", async () => {
    const pair = pairNamed("whole");
    const { finished, tables } = await filled(pair);
    expect(finished).toBe(true);
    const counts = Object.fromEntries(
      Object.entries(tables).map(([table, { rows, imported, quarantined, superseded }]) => [
        table,
        { rows, imported, quarantined, superseded },
      ]),
    );
    expect(counts).toMatchInlineSnapshot(`
      {
        "eod_pnl": {
          "imported": 785,
          "quarantined": {},
          "rows": 785,
          "superseded": 0,
        },
        "market_prices": {
          "imported": 0,
          "quarantined": {},
          "rows": 0,
          "superseded": 0,
        },
        "positions": {
          "imported": 49,
          "quarantined": {},
          "rows": 49,
          "superseded": 0,
        },
        "processed_trades": {
          "imported": 553,
          "quarantined": {
            "ALREADY_STORED": 18,
          },
          "rows": 571,
          "superseded": 0,
        },
      }
    `);
    for (const [table, { rows, imported, quarantined, superseded }] of Object.entries(tables)) {
      const waiting = Object.values(quarantined).reduce((sum, count) => sum + count, 0);
      expect(imported + waiting + superseded, table).toBe(rows);
      expect(query(pair.legacy, `SELECT count(*) AS count FROM ${table}`), table).toEqual([{ count: rows }]);
      expect(query(pair.legacy, `SELECT * FROM ${table}`), table).toEqual(
        query(original, `SELECT * FROM ${table}`),
      );
    }
    // Read with SQL alone, so that a mistake of the mapping shows.
    const attached = new Database(pair.modern);
    attached.prepare("ATTACH ? AS old").run(pair.legacy);
    const apart = attached
      .prepare(
        `SELECT t.trade_id FROM newpnl_trades AS t LEFT JOIN old.processed_trades AS p
           ON p.trade_id = t.trade_id AND p.source_file = t.source_file AND p.side = t.side
           AND p.quantity = CAST(t.quantity AS REAL) AND p.price = CAST(t.price AS REAL)
           AND p.instrument_name = t.symbol
           AND substr(p.trade_timestamp, 1, 19) = replace(substr(t.traded_at, 1, 19), 'T', ' ') WHERE p.id IS NULL
         UNION ALL SELECT d.symbol FROM newpnl_daily AS d LEFT JOIN (SELECT *,
             CASE WHEN instrument_name LIKE '%ZT' OR instrument_name LIKE '%.TU.%' THEN 2000 ELSE 1000 END AS pointValue
             FROM old.eod_pnl) AS e
           ON e.trade_date = d.trading_day AND e.instrument_name = d.symbol
           AND e.closing_position = CAST(d.quantity AS REAL)
           AND abs(e.realized_pnl * pointValue - CAST(d.realized AS REAL)) < 1e-6
           AND abs(e.unrealized_pnl * pointValue - CAST(d.unrealized AS REAL)) < 1e-6 WHERE e.id IS NULL`,
      )
      .all();
    attached.close();
    expect(apart).toEqual([]);
  });

  it("are complete and counted once after the process was killed in the middle of chunks", async () => {
    const whole = pairNamed("undisturbed");
    await filled(whole);
    const killed = pairNamed("killed");
    const source = (path: string) =>
      JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)));
    const program = `
      import { createHash } from "node:crypto";
      import { systemClock } from ${source("adapters/host/index.ts")};
      import { openSqliteRecordStore } from ${source("adapters/sqlite/index.ts")};
      import { describeSymbol } from ${source("app/symbols/symbols.ts")};
      import { Backfill, backfillTables } from ${source("bridges/database/index.ts")};
      import { tradingDayRules } from ${source("domain/market/trading-day.ts")};
      const open = async (side, path) => {
        const store = await openSqliteRecordStore(path, { side, authority: "legacy" });
        return { ...store, side, call: (name, given) => { say(name); return store.call(name, given); } };
      };
      const stores = { legacy: await open("legacy", ${JSON.stringify(killed.legacy)}), modern: await open("modern", ${JSON.stringify(killed.modern)}) };
      const tools = {
        describe: describeSymbol, dayRule: tradingDayRules["chicago-17"], book: "",
        digest: (text) => createHash("sha256").update(text).digest("hex"),
      };
      await new Backfill({
        stores, tools, clock: systemClock, lease: { name: String(process.pid), lastsMs: 60000, isDead: () => true },
        tables: backfillTables, limits: { chunkMs: 5, lagMsMax: 5000, latencyMsMax: 5000 },
        held: () => undefined, onEvent: () => {},
      }).run({ pass: "backfill" });
      say("finished");
      process.exit();`;
    let finished = false;
    for (const calls of isLongRun("db-pairs") ? [8, 15, 17, 23] : [17]) {
      const child = new StoreProcess(program);
      await child.says(calls);
      finished ||= child.lines.includes("finished");
      await child.kill();
    }
    expect(finished).toBe(false);
    await filled(killed);
    expect(contents(killed)).toEqual(contents(whole));
    const done = (pair: Pair) => query(pair.modern, "SELECT source, done FROM pnlb_backfill");
    expect(done(killed)).toEqual(done(whole));
  });
});
