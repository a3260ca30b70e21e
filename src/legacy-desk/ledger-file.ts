/**
 * The legacy desk's reader of trade ledgers. It reads a file like pandas 1.5 and the desk's loop over its
 * rows, with their defects. Files are read whole. It deliberately shares no code with any other reader.
 *
 * It accepts any column order (columns are found by the header), numbers with blanks around them (`110.875
 * `), times with and without a fraction in one file, one-digit months and days (`2025-08-1`), blank lines,
 * quotes, a byte-order mark, CRLF. Numbers equal those of pandas bit for bit up to 15 significant digits. For
 * longer numbers the result of pandas may differ by one unit in the last place.
 */
import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { LegacyRejection, type Side, type Trade } from "./calculator.ts";

export interface LedgerFile {
  readonly path: string;
  /** The name without its folder. */
  readonly name: string;
  /** The day in the name `trades_YYYYMMDD.csv`, as YYYY-MM-DD; null for a name without one. */
  readonly date: string | null;
  readonly sizeBytes: number;
  /** Unix time. */
  readonly modifiedMs: number;
  /**
   * Yields the trades lazily, in file order. Throws LegacyRejection at the first row that the reader refuses.
   */
  rows(): Generator<Trade>;
}

/**
 * Opens and reads a ledger. Throws the errors of the disk; a file that cannot be parsed throws only in
 * `rows()`.
 */
export function readLedger(path: string): LedgerFile {
  const text = readFileSync(path, "utf8");
  const { size, mtimeMs } = statSync(path);
  const name = basename(path);
  return {
    path,
    name,
    date: dateOfName(name),
    sizeBytes: size,
    modifiedMs: mtimeMs,
    rows: () => parseLedger(text),
  };
}

function dateOfName(name: string): string | null {
  const [, year, month, day] = /(\d{4})(\d{2})(\d{2})\.csv$/.exec(name) ?? [];
  return year === undefined ? null : `${year}-${month}-${day}`;
}

/**
 * Yields the trades of a ledger's text. A broken table (no header, a missing column, a row with too many
 * fields, an open quote) throws before the first trade; a bad row throws when it is reached. Quirk: the
 * trades before the bad row have been yielded by then, and stay counted.
 */
export function* parseLedger(text: string): Generator<Trade> {
  const [header, ...rows] = table(text);
  if (header === undefined) throw new LegacyRejection("no columns to parse from file");
  const column = (name: string): number => {
    const index = header.indexOf(name);
    if (index < 0) throw new LegacyRejection(`the file has no column ${name}`);
    return index;
  };
  const [id, symbol, time] = [column("tradeId"), column("instrumentName"), column("marketTradeTime")];
  const [side, quantity, price] = [column("buySell"), column("quantity"), column("price")];
  const tooLong = rows.findIndex((row) => row.length > header.length);
  if (tooLong >= 0)
    throw new LegacyRejection(
      `expected ${header.length} fields in row ${tooLong + 1}, saw ${rows[tooLong]?.length}`,
    );
  for (const row of rows) {
    const cell = (index: number): string => row[index] ?? ""; // Missing fields of a short row are empty.
    yield {
      id: cell(id),
      symbol: cell(symbol),
      time: readTime(cell(time)),
      side: readSide(cell(side)),
      quantity: readNumber(cell(quantity), "quantity"),
      price: readNumber(cell(price), "price"),
    };
  }
}

/**
 * Reads a wall-clock time as `YYYY-MM-DD HH:MM:SS` and ignores its fraction. Like strptime it accepts
 * one-digit parts; it refuses an offset and (quirk) a `T` between date and time.
 */
function readTime(text: string): string {
  const [whole = ""] = text.split(".");
  const [, ...parts] = /^(\d{4})-(\d{1,2})-(\d{1,2})\s+(\d{1,2}):(\d{1,2}):(\d{1,2})$/.exec(whole) ?? [];
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.map(Number);
  const exists = day >= 1 && day <= daysIn(year, month) && hour < 24 && minute < 60 && second < 60;
  if (!exists) throw new LegacyRejection(`time data '${whole}' does not match format '%Y-%m-%d %H:%M:%S'`);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}`;
}

function daysIn(year: number, month: number): number {
  if (year < 1 || month < 1 || month > 12) return 0;
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function readSide(text: string): Side {
  if (text !== "B" && text !== "S") throw new LegacyRejection(`side must be B or S: '${text}'`);
  return text;
}

/**
 * Refuses a missing or infinite number: no such input to the original is known, and it would spoil every
 * later figure.
 */
function readNumber(text: string, what: string): number {
  const bare = text.trim();
  const value = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(bare) ? Number(bare) : Number.NaN;
  if (!Number.isFinite(value)) throw new LegacyRejection(`could not convert ${what} to float: '${text}'`);
  return value;
}

/** Splits a text into rows of fields, by RFC 4180 with any line ending. Blank lines are skipped. */
function table(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let start = text.startsWith("\uFEFF") ? 1 : 0;
  const field = /"([^"]*(?:""[^"]*)*)"|([^,\r\n"][^,\r\n]*)|/y;
  while (start <= text.length) {
    field.lastIndex = start;
    const [taken = "", quoted, plain = ""] = field.exec(text) ?? [];
    if (taken === "" && text[start] === '"') throw new LegacyRejection("EOF inside string");
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    const end = start + taken.length;
    const next = text[end];
    start = end + (next === "\r" && text[end + 1] === "\n" ? 2 : 1);
    if (next === ",") continue;
    if (next !== undefined && next !== "\n" && next !== "\r")
      throw new LegacyRejection(`row ${rows.length} has text after a closing quote`);
    if (row.length > 1 || quoted !== undefined || plain.trim() !== "") rows.push(row);
    row = [];
  }
  return rows;
}
