import type { HostLoad, Overload } from "../../ports/host-load.ts";
import type { CopyRefusal } from "./frozen-copy.ts";

/**
 * The reasons why an eligible call was not compared. Such a call is counted, and never queued or repeated.
 */
export const shedReasons = {
  lane_full: "as many shadow calls as the limit allows are in flight",
  method_full: "as many shadow calls of this method as the limit allows are in flight",
  event_loop_lag: "the event loop of this process is late",
  heap_short: "this process is short of memory",
  input_too_large: "the request has more values than may be copied for a shadow",
  input_not_copyable: "the request contains a function, a cycle, or an object that cannot be copied",
  legacy_pending: "the answering side has not settled for a minute",
  answer_not_a_promise:
    "the answer is a thenable but not a promise; awaiting it may start its work, which is left to the caller",
  closed: "the bridge is closed",
} as const satisfies Readonly<Record<Overload | CopyRefusal | string, string>>;
export type ShedReason = keyof typeof shedReasons;

interface SlotOptions {
  /** Largest number of shadow calls in flight, each from `enter` until it is compared. */
  readonly inFlightMax: number;
  readonly inFlightPerMethodMax: number;
}

/** Limits the shadow calls in flight. Each `enter` that succeeds needs one `leave`. Constant time. */
export class ShadowSlots {
  readonly #options: SlotOptions;
  readonly #load: HostLoad;
  #inFlight = 0;
  #peak = 0;
  #closed = false;
  readonly #whenIdle: (() => void)[] = [];

  constructor(options: SlotOptions, load: HostLoad) {
    this.#options = options;
    this.#load = load;
  }

  /**
   * Takes a slot, or returns the reason why none is free. `ofMethod` is the number of the method's shadow
   * calls in flight.
   */
  enter(ofMethod: number): ShedReason | undefined {
    if (this.#closed) return "closed";
    if (this.#inFlight >= this.#options.inFlightMax) return "lane_full";
    if (ofMethod >= this.#options.inFlightPerMethodMax) return "method_full";
    const overload = this.#load.overload();
    if (overload !== undefined) return overload;
    this.#inFlight += 1;
    if (this.#inFlight > this.#peak) this.#peak = this.#inFlight;
    return undefined;
  }

  leave(): void {
    this.#inFlight -= 1;
    if (this.#inFlight > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Resolves when no shadow call is in flight. */
  idle(): Promise<void> {
    return this.#inFlight === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  close(): void {
    this.#closed = true;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** The highest value that `inFlight` has had. */
  get peak(): number {
    return this.#peak;
  }
}
