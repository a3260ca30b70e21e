import type { SymbolNoteCode, SymbolRefusalCode } from "../domain/market/finding-codes.ts";
import type { DayNumber } from "../domain/market/trading-day.ts";
import type { ExpiryCalendar } from "./expiry-calendar.ts";
import type { Instrument } from "./instrument.ts";

/** The context in which a text is read or printed. */
export interface SymbolContext {
  /** The day on which the text was written; it decides the meaning of one-digit years and bare roots. */
  readonly asOf: DayNumber;
  readonly calendar: ExpiryCalendar;
}

export interface SymbolNote {
  readonly code: SymbolNoteCode;
  readonly why: string;
}

/** The result of reading a text. */
export type Reading = Read | Refused;

export interface Read {
  readonly ok: true;
  readonly instrument: Instrument;
  readonly notes: readonly SymbolNote[];
}

export interface Refused {
  readonly ok: false;
  readonly code: SymbolRefusalCode;
  readonly why: string;
  /** Canonical names of the instruments that an ambiguous text may mean. */
  readonly candidates?: readonly string[];
  /** Texts of the dialect that may have been meant, if they follow directly from the text. */
  readonly nearest?: readonly string[];
  /** The parts that would be lost, if a dialect cannot express the instrument. */
  readonly lost?: readonly string[];
}

/** The result of writing an instrument in a dialect. */
export type Printing = Printed | Refused;

interface Printed {
  readonly ok: true;
  readonly text: string;
  readonly notes: readonly SymbolNote[];
}

export const noNotes: readonly SymbolNote[] = Object.freeze([]);

export const read = (instrument: Instrument, notes: readonly SymbolNote[] = noNotes): Read => ({
  ok: true,
  instrument,
  notes,
});

export const printed = (text: string, notes: readonly SymbolNote[] = noNotes): Printed => ({
  ok: true,
  text,
  notes,
});

export const refused = (
  code: SymbolRefusalCode,
  why: string,
  more?: Pick<Refused, "candidates" | "nearest" | "lost">,
): Refused => ({ ok: false, code, why, ...more });

/** One system's way to name instruments. Each dialect is one file and a row in `dialects/index.ts`. */
export interface Dialect {
  readonly name: string;
  /** A description for people. */
  readonly describes: string;
  readonly forms: readonly DialectForm[];
  /**
   * Whether a text, in the dialect's own capitals and spaces, has the form of its symbols. Does not check its
   * meaning.
   */
  detects(text: string): boolean;
  /** Reads a text in the dialect's own capitals and spaces. */
  parse(text: string, context: SymbolContext): Reading;
  print(instrument: Instrument, context: SymbolContext): Printing;
}

export interface DialectForm {
  readonly what: string;
  /** The grammar of the form, for people. */
  readonly form: string;
  readonly example: string;
}
