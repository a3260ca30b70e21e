/**
 * The view `Health`: how fast and how reliable both systems are, and what users saw of modern, as charts
 * since the page was opened.
 */
import { useMemo } from "react";
import { Chart } from "../chart.tsx";
import { mebibytes } from "../figures.ts";
import { latencyMs, type Sample, sampleBefore, samplesStore } from "../live/metrics.ts";
import { Fact, Facts, Panel, Table } from "../panel.tsx";
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
    title: "Latency in ms within which 99 of 100 compared calls end",
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

/**
 * Counts the users of the whole fleet who saw what `isCounted` names. A user who saw several of these things,
 * such as fall-backs for two reasons, counts once for each of them.
 */
const saw = (impact: Sample["impact"], isCounted: (what: string) => boolean): number | null =>
  impact === undefined
    ? null
    : Object.entries(impact).reduce((sum, [what, users]) => (isCounted(what) ? sum + users : sum), 0);
const isFallBack = (what: string): boolean => what.startsWith("fell_back_");
const isStale = (what: string): boolean => what === "stale" || what === "unmarked";
const isWrong = (what: string): boolean => what === "wrong";
const users =
  (isCounted: (what: string) => boolean): Measure =>
  (_, { impact }) =>
    saw(impact, isCounted);

const impactChart: (typeof charts)[number] = {
  title: "Users with a wrong, old or replaced answer",
  series: [
    { label: "Wrong figure", as: "line", of: users(isWrong) },
    { label: "Legacy instead of modern", as: "dashes", of: users(isFallBack) },
    { label: "Answer that lacked writes", as: "bars", of: users(isStale) },
  ],
};

/** The median time of a method's paired calls. A time-out has no place on a chart. */
const calculation = (method: string): (typeof charts)[number] => {
  const ms =
    (side: "legacy" | "modern"): Measure =>
    (_, { paired }) => {
      const seconds = paired.get(method)?.[`p50 ${side}`] ?? Number.POSITIVE_INFINITY;
      return Number.isFinite(seconds) ? 1_000 * seconds : null;
    };
  return {
    title: `Median calculation time of ${method} in ms`,
    series: [
      { label: "Legacy", as: "dashes", of: ms("legacy") },
      { label: "Modern", as: "line", of: ms("modern") },
    ],
  };
};

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
          <Fleet {...{ now, pairs }} />
        </>
      )}
    </section>
  );
}

function Now({ before, now }: { readonly before: Sample; readonly now: Sample }) {
  const ms = (side: "legacy" | "modern", share: number): string => {
    const found = latencyMs(before, now, side, share);
    return found === null ? "no compared calls" : `${msText(found)} ms`;
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

/** Shows what the evidence of the whole fleet says about users, and about the time of both systems. */
function Fleet({
  now: { impact, paired },
  pairs,
}: {
  readonly now: Sample;
  readonly pairs: readonly Pair[];
}) {
  const methods = [...paired.keys()].toSorted();
  const names = methods.join(" ");
  // A chart is made anew if its series is another object.
  const times = useMemo(() => (names === "" ? [] : names.split(" ").map(calculation)), [names]);
  return (
    <>
      <h2>The whole fleet, since the evidence began</h2>
      <div className="columns">
        <Panel title="User impact">
          {impact === undefined ? (
            <p className="soft">There is no evidence, or it cannot be read.</p>
          ) : (
            <Facts>
              <Fact name="Users that modern answered">{impact.seen ?? 0}</Fact>
              <Users name="Saw a wrong figure" count={saw(impact, isWrong)} />
              <Users
                name="Got legacy’s answer instead of modern’s (once for each reason)"
                count={saw(impact, isFallBack)}
              />
              <Users name="Got an answer of legacy that lacked writes" count={saw(impact, isStale)} />
            </Facts>
          )}
        </Panel>
        <MetricChart {...{ pairs, ...impactChart }} />
      </div>
      <Panel title="Calculation time">
        <Table
          label="Calculation time of the calls that both systems answered, in ms"
          head={[
            "Method",
            "Legacy median",
            "Modern median",
            "Legacy p99",
            "Modern p99",
            "Pairs",
            "Modern slower",
          ]}
          rows={methods}
          keyOf={(method) => method}
          empty="There is no evidence of calls that both systems answered."
        >
          {(method) => {
            const calls = paired.get(method) ?? {};
            return (
              <>
                <th scope="row">{method}</th>
                {(["p50 legacy", "p50 modern", "p99 legacy", "p99 modern"] as const).map((time) => (
                  <td key={time}>{calculationText(calls[time])}</td>
                ))}
                <td>{calls["pairs all"] ?? "–"}</td>
                <td>{calls["pairs slower"] ?? "–"}</td>
              </>
            );
          }}
        </Table>
      </Panel>
      <div className="columns">
        {times.map((chart) => (
          <MetricChart key={chart.title} {...{ pairs, ...chart }} />
        ))}
      </div>
    </>
  );
}

const Users = ({ name, count }: { readonly name: string; readonly count: number | null }) => (
  <Fact name={name} tone={count === 0 ? "good" : "warn"}>
    {count} {count === 1 ? "user" : "users"}
  </Fact>
);

const calculationText = (seconds: number | undefined): string =>
  seconds === undefined ? "–" : Number.isFinite(seconds) ? msText(1_000 * seconds) : "time-out";

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
