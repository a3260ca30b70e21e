/** This side of a thread in which a file lives: asks it, and keeps the process alive until it has answered. */
import { Worker } from "node:worker_threads";
import { BridgeError } from "../../base/errors.ts";
import { type FromThread, type Questions, sharedMs, type ToThread } from "./thread-messages.ts";

export interface AskedThreadOptions {
  /** For messages: the thread of `name`. */
  readonly name: string;
  /** Of the thread's module, whose name is its own without the extension: `import.meta.url` of who asks, and the name. */
  readonly from: string;
  readonly module: string;
  readonly data: unknown;
  /** How long a question waits for its answer, whatever the thread is stuck in. Default: as long as it takes. */
  readonly deadlineMs?: number;
  /** Told what the thread says unasked. */
  readonly onEvent?: (event: string) => void;
}

/** Where there is a deadline: more are refused at once. */
const unansweredMax = 1_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class AskedThread<Asked extends { readonly [ask in keyof Asked]: Questions[string] }> {
  readonly #options: AskedThreadOptions;
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  readonly #waiting = new Map<number, Waiting>();
  #lastNumber = 0;
  /** Questions that lie before the thread, also those that nobody waits for any more. */
  #unanswered = 0;
  /** Why there is no thread any longer. */
  #gone: BridgeError | undefined;

  constructor(options: AskedThreadOptions) {
    const { name, from, module, data } = options;
    this.#options = options;
    // The compiler does not rewrite this name, unlike those of imports.
    const file = `./${module}${from.endsWith(".ts") ? ".ts" : ".js"}`;
    this.#worker = new Worker(new URL(file, from), { workerData: data, execArgv: [], name });
    this.#worker.unref();
    this.#worker.on("message", (message: FromThread) => this.#heard(message));
    this.#worker.on("error", (cause) => this.#fail(`the thread of ${name} failed: ${cause}`, cause));
    this.#ended = new Promise((ended) => {
      this.#worker.on("exit", () => {
        this.#fail(`the thread of ${name} has ended`, undefined);
        ended();
      });
    });
  }

  /** Without an answer; before whatever is asked or told after it. */
  tell<Ask extends keyof Asked & string>(ask: Ask, given: Parameters<Asked[Ask]>[0]): void {
    this.#post({ number: 0, ask, given });
  }

  /**
   * Rejects with what the thread fails with; with SYSTEM_DOWN where it has not answered in time. What it had begun by then it may still
   * do, what it had not it never does.
   */
  ask<Ask extends keyof Asked & string>(ask: Ask, given: Parameters<Asked[Ask]>[0]): Promise<ReturnType<Asked[Ask]>> {
    return new Promise((resolve, reject) => {
      const refusal = this.#gone ?? this.#whenStuck();
      if (refusal !== undefined) {
        reject(refusal);
        return;
      }
      this.#unanswered += 1;
      this.#lastNumber += 1;
      const number = this.#lastNumber;
      const late = this.#whenLate(number);
      this.#waiting.set(number, {
        resolve: (value) => {
          clearTimeout(late);
          resolve(value as ReturnType<Asked[Ask]>);
        },
        reject: (error) => {
          clearTimeout(late);
          reject(error);
        },
      });
      this.#worker.ref();
      const { deadlineMs } = this.#options;
      this.#post({ number, ask, given, ...(deadlineMs !== undefined && { endsMs: sharedMs() + deadlineMs }) });
    });
  }

  /** Closes what lives in the thread (its question `close`), and ends it; by force where it does not answer. */
  async end(): Promise<void> {
    const closed = this.#gone !== undefined || (await this.ask("close" as keyof Asked & string, null).then(isTrue, isFalse));
    if (!closed && this.#gone === undefined) {
      // It may be stuck in a call of the system, which nothing can end: that is not waited for.
      this.#fail(`the thread of ${this.#options.name} was ended`, undefined);
      void this.#worker.terminate();
      return;
    }
    this.#worker.ref();
    await this.#ended;
  }

  #whenStuck(): BridgeError | undefined {
    const { deadlineMs, name } = this.#options;
    if (deadlineMs === undefined || this.#unanswered < unansweredMax) return undefined;
    return new BridgeError("SYSTEM_DOWN", { what: `${name} has ${unansweredMax} questions before it`, mend: "look at the disk" });
  }

  #whenLate(number: number): NodeJS.Timeout | undefined {
    const { deadlineMs, name } = this.#options;
    if (deadlineMs === undefined) return undefined;
    return setTimeout(() => {
      const what = `${name} did not answer within ${deadlineMs} ms; what was asked may still be done`;
      this.#take(number)?.reject(new BridgeError("SYSTEM_DOWN", { what, mend: "look at the disk" }));
    }, deadlineMs);
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #heard(message: FromThread): void {
    if ("event" in message) {
      this.#options.onEvent?.(message.event);
      return;
    }
    this.#unanswered -= 1;
    const waiting = this.#take(message.number);
    if ("failure" in message) waiting?.reject(new BridgeError(message.failure.code, message.failure));
    else waiting?.resolve(message.value);
  }

  #take(number: number): Waiting | undefined {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (this.#waiting.size === 0) this.#worker.unref();
    return waiting;
  }

  #fail(what: string, cause: unknown): void {
    this.#gone ??= new BridgeError("INTERNAL", { what, cause });
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }
}

const isTrue = (): boolean => true;
const isFalse = (): boolean => false;
