import { mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BridgeError } from "../../base/errors.ts";
import { parseDay } from "../../domain/market/trading-day.ts";
import { calendarColumns } from "../../symbols/index.ts";
import { calendarFileBytesMax, calendarLineBytesMax, readCalendarFile } from "./calendar-file.ts";

let folder = "";
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "calendar-file-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(content: string | Uint8Array) {
  const path = join(folder, `${count++}.csv`);
  await writeFile(path, content);
  return readCalendarFile(path);
}

/** Returns the symbols and refusals of a file, after a check that every row is accepted or refused. */
async function outcome(content: string | Uint8Array) {
  const { read: all, rows, quarantine } = await read(content);
  expect(rows.length + quarantine.length).toBe(all);
  return {
    rows: rows.map(({ line, symbol, expiry }) => `${line} ${symbol} ${expiry.day} ${expiry.minute}`),
    refused: quarantine.map(({ line, code }) => `${line} ${code}`),
  };
}

async function refusal(content: string | Uint8Array): Promise<BridgeError> {
  const error = await read(content).catch((thrown: unknown) => thrown);
  if (!(error instanceof BridgeError)) throw new Error(`expected a BridgeError, got ${String(error)}`);
  expect(error.line).not.toContain("\n");
  return error;
}

const header = "Option Expiration Date (CT),Option Symbol,CME\n";
const monday = parseDay("2025-07-21") as number;

describe("rows", () => {
  it("are cells by column, with the expiration as day and minute", async () => {
    const { file, rows } = await read(`${header}7/21/2025 14:00,VY3N5,VY3N5\n`);
    expect(file).toMatch(/^\d+\.csv$/);
    expect(rows).toEqual([
      {
        line: 2,
        symbol: "VY3N5",
        expiry: { day: monday, minute: 840 },
        cells: new Map([
          ["Option Expiration Date (CT)", "7/21/2025 14:00"],
          ["Option Symbol", "VY3N5"],
          ["CME", "VY3N5"],
        ]),
      },
    ]);
  });

  it.each<readonly [what: string, content: string | Uint8Array, line: number]>([
    ["as the desk writes it, without a last newline", `${header}7/21/2025 14:00,VY3N5,VY3N5`, 2],
    [
      "in another order, among unknown columns",
      "Notes,Option Symbol,Option Expiration Date (CT)\nx,VY3N5,7/21/2025 14:00\n",
      2,
    ],
    ["with a byte order mark and CRLF", `\ufeff${header.replace("\n", "\r\n")}7/21/2025 14:00,VY3N5,\r\n`, 2],
    [
      "quoted, with blanks around",
      `"Option Expiration Date (CT)" , "Option Symbol",CME\n"7/21/2025 14:00", "VY3N5" ,"a, ""b"""\n`,
      2,
    ],
    ["below blank lines", `\n\n${header}\n7/21/2025 14:00,VY3N5,\n\n`, 5],
    [
      "with empty columns without a name",
      "Option Expiration Date (CT),Option Symbol,,\n7/21/2025 14:00,VY3N5,,,\n",
      2,
    ],
    ["in Windows-1252", Buffer.from(`${header}7/21/2025 14:00,VY3N5,caf\xe9\n`, "latin1"), 2],
  ])("are read %s", async (_, content, line) => {
    expect(await outcome(content)).toEqual({ rows: [`${line} VY3N5 ${monday} 840`], refused: [] });
  });

  it("keep the text of a cell with quotes or letters that are not ASCII", async () => {
    const { rows } = await read(`${header}7/21/2025 14:00,VY3N5,"a, ""b"" é"\n`);
    expect(rows[0]?.cells.get("CME")).toBe('a, "b" é');
  });

  it("may be absent: a file may consist of its header", async () => {
    expect(await outcome(header)).toEqual({ rows: [], refused: [] });
  });

  it("contain all columns of the desk's file", async () => {
    const cells = calendarColumns.map((column) =>
      column === "Option Expiration Date (CT)" ? "7/21/2025 14:00" : `of ${column}`,
    );
    const { rows } = await read(`${calendarColumns.join(",")}\n${cells.join(",")}\n`);
    expect([...(rows[0]?.cells.keys() ?? [])]).toEqual(calendarColumns);
  });
});

describe("a bad row goes to quarantine alone:", () => {
  const good = "7/21/2025 14:00,VY3N5,VY3N5";
  it.each<readonly [row: string, code: string, why: string]>([
    ["7/22/2025 14", "MISSING_COLUMN", "only 1 columns, the header has 3"],
    ["7/22/2025 14:00,GY4N5", "MISSING_COLUMN", "only 2 columns"],
    ["7/22/2025 14:00,GY4N5,a,b", "SURPLUS_COLUMN", 'column 4 has no name in the header but contains "b"'],
    ['7/22/2025 14:00,"GY4N5,a', "BAD_QUOTING", "quoted field"],
    ["7/22/2025 14:00,GY4N5,\0", "NOT_TEXT", "NUL"],
    [`7/22/2025 14:00,GY4N5,${"x".repeat(calendarLineBytesMax)}`, "LINE_TOO_LONG", "at most 4096 bytes"],
    ["7/22/2025 14:00,,", "BAD_SYMBOL", "the option symbol is empty"],
    [",GY4N5,", "BAD_TIME", 'not as ""'],
    ["22/7/2025 14:00,GY4N5,", "BAD_TIME", "month first"],
    ["2/30/2025 14:00,GY4N5,", "BAD_TIME", '"2/30/2025 14:00"'],
    ["7/22/2025,GY4N5,", "BAD_TIME", "written as 7/21/2025 14:00"],
    ["7/22/2025 25:00,GY4N5,", "BAD_TIME", "written as 7/21/2025 14:00"],
  ])("%j", async (row, code, why) => {
    const { file, rows, quarantine } = await read(`${header}${good}\n${row}\n${good}\n`);
    expect(rows.map(({ line }) => line)).toEqual([2, 4]);
    const text = row.replace("\0", "·");
    expect(quarantine).toEqual([
      {
        file,
        line: 3,
        code,
        text: text.length > 200 ? `${text.slice(0, 200)}…` : text,
        why: expect.stringContaining(why),
      },
    ]);
  });

  it("the half row at the end of a file that was cut off", async () => {
    expect(await outcome(`${header}${good}\n7/22/2025 14:00,GY`)).toEqual({
      rows: [`2 VY3N5 ${monday} 840`],
      refused: ["3 MISSING_COLUMN"],
    });
  });
});

describe("a file that is not a calendar is refused as a whole:", () => {
  it.each<readonly [what: string, content: string | Uint8Array, message: string]>([
    ["empty", "", "the file is empty"],
    ["blank", "\n \r\n", "the file is empty"],
    [
      "a ledger",
      "tradeId,instrumentName\n1,ZN\n",
      "the header in line 1 has no column Option Expiration Date (CT)",
    ],
    [
      "without symbols",
      "\nOption Expiration Date (CT),CME\n",
      "the header in line 2 has no column Option Symbol",
    ],
    ["separated by semicolons", header.replaceAll(",", ";"), "its columns are separated by semicolons"],
    ["a column twice", header.replace("CME", "CME,CME"), "the header has the column CME twice"],
    ["UTF-16", Buffer.from(header, "utf16le"), "not CSV text"],
    ["binary", new Uint8Array(64), "not text"],
  ])("%s", async (_, content, message) => {
    const error = await refusal(content);
    expect([error.code, error.message]).toEqual(["BAD_CALENDAR", expect.stringContaining(message)]);
    expect(error.fix).toContain("Option Expiration Date (CT), Option Symbol");
  });

  it("a file that is larger than any calendar, which is not read", async () => {
    const path = join(folder, "huge.csv");
    await writeFile(path, header);
    await truncate(path, calendarFileBytesMax + 1);
    await expect(readCalendarFile(path)).rejects.toMatchObject({ code: "BAD_CALENDAR", where: path });
    await truncate(path, calendarFileBytesMax);
    expect(await readCalendarFile(path)).toMatchObject({
      rows: [],
      quarantine: [{ line: 2, code: "NOT_TEXT" }],
    });
  });

  it("a file that does not exist, or a folder", async () => {
    await mkdir(join(folder, "inside"));
    await expect(readCalendarFile(join(folder, "absent.csv"))).rejects.toMatchObject({ code: "UNREADABLE" });
    await expect(readCalendarFile(join(folder, "inside"))).rejects.toMatchObject({ code: "UNREADABLE" });
  });
});

describe("arbitrary bytes", () => {
  it("below a good header are accepted or quarantined row by row", async () => {
    const piece = fc.oneof(
      fc.constantFrom(",", "\n", "\r\n", '"', "7/21/2025 14:00", "VY3N5", "\0"),
      fc.string({ unit: "binary", maxLength: 9 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
        await outcome(`${header}${pieces.join("")}`);
      }),
    );
  });
});
