interface Timer {
  /** Calls `work` at each interval, until the returned function is called. */
  every(ms: number, work: () => void): () => void;
}

/** Work that is done at each interval, or on request, by one run at a time. */
export class PeriodicWork {
  readonly #work: () => Promise<void>;
  readonly #stop: () => void;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(clock: Timer, everyMs: number, work: () => Promise<void>) {
    this.#work = work;
    this.#stop = clock.every(everyMs, () => void this.run());
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Does the work. Calls at the same time share one run. Rejects if `work` rejects; at an interval, nothing
   * handles the rejection.
   */
  run(): Promise<void> {
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Begins no further run at an interval, and resolves when no run is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stop();
    await this.#running;
  }
}
