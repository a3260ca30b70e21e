/** Runs one piece of work in a process of its own, which shares no lock, memory or thread with the caller. */
import { fork } from "node:child_process";
import { BridgeError, type ErrorCode, messageOf } from "../base/errors.ts";

type Answer<Result> =
  | { readonly result: Result }
  | { readonly failure: { readonly code: ErrorCode; readonly what: string; readonly where?: string } };

/**
 * Sends `asked` to a process that `answerOnce` serves, and returns its result. `work` names the work in messages,
 * and an abort of `signal` ends the process. Throws the errors of the work, and SYSTEM_DOWN if the process ends
 * without an answer.
 */
export function runApart<Asked extends object, Result>(
  file: URL,
  asked: Asked,
  { work, signal }: { readonly work: string; readonly signal?: AbortSignal },
): Promise<Result> {
  const child = fork(file, { execArgv: [], killSignal: "SIGKILL", ...(signal && { signal }) });
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const ended = (): void =>
    reject(
      new BridgeError("SYSTEM_DOWN", {
        what: `the process that ${work} ended without an answer`,
        fix: "try again",
      }),
    );
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
