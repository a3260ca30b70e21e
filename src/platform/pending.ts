/** The longest delay of Node's timers. */
const timerMaxMs = 2 ** 31 - 1;

export interface PendingOptions {
  /** Infinity for no deadline. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** The error of a call that is given up. */
  readonly givenUp: (why: "deadline" | "abort") => unknown;
  /** Called once when the call settles; `isGivenUp` if the deadline or an abort ended it. */
  readonly onSettled?: (isGivenUp: boolean) => void;
}

/**
 * One pending call. It settles once, by an answer, a failure, the deadline or the caller's abort, whichever
 * comes first, and then releases its timer and its listener. The timer keeps the program alive, since a
 * caller waits. The signal must not be aborted yet.
 */
export class Pending<T> {
  readonly promise: Promise<T>;
  readonly #resolve: (answer: T) => void;
  readonly #reject: (failure: unknown) => void;
  readonly #options: PendingOptions;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #onAbort = (): void => this.#giveUp("abort");
  #isSettled = false;

  constructor(options: PendingOptions) {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#options = options;
    const { deadlineMs, signal } = options;
    if (Number.isFinite(deadlineMs))
      this.#timer = setTimeout(() => this.#giveUp("deadline"), Math.min(deadlineMs, timerMaxMs));
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Settles with an answer; returns false if the call has settled already. */
  answer(answer: T): boolean {
    const isFirst = this.#settle(false);
    if (isFirst) this.#resolve(answer);
    return isFirst;
  }

  /** Settles with a failure; returns false if the call has settled already. */
  fail(failure: unknown): boolean {
    const isFirst = this.#settle(false);
    if (isFirst) this.#reject(failure);
    return isFirst;
  }

  #giveUp(why: "deadline" | "abort"): void {
    const failure = this.#options.givenUp(why);
    if (this.#settle(true)) this.#reject(failure);
  }

  #settle(isGivenUp: boolean): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#options.onSettled?.(isGivenUp);
    return true;
  }
}
