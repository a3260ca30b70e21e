/** Why a call of a system failed: what errors are compared by. */
export const failureClasses = {
  REFUSED: "the system answered that it cannot do it: bad input, unknown method, an error of its own",
  TIMEOUT: "no answer before the deadline",
  DOWN: "the system cannot be reached, or went away in the middle of the call",
  TOO_LARGE: "the answer, or the request, is larger than the limit",
  GARBLED: "what came is no answer",
  BUSY: "too many calls are under way, or the system is starting again",
} as const;
export type FailureClass = keyof typeof failureClasses;

/** Whom a failure of a class blames. `unknown`: the request or the system, which the failure alone does not tell. */
const blames: Readonly<Record<FailureClass, "system" | "unknown">> = {
  REFUSED: "unknown",
  TIMEOUT: "system",
  DOWN: "system",
  TOO_LARGE: "unknown",
  GARBLED: "system",
  BUSY: "system",
};

export interface FailureDetails {
  /** The foreign system's own name for it. */
  readonly code?: string;
  readonly cause?: unknown;
  /** The system said that the request is bad. Default: whether the code is BAD_REQUEST. */
  readonly blamesRequest?: boolean;
}

/** A failed call. */
export class SystemFailure extends Error {
  override readonly name = "SystemFailure";
  readonly failure: FailureClass;
  readonly code: string | undefined;
  readonly blamesRequest: boolean;

  constructor(failure: FailureClass, what: string, { code, cause, blamesRequest }: FailureDetails = {}) {
    super(what, { cause });
    this.failure = failure;
    this.code = code;
    this.blamesRequest = blamesRequest ?? (failure === "REFUSED" && code === "BAD_REQUEST");
  }
}

/** A bad request says nothing about the health of a system that refuses it. */
export const blameOf = ({ failure, blamesRequest }: SystemFailure): "request" | "system" | "unknown" =>
  blamesRequest ? "request" : blames[failure];
