/**
 * Calls into one thread, from its start to its end. Answers carry the id of their call and come in any order;
 * the thread may also send events.
 */
import { Worker, type WorkerOptions } from "node:worker_threads";
import { Pending, type PendingOptions } from "./pending.ts";

/** Milliseconds of a clock that all threads of a process share; independent of the time of day. */
export const sharedMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

export interface ThreadCall {
  /** 0 if no answer is wanted. */
  readonly id: number;
  readonly method: string;
  readonly given: unknown;
  /** The deadline by `sharedMs`: after it no caller waits, and the thread does not begin the call. */
  readonly endsMs: number;
}

export type ToThread = ThreadCall | { readonly abandoned: number };

export type FromThread<Value, Failure, Event> =
  | { readonly id: number; readonly value: Value }
  | { readonly id: number; readonly failure: Failure }
  | { readonly event: Event };

interface ThreadRpcOptions<Failure, Event> {
  readonly file: URL;
  readonly worker: WorkerOptions;
  /** Whether calls wait until `release`. A call that is given up before never reaches the thread. */
  readonly isHeld: boolean;
  /** The error of a call whose `given` cannot be copied. */
  readonly notCopied: (failure: unknown, method: string) => unknown;
  readonly failureOf: (failure: Failure, method: string) => unknown;
  readonly onEvent: (event: Event) => void;
  /** Called for a given-up call that the thread already has, after the thread was informed. */
  readonly onAbandoned: (id: number) => void;
  /**
   * Called once at the end; returns the error for the open calls. `cause` is the error that the thread threw.
   */
  readonly onEnd: (why: string, cause: unknown) => unknown;
}

/**
 * The file of a thread beside the module `from` (`import.meta.url`). The compiler does not rewrite its
 * extension as it does in imports.
 */
export const threadFile = (name: string, from: string): URL =>
  new URL(`./${name}${from.endsWith(".ts") ? ".ts" : ".js"}`, from);

/** A thread with its calls. The thread does not keep the program alive; an open call does. */
export class ThreadRpc<Value, Failure, Event> {
  readonly #options: ThreadRpcOptions<Failure, Event>;
  readonly #worker: Worker;
  readonly #open = new Map<number, { readonly method: string; readonly pending: Pending<Value> }>();
  readonly #exited: Promise<unknown>;
  #held: ThreadCall[] | undefined;
  #calls = 0;
  #unanswered = 0;
  #hasAnswered = false;
  #isOver = false;

  constructor(options: ThreadRpcOptions<Failure, Event>) {
    this.#options = options;
    this.#held = options.isHeld ? [] : undefined;
    this.#worker = new Worker(options.file, options.worker);
    this.#worker.on("message", (message: FromThread<Value, Failure, Event>) => this.#receive(message));
    this.#worker.on("messageerror", () => void this.end("sent a message that cannot be read"));
    this.#worker.on("error", (cause) => void this.end("crashed", cause));
    this.#worker.on("exit", (code) => void this.end(`exited with code ${code}`));
    this.#exited = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.unref();
  }

  /** Number of calls that a caller waits for. */
  get open(): number {
    return this.#open.size;
  }

  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  /** Number of calls that the thread has not answered, including given-up ones. */
  get unanswered(): number {
    return this.#unanswered;
  }

  call(method: string, given: unknown, options: Omit<PendingOptions, "onSettled">): Promise<Value> {
    const id = ++this.#calls;
    const pending = new Pending<Value>({
      ...options,
      onSettled: (isGivenUp) => this.#settled(id, isGivenUp),
    });
    this.#open.set(id, { method, pending });
    this.#unanswered += 1;
    this.keepAlive(true);
    try {
      this.#post({ id, method, given, endsMs: sharedMs() + options.deadlineMs });
    } catch (failure) {
      this.#unanswered -= 1;
      pending.fail(this.#options.notCopied(failure, method));
    }
    return pending.promise;
  }

  /** Sends a call without an answer. The thread handles messages in the order of sending. */
  tell(method: string, given: unknown): void {
    this.#post({ id: 0, method, given, endsMs: Number.POSITIVE_INFINITY });
  }

  /** Sends the held calls; later calls are sent at once. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const call of held) this.#worker.postMessage(call);
  }

  /**
   * Sets whether the thread keeps the program alive. Has no effect on an ending thread, since somebody may
   * wait for its end.
   */
  keepAlive(keeps: boolean): void {
    if (this.#isOver) return;
    if (keeps) this.#worker.ref();
    else this.#worker.unref();
  }

  /** Terminates the thread if it has not ended; resolves when it has. */
  async end(why: string, cause?: unknown): Promise<void> {
    if (!this.#isOver) {
      this.#isOver = true;
      void this.#worker.terminate();
      const failure = this.#options.onEnd(why, cause);
      for (const { pending } of [...this.#open.values()]) pending.fail(failure);
    }
    await this.#exited;
  }

  /** Waits until the thread ends by itself. */
  async exited(): Promise<void> {
    this.keepAlive(true);
    await this.#exited;
  }

  #post(call: ThreadCall): void {
    if (this.#held === undefined) this.#worker.postMessage(call);
    else this.#held.push({ ...call, given: structuredClone(call.given) });
  }

  #settled(id: number, isGivenUp: boolean): void {
    this.#open.delete(id);
    if (this.#open.size === 0) this.keepAlive(false);
    if (!isGivenUp || this.#isOver) return;
    if (this.#held === undefined) {
      this.#worker.postMessage({ abandoned: id } satisfies ToThread);
      this.#options.onAbandoned(id);
    } else {
      this.#held = this.#held.filter((call) => call.id !== id);
      this.#unanswered -= 1;
    }
  }

  #receive(message: FromThread<Value, Failure, Event>): void {
    if (this.#isOver) return;
    if ("event" in message) {
      this.#options.onEvent(message.event);
      return;
    }
    this.#unanswered -= 1;
    this.#hasAnswered = true;
    const call = this.#open.get(message.id);
    if (call === undefined) return;
    if ("failure" in message) call.pending.fail(this.#options.failureOf(message.failure, call.method));
    else call.pending.answer(message.value);
  }
}
