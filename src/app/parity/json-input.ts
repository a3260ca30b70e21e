import { readFile } from "node:fs/promises";
import { BridgeError, codeOf, messageOf } from "../../base/errors.ts";

interface JsonInput<T> {
  /** The content of the file, as messages name it: "the rows", "the report". */
  readonly what: string;
  /** How the file is written. */
  readonly form: string;
  readonly parse: (text: string) => T;
}

/** Reads a JSON file that a user names. Throws BridgeError UNREADABLE, also for text that is not JSON. */
export async function readJsonInput<T>(path: string, { what, form, parse }: JsonInput<T>): Promise<T> {
  try {
    return parse(await readFile(path, "utf8"));
  } catch (cause) {
    const isSyntax = cause instanceof SyntaxError;
    throw new BridgeError("UNREADABLE", {
      what: `${what} cannot be read: ${isSyntax ? messageOf(cause) : codeOf(cause)}`,
      where: path,
      fix: isSyntax ? form : "check the path",
      cause,
    });
  }
}
