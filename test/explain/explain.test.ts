import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { agrees } from "../../src/domain/migration/verdict.ts";
import type { Explanation } from "../../src/ports/explanation.ts";
import type { ParityReport } from "../../src/ports/parity-report.ts";
import { ledger, pnlBridge, withFiles } from "../cli/run-cli.ts";
import { casesOf, deskOf, explained, randomDesk, randomFrom, reportWith, switchesOf } from "./cases.ts";

const ZN = "XCMEFFDPSX20250919U0ZN";

const codesOf = ({ causes }: Explanation): string =>
  causes
    .map(({ code }) => code)
    .sort()
    .join(" ");
const inParity = ({ rows }: ParityReport): boolean => rows.every(({ verdict }) => agrees(verdict));
const range = (from: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, at) => from + at);

describe("systems of the desk's own", () => {
  const ledgers = {
    "trades_20250724.csv": ledger(
      `1,${ZN},2025-07-24 09:00:00,B,1,110`,
      `2,${ZN},2025-07-24 09:00:01,B,1,111`,
      `3,${ZN},2025-07-24 09:00:02,S,1,112`,
    ),
  };
  /** The rows that a desk with LIFO reports. */
  const rows = {
    dayRule: "calendar",
    positions: [{ symbol: ZN, quantity: 1, averagePrice: 110, realized: "1000", unrealized: 2000.0 }],
    daily: [{ symbol: ZN, tradingDay: "2025-07-24", realized: 1000, unrealized: "2000", total: 3000 }],
    errors: [],
  };

  it.each(["recorded", "module"])("are explained from their rows (kind of system: %s)", (kind) =>
    withFiles(
      {
        ...ledgers,
        "rows.json": JSON.stringify(rows),
        "desk.mjs": `export const history = ({ ledgers, closes }) =>
          ledgers.length === 1 && closes.length === 1 ? ${JSON.stringify(rows)} : null;`,
        "pnl.yaml": "systems:\n  legacy:\n    kind: module\n    path: ./desk.mjs\n    day_rule: calendar\n",
      },
      async (folder) => {
        const given =
          kind === "recorded"
            ? ["--legacy-rows", join(folder, "rows.json")]
            : ["--config", join(folder, "pnl.yaml")];
        const { code, out } = await pnlBridge(["replay", "--trades", folder, ...given, "--json"]);
        const report = JSON.parse(out) as ParityReport;
        expect([code, report.explanations?.map(codesOf)]).toEqual([1, ["LIFO"]]);
        expect(report.explanations?.[0]).toMatchObject({
          difference: "1000",
          causes: [{ amount: "1000", level: "proved", side: "legacy", rowsReproduced: 2, rowsTotal: 2 }],
          witness: { trades: [{ id: "1" }, { id: "2" }, { id: "3" }], minimal: true },
        });
      },
    ),
  );

  it("that take the price of an earlier file of the day are explained by PRICE_CHOICE, from their rows", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(
          `1,${ZN},2025-07-24 09:00:00,B,1,110`,
          `2,${ZN},2025-07-24 09:00:01,S,1,111`,
          `3,${ZN},2025-07-24 09:00:02,B,1,110`,
        ),
        "Futures_20250724_1400.csv": "SYMBOL,PX_LAST,PX_SETTLE,\nTY,111.08,111.08,\n",
        "Futures_20250724_1600.csv": "SYMBOL,PX_LAST,PX_SETTLE,\nTY,111.16,111.16,\n",
        "rows.json": JSON.stringify({
          dayRule: "calendar",
          positions: [{ symbol: ZN, quantity: 1, averagePrice: 110, realized: 1000, unrealized: 1250 }],
          daily: [{ symbol: ZN, tradingDay: "2025-07-24", realized: 1000, unrealized: 1250, total: 2250 }],
          errors: [],
        }),
      },
      async (folder) => {
        const given = [
          "--prices",
          folder,
          "--legacy-rows",
          join(folder, "rows.json"),
          "--day-rule",
          "calendar",
        ];
        const { out, err } = await pnlBridge(["replay", "--trades", folder, ...given, "--json"]);
        if (out === "") throw new Error(err);
        const report = JSON.parse(out) as ParityReport;
        expect(report.explanations?.map(codesOf)).toEqual(["PRICE_CHOICE"]);
      },
    ));

  it("with --explain none a report has no explanations, and no cause is guessed from the two figures of a row", () =>
    withFiles({ ...ledgers, "rows.json": JSON.stringify(rows) }, async (folder) => {
      const args = ["--trades", folder, "--legacy-rows", join(folder, "rows.json"), "--explain", "none"];
      const { code, out } = await pnlBridge(["replay", ...args, "--json"]);
      const { rows: found, explanations } = JSON.parse(out) as ParityReport;
      expect([code, explanations, found.some(({ cause }) => cause !== null)]).toEqual([1, undefined, false]);
    }));

  it("rows in another form are refused, and the message shows the right form", () =>
    withFiles({ ...ledgers, "rows.json": "[1]" }, async (folder) => {
      const { code, err } = await pnlBridge([
        "replay",
        "--trades",
        folder,
        "--legacy-rows",
        join(folder, "rows.json"),
      ]);
      expect([code, err]).toEqual([
        2,
        expect.stringContaining("BAD_USAGE: the answer of history is not an object"),
      ]);
    }));
});

describe("the witness", () => {
  it("has trades that, replayed as new ledgers, show the same difference with the same cause", () =>
    withFiles(
      {
        "trades_20250716.csv": ledger(
          `1,${ZN},2025-07-16 09:00:00,B,2,110`,
          `2,${ZN},2025-07-16 09:30:00,S,1,110.5`,
          `3,${ZN},2025-07-16 10:00:00,B,4,110.25`,
        ),
        "trades_20250717.csv": ledger(
          `3,${ZN},2025-07-16 10:00:00,B,4,110.25`,
          `4,${ZN},2025-07-17 09:00:00,S,2,111`,
        ),
      },
      async (folder) => {
        const [reportFolder, out] = [join(folder, "report"), join(folder, "out")];
        const replayed = await pnlBridge(["replay", "--trades", folder, "--out", reportFolder]);
        expect(replayed.code).toBe(1);
        const reportFile = join(reportFolder, "report.json");
        const { code, out: text } = await pnlBridge(["explain", reportFile, "--json", "--out", out]);
        expect(code).toBe(0);
        const [explanation] = JSON.parse(text) as Explanation[];
        expect(explanation).toMatchObject({
          causes: [{ code: "COUNTED_TWICE", level: "proved", side: "legacy" }],
          unexplained: "0",
          witness: {
            minimal: true,
            trades: [
              { line: 4, id: "3" },
              { line: 2, id: "3" },
            ],
          },
        });
        const small = join(out, `explain-${explanation?.id}`);
        expect(await readFile(join(small, "replay.sh"), "utf8")).toContain(`replay --trades ${small}`);
        const again = await pnlBridge(["replay", "--trades", small, "--json"]);
        const report = JSON.parse(again.out) as ParityReport;
        expect(report.explanations?.map(codesOf)).toEqual(["COUNTED_TWICE"]);
        const row = report.rows.findIndex(({ verdict }) => !agrees(verdict)) + 1;
        const agreeing = report.rows.findIndex(({ verdict }) => agrees(verdict)) + 1;
        const one = await pnlBridge(["explain", reportFile, "--row", String(row), "--json"]);
        expect(JSON.parse(one.out)).toMatchObject({ id: explanation?.id });
        const refused = await pnlBridge(["explain", reportFile, "--row", String(agreeing)]);
        expect([refused.code, refused.err]).toEqual([2, expect.stringContaining(`row ${agreeing} agrees`)]);
      },
    ));

  it.each([
    ["LOT_TEXT", 11],
    ["FILE_ORDER", 3],
    ["LIFO", 3],
    ["SIGN_FLIP", 2],
  ])("of %s has at most two trades more than %d, the smallest possible number", (code, least) => {
    for (const seed of range(40, 60)) {
      const desk = randomDesk(seed, 60);
      const [given] = casesOf(desk);
      const variant = given && switchesOf(given).find((one) => one.code === code);
      if (given === undefined || variant === undefined) continue;
      const report = reportWith(desk, given.component, variant.apply(given.base));
      if (inParity(report)) continue;
      const [first] = explained(desk, report);
      if (first?.explanation.causes[0]?.code !== code) continue;
      expect(first.explanation.witness).toMatchObject({ minimal: true });
      expect(first.explanation.witness?.trades.length).toBeLessThanOrEqual(least + 2);
      return;
    }
    expect.unreachable(`no desk shows ${code}`);
  });

  it("a file that has changed since the report is refused", () =>
    withFiles({ "trades_20250716.csv": ledger(`1,${ZN},2025-07-16 09:00:00,B,2,110`) }, async (folder) => {
      await pnlBridge(["replay", "--trades", folder, "--out", folder]);
      const { writeFile } = await import("node:fs/promises");
      await writeFile(join(folder, "trades_20250716.csv"), ledger(`1,${ZN},2025-07-16 09:00:00,B,3,110`));
      const { code, err } = await pnlBridge(["explain", join(folder, "report.json")]);
      expect([code, err]).toEqual([
        2,
        expect.stringContaining("REFUSED: an input of the report has changed since"),
      ]);
    }));
});

it("a run over a large history stops at the first day that a cause does not explain", () => {
  const random = randomFrom(1);
  const files = ["21", "22", "23", "24", "25"].map((day, file) =>
    Array.from({ length: 4_200 }, (_, at) => ({
      id: String(file * 4_200 + at),
      symbol: ZN,
      time: new Date(Date.UTC(2025, 6, Number(day), 9, 0, at)).toISOString().slice(0, 19).replace("T", " "),
      side: random() < 0.5 ? "B" : "S",
      quantity: String(1 + Math.floor(random() * 3)),
      price: String(110 + Math.floor(random() * 64) / 32),
    })),
  );
  const desk = deskOf(files, [], []);
  const [given] = casesOf(desk);
  const variant = given && switchesOf(given).find(({ code }) => code === "LIFO");
  if (given === undefined || variant === undefined)
    throw new Error("the desk should have a component that can have the cause");
  const [found] = explained(desk, reportWith(desk, given.component, variant.apply(given.base)));
  expect(found && codesOf(found.explanation)).toBe("LIFO");
  // Only these runs read the whole history: the rules of both sides, the true cause, and rules that change
  // the order or the day. These are fewer than eight runs.
  expect((found?.explanation.budget.trades ?? 0) / 21_000).toBeLessThan(8);
});
