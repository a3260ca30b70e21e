import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runs } from "../../../test/campaigns.ts";
import { hasSharedData, sharedData } from "../../../test/shared-data.ts";
import { describerOf, symbolBridge } from "../../app/symbols/symbols.ts";
import { formatDecimal } from "../../base/decimal.ts";
import { tradingDayRules } from "../../domain/market/trading-day.ts";
import { ownName } from "../../engine/index.ts";
import type {
  LedgerPiece,
  LedgerRefusal,
  LedgerRows,
  LedgerTrade,
  RefusedRow,
} from "../../ports/ledger-rows.ts";
import { startOfLedger } from "../../ports/ledger-rows.ts";
import { ledgerColumns } from "./ledger-lines.ts";
import { readLedgers } from "./ledger-reader.ts";
import { ledgerRows } from "./ledger-rows.ts";
import { lineBytesMax } from "./row-fields.ts";

const options = { dayRule: tradingDayRules["chicago-17"], describe: describerOf(symbolBridge(undefined)) };
const rows = ledgerRows(options);
const name = "trades_20250724.csv";
const header = `${ledgerColumns.join(",")}\n`;
const symbol = "XCMEFFDPSX20250919U0ZN";
const row = (id: number | string) => `${id},${symbol},2025-07-24 09:30:59.046,B,1.0,110.015625\n`;
const bytesOf = (...parts: readonly (string | readonly number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));
const bom = "\ufeff";

interface Read {
  readonly trades: readonly LedgerTrade[];
  readonly refused: readonly RefusedRow[];
  readonly refusal?: LedgerRefusal | undefined;
  readonly place: LedgerPiece["place"];
  readonly isAtNul: boolean;
}

/** Reads a file as it grows: one piece up to each of the sizes, then, by default, its last row. */
function readGrowing(
  content: Uint8Array | string,
  sizes: Iterable<number> = [],
  given: Parameters<LedgerRows["read"]>[3] = { takesLast: true },
  reader = rows,
): Read {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const [trades, refused]: [LedgerTrade[], RefusedRow[]] = [[], []];
  let piece: LedgerPiece = { trades, refused, place: startOfLedger, isAtNul: false };
  const readTo = (size: number, options: typeof given): void => {
    if (piece.refusal !== undefined) return;
    piece = reader.read(name, piece.place, bytes.subarray(piece.place.offset, size), options);
    trades.push(...piece.trades);
    refused.push(...piece.refused);
  };
  for (const size of sizes) readTo(size, { passesNul: given.passesNul ?? false });
  readTo(bytes.length, given);
  return { trades, refused, place: piece.place, isAtNul: piece.isAtNul, refusal: piece.refusal };
}

const idsOf = ({ trades }: Read) => trades.map(({ id }) => id);
const codesOf = ({ refused }: Read) => refused.map(({ line, code }) => `${line} ${code}`);
const bySteps = (content: Uint8Array, step = 1) =>
  Array.from({ length: Math.ceil(content.length / step) }, (_, index) => (index + 1) * step);

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ledger-rows-"));
});
afterAll(() => rm(folder, { recursive: true }));

/**
 * Returns the rows that `readLedgers` finds in a file, in the form of pieces. Rows without a product are
 * refused here.
 */
async function replayed(content: Uint8Array): Promise<Pick<Read, "trades" | "refused">> {
  const path = join(folder, name);
  await writeFile(path, content);
  const { trades, quarantine } = await readLedgers([path], options);
  const read = Array.from({ length: trades.length }, (_, trade) => {
    const { book = "", symbol, instrument, currency } = trades.instrumentAt(trade);
    const fee = trades.fee.get(trade);
    return {
      line: trades.placeOf(trade).line,
      id: trades.id(trade),
      symbol,
      instrument: instrument ?? ownName(symbol),
      book,
      side: trades.sideAt(trade) === 1 ? ("B" as const) : ("S" as const),
      quantity: formatDecimal(trades.quantity.at(trade)),
      price: formatDecimal(trades.price.at(trade)),
      fee: fee === undefined ? null : formatDecimal(fee),
      timeUs: trades.timeAt(trade),
      day: trades.dayAt(trade),
      isKnown: currency !== "XXX",
    };
  });
  return {
    trades: read.filter(({ isKnown }) => isKnown).map(({ isKnown: _, ...trade }) => trade),
    refused: quarantine.map(({ line, code, text, why }) => ({ line, code, text, why })),
  };
}

const { trades: _, refused: __, ...atEnd } = readGrowing("");

describe("the rows of a growing ledger", () => {
  it("have every field of the file as canonical text, and the symbol as it is written", () => {
    const read = readGrowing(
      `${header.trim()},book,fee\n007,${symbol},2025-07-24 17:00:00,S,2.50,-0.0,UST,1.0\n${row(8).trim()},,\n`,
    );
    expect(read.trades).toEqual([
      {
        line: 2,
        id: "007",
        symbol,
        instrument: "ZNU2025",
        book: "UST",
        side: "S",
        quantity: "2.5",
        price: "0",
        fee: "1",
        timeUs: Date.parse("2025-07-24T22:00:00Z") * 1_000,
        day: Date.parse("2025-07-25") / 86_400_000,
      },
      {
        ...{ line: 3, id: "8", symbol, instrument: "ZNU2025", book: "", side: "B" },
        ...{ quantity: "1", price: "110.015625", fee: null },
        timeUs: Date.parse("2025-07-24T14:30:59.046Z") * 1_000,
        day: Date.parse("2025-07-24") / 86_400_000,
      },
    ]);
  });

  it("can be read from a file that has only a header, and from a file whose only row is short", () => {
    expect(readGrowing(header)).toMatchObject({ trades: [], refused: [], place: { offset: 62, line: 1 } });
    const short = readGrowing(`${header}1,TYU5,2025-07-24 09:00:00,B,1,1\n`);
    expect(idsOf(short)).toEqual(["1"]);
    expect(readGrowing("")).toEqual({ ...atEnd, trades: [], refused: [], place: startOfLedger });
  });

  it("of which not even the product is known are refused", () => {
    const read = readGrowing(`${header}1,NONSENSE,2025-07-24 09:00:00,B,1,1\n${row(2)}`);
    expect([idsOf(read), codesOf(read)]).toEqual([["2"], ["2 UNKNOWN_SYMBOL"]]);
  });

  it("end with the last newline, unless the last row counts without one", () => {
    const content = `${header}${row(1)}${row(2).trim()}`;
    const waiting = readGrowing(content, [], {});
    expect(idsOf(waiting)).toEqual(["1"]);
    expect(waiting.place).toMatchObject({ offset: (header + row(1)).length, line: 2 });
    const taken = readGrowing(content);
    expect(idsOf(taken)).toEqual(["1", "2"]);
    // The newline that follows belongs to the row that was read before it, so the later lines keep their
    // numbers.
    const next = rows.read(name, taken.place, Buffer.from(`\n${row(3)}`));
    expect(next.trades.map(({ id, line }) => [id, line])).toEqual([["3", 4]]);
  });
});

/**
 * Lines that a ledger may contain and that do not end reading. None of them has an open quote, because
 * `readLedgers` treats open quotes differently.
 */
const oddLines: readonly (string | readonly number[])[] = [
  ...["", " \t", ",,,,,", "nonsense", '""', "1,2,3", ",".repeat(99)],
  row("7").trim(),
  row("92").trim(),
  row("TRD_006").trim(),
  ` 8 , ${symbol}\t,2025-08-1 15:59:00.908, S ,1e1,0.0`,
  `"9","${symbol}","2025-07-24 00:00:00","B","1","-.5"`,
  `"a ""b"", c",${symbol},2025-07-24T15:00:00Z,S,1,1`,
  `10,"${symbol}"x,2025-07-24 09:00:00,B,1,1`,
  `11,${symbol},2025-11-02 01:30:00,B,1,1`,
  `12,${symbol},2025-03-09 02:30:00,B,1,1`,
  `Ünï😀,${symbol},2025-07-24 09:00:00,B,1,1`,
  [...Buffer.from("Caf"), 0xe9, ...Buffer.from(`,${symbol},2025-07-24 09:00:00,B,1,${"9".repeat(40)}`)],
  `13,${symbol},2025-07-24 09:00:00,b,1,1`,
  `14,${symbol},2025-07-24 09:00:00,B,-1,1`,
  `15,${symbol},2025-07-24 09:00:00,B,1,110-16`,
];
const hostile = fc
  .record({
    lines: fc.array(fc.constantFrom(...oddLines), { maxLength: 12 }),
    ends: fc.array(fc.constantFrom("\n", "\r\n", "\r\r\n"), { minLength: 13, maxLength: 13 }),
    starts: fc.constantFrom("", bom),
    isClosed: fc.boolean(),
  })
  .map(({ lines, ends, starts, isClosed }) => {
    const all = [starts + header.trim(), ...lines];
    const parts = all.flatMap((line, index) =>
      index + 1 < all.length || isClosed ? [line, ends[index] ?? ""] : [line],
    );
    return bytesOf(...parts);
  });

describe("a ledger that is read in pieces", () => {
  it("gives the same rows however it is divided into pieces, and the same as `readLedgers`", async () => {
    await fc.assert(
      fc.asyncProperty(hostile, fc.array(fc.nat(1_200), { maxLength: 8 }), async (content, sizes) => {
        const whole = readGrowing(content);
        expect(whole).toMatchObject(await replayed(content));
        const cuts = sizes.filter((size) => size <= content.length).sort((a, b) => a - b);
        expect(readGrowing(content, cuts)).toEqual(whole);
        expect(readGrowing(content, bySteps(content))).toEqual(whole);
      }),
      { numRuns: runs(60, 300) },
    );
  });

  it("gives the same rows if it is cut once at any byte, even within a character or a line end", () => {
    const content = bytesOf(
      bom + header.replace("\n", "\r\n"),
      ...oddLines.flatMap((line) => [line, "\r\n"]),
    );
    const whole = readGrowing(content);
    expect([whole.trades.length, whole.refused.length]).toEqual([9, 10]);
    for (const size of content.keys()) expect(readGrowing(content, [size]), `cut at ${size}`).toEqual(whole);
  });

  it.each([lineBytesMax, lineBytesMax + 1, 3 * lineBytesMax])(
    "refuses a line of %d bytes once if it is too long, however it is divided into pieces",
    (length) => {
      const content = bytesOf(header, row(1), row(2).trim().padEnd(length, " "), "\n", row(3), row(4));
      const whole = readGrowing(content);
      const isLong = length > lineBytesMax;
      expect([idsOf(whole), codesOf(whole)]).toEqual([
        isLong ? ["1", "3", "4"] : ["1", "2", "3", "4"],
        isLong ? ["3 LINE_TOO_LONG"] : [],
      ]);
      expect(whole.trades.at(-1)?.line).toBe(5);
      for (const step of [997, 30_000, lineBytesMax + 1])
        expect(readGrowing(content, bySteps(content, step))).toEqual(whole);
    },
  );

  it("counts blank lines in its line numbers, in pieces too", () => {
    const content = bytesOf(header, row(1), "\n\n\n", row(2));
    for (const sizes of [[], bySteps(content)])
      expect(readGrowing(content, sizes).trades.map(({ line }) => line)).toEqual([2, 6]);
  });

  it("loses one row to a quote that is never closed", () => {
    const content = bytesOf(header, row(1), row(2).replace(symbol, `"${symbol}`), row(3), row(4));
    const whole = readGrowing(content);
    expect([idsOf(whole), codesOf(whole)]).toEqual([["1", "3", "4"], ["3 BAD_QUOTING"]]);
    expect(readGrowing(content, bySteps(content))).toEqual(whole);
  });
});

describe("NUL bytes", () => {
  const zeros = (length: number) => Buffer.alloc(length);
  const isMissing = (hole: number): readonly [Buffer, Buffer] => {
    const content = bytesOf(header, row(1), row(2), row(3), row(4));
    const holed = Buffer.from(content);
    holed.fill(0, hole, hole + 60);
    return [content, holed];
  };

  it("end reading before their line, which is read as a whole when its data has arrived", () => {
    for (let hole = 1; hole < 260; hole += 7) {
      const [content, holed] = isMissing(hole);
      const early = readGrowing(holed);
      expect([early.refused, early.refusal, early.isAtNul]).toEqual([[], undefined, true]);
      expect(early.place.offset).toBeLessThanOrEqual(hole);
      const later = rows.read(name, early.place, content.subarray(early.place.offset));
      expect([...early.trades, ...later.trades]).toEqual(readGrowing(content).trades);
    }
  });

  it("that do not go away are refused with their whole line, and the later rows are read", () => {
    const first = header.length + row(1).length;
    for (const [hole, ids] of [
      [first + 5, ["1", "4"]],
      [first, ["1", "3", "4"]],
    ] as const) {
      const holed = Buffer.from(isMissing(0)[0]);
      holed.fill(0, hole, first + (hole === first ? 10 : row(2).length + 5));
      const read = readGrowing(holed, bySteps(holed), { passesNul: true });
      expect([idsOf(read), codesOf(read), read.isAtNul]).toEqual([ids, ["3 NOT_TEXT"], false]);
    }
  });

  it("of a megabyte are refused once, in pieces too, and the next line is read", () => {
    const content = Buffer.concat([bytesOf(header, row(1)), zeros(1 << 20), bytesOf(row(2), row(3))]);
    for (const sizes of [[], bySteps(content, 50_000)]) {
      const read = readGrowing(content, sizes, { passesNul: true });
      expect([idsOf(read), codesOf(read)]).toEqual([["1", "3"], ["3 NOT_TEXT"]]);
    }
    expect(readGrowing(content, bySteps(content, 50_000))).toMatchObject({ isAtNul: true, refused: [] });
  });

  it("at the end of a file are refused once with `passesNul`, and later bytes of their line are not refused again", () => {
    const content = Buffer.concat([bytesOf(header, row(1)), zeros(5_000)]);
    const passed = readGrowing(content, [], { passesNul: true });
    expect(codesOf(passed)).toEqual(["3 NOT_TEXT"]);
    expect(passed.place).toMatchObject({ offset: content.length, line: 2, isInLongLine: true });
    const next = rows.read(name, passed.place, Buffer.from(`lost\n${row(2)}`));
    expect([next.refused, next.trades.map(({ id, line }) => [id, line])]).toEqual([[], [["2", 4]]]);
  });

  it("in a line that is skipped end reading too, because a newline may replace them", () => {
    const long = bytesOf(header, "x".repeat(lineBytesMax + 10));
    const content = Buffer.concat([long, zeros(10), bytesOf("\n", row(1))]);
    const read = readGrowing(content);
    expect([read.place.offset, read.isAtNul, codesOf(read)]).toEqual([
      long.length,
      true,
      ["2 LINE_TOO_LONG"],
    ]);
    expect(readGrowing(content, [], { passesNul: true }).trades).toHaveLength(1);
  });

  it("before the header stop reading without a refusal, and with `passesNul` the file is refused", () => {
    const content = zeros(4_096);
    expect(readGrowing(content)).toMatchObject({ place: startOfLedger, isAtNul: true, refused: [] });
    expect(readGrowing(content, [], { passesNul: true }).refusal?.code).toBe("NOT_A_LEDGER");
  });
});

describe("byte-order marks", () => {
  it("at the start of the file and of a row are dropped", () => {
    const plain = readGrowing(header + row(1) + row(2));
    const marked = readGrowing(bom + header + row(1) + bom + row(2));
    expect(marked.trades).toEqual(plain.trades);
  });

  it("of three joined files are dropped, with the headers that follow them", () => {
    const file = (id: number) => bom + header + row(id);
    const content = bytesOf(file(1), file(2), file(3));
    for (const sizes of [[], bySteps(content)]) {
      const read = readGrowing(content, sizes);
      expect([idsOf(read), read.refused, read.refusal]).toEqual([["1", "2", "3"], [], undefined]);
    }
  });

  it("inside a row make it a refused row", () => {
    const read = readGrowing(header + row(`1${bom}`) + row(2));
    expect([idsOf(read), codesOf(read)]).toEqual([["2"], ["2 NOT_TEXT"]]);
  });
});

describe("a header between the rows", () => {
  it("is skipped if it equals the file's header", () => {
    const read = readGrowing(header + row(1) + header.replace("\n", " \r\n") + row(2));
    expect(read.trades.map(({ id, line }) => [id, line])).toEqual([
      ["1", 2],
      ["2", 4],
    ]);
    expect([read.refused, read.refusal]).toEqual([[], undefined]);
  });

  it.each([
    ["its columns in another order", [...ledgerColumns].reverse().join(",")],
    ["a column more", `${header.trim()},book`],
    ["other letters", header.trim().toUpperCase()],
    ["only some of the columns", ledgerColumns.slice(0, 4).join(",")],
  ])("refuses the file from there on if it has %s", (_what, other) => {
    const content = bytesOf(header, row(1), other, "\n", row(2));
    for (const sizes of [[], bySteps(content)]) {
      const read = readGrowing(content, sizes);
      expect([idsOf(read), read.refused]).toEqual([["1"], []]);
      expect(read.refusal).toMatchObject({ code: "NOT_A_LEDGER", why: expect.stringContaining("line 3") });
      expect(read.place).toMatchObject({ offset: (header + row(1)).length, line: 2 });
      // Reading again from the place where it ended gives the same answer.
      expect(rows.read(name, read.place, content.subarray(read.place.offset)).refusal).toEqual(read.refusal);
    }
  });
});

describe("a file that is refused", () => {
  const utf16 = (text: string) => Buffer.from(text, "utf16le");
  it.each<[what: string, content: Buffer | string, code: string, why: string]>([
    ["UTF-16", utf16(bom + header + row(1)), "UTF16", "UTF-16"],
    ["UTF-16, big-endian", utf16(bom + header + row(1)).swap16(), "UTF16", "UTF-16"],
    ["UTF-16 without a byte-order mark", utf16(header + row(1)), "UTF16", "UTF-16"],
    ["big-endian UTF-16 without a byte-order mark", utf16(header + row(1)).swap16(), "UTF16", "UTF-16"],
    ["semicolons in its header", header.replaceAll(",", ";"), "SPREADSHEET", "semicolons"],
    ["a header with a tail of semicolons", header.replace("\n", ";;;\n"), "SPREADSHEET", "semicolons"],
    ["a line sep=", `sep=,\n${header}`, "SPREADSHEET", "sep="],
    ["tabs", header.replaceAll(",", "\t"), "SPREADSHEET", "tabs"],
    ["another table", "a,b,c\n1,2,3\n", "NOT_A_LEDGER", "not the header"],
    ["rows without a header", row(1), "NOT_A_LEDGER", "not the header"],
    ["a header that lacks a column", "tradeId,price\n", "NOT_A_LEDGER", "lacks instrumentName"],
    ["a zip archive", Buffer.from("PK\u0003\u0004\0rest"), "NOT_A_LEDGER", "zip"],
    ["an endless first line", "x".repeat(lineBytesMax * 2), "NOT_A_LEDGER", "not the header"],
  ])("(%s) gives one reason, in pieces too", (_what, content, code, why) => {
    const bytes = Buffer.from(content as string);
    for (const sizes of [[], bySteps(bytes, bytes.length > 10_000 ? 1_000 : 1)]) {
      const read = readGrowing(bytes, sizes);
      expect([read.trades, read.refused, read.isAtNul]).toEqual([[], [], false]);
      expect(read.refusal).toMatchObject({ code, why: expect.stringContaining(why) });
      expect([read.refusal?.fix, read.place]).toEqual([expect.any(String), startOfLedger]);
    }
  });

  it("may be one that a spreadsheet has saved again; the rows before the first trace of the spreadsheet count", () => {
    for (const [bad, sign] of signs) {
      const read = readGrowing(bytesOf(header, row(1), bad, "\n", row(2)));
      expect([idsOf(read), read.refused, bad]).toEqual([["1"], [], bad]);
      expect(read.refusal).toMatchObject({ code: "SPREADSHEET", why: expect.stringContaining(sign) });
      expect(read.refusal?.why).toContain("line 3");
    }
  });

  it("is not one with a row that a person may have mistyped", () => {
    for (const bad of [
      `7,${symbol},2025-07-24 9:30,B,1,1`,
      `7,${symbol},2025-07-24 09:30:00,B,1,110,5`,
      `7,${symbol},2025-07-24 09:30:00,B,1,110;5`,
      "# corrected; see the mail",
    ]) {
      const read = readGrowing(bytesOf(header, bad, "\n", row(2)));
      expect([idsOf(read), read.refused.length, read.refusal]).toEqual([["2"], 1, undefined]);
    }
    expect(readGrowing(header + row("1e5").replace("110.015625", "1e-05")).trades).toMatchObject([
      { id: "1e5", price: "0.00001" },
    ]);
  });
});

const signs: readonly [row: string, sign: string][] = [
  [row(7).trim().replaceAll(",", ";"), "semicolons"],
  [";;;;;", "semicolons"],
  [`${row(7).trim()};;;`, "semicolons"],
  [row(7).trim().replace("110.015625", '"110,015625"'), "comma"],
  [row(7).trim().replace("1.0", '"1,000"'), "comma"],
  [row(7).trim().replace("2025-07-24", "7/24/2025"), "date"],
  [row(7).trim().replace("2025-07-24 09:30:59.046", "24.07.25 09:30"), "date"],
  [row("1E+05").trim(), "exponent"],
  [row(7).trim().replace("110.015625", "1.10E+02"), "exponent"],
];

describe.skipIf(!hasSharedData)("the desk's own ledgers", () => {
  const files = (hasSharedData ? ["ledgers", "ledgers-mock", "ledgers-module"] : []).flatMap((kind) =>
    readdirSync(join(sharedData, kind)).map((file) => readFileSync(join(sharedData, kind, file))),
  );

  it("give the rows that `readLedgers` reads when they grow byte by byte or are cut at any byte", async () => {
    for (const content of files) {
      const whole = readGrowing(content);
      expect({ ...whole, refused: [] }).toMatchObject({ ...(await replayed(content)), refused: [] });
      expect(readGrowing(content, bySteps(content))).toEqual(whole);
      if (content.length > 1_000) continue;
      for (const size of content.keys()) {
        const read = readGrowing(content, [size]);
        expect(read).toEqual(whole);
        const early = readGrowing(content.subarray(0, size), [], {});
        expect(early.trades).toEqual(whole.trades.slice(0, early.trades.length));
        expect(early.refused).toEqual(whole.refused.slice(0, early.refused.length));
      }
    }
  });

  it("are refused in every form in which a spreadsheet saves them, and no number is guessed", () => {
    const disguises: readonly ((line: string) => string)[] = [
      (line) => line.replaceAll(",", ";").replaceAll(".", ","),
      (line) => line.replace(/,(\d+)\.(\d+) *$/, ',"$1,$2"'),
      (line) => line.replace(/(\d{4})-(\d+)-(\d+) /, "$2/$3/$1 "),
      (line) => line.replace(/^[A-Z_]*(\d+)(_\d+)?,/, "1E+05,"),
      (line) => `${line};;;`,
    ];
    for (const content of files) {
      const lines = content.toString().trimEnd().split("\n");
      const whole = readGrowing(content);
      for (const disguise of disguises) {
        const changed = lines.map((line, index) =>
          index === 0 && disguise(line) === line ? line : disguise(line),
        );
        const first = changed.findIndex((line, index) => line !== lines[index]);
        const read = readGrowing(`${changed.join("\n")}\n`);
        expect(read.trades).toEqual(whole.trades.filter(({ line }) => first < 0 || line <= first));
        expect(read.refusal?.code).toBe(first < 0 ? undefined : "SPREADSHEET");
      }
    }
  });
});
