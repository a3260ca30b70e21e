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

type BreakerState = "closed" | "open" | "half-open";

/**
 * Counts calls and failures in a window that starts anew when it is over. Open, it lets nothing through; after a while it lets
 * one call try (half-open), and that call's outcome closes it or opens it again. Each change of state begins an era, and what a call
 * of an earlier era reports is ignored. Constant time and memory.
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

  /** The era of a call that may try now, which must report under it how it ended. Undefined: it may not. */
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

  /** The call ended in a way that proves nothing, or not yet: where it was the one that tried, the next one may. */
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
