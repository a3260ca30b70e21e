import { systemClock } from "../../adapters/host/index.ts";
import type { Clock } from "../../ports/clock.ts";

/** A timer of at least this time never runs; the rehearsal does its work itself. */
const longMs = 1_000;

/**
 * A clock that stands still until the rehearsal moves it. Short timers run in real time, because they only
 * wait for other work of this process; long ones never run.
 */
export class SimulatedClock implements Clock {
  #nowMs: number;
  #passedMs = 0;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#passedMs;
  }

  today(): string {
    return new Date(this.#nowMs).toISOString().slice(0, 10);
  }

  every(intervalMs: number, tick: () => void, keepsAlive?: boolean): () => void {
    return intervalMs < longMs ? systemClock.every(intervalMs, tick, keepsAlive) : () => {};
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    this.#passedMs += ms;
  }

  /** Moves to a later time; never goes back. */
  moveTo(ms: number): void {
    this.advance(Math.max(0, ms - this.#nowMs));
  }
}
