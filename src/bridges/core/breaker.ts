/** The limits at which the calls of a method skip modern for a while. */
export interface BreakerOptions {
  /** The failure ratio counts only when the window has at least this many calls. */
  readonly callsMin: number;
  /** The share of failures, 0 to 1, at which the breaker opens. */
  readonly failureRatio: number;
  readonly windowMs: number;
  /** The time that the breaker stays open before one trial call may pass. */
  readonly openMs: number;
}

export const breakerDefaults: BreakerOptions = Object.freeze({
  callsMin: 20,
  failureRatio: 0.5,
  windowMs: 10_000,
  openMs: 5_000,
});

type BreakerState = "closed" | "open" | "half-open";

/**
 * A circuit breaker. Counts calls and failures in a window that restarts when it has elapsed. While open, it
 * lets no call through; after `openMs` it lets one trial call through (half-open), whose outcome closes or
 * reopens it. Each change of state begins an era, and reports of calls from an earlier era are ignored.
 * Constant time and memory.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #state: BreakerState = "closed";
  #windowFromMs = Number.NEGATIVE_INFINITY;
  #calls = 0;
  #failures = 0;
  #openedMs = 0;
  #era = 0;

  constructor(options: BreakerOptions = breakerDefaults) {
    this.#options = options;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Returns the era under which a call may ask modern and must report; undefined if it may not. */
  begin(nowMs: number): number | undefined {
    if (this.#state === "closed") return this.#era;
    if (this.#state === "half-open" || nowMs - this.#openedMs < this.#options.openMs) return undefined;
    this.#state = "half-open";
    this.#era += 1;
    return this.#era;
  }

  succeeded(era: number, nowMs: number): void {
    if (era !== this.#era) return;
    if (this.#state === "closed") this.#count(nowMs, 0);
    else this.#close(nowMs);
  }

  failed(era: number, nowMs: number): void {
    if (era !== this.#era) return;
    if (this.#state === "closed") this.#count(nowMs, 1);
    else this.#open(nowMs);
  }

  /**
   * Reports an outcome that shows neither success nor failure of modern, or does not show it yet. If the call
   * was the trial, the next call becomes the trial.
   */
  released(era: number): void {
    if (era !== this.#era || this.#state !== "half-open") return;
    this.#state = "open";
    this.#openedMs = Number.NEGATIVE_INFINITY;
  }

  #count(nowMs: number, failures: 0 | 1): void {
    if (nowMs - this.#windowFromMs > this.#options.windowMs) this.#beginWindow(nowMs);
    this.#calls += 1;
    this.#failures += failures;
    const { callsMin, failureRatio } = this.#options;
    if (this.#calls >= callsMin && this.#failures >= failureRatio * this.#calls) this.#open(nowMs);
  }

  #close(nowMs: number): void {
    this.#state = "closed";
    this.#era += 1;
    this.#beginWindow(nowMs);
  }

  #beginWindow(nowMs: number): void {
    this.#windowFromMs = nowMs;
    this.#calls = 0;
    this.#failures = 0;
  }

  #open(nowMs: number): void {
    this.#state = "open";
    this.#era += 1;
    this.#openedMs = nowMs;
  }
}
