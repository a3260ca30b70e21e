import { plain } from "./plain-text.ts";

/**
 * Every failure that a person can meet has a code, says what and where, and how to fix it. The catalogue below is the
 * whole list; docs/guide.md prints it (a test compares).
 */
export const errorCatalogue = {
  BAD_USAGE: "the command line asks for something that does not exist",
  BAD_CONFIG: "the configuration file does not say what it must",
  BAD_MARKS: "the marks file is not a JSON object of symbol to price",
  BAD_LEDGER: "the file is not a trade ledger",
  BAD_PRICE_FILE: "the file is none of the known price file families",
  BAD_CALENDAR: "the file is not an expiration calendar",
  NO_INPUT: "there is nothing to work on at that place",
  UNREADABLE: "the file or folder cannot be read",
  UNWRITABLE: "the output cannot be written",
  BAD_DATABASE: "the database is not the one that it should be, or its shape differs",
  DATABASE_BUSY: "the database kept changing while it was read",
  REFUSED: "what was asked for may not be done now",
  CONFLICT: "somebody else changed the plan at the same time",
  SYSTEM_DOWN: "a system that should answer did not",
  INTERNAL: "a bug in pnl-bridge",
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

/** A failure for the person who runs the program: one line of code, what, where, how to fix. */
export class BridgeError extends Error {
  override readonly name = "BridgeError";
  readonly code: ErrorCode;
  readonly where: string;
  readonly fix: string;

  constructor(
    code: ErrorCode,
    given: { readonly what: string; readonly where?: string; readonly fix?: string; readonly cause?: unknown },
  ) {
    super(given.what, { cause: given.cause });
    this.code = code;
    this.where = given.where ?? "";
    this.fix = given.fix ?? "";
  }

  /** For a program that reads the failure. */
  get document(): { readonly code: ErrorCode; readonly what: string; readonly where?: string; readonly fix?: string } {
    const { code, message: what, where, fix } = this;
    return { code, what, ...(where !== "" && { where }), ...(fix !== "" && { fix }) };
  }

  /** One line, for stderr: whatever a path or a cause brought along, no control character reaches the terminal. */
  get line(): string {
    const where = this.where === "" ? "" : ` (${plain(this.where)})`;
    const fix = this.fix === "" ? "" : `; ${sentence(this.fix)}`;
    return `${this.code}: ${sentence(this.message)}${where}${fix}`;
  }
}

/** Wording may come in several lines (a parser's complaint), which become one; a name may not, so its newline is shown. */
const sentence = (text: string): string => plain(text.replaceAll(/\s*\n\s*/g, " "));

/** The code of an error of the operating system or of SQLite, such as ENOENT; empty where it has none. */
export const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string" ? cause.code : "";

/** A failure as one line for a person. */
export const lineOf = (failure: unknown): string => (failure instanceof BridgeError ? failure.line : messageOf(failure));

/** What was thrown, as words. */
export const messageOf = (failure: unknown): string => errorOf(failure).message;

/** What was thrown, as an error. */
export const errorOf = (failure: unknown): Error => (failure instanceof Error ? failure : new Error(String(failure)));

/** States what must be true here; a failure is a bug of ours, and stays checked in production. */
export function assert(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${claim}`);
}

/** Closes a switch: a new member of a union breaks the build here. */
export const unreachable = (value: never): never => {
  throw new Error(`broken invariant: unhandled ${JSON.stringify(value)}`);
};
