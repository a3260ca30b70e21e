import { a1ToR1C1, r1c1ToA1 } from "hucre";
import { parseFigure } from "../../base/fraction.ts";
import { type CellRange, type CellType, cellTypes, type WorkbookSheet } from "../../ports/workbook.ts";
import { refusedWorkbook } from "./refused.ts";
import { type Attributes, parseXml } from "./xml-events.ts";

/** The largest number of cells in a workbook; more would take too much memory. */
export const cellsMax = 20_000_000;
const columnsMax = 16_384;
const rowsMax = 1_048_576;

interface SheetPart {
  readonly name: string;
  readonly visibility: WorkbookSheet["visibility"];
  readonly sharedTexts: readonly string[];
  readonly isFrom1904: boolean;
  /** The number of cells that the sheet may have. */
  readonly cellsLeft: number;
  readonly where: string;
}

/** Reads one sheet. Linear in its size. Throws BAD_WORKBOOK. */
export async function readSheet(pieces: AsyncIterable<string>, part: SheetPart): Promise<WorkbookSheet> {
  const reader = new SheetReader(part);
  await parseXml(pieces, part.where, {
    open: reader.open,
    close: reader.close,
    text: reader.text,
    plain: reader.plain,
  });
  return reader.sheet();
}

/** Parts of the layout of which only the presence and the attributes count. */
const layoutTags: Readonly<Record<string, { readonly part: string; readonly names: readonly string[] }>> = {
  pane: { part: "frozen panes", names: ["state", "xSplit", "ySplit"] },
  autoFilter: { part: "filter", names: [] },
  pageSetup: { part: "print set-up", names: ["orientation", "paperSize", "fitToWidth", "fitToHeight"] },
  pageSetUpPr: { part: "print to fit", names: ["fitToPage"] },
  cfRule: { part: "conditional formats", names: ["type", "operator"] },
  dataValidation: { part: "data validation", names: ["type"] },
  sheetProtection: { part: "protection", names: ["sheet"] },
};

class SheetReader {
  readonly #part: SheetPart;
  readonly #rowNumbers: number[] = [];
  readonly #starts: number[] = [];
  #columns = new Uint16Array(1_024);
  #types = new Uint8Array(1_024);
  #styles = new Uint16Array(1_024);
  readonly #texts: string[] = [];
  readonly #formulas = new Map<number, string>();
  readonly #sharedFormulas = new Map<string, string>();
  readonly #hiddenRows = new Set<number>();
  readonly #hiddenColumns = new Set<number>();
  readonly #widths = new Map<number, string>();
  readonly #merges: CellRange[] = [];
  readonly #layout = new Map<string, string>();
  /** Texts that were read last, by a part of their content: most columns repeat few texts. */
  readonly #recent: string[] = new Array(4_096).fill("");
  #row = 0;
  #isInRow = false;
  #column = -1;
  #type = "";
  #style = 0;
  #value = "";
  #hasValue = false;
  /** The attributes of the cell's formula. */
  #formula: Attributes | undefined;
  #formulaText = "";
  /** Where text belongs now: the value, the formula, or nowhere. */
  #into: "value" | "formula" | "" = "";
  #isPhonetic = false;

  constructor(part: SheetPart) {
    this.#part = part;
  }

  readonly open = (name: string, attributes: Attributes): void => {
    switch (name) {
      case "c":
        this.#openCell(attributes.r, attributes);
        return;
      case "v":
        this.#into = "value";
        this.#hasValue = true;
        return;
      case "row":
        this.#openRow(attributes);
        return;
      case "t":
        if (this.#type !== "inlineStr" || this.#isPhonetic) return;
        this.#into = "value";
        this.#hasValue = true;
        return;
      case "rPh":
        this.#isPhonetic = true;
        return;
      case "f":
        this.#into = "formula";
        this.#formula = attributes;
        return;
      default:
        this.#openOther(name, attributes);
    }
  };

  readonly close = (name: string): void => {
    if (name === "c") this.#closeCell();
    else if (name === "row") this.#isInRow = false;
    else if (name === "rPh") this.#isPhonetic = false;
    this.#into = "";
  };

  readonly text = (text: string): void => {
    if (this.#into === "value") this.#value += text;
    else if (this.#into === "formula") this.#formulaText += text;
  };

  /** Reads the plain cells that follow each other in a row. Returns the place behind the last one. */
  readonly plain = (text: string, from: number): number => {
    let at = from;
    if (!this.#isInRow) return at;
    plainCell.lastIndex = from;
    for (let found = plainCell.exec(text); found !== null; found = plainCell.exec(text)) {
      const [, r = "", first, s = "0", t = first ?? "n", value = ""] = found;
      this.#openCell(r, { s, t });
      this.#value = value;
      this.#hasValue = true;
      this.#closeCell();
      at = plainCell.lastIndex;
    }
    return at;
  };

  sheet(): WorkbookSheet {
    const { name, visibility } = this.#part;
    return {
      name,
      visibility,
      rowNumbers: this.#rowNumbers,
      starts: [...this.#starts, this.#texts.length],
      columns: this.#columns.slice(0, this.#texts.length),
      types: this.#types.slice(0, this.#texts.length),
      texts: this.#texts,
      styles: this.#styles.slice(0, this.#texts.length),
      formulas: this.#formulas,
      hiddenRows: this.#hiddenRows,
      hiddenColumns: this.#hiddenColumns,
      widths: this.#widths,
      merges: this.#merges,
      layout: this.#layout,
    };
  }

  #openRow(attributes: Attributes): void {
    const number = attributes.r === undefined ? this.#row + 1 : Number(attributes.r);
    if (!(number > this.#row && number <= rowsMax)) throw this.#broken(`row ${attributes.r} is misplaced`);
    this.#row = number;
    this.#isInRow = true;
    this.#column = -1;
    if (isOn(attributes.hidden)) this.#hiddenRows.add(number);
  }

  #openCell(place: string | undefined, { t = "n", s = "0" }: Attributes): void {
    const column = place === undefined ? this.#column + 1 : columnIn(place);
    if (!(column > this.#column && column < columnsMax)) throw this.#broken(`cell ${place} is misplaced`);
    this.#column = column;
    this.#type = t;
    this.#style = Number(s);
    this.#value = "";
    this.#hasValue = false;
    this.#formula = undefined;
    this.#formulaText = "";
  }

  #closeCell(): void {
    const index = this.#texts.length;
    if (index >= this.#part.cellsLeft)
      throw refusedWorkbook(
        this.#part.where,
        `the workbook has more than ${cellsMax} cells`,
        "split the workbook",
      );
    if (index === this.#columns.length) this.#grow();
    if (this.#rowNumbers.at(-1) !== this.#row) {
      this.#rowNumbers.push(this.#row);
      this.#starts.push(index);
    }
    this.#columns[index] = this.#column;
    this.#styles[index] = this.#style;
    this.#texts.push("");
    if (this.#hasValue) this.#store(index);
    if (this.#formula !== undefined) this.#formulas.set(index, this.#formulaOf(this.#formula));
    this.#type = "";
  }

  #grow(): void {
    const grown = <A extends Uint8Array | Uint16Array>(array: A, larger: A): A => {
      larger.set(array);
      return larger;
    };
    const length = 2 * this.#columns.length;
    this.#columns = grown(this.#columns, new Uint16Array(length));
    this.#styles = grown(this.#styles, new Uint16Array(length));
    this.#types = grown(this.#types, new Uint8Array(length));
  }

  /** Stores the value of a cell. An empty text is a blank. */
  #store(index: number): void {
    const value = this.#value;
    switch (this.#type) {
      case "s": {
        const text = this.#part.sharedTexts[Number(value)];
        if (text === undefined) throw this.#broken(`the shared text ${value} does not exist`);
        this.#set(index, "text", text);
        return;
      }
      case "str":
      case "inlineStr":
        this.#set(index, "text", this.#kept(decodedText(value)));
        return;
      case "b":
        this.#set(index, "boolean", isOn(value.trim()) ? "TRUE" : "FALSE");
        return;
      case "e":
        this.#set(index, "error", value);
        return;
      case "d": {
        const serial = value === "" ? "" : serialOf(value, this.#part.isFrom1904);
        this.#set(index, serial === undefined ? "error" : "number", serial ?? value);
        return;
      }
      default: {
        const text = value.trim();
        this.#set(index, text === "" || isNumber(text) ? "number" : "error", this.#kept(text));
      }
    }
  }

  #set(index: number, type: CellType, text: string): void {
    if (text === "" && type !== "error") return;
    this.#types[index] = typeNumbers[type];
    this.#texts[index] = text;
  }

  /**
   * Returns an equal text that was kept before, or a copy: a part of a large text would keep all of it alive.
   */
  #kept(text: string): string {
    const { length } = text;
    const place = (length * 61 + text.charCodeAt(length - 1) * 7 + text.charCodeAt(length >> 1)) & 4_095;
    const recent = this.#recent[place];
    if (recent === text) return recent;
    const copy = length < 13 ? text : ` ${text}`.slice(1);
    this.#recent[place] = copy;
    return copy;
  }

  /**
   * A formula that many cells share is stored in the first one; the others get it with shifted references.
   */
  #formulaOf({ t, si = "" }: Attributes): string {
    const text = this.#formulaText;
    if (t !== "shared") return text;
    if (text !== "") this.#sharedFormulas.set(si, a1ToR1C1(text, this.#row - 1, this.#column));
    const shared = this.#sharedFormulas.get(si);
    return text !== "" || shared === undefined ? text : r1c1ToA1(shared, this.#row - 1, this.#column);
  }

  #openOther(name: string, attributes: Attributes): void {
    const known = layoutTags[name];
    if (known !== undefined) {
      const words = known.names.map((key) => `${key}=${attributes[key] ?? ""}`).join(" ") || "on";
      const before = this.#layout.get(known.part);
      this.#layout.set(known.part, before === undefined ? words : `${before}; ${words}`);
    } else if (name === "col") this.#openColumns(attributes);
    else if (name === "mergeCell") this.#merges.push(this.#rangeOf(attributes.ref ?? ""));
  }

  #openColumns(attributes: Attributes): void {
    const first = Math.max(1, Number(attributes.min));
    const last = Math.min(Number(attributes.max), columnsMax);
    for (let column = first; column <= last; column++) {
      if (isOn(attributes.hidden)) this.#hiddenColumns.add(column - 1);
      // A width for the whole rest of the sheet says nothing about a column with content.
      if (attributes.width !== undefined && last - first < 1_000)
        this.#widths.set(column - 1, attributes.width);
    }
  }

  #rangeOf(text: string): CellRange {
    const [first = "", last = first] = text.split(":");
    const range = {
      firstRow: rowIn(first),
      lastRow: rowIn(last),
      firstColumn: columnIn(first),
      lastColumn: columnIn(last),
    };
    if (!Object.values(range).every(Number.isInteger)) throw this.#broken(`the range ${text} does not exist`);
    return range;
  }

  #broken(what: string) {
    return refusedWorkbook(this.#part.where, what);
  }
}

const typeNumbers: Readonly<Record<CellType, number>> = {
  blank: cellTypes.indexOf("blank"),
  number: cellTypes.indexOf("number"),
  text: cellTypes.indexOf("text"),
  boolean: cellTypes.indexOf("boolean"),
  error: cellTypes.indexOf("error"),
};

/**
 * A cell with a number or a shared text, as most programs write it. Reading these cells with one expression
 * takes less than half of the parser's time; all others go through the parser.
 */
const plainCell =
  /<c r="([A-Z]{1,3}\d{1,7})"(?: t="([ns])")?(?: s="(\d{1,5})")?(?: t="([ns])")?><v>([-+.\dEe]{1,40})<\/v><\/c>/y;

const plainNumber = /^-?\d{1,20}(?:\.\d{1,20})?$/;

/**
 * Whether a text is a number that a comparison can read exactly: no `0x10`, and no exponent without bound.
 */
const isNumber = (text: string): boolean =>
  plainNumber.test(text) || (Number.isFinite(Number(text)) && parseFigure(text) !== undefined);

const isOn = (value: string | undefined): boolean => value === "1" || value === "true";

/** The column of a place such as `AB12`, from 0; NaN if the place has none. */
function columnIn(place: string): number {
  let column = 0;
  for (let at = 0; at < place.length; at++) {
    const code = place.charCodeAt(at);
    if (code < 65 || code > 90) return at === 0 ? Number.NaN : column - 1;
    column = column * 26 + code - 64;
  }
  return Number.NaN;
}

const rowIn = (place: string): number => Number(/\d+$/.exec(place)?.[0] ?? Number.NaN);

/** Replaces the escapes of characters that XML cannot hold, such as `_x0001_`. */
export const decodedText = (text: string): string =>
  text.includes("_x")
    ? text.replaceAll(/_x([0-9A-Fa-f]{4})_/g, (_, code: string) =>
        String.fromCharCode(Number.parseInt(code, 16)),
      )
    : text;

const dayMs = 86_400_000;

/**
 * The serial number of an ISO date; undefined if the text is no date. The 1900 system has a 29 February 1900.
 */
function serialOf(iso: string, isFrom1904: boolean): string | undefined {
  const ms = Date.parse(/T/.test(iso) ? `${iso.replace(/Z$/, "")}Z` : `${iso}T00:00:00Z`);
  if (Number.isNaN(ms)) return undefined;
  const days = (ms - Date.UTC(isFrom1904 ? 1904 : 1899, isFrom1904 ? 0 : 11, isFrom1904 ? 1 : 31)) / dayMs;
  return String(!isFrom1904 && days >= 60 ? days + 1 : days);
}
