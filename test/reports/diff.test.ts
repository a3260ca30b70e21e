import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { readWorkbook } from "../../src/adapters/xlsx/index.ts";
import { diffReports } from "../../src/app/reports/diff.ts";
import { defaultConfig } from "../../src/config/index.ts";
import type { ReportDiff } from "../../src/ports/report-diff.ts";
import { cellTypes } from "../../src/ports/workbook.ts";
import { isLongRun } from "../campaigns.ts";
import { pnlBridge } from "../cli/run-cli.ts";
import {
  number,
  type RawCell,
  type RawWorkbook,
  rawWorkbook,
  stylesXml,
  text,
  workbookFolder,
  zipOf,
} from "./raw-workbook.ts";

const { saved, diffOf, pathOf } = workbookFolder();

/** One sheet of rows with an id and an amount. */
const amounts = (name: string, values: readonly (readonly [id: string, amount: string])[]): RawWorkbook => ({
  styles: stylesXml,
  sheets: [
    {
      name,
      rows: [
        [text("Id"), text("Amount")],
        ...values.map(([id, amount]): RawCell[] => [text(id), number(amount)]),
      ],
    },
  ],
});
const thousand = Array.from({ length: 1_000 }, (_, at): readonly [string, string] => [
  `row ${at}`,
  `${at}.25`,
]);

describe("a comparison of two workbooks", () => {
  it("finds one inserted row among a thousand as one row, with sheets and columns in another order", async () => {
    const notes = { name: "Notes", rows: [[text("A")], [text("b")]] };
    const legacy = amounts("Book", thousand);
    legacy.sheets.push(structuredClone(notes));
    const modern = amounts("Book", thousand.toSpliced(500, 0, ["new", "7"]));
    modern.sheets = [
      notes,
      ...modern.sheets.map((one) => ({ ...one, rows: one.rows.map((row) => row.toReversed()) })),
    ];
    const { differences, order, counts } = await diffOf(legacy, modern);
    expect(counts).toEqual({ only_in_modern: 1, order: 2 });
    expect(differences).toEqual([
      {
        sheet: "Book",
        key: { Id: "new" },
        column: null,
        class: "only_in_modern",
        legacy: null,
        modern: "7 | new",
        cause: "MISSING_IN_LEGACY",
      },
    ]);
    expect(order).toEqual([{ what: "columns", sheet: "Book" }, { what: "sheets" }]);
  });

  it("adds up small differences of one sign as drift, which fails above the total tolerance for quantities, and never for money", async () => {
    const shifted = thousand.map(([id], at) => [id, `${at}.259`] as const);
    const found = await diffOf(amounts("Book", thousand), amounts("Book", shifted));
    expect(found).toMatchObject({ ok: true, counts: { within_tolerance: 1_000 }, drift: { Amount: "9" } });
    const config = {
      ...defaultConfig,
      validation: { ...defaultConfig.validation, positionThreshold: "0.02" },
    };
    const quantities = (shift: string): RawWorkbook => {
      const book = amounts(
        "Position_Breakdown",
        thousand.map(([id], at) => [id, `${at}.${shift}`] as const),
      );
      book.sheets[0]?.rows[0]?.splice(0, 2, text("Symbol"), text("Quantity"));
      return book;
    };
    const paths = [await saved(quantities("25")), await saved(quantities("265"))] as const;
    expect(await diffReports(paths, config)).toMatchObject({
      ok: false,
      drift: { Quantity: "15" },
      driftTooLarge: ["Quantity"],
    });
  });

  it("finds many small differences of P&L by their total, even if each is within the tolerance", async () => {
    const book = (values: typeof thousand): RawWorkbook => {
      const { styles, sheets } = amounts("Trades", values);
      sheets[0]?.rows[0]?.splice(0, 2, text("Trade_ID"), text("Realized_PNL"));
      return {
        styles,
        sheets: [
          ...sheets,
          { name: "Summary", rows: [[text("Metric"), text("Value")]] },
          { name: "Positions", rows: [[text("Symbol"), text("Type"), text("Unrealized_PNL")]] },
        ],
      };
    };
    const shifted = thousand.map(([id], at) => [id, `${at}.259`] as const);
    const found = await diffOf(book(thousand), book(shifted));
    expect(found).toMatchObject({ ok: false, counts: { within_tolerance: 1_000 }, driftTooLarge: [] });
    expect(found.tieOut.filter(({ holds }) => !holds)).toMatchObject([
      { name: "Total PNL", workbook: "both" },
      { name: "Realized PNL", workbook: "both", sum: "499759", shown: "499750" },
    ]);
  });

  it("pairs rows of one key as a multiset, and marks that the key is not unique", async () => {
    const legacy = amounts("Book", [
      ["a", "1"],
      ["a", "2"],
      ["a", "3"],
    ]);
    const modern = amounts("Book", [
      ["a", "3"],
      ["a", "1"],
      ["a", "5"],
    ]);
    const { differences } = await diffOf(legacy, modern);
    expect(differences).toMatchObject([
      { class: "value", key: { Id: "a" }, legacy: "2", modern: "5", difference: "3", keyIsNotUnique: true },
    ]);
  });

  it("pairs rows of one key whose numbers are equal to 15 digits, in spite of float dust and trailing zeros", async () => {
    const sides = (legacy: readonly string[], modern: readonly string[]) =>
      [legacy, modern].map((amounts) => ({
        styles: stylesXml,
        sheets: [
          {
            name: "Book",
            rows: [
              [text("Id"), text("Amount"), text("Count")],
              ...amounts.map((one) => [text("K"), ...one.split("/").map((figure) => number(figure))]),
            ],
          },
        ],
      })) as [RawWorkbook, RawWorkbook];
    const dust = await diffOf(
      ...sides(["100.1/1", "200.2/2"], ["200.20000000000002/2", "100.10000000000001/1"]),
    );
    expect(dust.counts).toEqual({ within_tolerance: 2 });
    const digits = await diffOf(...sides(["1/7", "2/8"], ["2.0/8", "1.0/7"]));
    expect(digits.counts).toEqual({});
    const exactFirst = await diffOf(
      ...sides(["0.3/1", "0.30000000000000004/1"], ["0.30000000000000004/1", "0.3/1"]),
    );
    expect(exactFirst.counts).toEqual({});
  });

  it("compares the same day in workbooks that count from 1900 and from 1904, and reports that the date systems differ", async () => {
    const dated = (serial: string, date1904: boolean): RawWorkbook => ({
      ...amounts("Book", []),
      date1904,
      sheets: [{ name: "Book", rows: [[text("Day")], [number(serial, 4)]] }],
    });
    const found = await diffOf(dated("45862", false), dated("44400", true));
    expect(found).toMatchObject({ ok: true, counts: {}, dateSystemsDiffer: true });
    const other = await diffOf(dated("45862", false), dated("45862", true));
    expect(other.counts).toEqual({ only_in_legacy: 1, only_in_modern: 1 });
    const withId = (serial: string, date1904: boolean): RawWorkbook => ({
      ...dated(serial, date1904),
      sheets: [
        {
          name: "Book",
          rows: [
            [text("Id"), text("Day")],
            [text("a"), number(serial, 4)],
          ],
        },
      ],
    });
    expect(await diffOf(withId("45862", false), withId("44400", true))).toMatchObject({
      ok: true,
      dateSystemsDiffer: true,
    });
    expect(await diffOf(withId("45862", false), withId("45862", true))).toMatchObject({
      ok: false,
      differences: [{ class: "value", difference: "1462" }],
    });
  });

  it("compares times of day and durations as they are in workbooks that count from 1900 and from 1904", async () => {
    const timed = (format: string, serial: string, date1904: boolean): RawWorkbook => ({
      date1904,
      styles: stylesXml.replace("[Red]0.00", format),
      sheets: [
        {
          name: "Book",
          rows: [
            [text("Time"), text("Again")],
            [number(serial, 3), number(serial, 3)],
          ],
        },
      ],
    });
    for (const format of ["h:mm", "h:mm:ss AM/PM", "mm:ss.0", "[h]:mm:ss", "[mm]", "[$-409]hh:mm"])
      expect(await diffOf(timed(format, "1.5", false), timed(format, "1.5", true)), format).toMatchObject({
        ok: true,
        counts: {},
      });
    for (const format of ["m/d/yy h:mm", "mmm", "mm", "d", "[$-409]yyyy", "dd hh:mm"])
      expect(await diffOf(timed(format, "1463.5", false), timed(format, "1.5", true)), format).toMatchObject({
        ok: true,
        counts: {},
      });
  });

  it("keeps every digit of both texts, and names the sign and the factor as causes", async () => {
    const found = await diffOf(
      amounts("Book", [
        ["a", "0.1234567890123456"],
        ["b", "12.5"],
        ["c", "12.5"],
      ]),
      amounts("Book", [
        ["a", "0.2234567890123457"],
        ["b", "-12.5"],
        ["c", "12500"],
      ]),
    );
    expect(found.differences).toMatchObject([
      {
        legacy: "0.1234567890123456",
        modern: "0.2234567890123457",
        difference: "0.1000000000000001",
        cause: "unexplained",
      },
      { cause: "SIGN_FLIP" },
      { cause: "MULTIPLIER" },
    ]);
    const quantityOf = (amount: string): RawWorkbook => {
      const book = amounts("Trades", [["a", amount]]);
      book.sheets[0]?.rows[0]?.splice(0, 2, text("Trade_ID"), text("Quantity"));
      return book;
    };
    const { differences } = await diffOf(quantityOf("1"), quantityOf("1000"));
    expect(differences).toMatchObject([{ column: "Quantity", cause: "unexplained" }]);
  });

  it("reports a total that does not tie, even where both workbooks are wrong alike", async () => {
    const book: RawWorkbook = {
      styles: stylesXml,
      sheets: [
        {
          name: "Summary",
          rows: [
            [text("Metric"), text("Value")],
            [text("Realized PNL"), number("7")],
          ],
        },
        { name: "Positions", rows: [[text("Symbol"), text("Type"), text("Unrealized_PNL")]] },
        {
          name: "Trades",
          rows: [
            [text("Trade_ID"), text("Realized_PNL")],
            [text("1"), number("6")],
          ],
        },
      ],
    };
    const { ok, counts, tieOut } = await diffOf(book, book);
    expect({ ok, counts }).toEqual({ ok: false, counts: {} });
    expect(tieOut.filter(({ holds }) => !holds)).toEqual([
      { name: "Realized PNL", workbook: "legacy", sum: "6", shown: "7", holds: false },
      { name: "Realized PNL", workbook: "modern", sum: "6", shown: "7", holds: false },
    ]);
  });
});

describe("a file that is no safe workbook", () => {
  const whole = (): Buffer => rawWorkbook(amounts("Book", [["a", "1"]]));
  const doctype = '<!DOCTYPE x [<!ENTITY a "b">]><worksheet/>';
  const damaged = whole();
  const inSheet = damaged.indexOf("xl/worksheets/sheet1.xml") + 60;
  damaged[inSheet] = (damaged[inSheet] ?? 0) ^ 0xff;
  const lying = zipOf({ "_rels/.rels": "<a/>" });
  lying.writeUInt32LE(2 ** 28 + 1, lying.indexOf(Buffer.from([0x50, 0x4b, 1, 2])) + 24);
  const many = zipOf({ "_rels/.rels": "<a/>", a: "", b: "", c: "", d: "", e: "" });
  // Each part claims to unpack to 200 MB.
  for (let at = many.indexOf("PK\u0001\u0002"); at !== -1; at = many.indexOf("PK\u0001\u0002", at + 1))
    many.writeUInt32LE(200 * 2 ** 20, at + 24);
  const twoSheets = (parts: Record<string, string>): Buffer =>
    rawWorkbook({
      styles: stylesXml,
      sheets: ["A", "B"].map((name) => ({ name, rows: [[text(name)]] })),
      parts,
    });
  const sheetRelation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet";
  const shared = ["rId1", "rId2"].map(
    (id) => `<Relationship Id="${id}" Type="${sheetRelation}" Target="worksheets/sheet1.xml"/>`,
  );
  const cases: readonly (readonly [string, () => Buffer | Promise<Buffer>, RegExp])[] = [
    [
      "an old .xls workbook",
      () => Buffer.from("d0cf11e0a1b11ae1", "hex"),
      /\.xls workbook or one with a password/,
    ],
    ["a text", () => Buffer.from("a,b\n1,2\n"), /not a whole zip file/],
    ["an empty file", () => Buffer.alloc(0), /not a whole zip file/],
    ["a zip file of something else", () => zipOf({ "a.txt": "a" }), /no \.xlsx workbook/],
    ["a workbook that was cut", () => whole().subarray(0, 400), /not a whole zip file/],
    ["a damaged part", () => damaged, /cannot be unpacked|damaged|malformed/],
    ["a part that claims to be too large", () => lying, /more than 268435456 bytes/],
    ["parts that together claim to be too large", () => many, /unpack to more than 1073741824 bytes/],
    [
      "two sheets with one part",
      () => twoSheets({ "xl/_rels/workbook.xml.rels": `<Relationships>${shared.join("")}</Relationships>` }),
      /another sheet has the same part xl\/worksheets\/sheet1\.xml .*sheet B/,
    ],
    [
      "a document type",
      () => rawWorkbook({ ...amounts("Book", []), parts: { "xl/worksheets/sheet1.xml": doctype } }),
      /has a document type/,
    ],
    [
      "malformed XML",
      () =>
        rawWorkbook({
          ...amounts("Book", []),
          parts: { "xl/worksheets/sheet1.xml": "<worksheet><a></worksheet>" },
        }),
      /malformed/,
    ],
    [
      "an entity that is not defined",
      () =>
        rawWorkbook({
          ...amounts("Book", []),
          parts: { "xl/worksheets/sheet1.xml": "<worksheet>&lol;</worksheet>" },
        }),
      /malformed/,
    ],
  ];

  // Takes seconds.
  it.runIf(isLongRun("reports"))("is refused if its sheets together have too many cells", async () => {
    const cells = `<worksheet><sheetData>${`<row>${"<c/>".repeat(500)}</row>`.repeat(20_001)}</sheetData></worksheet>`;
    const parts = { "xl/worksheets/sheet1.xml": cells, "xl/worksheets/sheet2.xml": cells };
    const path = await saved(twoSheets(parts));
    const { code, err } = await pnlBridge(["report", "diff", path, path]);
    expect({ code, err }).toEqual({
      code: 2,
      err: expect.stringMatching(/^BAD_WORKBOOK: the workbook has more than 20000000 cells .*sheet B/),
    });
  });

  it.each(cases)("is refused in one line with its reason: %s", async (_, content, why) => {
    const good = await saved(amounts("Book", []));
    const { code, out, err } = await pnlBridge(["report", "diff", good, await saved(await content())]);
    expect({ code, out, lines: err.split("\n").length }).toEqual({ code: 2, out: "", lines: 2 });
    expect(err).toMatch(/^BAD_WORKBOOK: /);
    expect(err).toMatch(why);
  });
});

describe("report diff", () => {
  it("exits 0 without and 1 with a difference, as text, JSON and a page", async () => {
    const [a, b] = [
      await saved(amounts("Book", [["a", "1"]])),
      await saved(
        amounts("Book", [
          ["a", "2.5"],
          ["<b>", "1"],
        ]),
      ),
    ];
    const same = await pnlBridge(["report", "diff", a, a]);
    expect({ code: same.code, out: same.out }).toMatchObject({ code: 0 });
    expect(same.out).toContain("the workbooks agree: no difference");
    const page = pathOf("diff.html");
    const { code, out } = await pnlBridge(["report", "diff", a, b, "--html", page]);
    expect(code).toBe(1);
    expect(out).toContain("the workbooks do not agree: 1 value, 1 only_in_modern");
    const html = await readFile(page, "utf8");
    expect(html).toContain("default-src 'none'");
    expect(html).toContain("&lt;b&gt;");
    expect(html).not.toContain("<b>");
    const json = await pnlBridge(["report", "diff", a, b, "--json"]);
    expect(json.code).toBe(1);
    expect(Object.keys(JSON.parse(json.out))).toEqual([
      "ok",
      "sheets",
      "differences",
      "order",
      "tieOut",
      "drift",
      "driftTooLarge",
      "counts",
      "dateSystemsDiffer",
    ]);
  });

  it("writes a workbook that has every difference of the JSON document, with texts as texts", async () => {
    const a = await saved(
      amounts("Book", [
        ["=1+1", "1"],
        ["#N/A", "0.1"],
      ]),
    );
    const b = await saved(
      amounts("Book", [
        ["=1+1", "2.5"],
        ["#N/A", "1234567890123456.7"],
        ["_x0041_", "1"],
      ]),
    );
    const path = pathOf("diff.xlsx");
    const { code, out } = await pnlBridge(["report", "diff", a, b, "--json", "--xlsx", path]);
    expect(code).toBe(1);
    const { differences }: ReportDiff = JSON.parse(out);
    const { sheets } = await readWorkbook(path);
    const [summary, found] = sheets.map(({ starts, texts, types, formulas }) => ({
      rows: starts.slice(0, -1).map((start, row) => texts.slice(start, starts[row + 1])),
      numbers: texts.filter((_, cell) => cellTypes[types[cell] ?? 0] === "number"),
      formulas: formulas.size,
    }));
    expect(found?.rows.slice(1)).toEqual(
      differences.map((one) =>
        [
          ...[one.sheet, Object.values(one.key ?? {}).join(" · "), one.column, one.class],
          ...[one.legacy, one.modern, one.difference, one.tolerance, one.cause, one.what, one.cells],
        ].map((text) => text ?? ""),
      ),
    );
    expect([found?.numbers, found?.formulas]).toEqual([["1.5", "0.01", "0.01"], 0]);
    expect(summary?.rows).toEqual(
      expect.arrayContaining([
        ["result", "the workbooks do not agree"],
        ["value", "2"],
        ["only_in_modern", "1"],
      ]),
    );
    expect(summary?.numbers).toEqual(["2", "1"]);
    const before = await readFile(path);
    await writeFile(pathOf("~$diff.xlsx"), "");
    expect((await pnlBridge(["report", "diff", a, b, "--xlsx", path])).err).toMatch(
      /^UNWRITABLE: .* is open/,
    );
    expect(await readFile(path)).toEqual(before);
    const both = await pnlBridge(["report", "diff", a, b, "--html", path, "--xlsx", path]);
    expect(both.err).toMatch(/^BAD_USAGE: two outputs have the same path/);
  });

  it("takes two workbooks, and refuses a page that would replace one of them", async () => {
    const a = await saved(amounts("Book", []));
    expect(await pnlBridge(["report", "diff", a])).toMatchObject({ code: 2 });
    const over = await pnlBridge(["report", "diff", a, a, "--html", a]);
    expect(over).toMatchObject({ code: 2 });
    expect(over.err).toContain("would replace an input");
    expect((await pnlBridge(["report", "diff", a, pathOf("none.xlsx")])).err).toMatch(/^UNREADABLE/);
    const device = await pnlBridge(["report", "diff", a, "/dev/null"]);
    expect(device.err).toMatch(/^UNREADABLE: the workbook cannot be read: it is not a regular file/);
  });
});
