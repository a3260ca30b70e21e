/** When a method of the answering modern system is given up for a while. */
export interface BreakerOptions {
  /** Calls that must have been seen within the window before anything is judged. */
  readonly callsMin: number;
  /** Share of failures, 0 to 1, from which on it opens. */
  readonly failureRatio: number;
  readonly windowMs: number;
  /** How long it stays open before one call may try. */
  readonly openMs: number;
}

export const breakerDefaults: BreakerOptions = Object.freeze({
  callsMin: 20,
  failureRatio: 0.5,
  windowMs: 10_000,
  openMs: 5_000,
});

export type BreakerState = "closed" | "open" | "half-open";

/**
 * Counts calls and failures in a window that starts anew when it is over. Open, it lets nothing through; after a while it lets
 * one call try (half-open), and its outcome closes it or opens it again. Constant time and memory.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #state: BreakerState = "closed";
  #windowFromMs = Number.NEGATIVE_INFINITY;
  #calls = 0;
  #failures = 0;
  #openedMs = 0;

  constructor(options: BreakerOptions = breakerDefaults) {
    this.#options = options;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Whether a call may try now. One that may must report how it ended. */
  allows(nowMs: number): boolean {
    if (this.#state === "closed") return true;
    if (this.#state === "half-open" || nowMs - this.#openedMs < this.#options.openMs) return false;
    this.#state = "half-open";
    return true;
  }

  succeeded(nowMs: number): void {
    if (this.#state === "half-open") this.#close(nowMs);
    else this.#count(nowMs, 0);
  }

  failed(nowMs: number): void {
    if (this.#state === "half-open") this.#open(nowMs);
    else this.#count(nowMs, 1);
  }

  #count(nowMs: number, failures: 0 | 1): void {
    // A call that began before it opened ends only now: it may not close it, least of all by failing.
    if (this.#state === "open") return;
    if (nowMs - this.#windowFromMs > this.#options.windowMs) this.#close(nowMs);
    this.#calls += 1;
    this.#failures += failures;
    const { callsMin, failureRatio } = this.#options;
    if (this.#calls >= callsMin && this.#failures >= failureRatio * this.#calls) this.#open(nowMs);
  }

  #close(nowMs: number): void {
    this.#state = "closed";
    this.#windowFromMs = nowMs;
    this.#calls = 0;
    this.#failures = 0;
  }

  #open(nowMs: number): void {
    this.#state = "open";
    this.#openedMs = nowMs;
  }
}
