import { at } from "../base/present.ts";
import { type DialectName, dialects } from "./dialects/index.ts";
import {
  type Dialect,
  type Printing,
  type Read,
  type Reading,
  type Refused,
  refused,
  type SymbolContext,
  type SymbolNote,
} from "./reading.ts";

/** The dialect of a text, or `auto` to detect it. */
export type Source = DialectName | "auto";

/** A reading and its dialect; null if the text is refused and no single dialect refused it. */
export type Detected = DetectedAmong<DialectName>;
type DetectedAmong<Name extends string> =
  | (Read & { readonly dialect: Name })
  | (Refused & { readonly dialect: Name | null });

/** The longest text that is read: twice the length of the longest symbol of any dialect. */
export const symbolLengthMax = 96;

const named = dialects as Readonly<Record<DialectName, Dialect & { readonly name: DialectName }>>;
const all = Object.values(named);

/**
 * Reads the instrument that a text names. Surrounding spaces, repeated spaces and letters of the wrong case
 * are accepted, with a note. `auto` tries every dialect that has symbols of that form: if all readings agree
 * on one instrument, it is the result, with a note; if they differ, the text is refused and the refusal lists
 * them.
 *
 * Never throws. Takes a few microseconds for any text; texts longer than `symbolLengthMax` are refused
 * unread.
 */
export function readSymbol(text: string, source: Source, context: SymbolContext): Detected {
  return readAs(text, source === "auto" ? all : [named[source]], context);
}

/** Like `readSymbol`, with the given dialects only. */
export function readAs<Name extends string>(
  text: string,
  among: readonly (Dialect & { readonly name: Name })[],
  context: SymbolContext,
): DetectedAmong<Name> {
  if (text.length > symbolLengthMax)
    return {
      ...refused("TOO_LONG", `a symbol has at most ${symbolLengthMax} characters`),
      dialect: null,
    };
  const exact = detected(text, among, context);
  if (exact !== undefined) return exact;
  const tidied = tidy(text);
  if ("ok" in tidied) return { ...tidied, dialect: null };
  const again = tidied.text === text ? undefined : detected(tidied.text, among, context);
  if (again === undefined) {
    const only = among.length === 1 ? among[0] : undefined;
    const refusal = only?.parse(tidied.text, context) ?? unknownForm(tidied.text);
    return { ...(refusal as Refused), dialect: only?.name ?? null };
  }
  return again.ok ? { ...again, notes: [...tidied.notes, ...again.notes] } : again;
}

function unknownForm(text: string): Refused {
  const [, contract, digit, suffix = ""] = /^([A-Z]{2,3}[FGHJKMNQUVXZ])\d(\d)( Comdty)?$/.exec(text) ?? [];
  if (contract === undefined)
    return refused("UNKNOWN_FORM", "the text does not have the form of any dialect's symbols");
  const meant = `${contract}${digit}${suffix}`;
  return refused("UNKNOWN_FORM", `a future is written with one digit of its year: ${meant}`, {
    nearest: [meant],
  });
}

/** Writes an instrument in a dialect, or returns the reason why the dialect cannot express it. */
export const printSymbol = (
  instrument: Read["instrument"],
  target: DialectName,
  context: SymbolContext,
): Printing => dialects[target].print(instrument, context);

/** Returns the reading of the dialects whose form the text has; undefined if no dialect has that form. */
function detected<Name extends string>(
  text: string,
  among: readonly (Dialect & { readonly name: Name })[],
  context: SymbolContext,
): DetectedAmong<Name> | undefined {
  let first: { readonly dialect: Name; readonly reading: Reading } | undefined;
  let others: { readonly dialect: Name; readonly reading: Reading }[] | undefined;
  for (const dialect of among) {
    if (!dialect.detects(text)) continue;
    const found = { dialect: dialect.name, reading: dialect.parse(text, context) };
    if (first === undefined) first = found;
    else others = [...(others ?? [first]), found];
  }
  if (first === undefined) return undefined;
  if (others === undefined) return { ...first.reading, dialect: first.dialect };
  return decided(others);
}

function decided<Name extends string>(
  found: readonly { readonly dialect: Name; readonly reading: Reading }[],
): DetectedAmong<Name> {
  const reads = found.flatMap(({ dialect, reading }) => (reading.ok ? [{ dialect, reading }] : []));
  const [one, ...more] = reads;
  if (one === undefined) {
    const telling = found.find(({ reading }) => !reading.ok && !unknowing.has(reading.code));
    const { dialect, reading } = telling ?? at(found, 0);
    return { ...reading, dialect };
  }
  if (more.length === 0) return { ...one.reading, dialect: one.dialect };
  const names = new Set(reads.map(({ reading }) => reading.instrument.name));
  const shown = reads.map(({ dialect }) => dialect).join(", ");
  if (names.size === 1) {
    const note: SymbolNote = {
      code: "SEVERAL_DIALECTS",
      why: `it means ${one.reading.instrument.name} in each of ${shown}`,
    };
    return { ...one.reading, notes: [...one.reading.notes, note], dialect: one.dialect };
  }
  const meanings = reads.map(({ dialect, reading }) => `${reading.instrument.name} in ${dialect}`).join(", ");
  return {
    ...refused("AMBIGUOUS", `it means ${meanings}; name the dialect`, { candidates: [...names] }),
    dialect: null,
  };
}

/** Refusals that may only mean that the text belongs to another dialect. */
const unknowing: ReadonlySet<string> = new Set(["UNKNOWN_FORM", "UNKNOWN_PRODUCT", "UNKNOWN_SERIES"]);

/** Returns the text with capitals and spaces as the dialects write them, with notes on each correction. */
function tidy(text: string): { readonly text: string; readonly notes: readonly SymbolNote[] } | Refused {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 126 || (unit < 32 && !isBlank(unit)))
      return refused(
        "NOT_ASCII",
        `character ${at + 1} (U+${unit.toString(16).toUpperCase().padStart(4, "0")}) is in no dialect`,
      );
  }
  const spaced = text.replaceAll(/[ \t\r\n]+/g, " ").replaceAll(/^ | $/g, "");
  if (spaced === "") return refused("EMPTY", "the symbol is empty");
  const capital = spaced.toUpperCase().replace(/ COMDTY$/, " Comdty");
  const notes: SymbolNote[] = [];
  if (spaced !== text) notes.push({ code: "WHITESPACE", why: "extra spaces or tabs were removed" });
  if (capital !== spaced) notes.push({ code: "CASE", why: `upper and lower case differ from ${capital}` });
  return { text: capital, notes };
}

const isBlank = (unit: number): boolean => unit === 9 || unit === 10 || unit === 13 || unit === 32;
