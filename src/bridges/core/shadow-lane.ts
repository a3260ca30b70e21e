import type { HostLoad, Overload } from "../../ports/host-load.ts";
import type { CopyRefusal } from "./frozen-copy.ts";

/** Why an eligible call was not compared. Nothing is queued and nothing is tried again: it is shed, and counted. */
export const shedReasons = {
  lane_full: "as many shadow calls are under way as may be",
  method_full: "as many shadow calls of this method are under way as may be",
  event_loop_lag: "this process is late with its own work",
  heap_short: "this process is short of memory",
  input_too_large: "the request has more values than are copied for a shadow",
  input_not_copyable: "the request holds a function, a circle, or an object whose insides cannot be seen",
  legacy_pending: "the answering side has not settled for a minute",
  answer_not_a_promise:
    "the answer is a thenable and no promise: it may begin its work when it is awaited, which is its caller's to do",
  closed: "the bridge is closed",
} as const satisfies Readonly<Record<Overload | CopyRefusal | string, string>>;
export type ShedReason = keyof typeof shedReasons;

interface LaneOptions {
  /** Shadow calls under way at a time, from the moment they are let in until they are compared. */
  readonly inFlightMax: number;
  readonly inFlightPerMethodMax: number;
}

/** The room for shadow calls. Constant time; what it lets in must leave again. */
export class ShadowLane {
  readonly #options: LaneOptions;
  readonly #load: HostLoad;
  #inFlight = 0;
  #peak = 0;
  #closed = false;
  readonly #whenIdle: (() => void)[] = [];

  constructor(options: LaneOptions, load: HostLoad) {
    this.#options = options;
    this.#load = load;
  }

  /** Undefined where there is room: then a place is taken. `ofMethod` is how many of the method's are under way. */
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
    for (const tell of this.#whenIdle.splice(0)) tell();
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    return this.#inFlight === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  close(): void {
    this.#closed = true;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** The most that were ever under way together. */
  get peak(): number {
    return this.#peak;
  }
}
