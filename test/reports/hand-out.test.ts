/** Which report is handed out in which phase, to whom, and what voids an acceptance. */
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readWorkbook } from "../../src/adapters/xlsx/index.ts";
import { openOperator, settingsOf } from "../../src/app/control/session.ts";
import { reportAcceptance, reportRegister } from "../../src/app/reports/register.ts";
import { present } from "../../src/base/present.ts";
import { reportSideOf } from "../../src/bridges/reports/index.ts";
import { type Phase, phases, type Side } from "../../src/domain/migration/phase.ts";
import { planOf } from "../../src/domain/migration/plan.ts";
import type { ControlStore } from "../../src/ports/control-store.ts";
import type { ReportDifference } from "../../src/ports/report-diff.ts";
import { cellTypes, type Workbook } from "../../src/ports/workbook.ts";
import { pnlBridge } from "../cli/run-cli.ts";
import { number, type RawWorkbook, rawWorkbook, stylesXml, text } from "./raw-workbook.ts";

/** For each phase and flag: the report of a user on the whitelist, and of one who is not on it. */
const table: Readonly<Record<Phase, Readonly<Record<"on" | "off", readonly [listed: Side, other: Side]>>>> = {
  read_only: { off: ["legacy", "legacy"], on: ["legacy", "legacy"] },
  shadow_mode: { off: ["legacy", "legacy"], on: ["legacy", "legacy"] },
  dual_write: { off: ["legacy", "legacy"], on: ["modern", "legacy"] },
  primary_switch: { off: ["legacy", "legacy"], on: ["modern", "modern"] },
  cleanup: { off: ["legacy", "legacy"], on: ["modern", "modern"] },
};

describe("the side of a report", () => {
  const flags = (reports: boolean) => ({ calculator: true, storage: true, reports });
  const inPhase = (phase: Phase, reports: boolean) =>
    planOf({ phase, flags: flags(reports), userWhitelist: ["amy"] });

  it.each(phases.flatMap((phase) => [[phase, "off"] as const, [phase, "on"] as const]))(
    "in %s with use_new_reports %s is the side that `table` gives for the phase and flag, and is legacy after a rollback",
    (phase, flag) => {
      // The plan itself refuses cleanup without the flag.
      if (phase === "cleanup" && flag === "off") return expect(() => inPhase(phase, false)).toThrow();
      const plan = inPhase(phase, flag === "on");
      const sides = ["amy", "bob"].map((user) => reportSideOf(plan, { user }).side);
      expect(sides).toEqual(table[phase][flag]);
      for (const back of [
        { ...plan, useNewPnlSystem: false },
        { ...plan, migrationMode: "old_only" as const },
      ])
        expect(reportSideOf(back, { user: "amy" }).side).toBe("legacy");
    },
  );
});

describe("a desk that hands out reports", () => {
  let folder: string;
  let store: ControlStore;
  let close: () => Promise<void>;
  const run = (...args: string[]) => pnlBridge(args, { cwd: folder });
  const header = "tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n";
  const trade = (id: number, price: string): string =>
    `${id},XCMEFFDPSX20250919U0ZN,2025-07-24 09:0${id}:00.000,B,1.0,${price}\n`;
  const daily = async (out: string, ...more: string[]) => {
    const {
      code,
      out: text,
      err,
    } = await run("report", "daily", "--date", "2025-07-24", "--out", out, "--json", ...more);
    if (code === 2) throw new Error(err);
    return JSON.parse(text);
  };
  const phase = (set: Phase) =>
    store.change({ actor: "amy", action: "phase", reason: "a test", set: { phase: set, grantedPhase: set } });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pnl-bridge-report-"));
    await mkdir(join(folder, "trade_ledger"));
    await writeFile(
      join(folder, "trade_ledger/trades_20250724.csv"),
      header + trade(1, "110.515625") + trade(2, "110.75"),
    );
    const config = join(folder, "pnl_migration_config.yaml");
    await writeFile(
      config,
      "migration: { feature_flags: { use_new_calculator: true, use_new_storage: true, use_new_reports: true } }\n" +
        "stores: { control: sqlite:./control.db }\nwatch: { trade_ledger: ./trade_ledger }\n",
    );
    expect((await run("config", "publish", "--reason", "a test")).code).toBe(0);
    const session = await openOperator(await settingsOf({ config }));
    ({ store } = session);
    close = () => session.close();
  });
  afterAll(async () => {
    await close();
    await rm(folder, { recursive: true, force: true });
  });

  it("hands out legacy's before the switch, modern's after it, and legacy's in the next run after a rollback", async () => {
    expect(await daily("a.xlsx")).toMatchObject({ side: "legacy", version: 1 });
    await phase("primary_switch");
    expect(await daily("b.xlsx", "--user", "amy")).toMatchObject({
      side: "modern",
      version: 1,
      diff: { ok: false },
    });
    expect(JSON.parse(await readFile(join(folder, "b.json"), "utf8"))).toMatchObject({ source: "modern" });
    expect((await run("rollback", "--reason", "wrong report")).code).toBe(0);
    expect(await daily("b.xlsx", "--user", "amy")).toMatchObject({ side: "legacy", version: 1 });
    const { handedOut } = await reportRegister(store, "2025-07-24");
    expect(handedOut.map(({ side, user, phase: of, path }) => [side, user, of, path])).toEqual([
      ["legacy", null, "read_only", "a.xlsx"],
      ["modern", "amy", "primary_switch", "b.xlsx"],
      ["legacy", "amy", "primary_switch", "b.xlsx"],
    ]);
  });

  it("keeps each hand-out with its time, also of a report that a user gets again with the same content", async () => {
    const before = (await reportRegister(store, "2025-07-24")).handedOut;
    await daily("b.xlsx", "--user", "amy");
    const { handedOut } = await reportRegister(store, "2025-07-24");
    const [first, again] = handedOut.slice(before.length - 1);
    const { seq, at: _, ...same } = present(first, "the last hand-out before this test");
    expect(again).toMatchObject(same);
    expect(again?.seq).toBeGreaterThan(seq);
  });

  it("accepts exactly the content that was compared, and a late trade voids the acceptance", async () => {
    const date = "2025-07-24";
    await phase("shadow_mode");
    await daily("l.xlsx", "--side", "legacy");
    await daily("m.xlsx", "--side", "modern");
    expect(await reportAcceptance(store, date)).toMatchObject({
      state: "not accepted",
      because: "nobody has accepted the differences of the reports of 2025-07-24",
    });
    const gate = async () => {
      const { gates } = JSON.parse((await run("gates", "--target", "primary_switch", "--json")).out);
      const { state, why } = gates.find(({ name }: { name: string }) => name === "reports_accepted");
      return `${state}: ${why}`;
    };
    expect(await gate()).toMatch(/^closed: nobody has accepted .*; run report accept .* --date 2025-07-24$/);
    const accept = (legacy: string, modern: string, day = date) => {
      const by = ["--reason", "known quirks", "--actor", "amy", "--json"];
      return run("report", "accept", legacy, modern, "--date", day, ...by);
    };
    for (const [legacy, modern, day, sides] of [
      ["l.xlsx", "l.xlsx", date, "modern's report"],
      ["m.xlsx", "l.xlsx", date, "legacy's report and modern's report"],
      ["l.xlsx", "m.xlsx", "2025-07-23", "legacy's report and modern's report"],
    ] as const) {
      const { code, err } = await accept(legacy, modern, day);
      expect([code, err]).toEqual([
        2,
        expect.stringContaining(`the content of ${sides} is not the last one`),
      ]);
    }
    const { code, out } = await accept("l.xlsx", "m.xlsx");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      state: "accepted",
      because: "amy accepted this content",
      tolerances: { pnl: "0.01" },
    });
    const rows = await store.audit(0, 100);
    const kept = JSON.parse(rows.find(({ action }) => action === "accept-report")?.evidence ?? "{}");
    const { appearance, ...listed } = kept.counts;
    expect(appearance).toBeGreaterThan(0);
    const classes = Object.groupBy(kept.differences, (one: ReportDifference) => one.class);
    expect(Object.fromEntries(Object.entries(classes).map(([name, all = []]) => [name, all.length]))).toEqual(
      listed,
    );
    expect(kept).toMatchObject({ leftOut: 0 });
    expect(classes.value?.map(({ cause }) => cause)).toContain("TRUNCATED_32NDS");
    // The acceptance stays valid for the same content.
    expect(await daily("again.xlsx", "--side", "modern")).toMatchObject({ version: 1 });
    expect((await reportAcceptance(store, date)).state).toBe("accepted");
    expect(await gate()).toBe("open: amy accepted this content");
    // A late trade makes a new version at the same path, and keeps the old one beside it.
    const files = (stem: string) =>
      Promise.all(["xlsx", "json"].map((suffix) => readFile(join(folder, `${stem}.${suffix}`))));
    const old = await files("m");
    await writeFile(
      join(folder, "trade_ledger/trades_20250724.csv"),
      header + trade(1, "110.515625") + trade(2, "110.75") + trade(3, "111"),
    );
    const oldName = "m.2025-07-24.modern.v1";
    const replaced = { date, side: "modern", version: 1, path: `${oldName}.xlsx` };
    expect(await daily("m.xlsx", "--side", "modern")).toMatchObject({ version: 2, replaced });
    expect(await files(oldName)).toEqual(old);
    expect(await files("m")).not.toEqual(old);
    // The same content again replaces nothing.
    expect(await daily("m.xlsx", "--side", "modern")).not.toHaveProperty("replaced");
    expect(await reportAcceptance(store, date)).toMatchObject({
      state: "not accepted",
      because:
        "the acceptance of amy is void: the content of legacy's report and modern's report has changed",
    });
    expect(await gate()).toMatch(/^closed: the acceptance of amy is void: /);
    const late = await accept("l.xlsx", `${oldName}.xlsx`);
    expect(late.code).toBe(2);
    expect(late.err).toMatch(
      /REFUSED.*the content of legacy's report and modern's report is not the last one that was handed out/,
    );
  });

  it("keeps each report that was handed out at one path, of any day, side and version", async () => {
    const ledger = join(folder, "trade_ledger/trades_20250725.csv");
    const later = (price: string) => header + trade(1, price).replace("2025-07-24", "2025-07-25");
    const write = async (date: string, side: Side) => {
      await daily("fixed.xlsx", "--date", date, "--side", side);
      return readFile(join(folder, "fixed.xlsx"));
    };
    const [thursday, friday] = ["2025-07-24", "2025-07-25"];
    await writeFile(ledger, later("110.5"));
    const written = [await write(thursday, "legacy"), await write(thursday, "modern")];
    written.push(await write(friday, "modern"));
    await writeFile(ledger, later("110.75"));
    // A file that nobody handed out already has the name of the next kept one.
    await writeFile(join(folder, "fixed.2025-07-25.modern.v1.xlsx"), "not a report");
    written.push(await write(friday, "modern"), await write(thursday, "legacy"));
    await rm(ledger);
    const kept = [
      ...["2025-07-24.legacy.v2", "2025-07-24.modern.v2", "2025-07-25.modern.v1-2", "2025-07-25.modern.v2"],
    ].map((name) => readFile(join(folder, `fixed.${name}.xlsx`)));
    expect(await Promise.all(kept)).toEqual(written.slice(0, -1));
  });

  it("names each row that its side refused, and exits with 1", async () => {
    const [ledger, next] = ["trades_20250724.csv", "trades_20250725.csv"];
    await mkdir(join(folder, "bad"));
    const bad = trade(3, "abc");
    await writeFile(join(folder, "bad", ledger), header + trade(1, "110.5") + bad + trade(2, "110.75"));
    await writeFile(join(folder, "bad", next), header + bad);
    const write = async (side: Side) => {
      const args = ["--date", "2025-07-24", "--out", `bad-${side}.xlsx`, "--side", side, "--trades", "bad"];
      const [text, json] = [
        await run("report", "daily", ...args),
        await run("report", "daily", ...args, "--json"),
      ];
      const figures = JSON.parse(await readFile(join(folder, `bad-${side}.json`), "utf8"));
      const { refused } = JSON.parse(json.out);
      expect(figures.refused).toEqual(refused);
      return { codes: [text.code, json.code], text: text.out, refused, sheets: figures.sheets };
    };
    const modern = await write("modern");
    expect(modern).toMatchObject({
      codes: [1, 1],
      text: expect.stringContaining(`${ledger}:3 BAD_PRICE`),
      refused: [{ line: 3 }, { line: 2 }],
    });
    expect(modern.sheets.Trades).toHaveLength(2);
    const legacy = await write("legacy");
    expect(legacy).toMatchObject({
      codes: [1, 1],
      text: expect.stringContaining("could not convert"),
      refused: [
        { code: "LEGACY_FILE_REJECTED", line: null, why: expect.stringContaining("took the first 1 rows") },
        { code: "LEGACY_FILE_REJECTED", why: expect.stringContaining("took the first 0 rows") },
      ],
    });
  });

  it("names the failing totals wherever a person decides about a comparison that fails only by them", async () => {
    const raised = ({ sheets }: Workbook): RawWorkbook => ({
      styles: stylesXml,
      sheets: sheets.map(({ name, starts, types, texts }) => ({
        name,
        rows: starts.slice(0, -1).map((start, row) =>
          texts.slice(start, starts[row + 1]).map((value, at) => {
            const isNumber = cellTypes[types[start + at] ?? 0] === "number";
            // Each realized P&L of Trades is 0.004 higher, which is within the tolerance of a cell.
            const more = name === "Trades" && at === 9 ? 0.004 : 0;
            return isNumber ? number(String(Number(value) + more)) : text(value);
          }),
        ),
      })),
    });
    const day = ["--date", "2025-07-28"];
    await daily("book.xlsx", "--side", "modern", ...day);
    const legacy = join(folder, "raised.xlsx");
    await writeFile(legacy, rawWorkbook(raised(await readWorkbook(join(folder, "book.xlsx")))));
    const own = [...day, "--side", "modern", "--legacy-workbook", legacy];
    const { diff } = await daily("book.xlsx", ...own);
    const failedTotals = [
      ...["Total PNL", "Realized PNL"].map((name) =>
        expect.stringMatching(`^${name} of legacy: Summary shows .*, the rows add up to `),
      ),
      ...["Total PNL", "Realized PNL"].map((name) =>
        expect.stringMatching(`^${name}: the rows of legacy add up to .*, those of modern to `),
      ),
    ];
    expect(diff).toMatchObject({ ok: false, counts: { within_tolerance: 3 }, failedTotals });
    const shown = await run("report", "daily", "--out", "book.xlsx", ...own);
    expect(shown.out).toMatch(/the two reports do not agree: 3 within_tolerance, .*, 4 totals that fail\n/);
    expect(shown.out).toContain("           Realized PNL: the rows of legacy add up to ");
    expect(await reportAcceptance(store, "2025-07-28")).toMatchObject({
      because: "nobody has accepted the differences and the 4 failing totals of the reports of 2025-07-28",
      failedTotals,
    });
    const accepted = await run("report", "accept", legacy, "book.xlsx", ...day, "--reason", "a test");
    expect(accepted.out).toMatch(/accepts .*, 4 totals that fail\n/);
    expect(accepted.out).toContain("           Realized PNL: the rows of legacy add up to ");
    expect((await reportRegister(store, "2025-07-28")).accepted.at(-1)).toMatchObject({ failedTotals });
  });

  it("takes legacy's own workbook as it is, and compares it", async () => {
    const found = await daily("own.xlsx", "--side", "legacy", "--legacy-workbook", "l.xlsx");
    expect(found).toMatchObject({ side: "legacy", version: 1 });
    expect(await readFile(join(folder, "own.xlsx"))).toEqual(await readFile(join(folder, "l.xlsx")));
  });

  it("compares with the report of a foreign legacy only if its workbook is given, and otherwise keeps the last result", async () => {
    await mkdir(join(folder, "foreign"));
    const config = join(folder, "foreign/pnl_migration_config.yaml");
    await writeFile(
      join(folder, "foreign/legacy.mjs"),
      "export default { totals: async () => ({ totals: {} }) };",
    );
    await writeFile(
      config,
      "systems: { legacy: { kind: module, path: ./legacy.mjs } }\n" +
        "stores: { control: sqlite:./control.db }\nwatch: { trade_ledger: ../trade_ledger }\n",
    );
    const session = await openOperator(await settingsOf({ config }));
    const set = { phase: "shadow_mode", grantedPhase: "shadow_mode" } as const;
    await session.store.change({ actor: "amy", action: "phase", reason: "a test", set });
    const write = (...more: string[]) =>
      daily("foreign.xlsx", "--side", "modern", "--config", config, ...more);
    expect(await write("--legacy-workbook", "l.xlsx")).toMatchObject({ diff: { ok: false } });
    const before = await reportAcceptance(session.store, "2025-07-24");
    expect(before.state).toBe("not accepted");
    expect(await write()).not.toHaveProperty("diff");
    expect(await reportAcceptance(session.store, "2025-07-24")).toEqual(before);
    // The advice is also true for a caller over HTTP, who cannot name a workbook.
    const args = ["--date", "2025-07-24", "--side", "legacy", "--out", "foreign.xlsx", "--config", config];
    expect(await run("report", "daily", ...args)).toMatchObject({
      code: 2,
      err: expect.stringContaining("run pnl-bridge report daily with --legacy-workbook FILE"),
    });
    await session.close();
  });

  it("hands out modern's report even if legacy's cannot be read, and leaves no older comparison beside it", async () => {
    await daily("alone.xlsx", "--side", "modern");
    const comparison = join(folder, "alone.diff.json");
    await access(comparison);
    const found = await daily("alone.xlsx", "--side", "modern", "--legacy-workbook", "missing.xlsx");
    expect(found).toMatchObject({
      side: "modern",
      diff: { error: expect.stringContaining("cannot be read") },
    });
    await expect(access(comparison)).rejects.toThrow("ENOENT");
  });

  it("refuses a workbook that would replace the configuration in the current folder", async () => {
    const file = "pnl_migration_config.yaml";
    const { code, err } = await run("report", "daily", "--date", "2025-07-24", "--out", file);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining("would replace an input") });
  });

  it("hands out nothing while the control file is gone, whatever the configuration says", async () => {
    const file = join(folder, "control.db");
    await rename(file, `${file}.away`);
    const { code, err } = await run("report", "daily", "--date", "2025-07-24", "--out", "gone.xlsx");
    await rename(`${file}.away`, file);
    expect({ code, err }).toEqual({
      code: 2,
      err: expect.stringMatching(/^SYSTEM_DOWN: the control file is gone/),
    });
    await expect(access(join(folder, "gone.xlsx"))).rejects.toThrow("ENOENT");
  });
});
