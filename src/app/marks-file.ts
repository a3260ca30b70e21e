import { readFile } from "node:fs/promises";
import { formatDecimal, parseDecimal } from "../domain/decimal.ts";
import { BridgeError } from "../domain/errors.ts";

const marksBytesMax = 64 * 2 ** 20;

/**
 * Reads `--marks`: a JSON object of symbol to price, as decimal text. A price may stand as text or as a number, which is
 * read from its source text and so never becomes a float. Throws BAD_MARKS or UNREADABLE.
 */
export async function readMarksFile(path: string): Promise<ReadonlyMap<string, string>> {
  let text: string;
  try {
    const bytes = await readFile(path);
    if (bytes.length > marksBytesMax) throw bad(path, `the file is larger than ${marksBytesMax} bytes`);
    text = bytes.toString("utf8").replace(/^\uFEFF/, "");
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    throw new BridgeError("UNREADABLE", {
      what: `the marks file cannot be read: ${(cause as NodeJS.ErrnoException).code}`,
      where: path,
      mend: "check the path",
      cause,
    });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text, (_key, value, context?: { readonly source?: string }) =>
      typeof value === "number" ? new SourceNumber(context?.source ?? String(value)) : value,
    );
  } catch (cause) {
    throw bad(path, (cause as Error).message, cause);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed) || parsed instanceof SourceNumber)
    throw bad(path, "the file is no JSON object");
  const marks = new Map<string, string>();
  for (const [symbol, value] of Object.entries(parsed)) {
    const price = parseDecimal(value instanceof SourceNumber ? value.source : typeof value === "string" ? value.trim() : "");
    if (price === undefined)
      throw bad(
        path,
        `the price of ${JSON.stringify(symbol)} is no number: ${JSON.stringify(value instanceof SourceNumber ? value.source : value)?.slice(0, 60)}`,
      );
    marks.set(symbol.trim(), formatDecimal(price));
  }
  return marks;
}

/** A JSON number as it is written. */
class SourceNumber {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

const bad = (path: string, what: string, cause?: unknown): BridgeError =>
  new BridgeError("BAD_MARKS", { what: `these are no marks: ${what}`, where: path, mend: 'write {"SYMBOL": "110.5", …}', cause });
