import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { SystemCall } from "../../ports/system.ts";

/** Node's timers hold no more. */
const timerMaxMs = 2 ** 31 - 1;

/**
 * One call that somebody waits for: settles once, by an answer, a failure, the deadline or the caller's abort, whichever comes
 * first, and lets go of its timer and its listener then. The timer keeps the program alive: a caller waits.
 */
export class Waiting<T> {
  readonly promise: Promise<T>;
  readonly #resolve: (answer: T) => void;
  readonly #reject: (failure: unknown) => void;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: (() => void) | undefined;
  readonly #over: (givenUp: boolean) => void;
  #settled = false;

  /** `over` is told when it has settled, and whether because nobody waits any longer. */
  constructor(what: string, { deadlineMs, signal }: SystemCall, over: (givenUp: boolean) => void) {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#over = over;
    const giveUp = (why: string): void => this.fail(new SystemFailure("TIMEOUT", `${what}: ${why}`), true);
    if (Number.isFinite(deadlineMs))
      this.#timer = setTimeout(() => giveUp(`no answer within ${deadlineMs} ms`), Math.min(deadlineMs, timerMaxMs));
    if (signal === undefined) return;
    this.#signal = signal;
    this.#onAbort = () => giveUp("nobody waits for the answer any longer");
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  get settled(): boolean {
    return this.#settled;
  }

  answer(answer: T): void {
    if (this.#end(false)) this.#resolve(answer);
  }

  fail(failure: unknown, givenUp = false): void {
    if (this.#end(givenUp)) this.#reject(failure);
  }

  #end(givenUp: boolean): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    clearTimeout(this.#timer);
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#over(givenUp);
    return true;
  }
}
