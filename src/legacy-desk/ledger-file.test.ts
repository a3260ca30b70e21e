import { describe, expect, test } from "vitest";
import { LegacyRejection } from "./calculator.ts";
import { parseLedger } from "./ledger-file.ts";

const header = "tradeId,instrumentName,marketTradeTime,buySell,quantity,price";
const good = "1,X,2025-08-04 10:00:00,B,1.0,110.5";
const trades = (...rows: string[]) => [...parseLedger([header, ...rows].join("\n"))];

describe("the reader accepts", () => {
  const time = (text: string) => trades(`1,X,${text},B,1,1`)[0]?.time;

  test.each([
    ["2025-08-04 10:00:00", "2025-08-04 10:00:00"],
    ["2025-08-04 10:00:00.999", "2025-08-04 10:00:00"],
    ["2025-08-04 10:00:00.986000", "2025-08-04 10:00:00"],
    ["2025-08-1 15:59:00.908", "2025-08-01 15:59:00"],
    ["2024-02-29 0:0:0", "2024-02-29 00:00:00"],
  ])("the time %s", (text, expected) => expect(time(text)).toBe(expected));

  test.each([
    ["110.875 ", 110.875],
    [" 116", 116],
    ["111.000000", 111],
    [".5", 0.5],
    ["1e-3", 0.001],
    ["0.0", 0],
  ])("the price '%s'", (text, expected) =>
    expect(trades(`1,X,2025-08-04 10:00:00,B,1,${text}`)[0]?.price).toBe(expected),
  );

  test("columns in any order, found by the header, with other columns between", () => {
    const text =
      "price,book,buySell,tradeId,quantity,marketTradeTime,instrumentName\n1.5,fx,S,TRD_1,2,2025-08-04 10:00:00,X ";
    const expected = {
      id: "TRD_1",
      symbol: "X ",
      time: "2025-08-04 10:00:00",
      side: "S",
      quantity: 2,
      price: 1.5,
    };
    expect([...parseLedger(text)]).toEqual([expected]);
  });

  test("blank lines, CRLF, a byte-order mark and quotes, and never trims symbols", () => {
    const quoted = '2,"X, ""Y""",2025-08-04 10:00:00,S,"2",1';
    const found = [...parseLedger(`\uFEFF${header}\r\n\r\n${good}\r\n   \n${quoted}\n\n\n`)];
    expect(found.map(({ symbol, quantity }) => [symbol, quantity])).toEqual([
      ["X", 1],
      ['X, "Y"', 2],
    ]);
  });

  test("a file with only a header, which has no trades", () => {
    expect(trades()).toEqual([]);
    expect(trades("", "")).toEqual([]);
  });
});

describe("the reader refuses, after it has yielded the rows before,", () => {
  test.each([
    ["quirk: T between date and time", "2,X,2025-08-04T10:00:00,B,1,1"],
    ["an offset", "2,X,2025-08-04 10:00:00+00:00,B,1,1"],
    ["an impossible date", "2,X,2025-02-29 10:00:00,B,1,1"],
    ["an impossible hour", "2,X,2025-02-28 24:00:00,B,1,1"],
    ["no time", "2,X,,B,1,1"],
    ["quirk: side BUY", "2,X,2025-08-04 10:00:00,BUY,1,1"],
    ["side b", "2,X,2025-08-04 10:00:00,b,1,1"],
    ["a price that is not a number", "2,X,2025-08-04 10:00:00,B,1,110'165"],
    ["a missing price", "2,X,2025-08-04 10:00:00,B,1"],
    ["an infinite quantity", "2,X,2025-08-04 10:00:00,B,1e999,1"],
  ])("%s", (_, row) => {
    const reading = parseLedger(`${header}\n${good}\n${row}\n${good}`);
    expect(reading.next().value).toMatchObject({ id: "1" });
    expect(() => reading.next()).toThrow(LegacyRejection);
  });
});

describe("the reader refuses before the first row", () => {
  test.each([
    ["an empty file", ""],
    ["a missing column", "tradeId,instrumentName\n1,X"],
    ["a row with too many fields", `${header}\n${good}\n${good},7`],
    ["an open quote", `${header}\n${good}\n1,"X`],
    ["text after a quote", `${header}\n${good}\n1,"X"Y,2025-08-04 10:00:00,B,1,1`],
  ])("%s", (_, text) => expect(() => parseLedger(text).next()).toThrow(LegacyRejection));
});
