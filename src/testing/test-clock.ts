import type { Clock } from "../ports/clock.ts";

/** A clock that stands still until a test moves it. */
export class TestClock implements Clock {
  readonly #startMs: number;
  #nowMs: number;
  #jumpedMs = 0;
  readonly #timers = new Set<Timer>();

  constructor(start = "2025-08-01T14:30:00.000Z") {
    this.#startMs = Date.parse(start);
    this.#nowMs = this.#startMs;
  }

  nowMs(): number {
    return this.#nowMs + this.#jumpedMs;
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  every(intervalMs: number, tick: () => void, keepsAlive = false): () => void {
    const timer: Timer = { intervalMs, tick, keepsAlive, dueMs: this.#nowMs + intervalMs };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  today(): string {
    return new Date(this.nowMs()).toISOString().slice(0, 10);
  }

  /** Sets the wall clock forward or back, which does not affect durations and timers. */
  jump(ms: number): void {
    this.#jumpedMs += ms;
  }

  /** Advances time. Every tick that becomes due runs at its own time, the earliest first. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let next = this.#next(); next !== undefined && next.dueMs <= untilMs; next = this.#next()) {
      this.#nowMs = next.dueMs;
      next.dueMs += next.intervalMs;
      next.tick();
    }
    this.#nowMs = untilMs;
  }

  /** Number of active timers. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Whether an active timer would keep a process alive. */
  get keepsAlive(): boolean {
    return [...this.#timers].some(({ keepsAlive }) => keepsAlive);
  }

  #next(): Timer | undefined {
    return [...this.#timers].reduce<Timer | undefined>(
      (first, timer) => (first === undefined || timer.dueMs < first.dueMs ? timer : first),
      undefined,
    );
  }
}

interface Timer {
  readonly intervalMs: number;
  readonly tick: () => void;
  readonly keepsAlive: boolean;
  dueMs: number;
}
