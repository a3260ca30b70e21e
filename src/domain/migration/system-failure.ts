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

/** A failed call. `code` is the foreign system's own name for it, where it has one. */
export class SystemFailure extends Error {
  override readonly name = "SystemFailure";
  readonly failure: FailureClass;
  readonly code: string | undefined;

  constructor(failure: FailureClass, what: string, more: { readonly code?: string; readonly cause?: unknown } = {}) {
    super(what, { cause: more.cause });
    this.failure = failure;
    this.code = more.code;
  }
}
