import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { BridgeError } from "../../base/errors.ts";
import type { QuarantineCode } from "../../domain/market/finding-codes.ts";
import type { Quarantined } from "../../ports/ledger.ts";
import {
  type CalendarColumn,
  type CalendarRow,
  calendarColumns,
  parseCalendarMoment,
} from "../../symbols/index.ts";
import { regularFile, unreadable } from "./files.ts";
import { notCsv } from "./not-csv.ts";
import { NoteLog } from "./note-log.ts";
import { RowFields } from "./row-fields.ts";

/** The largest accepted calendar file. The desk's has a few hundred rows of 240 bytes. */
export const calendarFileBytesMax = 1 << 20;
export const calendarLineBytesMax = 4_096;

interface CalendarInput {
  /** The file's name in quarantine. */
  readonly file: string;
  /** Number of data rows: accepted and quarantined. */
  readonly read: number;
  readonly rows: readonly CalendarRow[];
  readonly quarantine: readonly Quarantined[];
}

/** The columns without which a row is useless. */
const required = [
  "Option Expiration Date (CT)",
  "Option Symbol",
] as const satisfies readonly CalendarColumn[];

/**
 * Reads a desk's expiration calendar. Columns are found by name, in any order; unknown ones are ignored. Each
 * bad row goes to quarantine. Throws BridgeError: BAD_CALENDAR for a file that is not a calendar, is empty or
 * not text; UNREADABLE.
 */
export async function readCalendarFile(path: string): Promise<CalendarInput> {
  const { size } = await regularFile(path);
  if (size > calendarFileBytesMax)
    throw badCalendar(path, `a calendar has at most ${calendarFileBytesMax} bytes, this file has ${size}`);
  const bytes = await readFile(path).catch((cause) => {
    throw unreadable(path, cause);
  });
  const file = basename(path);
  const fields = new RowFields();
  const log = new NoteLog();
  const rows: CalendarRow[] = [];
  const header = readHeader(path, bytes, fields);
  let read = 0;
  let line = header.line;
  for (let from = header.next; from < bytes.length; from = fields.next) {
    fields.read(bytes, from, bytes.length, true);
    line += 1;
    if (fields.blank) continue;
    read += 1;
    const row = readRow(fields, header.columns, line, fields.next - from);
    if (!isRefusal(row)) rows.push(row);
    else
      log.refuse({
        file,
        line,
        code: row[0],
        text: RowFields.excerpt(bytes, from, fields.next),
        why: row[1],
      });
    line += fields.lines - 1;
  }
  return { file, read, rows, quarantine: log.quarantine };
}

interface Header {
  readonly columns: readonly string[];
  readonly line: number;
  /** The offset at which the rows begin. */
  readonly next: number;
}

function readHeader(path: string, bytes: Buffer, fields: RowFields): Header {
  const seen = notCsv(bytes);
  if (seen !== undefined) throw badCalendar(path, `the file is not CSV text: ${seen.what}; ${seen.fix}`);
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (let line = 1; at < bytes.length; line++, at = fields.next) {
    fields.read(bytes, at, bytes.length, true);
    if (fields.binary) throw badCalendar(path, "the file is not text: its header contains NUL bytes");
    if (fields.blank) continue;
    const columns = fields.texts();
    for (const name of required)
      if (!columns.includes(name))
        throw badCalendar(path, `the header in line ${line} has no column ${name}`);
    for (const name of calendarColumns)
      if (columns.indexOf(name) !== columns.lastIndexOf(name))
        throw badCalendar(path, `the header has the column ${name} twice`);
    return { columns, line, next: fields.next };
  }
  throw badCalendar(path, "the file is empty");
}

type Refusal = readonly [code: QuarantineCode, why: string];
const isRefusal = (row: CalendarRow | Refusal): row is Refusal => Array.isArray(row);

function readRow(
  fields: RowFields,
  columns: readonly string[],
  line: number,
  bytes: number,
): CalendarRow | Refusal {
  if (fields.binary)
    return ["NOT_TEXT", "the line contains NUL bytes, as after a crash of the program that wrote the file"];
  if (bytes > calendarLineBytesMax)
    return ["LINE_TOO_LONG", `a row has at most ${calendarLineBytesMax} bytes, this one has ${bytes}`];
  if (fields.misquoted) return ["BAD_QUOTING", fields.misquotedWhy];
  if (fields.count < columns.length)
    return ["MISSING_COLUMN", `the line has only ${fields.count} columns, the header has ${columns.length}`];
  const cells = new Map<CalendarColumn, string>();
  for (let field = 0; field < fields.count; field++) {
    const [name = "", text] = [columns[field], fields.text(field)];
    if (name === "" && text !== "")
      return [
        "SURPLUS_COLUMN",
        `column ${field + 1} has no name in the header but contains ${JSON.stringify(text.slice(0, 60))}`,
      ];
    if (isKnown(name)) cells.set(name, text);
  }
  const [moment, symbol] = [cells.get("Option Expiration Date (CT)") ?? "", cells.get("Option Symbol") ?? ""];
  const expiry = parseCalendarMoment(moment);
  if (expiry === undefined)
    return [
      "BAD_TIME",
      `an expiration is written as 7/21/2025 14:00, month first, not as ${JSON.stringify(moment.slice(0, 60))}`,
    ];
  if (symbol === "") return ["BAD_SYMBOL", "the option symbol is empty"];
  return { line, symbol, expiry, cells };
}

const isKnown = (name: string): name is CalendarColumn => calendarColumns.some((column) => column === name);

const badCalendar = (path: string, what: string): BridgeError =>
  new BridgeError("BAD_CALENDAR", {
    what,
    where: path,
    fix: `an expiration calendar is a CSV file with the columns ${required.join(", ")} and, where known, ${calendarColumns.filter((name) => !required.some((column) => column === name)).join(", ")}`,
  });
