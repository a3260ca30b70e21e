/** Writes workbooks part by part, so that a test decides every byte of the XML. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { afterAll, beforeAll } from "vitest";
import { diffReports } from "../../src/app/reports/diff.ts";
import { defaultConfig } from "../../src/config/index.ts";
import type { ReportDiff } from "../../src/ports/report-diff.ts";

/** A cell by its XML: type, stored value, formula, style. */
export interface RawCell {
  t?: string;
  v?: string;
  f?: string;
  s?: number;
  /** Attributes of the formula. */
  fAttributes?: string;
}

export interface RawSheet {
  name: string;
  state?: string;
  rows: RawCell[][];
  hiddenRows?: number[];
  /** XML before and after the rows. */
  before?: string;
  after?: string;
}

export interface RawWorkbook {
  sheets: RawSheet[];
  styles: string;
  date1904?: boolean;
  keywords?: string;
  /** Parts that replace the generated ones, or stand beside them. */
  parts?: Record<string, string>;
}

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (one) => escapes[one] ?? "");

export const text = (value: string, s = 0): RawCell => ({ t: "inlineStr", v: value, s });
export const number = (value: string, s = 0): RawCell => ({ v: value, s });

function cellXml({ t, v, f, s = 0, fAttributes = "" }: RawCell): string {
  const attributes = `${t === undefined ? "" : ` t="${t}"`}${s === 0 ? "" : ` s="${s}"`}`;
  const formula = f === undefined ? "" : `<f${fAttributes}>${escaped(f)}</f>`;
  const value =
    v === undefined
      ? ""
      : t === "inlineStr"
        ? `<is><t xml:space="preserve">${escaped(v)}</t></is>`
        : `<v>${escaped(v)}</v>`;
  return `${attributes}>${formula}${value}</c>`;
}

const letter = (column: number): string => String.fromCharCode(65 + column);
const declaration = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const relationships = "http://schemas.openxmlformats.org/package/2006/relationships";
const officeRelations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

function sheetXml({ rows, hiddenRows = [], before = "", after = "" }: RawSheet): string {
  const lines = rows.map((cells, index) => {
    const hidden = hiddenRows.includes(index + 1) ? ' hidden="1"' : "";
    const xml = cells
      .map((cell, column) =>
        Object.keys(cell).length === 0 ? "" : `<c r="${letter(column)}${index + 1}"${cellXml(cell)}`,
      )
      .join("");
    return `<row r="${index + 1}"${hidden}>${xml}</row>`;
  });
  return `${declaration}<worksheet xmlns="${main}">${before}<sheetData>${lines.join("")}</sheetData>${after}</worksheet>`;
}

const typesXml = ({ sheets }: RawWorkbook): string => {
  const kind = "application/vnd.openxmlformats-officedocument.spreadsheetml";
  const overrides = [
    ["/xl/workbook.xml", `${kind}.sheet.main+xml`],
    ["/xl/styles.xml", `${kind}.styles+xml`],
    ...sheets.map((_, at) => [`/xl/worksheets/sheet${at + 1}.xml`, `${kind}.worksheet+xml`]),
  ].map(([part, type]) => `<Override PartName="${part}" ContentType="${type}"/>`);
  const defaults =
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>' +
    '<Default Extension="xml" ContentType="application/xml"/>';
  const types = "http://schemas.openxmlformats.org/package/2006/content-types";
  return `${declaration}<Types xmlns="${types}">${defaults}${overrides.join("")}</Types>`;
};

const relations = (entries: readonly (readonly [id: string, type: string, target: string])[]): string => {
  const xml = entries.map(
    ([id, type, target]) => `<Relationship Id="${id}" Type="${officeRelations}/${type}" Target="${target}"/>`,
  );
  return `${declaration}<Relationships xmlns="${relationships}">${xml.join("")}</Relationships>`;
};

/** The file of a workbook. */
export function rawWorkbook(book: RawWorkbook): Buffer {
  const { sheets, styles, date1904 = false, keywords, parts = {} } = book;
  const tags = sheets.map(
    ({ name, state }, at) =>
      `<sheet name="${escaped(name)}" sheetId="${at + 1}"${state === undefined ? "" : ` state="${state}"`} r:id="rId${at + 1}"/>`,
  );
  const all: Record<string, string> = {
    "[Content_Types].xml": typesXml(book),
    "_rels/.rels": relations([["rId1", "officeDocument", "xl/workbook.xml"]]),
    "xl/workbook.xml":
      `${declaration}<workbook xmlns="${main}" xmlns:r="${officeRelations}">` +
      `<workbookPr${date1904 ? ' date1904="1"' : ""}/><sheets>${tags.join("")}</sheets></workbook>`,
    "xl/_rels/workbook.xml.rels": relations([
      ...sheets.map((_, at) => [`rId${at + 1}`, "worksheet", `worksheets/sheet${at + 1}.xml`] as const),
      ["rId99", "styles", "styles.xml"],
    ]),
    "xl/styles.xml": styles,
    ...Object.fromEntries(sheets.map((sheet, at) => [`xl/worksheets/sheet${at + 1}.xml`, sheetXml(sheet)])),
    ...(keywords !== undefined && {
      "docProps/core.xml": `<cp:p xmlns:cp="x"><cp:keywords>${keywords}</cp:keywords></cp:p>`,
    }),
    ...parts,
  };
  return zipOf(all);
}

/** The styles that the tests name by index. */
export const stylesXml = `${declaration}<styleSheet xmlns="${main}">
<numFmts count="3"><numFmt numFmtId="164" formatCode="0.000"/><numFmt numFmtId="165" formatCode="[Red]0.00"/><numFmt numFmtId="166" formatCode="yyyy\\-mm\\-dd"/></numFmts>
<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><color rgb="FFFF0000"/><sz val="11"/><name val="Calibri"/></font></fonts>
<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="solid"><fgColor rgb="FFFFFF00"/></patternFill></fill></fills>
<borders count="1"><border/></borders>
<cellStyleXfs count="1"><xf/></cellStyleXfs>
<cellXfs count="11"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/><xf numFmtId="2" fontId="0" fillId="0" borderId="0"/>
<xf numFmtId="164" fontId="0" fillId="0" borderId="0"/><xf numFmtId="165" fontId="0" fillId="0" borderId="0"/>
<xf numFmtId="166" fontId="0" fillId="0" borderId="0"/><xf numFmtId="0" fontId="1" fillId="0" borderId="0"/>
<xf numFmtId="0" fontId="0" fillId="1" borderId="0"/><xf numFmtId="2" fontId="0" fillId="0" borderId="0"><alignment horizontal="center"/></xf>
<xf numFmtId="49" fontId="0" fillId="0" borderId="0"/><xf numFmtId="44" fontId="0" fillId="0" borderId="0"/>
<xf numFmtId="27" fontId="0" fillId="0" borderId="0"/></cellXfs></styleSheet>`;

/** A zip file of these parts, packed or as they are. */
export function zipOf(parts: Readonly<Record<string, string | Buffer>>, isPacked = true): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(parts)) {
    const data = typeof content === "string" ? Buffer.from(content) : content;
    const packed = isPacked ? deflateRawSync(data) : data;
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(20, 4);
    header.writeUInt16LE(isPacked ? 8 : 0, 8);
    header.writeUInt32LE(crc32(data), 14);
    header.writeUInt32LE(packed.length, 18);
    header.writeUInt32LE(data.length, 22);
    header.writeUInt16LE(Buffer.byteLength(name), 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    header.copy(entry, 6, 4, 30);
    entry.writeUInt32LE(offset, 42);
    files.push(header, Buffer.from(name), packed);
    directory.push(entry, Buffer.from(name));
    offset += header.length + Buffer.byteLength(name) + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  const count = Object.keys(parts).length;
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...files, ...directory, end]);
}

type Side = string | RawWorkbook;

/** A temporary folder of workbooks for the tests of a file. */
export function workbookFolder() {
  let folder = "";
  let files = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pnl-bridge-report-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const saved = async (content: Buffer | RawWorkbook): Promise<string> => {
    const path = join(folder, `${files++}.xlsx`);
    await writeFile(path, Buffer.isBuffer(content) ? content : rawWorkbook(content));
    return path;
  };
  return {
    pathOf: (name: string): string => join(folder, name),
    /** Writes a workbook under a new name, and returns its path. */
    saved,
    /** Compares two workbooks, each given by its path or by its content. */
    diffOf: async (...sides: readonly [Side, Side]): Promise<ReportDiff> => {
      const pathOf = (side: Side) => (typeof side === "string" ? side : saved(side));
      return diffReports([await pathOf(sides[0]), await pathOf(sides[1])], defaultConfig);
    },
  };
}
