import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, describe, expect, it } from "vitest";
import { journalFormat } from "../../src/durable/file-journal.ts";
import { openDatabase as createLegacy } from "../../src/legacy-desk/database.ts";
import { connectionTo } from "../../src/testing/sqlite-files.ts";
import { until } from "../../src/testing/until.ts";
import { isLongRun, variant } from "../campaigns.ts";
import { hasSharedData, sharedData } from "../shared-data.ts";
import { main, pnlBridge, type Ran } from "./run-cli.ts";

const zn = "XCMEFFDPSX20250919U0ZN";
const row = (id: number, price = "110.5"): string => {
  const time = new Date(Date.UTC(2025, 6, 24, 9, 0, id)).toISOString().slice(0, 19).replace("T", " ");
  return `${id},${zn},${time}.000,B,1.0,${price}`;
};

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
      // A process that a busy machine stops for seconds keeps its lease; that of a dead one ends at once.
      watch: { trade_ledger: "./ledgers", settle_ms: 20, lease_ms: 60_000, ...watch },
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

  /** Rows that are in the journal, whether a store has them or not. */
  rowsRead(): number {
    const file = ".pnl-bridge/files.db";
    try {
      const [found] = this.read<{ rows: number }>("SELECT sum(good) AS rows FROM files", file);
      return found?.rows ?? 0;
    } catch {
      return 0; // The journal is being created.
    }
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

/** Tests of the long run; the rules of test/simulation/files-rules.test.ts show most of them in every run. */
const inLong = it.runIf(isLongRun("commands"));

describe.skipIf(!hasSharedData)("watch --once over the desk's published ledgers", () => {
  it("gives the positions of replay, in whatever order the files come, and counts repeated rows once", async () => {
    const desk = new Desk();
    const from = join(sharedData, "ledgers");
    const names = readdirSync(from);
    for (const name of names.slice(9)) copyFileSync(join(from, name), join(desk.ledgers, name));
    expect(await desk.once()).toMatchObject({ code: 0 });
    for (const name of names.slice(0, 9)) copyFileSync(join(from, name), join(desk.ledgers, name));
    const { code, sinks, files } = await desk.once();
    expect(code).toBe(0);
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

const header = "tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n";
/** Whole rows of a day that is over. */
const rows = (...ids: readonly number[]): string => ids.map((id) => `${row(id)}\n`).join("");
const name = "trades_20250724.csv";

describe("the states of a file", () => {
  it("shows a header-only file as empty, refuses whole files with the way to fix them, and quarantines rows", async () => {
    const desk = new Desk();
    desk.write("trades_20250801.csv", header);
    desk.write("trades_20250802.csv", "");
    desk.write("trades_20250803.csv", Buffer.from(`\ufeff${header}${rows(1)}`, "utf16le"));
    desk.write("trades_20250804.csv", "a,b\n1,2\n");
    desk.write("trades_20250805.csv", header + rows(1).replaceAll("110.5", '"110,5"'));
    desk.write(name, `${header}${rows(1)}2,${zn},yesterday,B,1,110\n`);
    desk.write("pnl_tracker.db", "no ledger");
    const { code, files, sinks } = await desk.once();
    const shown = files.map(({ path = "", state = "", rowsApplied = 0, rowsRefused = 0, refused = {} }) => [
      ...[path, state, rowsApplied, rowsRefused],
      ...("code" in refused ? [refused.code] : []),
    ]);
    expect([code, ...shown]).toEqual([
      1,
      [name, "applied", 1, 1],
      ["trades_20250801.csv", "empty", 0, 0],
      ["trades_20250802.csv", "empty", 0, 0],
      ["trades_20250803.csv", "refused", 0, 0, "UTF16"],
      ["trades_20250804.csv", "refused", 0, 0, "NOT_A_LEDGER"],
      ["trades_20250805.csv", "refused", 0, 0, "SPREADSHEET"],
    ]);
    expect(files.at(-1).refused).toEqual({
      code: "SPREADSHEET",
      why: expect.stringContaining("a number has a comma"),
      fix: expect.stringContaining("export the ledger again"),
      since: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(sinks.legacy.rows).toBe(1);
    // A second look counts no row again.
    expect((await desk.once()).files[0]).toMatchObject({ rowsApplied: 1, rowsRefused: 1 });
    expect((await desk.run("status")).code).toBe(1);
  });

  it("waits for the rest of a row while its day is not over, and names the row that later bytes may change", async () => {
    const desk = new Desk();
    const today = "trades_20990724.csv";
    desk.write(today, header + rows(1) + row(2));
    desk.write(name, header + rows(3) + row(4));
    const { code, files } = await desk.once();
    expect(code).toBe(1);
    expect(files).toMatchObject([
      { path: name, state: "applied", rowsApplied: 2, revocable: { line: 3 } },
      {
        path: today,
        state: "waiting",
        rowsApplied: 1,
        waiting: { why: expect.stringMatching(/^PARTIAL_ROW/) },
      },
    ]);
    appendFileSync(join(desk.ledgers, today), "\n");
    appendFileSync(join(desk.ledgers, name), "5\n");
    expect(await desk.once()).toMatchObject({ code: 0 });
    const prices = desk.read("SELECT trade_id, price FROM newpnl_trades ORDER BY 1");
    expect(prices).toEqual(
      ["110.5", "110.5", "110.5", "110.55"].map((price, at) => ({ trade_id: `${at + 1}`, price })),
    );
  });

  inLong("reads nothing behind NUL bytes, which are pages that have not arrived", async () => {
    const desk = new Desk();
    desk.write(name, `${header}${rows(1)}\0\0\0\0`);
    const { code, files } = await desk.once();
    expect([code, files[0].state, files[0].rowsApplied]).toEqual([1, "waiting", 1]);
    expect(files[0].waiting.why).toMatch(/^NUL_BYTES at byte \d+/);
    desk.write(name, header + rows(1, 2));
    expect(await desk.once()).toMatchObject({ code: 0 });
    expect(desk.tradeIds()).toEqual(["1", "2"]);
  });

  inLong("keeps the rows of a file that is gone, and knows them again under another name", async () => {
    const desk = new Desk();
    desk.write(name, header + rows(1, 2));
    await desk.once();
    renameSync(join(desk.ledgers, name), join(desk.ledgers, "trades_20250725.csv"));
    const { code, files, sinks } = await desk.once();
    expect(code).toBe(0);
    expect(files).toMatchObject([
      { path: name, state: "gone", rowsApplied: 2 },
      { path: "trades_20250725.csv", state: "applied", rowsApplied: 0, rowsElsewhere: 2 },
    ]);
    expect(sinks.modern.rows).toBe(2);
  });
});

describe("a file whose applied rows have changed", () => {
  const edited = `${header}${row(1)}\n${row(2, "111.5")}\n`;

  /** A desk on which row 2 has another price than the one that was applied. */
  async function editedDesk(): Promise<Desk> {
    const desk = new Desk();
    desk.write(name, header + rows(1, 2));
    await desk.once();
    desk.write(name, edited);
    expect(await desk.once()).toMatchObject({
      code: 1,
      files: [{ path: name, state: "republished", rowsApplied: 2 }],
      reviews: [{ id: 1, path: name, kind: "republished", added: 0, removed: 0, changed: 1 }],
    });
    return desk;
  }

  const prices = (desk: Desk) =>
    ["newpnl.db", "pnl_tracker.db"].map((file) =>
      desk
        .read<{ price: string | number }>(
          file === "newpnl.db"
            ? "SELECT price FROM newpnl_trades ORDER BY trade_id"
            : "SELECT price FROM processed_trades ORDER BY trade_id",
          file,
        )
        .map(({ price }) => Number(price)),
    );

  it("is shown row by row, and changes both stores when a person applies it", async () => {
    const desk = await editedDesk();
    expect(prices(desk)).toEqual([
      [110.5, 110.5],
      [110.5, 110.5],
    ]);
    const list = await desk.run("review", "list", "--json");
    expect([list.code, JSON.parse(list.out).reviews]).toMatchObject([1, [{ id: 1, changed: 1 }]]);
    const shown = JSON.parse((await desk.run("review", "show", "1", "--json")).out);
    expect(shown.rows).toMatchObject([
      { what: "changed", line: 3, was: { id: "2", price: "110.5" }, is: { id: "2", price: "111.5" } },
    ]);
    expect((await desk.run("review", "show", "1")).out).toContain("changed in line 3");
    const applied = await desk.run("review", "apply", "1");
    expect(applied).toMatchObject({ code: 0, out: "review 1 is applied\n" });
    expect(prices(desk)).toEqual([
      [110.5, 111.5],
      [110.5, 111.5],
    ]);
    expect(await desk.run("review", "list")).toMatchObject({ code: 0, out: "nothing waits\n" });
    expect(await desk.run("review", "apply", "1")).toMatchObject({
      code: 2,
      err: expect.stringContaining("NO_INPUT: review 1 is decided already"),
    });
  });

  inLong("stays as it was applied when a person ignores it, and rows that follow count", async () => {
    const desk = await editedDesk();
    expect(await desk.run("review", "ignore", "1")).toMatchObject({ code: 0 });
    appendFileSync(join(desk.ledgers, name), rows(3));
    expect(await desk.once()).toMatchObject({ code: 0, reviews: [] });
    expect(prices(desk)[0]).toEqual([110.5, 110.5, 110.5]);
  });

  inLong("is not applied if its content is no longer the reviewed one", async () => {
    const desk = await editedDesk();
    desk.write(name, edited.replace("111.5", "112.5"));
    expect(await desk.run("review", "apply", "1")).toMatchObject({
      code: 2,
      err: expect.stringContaining("STALE_REVIEW"),
    });
    expect(prices(desk)[0]).toEqual([110.5, 110.5]);
    // Its review is closed, and the present content has one of its own.
    expect(await desk.once()).toMatchObject({ code: 1, reviews: [{ id: 2, changed: 1 }] });
    desk.write(name, header + rows(1, 2));
    expect(await desk.once()).toMatchObject({ code: 0, reviews: [] });
    expect(await desk.run("review", "apply", "2")).toMatchObject({
      code: 2,
      err: expect.stringContaining("STALE_REVIEW"),
    });
  });

  it.each([
    ["apply", ["1"]],
    ["ignore", ["1", "2"]],
  ])("that has lost rows is treated as the policy %s says", async (republished, left) => {
    const desk = new Desk({ republished });
    desk.write(name, header + rows(1, 2));
    await desk.once();
    desk.write(name, header + rows(1));
    expect(await desk.once()).toMatchObject({ code: 0, reviews: [] });
    expect(desk.tradeIds()).toEqual(left);
  });
});

describe("a watcher that cannot work", () => {
  it("exits with 2 while a folder is lost, and takes it back, or another one that a person accepts", async () => {
    const desk = new Desk();
    desk.write(name, header + rows(1));
    await desk.once();
    const away = join(desk.folder, "away");
    renameSync(desk.ledgers, away);
    expect(await desk.once()).toMatchObject({ code: 2, err: expect.stringMatching(/is lost: ENOENT/) });
    const status = JSON.parse((await desk.run("status", "--json")).out);
    expect(status.roots[0]).toMatchObject({
      ok: false,
      error: { code: "ENOENT", since: expect.any(String) },
    });
    expect(status.files[0]).toMatchObject({ state: "applied", rowsApplied: 1 });
    mkdirSync(desk.ledgers);
    desk.write("trades_20250725.csv", header + rows(2));
    expect(await desk.once()).toMatchObject({ code: 2, err: expect.stringContaining("ROOT_REPLACED") });
    expect(await desk.run("review", "apply", "ledgers")).toMatchObject({ code: 0 });
    expect(await desk.once()).toMatchObject({ code: 0 });
    expect(desk.tradeIds()).toEqual(["1", "2"]);
  });

  it("exits with 2 while another process watches, and continues what a killed one has begun", async () => {
    const desk = new Desk();
    const ids = Array.from({ length: isLongRun("commands") ? 2_000 : 1_000 }, (_, at) => at);
    const lines = ids.map((id) => `${row(id)}\n`);
    desk.write(name, header + lines.join(""));
    const child = spawn(process.execPath, [main, "watch", "--follow"], {
      ...{ cwd: desk.folder, stdio: "ignore" },
    });
    const exited = once(child, "exit");
    await until(() => desk.rowsRead() > 0, "the first rows are read");
    expect(await desk.once()).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^.*another process watches/m),
    });
    child.kill("SIGKILL");
    await exited;
    expect(await desk.once()).toMatchObject({
      code: 0,
      files: [{ rowsApplied: ids.length }],
      sinks: { legacy: { rows: ids.length }, modern: { rows: ids.length } },
    });
    expect(desk.read("SELECT count(*) AS n FROM newpnl_trades")).toEqual([{ n: ids.length }]);
    expect(desk.read("SELECT quantity FROM newpnl_positions")).toEqual([{ quantity: String(ids.length) }]);
  });

  it.each([
    [[], "watch needs --once or --follow"],
    [["--once", "--follow"], "cannot be used with"],
    [["review", "apply", "7"], "there is no open review 7"],
  ])("refuses %j", async (args, said) => {
    expect(await new Desk().run(...args)).toMatchObject({ code: 2, err: expect.stringContaining(said) });
  });

  it("needs a folder and both databases", async () => {
    expect((await new Desk({ trade_ledger: null }).run("--once")).err).toContain("no folder to watch");
    expect((await new Desk({}, { stores: {} }).run("--once")).err).toContain("no legacy database");
  });
});

describe("a journal of another format", () => {
  const closed = "trades_20250725.csv";
  const changeJournal = (desk: Desk, sql: string): void => {
    using journal = connectionTo(join(desk.folder, ".pnl-bridge/files.db"));
    journal.exec(sql);
  };
  /** Makes the journal one of a version that digests rows and files in another way. */
  const otherFormat = `UPDATE lease SET format = 0;
    UPDATE contents SET digest = 'other ' || digest;
    UPDATE checkpoints SET digest = 'other ' || digest;
    UPDATE files SET chain = json_set(chain, '$.digest', 'other ' || json_extract(chain, '$.digest')),
      revocable = json_set(revocable, '$.digest', 'other')`;

  it("is compared again from the files: no row is lost, doubled or asked about, and reading goes on", async () => {
    const desk = new Desk();
    desk.write(name, header + rows(1, 2));
    desk.write("trades_20250723.csv", header + rows(3, 4));
    desk.write(closed, (header + rows(5, 6)).trimEnd());
    expect(await desk.once()).toMatchObject({ code: 0 });
    changeJournal(desk, otherFormat);
    renameSync(join(desk.ledgers, "trades_20250723.csv"), join(desk.ledgers, "trades_20250722.csv"));
    appendFileSync(join(desk.ledgers, name), rows(7, 8));
    for (const _ of ["first", "again"]) {
      expect(await desk.once()).toMatchObject({
        ...{ code: 0, reviews: [] },
        sinks: { legacy: { rows: 8, state: "ok" }, modern: { rows: 8, state: "ok" } },
      });
      expect(desk.tradeIds()).toEqual(["1", "2", "3", "4", "5", "6", "7", "8"]);
    }
    const state =
      "SELECT max(format) AS format, (SELECT group_concat(DISTINCT length(digest)) FROM contents) AS digests FROM lease";
    expect(desk.read(state, ".pnl-bridge/files.db")).toEqual([{ format: journalFormat, digests: "32" }]);
  });

  it("whose rows are read in another way now leads to a review", variant, async () => {
    const desk = new Desk();
    desk.write(name, header + rows(1, 2));
    expect(await desk.once()).toMatchObject({ code: 0 });
    changeJournal(
      desk,
      `${otherFormat}; UPDATE contents SET trade = json_set(trade, '$.price', '110.25') WHERE trade_id = '2'`,
    );
    expect(await desk.once()).toMatchObject({
      code: 1,
      reviews: [{ kind: "republished", added: 0, removed: 0, changed: 1 }],
    });
  });

  it("needs a new number when rows or files are identified in another way", async () => {
    const desk = new Desk();
    desk.write(name, header + rows(1));
    expect(await desk.once()).toMatchObject({ code: 0 });
    const known =
      "SELECT c.digest AS row, json_extract(f.chain, '$.digest') AS file FROM contents c, files f";
    // If this fails, raise journalFormat, and change the digests here.
    expect([journalFormat, desk.read(known, ".pnl-bridge/files.db")]).toEqual([
      1,
      [
        {
          row: "de37f1202f01e3b47bf3dfef966a27dc",
          file: "e304f0a5fae61d62aa5c6dcfadfc3ee5fb42f3d5f1ddc1be123a89463a1ff4ac",
        },
      ],
    ]);
  });
});

describe("the watcher, as watch.legacy_sink and the phase say,", () => {
  it("has the built-in desk store its files itself, and pairs its rows with modern's", async () => {
    const desk = new Desk({ legacy_sink: "own_entry" });
    desk.write(name, header + rows(1, 2));
    expect(await desk.once()).toMatchObject({
      code: 0,
      sinks: { legacy: { rows: 2, state: "ok" }, modern: { rows: 2, state: "ok" } },
    });
    appendFileSync(join(desk.ledgers, name), rows(3));
    expect(await desk.once()).toMatchObject({ code: 0, sinks: { legacy: { rows: 3 } } });
    expect(desk.read("SELECT trade_id FROM processed_trades", "pnl_tracker.db").length).toBe(3);
    expect(
      desk.read("SELECT processing_status FROM file_processing_log", "pnl_tracker.db").length,
    ).toBeGreaterThan(0);
    expect(desk.tradeIds()).toEqual(["1", "2", "3"]);
  });

  it("calls a foreign legacy's own method once for each ledger that changed, and again after it failed", async () => {
    const legacy = { kind: "module", path: "./legacy.mjs" };
    const desk = new Desk({ legacy_sink: "own_entry" }, { systems: { legacy } });
    createLegacy(join(desk.folder, "pnl_tracker.db"), { journal: "wal", busyTimeoutMs: 5_000 }).close();
    const [calls, closed] = [join(desk.folder, "calls.txt"), join(desk.folder, "closed")];
    writeFileSync(
      join(desk.folder, "legacy.mjs"),
      `import { appendFileSync, existsSync } from "node:fs";
      export function processTradeFile(path) {
        if (existsSync(${JSON.stringify(closed)})) throw new Error("legacy is closed");
        appendFileSync(${JSON.stringify(calls)}, path + "\\n");
      }`,
    );
    writeFileSync(closed, "");
    desk.write(name, header + rows(1, 2));
    expect(await desk.once()).toMatchObject({ code: 2, err: expect.stringContaining("legacy is closed") });
    expect(desk.tradeIds()).toEqual(["1", "2"]);
    rmSync(closed);
    expect(await desk.once()).toMatchObject({ code: 0, sinks: { legacy: { rows: 2, state: "ok" } } });
    expect(await desk.once()).toMatchObject({ code: 0 });
    expect(readFileSync(calls, "utf8")).toBe(`${join(desk.ledgers, name)}\n`);
  });

  it("sends legacy no change of a row that legacy stored itself: a person makes it there, and sees it as a review", async () => {
    const legacy = { kind: "module", path: "./legacy.mjs" };
    const desk = new Desk({ legacy_sink: "own_entry", republished: "apply" }, { systems: { legacy } });
    const db = (...args: readonly string[]) => pnlBridge(["db", ...args], { cwd: desk.folder });
    createLegacy(join(desk.folder, "pnl_tracker.db"), { journal: "wal", busyTimeoutMs: 5_000 }).close();
    // Stores each row of a file once, and a row that stands in two files twice.
    writeFileSync(
      join(desk.folder, "legacy.mjs"),
      `import { readFileSync } from "node:fs";
      import { basename } from "node:path";
      import { DatabaseSync } from "node:sqlite";
      export function processTradeFile(path) {
        const database = new DatabaseSync(${JSON.stringify(join(desk.folder, "pnl_tracker.db"))}, { timeout: 5_000 });
        const insert = database.prepare(\`INSERT OR IGNORE INTO processed_trades (trade_id, instrument_name,
          trade_date, trade_timestamp, quantity, price, side, source_file) VALUES (?, ?, ?, ?, ?, ?, ?, ?)\`);
        for (const line of readFileSync(path, "utf8").trim().split("\\n").slice(1)) {
          const [id, symbol, time, side, quantity, price] = line.split(",");
          insert.run(id, symbol, time.slice(0, 10), time + "000", +quantity, +price, side, basename(path));
        }
        database.close();
      }`,
    );
    const inLegacy = () =>
      desk
        .read<{ id: string; price: number }>(
          "SELECT trade_id AS id, price FROM processed_trades ORDER BY 1, 2",
          "pnl_tracker.db",
        )
        .map(({ id, price }) => `${id} at ${price}`);
    desk.write(name, header + rows(1, 2, 3));
    expect(await desk.once()).toMatchObject({ code: 0 });
    expect((await db("backfill")).code).toBe(0);
    desk.write("trades_20250725.csv", header + rows(3, 4));
    expect(await desk.once()).toMatchObject({ code: 0, sinks: { legacy: { rows: 4, state: "ok" } } });
    const stored = ["1 at 110.5", "2 at 110.5", "3 at 110.5", "3 at 110.5", "4 at 110.5"];
    expect(inLegacy()).toEqual(stored);

    desk.write(name, `${header}${rows(3)}${row(2, "110.75")}\n`);
    expect(await desk.once()).toMatchObject({
      code: 1,
      sinks: { legacy: { state: "ok" }, modern: { rows: 3, state: "ok" } },
      reviews: [{ kind: "legacy_rows", path: name, removed: 1, changed: 1 }],
    });
    expect(inLegacy()).toEqual(stored);
    expect((await desk.run("review", "show", "1")).out).toContain("removed in line 2: trade 1, B 1");
    const { rows: differences } = JSON.parse((await db("reconcile", "--json")).out);
    expect(differences).toContainEqual(
      expect.objectContaining({ key: expect.objectContaining({ id: "3" }), cause: "LEGACY_DOUBLE_COUNT" }),
    );
    expect(await desk.run("review", "apply", "1")).toMatchObject({ code: 0, out: "review 1 is applied\n" });
    expect(await desk.once()).toMatchObject({ code: 0, reviews: [] });

    desk.write("trades_20250726.csv", `${header.trim()},fee\n${row(4)},2\n`);
    expect(await desk.once()).toMatchObject({ code: 1, reviews: [{ id: 2, kind: "similar_row" }] });
    expect((await desk.run("review", "apply", "2")).code).toBe(0);
    expect((await desk.run("review", "show", "3")).out).toMatch(
      /legacy_rows: .*\nchanged in .* trade 4, .*; fee 2\n/,
    );
    expect(inLegacy()).toEqual(stored);
    expect(desk.tradeIds()).toEqual(["2", "3", "4"]);
  });

  it("calculates for modern in shadow_mode and stores there from dual_write on, also if the phase changes meanwhile", async () => {
    const desk = new Desk({}, { migration: { phase: "shadow_mode" } });
    desk.write(name, header + rows(1, 2));
    expect(await desk.once()).toMatchObject({
      code: 0,
      sinks: { legacy: { rows: 2, state: "ok" }, modern: { rows: 2, state: "calculates" } },
    });
    const child = spawn(process.execPath, [main, "watch", "--follow"], {
      ...{ cwd: desk.folder, stdio: "ignore" },
    });
    const exited = once(child, "exit");
    appendFileSync(join(desk.ledgers, name), rows(3));
    const inLegacy = () => desk.read("SELECT 1 FROM processed_trades", "pnl_tracker.db").length;
    await until(() => inLegacy() === 3, "the row is in legacy");
    expect(desk.tradeIds()).toEqual([]);
    const file = join(desk.folder, "pnl_migration_config.yaml");
    const config = JSON.parse(readFileSync(file, "utf8"));
    const migration = { phase: "dual_write", feature_flags: { use_new_storage: true } };
    writeFileSync(file, JSON.stringify({ ...config, migration }));
    await until(() => desk.tradeIds().length === 3, "modern has what came before");
    child.kill("SIGINT");
    expect(await exited).toEqual([0, null]);
    expect(await desk.once()).toMatchObject({ code: 0, sinks: { modern: { rows: 3, state: "ok" } } });
  });
});

it("gives the marks of price files to both stores", async () => {
  const desk = new Desk({ market_prices: "./prices" });
  mkdirSync(join(desk.folder, "prices"));
  desk.write(name, header + rows(1));
  const prices = "SYMBOL,PX_LAST_DEC,PX_SETTLE_DEC\nTYU5,111.5,111.25\n";
  writeFileSync(join(desk.folder, "prices/Futures_20250724_1400.csv"), prices);
  writeFileSync(join(desk.folder, "prices/Futures_today.csv"), prices);
  const { code, files, err } = await desk.once();
  expect([code, err]).toEqual([1, ""]);
  expect(files.map(({ path = "", state = "", refused = {} }) => [path, state, refused])).toEqual([
    ["Futures_today.csv", "refused", expect.objectContaining({ code: "BAD_PRICE_FILE" })],
    ["Futures_20250724_1400.csv", "applied", {}],
    [name, "applied", {}],
  ]);
  expect(desk.read("SELECT mark, unrealized FROM newpnl_positions")).toEqual([
    { mark: "111.5", unrealized: "1000" },
  ]);
  expect(desk.read("SELECT px_last FROM market_prices", "pnl_tracker.db")).toEqual([{ px_last: 111.5 }]);
});

it("runs in serve beside the gateway, which shows files as metrics and events, and takes offered ones", async () => {
  const desk = new Desk({}, { gateway: { listen: "127.0.0.1:0" } });
  desk.write(name, header + rows(1));
  const child = spawn(process.execPath, [main, "serve"], {
    ...{ cwd: desk.folder, stdio: ["ignore", "pipe", "pipe"] },
  });
  let log = "";
  child.stderr.on("data", (chunk) => {
    log += chunk;
  });
  const exited = once(child, "exit");
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const url = /serves at (\S+)/.exec(line.toString())?.[1] ?? "";
  const end = new AbortController();
  const events = await fetch(`${url}/api/v1/events`, { signal: end.signal });
  let told = "";
  void events.body
    ?.pipeThrough(new TextDecoderStream())
    .pipeTo(
      new WritableStream({
        write: (text) => {
          told += text;
        },
      }),
    )
    .catch(() => {});
  const offer = async (path: string) => {
    const answer = await fetch(`${url}/api/v1/files`, {
      ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ path }) },
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const tradesIn = (file: string, table: string): number => {
    const [found] = desk.read<{ n: number }>(`SELECT count(*) AS n FROM ${table}`, file);
    return found?.n ?? 0;
  };

  appendFileSync(join(desk.ledgers, name), rows(2));
  await until(async () => (await offer(`ledgers/${name}`)).body.rowsApplied === 2, "both rows are applied");
  expect(await offer(join(desk.ledgers, "none.csv"))).toMatchObject({
    status: 404,
    body: { code: "NO_INPUT" },
  });
  expect(await offer("../elsewhere.csv")).toMatchObject({ status: 400, body: { code: "BAD_USAGE" } });
  await until(() => tradesIn("pnl_tracker.db", "processed_trades") === 2, "legacy has the rows");
  await until(() => tradesIn("newpnl.db", "newpnl_trades") === 2, "modern has the rows");
  await until(
    () => /event: files\ndata: {[^\n]*"kind":"file"[^\n]*"state":"applied"/.test(told),
    "an event tells",
  );
  const metric = async (sample: string): Promise<string | undefined> =>
    (await (await fetch(`${url}/metrics`)).text()).split("\n").find((one) => one.startsWith(sample));
  await until(async () => (await metric('pnl_bridge_file_rows{what="applied"}'))?.endsWith(" 2") === true);
  expect(await metric('pnl_bridge_files{state="applied"}')).toMatch(/ 1$/);
  expect(await metric("pnl_bridge_file_roots_lost")).toMatch(/ 0$/);
  renameSync(desk.ledgers, join(desk.folder, "away"));
  await until(() => log.includes('"root_lost"'), "the log names the lost folder");
  end.abort();
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});

it("doctor shows how the changes of each watched folder are noticed, and fails for a lost one", async () => {
  const desk = new Desk({ market_prices: "./prices", mode: "poll" });
  desk.write(name, header);
  desk.write("old.db", "");
  const { code, out } = await pnlBridge(["doctor", "--config", "pnl_migration_config.yaml", "--json"], {
    cwd: desk.folder,
  });
  const { findings } = JSON.parse(out);
  expect([code, findings.filter(({ check = "" }) => check === "watched folder")]).toEqual([
    1,
    [
      {
        ...{ check: "watched folder", ok: true },
        detail: `${desk.ledgers}: 1 file, noticed by polling; the bridge does not open these databases here: old.db`,
      },
      { check: "watched folder", ok: false, detail: expect.stringMatching(/prices: ENOENT: /) },
    ],
  ]);
});
