/**
 * Writes the workbook of a report. Every value is checked first. The writing library makes every part but the
 * rows and their texts. Those are written here, because the library holds each cell as several objects
 * (docs/decisions/0010-rows-of-workbooks.md).
 */
import { text as wholeText } from "node:stream/consumers";
import { type Cell, type CellStyle, colToLetter, type WriteSheet, writeXlsx } from "hucre/xlsx";
import { assert, BridgeError } from "../../base/errors.ts";
import type { WrittenCell, WrittenSheet, WrittenWorkbook } from "../../ports/written-workbook.ts";
import { joined, type Packed, pack, type WrittenPart, zipOf } from "./write-zip.ts";
import { openZip } from "./zip-parts.ts";

const rowsMax = 1_048_576;
const textMax = 32_767;
const digitsMax = 15;

/** The fixed time in the file: the same figures give the same bytes. */
const noTime = new Date(0);

/** The rows of all sheets in the form of the file, and the facts about them that its other parts state. */
interface PackedRows {
  readonly sheets: readonly PackedSheet[];
  readonly styles: Styles;
  readonly texts: Texts;
}

interface PackedSheet {
  readonly rows: Packed;
  /** The widths of the columns, in characters. */
  readonly widths: readonly number[];
}

/** The texts of all cells, each once, with their places in order of appearance, from 0. */
type Texts = Map<string, number>;

/** A number format, or one of the two styles that are more than that. */
type Style = string | typeof headStyle | typeof missingStyle;
const headStyle: CellStyle = { font: { bold: true } };
const missingStyle: CellStyle = { font: { italic: true, color: { rgb: "808080" } }, numFmt: "General" };

/** The styles of all cells in order of appearance, each with the texts that follow the place of a cell. */
type Styles = Map<Style, StyledParts>;

interface StyledParts {
  readonly blank: string;
  readonly text: string;
  readonly number: string;
}

/**
 * Reads all rows once, in order, and packs them. Throws UNWRITABLE for a value or a sheet that a workbook
 * cannot hold. Linear in the cells; holds the packed rows and each text once.
 */
export async function packRows(sheets: readonly WrittenSheet[]): Promise<PackedRows> {
  const found = { styles: new Map() as Styles, texts: new Map() as Texts };
  const packed: PackedSheet[] = [];
  for (const sheet of sheets) {
    const widths = new ColumnWidths(sheet);
    const rows = await pack(rowTexts(sheet, found, widths), { isEnd: false });
    packed.push({ rows, widths: widths.all() });
  }
  return { ...found, sheets: packed };
}

/** Reads all rows once, in order, and throws the errors of `packRows`. */
export function checkRows(sheets: readonly WrittenSheet[]): void {
  const found = { styles: new Map() as Styles, texts: new Map() as Texts };
  for (const sheet of sheets) for (const _ of rowTexts(sheet, found, new ColumnWidths(sheet)));
}

/** Returns the bytes of the workbook. Without `packed`, it calls `packRows` and throws its errors. */
export async function workbookBytes(book: WrittenWorkbook, packed?: PackedRows): Promise<Uint8Array> {
  const { sheets, styles, texts } = packed ?? (await packRows(book.sheets));
  // Another thread packs the texts while the library makes the frame.
  const packing = pack(sharedTexts(texts));
  const frame = await writeXlsx(frameOf(book, sheets, styles));
  const { names, text } = await openZip(book.title, frame);
  const parts: WrittenPart[] = [];
  for (const name of names) {
    const frameText = await wholeText(text(name));
    const at = Number(/^xl\/worksheets\/sheet(\d+)\.xml$/.exec(name)?.[1]) - 1;
    const [sheet, rows] = [book.sheets[at], sheets[at]?.rows];
    if (sheet !== undefined && rows !== undefined) {
      if (at === 0) checkStyles(frameText, styles);
      parts.push({ name, packed: await sheetPart(frameText, sheet, rows) });
    } else {
      parts.push({ name, packed: await (name === "xl/sharedStrings.xml" ? packing : pack([frameText])) });
    }
  }
  return zipOf(parts);
}

/** The workbook without its rows. The first row of the first sheet has a cell of each style, in order. */
function frameOf(
  { title, keywords, footer, sheets }: WrittenWorkbook,
  packed: readonly PackedSheet[],
  styles: Styles,
): Parameters<typeof writeXlsx>[0] {
  const styled = [...styles.keys()].map((style, at): [string, Partial<Cell>] => [
    `0,${at}`,
    { value: "", style: typeof style === "string" ? { numFmt: style } : style },
  ]);
  return {
    sheets: sheets.map(
      (sheet, at): WriteSheet => ({
        name: sheet.name,
        columns: (packed[at]?.widths ?? []).map((width) => ({ width: Math.min(width, 40) + 2 })),
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

/** Checks that the frame gives each style the number that the rows use. */
function checkStyles(frame: string, styles: Styles): void {
  const ids = [...frame.matchAll(/<c [^>]*s="(\d+)"/g)].map(([, id]) => Number(id));
  assert(
    ids.length === styles.size && ids.every((id, at) => id === at + 1),
    "the library numbers styles in order of appearance",
  );
}

/** The part of a sheet: that of the frame, with the rows in place of the frame's own. */
async function sheetPart(frame: string, sheet: WrittenSheet, rows: Packed): Promise<Packed> {
  const [before = "", after = ""] = frame
    .replace(/<dimension ref="[^"]*"/, `<dimension ref="${rangeOf(sheet)}"`)
    .split(/(?<=<sheetData>).*(?=<\/sheetData>)/s);
  return joined([await pack([before], { isEnd: false }), rows, await pack([after])]);
}

/** The rows of a sheet in the form of the file. Adds their styles and texts to those of earlier sheets. */
function* rowTexts(
  sheet: WrittenSheet,
  { styles, texts }: Pick<PackedRows, "styles" | "texts">,
  widths: ColumnWidths,
): Generator<string> {
  const { name, columns, rows } = sheet;
  if (rows.length >= rowsMax)
    throw refused(name, `the sheet has ${rows.length} rows, more than a workbook can hold`);
  const begins = columns.map((_, at) => `<c r="${colToLetter(at)}`);
  const cellOf = (at: number, line: string, cell: Omit<WrittenCell, "format">, style: Style): string => {
    const { value, formula } = cell;
    const begin = begins[at] + line;
    const parts = partsOf(style, styles);
    if (value === null) return begin + parts.blank;
    if (typeof value === "string") {
      widths.addText(at, value);
      return `${begin}${parts.text}${placeOf(value, texts)}</v></c>`;
    }
    widths.addNumber(at, value);
    const computed = formula === undefined ? "<v>" : `<f>${escaped(formula)}</f><v>`;
    return `${begin}${parts.number}${computed}${value}</v></c>`;
  };
  let text = '<row r="1">';
  for (const [at, column] of columns.entries()) text += cellOf(at, "1", { value: column.name }, headStyle);
  yield `${text}</row>`;
  let number = 1;
  for (const row of rows) {
    number += 1;
    const line = String(number);
    text = `<row r="${line}">`;
    for (let at = 0; at < row.length; at++) {
      const cell = row[at] as WrittenCell;
      const why = reasonToRefuse(cell.value);
      if (why !== undefined) throw refused(`${name}, row ${line}, column ${columns[at]?.name}`, why);
      text += cellOf(at, line, cell, styleOf(cell, at, sheet));
    }
    yield `${text}</row>`;
  }
}

/** A blank cell has the format of its column. */
const styleOf = ({ value, format, isMissing }: WrittenCell, at: number, { columns }: WrittenSheet): Style =>
  isMissing ? missingStyle : value === null ? (columns[at]?.format ?? format) : format;

function partsOf(style: Style, styles: Styles): StyledParts {
  const known = styles.get(style);
  if (known !== undefined) return known;
  // The library numbers styles in order of appearance, after its own style 0. `checkStyles` checks this.
  const id = styles.size + 1;
  const parts = { blank: `" s="${id}"/>`, text: `" t="s" s="${id}"><v>`, number: `" s="${id}">` };
  styles.set(style, parts);
  return parts;
}

function placeOf(text: string, texts: Texts): number {
  const known = texts.get(text);
  if (known !== undefined) return known;
  const place = texts.size;
  texts.set(text, place);
  return place;
}

/** The room that the longest text and the largest numbers of each column need, in characters. */
class ColumnWidths {
  readonly #texts: number[];
  readonly #least: number[];
  readonly #largest: number[];

  constructor({ columns }: WrittenSheet) {
    this.#texts = columns.map(() => 0);
    this.#least = columns.map(() => Number.POSITIVE_INFINITY);
    this.#largest = columns.map(() => Number.NEGATIVE_INFINITY);
  }

  addText(at: number, { length }: string): void {
    if (length > (this.#texts[at] ?? 0)) this.#texts[at] = length;
  }

  addNumber(at: number, value: number): void {
    if (value < (this.#least[at] ?? 0)) this.#least[at] = value;
    if (value > (this.#largest[at] ?? 0)) this.#largest[at] = value;
  }

  all(): readonly number[] {
    return this.#texts.map((text, at) =>
      Math.max(text, roomOf(this.#least[at] ?? 0), roomOf(this.#largest[at] ?? 0)),
    );
  }
}

/** The width of a number, with a separator after each three digits. Infinity means that there is none. */
const roomOf = (value: number): number =>
  Number.isFinite(value) ? Math.ceil(String(Math.trunc(value)).length * 1.34) + 4 : 0;

function* sharedTexts(texts: Texts): Generator<string> {
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
