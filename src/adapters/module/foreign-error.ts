import { plain } from "../../base/plain-text.ts";
import { type FailureDetails, SystemFailure } from "../../domain/migration/system-failure.ts";
import type { SystemCall } from "../../ports/system.ts";

/** The description of a value that a module threw, whatever its type. */
export interface ForeignError {
  /** The class's name: `TypeError`. */
  readonly name: string;
  readonly message: string;
  /** The error's own `code`, if it is a text. */
  readonly code: string | undefined;
}

const messageMax = 500;
const nameMax = 100;

/**
 * Describes a thrown value: bounded, on one line. Never throws, although a foreign error may have getters
 * that do.
 */
export function foreignError(thrown: unknown): ForeignError {
  try {
    if (typeof thrown !== "object" || thrown === null)
      return { name: "Error", message: short(thrown, messageMax), code: undefined };
    const { name, message, code } = thrown as {
      readonly name?: unknown;
      readonly message?: unknown;
      readonly code?: unknown;
    };
    return {
      name: typeof name === "string" ? short(name, nameMax) : "Error",
      message: typeof message === "string" ? short(message, messageMax) : "an error without a message",
      code: typeof code === "string" && code !== "" ? short(code, nameMax) : undefined,
    };
  } catch {
    return { name: "Error", message: "an error that cannot be read", code: undefined };
  }
}

export const noSuchMethod: ForeignError = {
  name: "Error",
  message: "there is no such method",
  code: undefined,
};

/**
 * The failure of a call whose method threw. The failure's code is the error's own code, or else the name of
 * the error's class unless that is `Error`; by this code the errors of the two systems are compared.
 */
export function refusal(
  { name, message, code }: ForeignError,
  what: string,
  details: FailureDetails = {},
): SystemFailure {
  const known = code ?? (name === "Error" ? undefined : name);
  return new SystemFailure(
    "REFUSED",
    `${what}: ${message}`,
    known === undefined ? details : { ...details, code: known },
  );
}

/** The failure of a call whose caller no longer waits for it. */
export const givenUpFailure =
  (what: string, { deadlineMs }: SystemCall) =>
  (why: "deadline" | "abort"): SystemFailure =>
    new SystemFailure(
      "TIMEOUT",
      why === "deadline"
        ? `${what}: the module did not answer within ${deadlineMs} ms`
        : `${what}: the caller aborted the call`,
    );

/** A method's name for a message: bounded, on one line, whatever a caller passed. */
export const methodText = (method: string): string => (method === "" ? '""' : short(method, nameMax));

const short = (text: unknown, lengthMax: number): string => {
  const whole = typeof text === "string" ? text : String(text);
  return plain(whole.length > lengthMax ? `${whole.slice(0, lengthMax)}…` : whole);
};
