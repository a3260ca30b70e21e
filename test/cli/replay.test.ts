import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ParityReport } from "../../src/ports/parity-report.ts";
import { hasSharedData, readShared, sharedData } from "../shared-data.ts";
import { ledger, pnlBridge, root, withFiles } from "./run-cli.ts";

const ZN = "XCMEFFDPSX20250919U0ZN";
const ZT = "XCMEFFDPSX20250930U0ZT";

const agreeing = {
  "trades_20250724.csv": ledger(
    `1,${ZN},2025-07-24 09:00:00,B,2,110`,
    `2,${ZN},2025-07-24 09:00:01,S,1,110.5`,
    `3,${ZT},2025-07-24 09:00:02,S,1,103.00390625`,
  ),
  "trades_20250725.csv": ledger(`4,${ZN},2025-07-25 09:00:00,S,3,111`, `5,${ZT},2025-07-25 09:00:01,B,1,103`),
};

const parse = (out: string): ParityReport => JSON.parse(out) as ParityReport;
const find = (report: ParityReport, kind: string, symbol: string, field: string, tradingDay?: string) =>
  report.rows.find(
    (row) =>
      row.kind === kind &&
      row.key.symbol === symbol &&
      row.field === field &&
      row.key.tradingDay === tradingDay,
  );

describe("replay", () => {
  it("exits 0 if both systems agree, with points converted to money by each product's multiplier", () =>
    withFiles(agreeing, async (folder) => {
      const { code, out, err } = await pnlBridge(["replay", "--trades", folder, "--json"]);
      const report = parse(out);
      expect(err).toBe("");
      expect(code).toBe(0);
      expect(report).toMatchObject({
        ok: true,
        dayRules: { legacy: "calendar", modern: "calendar" },
        legacy: { system: "legacy-desk", errors: [] },
        modern: { system: "modern-engine", errors: [] },
        quarantine: [],
      });
      expect(report.verdicts).toEqual({
        equal: report.compared,
        within_tolerance: 0,
        diverged: 0,
        error: 0,
        not_comparable: 0,
      });
      expect(find(report, "position", ZT, "realized")).toMatchObject({
        legacy: "7.8125",
        modern: "7.8125",
        difference: "0",
        tolerance: "0.01",
        verdict: "equal",
        cause: null,
      });
      expect(find(report, "daily", ZN, "total", "2025-07-24")).toMatchObject({
        legacy: "1000",
        modern: "1000",
      });
      expect(report.conversions).toContainEqual({
        system: "legacy",
        field: "realized",
        rule: "points × multiplier",
      });
      expect(report.invariants).toContainEqual({
        symbol: ZN,
        name: "realized_plus_unrealized",
        legacy: "1500",
        modern: "1500",
        holds: true,
      });
    }));

  it("records the version, the time, each file with digest and row counts, and the meaning of the codes", () =>
    withFiles(
      {
        ...agreeing,
        "trades_20250728.csv": ledger(
          `4,${ZN},2025-07-25 09:00:00,S,3,111`,
          `6,${ZT},2025-07-28 09:00:01,X,1,103`,
        ),
        "Futures_20250724_1400.csv": "SYMBOL,PX_LAST,PX_SETTLE\nTY,110.16,110.17\n,,\n",
        "marks.json": `{ "${ZN}": 111 }`,
        "config.yaml": "migration: { phase: read_only }\n",
      },
      async (folder) => {
        const [prices, marks, config] = ["Futures_20250724_1400.csv", "marks.json", "config.yaml"].map(
          (name) => join(folder, name),
        );
        const files = ["--prices", prices ?? "", "--marks", marks ?? "", "--config", config ?? ""];
        const startedMs = Date.now();
        const { out } = await pnlBridge(["replay", "--trades", folder, ...files, "--json"]);
        const { generated, inputs = [], instruments, codes, summary } = parse(out);
        const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
        expect(generated).toMatchObject({ product: "pnl-bridge", version });
        expect(Date.parse(generated?.at ?? "")).toBeGreaterThanOrEqual(startedMs);
        for (const { path, bytes, sha256 } of inputs) {
          const content = await readFile(path);
          expect([bytes, sha256]).toEqual([
            content.length,
            createHash("sha256").update(content).digest("hex"),
          ]);
        }
        const taken = inputs.map(({ kind, path, rows, accepted, duplicates, refused }) =>
          [kind, basename(path), rows, accepted, duplicates, refused].join(" ").trim(),
        );
        expect(taken).toEqual([
          "trades trades_20250724.csv 3 3 0 0",
          "trades trades_20250725.csv 2 2 0 0",
          "trades trades_20250728.csv 2 0 1 1",
          "prices Futures_20250724_1400.csv 2 1  0",
          "marks marks.json",
          "config config.yaml",
        ]);
        expect(instruments).toContainEqual({
          symbol: ZN,
          instrument: "ZNU2025",
          title: "10-year note, Sep 2025",
          currency: "USD",
        });
        expect(codes?.BAD_SIDE).toBe("the side is neither B nor S");
        expect(summary?.totals[0]).toMatchObject({
          currency: "USD",
          realized: {
            legacy: "1507.8125",
            modern: "1507.8125",
            difference: "0",
            absent: { legacy: 0, modern: 0 },
          },
        });
      },
    ));

  it("names the trades behind each difference, such as a row in two files, which legacy counts twice", () =>
    withFiles(
      {
        "trades_20250716.csv": ledger(`1,${ZN},2025-07-16 09:00:00.000,B,2,110`),
        "trades_20250717.csv": ledger(
          `1,${ZN},2025-07-16 09:00:00,B,2,110.0`,
          `2,${ZN},2025-07-17 09:00:01,S,1,111`,
        ),
      },
      async (folder) => {
        const { code, out } = await pnlBridge(["replay", "--trades", folder, "--json"]);
        const report = parse(out);
        expect(code).toBe(1);
        const row = find(report, "position", ZN, "quantity");
        expect(row).toMatchObject({
          legacy: "3",
          modern: "1",
          difference: "-2",
          verdict: "diverged",
          cause: "COUNTED_TWICE",
        });
        expect(row?.trades).toEqual([{ file: "trades_20250716.csv", line: 2, id: "1" }]);
      },
    ));

  it("proves the cause of each figure that a repeated row changed, even if modern is flat", () =>
    withFiles(
      {
        "trades_20250716.csv": ledger(`1,${ZN},2025-07-16 09:00:00,B,2,110`),
        "trades_20250717.csv": ledger(
          `1,${ZN},2025-07-16 09:00:00,B,2,110`,
          `2,${ZN},2025-07-17 09:00:00,S,2,111`,
        ),
      },
      async (folder) => {
        const report = parse((await pnlBridge(["replay", "--trades", folder, "--json"])).out);
        const apart = report.rows.filter(({ verdict }) => verdict !== "equal");
        // Legacy still holds 2 at 110, worth 111 now. Modern is flat, but the price is known.
        expect(find(report, "position", ZN, "unrealized")).toMatchObject({ legacy: "2000", modern: "0" });
        expect(new Set(apart.map(({ cause }) => cause))).toEqual(new Set(["COUNTED_TWICE"]));
      },
    ));

  it("reads legacy's 0 as a missing value on a day without a price, but never in a final position", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(
          `1,${ZN},2025-07-24 09:00:00,B,1,110`,
          `2,${ZT},2025-07-24 09:00:00,B,1,103`,
        ),
        "trades_20250725.csv": ledger(`3,${ZN},2025-07-25 09:00:00,B,1,110`),
        "marks.json": '{"ZNU2025": "111"}',
      },
      async (folder) => {
        const marks = ["--marks", join(folder, "marks.json")];
        const report = parse((await pnlBridge(["replay", "--trades", folder, ...marks, "--json"])).out);
        expect(find(report, "daily", ZN, "unrealized", "2025-07-24")).toMatchObject({
          legacy: null,
          modern: null,
          verdict: "equal",
        });
        expect(find(report, "daily", ZN, "total", "2025-07-25")).toMatchObject({
          legacy: "2000",
          modern: "2000",
        });
        expect(find(report, "position", ZT, "unrealized")).toMatchObject({
          verdict: "not_comparable",
          cause: "NO_MARK",
        });
        expect(report.conversions).toContainEqual(
          expect.objectContaining({ rule: "0 counts as no value on a day without a price" }),
        );
        expect(report.ok).toBe(false);
      },
    ));

  it("nets the books of modern if legacy has no books, and says so", () =>
    withFiles(
      {
        "trades_20250724.csv": `tradeId,instrumentName,marketTradeTime,buySell,quantity,price,book
1,${ZN},2025-07-24 09:00:00,B,1,110,UST
2,${ZN},2025-07-24 09:00:01,S,1,111,RV
`,
      },
      async (folder) => {
        const { code, out } = await pnlBridge(["replay", "--trades", folder, "--json"]);
        const report = parse(out);
        expect([code, report.verdicts.diverged]).toEqual([0, 0]);
        expect(find(report, "position", ZN, "realized")).toMatchObject({ legacy: "1000", modern: "1000" });
        expect(report.conversions).toContainEqual({
          system: "modern",
          field: "book",
          rule: expect.stringContaining("netted over all books"),
        });
      },
    ));

  it("reports that legacy keeps two symbols of one instrument apart", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(
          `1,${ZN},2025-07-24 09:00:00,B,1,110`,
          "2,XCMEFFDPSX20250919U0TY,2025-07-24 09:00:01,S,1,111",
        ),
      },
      async (folder) => {
        const report = parse((await pnlBridge(["replay", "--trades", folder, "--json"])).out);
        expect(
          report.rows.filter(({ verdict }) => verdict === "diverged").map(({ cause }) => cause),
        ).not.toContain(null);
        expect(find(report, "position", "XCMEFFDPSX20250919U0TY", "row")).toMatchObject({
          cause: "SYMBOL_SPLIT",
        });
        expect(report.notes).toContainEqual(expect.objectContaining({ code: "ALIASED_SYMBOL", line: 3 }));
      },
    ));

  it("shows that legacy rejects a file at one bad row, quarantines only the row, and proves the cause", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(
          `1,${ZN},2025-07-24 09:00:00,B,2,110`,
          `2,${ZN},2025-07-24 09:00:01,S,0,110`,
          `3,${ZN},2025-07-24 09:00:02,S,1,110`,
          `4,${ZT},2025-07-24 09:00:03,S,1,103`,
        ),
        "trades_20250725.csv": ledger(`5,${ZN},2025-07-25 09:00:02,S,1,111`),
      },
      async (folder) => {
        const { code, out } = await pnlBridge(["replay", "--trades", folder, "--json"]);
        const report = parse(out);
        expect(code).toBe(1);
        expect(report.legacy.errors).toEqual([
          expect.objectContaining({ code: "LEGACY_FILE_REJECTED", rowsTaken: 1 }),
        ]);
        expect(report.quarantine).toEqual([
          expect.objectContaining({ file: "trades_20250724.csv", line: 3, code: "BAD_QUANTITY" }),
        ]);
        expect(find(report, "position", ZN, "quantity")).toMatchObject({
          legacy: "1",
          modern: "0",
          verdict: "diverged",
        });
        expect(find(report, "position", ZT, "row")).toMatchObject({ legacy: "0", modern: "1" });
        const causes = report.rows.filter(({ verdict }) => verdict !== "equal").map(({ cause }) => cause);
        expect(new Set(causes)).toEqual(new Set(["FILE_REJECTED"]));
      },
    ));

  it("runs modern under another day rule on request, and names both rules", () =>
    withFiles(
      {
        "trades_20250725.csv": ledger(
          `1,${ZN},2025-07-25 17:30:00,B,2,110`,
          `2,${ZN},2025-07-28 09:00:00,S,2,111`,
        ),
      },
      async (folder) => {
        const { out } = await pnlBridge(["replay", "--trades", folder, "--day-rule", "chicago-17", "--json"]);
        const report = parse(out);
        expect(report.dayRules).toEqual({ legacy: "calendar", modern: "chicago-17" });
        // Friday evening belongs to Monday's session.
        expect(
          report.rows
            .filter(({ kind, field }) => kind === "daily" && field === "row")
            .map(({ key }) => key.tradingDay),
        ).toEqual(["2025-07-25"]);
      },
    ));

  it("takes thresholds and systems from the configuration; legacy agrees with itself", () =>
    withFiles(
      {
        ...agreeing,
        "desk.yaml":
          "migration: { validation: { comparison_threshold: 0.0000001, position_threshold: 0 } }\n" +
          "systems:\n  legacy: { kind: builtin, name: legacy-desk }\n" +
          "  modern: { kind: builtin, name: legacy-desk, mode: file-at-a-time }\n",
        "same.yaml": "systems: { modern: { kind: builtin, name: legacy-desk } }\n",
      },
      async (folder) => {
        const same = parse(
          (await pnlBridge(["replay", "--trades", folder, "--config", join(folder, "same.yaml"), "--json"]))
            .out,
        );
        expect(same).toMatchObject({ ok: true, modern: { system: "legacy-desk" } });
        const atATime = parse(
          (await pnlBridge(["replay", "--trades", folder, "--config", join(folder, "desk.yaml"), "--json"]))
            .out,
        );
        // The service as deployed carries no position from file to file.
        expect(find(atATime, "position", ZN, "quantity")).toMatchObject({
          legacy: "-2",
          modern: "-3",
          tolerance: "0",
          verdict: "diverged",
        });
        expect(find(atATime, "position", ZN, "realized")).toMatchObject({ tolerance: "0.0000001" });
      },
    ));

  it("writes the report as JSON and as one page that loads no other file", () =>
    withFiles(agreeing, async (folder) => {
      const out = join(folder, "reports", "today");
      const ran = await pnlBridge(["replay", "--trades", folder, "--out", out, "--json"]);
      expect((await readdir(out)).sort()).toEqual(["report.html", "report.json"]);
      expect(JSON.parse(await readFile(join(out, "report.json"), "utf8"))).toEqual(JSON.parse(ran.out));
      const page = await readFile(join(out, "report.html"), "utf8");
      expect(page).toContain(ZN);
      expect(page).not.toMatch(/(src|href)="(?!#)/);
    }));

  it("leaves no file behind if the output cannot be written", () =>
    withFiles({ ...agreeing, occupied: "a file" }, async (folder) => {
      const before = (await readdir(folder)).sort();
      const { code, err, out } = await pnlBridge([
        "replay",
        "--trades",
        folder,
        "--out",
        join(folder, "occupied"),
      ]);
      expect([code, out]).toEqual([2, ""]);
      expect(err).toMatch(/^UNWRITABLE: .*occupied.*\n$/);
      expect((await readdir(folder)).sort()).toEqual(before);
    }));
});

describe.skipIf(!hasSharedData)("replay over the desk's real chain (skipped without ../shared/data)", () => {
  it("agrees on July 21-25 row by row, with marks from --marks", () =>
    withFiles({}, async (folder) => {
      const { files, marks } = readShared<Record<string, { files: string[]; marks: Record<string, number> }>>(
        "expected/two-systems.json",
      ).JULY_0721_0725 ?? { files: [], marks: {} };
      await writeFile(join(folder, "marks.json"), JSON.stringify(marks));
      const { code, out } = await pnlBridge([
        "replay",
        "--trades",
        ...files.map((file) => join(sharedData, file)),
        "--marks",
        join(folder, "marks.json"),
        "--json",
      ]);
      const report = parse(out);
      expect(find(report, "position", ZN, "realized")).toMatchObject({
        legacy: "593.75",
        modern: "593.75",
        verdict: "equal",
      });
      expect(find(report, "position", ZN, "quantity")).toMatchObject({ legacy: "0", modern: "0" });
      expect([code, report.ok, report.verdicts.diverged]).toEqual([0, true, 0]);
    }));
});

describe("replay shows the answers of the desk's own symbol translators for the symbols of a run", () => {
  const [ZB, ZF] = ["XCMEFFDPSX20250919U0ZB", "XCMEFFDPSX20250930U0ZF"];
  const [ZN3, ZN4] = ["XCMEOPADPS20250718N0ZN3/110.75", "XCMEOPADPS20250725N0ZN4/110.75"];
  const [short, long] = ["XCMEOPADPS20250721N0VY3/110.5", "XCMEOPADPS20250721N0VY3/110.50"];
  const files = {
    "trades_20250716.csv": ledger(
      `1,${ZN},2025-07-16 09:00:00,B,2,110`,
      `2,${ZB},2025-07-16 09:00:01,S,1,113`,
      `3,${ZF},2025-07-16 09:00:02,S,1,108`,
      `4,${ZN3},2025-07-16 09:00:03,B,1,0.5`,
      `5,${ZN4},2025-07-16 09:00:04,S,1,0.75`,
      `6,${short},2025-07-16 09:00:05,B,1,0.25`,
      `7,${long},2025-07-16 09:00:06,S,1,0.5`,
      "8,XCMEOPADPS20250805Q0GY1/110.5,2025-07-16 09:00:07,B,1,0.5",
      "9,XCME.TU.H5,2025-07-16 09:00:08,B,1,103",
    ),
    "market_prices_20250716_1400.csv":
      "bloomberg,PX_LAST,PX_SETTLE,PX_BID,PX_ASK,OPT_EXPIRE_DT,MONEYNESS\n" +
      "TYU5 Comdty,111,,,,,\nVBYN25P3 110.500 Comdty,0.75,,,,,\n",
  };
  const merge = (view: string, text: string, rows: readonly (readonly [string, string])[]) => ({
    view,
    text,
    instruments: rows.map(([instrument]) => instrument),
    symbols: rows.map(([, symbol]) => symbol),
  });

  it("as merges, splits and losses, in JSON, in the table and on the page", () =>
    withFiles(files, async (folder) => {
      const out = join(folder, "out");
      const args = ["replay", "--trades", folder, "--prices", folder];
      const ran = await pnlBridge([...args, "--json", "--out", out]);
      const { legacySymbols } = parse(ran.out);
      expect(legacySymbols?.merges).toContainEqual(
        merge("symbol-translator", "3MN5P 110.750 Comdty", [
          ["ZN-2025-07-ZN3-P110.750", ZN3],
          ["ZN-2025-08-OZN-P110.750", ZN4],
        ]),
      );
      expect(legacySymbols?.merges).toContainEqual(
        merge("trade-ledger-watcher", "TYU5 Comdty", [
          ["ZNU2025", ZN],
          ["ZBU2025", ZB],
          ["ZFU2025", ZF],
        ]),
      );
      expect(legacySymbols?.splits).toContainEqual({
        view: "raw-name",
        instrument: "ZN-2025-07-VY3-P110.500",
        texts: [short, long],
        symbols: [short, long],
      });
      expect(legacySymbols?.lost.find(({ view }) => view === "symbol-translator")?.symbols).toEqual([
        ZB,
        ZF,
        "XCMEOPADPS20250805Q0GY1/110.5",
      ]);
      // The symbol names no instrument, so the translators' answers for it are unknown.
      expect(JSON.stringify(legacySymbols)).not.toContain("XCME.TU.H5");

      const lines = [
        "symbol-translator would have merged ZN-2025-07-ZN3-P110.750 and ZN-2025-08-OZN-P110.750 as 3MN5P 110.750 Comdty",
        "trade-ledger-watcher would have merged ZNU2025 and ZBU2025 and ZFU2025 as TYU5 Comdty",
        `raw-name would have split ZN-2025-07-VY3-P110.500 into ${short} and ${long}`,
        `symbol-translator would have had no name for ${ZB} and 2 more`,
      ];
      const table = (await pnlBridge(args)).out.split("\n").map((line) => line.trim());
      const page = await readFile(join(out, "report.html"), "utf8");
      for (const line of lines) {
        expect(table).toContain(line);
        expect(page).toContain(`<li>${line}</li>`);
      }
      expect(page).toContain("What the desk&#39;s own symbol translators would have made of these symbols");
    }));

  it("and values both of legacy's positions in one instrument at the instrument's price", () =>
    withFiles(files, async (folder) => {
      const report = parse(
        (await pnlBridge(["replay", "--trades", folder, "--prices", folder, "--json"])).out,
      );
      expect(find(report, "position", ZN, "unrealized")).toMatchObject({
        legacy: "2000",
        modern: "2000",
        verdict: "equal",
      });
      expect(find(report, "position", short, "realized")).toMatchObject({
        legacy: "0",
        modern: "250",
        cause: "SYMBOL_SPLIT",
      });
      expect(find(report, "position", short, "unrealized")).toMatchObject({
        legacy: "500",
        modern: "0",
        cause: "SYMBOL_SPLIT",
      });
      expect(find(report, "position", long, "row")).toMatchObject({
        legacy: "1",
        modern: "0",
        cause: "SYMBOL_SPLIT",
        present: { quantity: "-1", averagePrice: "0.5", realized: "0", unrealized: "-250" },
      });
      expect(find(report, "position", "XCME.TU.H5", "quantity")).toMatchObject({
        legacy: "1",
        modern: "1",
        verdict: "equal",
      });
    }));

  it("only if a translator merges, splits or loses a symbol", () =>
    withFiles({ "trades_20250716.csv": ledger(`1,${ZN},2025-07-16 09:00:00,B,2,110`) }, async (folder) => {
      const out = join(folder, "out");
      const { out: text } = await pnlBridge(["replay", "--trades", folder, "--json", "--out", out]);
      expect(parse(text).legacySymbols).toEqual({ merges: [], splits: [], lost: [] });
      expect(await readFile(join(out, "report.html"), "utf8")).not.toContain("symbol translators");
    }));
});

describe.skipIf(!hasSharedData)("replay over all real ledgers (skipped without ../shared/data)", () => {
  it("translates all but three symbols of February, and finds what the desk's translators merge", async () => {
    const { out } = await pnlBridge(["replay", "--trades", join(sharedData, "ledgers"), "--json"]);
    const { legacySymbols, notes } = parse(out);
    const untranslated = notes?.filter(({ code }) => code === "UNTRANSLATED") ?? [];
    expect(untranslated.map(({ file, line, why }) => [file, line, why.split(": ").slice(0, 2)])).toEqual([
      ["trades_20250210.csv", 2, ["XCME.RX.H5", "UNKNOWN_PRODUCT"]],
      ["trades_20250210.csv", 4, ["XCME.RX.M5", "UNKNOWN_PRODUCT"]],
      ["trades_20250210.csv", 5, ["XCME.TU.H5", "UNKNOWN_PRODUCT"]],
    ]);
    expect(notes?.filter(({ code }) => code === "UNKNOWN_PRODUCT")).toEqual([]);
    const merged = (legacySymbols?.merges ?? []).filter(
      ({ view }) => view === "symbol-translator" || view === "trade-ledger-watcher",
    );
    expect(merged.map(({ view, text, instruments }) => [view, text, instruments])).toEqual([
      ["symbol-translator", "3MN5P 110.750 Comdty", ["ZN-2025-07-ZN3-P110.750", "ZN-2025-08-OZN-P110.750"]],
      ["symbol-translator", "3MN5P 111.250 Comdty", ["ZN-2025-07-ZN3-P111.250", "ZN-2025-08-OZN-P111.250"]],
      ["trade-ledger-watcher", "TYU5 Comdty", ["ZNU2025", "ZBU2025", "ZFU2025", "ZTU2025"]],
    ]);
    expect(legacySymbols?.splits).toEqual([]);
  });
});
