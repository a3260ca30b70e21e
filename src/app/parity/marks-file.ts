import { open } from "node:fs/promises";
import { regularFile } from "../../adapters/csv/files.ts";
import { type Decimal, parseDecimal } from "../../base/decimal.ts";
import { BridgeError, codeOf, messageOf } from "../../base/errors.ts";

/** A larger file holds no marks: a desk has some hundred. */
const marksBytesMax = 16 << 20;

/** A price that a person gave, under the name that they gave it, in whatever dialect. */
export interface GivenMark {
  readonly symbol: string;
  readonly price: Decimal;
}

/**
 * Reads `--marks`: a JSON object of symbol to price. A price may stand as text or as a number, which is read from its source
 * text and so never becomes a float. Throws BAD_MARKS or UNREADABLE.
 */
export async function readMarksFile(path: string): Promise<readonly GivenMark[]> {
  const text = await readText(path);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw bad(path, messageOf(cause), cause);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw bad(path, "the file is no JSON object");
  const marks: GivenMark[] = [];
  for (const { key, value } of membersOf(text)) {
    const price = parseDecimal(value.startsWith('"') ? String(JSON.parse(value)).trim() : value);
    if (price === undefined)
      throw bad(path, `the price of ${shown(key)} is no number: ${value.slice(0, 60)}`);
    marks.push({ symbol: key, price });
  }
  return marks;
}

/** Marks by the name under which they are kept. Two of one name must have one price, or BAD_MARKS is thrown. */
export function namedMarks(
  path: string,
  marks: readonly GivenMark[],
  nameOf: (symbol: string) => string,
): ReadonlyMap<string, GivenMark> {
  const named = new Map<string, GivenMark>();
  for (const mark of marks) {
    const name = nameOf(mark.symbol.trim());
    const known = named.get(name);
    if (known !== undefined && !same(known.price, mark.price))
      throw bad(path, `${shown(known.symbol)} and ${shown(mark.symbol)} are one thing, with two prices`);
    named.set(name, mark);
  }
  return named;
}

async function readText(path: string): Promise<string> {
  try {
    // Asked before opening: a pipe would wait for its writer, and a device has no end.
    const stats = await regularFile(path, "name a JSON file");
    if (stats.size > marksBytesMax) throw bad(path, `the file is larger than ${marksBytesMax} bytes`);
    await using file = await open(path);
    return (await file.readFile("utf8")).replace(/^\uFEFF/, "");
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    throw new BridgeError("UNREADABLE", {
      what: `the marks file cannot be read: ${codeOf(cause)}`,
      where: path,
      fix: "check the path",
      cause,
    });
  }
}

/**
 * The members of a JSON object in order, values as they are written. JSON.parse alone would keep the last of two members of one
 * name and say nothing. The text must be valid JSON; what is cut wrongly here, an object or array inside, reads as no number.
 */
function* membersOf(text: string): Generator<{ readonly key: string; readonly value: string }> {
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at)) {
    const keyEnd = endOfString(text, at);
    const key: string = JSON.parse(text.slice(at, keyEnd));
    const beginning = /\s*:\s*("|[^\s,}"]+)/y;
    beginning.lastIndex = keyEnd;
    const [, begun = ""] = beginning.exec(text) ?? [];
    const start = beginning.lastIndex - begun.length;
    at = begun === '"' ? endOfString(text, start) : beginning.lastIndex;
    yield { key, value: text.slice(start, at) };
  }
}

/** Behind the closing quote of the string that begins at `start`. A loop, because a pattern would run out of stack on a long one. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** A name as it is quoted in a complaint. */
const shown = (key: string): string => JSON.stringify(key.length > 100 ? `${key.slice(0, 100)}…` : key);

const same = (a: Decimal, b: Decimal): boolean => a.coefficient === b.coefficient && a.scale === b.scale;

const bad = (path: string, what: string, cause?: unknown): BridgeError =>
  new BridgeError("BAD_MARKS", {
    what: `these are no marks: ${what}`,
    where: path,
    fix: 'write {"SYMBOL": "110.5", …}',
    cause,
  });
