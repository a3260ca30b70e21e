import type { CallComparison } from "../../app/index.ts";
import { latencyBuckets } from "./metric-catalogue.ts";

/** How long one side took. Counting is one look-up in a short list: it is done for every comparison. */
export class LatencyHistogram {
  /** By bucket, not yet added up; the last is beyond all bounds. */
  readonly counts = new Float64Array(latencyBuckets.length + 1);
  sumS = 0;
  count = 0;

  observe(seconds: number): void {
    let at = 0;
    while (at < latencyBuckets.length && seconds > (latencyBuckets[at] as number)) at += 1;
    this.counts[at] = (this.counts[at] as number) + 1;
    this.sumS += seconds;
    this.count += 1;
  }
}

/**
 * What a bridge tells of its comparisons, until somebody asks: made before the bridge, since the bridge is told whom to tell.
 *
 * @example const observations = new Observations(); createPnlBridge({ config, onComparison: observations.compared })
 */
export class Observations {
  /** By method, then side. */
  readonly latency = new Map<string, { readonly legacy: LatencyHistogram; readonly modern: LatencyHistogram }>();
  /** Told of each; set by who has listeners, and undefined while there are none. */
  onComparison: ((comparison: CallComparison) => void) | undefined;
  readonly #takesLatency: boolean;

  constructor({ takesLatency = true } = {}) {
    this.#takesLatency = takesLatency;
  }

  readonly compared = (comparison: CallComparison): void => {
    const { method, kind, legacy, modern } = comparison;
    if (this.#takesLatency && kind === "ab") {
      let sides = this.latency.get(method);
      if (sides === undefined) {
        sides = { legacy: new LatencyHistogram(), modern: new LatencyHistogram() };
        this.latency.set(method, sides);
      }
      if (legacy.ms !== null) sides.legacy.observe(legacy.ms / 1_000);
      if (modern.ms !== null) sides.modern.observe(modern.ms / 1_000);
    }
    this.onComparison?.(comparison);
  };
}
