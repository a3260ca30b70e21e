import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as app from "../../src/app/index.ts";
import { symbolNoteCodes, symbolRefusalCodes } from "../../src/domain/market/finding-codes.ts";
import { formatDay } from "../../src/domain/market/trading-day.ts";
import {
  bloombergCodes,
  brokerCodes,
  type CalendarFindingCode,
  calendarFindingCodes,
  calendarSeverities,
  cmeCodes,
  type DialectName,
  dialectAliases,
  dialectNames,
  dialects,
  ExpiryCalendar,
  type Family,
  families,
  legacyViews,
  type Product,
  products,
  type SeriesCode,
} from "../../src/symbols/index.ts";
import { pnlBridge, root, withFiles } from "../cli/run-cli.ts";

/** The day by which the page's examples are read. */
const symbols = new app.SymbolTranslationBridge({ asOf: "2025-07-24" });

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
const code = (text: string): string => `\`${text.replaceAll("|", "\\|")}\``;

const weekdayNames: Readonly<Record<Family, string>> = {
  mon: "Monday",
  tue: "Tuesday",
  wed: "Wednesday",
  thu: "Thursday",
  fri: "Friday",
  standard: "quarterly, serial",
};
const lastDays = {
  last: "last business day of the contract month",
  "seventh-before-last": "seventh business day before the month's last one",
} as const;
const withOptions = products.filter(({ optionTick }) => optionTick !== null);
const tenYear = products.find((product) => product.code === "ZN") as Product;

/** An empty cell is a code that no source is known for. */
const codeTable = (codes: readonly SeriesCode[]): string =>
  table(
    ["product", ...families.map((family) => weekdayNames[family])],
    withOptions.map((product) => [code(product.code), ...families.map((family) => codesOf(codes, product, family))]),
  );

const codesOf = (codes: readonly SeriesCode[], product: Product, family: Family): string =>
  codes
    .filter((row) => row.product === product && row.family === family)
    .map((row) => `${code(row.code)}${row.alias === true ? " (read only)" : ""}`)
    .join(", ");

const sourceTable = (codes: readonly SeriesCode[]): string =>
  table(
    ["codes", "from", "source"],
    [...Map.groupBy(codes, ({ from, source }) => `${from} ${source}`).values()].map((rows) => [
      rows.map((row) => code(row.code)).join(" "),
      formatDay((rows[0] as SeriesCode).from),
      (rows[0] as SeriesCode).source,
    ]),
  );

const formTable = (name: DialectName): string =>
  table(
    ["what", "form", "example", "means"],
    dialects[name].forms.map(({ what, form, example }) => [what, code(form), code(example), meaningOf(example, name)]),
  );

function meaningOf(text: string, source: DialectName | "auto"): string {
  const reading = symbols.canonical(text, source);
  return reading.ok ? code(reading.instrument.name) : `refused: ${code(reading.code)}`;
}

/** The first series of a family, from the day on which all families are listed, that a holiday moves. */
function movedRow(family: Family): readonly string[] {
  const calendar = new ExpiryCalendar();
  for (let year = 2025; year < 2040; year++)
    for (let month = year === 2025 ? 7 : 1; month <= 12; month++)
      for (const series of calendar.seriesExpiringIn(tenYear, year, month))
        if (series.family === family && series.expiry !== series.nominal)
          return [
            weekdayNames[family],
            code(series.name),
            formatDay(series.nominal),
            `${formatDay(series.expiry)}, the business day ${series.expiry > series.nominal ? "after" : "before"}`,
            series.confirmed ? "yes" : `no: ${code("EXPIRY_UNCONFIRMED")}`,
          ];
  throw new Error(`no holiday moves ${family}`);
}

const meanings = (catalogue: Readonly<Record<string, string>>): string =>
  table(
    ["code", "meaning"],
    Object.entries(catalogue).map(([name, meaning]) => [code(name), meaning]),
  );

const tables: Readonly<Record<string, string>> = {
  products: table(
    ["product", "CME", "Bloomberg", "exchange", "a point is", "tick", "tick of options", "last trading day"],
    products.map(({ name, code: own, bloomberg, exchange, multiplier, currency, tick, optionTick, lastDay }) => [
      name,
      exchange === "XCBT" ? code(own) : "",
      code(bloomberg),
      exchange,
      `${multiplier} ${currency}`,
      tick,
      optionTick ?? "",
      lastDay === null ? "not known" : lastDays[lastDay],
    ]),
  ),
  "cme-codes": codeTable(cmeCodes),
  "cme-sources": sourceTable(cmeCodes),
  "bloomberg-codes": codeTable(bloombergCodes),
  "bloomberg-sources": sourceTable(bloombergCodes),
  "broker-codes": codeTable(brokerCodes),
  "broker-sources": sourceTable(brokerCodes),
  "holiday-moves": table(["options of", "example", "day by the rule", "expires", "a source says so"], families.map(movedRow)),
  dialects: table(
    ["dialect", "also called", "what it is"],
    dialectNames.map((name) => [
      code(name),
      Object.entries(dialectAliases)
        .filter(([, of]) => of === name)
        .map(([alias]) => code(alias))
        .join(", "),
      dialects[name].describes,
    ]),
  ),
  ...Object.fromEntries(dialectNames.map((name) => [`forms ${name}`, formTable(name)])),
  notes: meanings(symbolNoteCodes),
  refusals: meanings(symbolRefusalCodes),
  findings: table(
    ["code", "severity", "meaning"],
    Object.entries(calendarFindingCodes).map(([name, meaning]) => [
      code(name),
      code(calendarSeverities[name as CalendarFindingCode]),
      meaning,
    ]),
  ),
  "legacy-views": table(
    ["view", "reads", "what it was"],
    legacyViews.map(({ name, reads, describes }) => [code(name), code(reads), describes]),
  ),
};

const page = await readFile(join(root, "docs/symbols.md"), "utf8");

/** Fenced blocks of a language. */
const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, body = ""]) => body);

/** The rows of hand-written tables between markers, as the texts of their cells. */
const cellsBetween = (marker: string): readonly (readonly string[])[] =>
  [...page.matchAll(new RegExp(`<!-- ${marker} -->\n([\\s\\S]*?)<!-- /${marker} -->`, "g"))].flatMap(([, body = ""]) =>
    body
      .trim()
      .split("\n")
      .slice(2)
      .map((row) =>
        row
          .slice(2, -2)
          .split(" | ")
          .map((cell) => cell.replaceAll("`", "")),
      ),
  );

describe("docs/symbols.md prints the catalogues", () => {
  it.each(Object.entries(tables))("%s", (name, text) => {
    expect(page).toContain(`<!-- ${name} -->\n${text}\n<!-- /${name} -->`);
  });

  it("and no table that is not compared", () => {
    const named = [...page.matchAll(/<!-- (?!\/)(.*?) -->/g)].map(([, name = ""]) => name);
    expect([...new Set(named)].toSorted()).toEqual([...Object.keys(tables), "readings", "printings"].toSorted());
  });
});

describe("docs/symbols.md says what really happens", () => {
  const readings = cellsBetween("readings");
  it.each(readings)("%s means %s: %s", (text, means, said) => {
    const reading = symbols.canonical(text as string);
    const codes = reading.ok ? reading.notes.map((note) => note.code) : [reading.code];
    expect([reading.ok ? reading.instrument.name : "refused", codes.join(", ")]).toEqual([means, said]);
  });

  const printings = cellsBetween("printings");
  it.each(printings)("%s in %s is %s", (name, target, text, lost) => {
    const found = symbols.translate(name as string, "canonical", target as DialectName);
    expect(found.ok ? [found.output, ""] : [found.error.code, (found.error.lost ?? []).join(", ")]).toEqual([text, lost]);
  });

  it("has examples of both", () => {
    expect([readings.length > 20, printings.length > 5]).toEqual([true, true]);
  });
});

interface Typed {
  readonly words: readonly string[];
  readonly output: string;
}

/** What is typed behind each `$`, and the lines that follow. */
const typed: readonly Typed[] = blocks("console").flatMap((block) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const [line = "", ...output] = text.split("\n");
      const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? (bare as string));
      return { words, output: output.join("\n").trimEnd() };
    }),
);

describe("docs/symbols.md shows commands", () => {
  it("that print what it says, over the files that it shows", async () => {
    const runs = typed.filter(({ words }) => words[0] === "pnl-bridge");
    const files = typed.filter(({ words }) => words[0] === "cat");
    expect(runs.length + files.length, "nothing else is typed").toBe(typed.length);
    expect(runs.length).toBeGreaterThan(8);
    const contents = files.map(({ words, output }) => [words[1] as string, `${output}\n`]);
    await withFiles(Object.fromEntries(contents), async (cwd) => {
      for (let from = 0; from < runs.length; from += atOnce)
        await Promise.all(
          runs.slice(from, from + atOnce).map(async ({ words, output }) => {
            const { out, err } = await pnlBridge(words.slice(1), { cwd });
            expect.soft(`${out}${err}`.trimEnd(), words.join(" ")).toBe(output);
          }),
        );
    });
  });

  it("and a program that says what it does", () => {
    const source = blocks("ts").join("\n");
    const [, imported = ""] = /^import (\{.*\}) from "pnl-bridge";$/m.exec(source) ?? [];
    const body = source.replaceAll(/^import .*$/gm, "").replaceAll(/^( *)(?!const )(.+); \/\/ (.+)$/gm, "$1said.push([$2, $3]);");
    const said = new Function("app", `const ${imported} = app; const said = []; ${body}; return said;`)(app);
    expect(said.length).toBeGreaterThan(5);
    expect(said.map(([value]: [unknown]) => value)).toEqual(said.map(([, claimed]: [unknown, unknown]) => claimed));
  });
});

/** Programs that run at one time: each costs a third of a second of a processor. */
const atOnce = 4;
