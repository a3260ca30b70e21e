import { plainJson } from "./plain-text.ts";
import { inPieces } from "./text-pieces.ts";

/** A longer array inside an entry is split too, so that no part is much larger than the others. */
const entriesWholeMax = 1_024;

/**
 * Yields the JSON of a document, safe for a terminal (`plainJson`), in pieces of about 64 kB, so that a
 * report of millions of rows is neither one string (which has a length limit) nor held twice. Values of an
 * object may be iterables other than arrays: they are iterated once and printed as arrays. Arrays are split
 * into entries, and an entry is split if it contains a long array or iterable; everything else goes to
 * JSON.stringify unchanged.
 */
export function* jsonPieces(document: object): Generator<string> {
  const parts = isWalked(document) ? partsOf(document) : [JSON.stringify(document)];
  for (const piece of inPieces(parts)) yield plainJson(piece);
}

function* partsOf(value: object): Generator<string> {
  if (isList(value)) {
    let separator = "[";
    for (const entry of value) {
      yield separator;
      yield* entryParts(entry);
      separator = ",";
    }
    yield separator === "[" ? "[]" : "]";
    return;
  }
  let separator = "{";
  for (const [key, member] of Object.entries(value)) {
    if (isWalked(member)) {
      yield `${separator}${JSON.stringify(key)}:`;
      yield* partsOf(member);
    } else {
      const text = JSON.stringify(member);
      if (text === undefined) continue; // Like JSON.stringify, omits a value without JSON.
      yield `${separator}${JSON.stringify(key)}:${text}`;
    }
    separator = ",";
  }
  yield separator === "{" ? "{}" : "}";
}

function* entryParts(entry: unknown): Generator<string> {
  if (isWalked(entry) && (isList(entry) || Object.values(entry).some(isLong))) yield* partsOf(entry);
  else yield JSON.stringify(entry) ?? "null";
}

/** Whether a value is an object without its own JSON form, unlike a Date. */
const isWalked = (value: unknown): value is object =>
  typeof value === "object" &&
  value !== null &&
  !isBoxed(value) &&
  typeof (value as { toJSON?: unknown }).toJSON !== "function";

/** Whether a value is a boxed primitive: `new String("a")` is an iterable object, but a text in JSON. */
const isBoxed = (value: object): boolean =>
  value instanceof String || value instanceof Number || value instanceof Boolean;

const isList = (value: object): value is Iterable<unknown> => Symbol.iterator in value;

const isLong = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > entriesWholeMax : isWalked(value) && isList(value);
