/** The source of time, passed in so that tests can control it. */
export interface Clock {
  /** Milliseconds since 1970 UTC. */
  nowMs(): number;
  /** Milliseconds since an arbitrary fixed moment; never decreases. For durations. */
  monotonicMs(): number;
  /**
   * Calls `tick` every `intervalMs` until the returned function is called. Keeps the program alive only if
   * `keepsAlive`.
   */
  every(intervalMs: number, tick: () => void, keepsAlive?: boolean): () => void;
  /** The current day in UTC, YYYY-MM-DD. */
  today(): string;
}
