import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { MigrationWatch } from "../../app/control/migration-watch.ts";
import type { DatabaseStatus } from "../../app/database/status.ts";
import type { FilesSummary } from "../../app/files/status.ts";
import type { MethodCounters } from "../../app/index.ts";
import { productVersion } from "../../app/version.ts";
import { phases, type Side } from "../../domain/migration/phase.ts";
import type { App, RouteContext } from "./context.ts";
import type { Traffic } from "./drain.ts";
import { type SignalName, signals } from "./metric-catalogue.ts";
import { Observations } from "./observations.ts";
import { operation } from "./openapi.ts";
import { metricsText } from "./wire/health.ts";

interface MetricSources extends Pick<RouteContext, "bridge" | "control" | "events" | "files" | "needs"> {
  readonly observations: Observations | undefined;
  readonly traffic: Traffic;
}

type Labels = Readonly<Record<string, string | number>>;
type Read = () => Iterable<readonly [labels: Labels, value: number]>;

/**
 * Adds `GET /metrics`: the gateway's signals and those of the process. The latency histogram is filled by
 * comparisons; everything else is read on request, so that calls do not become slower.
 */
export function metricRoute(app: App, sources: MetricSources): void {
  const { control } = sources;
  const watch = control && new MigrationWatch(() => control.operator);
  const registry = Registry.merge([ownSignals(sources, watch), processSignals()]);
  app.get(
    "/metrics",
    {
      onRequest: sources.needs("viewer"),
      schema: {
        ...operation("health", "getMetrics", "The signals of this process, for Prometheus"),
        response: {
          200: { description: "Prometheus text", content: { "text/plain": { schema: metricsText } } },
        },
      },
    },
    async (_, reply) => {
      await watch?.refresh();
      return reply.type(registry.contentType).send(await registry.metrics());
    },
  );
}

function ownSignals(sources: MetricSources, watch: MigrationWatch | undefined): Registry {
  const registry = new Registry();
  const read = { ...readers(sources), ...migrationReaders(watch) };
  for (const [name, { kind, name: metricName, labels: labelNames, help }] of Object.entries(signals)) {
    if (kind === "histogram") {
      registry.registerMetric((sources.observations ?? new Observations()).latency);
      continue;
    }
    const values: Read = read[name as Exclude<SignalName, "latency">];
    const shared = { name: metricName, help, labelNames, registers: [registry] };
    if (kind === "counter")
      new Counter({
        ...shared,
        collect() {
          this.reset();
          for (const [labels, value] of values()) this.inc(labels, value);
        },
      });
    else
      new Gauge({
        ...shared,
        collect() {
          this.reset();
          // A gauge without labels would be 0 where its value is unknown.
          if (labelNames.length === 0) this.remove();
          for (const [labels, value] of values()) this.set(labels, value);
        },
      });
  }
  return registry;
}

/** The signals that belong to the whole fleet: those of the gates and of the evidence. */
type MigrationSignal = Extract<
  SignalName,
  `${"gate" | "evidenceRead" | "calculation" | "memory" | "accuracy" | "errorRatio" | "impact"}${string}`
>;

/** One reader for each signal; a new signal breaks the build here. */
function readers(
  sources: MetricSources,
): Readonly<Record<Exclude<SignalName, "latency" | MigrationSignal>, Read>> {
  const { bridge, control, events, files, traffic } = sources;
  const { service } = bridge;
  const one =
    (read: () => number | boolean): Read =>
    () => [[{}, Number(read())]];
  const each =
    (read: (counters: MethodCounters) => number): Read =>
    () =>
      Object.entries(service.counters).map(([method, counters]) => [{ method }, read(counters)]);
  const eachOf =
    (label: string, read: (counters: MethodCounters) => Readonly<Partial<Record<string, number>>>): Read =>
    () =>
      Object.entries(service.counters).flatMap(([method, counters]) =>
        Object.entries(read(counters)).map(([key, value = 0]) => [{ method, [label]: key }, value] as const),
      );
  const stateOf =
    (label: string, states: readonly string[], read: () => string): Read =>
    () =>
      states.map((state) => [{ [label]: state }, Number(state === read())]);
  /** Yields no value if no pair of databases is configured, or while the state of the pair is unknown. */
  const records =
    (read: (status: DatabaseStatus) => ReturnType<Read>): Read =>
    () =>
      bridge.database?.latest === undefined ? [] : read(bridge.database.latest);
  /** Yields no value if no folder is watched. */
  const watched =
    (read: (summary: FilesSummary) => ReturnType<Read>): Read =>
    () =>
      files?.latest === undefined ? [] : read(files.latest);
  const owedBy = (read: (owed: DatabaseStatus["owed"]["toModern"]) => number): Read =>
    records(({ owed }) => [
      // Unknown while modern's database does not answer.
      ...(owed.toLegacy === null ? [] : [[{ to: "legacy" }, read(owed.toLegacy)] as const]),
      [{ to: "modern" }, read(owed.toModern)],
    ]);
  return {
    build: () => [[{ version: productVersion, node: process.versions.node }, 1]],
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
    epochSeen: one(() => service.plan.epoch),
    epochDrained: one(() => service.oldestRunning ?? service.plan.epoch),
    phase: stateOf("phase", phases, () => service.plan.phase),
    trafficRatio: one(() => service.plan.newSystemPercentage / 100),
    killSwitch: one(() => !service.plan.useNewPnlSystem),
    latched: one(() => typeof control?.follower.record.latched === "string"),
    drift: one(() => control?.drift ?? false),
    freshness: stateOf("state", ["fresh", "stale", "expired", "none"], () => control?.freshness ?? "none"),
    recordsOwed: owedBy(({ count }) => count),
    recordsOwedSeconds: owedBy(({ oldestMs }) => oldestMs / 1_000),
    recordsParked: records(({ parked }) => [[{}, parked.length]]),
    recordsWaiting: records(({ quarantine, reviews }) =>
      quarantine === null || reviews === null ? [] : [[{}, quarantine + reviews]],
    ),
    recordsUnstorable: records(({ unstorable }) => [[{}, unstorable]]),
    recordsAuthority: records(({ authority }) =>
      ["legacy", "modern"].map((side) => [{ side }, Number(side === authority)]),
    ),
    files: watched(({ states }) => Object.entries(states).map(([state, count]) => [{ state }, count])),
    fileRows: watched(({ applied, refused }) => [
      [{ what: "applied" }, applied],
      [{ what: "refused" }, refused],
    ]),
    fileUnappliedSeconds: watched(({ sinks }) =>
      Object.entries(sinks).map(([to, { oldestUnappliedMs }]) => [{ to }, oldestUnappliedMs / 1_000]),
    ),
    fileReviews: watched(({ reviews }) => [[{}, reviews]]),
    fileRootsLost: watched(({ lostRoots }) => [[{}, lostRoots]]),
    shadowsInFlight: one(() => service.inFlight),
    evidenceDropped: one(() => service.evidenceDropped),
    evidenceRequests: () =>
      Object.entries(service.core.requests ?? {}).map(([state, count]) => [{ state }, count]),
    requests: () => [2, 3, 4, 5].map((digit) => [{ status: `${digit}xx` }, traffic.byStatus[digit] ?? 0]),
    requestsInFlight: one(() => traffic.underWay.size),
    connections: one(() => traffic.connections.size),
    connectionsRefused: one(() => traffic.connectionsRefused),
    streams: one(() => events.size),
    streamsDropped: one(() => events.dropped),
  };
}

const gateStates = ["closed", "inconclusive", "open"];

/** Yields no values while the gates or the evidence cannot be read. */
function migrationReaders(watch: MigrationWatch | undefined): Readonly<Record<MigrationSignal, Read>> {
  type State = NonNullable<MigrationWatch["latest"]>;
  type Gate = State["gates"]["gates"][number];
  type Metrics = NonNullable<State["metrics"]>;
  const gates =
    (read: (gate: Gate) => unknown): Read =>
    () => {
      const { target = "", gates = [] } = watch?.latest?.gates ?? {};
      return gates.flatMap((gate) => {
        const value = read(gate);
        return typeof value === "number" ? [[{ gate: gate.name, target }, value] as const] : [];
      });
    };
  const evidence = (name: string): Read =>
    gates(({ evidence }) =>
      typeof evidence === "object" && evidence !== null ? Reflect.get(evidence, name) : undefined,
    );
  const metrics =
    (read: (metrics: Metrics) => ReturnType<Read>): Read =>
    () =>
      watch?.latest?.metrics ? read(watch.latest.metrics) : [];
  const times = (
    of: (time: Metrics["calculationTime"][number]) => Readonly<Record<Side, number | null>>,
  ): Read =>
    metrics(({ calculationTime }) =>
      calculationTime.flatMap((time) =>
        Object.entries(of(time)).map(
          ([side, ms]) =>
            [{ method: time.method, side }, ms === null ? Number.POSITIVE_INFINITY : ms / 1_000] as const,
        ),
      ),
    );
  const impact = (read: (impact: Metrics["impact"]) => number | null): Read =>
    metrics(({ impact }) => {
      const value = read(impact);
      return value === null ? [] : [[{}, value]];
    });
  return {
    gateState: gates(({ state }) => gateStates.indexOf(state)),
    gateWaived: gates(({ state, open }) => Number(open && state !== "open")),
    gateTrials: evidence("n"),
    gateEvents: evidence("k"),
    gateUpper: evidence("upper"),
    gateLimit: evidence("limit"),
    evidenceReadSeconds: () => (watch?.ageMs === undefined ? [] : [[{}, watch.ageMs / 1_000]]),
    calculationP50: times(({ p50Ms }) => p50Ms),
    calculationP99: times(({ p99Ms }) => p99Ms),
    calculationPairs: metrics(({ calculationTime }) =>
      calculationTime.flatMap(({ method, pairs, slower }) => [
        [{ method, result: "all" }, pairs] as const,
        [{ method, result: "slower" }, slower] as const,
      ]),
    ),
    memoryRatio: metrics(({ memory }) => (memory === null ? [] : [[{}, memory.ratio]])),
    memoryBytes: metrics(({ memory }) =>
      Object.entries(memory?.bytes ?? {}).map(([side, bytes]) => [{ side }, bytes]),
    ),
    accuracyTrials: metrics(({ accuracy }) => accuracy.map(({ source, trials }) => [{ source }, trials])),
    accuracyEvents: metrics(({ accuracy }) => accuracy.map(({ source, events }) => [{ source }, events])),
    errorRatio: metrics(({ errors: { minutes, failed } }) => (minutes === 0 ? [] : [[{}, failed / minutes]])),
    impactUsers: metrics(({ impact }) => {
      const { seen, wrong, stale, unmarked, fellBack } = impact;
      const reasons = Object.entries(fellBack).map(([reason, who]) => [`fell_back_${reason}`, who] as const);
      return [...Object.entries({ seen, wrong, stale, unmarked }), ...reasons].map(([what, { distinct }]) => [
        { what },
        distinct,
      ]);
    }),
    impactBooks: impact(({ wrongBooks }) => wrongBooks.distinct),
    impactMoney: metrics(({ impact: { largest, money } }) => [
      [{ what: "largest" }, largest],
      [{ what: "sum" }, money],
    ]),
    impactWrongSeconds: impact(({ wrongMinutes }) => wrongMinutes * 60),
    impactStaleSeconds: impact(({ staleMs }) => staleMs / 1_000),
    impactUnobserved: impact(({ unobserved }) => unobserved),
  };
}

let processRegistry: Registry | undefined;

/**
 * prom-client's signals of a process (`process_…`, `nodejs_…`), collected once even if the process has
 * several gateways.
 */
function processSignals(): Registry {
  if (processRegistry === undefined) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
    // These are gauges, but their names end in _total, as only those of counters should.
    for (const kind of ["handles", "requests", "resources"])
      processRegistry.removeSingleMetric(`nodejs_active_${kind}_total`);
  }
  return processRegistry;
}
