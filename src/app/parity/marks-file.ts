import { open } from "node:fs/promises";
import { regularFile } from "../../adapters/csv/files.ts";
import { type Decimal, parseDecimal } from "../../base/decimal.ts";
import { BridgeError, codeOf, messageOf } from "../../base/errors.ts";

/** A larger file is refused; a desk has some hundred marks. */
const marksBytesMax = 16 << 20;

/** A price given by a person for a symbol of any dialect. */
export interface GivenMark {
  readonly symbol: string;
  readonly price: Decimal;
}

/**
 * Reads the file of `--marks`: a JSON object from symbol to price. A price may be a text or a number; a
 * number is read from its source text and never becomes a float. Throws BAD_MARKS or UNREADABLE.
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
    throw bad(path, "the file is not a JSON object");
  const marks: GivenMark[] = [];
  for (const { key, value } of membersOf(text)) {
    const price = parseDecimal(value.startsWith('"') ? String(JSON.parse(value)).trim() : value);
    if (price === undefined)
      throw bad(path, `the price of ${shown(key)} is not a number: ${value.slice(0, 60)}`);
    marks.push({ symbol: key, price });
  }
  return marks;
}

/**
 * Groups marks by the name under which they are kept. Throws BAD_MARKS for two marks of one name with
 * different prices.
 */
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
      throw bad(path, `${shown(known.symbol)} and ${shown(mark.symbol)} are one instrument with two prices`);
    named.set(name, mark);
  }
  return named;
}

async function readText(path: string): Promise<string> {
  try {
    // Checked before opening: a pipe would wait for its writer, and a device has no end.
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
 * The members of a JSON object in order, with the source text of their values. JSON.parse would silently keep
 * the last of two members with one name. The text must be valid JSON. A nested object or array is cut at the
 * wrong place, and therefore refused as a price.
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

/**
 * The position after the closing quote of the string that begins at `start`. It uses a loop because a regular
 * expression would exhaust the stack on a long string.
 */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** A name as quoted in an error. */
const shown = (key: string): string => JSON.stringify(key.length > 100 ? `${key.slice(0, 100)}…` : key);

const same = (a: Decimal, b: Decimal): boolean => a.coefficient === b.coefficient && a.scale === b.scale;

const bad = (path: string, what: string, cause?: unknown): BridgeError =>
  new BridgeError("BAD_MARKS", {
    what: `the marks cannot be used: ${what}`,
    where: path,
    fix: 'write {"SYMBOL": "110.5", …}',
    cause,
  });
