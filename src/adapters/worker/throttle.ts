import type { Readable } from "node:stream";

/**
 * Limits the cost of reading a stream in each tenth of a second. Beyond the limit the stream is paused; data
 * waits in the pipe and blocks its writer. A worker that floods its output slows itself down, not the event
 * loop of the bridge.
 */
export class Throttle {
  readonly #stream: Readable | null;
  readonly #costMax: number;
  #cost = 0;
  #windowFromMs = 0;

  constructor(stream: Readable | null, costMax: number) {
    this.#stream = stream;
    this.#costMax = costMax;
  }

  spend(cost: number): void {
    const nowMs = performance.now();
    if (nowMs - this.#windowFromMs >= windowMs) {
      this.#windowFromMs = nowMs;
      this.#cost = 0;
    }
    const before = this.#cost;
    this.#cost += cost;
    if (before > this.#costMax || this.#cost <= this.#costMax) return;
    this.#stream?.pause();
    setTimeout(() => this.#stream?.resume(), windowMs).unref();
  }
}

const windowMs = 100;
