import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { directionOfPhase, openDatabase } from "../../src/app/database/open.ts";
import { defaultConfig } from "../../src/config/index.ts";
import { openDatabase as createLegacy } from "../../src/legacy-desk/database.ts";
import type { ReconcileReport } from "../../src/ports/reconcile.ts";
import { runSql } from "../../src/testing/sqlite-files.ts";
import { until } from "../../src/testing/until.ts";
import { main, pnlBridge, withFiles } from "./run-cli.ts";

const zn = "XCMEFFDPSX20250919U0ZN";
const config = "stores: { legacy: 'sqlite:./pnl_tracker.db', modern: 'sqlite:./newpnl.db' }\n";

const openPair = (folder: string) =>
  openDatabase(
    {
      addresses: { legacy: "sqlite:./pnl_tracker.db", modern: "sqlite:./newpnl.db" },
      folder,
      database: defaultConfig.database,
    },
    { direction: () => directionOfPhase("dual_write") },
  );

/** A folder with a configuration and a pair that the bridge has written. */
const withPair = (use: (folder: string) => Promise<unknown>) =>
  withFiles({ "pnl_migration_config.yaml": config }, async (folder) => {
    createLegacy(join(folder, "pnl_tracker.db"), { journal: "wal", busyTimeoutMs: 5_000 }).close();
    const { bridge, close } = await openPair(folder);
    await bridge.write(
      [
        {
          kind: "trade",
          id: "1",
          symbol: zn,
          side: "B",
          quantity: "2",
          price: "110.5",
          time: "2025-07-15T13:08:35-05:00",
          file: 'trades "a", b.csv',
          line: 1,
        },
        {
          kind: "daily_pnl",
          tradingDay: "2025-07-15",
          symbol: zn,
          quantity: "2",
          realized: "15.625",
          unrealized: "0",
        },
      ],
      { idempotencyKey: "one" },
    );
    await bridge.drain({ timeoutMs: 60_000 });
    await close();
    await use(folder);
  });

const run = (folder: string, ...more: readonly string[]) =>
  pnlBridge(["db", "reconcile", ...more], { cwd: folder });

it("exits 0 for equal databases, 1 with the rows where they differ, and 2 where it cannot compare", () =>
  withPair(async (folder) => {
    const equal = await run(folder);
    expect(equal).toMatchObject({ code: 0, err: "" });
    expect(equal.out).toMatch(/ equal at write 1: 10 figures compared, 0 differ, 0 cannot be compared\n$/);

    runSql(join(folder, "pnl_tracker.db"), "UPDATE eod_pnl SET realized_pnl = 0.02");
    const differing = await run(folder, "--json");
    expect(differing.code).toBe(1);
    const report: ReconcileReport = JSON.parse(differing.out);
    expect(report).toMatchObject({ ok: false, position: 1, complete: true, rowsLeftOut: 0 });
    expect(report.rows).toMatchObject([
      {
        kind: "daily",
        key: { symbol: zn, tradingDay: "2025-07-15" },
        field: "realized",
        legacy: "20",
        modern: "15.625",
        difference: "-4.375",
        verdict: "diverged",
      },
    ]);
    expect((await run(folder)).out).toContain("legacy 20, modern 15.625, difference -4.375 (diverged)");
    expect((await run(folder, "--kinds", "trade")).code).toBe(0);
    expect(await run(folder, "--kinds", "trades")).toMatchObject({
      code: 2,
      err: expect.stringContaining("BAD_USAGE"),
    });
    expect(await run(folder, "--from", "2025-08-01", "--to", "2025-07-01", "--csv", "out.csv")).toMatchObject(
      {
        code: 2,
        err: expect.stringMatching(/^BAD_USAGE: the first day 2025-08-01 is after the last day 2025-07-01/),
      },
    );
    expect(await readdir(folder)).not.toContain("out.csv");
    runSql(join(folder, "pnl_tracker.db"), "DROP TABLE eod_pnl");
    expect(await run(folder)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^BAD_DATABASE: legacy's database has no table eod_pnl/),
    });
  }));

it("writes every figure into a CSV file in the desk's shape, and leaves nothing else behind", () =>
  withPair(async (folder) => {
    runSql(join(folder, "pnl_tracker.db"), "UPDATE processed_trades SET price = 110.50001, quantity = 3");
    expect((await run(folder, "--csv", "out.csv")).code).toBe(1);
    const lines = (await readFile(join(folder, "out.csv"), "utf8")).trimEnd().split("\n");
    expect(lines[0]).toBe("date,symbol,metric,system1_value,system2_value,difference,status");
    expect(lines).toContain(`2025-07-15,${zn},trade:1.quantity,3,2,-1,INVESTIGATION_REQUIRED`);
    expect(lines).toContain(`2025-07-15,${zn},trade:1.price,110.50001,110.5,-0.00001,WITHIN_TOLERANCE`);
    expect(lines).toContain(`2025-07-15,${zn},daily.realized,15.625,15.625,0,MATCHED`);
    expect(lines).toHaveLength(11);
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  }));

const withControl = `stores: { control: 'sqlite:./control.db', ${config.slice("stores: { ".length)}`;

it("prints its report and writes the plan of a repair if the pass cannot be noted for the gates", () =>
  withPair(async (folder) => {
    await writeFile(join(folder, "pnl_migration_config.yaml"), withControl);
    await writeFile(join(folder, "control.db"), "no database");
    const { code, out, err } = await run(folder, "--plan", "plan.json");
    expect([code, out]).toEqual([0, expect.stringContaining("equal at write")]);
    expect(err).toMatch(/^the pass is not noted for the gates: BAD_DATABASE: .*\n$/);
    expect(await readFile(join(folder, "plan.json"), "utf8")).toContain("authority");
  }));

it("repeats with --follow until it is killed, and its death disturbs no writer", () =>
  withPair(async (folder) => {
    await writeFile(join(folder, "pnl_migration_config.yaml"), withControl);
    const { bridge, close } = await openPair(folder);
    const child = spawn(process.execPath, [main, "db", "reconcile", "--follow", "--every", "1ms"], {
      cwd: folder,
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    let out = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    let written = 1;
    const write = () =>
      bridge.write(
        [
          {
            kind: "daily_pnl",
            tradingDay: "2025-07-15",
            symbol: zn,
            quantity: String(++written),
            realized: "0",
            unrealized: null,
          },
        ],
        { idempotencyKey: String(written) },
      );
    await until(async () => {
      expect(await write()).toMatchObject({ kind: "acknowledged" });
      return out.split("\n").length > 4;
    });
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(out).not.toContain("NOT EQUAL");
    // Not each pass is noted for the gates.
    const { out: audit } = await pnlBridge(["audit", "export"], { cwd: folder });
    expect(audit.match(/"action":"reconcile"/g)).toHaveLength(1);
    expect(await write()).toMatchObject({ kind: "acknowledged" });
    expect(await bridge.drain({ timeoutMs: 60_000 })).toMatchObject({ drained: true });
    await close();
    expect((await run(folder)).code).toBe(0);
  }));

it("writes a plan for db repair, which exits 1 if a row has changed since, 0 if all is done, 2 without a plan", () =>
  withPair(async (folder) => {
    const repair = (...more: readonly string[]) =>
      pnlBridge(["db", "repair", "plan.json", ...more], { cwd: folder });
    expect(await repair()).toMatchObject({ code: 2, err: expect.stringContaining("NO_INPUT") });
    runSql(join(folder, "newpnl.db"), "UPDATE newpnl_daily SET realized = '7'");
    expect((await run(folder, "--plan", "plan.json")).code).toBe(1);
    expect(JSON.parse(await readFile(join(folder, "plan.json"), "utf8"))).toMatchObject({
      authority: "legacy",
      complete: true,
      actions: [{ do: "take_legacy", mayDo: ["take_legacy", "take_modern", "leave"], kind: "daily" }],
    });
    expect((await repair("--dry-run")).out).toContain("1 would be repaired");
    runSql(join(folder, "newpnl.db"), "UPDATE newpnl_daily SET realized = '8'");
    expect(await repair()).toMatchObject({ code: 1, out: expect.stringContaining("1 skipped") });
    runSql(join(folder, "newpnl.db"), "UPDATE newpnl_daily SET realized = '7'");
    expect(JSON.parse((await repair("--json")).out)).toMatchObject({
      ok: true,
      results: [{ result: "done" }],
      owed: 0,
    });
    expect((await run(folder)).code).toBe(0);
  }));
