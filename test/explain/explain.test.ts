import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { add, formatFraction, parseFraction, zero } from "../../src/base/fraction.ts";
import { agrees } from "../../src/domain/migration/verdict.ts";
import type { Variant } from "../../src/explain/catalogue.ts";
import type { Rules } from "../../src/explain/reference.ts";
import type { Row } from "../../src/explain/row.ts";
import type { Explanation } from "../../src/ports/explanation.ts";
import type { ParityReport } from "../../src/ports/parity-report.ts";
import { isLongRun } from "../campaigns.ts";
import { ledger, pnlBridge, withFiles } from "../cli/run-cli.ts";
import { casesOf, explained, randomDesk, randomFrom, reportWith, rowsUnder, switchesOf } from "./cases.ts";

const isLong = isLongRun("explain");
const ZN = "XCMEFFDPSX20250919U0ZN";

const codesOf = ({ causes }: Explanation): string =>
  causes
    .map(({ code }) => code)
    .sort()
    .join(" ");
const inParity = ({ rows }: ParityReport): boolean => rows.every(({ verdict }) => agrees(verdict));

/** The parts of an explanation add up to its difference, whatever was found. */
function expectExact({ difference, causes, unexplained }: Explanation): void {
  if (difference === null) return;
  const parts = [...causes.map(({ amount }) => amount), unexplained].map((text) => parseFraction(text ?? ""));
  const sum = parts.reduce<typeof zero>((total, part) => add(total, part ?? zero), zero);
  expect(formatFraction(sum).text).toBe(formatFraction(parseFraction(difference) ?? zero).text);
}

/** Whether every component names the hidden causes, or lists them among what the rows cannot tell apart. */
function isRight(explanations: readonly Explanation[], hidden: readonly Variant[]): boolean {
  const wanted = hidden.map(({ code }) => code).sort();
  const covers = (codes: readonly string[]): boolean =>
    wanted.length === 1
      ? codes.join(" ") === wanted.join(" ")
      : codes.every((code) => wanted.some((one) => one === code));
  return explanations.every(
    ({ causes, alternatives }) =>
      causes.length > 0 &&
      causes.every(({ level }) => level === "proved") &&
      [causes.map(({ code }) => code), ...alternatives].some((codes) => covers([...codes].sort())),
  );
}

interface Score {
  readonly hidden: string;
  readonly isRight: boolean;
  readonly explanations: readonly Explanation[];
}

/** Hides sets of switches in random desks and scores what is found; sets without an effect are left out. */
function campaign(seeds: readonly number[], size: number, pairs: boolean): readonly Score[] {
  const tries = new Map<string, number>();
  const scores: Score[] = [];
  for (const seed of seeds) {
    const desk = randomDesk(seed, size);
    const random = randomFrom(seed + 1_000_000);
    for (const given of casesOf(desk)) {
      const variants = switchesOf(given).filter(({ fits }) => fits === undefined);
      const pick = (code: string): Variant => {
        const own = variants.filter((variant) => variant.code === code);
        return own[Math.floor(random() * own.length)] as Variant;
      };
      const codes = [...new Set(variants.map(({ code }) => code))].sort(
        (a, b) => (tries.get(a) ?? 0) - (tries.get(b) ?? 0),
      );
      for (const code of codes.slice(0, 4)) {
        const partner = codes[Math.floor(random() * codes.length)] as string;
        if (pairs && partner === code) continue;
        const hidden = (pairs ? [pick(code), pick(partner)] : [pick(code)]).sort(
          (a, b) => variants.indexOf(a) - variants.indexOf(b),
        );
        const under = (some: readonly Variant[]): Rules =>
          some.reduce((rules, { apply }) => apply(rules), given.base);
        const rows = JSON.stringify(rowsUnder(given.component, under(hidden)));
        const report = reportWith(desk, given.component, under(hidden), random() < 0.3 ? "modern" : "legacy");
        tries.set(code, (tries.get(code) ?? 0) + 1);
        const isMasked = hidden.some(
          (one) => JSON.stringify(rowsUnder(given.component, under([one]))) === rows,
        );
        if (inParity(report) || (pairs && isMasked)) continue;
        const explanations = explained(desk, report).map(({ explanation }) => explanation);
        for (const explanation of explanations) expectExact(explanation);
        scores.push({
          hidden: hidden.map((one) => one.code).join(" "),
          isRight: isRight(explanations, hidden),
          explanations,
        });
      }
    }
  }
  return scores;
}

const range = (from: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, at) => from + at);

function expectShare(scores: readonly Score[], least: number): void {
  const right = scores.filter((score) => score.isRight).length;
  const byCode = Map.groupBy(scores, ({ hidden }) => hidden);
  const shareOf = (own: readonly Score[]) => own.filter((score) => score.isRight).length / own.length;
  const worst = [...byCode].sort(([, a], [, b]) => shareOf(a) - shareOf(b))[0];
  const words = `${right} of ${scores.length} right; worst ${worst?.[0]} ${Math.round(100 * shareOf(worst?.[1] ?? []))} %`;
  if (isLong) console.info(words);
  expect(right / scores.length, words).toBeGreaterThanOrEqual(least);
}

describe("hidden rules", () => {
  it("a single hidden rule is named in 95 of 100 reports, and its amounts are exact", () => {
    expectShare(campaign(range(1, isLong ? 900 : 25), 20, false), 0.95);
  }, 600_000);

  it("two hidden rules are named in 90 of 100 reports", () => {
    expectShare(campaign(range(3_000, isLong ? 300 : 8), 20, true), 0.9);
  }, 600_000);

  it("a hidden rule in a long history is named too", () => {
    expectShare(campaign(range(5_000, isLong ? 12 : 1), isLong ? 10_000 : 400, false), 0.9);
  }, 600_000);

  /** Rules that the catalogue lacks. */
  const strangers: readonly (readonly [string, (rules: Rules) => Rules])[] = [
    ["the dearest lot first", (rules) => ({ ...rules, lots: (row: Row) => -row.price })],
    ["marks a tick too high", (rules) => ({ ...rules, markOf: (lane, day) => up(rules.markOf(lane, day)) })],
    [
      "sales at a price a tick lower",
      edited((row) => (row.signed < 0 ? row.with({ price: row.price - 15625 }) : row)),
    ],
    [
      "every third trade dropped",
      (rules) => ({ ...rules, keeps: [...rules.keeps, ({ place }) => place % 3 !== 2] }),
    ],
    [
      "quantities of buys one larger",
      edited((row) => (row.signed > 0 ? row.with({ signed: row.signed + 1 }) : row)),
    ],
  ];
  const up = (mark: number | undefined) => (mark === undefined ? undefined : mark + 15625);
  function edited(change: (row: Row) => Row) {
    return (rules: Rules): Rules => ({ ...rules, edits: [...rules.edits, (rows) => rows.map(change)] });
  }

  it("a rule outside of the catalogue is proved to be another one in at most one of 300 reports", () => {
    let [reports, named] = [0, 0];
    for (const seed of range(7_100, isLong ? 64 : 2)) {
      const desk = randomDesk(seed, 150);
      for (const given of casesOf(desk))
        for (const [, change] of strangers) {
          const report = reportWith(desk, given.component, change(given.base));
          if (inParity(report)) continue;
          const [first] = explained(desk, report);
          if (first === undefined) continue;
          expectExact(first.explanation);
          reports += 1;
          if (first.explanation.causes.some(({ level }) => level === "proved")) named += 1;
        }
    }
    if (isLong) console.info(`${named} of ${reports} strangers were given a name`);
    expect(named).toBeLessThanOrEqual(Math.floor(reports / 300));
  }, 600_000);

  it("the same report always has the same explanation", () => {
    const desk = randomDesk(11, 25);
    const [given] = casesOf(desk);
    if (given === undefined) throw new Error("the desk has a component");
    const variant = switchesOf(given).find(({ code }) => code === "LIFO");
    const report = reportWith(desk, given.component, variant?.apply(given.base) ?? given.base);
    expect(explained(desk, report)).toEqual(explained(desk, report));
  });
});

describe("systems of the desk's own", () => {
  const ledgers = {
    "trades_20250724.csv": ledger(
      `1,${ZN},2025-07-24 09:00:00,B,1,110`,
      `2,${ZN},2025-07-24 09:00:01,B,1,111`,
      `3,${ZN},2025-07-24 09:00:02,S,1,112`,
    ),
  };
  /** What a desk with LIFO reports. */
  const rows = {
    dayRule: "calendar",
    positions: [{ symbol: ZN, quantity: 1, averagePrice: 110, realized: "1000", unrealized: 2000.0 }],
    daily: [{ symbol: ZN, tradingDay: "2025-07-24", realized: 1000, unrealized: "2000", total: 3000 }],
    errors: [],
  };

  it.each(["recorded", "module"])("are explained from their rows, %s", (kind) =>
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

  it("rows in another form are refused with the form", () =>
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
  it("replayed as fresh ledgers, its trades show the same difference with the same cause", () =>
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
  ])("of %s has at most %d trades more than the least possible", (code, least) => {
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
