/**
 * The metrics of the gateway that serves the page, sampled while somebody is signed in. A sample holds sums
 * over all methods, except the verdicts and the paired calls, which it holds by method. A chart of counts
 * shows the differences of two samples.
 */
import { requestText } from "../api.ts";
import { serverNowMs } from "../clock.ts";
import { createStore } from "../store.ts";

type Side = "legacy" | "modern";

export interface Sample {
  readonly atMs: number;
  /** Calls answered, by the system whose answer the caller got. */
  readonly answered: Readonly<Record<Side, number>>;
  /** Comparisons by method and verdict, as `method verdict`. */
  readonly verdicts: ReadonlyMap<string, number>;
  /** For each side, the limits of the histogram, ascending, each with the number of calls within it. */
  readonly latency: Readonly<Record<Side, readonly (readonly [limitS: number, calls: number])[]>>;
  readonly failed: number;
  readonly fellBack: number;
  readonly shed: number;
  /** Comparisons in which a side failed. */
  readonly errors: number;
  readonly memoryBytes: number;
  readonly loopLagS: number;
  /** Users of the whole fleet by what they saw since the evidence began; undefined if it cannot be read. */
  readonly impact: Readonly<Record<string, number>> | undefined;
  /** The pairs of times that the whole fleet counted for the gates, by method. */
  readonly paired: ReadonlyMap<string, PairedCalls>;
}

/** Times in seconds, infinite for a time-out; the number of all pairs, and of those with a slower modern. */
type PairedCalls = Readonly<
  Partial<Record<`${"p50" | "p99"} ${Side}` | "pairs all" | "pairs slower", number>>
>;

const everyMs = 5_000;
/** Samples older than this are kept half a minute apart, for an hour, so that the tab needs little memory. */
const allMs = 120_000;
const [apartMs, keptMs] = [30_000, 3_600_000];

export const samplesStore = createStore<readonly Sample[]>([]);

/** Takes a sample now and every five seconds, until the returned function is called. */
export function startSampling(): () => void {
  let isWanted = true;
  let timer: number | undefined;
  const takeSample = async (): Promise<void> => {
    const text = await requestText("metrics").catch(() => undefined);
    if (!isWanted) return;
    if (text !== undefined) {
      const sample = sampleOf(text, serverNowMs());
      const before = samplesStore.get();
      const last = before.at(-1);
      // Counters that have become smaller belong to another process.
      const isSame = last === undefined || total(last) <= total(sample);
      samplesStore.set([...(isSame ? thinned(before, sample.atMs) : []), sample]);
    }
    timer = setTimeout(takeSample, everyMs);
  };
  void takeSample();
  return () => {
    isWanted = false;
    clearTimeout(timer);
    samplesStore.set([]);
  };
}

export function thinned(samples: readonly Sample[], nowMs: number): readonly Sample[] {
  let lastMs = Number.NEGATIVE_INFINITY;
  return samples.filter(({ atMs }) => {
    const isKept = nowMs - atMs <= allMs || (atMs - lastMs >= apartMs && nowMs - atMs <= keptMs);
    if (isKept) lastMs = atMs;
    return isKept;
  });
}

const total = ({ answered }: Sample): number => answered.legacy + answered.modern;

/** The newest sample that is at least `ageMs` older than the last one; the first sample if there is none. */
export const sampleBefore = (samples: readonly Sample[], ageMs: number): Sample | undefined => {
  const now = samples.at(-1)?.atMs ?? 0;
  return samples.findLast(({ atMs }) => now - atMs >= ageMs) ?? samples[0];
};

interface Line {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const linePattern = /^([a-zA-Z_]\w*)(?:\{(.*)\})? (\S+)$/;
const labelPattern = /(\w+)="((?:[^"\\]|\\.)*)"/g;

function* linesOf(text: string): Generator<Line> {
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = linePattern.exec(line) ?? [];
    if (name === undefined) continue;
    const pairs = [...labels.matchAll(labelPattern)].map(([, label, given]) => [label, given]);
    const number = value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value);
    yield { name, labels: Object.fromEntries(pairs), value: number };
  }
}

export function sampleOf(text: string, atMs: number): Sample {
  const answered = { legacy: 0, modern: 0 };
  const buckets = { legacy: new Map<number, number>(), modern: new Map<number, number>() };
  const verdicts = new Map<string, number>();
  const paired = new Map<string, PairedCalls>();
  const impact: Record<string, number> = {};
  const sums: Record<string, number> = {};
  for (const { name, labels, value } of linesOf(text)) {
    sums[name] = (sums[name] ?? 0) + value;
    const { source, side, verdict, method = "", le, what, result } = labels;
    const [, calculated] = /^pnl_bridge_calculation_(p50|p99|pairs)/.exec(name) ?? [];
    if (calculated !== undefined)
      paired.set(method, { ...paired.get(method), [`${calculated} ${side ?? result}`]: value });
    if (name === "pnl_bridge_impact_users" && what !== undefined) impact[what] = value;
    if (name === "pnl_bridge_calls_total" && isSide(source)) answered[source] += value;
    if (name === "pnl_bridge_verdicts_total") verdicts.set(`${method} ${verdict}`, value);
    if (name !== "pnl_bridge_latency_seconds_bucket" || !isSide(side)) continue;
    const limitS = le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le);
    buckets[side].set(limitS, (buckets[side].get(limitS) ?? 0) + value);
  }
  const sum = (name: string): number => sums[name] ?? 0;
  return {
    ...{ atMs, answered, verdicts, paired },
    impact: Object.keys(impact).length === 0 ? undefined : impact,
    latency: { legacy: [...buckets.legacy], modern: [...buckets.modern] },
    failed: sum("pnl_bridge_modern_failed_total"),
    fellBack: sum("pnl_bridge_fallbacks_total"),
    shed: sum("pnl_bridge_shed_total"),
    errors: sum("pnl_bridge_comparison_errors_total"),
    memoryBytes: sum("process_resident_memory_bytes"),
    loopLagS: sum("nodejs_eventloop_lag_p99_seconds"),
  };
}

const isSide = (text: string | undefined): text is Side => text === "legacy" || text === "modern";

/**
 * The time in milliseconds within which `share` of the calls between two samples were answered, interpolated
 * within its bucket; null if there were no calls.
 */
export function latencyMs(before: Sample, now: Sample, side: Side, share: number): number | null {
  const earlier = new Map(before.latency[side]);
  const counts = now.latency[side].map(
    ([limitS, calls]) => [limitS, calls - (earlier.get(limitS) ?? 0)] as const,
  );
  const all = counts.at(-1)?.[1] ?? 0;
  if (all <= 0) return null;
  let [lowS, lowCalls] = [0, 0];
  for (const [limitS, calls] of counts) {
    if (calls >= share * all && limitS !== Number.POSITIVE_INFINITY)
      return 1_000 * (lowS + ((limitS - lowS) * (share * all - lowCalls)) / Math.max(1, calls - lowCalls));
    if (limitS !== Number.POSITIVE_INFINITY) [lowS, lowCalls] = [limitS, calls];
  }
  return 1_000 * lowS;
}
