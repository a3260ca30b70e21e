import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { type Decimal, formatDecimal, parseDecimal, powerOfTen } from "../../base/decimal.ts";
import { BridgeError } from "../../base/errors.ts";
import { at, present } from "../../base/present.ts";
import { dayUs, instantOfWall, parseDay } from "../../domain/market/chicago-time.ts";
import type { QuarantineCode } from "../../domain/market/finding-codes.ts";
import { type PriceNotation, parsePrice, priceNotations } from "../../domain/market/price-notation.ts";
import type { TradingDayRule } from "../../domain/market/trading-day.ts";
import type { MarkKind } from "../../engine/index.ts";
import type { Note, Quarantined } from "../../ports/ledger.ts";
import { type Detected, type Instrument, productOfInstrument, productOfRoot } from "../../symbols/index.ts";
import { filesOf, namesOf, onceEach, regularFile, unreadable } from "./files.ts";
import { notCsv } from "./not-csv.ts";
import { NoteLog } from "./note-log.ts";
import { RowFields } from "./row-fields.ts";

/** The largest accepted price file. The desk's have a few hundred rows. */
export const priceFileBytesMax = 16 << 20;

interface PriceRow {
  /** The text of the source, without surrounding spaces and without the word COMB. */
  readonly symbol: string;
  /** The canonical name; null if the symbol does not identify an instrument. */
  readonly instrument: string | null;
  readonly price: Decimal;
  readonly kind: MarkKind;
  /** The moment in the file's name, microseconds UTC. */
  readonly atUs: number;
  /** The trading day of that moment, in days since 1970. */
  readonly day: number;
  /** The file's name, as in `PriceInput.files`. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
}

export interface PriceInput {
  readonly prices: readonly PriceRow[];
  /** The files' names in rows, notes and quarantine, in reading order. */
  readonly files: readonly string[];
  /** The number of data rows of each file, without blank lines. */
  readonly rows: readonly number[];
  readonly quarantine: readonly Quarantined[];
  readonly notes: readonly Note[];
}

interface PriceOptions {
  readonly dayRule: TradingDayRule;
  /** Translates a symbol of any dialect, in a file of the given calendar day. */
  readonly translate: (symbol: string, day: number) => Detected;
  /** Called with each piece of a file that is read, in order. */
  readonly onBytes?: ((path: string, bytes: Uint8Array) => void) | undefined;
  /** Called after each file. */
  readonly onProgress?: (done: {
    readonly bytes: number;
    readonly bytesTotal: number;
    readonly rows: number;
  }) => void;
}

/**
 * Lists the price files of the given files and folders, each once, in the order of the moments in their
 * names. A folder contributes the files directly inside it and in its folders `futures` and `options`.
 * Throws BridgeError NO_INPUT, UNREADABLE.
 */
export async function findPriceFiles(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    paths.map((path) =>
      filesOf(path, {
        pattern: /^(?:Futures|Options|market_prices)_.*\.csv$/i,
        shown: "Futures_*.csv, Options_*.csv or market_prices_*.csv",
        subfolders: ["futures", "options"],
      }),
    ),
  );
  const key = (path: string): string =>
    `${/\d{8}_\d{4}/.exec(basename(path))?.[0] ?? ""}\u0000${basename(path)}\u0000${path}`;
  return [...(await onceEach(found.flat()))].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/**
 * Reads price files into marks. A file's name and header together decide how its prices are written, never
 * the form of a number. The name also contains the moment (Chicago time), which decides which price of a row
 * is used: see `windows`.
 *
 * A row without a price gives no mark and is counted in a note; an option's zero is a price. Each bad row
 * goes to quarantine. Different prices of one instrument at one moment are all refused, in one file or in
 * several. Throws BridgeError: BAD_PRICE_FILE for a file of no known family, without a moment, empty or not
 * text; UNREADABLE.
 */
export async function readPriceFiles(paths: readonly string[], options: PriceOptions): Promise<PriceInput> {
  const reader = new PriceReader(options);
  const names = namesOf(paths);
  const sizes = await Promise.all(paths.map(sizeOf));
  const bytesTotal = sizes.reduce((a, b) => a + b, 0);
  let bytes = 0;
  const rows: number[] = [];
  for (const [index, path] of paths.entries()) {
    const rowsBefore = reader.rows;
    const content = await readFile(path).catch((cause) => {
      throw unreadable(path, cause);
    });
    options.onBytes?.(path, content);
    reader.readFile(path, at(names, index), content);
    rows.push(reader.rows - rowsBefore);
    bytes += at(sizes, index);
    options.onProgress?.({ bytes, bytesTotal, rows: reader.rows });
  }
  return { ...reader.result(), files: names, rows };
}

/** Reads one price file from its bytes, as `readPriceFiles` does. `name` is without its folder. */
export function readPriceFile(
  name: string,
  bytes: Uint8Array,
  options: PriceOptions,
): Pick<PriceInput, "prices" | "quarantine" | "notes"> {
  const reader = new PriceReader(options);
  reader.readFile(name, name, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  return reader.result();
}

/**
 * The times of day (Chicago, both ends included) at which a file gives marks, and the kind of price that it
 * gives.
 */
const windows = [
  { from: 13 * 60 + 45, until: 14 * 60 + 30, kind: "close" },
  /** The settlement: the price at which the next day starts. */
  { from: 15 * 60 + 45, until: 16 * 60 + 30, kind: "sod_tomorrow" },
] as const satisfies readonly { readonly from: number; readonly until: number; readonly kind: MarkKind }[];

type Window = (typeof windows)[number]["kind"];

const todayColumn = "Settle Price = Today";

interface Family {
  /** The beginning of the file's name, before the moment. */
  readonly name: "Futures" | "Options" | "market_prices";
  readonly symbol: string;
  /** For each window, the columns of the price; the first that contains a number is used. */
  readonly price: Readonly<Record<Window, readonly string[]>>;
  /**
   * Windows in which `Settle Price = Today` (Y, N or blank) chooses between the two columns, of which the
   * settlement is first.
   */
  readonly flagged?: readonly Window[];
  /** Further required columns, and optional ones. */
  readonly others: readonly string[];
  readonly optional: readonly string[];
  /** `by-product`: 32nds or decimals, as `notationOfProduct` says. */
  readonly notation: PriceNotation | "by-product";
  /** Symbols of this family that look like symbols of another system and mean something else. */
  readonly foreign?: { readonly pattern: RegExp; readonly why: string };
}

/**
 * All kinds of price files that the desk has had. Kinds with the same file name differ in their columns,
 * whose order does not matter.
 */
const families: readonly Family[] = [
  {
    name: "market_prices",
    symbol: "bloomberg",
    price: { close: ["PX_LAST"], sod_tomorrow: ["PX_SETTLE"] },
    others: ["PX_BID", "PX_ASK", "OPT_EXPIRE_DT", "MONEYNESS"],
    optional: [],
    notation: "decimal",
    foreign: {
      pattern: /^XCMEO/i,
      why: "XCMEOCADPS is a put in this file (a call is XCMEOCADCS) and a call in the ledgers, so the price is used for neither",
    },
  },
  {
    name: "Futures",
    symbol: "SYMBOL",
    price: { close: ["PX_LAST"], sod_tomorrow: ["PX_SETTLE"] },
    others: [],
    optional: [],
    notation: "by-product",
  },
  {
    name: "Futures",
    symbol: "SYMBOL",
    price: { close: ["PX_LAST_DEC"], sod_tomorrow: ["PX_SETTLE_DEC"] },
    others: [],
    optional: ["PX_LAST", "PX_SETTLE"],
    notation: "decimal",
  },
  {
    // PX_300 is the flash price of three o'clock; without _DEC it is text such as 103-20 7/8.
    name: "Futures",
    symbol: "SYMBOL",
    price: { close: ["PX_SETTLE_DEC", "PX_300_DEC"], sod_tomorrow: ["PX_SETTLE_DEC", "PX_300_DEC"] },
    flagged: ["close", "sod_tomorrow"],
    others: [todayColumn],
    optional: ["PX_SETTLE", "PX_300"],
    notation: "decimal",
  },
  {
    // These files are made by hand. Both flash_close and current_price contain the close of two o'clock.
    name: "Futures",
    symbol: "symbol",
    price: { close: ["flash_close", "current_price"], sod_tomorrow: ["prior_close"] },
    others: ["last_updated"],
    optional: [],
    notation: "decimal",
  },
  {
    name: "Options",
    symbol: "SYMBOL",
    price: { close: ["PX_LAST"], sod_tomorrow: ["PX_SETTLE"] },
    others: ["EXPIRE_DT", "MONEYNESS"],
    optional: [],
    notation: "decimal",
  },
  {
    name: "Options",
    symbol: "SYMBOL",
    price: { close: ["LAST_PRICE"], sod_tomorrow: ["PX_SETTLE", "LAST_PRICE"] },
    flagged: ["sod_tomorrow"],
    others: [todayColumn],
    optional: [],
    notation: "decimal",
  },
];

/**
 * The notation of a product in the first futures files: treasuries in 32nds that look like decimals, the Bund
 * in decimals.
 */
const notationOfProduct: Readonly<Record<string, PriceNotation>> = {
  ZT: "point-32nds",
  ZF: "point-32nds",
  ZN: "point-32nds",
  TN: "point-32nds",
  ZB: "point-32nds",
  UB: "point-32nds",
  RX: "decimal",
};

/** The facts about a file that its name and header give. */
interface Sheet {
  readonly path: string;
  readonly file: string;
  readonly family: Family;
  readonly kind: Window;
  readonly atUs: number;
  /** The calendar day in the name, and the trading day of the moment. */
  readonly fileDay: number;
  readonly day: number;
  readonly columns: readonly string[];
}

type Refusal = readonly [code: QuarantineCode, why: string];
type Reading = Decimal | "none" | Refusal;
const isRefusal = (reading: Reading): reading is Refusal => Array.isArray(reading);

/** A price, and the text of its row. */
interface Entry {
  readonly row: PriceRow;
  readonly text: string;
}

class PriceReader {
  rows = 0;
  readonly #dayRule: TradingDayRule;
  readonly #translate: PriceOptions["translate"];
  readonly #log = new NoteLog();
  readonly #fields = new RowFields();
  /** Entries by moment and instrument (or symbol). */
  readonly #entries = new Map<string, Entry[]>();
  /** Number of rows without a price in the file being read. */
  #withoutPrice = 0;

  constructor({ dayRule, translate }: PriceOptions) {
    this.#dayRule = dayRule;
    this.#translate = translate;
  }

  readFile(path: string, file: string, bytes: Buffer): void {
    const moment = momentInName(path);
    const header = this.#readHeader(path, bytes);
    const family = familyOf(path, moment.name, header.columns);
    const kind = windows.find(({ from, until }) => moment.minute >= from && moment.minute <= until)?.kind;
    if (kind === undefined) {
      this.#log.note(
        file,
        header.line,
        "IGNORED_WINDOW",
        `the file gives no marks: ${moment.shown} is outside of the times ${shownWindows}`,
      );
      return;
    }
    const wallUs = moment.day * dayUs + moment.minute * 60e6;
    const day = this.#dayRule.dayOf(wallUs, moment.day);
    if (day === undefined)
      throw badFile(
        path,
        `the day rule ${this.#dayRule.name} gives ${moment.shown} no trading day`,
        "choose another --day-rule",
      );
    const { columns, line } = header;
    const sheet = {
      path,
      file,
      family,
      kind,
      atUs: instantOfWall(wallUs),
      fileDay: moment.day,
      day,
      columns,
    };
    this.#readRows(sheet, bytes, header.next, line);
  }

  result(): Pick<PriceInput, "prices" | "quarantine" | "notes"> {
    const prices: PriceRow[] = [];
    const repeated = new Map<string, { line: number; count: number }>();
    for (const entries of this.#entries.values()) {
      const first = at(entries, 0);
      if (entries.every(({ row }) => samePrice(row.price, first.row.price))) {
        prices.push(first.row);
        for (const { row } of entries.slice(1)) {
          const seen = repeated.get(row.file);
          if (seen === undefined) repeated.set(row.file, { line: row.line, count: 1 });
          else seen.count += 1;
        }
      } else
        for (const { row, text } of entries) {
          const rival = present(
            entries.find((other) => !samePrice(other.row.price, row.price)),
            "one of the prices differs",
          );
          const why = `${shownName(row)} is ${formatDecimal(row.price)} here and ${formatDecimal(rival.row.price)} in ${rival.row.file}:${rival.row.line}, for the same moment`;
          this.#log.refuse({ file: row.file, line: row.line, code: "CONFLICTING_PRICE", text, why });
        }
    }
    for (const [file, { line, count }] of repeated)
      this.#log.note(
        file,
        line,
        "REPEATED_PRICE",
        `${rowsShown(count)} a price that another row gives for the same moment; it is used once`,
      );
    return { prices, quarantine: this.#log.quarantine, notes: this.#log.notes };
  }

  #readHeader(path: string, bytes: Buffer): { columns: readonly string[]; line: number; next: number } {
    const fields = this.#fields;
    const seen = notCsv(bytes);
    if (seen !== undefined) throw badFile(path, `the file is not CSV text: ${seen.what}`, seen.fix);
    let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    for (let line = 1; at < bytes.length; line++, at = fields.next) {
      fields.read(bytes, at, bytes.length, true);
      if (fields.binary)
        throw badFile(path, "the file is not text: its header contains NUL bytes", knownFamilies);
      if (fields.blank) continue;
      const columns = fields.texts();
      return { columns, line, next: fields.next };
    }
    throw badFile(path, "the file is empty", knownFamilies);
  }

  #readRows(sheet: Sheet, bytes: Buffer, begin: number, headerLine: number): void {
    const fields = this.#fields;
    this.#withoutPrice = 0;
    let line = headerLine;
    for (let from = begin; from < bytes.length; from = fields.next) {
      fields.read(bytes, from, bytes.length, true);
      line += 1;
      if (fields.blank) continue;
      this.rows += 1;
      const text = RowFields.excerpt(bytes, from, fields.next);
      const refusal = this.#readRow(sheet, line, text);
      if (refusal !== undefined)
        this.#log.refuse({ file: sheet.file, line, code: refusal[0], text, why: refusal[1] });
      line += fields.lines - 1;
    }
    if (this.#withoutPrice > 0)
      this.#log.note(
        sheet.file,
        headerLine,
        "NO_PRICE",
        `${rowsShown(this.#withoutPrice)} no price for this moment and give no mark`,
      );
  }

  #readRow(sheet: Sheet, line: number, text: string): Refusal | undefined {
    const fields = this.#fields;
    const { columns, family, file, kind, atUs, day } = sheet;
    if (fields.binary)
      return ["NOT_TEXT", "the line contains NUL bytes, as after a crash of the program that wrote the file"];
    if (fields.misquoted) return ["BAD_QUOTING", fields.misquotedWhy];
    if (fields.count < columns.length)
      return [
        "MISSING_COLUMN",
        `the line has only ${fields.count} columns, the header has ${columns.length}`,
      ];
    for (let field = 0; field < fields.count; field++)
      if ((columns[field] ?? "") === "" && fields.text(field) !== "")
        return [
          "SURPLUS_COLUMN",
          `column ${field + 1} has no name in the header but contains ${quoted(fields.text(field))}`,
        ];

    const symbol = fields
      .text(columns.indexOf(family.symbol))
      .split(/ +/)
      .filter((word) => word !== "COMB")
      .join(" ");
    if (family.foreign?.pattern.test(symbol)) return ["UNKNOWN_CONVENTION", family.foreign.why];
    const reading = isNoSymbol(symbol) ? undefined : this.#translate(symbol, sheet.fileDay);
    const instrument = reading?.ok ? reading.instrument : null;
    const price = reading === undefined ? "none" : this.#readPrice(sheet, symbol, instrument);
    if (isRefusal(price)) return price;
    if (price === "none") {
      this.#withoutPrice += 1;
      return undefined;
    }
    const isFuture =
      family.name === "Futures" || instrument?.kind === "future" || productOfRoot(symbol) !== undefined;
    if (price.coefficient < 0n || (isFuture && price.coefficient === 0n))
      return ["BAD_PRICE", `the price of ${symbol} cannot be ${formatDecimal(price)}`];

    this.#noteReading(file, line, symbol, reading);
    const name = instrument?.name ?? null;
    const row = { symbol, instrument: name, price, kind, atUs, day, file, line };
    const key = `${atUs}\u0000${name ?? symbol}`;
    const entries = this.#entries.get(key);
    if (entries === undefined) this.#entries.set(key, [{ row, text }]);
    else entries.push({ row, text });
    return undefined;
  }

  /**
   * Adds notes about a symbol, except those about missing months and suffixes, which are normal in these
   * files.
   */
  #noteReading(file: string, line: number, symbol: string, reading: Detected | undefined): void {
    if (reading?.ok)
      for (const { code, why } of reading.notes)
        if (code !== "FRONT_CONTRACT" && code !== "MISSING_COMDTY")
          this.#log.note(file, line, code, `${symbol}: ${why}`);
    if (reading?.ok === false && productOfRoot(symbol) !== undefined)
      this.#log.note(
        file,
        line,
        "AMBIGUOUS_ROOT",
        `${symbol} may mean the contract that expires this month or the next one; its price is used for neither`,
      );
  }

  /** Returns the price of the row that applies in the file's window. */
  #readPrice({ columns, family, kind }: Sheet, symbol: string, instrument: Instrument | null): Reading {
    const of = (column: string): string => this.#fields.text(columns.indexOf(column));
    let candidates = family.price[kind];
    if (family.flagged?.includes(kind)) {
      const flag = of(todayColumn).toUpperCase();
      if (flag === "Y") candidates = candidates.slice(0, 1);
      else if (flag === "N") candidates = candidates.slice(1);
      else if (!isNoNumber(flag))
        return ["BAD_FLAG", `${todayColumn} must be Y, N or blank, not ${quoted(of(todayColumn))}`];
    }
    const text = candidates.map(of).find((candidate) => !isNoNumber(candidate));
    if (text === undefined) return "none";
    const notation = family.notation === "by-product" ? notationOf(symbol, instrument) : family.notation;
    if (notation === undefined)
      return [
        "UNKNOWN_CONVENTION",
        `it is unknown whether this file writes the price of ${quoted(symbol)} in 32nds or decimals`,
      ];
    return (
      parsePrice(text, notation) ?? [
        "BAD_PRICE",
        `${quoted(text)} is not a price: ${priceNotations[notation].describes}`,
      ]
    );
  }
}

function notationOf(symbol: string, instrument: Instrument | null): PriceNotation | undefined {
  const product = instrument === null ? productOfRoot(symbol) : productOfInstrument(instrument);
  return product && notationOfProduct[product.code];
}

const isNoSymbol = (symbol: string): boolean =>
  symbol === "" || symbol === "0.0" || symbol.toLowerCase() === "nan";

/**
 * Whether the text stands for a missing number in spreadsheets and pandas: empty, `#N/A …`, `#NAME?`, `nan`,
 * -2146826238.
 */
function isNoNumber(text: string): boolean {
  if (
    text === "" ||
    /^#(?:N\/A|NAME\?|NULL!|NUM!|REF!|VALUE!|DIV\/0!)/.test(text) ||
    text.toLowerCase() === "nan"
  )
    return true;
  const number = parseDecimal(text);
  if (number === undefined) return false;
  const magnitude = number.coefficient < 0n ? -number.coefficient : number.coefficient;
  return magnitude > errorsFrom * powerOfTen(number.scale);
}

/** All prices of the desk are below this magnitude, and the error numbers of spreadsheets are above it. */
const errorsFrom = 1_000_000n;

const samePrice = (a: Decimal, b: Decimal): boolean => a.coefficient === b.coefficient && a.scale === b.scale;

const shownName = ({ symbol, instrument }: PriceRow): string =>
  instrument === null ? symbol : `${symbol} (${instrument})`;

const rowsShown = (count: number): string => (count === 1 ? "1 row has" : `${count} rows have`);

const quoted = (text: string): string => JSON.stringify(text.slice(0, 60));

interface Moment {
  readonly name: Family["name"];
  readonly day: number;
  /** Minutes since midnight. */
  readonly minute: number;
  readonly shown: string;
}

/** Reads the moment in a name such as `Futures_20250716_1400.csv`; the name may continue after it. */
function momentInName(path: string): Moment {
  const [, name, year, month, date, hour, minute] =
    /^(Futures|Options|market_prices)_(\d{4})(\d{2})(\d{2})_(\d{2})(\d{2})(?!\d)/i.exec(basename(path)) ?? [];
  const day = parseDay(`${year}-${month}-${date}`);
  const known = families.find((family) => family.name.toLowerCase() === name?.toLowerCase())?.name;
  if (known === undefined || day === undefined || Number(hour) > 23 || Number(minute) > 59)
    throw badFile(
      path,
      "the file's name does not give its kind and moment",
      "name a price file like Futures_20250716_1400.csv",
    );
  return { name: known, day, minute: Number(hour) * 60 + Number(minute), shown: `${hour}:${minute}` };
}

/** Returns the family with this name and these columns. Columns without a name are ignored. */
function familyOf(path: string, name: Family["name"], columns: readonly string[]): Family {
  const named = columns.filter((column) => column !== "");
  const fits = (family: Family): boolean => {
    const needed = columnsOf(family);
    return (
      new Set(named).size === named.length &&
      needed.every((column) => named.includes(column)) &&
      named.every((column) => needed.includes(column) || family.optional.includes(column))
    );
  };
  const family = families.find((candidate) => candidate.name === name && fits(candidate));
  if (family !== undefined) return family;
  const found = Buffer.from(named.join(","));
  const other = families.find(fits);
  const hint = other === undefined ? "" : ` (${other.name}_ files have them)`;
  throw badFile(
    path,
    `no ${name}_ file has the columns ${RowFields.excerpt(found, 0, found.length)}${hint}`,
    knownFamilies,
  );
}

function columnsOf({ symbol, price, others }: Family): readonly string[] {
  return [...new Set([symbol, ...price.close, ...price.sod_tomorrow, ...others])];
}

const knownFamilies = `give a file of a known kind: ${families.map((family) => `${family.name}_ with ${columnsOf(family).join(",")}`).join("; ")}`;

const shownWindows = windows.map(({ from, until }) => `${clock(from)} to ${clock(until)}`).join(", ");

function clock(minute: number): string {
  return `${Math.floor(minute / 60)}:${String(minute % 60).padStart(2, "0")}`;
}

function badFile(path: string, what: string, fix: string): BridgeError {
  return new BridgeError("BAD_PRICE_FILE", { what, where: path, fix });
}

async function sizeOf(path: string): Promise<number> {
  const { size } = await regularFile(path);
  if (size > priceFileBytesMax)
    throw badFile(
      path,
      `a price file has at most ${priceFileBytesMax} bytes, this one has ${size}`,
      "name the desk's price files",
    );
  return size;
}
