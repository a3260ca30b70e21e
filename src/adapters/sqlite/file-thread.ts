/**
 * The caller's side of a worker thread that owns a database file. The process stays alive until each call has
 * its answer.
 */
import { BridgeError } from "../../base/errors.ts";
import { ThreadRpc, threadFile } from "../../platform/thread-rpc.ts";
import type { Calls, Failure } from "./thread-messages.ts";

interface FileThreadOptions {
  /** The owner's name in messages, as "the control store". */
  readonly name: string;
  /** The thread's module, without its extension, beside the module that starts it (`import.meta.url`). */
  readonly module: string;
  readonly from: string;
  readonly data: unknown;
  /** How long a call waits for its answer, even if the thread hangs. Default: without limit. */
  readonly deadlineMs?: number;
  /** Receives the events that the thread sends on its own. */
  readonly onEvent?: (event: string) => void;
}

/** With a deadline set, at most this many calls wait for an answer; further ones are refused at once. */
const unansweredMax = 1_000;

export class FileThread<Api extends { readonly [name in keyof Api]: Calls[string] }> {
  readonly #name: string;
  readonly #deadlineMs: number;
  readonly #rpc: ThreadRpc<unknown, Failure, string>;
  /** Why the thread ended; undefined while it runs. */
  #gone: BridgeError | undefined;

  constructor({
    name,
    module,
    from,
    data,
    deadlineMs = Number.POSITIVE_INFINITY,
    onEvent = () => {},
  }: FileThreadOptions) {
    this.#name = name;
    this.#deadlineMs = deadlineMs;
    this.#rpc = new ThreadRpc({
      file: threadFile(module, from),
      worker: { workerData: data, execArgv: [], name, resourceLimits: { maxYoungGenerationSizeMb: 16 } },
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

  /** Sends a message that has no answer. The thread handles it before every later message or call. */
  tell<Name extends keyof Api & string>(name: Name, given: Parameters<Api[Name]>[0]): void {
    this.#rpc.tell(name, given);
  }

  /**
   * Rejects with the error of the thread, or with SYSTEM_DOWN after the deadline. A call that the thread had
   * begun by then may still take effect; a call that it had not begun never does.
   */
  async call<Name extends keyof Api & string>(
    name: Name,
    given: Parameters<Api[Name]>[0],
  ): Promise<ReturnType<Api[Name]>> {
    const deadlineMs = this.#deadlineMs;
    if (this.#gone !== undefined) throw this.#gone;
    if (Number.isFinite(deadlineMs) && this.#rpc.unanswered >= unansweredMax)
      throw this.#down(`has ${unansweredMax} unanswered calls and takes no more`);
    const givenUp = (): BridgeError =>
      this.#down(`did not answer within ${deadlineMs} ms; the call may still take effect`);
    // The thread's table of answers has this type.
    return (await this.#rpc.call(name, given, { deadlineMs, givenUp })) as ReturnType<Api[Name]>;
  }

  /** Sends `close` to the thread and waits for its end. A thread that does not answer is terminated. */
  async end(): Promise<void> {
    const isClosed =
      this.#gone !== undefined ||
      (await this.call("close" as keyof Api & string, null).then(
        () => true,
        () => this.#gone !== undefined,
      ));
    if (isClosed) await this.#rpc.exited();
    // The thread may be stuck in a system call that nothing can interrupt, so its end is not awaited.
    else void this.#rpc.end("was ended");
  }

  #down(what: string): BridgeError {
    return new BridgeError("SYSTEM_DOWN", { what: `${this.#name} ${what}`, fix: "check the disk" });
  }
}
