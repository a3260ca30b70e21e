import { plain } from "./plain-text.ts";

/**
 * The codes of all failures that a person can see. Each failure also says what is wrong, where, and how to
 * fix it. docs/errors.md prints this catalogue (a test compares).
 */
export const errorCatalogue = {
  BAD_USAGE: "the command or request asks for something that does not exist or is not possible",
  BAD_CONFIG: "the configuration lacks a value, or has one that is not valid",
  BAD_MARKS: "the marks file is not a JSON object of symbol to price",
  BAD_LEDGER: "the file is not a trade ledger",
  BAD_PRICE_FILE: "the file is none of the known price file families",
  BAD_WORKBOOK: "the file is not an .xlsx workbook that can be read",
  BAD_CALENDAR: "the file is not an expiration calendar",
  NO_INPUT: "the given place contains no input",
  UNREADABLE: "the file or folder cannot be read",
  UNWRITABLE: "the output cannot be written",
  BAD_DATABASE: "the database is not the expected one, or its tables differ from the expected ones",
  FILE_REPLACED: "another file has taken the place of a database that is open",
  DATABASE_BUSY: "the database stayed locked or busy, or kept changing, for too long",
  REFUSED: "the requested action is not allowed now",
  CONFLICT: "the plan, the authority or the watcher of the files is not the one that the request expects",
  CLOSED: "the bridge, store or system that was called is closed",
  SYSTEM_DOWN: "a system that should answer did not",
  INTERNAL: "a bug in pnl-bridge",
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

/**
 * A failure for the person who runs the program. Its `line` has the code, what is wrong, where, and how to
 * fix it.
 */
export class BridgeError extends Error {
  override readonly name = "BridgeError";
  readonly code: ErrorCode;
  readonly where: string;
  readonly fix: string;

  constructor(
    code: ErrorCode,
    given: {
      readonly what: string;
      readonly where?: string;
      readonly fix?: string;
      readonly cause?: unknown;
    },
  ) {
    super(given.what, { cause: given.cause });
    this.code = code;
    this.where = given.where ?? "";
    this.fix = given.fix ?? "";
  }

  /** The failure as a JSON document, for programs. */
  get document(): {
    readonly code: ErrorCode;
    readonly what: string;
    readonly where?: string;
    readonly fix?: string;
  } {
    const { code, message: what, where, fix } = this;
    return { code, what, ...(where !== "" && { where }), ...(fix !== "" && { fix }) };
  }

  /** The failure as one line for stderr, without control characters from a path or a cause. */
  get line(): string {
    const where = this.where === "" ? "" : ` (${plain(this.where)})`;
    const fix = this.fix === "" ? "" : `; ${sentence(this.fix)}`;
    return `${this.code}: ${sentence(this.message)}${where}${fix}`;
  }
}

/**
 * Joins a message of several lines, such as a parser's, into one. In a name, a newline is escaped instead.
 */
const sentence = (text: string): string => plain(text.replaceAll(/\s*\n\s*/g, " "));

/** The code of an error of the operating system or of SQLite, such as ENOENT; empty if the error has none. */
export const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : "";

/** A failure as text for a person: the line of a BridgeError, and the message of any other failure. */
export const lineOf = (failure: unknown): string =>
  failure instanceof BridgeError ? failure.line : messageOf(failure);

/** The message of a thrown value. */
export const messageOf = (failure: unknown): string => errorOf(failure).message;

/** A thrown value as an Error. */
export const errorOf = (failure: unknown): Error =>
  failure instanceof Error ? failure : new Error(String(failure));

/** Checks an invariant, in production too. A failure is a bug in pnl-bridge. */
export function assert(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${claim}`);
}

/** Ends an exhaustive switch: a new member of the union breaks the build here. */
export const unreachable = (value: never): never => {
  throw new Error(`broken invariant: unhandled ${JSON.stringify(value)}`);
};
