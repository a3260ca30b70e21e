/**
 * The caller's side of a worker thread that owns a database file. The process stays alive until each call has
 * its answer. Starting a thread costs more processor time than opening a file, so the thread of a closed file
 * waits for the next file of its kind.
 */
import { BridgeError } from "../../base/errors.ts";
import { noteDatabase } from "../../platform/open-files.ts";
import { ThreadRpc, threadFile } from "../../platform/thread-rpc.ts";
import type { Calls, Failure } from "./thread-messages.ts";

interface FileThreadOptions {
  /** The owner's name in messages, as "the control store". */
  readonly name: string;
  /** The thread's module, without its extension, beside the module that starts it (`import.meta.url`). */
  readonly module: string;
  readonly from: string;
  readonly data: unknown;
  /** The database file that the thread opens. */
  readonly path?: string;
  /** How long a call waits for its answer, even if the thread hangs. Default: without limit. */
  readonly deadlineMs?: number;
  /** Receives the events that the thread sends on its own. */
  readonly onEvent?: (event: string) => void;
}

/** At most this many threads wait for their next file; of more, the one that waits longest ends. */
const idleMax = 8;
const idle = new Set<Thread>();

interface Owner {
  readonly onEvent: (event: string) => void;
  /** Receives the reason why the thread ended, and returns the error for the open calls. */
  readonly onEnd: (reason: string, cause: unknown) => unknown;
}

/** A thread that serves one owner at a time. */
class Thread {
  readonly href: string;
  readonly rpc: ThreadRpc<unknown, Failure, string>;
  owner: Owner | undefined;

  constructor(file: URL, name: string) {
    this.href = file.href;
    this.rpc = new ThreadRpc({
      file,
      worker: { execArgv: [], name, resourceLimits: { maxYoungGenerationSizeMb: 16 } },
      isHeld: false,
      notCopied: (failure) => failure,
      failureOf: (failure) => new BridgeError(failure.code, failure),
      onEvent: (event) => this.owner?.onEvent(event),
      onAbandoned: () => {},
      onEnd: (why, cause) => {
        idle.delete(this);
        return this.owner?.onEnd(cause === undefined ? why : `${why}: ${cause}`, cause);
      },
    });
  }
}

function threadFor(file: URL, name: string): Thread {
  const thread = [...idle].find(({ href }) => href === file.href) ?? new Thread(file, name);
  idle.delete(thread);
  return thread;
}

function keepIdle(thread: Thread): void {
  thread.owner = undefined;
  idle.add(thread);
  for (const oldest of [...idle].slice(0, -idleMax)) void oldest.rpc.end("is not needed");
}

/** With a deadline set, at most this many calls wait for an answer; further ones are refused at once. */
const unansweredMax = 1_000;

export class FileThread<Api extends { readonly [name in keyof Api]: Calls[string] }> {
  readonly #name: string;
  readonly #deadlineMs: number;
  readonly #thread: Thread;
  readonly #noted: Disposable;
  /** Why no call is possible any more: the thread ended, or the file is closed. */
  #gone: BridgeError | undefined;

  constructor({
    name,
    module,
    from,
    data,
    path = "",
    deadlineMs = Number.POSITIVE_INFINITY,
    onEvent = () => {},
  }: FileThreadOptions) {
    this.#name = name;
    this.#deadlineMs = deadlineMs;
    this.#noted = noteDatabase(path);
    this.#thread = threadFor(threadFile(module, from), module);
    this.#thread.owner = {
      onEvent,
      onEnd: (reason, cause) => {
        this.#noted[Symbol.dispose]();
        this.#gone = new BridgeError("INTERNAL", { what: `the thread of ${name} ${reason}`, cause });
        return this.#gone;
      },
    };
    this.#thread.rpc.tell("begin", data);
  }

  /** Sends a message that has no answer. The thread handles it before every later message or call. */
  tell<Name extends keyof Api & string>(name: Name, given: Parameters<Api[Name]>[0]): void {
    if (this.#gone === undefined) this.#thread.rpc.tell(name, given);
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
    if (Number.isFinite(deadlineMs) && this.#thread.rpc.unanswered >= unansweredMax)
      throw this.#down(`has ${unansweredMax} unanswered calls and takes no more`);
    const givenUp = (): BridgeError =>
      this.#down(`did not answer within ${deadlineMs} ms; the call may still take effect`);
    // The thread's table of answers has this type.
    return (await this.#thread.rpc.call(name, given, { deadlineMs, givenUp })) as ReturnType<Api[Name]>;
  }

  /** Sends `close` to the thread and waits for its answer. A thread that does not answer is terminated. */
  async end(): Promise<void> {
    if (this.#gone !== undefined) return;
    const isClosed = await this.call("close" as keyof Api & string, null).then(
      () => true,
      () => false,
    );
    // The thread may have ended meanwhile, or another call of `end` closed it.
    if (this.#gone !== undefined) return;
    // The thread may be stuck in a system call that nothing can interrupt, so its end is not awaited.
    if (!isClosed || this.#thread.rpc.unanswered > 0) void this.#thread.rpc.end("was ended");
    else {
      this.#gone = new BridgeError("INTERNAL", { what: `${this.#name} is closed` });
      this.#noted[Symbol.dispose]();
      keepIdle(this.#thread);
    }
  }

  #down(what: string): BridgeError {
    return new BridgeError("SYSTEM_DOWN", { what: `${this.#name} ${what}`, fix: "check the disk" });
  }
}
