/** The view `Health`: how fast and how reliable both systems are, as charts since the page was opened. */
import { useMemo } from "react";
import { Chart } from "../chart.tsx";
import { mebibytes } from "../figures.ts";
import { latencyMs, type Sample, sampleBefore, samplesStore } from "../live/metrics.ts";
import { Fact, Facts, Panel } from "../panel.tsx";
import { useStore } from "../store.ts";
import { deskTime, msText } from "../times.ts";

/** Each point of a chart covers the samples of this time before it. */
const windowMs = 30_000;

type Measure = (before: Sample, now: Sample) => number | null;

const verdictSum = (sample: Sample, isWanted: (verdict: string) => boolean): number =>
  [...sample.verdicts].reduce(
    (sum, [name, count]) => (isWanted(name.split(" ").at(-1) ?? "") ? sum + count : sum),
    0,
  );

const mismatchRate: Measure = (before, now) => {
  const all = verdictSum(now, () => true) - verdictSum(before, () => true);
  const isUnequal = (verdict: string): boolean => verdict === "diverged" || verdict === "error";
  return all === 0 ? null : (100 * (verdictSum(now, isUnequal) - verdictSum(before, isUnequal))) / all;
};
const perMinute =
  (of: (sample: Sample) => number): Measure =>
  (before, now) =>
    now.atMs === before.atMs ? null : (60_000 * (of(now) - of(before))) / (now.atMs - before.atMs);

interface Measured {
  readonly label: string;
  readonly as: "line" | "dashes" | "bars";
  readonly of: Measure;
}

const latencies = (share: number): readonly Measured[] => [
  { label: "Legacy", as: "dashes", of: (...given) => latencyMs(...given, "legacy", share) },
  { label: "Modern", as: "line", of: (...given) => latencyMs(...given, "modern", share) },
];

const charts: readonly { readonly title: string; readonly series: readonly Measured[] }[] = [
  {
    title: "Median latency in ms",
    series: latencies(0.5),
  },
  {
    title: "Latency in ms within which 99 of 100 calls are answered",
    series: latencies(0.99),
  },
  {
    title: "Answers that differ, in % of the comparisons",
    series: [{ label: "Diverged or error", as: "line", of: mismatchRate }],
  },
  {
    title: "Failures a minute",
    series: [
      { label: "Modern failed", as: "line", of: perMinute(({ failed }) => failed) },
      { label: "Legacy answered instead", as: "dashes", of: perMinute(({ fellBack }) => fellBack) },
      { label: "Comparisons dropped", as: "bars", of: perMinute(({ shed }) => shed) },
    ],
  },
  {
    title: "Memory of the gateway in MiB",
    series: [{ label: "Memory", as: "line", of: (_, { memoryBytes }) => mebibytes(memoryBytes) }],
  },
];

const shownNumber = (value: number | null): string | null => (value === null ? null : value.toFixed(3));

export function HealthView() {
  const samples = useStore(samplesStore);
  const now = samples.at(-1);
  const before = sampleBefore(samples, windowMs);
  const pairs = useMemo(() => pairsOf(samples), [samples]);
  return (
    <section>
      <h1>Health</h1>
      {now === undefined || before === undefined ? (
        <p>The first sample of the metrics has not arrived yet.</p>
      ) : (
        <>
          <Now {...{ before, now }} />
          <p className="soft">
            The charts show the gateway that serves this page, since the page was opened (
            {deskTime(samples[0]?.atMs ?? 0)}). Each point covers the {windowMs / 1_000} s before it.{" "}
            <code>/metrics</code> has all signals.
          </p>
          <div className="columns">
            {charts.map((chart) => (
              <MetricChart key={chart.title} {...{ pairs, ...chart }} />
            ))}
          </div>
        </>
      )}
    </section>
  );
}

function Now({ before, now }: { readonly before: Sample; readonly now: Sample }) {
  const ms = (side: "legacy" | "modern", share: number): string => {
    const found = latencyMs(before, now, side, share);
    return found === null ? "no calls" : `${msText(found)} ms`;
  };
  const rate = mismatchRate(before, now);
  return (
    <Panel title="Now">
      <Facts>
        <Fact name="Legacy, median / p99">
          {ms("legacy", 0.5)} / {ms("legacy", 0.99)}
        </Fact>
        <Fact name="Modern, median / p99">
          {ms("modern", 0.5)} / {ms("modern", 0.99)}
        </Fact>
        <Fact name="Answers that differ" tone={rate === null ? "off" : rate === 0 ? "good" : "warn"}>
          {rate === null ? "nothing compared" : `${rate === 0 ? "0" : rate.toFixed(2)} %`}
        </Fact>
        <Fact name="Modern failed, since the gateway started" tone={now.failed === 0 ? "good" : "warn"}>
          {now.failed} {now.failed === 1 ? "call" : "calls"}
        </Fact>
        <Fact name="Memory">{Math.round(mebibytes(now.memoryBytes))} MiB</Fact>
        <Fact name="Event loop delay, p99">{(now.loopLagS * 1_000).toFixed(1)} ms</Fact>
      </Facts>
    </Panel>
  );
}

type Pair = Readonly<Record<"before" | "now", Sample>>;

/** Each sample but the first, with the one that is a window before it. */
const pairsOf = (samples: readonly Sample[]): readonly Pair[] =>
  samples.slice(1).map((now, index) => ({
    before: sampleBefore(samples.slice(0, index + 2), windowMs) ?? now,
    now,
  }));

function MetricChart({
  pairs,
  title,
  series,
}: (typeof charts)[number] & { readonly pairs: readonly Pair[] }) {
  const { x, values } = useMemo(
    () => ({
      x: pairs.map(({ now }) => now.atMs),
      values: series.map(({ label, as, of }) => ({
        ...{ label, as },
        values: pairs.map(({ before, now }) => shownNumber(of(before, now))),
      })),
    }),
    [pairs, series],
  );
  return (
    <Panel title={title}>
      {x.length === 0 ? (
        <p className="soft">The chart begins with the second sample.</p>
      ) : (
        <Chart label={title} x={x} textOf={timeOf} series={values} height={200} />
      )}
    </Panel>
  );
}

const timeOf = (atMs: number): string => deskTime(atMs);
