import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { isLongRun } from "../../../test/campaigns.ts";
import { writeDatabase } from "../../legacy-desk/database.ts";
import { runLegacy } from "../../legacy-desk/run.ts";
import { type LegacyDatabase, readLegacyDatabase } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "legacy-database-"));
const temporary = join(folder, "tmp");
const usualTemporary = process.env.TMPDIR;
beforeAll(() => {
  mkdirSync(temporary);
  process.env.TMPDIR = temporary;
});
afterAll(() => {
  if (usualTemporary === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = usualTemporary;
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  expect(readdirSync(temporary), "temporary copies are removed").toEqual([]);
});

let count = 0;
/** Gives each database a folder of its own, so that a file left beside it is noticed. */
const newPath = (): string => {
  const own = join(folder, `desk-${++count}`);
  mkdirSync(own);
  return join(own, "pnl_tracker.db");
};

function create(path: string, sql: string): string {
  const database = new Database(path);
  database.exec(sql);
  database.close();
  return path;
}

/** Name and hash of every file beside the database. */
const filesBeside = (path: string): Readonly<Record<string, string>> => {
  const beside = join(path, "..");
  const hash = (name: string): string =>
    createHash("sha256")
      .update(readFileSync(join(beside, name)))
      .digest("hex");
  return Object.fromEntries(readdirSync(beside).map((name) => [name, hash(name)]));
};

/** Reads the database, and checks that no file in its folder was added or changed. */
async function readUntouched(path: string): Promise<LegacyDatabase> {
  const [before, times] = [filesBeside(path), statSync(path, { bigint: true })];
  const read = await readLegacyDatabase(path);
  expect(filesBeside(path)).toEqual(before);
  expect(statSync(path, { bigint: true }).mtimeNs).toBe(times.mtimeNs);
  return read;
}

const trades = `CREATE TABLE processed_trades (
  id INTEGER PRIMARY KEY, trade_id TEXT, instrument_name TEXT, trade_date DATE,
  trade_timestamp DATETIME, quantity REAL, price REAL, side TEXT, source_file TEXT);`;

const ledger = join(folder, "trades_20250804.csv");
writeFileSync(
  ledger,
  `tradeId,instrumentName,marketTradeTime,buySell,quantity,price
1,X,2025-08-04 10:00:00,B,2,100.1
2,X,2025-08-04 10:00:01,S,1,101.4
3,Y,2025-08-04 10:00:02,S,3,0.015625
`,
);

describe("the stored data of a desk", () => {
  test.each(["rollback", "wal"] as const)("is read as text in journal mode %s", async (journal) => {
    const path = newPath();
    const now = (): Date => new Date("2025-08-04T22:00:00Z");
    writeDatabase(path, runLegacy({ ledgers: [ledger], marks: { X: "102" } }), { now, journal });
    const read = await readUntouched(path);
    expect(read.missing).toEqual([]);
    const common = { tradeDate: "2025-08-04", sourceFile: "trades_20250804.csv" };
    expect(read.trades).toMatchObject([
      {
        ...common,
        rowid: "1",
        tradeId: "1",
        instrumentName: "X",
        tradeTimestamp: "2025-08-04 10:00:00",
        quantity: "2",
        price: "100.1",
        side: "B",
      },
      { ...common, rowid: "2", tradeId: "2", instrumentName: "X", quantity: "1", price: "101.4", side: "S" },
      {
        ...common,
        rowid: "3",
        tradeId: "3",
        instrumentName: "Y",
        quantity: "3",
        price: "0.015625",
        side: "S",
      },
    ]);
    // 101.4 - 100.1 in floats: the inexact value that the desk stored.
    const realized = String(101.4 - 100.1);
    expect(read.positions).toMatchObject([
      {
        instrumentName: "X",
        positionQuantity: "1",
        avgCost: "100.1",
        totalRealizedPnl: realized,
        lastMarketPrice: "102",
        lastTradeId: "2",
      },
      { instrumentName: "Y", positionQuantity: "-3", avgCost: "0.015625", totalRealizedPnl: "0" },
    ]);
    expect(read.endOfDay).toMatchObject([
      {
        tradeDate: "2025-08-04",
        instrumentName: "X",
        closingPosition: "1",
        tradesCount: "2",
        realizedPnl: realized,
      },
      {
        tradeDate: "2025-08-04",
        instrumentName: "Y",
        closingPosition: "-3",
        tradesCount: "1",
        realizedPnl: "0",
      },
    ]);
    expect(read.snapshots).toMatchObject([
      { instrumentName: "X", position: "1", marketPrice: "102", snapshotTimestamp: "2025-08-04 22:00:00" },
      { instrumentName: "Y", position: "-3" },
    ]);
    expect(read.positionSnapshots).toMatchObject([
      {
        snapshotType: "EOD",
        snapshotTimestamp: "2025-08-04 16:00:00",
        instrumentName: "X",
        positionQuantity: "1",
      },
      { snapshotType: "EOD", instrumentName: "Y", positionQuantity: "-3" },
    ]);
  });

  test("gives the last stored snapshot of each instrument", async () => {
    const path = create(
      newPath(),
      `${trades} CREATE TABLE pnl_snapshots (
       snapshot_timestamp, instrument_name, position INTEGER, avg_cost, market_price,
        realized_pnl, unrealized_pnl, total_pnl);
      INSERT INTO pnl_snapshots VALUES
       ('1', 'X', 1, 0, 0, 0, 0, 0), ('1', 'Y', 2, 0, 0, 0, 0, 0), ('0', 'X', 3, 0, 0, 0, 0, 0);`,
    );
    expect(
      (await readUntouched(path)).snapshots.map(({ instrumentName, position }) => [instrumentName, position]),
    ).toEqual([
      ["X", "3"],
      ["Y", "2"],
    ]);
  });

  test.each([
    ["0.1 + 0.2", "0.30000000000000004"],
    ["1e-7", "0.0000001"],
    ["5e-324", `0.${"0".repeat(323)}5`],
    ["1e21", "1000000000000000000000"],
    ["-0.0", "0"],
    ["110.015625", "110.015625"],
    ["9007199254740993", "9007199254740993"],
    ["-9223372036854775808", "-9223372036854775808"],
    ["9e999", "Infinity"],
    ["'awaiting data'", "awaiting data"],
    ["'007.50'", "007.50"],
    ["x'0100ff'", "x'0100ff'"],
    ["NULL", null],
  ])("has for the cell %s the value %j", async (sql, expected) => {
    const untyped = trades.replaceAll(/ (TEXT|REAL|DATE|DATETIME)\b/g, "");
    const path = create(
      newPath(),
      `${untyped} INSERT INTO processed_trades (price, quantity) VALUES (${sql}, 1);`,
    );
    expect((await readLegacyDatabase(path)).trades).toMatchObject([
      { price: expected, quantity: "1", tradeId: null },
    ]);
  });

  test("is read through a symbolic link", async () => {
    const path = create(newPath(), `${trades} INSERT INTO processed_trades (trade_id) VALUES ('1');`);
    const link = join(newPath(), "..", "link.db");
    symlinkSync(path, link);
    expect((await readLegacyDatabase(link)).trades).toHaveLength(1);
  });

  test("is read even if one of its indexes is no longer valid for SQLite", async () => {
    const path = create(
      newPath(),
      `${trades} CREATE TABLE risk (at);
       CREATE INDEX recent ON risk (at) WHERE at > datetime('now', '-7 days');`,
    );
    expect((await readUntouched(path)).trades).toEqual([]);
  });
});

describe("a database with another schema", () => {
  test("has its missing tables and columns listed, and its column names match in any case", async () => {
    const path = create(
      newPath(),
      `${trades.replace("trade_id", "Trade_ID").replace("source_file TEXT", "other TEXT")}
      CREATE TABLE positions (
        instrument_name TEXT, position_quantity REAL, avg_cost REAL, total_realized_pnl REAL,
        unrealized_pnl REAL, last_market_price REAL, last_updated DATETIME);
      CREATE TABLE eod_pnl (instrument_name TEXT, closing_position INTEGER);
      INSERT INTO processed_trades (trade_id, other) VALUES ('7', 'x');
      INSERT INTO positions (instrument_name) VALUES ('X');
      INSERT INTO eod_pnl VALUES ('X', 1);`,
    );
    const read = await readUntouched(path);
    expect(read.missing).toEqual([
      { table: "processed_trades", columns: ["source_file"] },
      { table: "positions", columns: ["closed_quantity", "last_trade_id"] },
      {
        table: "eod_pnl",
        columns: ["trade_date", "trades_count", "realized_pnl", "unrealized_pnl", "total_pnl"],
      },
      { table: "pnl_snapshots" },
      { table: "position_snapshots" },
    ]);
    expect(read.trades).toMatchObject([{ tradeId: "7", sourceFile: null }]);
    expect(read.positions).toMatchObject([{ instrumentName: "X", closedQuantity: null }]);
    expect(read.endOfDay).toEqual([]);
  });

  test("may have a view in place of the table of trades", async () => {
    const path = create(
      newPath(),
      `${trades.replace("processed_trades", "stored")} INSERT INTO stored (trade_id) VALUES ('1'), ('2');
      CREATE VIEW processed_trades AS SELECT * FROM stored;`,
    );
    expect((await readLegacyDatabase(path)).trades).toMatchObject([
      { rowid: null, tradeId: "1" },
      { rowid: null, tradeId: "2" },
    ]);
  });

  test.each([
    ["", "the database lacks processed_trades; positions; eod_pnl; pnl_snapshots; position_snapshots"],
    [
      "CREATE TABLE processed_trades (trade_id, side, trade_timestamp); " +
        "CREATE TABLE positions (instrument_name, avg_cost);",
      "the database lacks processed_trades (instrument_name, quantity, price, trade_date, source_file); " +
        "positions (position_quantity, total_realized_pnl, unrealized_pnl, closed_quantity, " +
        "last_market_price, last_trade_id, last_updated); eod_pnl; pnl_snapshots; " +
        "position_snapshots",
    ],
  ])(
    "without a usable table of trades is refused with one line that lists everything missing: %j",
    async (sql, line) => {
      const path = create(newPath(), `CREATE TABLE something (else_);${sql}`);
      await expect(readUntouched(path)).rejects.toMatchObject({
        code: "BAD_DATABASE",
        message: line,
        where: path,
      });
    },
  );

  test("with more rows than the limit is refused", async () => {
    const path = create(newPath(), `${trades} INSERT INTO processed_trades (trade_id) VALUES ('1'), ('2');`);
    expect((await readLegacyDatabase(path, { rowsMax: 2 })).trades).toHaveLength(2);
    await expect(readLegacyDatabase(path, { rowsMax: 1 })).rejects.toMatchObject({ code: "BAD_DATABASE" });
  });
});

describe("a file that is not a usable database", () => {
  const written = (content: string | Buffer): string => {
    const path = newPath();
    writeFileSync(path, content);
    return path;
  };

  test("is refused with its reason", async () => {
    const random = Buffer.from(Array.from({ length: 8192 }, (_, index) => (index * 7919 + 13) % 251));
    for (const [path, code, message] of [
      [join(folder, "missing.db"), "UNREADABLE", /the database does not exist/],
      [folder, "UNREADABLE", /not a regular file/],
      ["/dev/zero", "UNREADABLE", /not a regular file/],
      [written(""), "BAD_DATABASE", /empty/],
      [written("tradeId,instrumentName\n"), "BAD_DATABASE", /not an SQLite database, or it is encrypted/],
      [written(random), "BAD_DATABASE", /not an SQLite database, or it is encrypted/],
      [
        written(Buffer.concat([Buffer.from("SQLite format 3\0"), random])),
        "BAD_DATABASE",
        /not an SQLite database|damaged/,
      ],
    ] as const) {
      await expect(readLegacyDatabase(path), path).rejects.toMatchObject({
        code,
        where: path,
        message: expect.stringMatching(message),
      });
    }
  });

  test("because it is truncated, or a page is overwritten, is refused as damaged", async () => {
    const fill = `${trades} WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
      INSERT INTO processed_trades (trade_id, source_file) SELECT i, 'file' FROM n;`;
    const cut = create(newPath(), fill);
    truncateSync(cut, statSync(cut).size - 8192);
    await expect(readUntouched(cut)).rejects.toMatchObject({
      code: "BAD_DATABASE",
      message: expect.stringContaining("damaged"),
    });
    const torn = create(newPath(), fill);
    const bytes = readFileSync(torn);
    bytes.fill(0xab, 3 * 4096, 4 * 4096);
    writeFileSync(torn, bytes);
    await expect(readUntouched(torn)).rejects.toMatchObject({
      code: "BAD_DATABASE",
      message: expect.stringContaining("damaged"),
    });
  });
});

/** Runs a script in another process; `started` resolves when it has printed its first line. */
function another(script: string, ...args: string[]) {
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, "--", ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  return { child, ...watched(child) };
}

function watched(child: ChildProcess) {
  let [out, err] = ["", ""];
  child.stderr?.on("data", (chunk) => (err += chunk));
  const ended = new Promise<string>((resolve, reject) => {
    child.on("close", (code) => (err === "" ? resolve(out) : reject(new Error(`exit ${code}: ${err}`))));
  });
  const started = new Promise<void>((resolve, reject) => {
    child.stdout?.on("data", (chunk) => {
      out += chunk;
      resolve();
    });
    child.on("close", () => reject(new Error(`ended before it began: ${err}`)));
  });
  started.catch(() => {});
  return { ended, started };
}

const opening = `import Database from "better-sqlite3";
const [path, ...args] = process.argv.slice(1);
const database = new Database(path, { timeout: 0 });
const insert = database.prepare(
  "INSERT INTO processed_trades (trade_id, quantity, source_file) VALUES (?, 1, ?)");
`;

/**
 * Writes `size` trades per transaction as fast as it can, with a pause ten times a second, until a file
 * exists. Prints {transactions, busy}.
 */
const tightWriter = `${opening}
import { existsSync } from "node:fs";
const [journal, end, size] = [args[0], args[1], Number(args[2])];
database.pragma("journal_mode = " + journal);
if (journal === "wal") database.pragma("wal_autocheckpoint = 20");
database.pragma("cache_size = 5"); // A small cache spills: pages change in the file before the commit.
let transactions = 0, busy = 0;
const write = database.transaction(() => {
  for (let index = 0; index < size; index++) insert.run(transactions + "-" + index, "x".repeat(200));
  database.exec("UPDATE positions SET position_quantity = position_quantity + " + size);
});
console.log("ready");
let pauseMs = performance.now() + 50;
while (!existsSync(end) && transactions < 20_000) {
  // On a slow machine no read ends while the writer never pauses.
  if (performance.now() > pauseMs) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    pauseMs = performance.now() + 50;
  }
  try {
    write();
    transactions += 1;
  } catch (error) {
    if (!String(error.code).startsWith("SQLITE_BUSY")) throw error;
    busy += 1;
  }
}
database.close();
console.log(JSON.stringify({ transactions, busy }));
`;

/** A writer writes until it is read in this many states. */
const statesMin = isLongRun("stores") ? 5 : 3;
/** Waits long enough to read a database that is written all the time, on a busy machine. */
const patient = { waitMsMax: 60_000 };

const deskWith = (path: string): string =>
  create(
    path,
    `${trades} CREATE TABLE positions (instrument_name, position_quantity);
      INSERT INTO positions VALUES ('X', 0);`,
  );

/** Five hundred trades on many pages. */
const stored = `WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 500)
  INSERT INTO processed_trades (trade_id, source_file) SELECT 'before', printf('%0200d', i) FROM n;`;

const countByIds = ({ trades }: LegacyDatabase): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const { tradeId } of trades) counts[`${tradeId}`] = (counts[`${tradeId}`] ?? 0) + 1;
  return counts;
};

describe("a read while another process writes", () => {
  test.each(isLongRun("stores") ? ["delete", "truncate", "persist", "wal"] : ["delete", "wal"])(
    "sees whole transactions and never blocks the writer in journal mode %s",
    async (journal) => {
      const path = deskWith(newPath());
      const size = 40;
      const { child, ended, started } = another(tightWriter, path, journal, `${path}.end`, String(size));
      await started;
      let running = true;
      child.on("close", () => (running = false));
      const seen: number[] = [];
      while (running) {
        const read = await readLegacyDatabase(path, patient);
        const stored = read.trades.length;
        expect(stored % size).toBe(0);
        expect(read.positions[0]?.positionQuantity).toBe(String(stored));
        seen.push(stored);
        if (new Set(seen).size === statesMin) writeFileSync(`${path}.end`, "");
        await sleep(1); // Reads that succeed at once would starve the event loop.
      }
      const tally = JSON.parse((await ended).split("\n")[1] ?? "");
      expect(tally.busy).toBe(0);
      expect(seen).toEqual(seen.toSorted((a, b) => a - b));
      // Proves that reads happened during the writing.
      expect(new Set(seen).size).toBeGreaterThanOrEqual(statesMin);
      expect((await readLegacyDatabase(path)).trades).toHaveLength(tally.transactions * size);
      expect(
        readdirSync(join(path, "..")).filter((name) => !/^pnl_tracker\.db(-journal|\.end)?$/.test(name)),
      ).toEqual([]);
    },
  );

  test.each(isLongRun("stores") ? [["--pause-ms=0"], ["--wal"]] : [["--pause-ms=0"]])(
    "never blocks the legacy desk itself, started with %s",
    async (...flags: string[]) => {
      const path = newPath();
      const whole = join(folder, "trades_20250805.csv");
      writeFileSync(whole, readFileSync(ledger, "utf8").replaceAll(/100\.1|101\.4|0\.015625/g, "100"));
      const writer = join(import.meta.dirname, "../../legacy-desk/writer.ts");
      const child = spawn(process.execPath, [
        writer,
        path,
        whole,
        "--count=100000",
        "--seconds=90",
        ...flags,
      ]);
      const { ended } = watched(child);
      let running = true;
      child.on("close", () => (running = false));
      const seen = new Set<number>();
      while (running) {
        await sleep(1);
        const read = existsSync(path)
          ? await readLegacyDatabase(path, patient).catch(onlyWhenNew)
          : undefined;
        if (read === undefined) continue;
        const sums = new Map<string | null, number>();
        for (const { instrumentName, side, quantity } of read.trades) {
          sums.set(
            instrumentName,
            (sums.get(instrumentName) ?? 0) + (side === "B" ? 1 : -1) * Number(quantity),
          );
        }
        expect(read.positions.map((row) => [row.instrumentName, Number(row.positionQuantity)])).toEqual([
          ...sums,
        ]);
        seen.add(read.trades.length);
        if (seen.size === statesMin) child.kill("SIGTERM");
      }
      const tally = JSON.parse(await ended);
      expect(tally.busy).toBe(0);
      expect(seen.size).toBeGreaterThanOrEqual(statesMin);
      expect((await readLegacyDatabase(path)).trades).toHaveLength(tally.transactions);
    },
  );

  /** A new database is empty or without tables until its first transaction. */
  const onlyWhenNew = (error: { readonly code?: string; readonly message: string }): undefined => {
    if (error.code === "BAD_DATABASE" && /empty|lacks/.test(error.message)) return undefined;
    throw error;
  };

  test("excludes a transaction in progress, which then commits without hindrance", async () => {
    const path = deskWith(newPath());
    const script = `${opening}
database.pragma("cache_size = 5");
database.exec("BEGIN; UPDATE processed_trades SET trade_id = 'changed'");
for (let index = 0; index < 2000; index++) insert.run(String(index), "x".repeat(200));
console.log("spilled");
process.stdin.once("data", () => { database.exec("COMMIT"); database.close(); process.exit(); });
`;
    create(path, stored);
    const sizeBefore = statSync(path).size;
    const { child, ended, started } = another(script, path);
    await started;
    expect(statSync(path).size, "pages of the open transaction are in the file").toBeGreaterThan(sizeBefore);
    expect(readFileSync(path).includes("changed"), "changes of the open transaction are in the file").toBe(
      true,
    );
    expect(countByIds(await readUntouched(path))).toEqual({ before: 500 });
    child.stdin.write("commit\n");
    await ended;
    expect(countByIds(await readUntouched(path))).toMatchObject({ changed: 500, 0: 1, 1999: 1 });
  });

  test("includes commits that are only in another process's WAL, and does not change the WAL", async () => {
    const path = deskWith(newPath());
    const script = `${opening}
database.pragma("journal_mode = wal");
insert.run("in the WAL", "f");
console.log("ready");
process.stdin.once("data", () => { insert.run("later", "f"); database.close(); process.exit(); });
`;
    const { child, ended, started } = another(script, path);
    await started;
    expect(Object.keys(filesBeside(path))).toContain("pnl_tracker.db-wal");
    expect((await readUntouched(path)).trades.map(({ tradeId }) => tradeId)).toEqual(["in the WAL"]);
    child.stdin.write("on\n");
    await ended;
    expect((await readUntouched(path)).trades).toHaveLength(2);
    expect(Object.keys(filesBeside(path))).toEqual(["pnl_tracker.db"]);
  });
});

describe("a read after the writer was killed", () => {
  test("in a transaction sees the state before it, and leaves the journal to the desk", async () => {
    const path = deskWith(newPath());
    create(path, stored);
    const script = `${opening}
database.pragma("cache_size = 5");
database.exec("BEGIN; UPDATE processed_trades SET trade_id = 'changed'");
for (let index = 0; index < 2000; index++) insert.run(String(index), "x".repeat(200));
process.kill(process.pid, "SIGKILL");
`;
    await another(script, path).ended;
    expect(readFileSync(`${path}-journal`).length).toBeGreaterThan(512);
    expect(readFileSync(path).includes("changed"), "changes of the dead transaction are in the file").toBe(
      true,
    );
    expect(countByIds(await readUntouched(path))).toEqual({ before: 500 });
    expect(existsSync(`${path}-journal`)).toBe(true);
    // The desk's own recovery gives the same state.
    const desk = new Database(path);
    expect(desk.prepare("SELECT trade_id FROM processed_trades").pluck().all()).toEqual(
      Array(500).fill("before"),
    );
    desk.close();
  });

  test("in WAL mode sees everything committed and nothing else", async () => {
    const path = deskWith(newPath());
    const script = `${opening}
database.pragma("journal_mode = wal");
insert.run("committed", "f");
database.pragma("cache_size = 5");
database.exec("BEGIN");
for (let index = 0; index < 2000; index++) insert.run(String(index), "x".repeat(200));
process.kill(process.pid, "SIGKILL");
`;
    await another(script, path).ended;
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(100_000);
    expect((await readUntouched(path)).trades.map(({ tradeId }) => tradeId)).toEqual(["committed"]);
  });
});
