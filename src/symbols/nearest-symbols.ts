import { type DialectName, dialects } from "./dialects/index.ts";
import type { SymbolContext } from "./reading.ts";
import { readSymbol, type Source, symbolLengthMax } from "./translator.ts";

/** The characters that symbols consist of. */
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ./:-";
const nearestMax = 3;

/**
 * Suggests symbols that a person may have meant by a refused text: those one typing error away (a character
 * changed, two swapped, one too many, one missing) that translate without a note. Returns at most three; the
 * result is deterministic. Tries a few thousand texts in a few milliseconds: meant for single answers to a
 * person, not for each of a million rows.
 */
export function nearestSymbols(text: string, source: Source, context: SymbolContext): readonly string[] {
  if (text.length === 0 || text.length >= symbolLengthMax) return [];
  const from = text
    .trim()
    .toUpperCase()
    .replace(/ CO[A-Z]{1,6}$/, " Comdty");
  const year = /20\d\d/.exec(from)?.[0] ?? "";
  const found: string[] = [];
  for (const candidate of slipsOf(from)) {
    // A changed four-digit year would name a contract of another year, which nobody meant.
    if (
      candidate === from ||
      !candidate.includes(year) ||
      found.includes(candidate) ||
      !isForm(candidate, source)
    )
      continue;
    const reading = readSymbol(candidate, source, context);
    if (reading.ok && reading.notes.length === 0) found.push(candidate);
    if (found.length === nearestMax) break;
  }
  return found;
}

const isForm = (text: string, source: Source): boolean =>
  source === "auto"
    ? Object.values(dialects).some((dialect) => dialect.detects(text))
    : dialects[source satisfies DialectName].detects(text);

function* slipsOf(text: string): Generator<string> {
  for (let at = 0; at + 1 < text.length; at++)
    yield text.slice(0, at) + text.charAt(at + 1) + text.charAt(at) + text.slice(at + 2);
  for (let at = 0; at < text.length; at++) yield text.slice(0, at) + text.slice(at + 1);
  for (let at = 0; at < text.length; at++)
    for (const character of alphabet) yield text.slice(0, at) + character + text.slice(at + 1);
  for (let at = 0; at <= text.length; at++)
    for (const character of alphabet) yield text.slice(0, at) + character + text.slice(at);
}
