/** The classes of failed system calls. If both systems fail, the comparison compares these classes. */
export const failureClasses = {
  REFUSED: "the system answered with an error: bad input, unknown method, or an internal error",
  TIMEOUT: "the system did not answer before the deadline",
  DOWN: "the system cannot be reached, or ended during the call",
  TOO_LARGE: "the answer, or the request, is larger than the limit",
  GARBLED: "the response is not a valid answer",
  BUSY: "too many calls are running, or the system is restarting",
} as const;
export type FailureClass = keyof typeof failureClasses;

/**
 * The culprit of a failure. `unknown` means the request or the system: the failure alone does not show which.
 */
const blames: Readonly<Record<FailureClass, "system" | "unknown">> = {
  REFUSED: "unknown",
  TIMEOUT: "system",
  DOWN: "system",
  TOO_LARGE: "unknown",
  GARBLED: "system",
  BUSY: "system",
};

export interface FailureDetails {
  /** The foreign system's own code of the failure. */
  readonly code?: string;
  readonly cause?: unknown;
  /** Whether the system reported a bad request. Default: whether the code is BAD_REQUEST. */
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

/** The culprit of a failure. Refusing a bad request says nothing about the health of a system. */
export const blameOf = ({ failure, blamesRequest }: SystemFailure): "request" | "system" | "unknown" =>
  blamesRequest ? "request" : blames[failure];
