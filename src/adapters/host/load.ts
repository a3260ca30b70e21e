import { monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { HostLoad, Overload } from "../../ports/host-load.ts";

interface HostLimits {
  /** Largest 99th percentile of the event loop's delay since the last check, in milliseconds. Default 20. */
  readonly loopDelayMs: number;
  /** Largest share of the heap that may be used, 0 to 1. Default 0.8. */
  readonly heapRatio: number;
  /** The time between two checks. Default 200. */
  readonly everyMs: number;
}

const hostLimits: HostLimits = Object.freeze({ loopDelayMs: 20, heapRatio: 0.8, everyMs: 200 });

/** Checks the event loop and the heap a few times a second. Calls of `overload` only read the last result. */
export class HostMonitor implements HostLoad {
  readonly #limits: HostLimits;
  readonly #delay = monitorEventLoopDelay({ resolution: 10 });
  readonly #timer: NodeJS.Timeout;
  #overload: Overload | undefined;

  constructor(limits: Partial<HostLimits> = {}) {
    this.#limits = { ...hostLimits, ...limits };
    this.#delay.enable();
    this.#timer = setInterval(() => this.#check(), this.#limits.everyMs);
    this.#timer.unref();
  }

  overload(): Overload | undefined {
    return this.#overload;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#delay.disable();
  }

  #check(): void {
    const { loopDelayMs, heapRatio } = this.#limits;
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    // The histogram includes its own resolution of 10 ms in each delay.
    const lag = this.#delay.percentile(99) / 1e6 - 10;
    this.#overload =
      used > heapRatio * limit ? "heap_short" : lag > loopDelayMs ? "event_loop_lag" : undefined;
    this.#delay.reset();
  }
}
