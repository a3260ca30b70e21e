import { formatDecimal } from "../../base/decimal.ts";
import type { DayNumber, TradingDayRule } from "../../domain/market/trading-day.ts";
import { type Describe, ownName, type Refusal, TradeColumns } from "../../engine/index.ts";
import type {
  LedgerPiece,
  LedgerPlace,
  LedgerRefusal,
  LedgerRows,
  LedgerTrade,
  RefusedRow,
} from "../../ports/ledger-rows.ts";
import { LedgerLines, type LineTaker, ledgerColumns, notText } from "./ledger-lines.ts";
import { type NotCsv, notCsv } from "./not-csv.ts";
import { lineBytesMax, RowFields } from "./row-fields.ts";

interface LedgerRowsOptions {
  readonly describe: Describe;
  readonly dayRule: TradingDayRule;
}

/**
 * The reader of ledgers that grow. Its rows are those of `readLedgers`, with these differences:
 *
 * - A row of which not even the product is known is refused.
 * - A quoted field ends with its line, so an open quote costs one row.
 * - The header may be repeated between the rows; another header ends reading, because columns may have moved.
 * - A trace of a spreadsheet ends reading, because the spreadsheet may have changed other numbers too.
 * - NUL bytes end reading until the caller sets `passesNul`; then their whole line is refused.
 */
export const ledgerRows = (options: LedgerRowsOptions): LedgerRows => ({
  read: (name, place, bytes, { takesLast = false, passesNul = false } = {}) =>
    new PieceReader(options, name, place).read(bytes, takesLast, passesNul),
});

class PieceReader implements LineTaker {
  readonly #describe: Describe;
  readonly #place: LedgerPlace;
  /** Holds one row at a time. */
  readonly #columns = new TradeColumns(1);
  readonly #lines: LedgerLines;
  readonly #lanes: Pick<LedgerTrade, "symbol" | "instrument" | "book">[] = [];
  readonly #trades: LedgerTrade[] = [];
  readonly #refused: RefusedRow[] = [];
  #refusal: LedgerRefusal | undefined;

  constructor({ describe, dayRule }: LedgerRowsOptions, name: string, place: LedgerPlace) {
    this.#describe = describe;
    this.#place = place;
    this.#lines = new LedgerLines({ trades: this.#columns, dayRule, joinsQuoted: false }, this);
    this.#lines.open(name, 0, place);
  }

  read(bytes: Uint8Array, takesLast: boolean, passesNul: boolean): LedgerPiece {
    const nulAt = bytes.indexOf(0);
    const stopsAtNul = nulAt >= 0 && !passesNul;
    const otherFormat = nulAt >= 0 && this.#isAtHeader ? notCsv(bytes) : undefined;
    if (otherFormat !== undefined) this.refuseFile(otherFormat);
    const used = this.#refusal === undefined ? this.#read(bytes, stopsAtNul ? nulAt : -1, takesLast) : 0;
    return {
      trades: this.#trades,
      refused: this.#refused,
      place: { offset: this.#place.offset + used, ...this.#lines.place },
      isAtNul: stopsAtNul && this.#refusal === undefined,
      ...(this.#refusal === undefined ? {} : { refusal: this.#refusal }),
    };
  }

  /** Returns the number of bytes that were read. Reading ends at `stopAt` unless it is negative. */
  #read(bytes: Uint8Array, stopAt: number, takesLast: boolean): number {
    if (stopAt >= 0) return this.#lines.read(bytes.subarray(0, stopAt), false);
    const used = this.#lines.read(bytes, takesLast && bytes.length > 0);
    const hasNul = this.#refusal === undefined && bytes.includes(0, used);
    if (!hasNul) return used;
    // `passesNul` is set, and the line of the NUL bytes has no end yet.
    if (!this.#isAtHeader) return this.#lines.skipRest(bytes, used, notText);
    this.#lines.read(bytes, true);
    return 0;
  }

  get #isAtHeader(): boolean {
    return this.#lines.place.columns === null;
  }

  laneOf(symbol: string, book: string | undefined, day: DayNumber): number {
    const known = this.#describe(symbol, day);
    if (known === undefined) return -1;
    return (
      this.#lanes.push({ symbol, instrument: known.instrument ?? ownName(symbol), book: book ?? "" }) - 1
    );
  }

  take(): boolean {
    const { line, fields } = this.#lines;
    const [columns, id] = [this.#columns, this.#columns.id(0)];
    const lane = this.#lanes[columns.laneAt(0)];
    const hasExponent = exponent.test(id) || fields.has(this.#lines.columnOf("price"), capitalE);
    if (hasExponent && this.#findsSpreadsheet("")) return false;
    if (lane === undefined || id.includes(mark) || lane.book.includes(mark))
      return this.#refuse("NOT_TEXT", "the row has a byte-order mark inside", fields.texts().join(","));
    const fee = columns.fee.get(0);
    this.#trades.push({
      line,
      id,
      symbol: lane.symbol,
      instrument: lane.instrument,
      book: lane.book,
      side: columns.sideAt(0) === 1 ? "B" : "S",
      quantity: formatDecimal(columns.quantity.at(0)),
      price: formatDecimal(columns.price.at(0)),
      fee: fee === undefined ? null : formatDecimal(fee),
      timeUs: columns.timeAt(0),
      day: columns.dayAt(0),
    });
    return true;
  }

  refuse([code, why]: Refusal, bytes: Uint8Array, from: number, to: number): boolean {
    const text = RowFields.excerpt(bytes, from, to);
    // A line with NUL bytes has the code NOT_TEXT however it is divided into pieces, even if it is also too
    // long.
    if (code === "LINE_TOO_LONG" && bytes.subarray(from, Math.min(to, from + lineBytesMax)).includes(0))
      return this.#refuse(...notText, text);
    if (code === "LINE_TOO_LONG" || code === "NOT_TEXT") return this.#refuse(code, why, text);
    if (this.#isHeader()) return true;
    if (this.#refusal !== undefined || this.#findsSpreadsheet(text)) return false;
    return this.#refuse(code, why, text);
  }

  note(): void {}

  refuseFile({ code, what, fix }: NotCsv): void {
    this.#refusal = { code: code ?? "NOT_A_LEDGER", why: what, fix };
  }

  #refuse(code: RefusedRow["code"], why: string, text: string): true {
    this.#refused.push({ line: this.#lines.line, code, text, why });
    return true;
  }

  /** Whether the row repeats the file's header. Refuses the file if the row is another table's header. */
  #isHeader(): boolean {
    const names = this.#lines.fields.texts();
    const columns = this.#lines.place.columns ?? [];
    if (names.length === columns.length && names.every((name, index) => name === columns[index])) return true;
    const known = ledgerColumns.filter((column) =>
      names.some((name) => name.toLowerCase() === column.toLowerCase()),
    );
    if (known.length * 2 > ledgerColumns.length)
      this.#refusal = {
        code: "NOT_A_LEDGER",
        why: `line ${this.#lines.line} is another header, so the columns may have moved`,
        fix: "move the rows from that line on into a separate file",
      };
    return false;
  }

  /**
   * Refuses the file if the row can only come from a spreadsheet. `text` is the row's line, if the fields
   * could not be read.
   */
  #findsSpreadsheet(text: string): boolean {
    const { fields, line } = this.#lines;
    const isSign = ({ pattern, columns }: (typeof signs)[number]): boolean =>
      columns.some((column) => {
        const field = this.#lines.columnOf(column);
        return field >= 0 && field < fields.count && pattern.test(fields.text(field));
      });
    const hasSemicolons = /;;["\s]*$/.test(text) || text.split(";").length >= ledgerColumns.length;
    const sign = hasSemicolons ? "columns are separated by semicolons" : signs.find(isSign)?.says;
    if (sign === undefined) return false;
    this.#refusal = {
      code: "SPREADSHEET",
      why: `a spreadsheet has saved the file again: ${sign} in line ${line}`,
      fix: "export the ledger again from its system; a spreadsheet changes dates and numbers for good",
    };
    return true;
  }
}

const mark = "\ufeff";
const capitalE = 69;
/** A number such as `1E+05`, as spreadsheets write it; programs write a small `e`. */
const exponent = /^[+-]?\d+(?:[.,]\d+)?E[+-]\d+$/;
/** The texts that only a spreadsheet writes, with the columns in which it writes them. */
const signs = [
  {
    says: "a number has a comma",
    pattern: /^[+-]?\d[\d. ]*,[\d., ]*$/,
    columns: ["quantity", "price", "fee"],
  },
  {
    says: "a date does not begin with its year",
    pattern: /^\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?!\d)/,
    columns: ["marketTradeTime"],
  },
  { says: "a number is shortened to an exponent", pattern: exponent, columns: ["tradeId", "price"] },
] as const;
