/** This side of a thread in which a file lives: asks it, and keeps the process alive until it has answered. */
import { BridgeError } from "../../base/errors.ts";
import { ThreadRpc, threadFile } from "../../platform/thread-rpc.ts";
import type { Failure, Questions } from "./thread-messages.ts";

interface AskedThreadOptions {
  /** For messages: the thread of `name`. */
  readonly name: string;
  /** The thread's module, without its extension, beside the module that starts it (`import.meta.url`). */
  readonly module: string;
  readonly from: string;
  readonly data: unknown;
  /** How long a question waits for its answer, whatever the thread is stuck in. Default: as long as it takes. */
  readonly deadlineMs?: number;
  /** Told what the thread says unasked. */
  readonly onEvent?: (event: string) => void;
}

/** Where there is a deadline: more are refused at once. */
const unansweredMax = 1_000;

export class AskedThread<Asked extends { readonly [ask in keyof Asked]: Questions[string] }> {
  readonly #name: string;
  readonly #deadlineMs: number;
  readonly #rpc: ThreadRpc<unknown, Failure, string>;
  /** Why there is no thread any longer. */
  #gone: BridgeError | undefined;

  constructor({ name, module, from, data, deadlineMs = Number.POSITIVE_INFINITY, onEvent = () => {} }: AskedThreadOptions) {
    this.#name = name;
    this.#deadlineMs = deadlineMs;
    this.#rpc = new ThreadRpc({
      file: threadFile(module, from),
      worker: { workerData: data, execArgv: [], name },
      isHeld: false,
      notCopied: (failure) => failure,
      failureOf: (failure) => new BridgeError(failure.code, failure),
      onEvent,
      onAbandoned: () => {},
      onEnd: (why, cause) => {
        const reason = cause === undefined ? why : `${why}: ${cause}`;
        this.#gone = new BridgeError("INTERNAL", { what: `the thread of ${name} ${reason}`, cause });
        return this.#gone;
      },
    });
  }

  /** Without an answer; before whatever is asked or told after it. */
  tell<Ask extends keyof Asked & string>(ask: Ask, given: Parameters<Asked[Ask]>[0]): void {
    this.#rpc.tell(ask, given);
  }

  /**
   * Rejects with what the thread fails with, and with SYSTEM_DOWN where it has not answered in time: what it has begun by then may still
   * be done, what it has not is never done.
   */
  async ask<Ask extends keyof Asked & string>(ask: Ask, given: Parameters<Asked[Ask]>[0]): Promise<ReturnType<Asked[Ask]>> {
    const deadlineMs = this.#deadlineMs;
    if (this.#gone !== undefined) throw this.#gone;
    if (Number.isFinite(deadlineMs) && this.#rpc.unanswered >= unansweredMax)
      throw this.#down(`has ${unansweredMax} questions before it`);
    const givenUp = (): BridgeError => this.#down(`did not answer within ${deadlineMs} ms; what was asked may still be done`);
    // The thread's table of answers has this type.
    return (await this.#rpc.call(ask, given, { deadlineMs, givenUp })) as ReturnType<Asked[Ask]>;
  }

  /** Closes what lives in the thread (its question `close`), and ends it; by force where it does not answer. */
  async end(): Promise<void> {
    const isClosed =
      this.#gone !== undefined ||
      (await this.ask("close" as keyof Asked & string, null).then(
        () => true,
        () => this.#gone !== undefined,
      ));
    if (isClosed) await this.#rpc.exited();
    // It may be stuck in a call of the system, which nothing can end: that is not waited for.
    else void this.#rpc.end("was ended");
  }

  #down(what: string): BridgeError {
    return new BridgeError("SYSTEM_DOWN", { what: `${this.#name} ${what}`, fix: "look at the disk" });
  }
}
