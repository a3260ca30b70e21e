/** Node's timers hold no more. */
const timerMaxMs = 2 ** 31 - 1;

export interface PendingOptions {
  /** Infinity: none. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What the call fails with when nobody waits any longer. */
  readonly givenUp: (why: "deadline" | "abort") => unknown;
  /** Told once, when the call has settled, and whether because it was given up. */
  readonly onSettled?: (isGivenUp: boolean) => void;
}

/**
 * One call that somebody waits for. It settles once, by an answer, a failure, the deadline or the caller's abort, whichever comes first,
 * and then lets go of its timer and its listener. The timer keeps the program alive: a caller waits. The signal is not aborted yet.
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
    if (Number.isFinite(deadlineMs)) this.#timer = setTimeout(() => this.#giveUp("deadline"), Math.min(deadlineMs, timerMaxMs));
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** False where the answer comes too late. */
  answer(answer: T): boolean {
    const isFirst = this.#settle(false);
    if (isFirst) this.#resolve(answer);
    return isFirst;
  }

  /** False where the failure comes too late. */
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
