import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Metric, Registry } from "prom-client";
import type { MethodCounters } from "../../app/index.ts";
import type { GatewayBridge, GatewayControl } from "./context.ts";
import { latencyBuckets, type SignalName, signals } from "./metric-catalogue.ts";
import type { LatencyHistogram, Observations } from "./observations.ts";

export interface MetricSources {
  readonly bridge: GatewayBridge;
  readonly control: GatewayControl | undefined;
  readonly observations: Observations | undefined;
  readonly traffic: Traffic;
  readonly streams: { readonly size: number; readonly dropped: number };
}

/** What goes on between callers and the gateway. */
export class Traffic {
  /** Answers by the first digit of their status. */
  readonly byStatus = new Float64Array(6);
  readonly underWay = new Set<ServerResponse>();
  readonly connections = new Set<Socket>();
  connectionsRefused = 0;

  /** Ends connections without a request under way; also those that never had one, which the server itself would leave. */
  endIdle(): void {
    const busy = new Set([...this.underWay].map(({ req }) => req.socket));
    for (const socket of this.connections) if (!busy.has(socket)) socket.destroy();
  }
}

interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Where a histogram says it in parts. */
  readonly metricName?: string;
}

/** The signals of a process as Prometheus reads them. Everything is looked up when it is asked for: a call pays nothing. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #delay = monitorEventLoopDelay({ resolution: 10 });

  constructor(sources: MetricSources) {
    this.#delay.enable();
    const read = this.#readers(sources);
    for (const [name, signal] of Object.entries(signals)) {
      const { kind: type, name: metricName, help } = signal;
      const get = async () => ({ name: metricName, help, type, values: read[name as SignalName](), aggregator: "sum" });
      // What the registry needs of a metric is its name and its values.
      this.#registry.registerMetric({ name: metricName, get } as unknown as Metric);
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  close(): void {
    this.#delay.disable();
  }

  /** One reader for each signal: a new one breaks the build here. */
  #readers({
    bridge,
    control,
    observations,
    traffic,
    streams,
  }: MetricSources): Readonly<Record<SignalName, () => readonly Sample[]>> {
    const { service } = bridge;
    const each = (read: (counters: MethodCounters) => number) => () =>
      Object.entries(service.counters).map(([method, counters]) => ({ labels: { method }, value: read(counters) }));
    const eachOf = (label: string, read: (counters: MethodCounters) => Readonly<Partial<Record<string, number>>>) => () =>
      Object.entries(service.counters).flatMap(([method, counters]) =>
        Object.entries(read(counters)).map(([key, value = 0]) => ({ labels: { method, [label]: key }, value })),
      );
    const one = (read: () => number) => () => [{ labels: {}, value: read() }];
    return {
      calls: eachOf("source", ({ answered }) => answered),
      routed: eachOf("reason", ({ because }) => because),
      fallbacks: eachOf("reason", ({ fellBack }) => fellBack),
      modernFailed: each(({ modernFailed }) => modernFailed),
      servedDiverged: each(({ servedDiverged }) => servedDiverged),
      sampledOut: each(({ sampledOut }) => sampledOut),
      eligible: each(({ eligible }) => eligible),
      compared: each(({ compared }) => compared),
      verdicts: eachOf("verdict", ({ verdicts }) => verdicts),
      shed: eachOf("reason", ({ shed }) => shed),
      comparisonErrors: each(({ errors }) => errors),
      comparisonTimeouts: each(({ timeouts }) => timeouts),
      comparisonExcluded: each(({ excluded }) => excluded),
      comparisonsUnderWay: each(({ underWay }) => underWay),
      broken: each(({ broken }) => broken),
      latency: () =>
        [...(observations?.latency ?? [])].flatMap(([method, { legacy, modern }]) => [
          ...histogram(legacy, { method, side: "legacy" }),
          ...histogram(modern, { method, side: "modern" }),
        ]),
      epochSeen: one(() => service.plan.epoch),
      epochDrained: one(() => service.oldestRunning ?? service.plan.epoch),
      phase: () => [{ labels: { phase: service.plan.phase }, value: 1 }],
      freshness: () => [{ labels: { state: control?.freshness ?? "none" }, value: 1 }],
      shadowsInFlight: one(() => service.inFlight),
      evidenceDropped: one(() => service.evidenceDropped),
      requests: () =>
        [...traffic.byStatus].flatMap((value, digit) => (digit < 2 ? [] : [{ labels: { status: `${digit}xx` }, value }])),
      requestsInFlight: one(() => traffic.underWay.size),
      connections: one(() => traffic.connections.size),
      connectionsRefused: one(() => traffic.connectionsRefused),
      streams: one(() => streams.size),
      streamsDropped: one(() => streams.dropped),
      memory: () => {
        const { rss, heapUsed, external } = process.memoryUsage();
        return Object.entries({ rss, heap_used: heapUsed, external }).map(([kind, value]) => ({ labels: { kind }, value }));
      },
      loopLag: () => this.#lag(),
      started: one(() => Math.round(performance.timeOrigin) / 1_000),
    };
  }

  /** Since the last look; the histogram counts its own resolution as delay. */
  #lag(): readonly Sample[] {
    const lags = [0.5, 0.99, 1].map((quantile) => ({
      labels: { quantile },
      value: Math.max(0, this.#delay.percentile(quantile * 100) / 1e9 - 0.01),
    }));
    this.#delay.reset();
    return lags;
  }
}

function histogram({ counts, sumS, count }: LatencyHistogram, labels: Sample["labels"]): readonly Sample[] {
  const { name } = signals.latency;
  let below = 0;
  const buckets = [...latencyBuckets, Number.POSITIVE_INFINITY].map((bound, at) => {
    below += counts[at] as number;
    return { metricName: `${name}_bucket`, labels: { ...labels, le: Number.isFinite(bound) ? bound : "+Inf" }, value: below };
  });
  return [...buckets, { metricName: `${name}_sum`, labels, value: sumS }, { metricName: `${name}_count`, labels, value: count }];
}
