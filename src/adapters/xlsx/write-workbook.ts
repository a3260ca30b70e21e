/**
 * Writes the workbook of a report. Every value is checked first. The writing library makes every part but the
 * rows and their texts. Those are written here, because the library holds each cell as several objects
 * (docs/decisions/0010-rows-of-workbooks.md).
 */
import { text as wholeText } from "node:stream/consumers";
import { type Cell, type CellStyle, colToLetter, type WriteSheet, writeXlsx } from "hucre/xlsx";
import { BridgeError } from "../../base/errors.ts";
import { inPieces } from "../../base/text-pieces.ts";
import type { WrittenCell, WrittenSheet, WrittenWorkbook } from "../../ports/written-workbook.ts";
import { readWorkbook } from "./read-workbook.ts";
import { type WrittenPart, zipOf } from "./write-zip.ts";
import { openZip } from "./zip-parts.ts";

const rowsMax = 1_048_576;
const textMax = 32_767;
const digitsMax = 15;

/** The fixed time in the file: the same figures give the same bytes. */
const noTime = new Date(0);

/** The styles and the texts of all cells, each once, in the order in which they appear. */
interface CheckedWorkbook {
  readonly styles: Places<Style>;
  readonly texts: Places<string>;
  /** The widths of the columns of each sheet, in characters. */
  readonly widths: readonly (readonly number[])[];
}

/** Values with their places, from 0. */
type Places<Value> = Map<Value, number>;

/** A number format, or one of the two styles that are more than that. */
type Style = string | typeof headStyle | typeof missingStyle;
const headStyle: CellStyle = { font: { bold: true } };
const missingStyle: CellStyle = { font: { italic: true, color: { rgb: "808080" } }, numFmt: "General" };

/**
 * Reads all rows once and returns what `workbookBytes` must know about them. Throws UNWRITABLE for a value or
 * a sheet that a workbook cannot hold.
 */
export function checkWorkbook({ sheets }: WrittenWorkbook): CheckedWorkbook {
  const styles: Places<Style> = new Map([[headStyle, 0]]);
  const texts: Places<string> = new Map();
  const widths = sheets.map((sheet) => {
    const { name, columns, rows } = sheet;
    if (rows.length >= rowsMax)
      throw refused(name, `the sheet has ${rows.length} rows, more than a workbook can hold`);
    for (const column of columns) add(texts, column.name);
    const longest = columns.map((column) => column.name.length);
    let line = 1;
    for (const row of rows) {
      line += 1;
      for (const [at, cell] of row.entries()) {
        const { value } = cell;
        const why = reasonToRefuse(value);
        if (why !== undefined) throw refused(`${name}, row ${line}, column ${columns[at]?.name}`, why);
        if (typeof value === "string") add(texts, value);
        add(styles, styleOf(cell, at, sheet));
        longest[at] = Math.max(longest[at] ?? 0, lengthOf(value));
      }
    }
    return longest;
  });
  return { styles, texts, widths };
}

function add<Value>(places: Places<Value>, value: Value): void {
  if (!places.has(value)) places.set(value, places.size);
}

/** A blank cell has the format of its column. */
const styleOf = ({ value, format, isMissing }: WrittenCell, at: number, { columns }: WrittenSheet): Style =>
  isMissing ? missingStyle : value === null ? (columns[at]?.format ?? format) : format;

/**
 * Returns the bytes of the workbook; `checked` is the answer of `checkWorkbook`, whose errors are thrown.
 * Linear in the cells; holds the packed file and each text once, but no rows.
 */
export async function workbookBytes(
  book: WrittenWorkbook,
  checked = checkWorkbook(book),
): Promise<Uint8Array> {
  const frame = await writeXlsx(frameOf(book, checked));
  const { names, text } = await openZip(book.title, frame);
  const styleIds = (await readWorkbook(book.title, frame)).sheets[0]?.styles ?? [];
  const parts = names.map((name): WrittenPart => {
    if (name === "xl/sharedStrings.xml") return { name, pieces: inPieces(sharedTexts(checked.texts)) };
    const sheet = book.sheets[Number(/^xl\/worksheets\/sheet(\d+)\.xml$/.exec(name)?.[1]) - 1];
    if (sheet === undefined) return { name, pieces: text(name) };
    return { name, pieces: sheetPart(text(name), sheet, checked, styleIds) };
  });
  return zipOf(parts);
}

/** The workbook without its rows. The first row of the first sheet has a cell of each style, in order. */
function frameOf(
  { title, keywords, footer, sheets }: WrittenWorkbook,
  { styles, widths }: CheckedWorkbook,
): Parameters<typeof writeXlsx>[0] {
  const styled = [...styles.keys()].map((style, at): [string, Partial<Cell>] => [
    `0,${at}`,
    { value: "", style: typeof style === "string" ? { numFmt: style } : style },
  ]);
  return {
    sheets: sheets.map(
      (sheet, at): WriteSheet => ({
        name: sheet.name,
        columns: (widths[at] ?? []).map((width) => ({ width: Math.min(width, 40) + 2 })),
        rows: [[""]],
        ...(at === 0 && { cells: new Map(styled) }),
        freezePane: { rows: 1 },
        autoFilter: { range: rangeOf(sheet) },
        pageSetup: {
          orientation: "landscape",
          fitToPage: true,
          fitToWidth: 1,
          fitToHeight: 0,
          printTitlesRow: "$1:$1",
        },
        headerFooter: { oddFooter: `&L${footer.replaceAll("&", "&&")}&RPage &P of &N` },
      }),
    ),
    properties: { title, keywords, creator: "pnl-bridge", created: noTime, modified: noTime },
    // LibreOffice shows a filter only if this name exists.
    namedRanges: sheets.map((sheet) => ({
      name: "_xlnm._FilterDatabase",
      range: `'${sheet.name.replaceAll("'", "''")}'!${rangeOf(sheet).replaceAll(/[A-Z]+|\d+/g, "$$$&")}`,
      scope: sheet.name,
    })),
  };
}

const rangeOf = ({ columns, rows }: WrittenSheet): string =>
  `A1:${colToLetter(columns.length - 1)}${rows.length + 1}`;

/** The part of a sheet: that of the frame, with the rows in place of the frame's own. */
async function* sheetPart(
  frame: AsyncIterable<string>,
  sheet: WrittenSheet,
  checked: CheckedWorkbook,
  styleIds: ArrayLike<number>,
): AsyncGenerator<string> {
  const [before = "", after = ""] = (await wholeText(frame))
    .replace(/<dimension ref="[^"]*"/, `<dimension ref="${rangeOf(sheet)}"`)
    .split(/(?<=<sheetData>).*(?=<\/sheetData>)/s);
  yield before;
  yield* inPieces(rowTexts(sheet, checked, styleIds));
  yield after;
}

function* rowTexts(
  sheet: WrittenSheet,
  { styles, texts }: CheckedWorkbook,
  styleIds: ArrayLike<number>,
): Generator<string> {
  const letters = sheet.columns.map((_, at) => colToLetter(at));
  const cellOf = (place: string, value: WrittenCell["value"], style: Style, formula?: string): string => {
    const id = styleIds[styles.get(style) ?? 0];
    if (value === null) return `<c r="${place}" s="${id}"/>`;
    if (typeof value === "string") return `<c r="${place}" t="s" s="${id}"><v>${texts.get(value)}</v></c>`;
    const computed = formula === undefined ? "" : `<f>${escaped(formula)}</f>`;
    return `<c r="${place}" s="${id}">${computed}<v>${value}</v></c>`;
  };
  const names = sheet.columns.map(({ name }, at) => cellOf(`${letters[at]}1`, name, headStyle));
  yield `<row r="1">${names.join("")}</row>`;
  let line = 1;
  for (const row of sheet.rows) {
    line += 1;
    let text = `<row r="${line}">`;
    for (const [at, cell] of row.entries())
      text += cellOf(`${letters[at]}${line}`, cell.value, styleOf(cell, at, sheet), cell.formula);
    yield `${text}</row>`;
  }
}

function* sharedTexts(texts: Places<string>): Generator<string> {
  const namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
  const counts = `count="${texts.size}" uniqueCount="${texts.size}"`;
  yield `<?xml version="1.0" encoding="UTF-8" standalone="yes"?><sst xmlns="${namespace}" ${counts}>`;
  for (const text of texts.keys()) {
    // A text that looks like the escape of a character would be read as that character.
    const stored = escaped(text.replaceAll(/_(?=x[0-9A-Fa-f]{4}_)/g, "_x005F_"));
    yield `<si><t${/^\s|\s$|[\t\n]/.test(text) ? ' xml:space="preserve"' : ""}>${stored}</t></si>`;
  }
  yield "</sst>";
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** The text in XML. Characters that XML cannot hold, or that its readers change, get the format's escape. */
const escaped = (text: string): string =>
  text.replaceAll(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are replaced.
    /[&<>\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g,
    (one) => entities[one] ?? `_x${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}_`,
  );

/** The room that a value needs: money has a group sign for each three digits. */
const lengthOf = (value: WrittenCell["value"]): number =>
  typeof value === "number"
    ? Math.ceil(String(Math.trunc(value)).length * 1.34) + 4
    : String(value ?? "").length;

/** The reason why a workbook cannot hold a value; undefined if it can. */
function reasonToRefuse(value: unknown): string | undefined {
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return `${value} is no number that a workbook can hold`;
    // A number with a short text has few digits, so most numbers skip the slower `toPrecision`.
    if (String(value).length > digitsMax && Number(value.toPrecision(digitsMax)) !== value)
      return `${value} has more than ${digitsMax} digits`;
    return undefined;
  }
  if (value === null) return undefined;
  if (typeof value !== "string") return `a value of the type ${typeof value} cannot be stored`;
  if (value.length > textMax) return `the text has ${value.length} characters, more than ${textMax}`;
  return value.isWellFormed() ? undefined : "the text has half of a character pair";
}

const refused = (where: string, what: string): BridgeError =>
  new BridgeError("UNWRITABLE", { what, where, fix: "correct the value in the source of the report" });
