/**
 * Reads a workbook for comparison: the raw text of every value, its type, style and formula, and hidden
 * parts. It is a reader of our own because libraries turn numbers into floats, drop stored results of
 * formulas, and hide the difference between a number and a text.
 */
import { posix } from "node:path";
import type { CellStyle, Workbook, WorkbookSheet } from "../../ports/workbook.ts";
import { cellsMax, decodedText, readSheet } from "./read-sheet.ts";
import { plainStyle, readStyles } from "./read-styles.ts";
import { refusedWorkbook } from "./refused.ts";
import { parseXml } from "./xml-events.ts";
import { openZip, type ZipParts } from "./zip-parts.ts";

/**
 * Reads an .xlsx workbook of any program. Throws UNREADABLE, and BAD_WORKBOOK for a file that is no workbook,
 * is damaged, or exceeds a limit. If `bytes` are given, they are read instead of the file, and `path` only
 * appears in errors. Linear; holds the packed file and the cells, but no unpacked part.
 */
export async function readWorkbook(path: string, bytes?: Uint8Array): Promise<Workbook> {
  const zip = await openZip(path, bytes);
  const main = await mainPart(zip, path);
  const book = await readMain(zip, main, path);
  const relations = await relationsOf(zip, main, path);
  const partOf = (kind: string): string | undefined =>
    [...relations.values()].find(({ type, target }) => type === kind && zip.has(target))?.target;
  const stylesPart = partOf("styles");
  const textsPart = partOf("sharedStrings");
  const styles: readonly CellStyle[] =
    stylesPart === undefined ? [plainStyle] : await readStyles(zip.text(stylesPart), path);
  const sharedTexts = textsPart === undefined ? [] : await readSharedTexts(zip.text(textsPart), path);
  const sheets: WorkbookSheet[] = [];
  const taken = new Set<string>();
  let cellsLeft = cellsMax;
  for (const { name, visibility, relation } of book.sheets) {
    const { target = "", type = "" } = relations.get(relation) ?? {};
    const where = `${path}, sheet ${name}`;
    // A small file could otherwise unpack one large part many times.
    if (taken.has(target.toLowerCase()))
      throw refusedWorkbook(where, `another sheet has the same part ${target}`);
    taken.add(target.toLowerCase());
    const part = { name, visibility, sharedTexts, isFrom1904: book.isFrom1904, cellsLeft, where };
    // A sheet that is only a chart has no cells.
    const sheet = await readSheet(type === "chartsheet" ? noCells() : zip.text(target), part);
    cellsLeft -= sheet.texts.length;
    sheets.push(sheet);
  }
  return { sheets, styles, isFrom1904: book.isFrom1904, keywords: await keywordsOf(zip, path) };
}

async function* noCells(): AsyncGenerator<string> {
  yield "<chartsheet/>";
}

interface Relation {
  /** The last word of the type: `worksheet`, `styles`. */
  readonly type: string;
  readonly target: string;
}

/** The relations of a part by id, with whole part names as targets. */
async function relationsOf(
  zip: ZipParts,
  part: string,
  path: string,
): Promise<ReadonlyMap<string, Relation>> {
  const folder = posix.dirname(part);
  const name = posix.join(folder, "_rels", `${posix.basename(part)}.rels`);
  const found = new Map<string, Relation>();
  if (!zip.has(name)) return found;
  await parseXml(zip.text(name), path, {
    open: (tag, { Id = "", Type = "", Target = "" }) => {
      if (tag !== "Relationship") return;
      const target = Target.startsWith("/") ? Target.slice(1) : posix.join(folder, Target);
      found.set(Id, { type: Type.slice(Type.lastIndexOf("/") + 1), target });
    },
  });
  return found;
}

async function mainPart(zip: ZipParts, path: string): Promise<string> {
  const relations = await relationsOf(zip, "", path);
  const main = [...relations.values()].find(({ type }) => type === "officeDocument")?.target;
  if (main === undefined || !zip.has(main) || !main.endsWith(".xml"))
    throw refusedWorkbook(path, "this zip file is no .xlsx workbook");
  return main;
}

async function readMain(zip: ZipParts, main: string, path: string) {
  const sheets: { name: string; visibility: WorkbookSheet["visibility"]; relation: string }[] = [];
  let isFrom1904 = false;
  await parseXml(zip.text(main), path, {
    open: (tag, attributes) => {
      if (tag === "workbookPr") isFrom1904 = ["1", "true"].includes(attributes.date1904 ?? "");
      if (tag !== "sheet") return;
      const { name = "", state } = attributes;
      const relation = Object.entries(attributes).find(([key]) => /:id$/.test(key))?.[1] ?? "";
      const visibility = state === "hidden" || state === "veryHidden" ? state : "visible";
      sheets.push({ name, visibility, relation });
    },
  });
  return { sheets, isFrom1904 };
}

async function readSharedTexts(pieces: AsyncIterable<string>, path: string): Promise<readonly string[]> {
  const texts: string[] = [];
  let current = "";
  let isText = false;
  let isPhonetic = false;
  await parseXml(pieces, path, {
    open: (tag) => {
      if (tag === "si") current = "";
      else if (tag === "rPh") isPhonetic = true;
      else if (tag === "t") isText = !isPhonetic;
    },
    close: (tag) => {
      if (tag === "si") texts.push(decodedText(current));
      else if (tag === "rPh") isPhonetic = false;
      else if (tag === "t") isText = false;
    },
    text: (text) => {
      if (isText) current += text;
    },
  });
  return texts;
}

async function keywordsOf(zip: ZipParts, path: string): Promise<string> {
  const name = "docProps/core.xml";
  let isKeywords = false;
  let keywords = "";
  if (zip.has(name))
    await parseXml(zip.text(name), path, {
      open: (tag) => {
        isKeywords = tag === "keywords";
      },
      text: (text) => {
        if (isKeywords) keywords += text;
      },
      close: () => {
        isKeywords = false;
      },
    });
  return keywords;
}
