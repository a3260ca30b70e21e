/** Runs one piece of work in a process of its own, which shares no lock, memory or thread with the caller. */
import { fork } from "node:child_process";
import { BridgeError, type ErrorCode, messageOf } from "../base/errors.ts";

type Answer<Result> =
  | { readonly result: Result }
  | { readonly failure: { readonly code: ErrorCode; readonly what: string; readonly where?: string } };

interface ApartOptions {
  /** Names the work in messages, such as `explains the comparison`. */
  readonly work: string;
  /** An abort ends the process. */
  readonly signal?: AbortSignal;
  /** Advice for a caller whose work exceeds the time limit of `signal`. */
  readonly withoutLimit?: string;
}

/**
 * Sends `asked` to a process that `answerOnce` serves, and returns its result. Throws the errors of the work,
 * and SYSTEM_DOWN if the process ends without an answer.
 */
export function runApart<Asked extends object, Result>(
  file: URL,
  asked: Asked,
  { work, signal, withoutLimit = "try again" }: ApartOptions,
): Promise<Result> {
  const child = fork(file, { execArgv: [], killSignal: "SIGKILL", ...(signal && { signal }) });
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const ended = (): void => {
    const isLate = signal?.reason instanceof DOMException && signal.reason.name === "TimeoutError";
    const what = `the process that ${work} ${isLate ? "did not end in time" : "ended without an answer"}`;
    reject(new BridgeError("SYSTEM_DOWN", { what, fix: isLate ? withoutLimit : "try again" }));
  };
  child.once("message", (answer: Answer<Result>) => {
    if ("result" in answer) resolve(answer.result);
    else reject(new BridgeError(answer.failure.code, answer.failure));
  });
  child.once("error", (failure) => (signal?.aborted === true ? ended() : reject(failure)));
  child.once("exit", ended);
  child.send(asked);
  return promise;
}

/** Answers the one message that this process receives, and ends. */
export function answerOnce<Asked, Result>(work: (asked: Asked) => Promise<Result>): void {
  process.once("message", async (asked: Asked) => {
    const answer: Answer<Result> = await work(asked).then(
      (result) => ({ result }),
      (error) => ({
        failure: error instanceof BridgeError ? error.document : { code: "INTERNAL", what: messageOf(error) },
      }),
    );
    process.send?.(answer, () => process.disconnect());
  });
}
