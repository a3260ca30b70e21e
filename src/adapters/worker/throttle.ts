import type { Readable } from "node:stream";

/**
 * Lets a stream cost only so much in each tenth of a second; what is beyond waits in the pipe, and its writer with it. So a worker that
 * floods us slows itself down, and not our event loop.
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
