import { plainJson } from "./plain-text.ts";

const pieceChars = 1 << 16;

/** A longer array inside an entry is taken apart too: an entry is never much more than this many values. */
const entriesWholeMax = 1_024;

/**
 * What JSON.stringify makes of a document, harmless on a terminal (`plainJson`), in pieces of about 64 kB, so that a report of millions of rows is neither one string
 * (which has a length limit) nor held twice. The values of an object's keys may be iterables other than arrays: they are printed
 * as arrays while they are iterated, once. Arrays are taken apart entry by entry, and an entry where it holds a long array or
 * iterable itself; everything else goes to JSON.stringify as it is.
 */
export function* jsonPieces(document: object): Generator<string> {
  let piece = "";
  for (const part of isWalked(document) ? partsOf(document) : [JSON.stringify(document)]) {
    piece += part;
    if (piece.length < pieceChars) continue;
    yield plainJson(piece);
    piece = "";
  }
  if (piece !== "") yield plainJson(piece);
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
      if (text === undefined) continue; // As JSON.stringify does: what JSON has no word for is no member.
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

/** Whether it is an object that has no text of its own, as a Date has. */
const isWalked = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !isBoxed(value) && typeof (value as { toJSON?: unknown }).toJSON !== "function";

/** `new String("a")` is an object, iterable, and a text to JSON. */
const isBoxed = (value: object): boolean => value instanceof String || value instanceof Number || value instanceof Boolean;

const isList = (value: object): value is Iterable<unknown> => Symbol.iterator in value;

const isLong = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > entriesWholeMax : isWalked(value) && isList(value);
