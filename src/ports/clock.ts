/** Time, handed in, so that a test can own it. */
export interface Clock {
  /** Milliseconds since 1970 UTC. */
  nowMs(): number;
  /** Milliseconds since some fixed moment, never going back: for durations. */
  monotonicMs(): number;
  /** Calls back every so many milliseconds until the returned function is called; keeps the program alive only where told to. */
  every(intervalMs: number, tick: () => void, keepsAlive?: boolean): () => void;
  /** The day in UTC, YYYY-MM-DD. */
  today(): string;
}
