import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { ParityReport } from "../../src/ports/parity-report.ts";
import { until } from "../../src/testing/until.ts";
import { ledger, pnlBridge, root, withFiles } from "./run-cli.ts";

const ZN = "XCMEFFDPSX20250919U0ZN";
const ZB = "XCMEFFDPSX20250919U0ZB";
const files = {
  "trades_20250724.csv": ledger(
    `1,${ZN},2025-07-24 09:00:00,B,2,110`,
    `2,${ZB},2025-07-24 09:00:01,S,1,113.5`,
    `3,${ZN},2025-07-24 09:00:02,S,1,110.5`,
  ),
  "trades_20250725.csv": ledger(
    `4,${ZN},2025-07-25 09:00:00,S,1,111`,
    `5,${ZB},2025-07-25 09:00:01,S,2,113.53125`,
  ),
};

/** Calls `use` with a folder that holds the ledgers and the database that the legacy desk wrote for them. */
const withDatabase = (
  use: (database: string, folder: string) => Promise<unknown>,
  ledgers: Readonly<Record<string, string>> = files,
) =>
  withFiles(ledgers, async (folder) => {
    const database = join(folder, "pnl_tracker.db");
    await pnlBridge(["replay", "--trades", folder, "--legacy-database", database]);
    await use(database, folder);
  });

const compare = async (database: string, ...more: readonly string[]) => {
  const ran = await pnlBridge(["compare", "--legacy", `sqlite:${database}`, "--json", ...more]);
  return { ...ran, report: (ran.out === "" ? undefined : JSON.parse(ran.out)) as ParityReport };
};
const hash = async (path: string) =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

describe("compare on a desk's own database", () => {
  it("finds equal positions, days and snapshots equal, and leaves the file and the folder unchanged", () =>
    withDatabase(async (database, folder) => {
      const before = [await hash(database), (await readdir(folder)).sort()];
      const { code, err, report } = await compare(database);
      expect(err).toBe("");
      expect(code).toBe(0);
      expect(report).toMatchObject({
        ok: true,
        legacy: { system: "pnl_tracker.db" },
        dayRules: { legacy: "calendar", modern: "calendar" },
      });
      expect(report.verdicts).toMatchObject({ diverged: 0, error: 0, not_comparable: 0 });
      const seen = report.rows.map(({ kind, key, field, legacy, modern }) => [
        kind,
        key.symbol,
        key.tradingDay,
        field,
        legacy,
        modern,
      ]);
      // The desk deletes the row of a flat position; its figures come from its latest snapshot.
      expect(seen).toContainEqual(["position", ZN, undefined, "realized", "1500", "1500"]);
      expect(seen).toContainEqual(["position", ZB, undefined, "quantity", "-3", "-3"]);
      expect(seen).toContainEqual(["daily", ZN, "2025-07-25", "realized", "1000", "1000"]);
      expect(seen).toContainEqual(["snapshot", ZN, "2025-07-25", "realized", "1500", "1500"]);
      expect([await hash(database), (await readdir(folder)).sort()]).toEqual(before);
    }));

  it("exits 1 and names the rows in which a stored figure is wrong", () =>
    withDatabase(async (database) => {
      const desk = new Database(database);
      desk.exec(`UPDATE positions SET total_realized_pnl = 0.5 WHERE instrument_name = '${ZB}'`);
      desk.exec(
        "UPDATE eod_pnl SET realized_pnl = 'awaiting data' " +
          `WHERE instrument_name = '${ZN}' AND trade_date = '2025-07-24'`,
      );
      desk.close();
      const { code, report } = await compare(database);
      expect(code).toBe(1);
      const wrong = report.rows.filter(
        ({ verdict }) => verdict !== "equal" && verdict !== "within_tolerance",
      );
      expect(
        wrong.map(({ kind, key, field, verdict, cause }) => [kind, key.symbol, field, verdict, cause]),
      ).toEqual([
        ["position", ZB, "realized", "diverged", null],
        ["daily", ZN, "realized", "not_comparable", "NOT_A_NUMBER"],
      ]);
      // No trade explains a figure that somebody changed, so none is named.
      expect(wrong.flatMap(({ trades = [] }) => trades)).toEqual([]);
    }));

  it("shows the trades that the desk's UNIQUE(trade_id, source_file) lost", () =>
    withDatabase(
      async (database) => {
        const { code, report } = await compare(database);
        expect(code).toBe(1);
        expect(
          report.rows.find(({ kind, field }) => kind === "position" && field === "quantity"),
        ).toMatchObject({
          legacy: "2",
          modern: "1",
          difference: "-1",
        });
      },
      {
        "trades_20250729.csv": ledger(
          `92,${ZN},2025-07-29 09:00:00,B,1,110`,
          `92,${ZN},2025-07-29 09:00:00,B,1,110`,
        ),
      },
    ));

  it("refuses a database without the desk's tables in one line, which lists everything that is missing", () =>
    withFiles(
      { "text.db": "this is no database at all, it only has the name of one".repeat(30), "empty.db": "" },
      async (folder) => {
        const shape = new Database(join(folder, "shape.db"));
        shape.exec("CREATE TABLE processed_trades (trade_id TEXT, price REAL)");
        shape.close();
        for (const [name, says] of [
          ["text.db", /^BAD_DATABASE: /],
          ["empty.db", /^BAD_DATABASE: /],
          ["nowhere.db", /^UNREADABLE: /],
          [
            "shape.db",
            /^BAD_DATABASE: the database lacks processed_trades \(instrument_name, trade_timestamp, quantity, side.*positions; eod_pnl; pnl_snapshots; position_snapshots/,
          ],
        ] as const) {
          const { code, out, err } = await pnlBridge(["compare", "--legacy", `sqlite:${join(folder, name)}`]);
          expect([code, out]).toEqual([2, ""]);
          expect(err).toMatch(says);
          expect(err.trimEnd().split("\n")).toHaveLength(1);
        }
        const usage = await pnlBridge(["compare", "--legacy", "postgres://nowhere"]);
        expect([usage.code, usage.err]).toEqual([
          2,
          expect.stringMatching(/^BAD_USAGE: --legacy must be sqlite:FILE/),
        ]);
      },
    ));

  it.each(["rollback", "wal"])(
    "reads a consistent state while another process writes, and never locks that process out (%s journal)",
    (journal) =>
      withDatabase(async (database, folder) => {
        if (journal === "wal") {
          const desk = new Database(database);
          desk.pragma("journal_mode = WAL");
          desk.close();
        }
        const more = join(folder, "trades_20250728.csv");
        await writeFile(
          more,
          ledger(
            ...Array.from(
              { length: 50 },
              (_, index) => `${index},${ZN},2025-07-28 09:00:${String(index).padStart(2, "0")},B,1,110`,
            ),
          ),
        );
        const writer = keepWriting([
          database,
          more,
          "--count=1000000",
          "--seconds=30",
          ...(journal === "wal" ? ["--wal"] : []),
        ]);
        await writer.hasWritten();
        const reads = [await compare(database), await compare(database), await compare(database)];
        const tally = await writer.stop();
        for (const { err, report } of reads) {
          expect(err).toBe("");
          // The writer adds trades, never results, and none of ZB: the stored result of ZB stays right at
          // every moment.
          expect(
            report.rows.find(
              ({ kind, key, field }) => kind === "position" && key.symbol === ZB && field === "quantity",
            ),
          ).toMatchObject({ legacy: "-3", modern: "-3", verdict: "equal" });
          expect(report.quarantine).toEqual([]);
        }
        expect(tally.busy).toBe(0);
        expect(tally.transactions).toBeGreaterThan(0);
      }),
  );
});

/**
 * Starts a process that writes small transactions in a loop, without a busy timeout, until `stop` is called.
 */
function keepWriting(args: readonly string[]): {
  readonly hasWritten: () => Promise<void>;
  readonly stop: () => Promise<{ readonly transactions: number; readonly busy: number }>;
} {
  const child = spawn(process.execPath, [join(root, "src/legacy-desk/writer.ts"), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  const closed = new Promise((resolve) => child.on("close", resolve));
  // Watches the modification times of the files, since a read through SQLite would take a lock that delays
  // the writer.
  const [database = ""] = args;
  const stamps = () =>
    [database, `${database}-wal`].map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs).join();
  const before = stamps();
  return {
    hasWritten: () => until(() => stamps() !== before),
    stop: async () => {
      child.kill("SIGTERM");
      await closed;
      return JSON.parse(out);
    },
  };
}
