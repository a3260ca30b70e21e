import { plain } from "../../base/plain-text.ts";
import { type FailureDetails, SystemFailure } from "../../domain/migration/system-failure.ts";
import type { SystemCall } from "../../ports/system.ts";

/** What is kept of an error that a module threw, whatever it was. */
export interface ForeignError {
  /** The class's name: `TypeError`. */
  readonly name: string;
  readonly message: string;
  /** The error's own `code`, where it has one that is text. */
  readonly code: string | undefined;
}

const messageMax = 500;
const nameMax = 100;

/** Bounded, on one line. Never throws: an error of a stranger may have getters that do. */
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
      message: typeof message === "string" ? short(message, messageMax) : "an error without words",
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

/** The failure of a call whose method threw. Its code, by which two systems' errors are compared: the error's own, else its class. */
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

/** The failure of a call that nobody waits for any longer. */
export const nobodyWaits =
  (what: string, { deadlineMs }: SystemCall) =>
  (why: "deadline" | "abort"): SystemFailure =>
    new SystemFailure(
      "TIMEOUT",
      `${what}: ${why === "deadline" ? `no answer within ${deadlineMs} ms` : "nobody waits for the answer any longer"}`,
    );

/** A method's name for a message, whoever made it up. */
export const methodText = (method: string): string => (method === "" ? '""' : short(method, nameMax));

const short = (text: unknown, lengthMax: number): string => {
  const whole = typeof text === "string" ? text : String(text);
  return plain(whole.length > lengthMax ? `${whole.slice(0, lengthMax)}…` : whole);
};
