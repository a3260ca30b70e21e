/** The part of a clock that a pause needs. `Clock` in `ports/` provides it. */
interface Ticking {
  every(intervalMs: number, tick: () => void, keepsAlive?: boolean): () => void;
}

/** Resolves after `ms` milliseconds of the clock, and keeps the program alive until then. */
export const pause = (clock: Ticking, ms: number): Promise<void> =>
  new Promise((resolve) => {
    const stop = clock.every(
      ms,
      () => {
        stop();
        resolve();
      },
      true,
    );
  });
