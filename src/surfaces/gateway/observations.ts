import { Histogram } from "prom-client";
import type { CallComparison } from "../../app/index.ts";
import { latencyBuckets, signals } from "./metric-catalogue.ts";

/**
 * Receives a bridge's comparisons for the metrics and the event stream. Create it before the bridge, and pass
 * `compared` to the bridge.
 *
 * @example const observations = new Observations(); createPnlBridge({ config, onComparison:
 * observations.compared })
 */
export class Observations {
  readonly latency = new Histogram({
    name: signals.latency.name,
    help: signals.latency.help,
    labelNames: signals.latency.labels,
    buckets: latencyBuckets,
    registers: [],
  });
  /** Called for each comparison; undefined without a listener. */
  onComparison: ((comparison: CallComparison) => void) | undefined;
  readonly #takesLatency: boolean;

  constructor({ takesLatency = true } = {}) {
    this.#takesLatency = takesLatency;
  }

  readonly compared = (comparison: CallComparison): void => {
    const { method, kind, legacy, modern } = comparison;
    if (this.#takesLatency && kind === "ab") {
      if (legacy.ms !== null) this.latency.observe({ method, side: "legacy" }, legacy.ms / 1_000);
      if (modern.ms !== null) this.latency.observe({ method, side: "modern" }, modern.ms / 1_000);
    }
    this.onComparison?.(comparison);
  };
}
