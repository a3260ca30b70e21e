import { describe, expect, it } from "vitest";
import { type EvidenceFacts, trialsOf } from "../../src/control/index.ts";
import { signals } from "../../src/surfaces/gateway/metric-catalogue.ts";
import { until } from "../../src/testing/until.ts";
import { ask, desk } from "./desk.ts";

interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: string;
  readonly samples: readonly string[];
}

/** The families of an exposition in Prometheus' text format. */
function families(text: string): readonly Family[] {
  return text
    .split(/^# HELP /m)
    .slice(1)
    .map((part) => {
      const [help = "", type = "", ...samples] = part.trimEnd().split("\n");
      const [name = ""] = help.split(" ", 1);
      expect(type).toMatch(new RegExp(`^# TYPE ${name} \\w+$`));
      return { name, help: help.slice(name.length + 1), kind: type.split(" ").at(-1) ?? "", samples };
    });
}

/** Units for which Prometheus requires base units such as seconds, bytes or ratios. */
const otherUnits =
  /_(ms|us|ns|sec|secs|milliseconds|microseconds|nanoseconds|minutes|hours|days|kb|mb|gb|kilobytes|megabytes|bits|percent|percentage|celsius_degrees)(_|$)/;

/** The complaints of `promtool check metrics` about one family. */
function complaints({ name, help, kind, samples }: Family): readonly string[] {
  const labels = samples.flatMap((sample) => [...sample.matchAll(/[{,](\w+)="/g)].map(([, label]) => label));
  const isParted = kind === "histogram" || kind === "summary";
  const rules: readonly (readonly [boolean, string])[] = [
    [help.trim() === "", "no help text"],
    [!/^[a-z][a-z0-9_]*$/.test(name), "metric names should be written in snake_case, without colons"],
    [kind === "counter" && !name.endsWith("_total"), 'counter metrics should have "_total" suffix'],
    [kind !== "counter" && name.endsWith("_total"), 'non-counter metrics should not have "_total" suffix'],
    [/_(counter|gauge|histogram|summary)(_|$)/.test(name), "metric name should not include the type"],
    [otherUnits.test(name), "use base units"],
    [!isParted && /_(count|sum|bucket)$/.test(name), "suffix of a histogram or summary"],
    [kind !== "histogram" && labels.includes("le"), 'non-histogram metrics should not have "le" label'],
    [
      kind !== "summary" && labels.includes("quantile"),
      'non-summary metrics should not have "quantile" label',
    ],
  ];
  return rules.filter(([isBroken]) => isBroken).map(([, complaint]) => `${name}: ${complaint}`);
}

/** Facts in which modern has answered one user, and two people waive a gate. */
const servedFacts = ((): EvidenceFacts => {
  const tally = (signal: string, stratum: string, given: object = {}) => ({
    ...{ source: "served" as const, signal, stratum, n: 1, k: 0, amount: 0, largest: 0, ...given },
  });
  const lane = {
    source: "live" as const,
    day: "2026-11-27",
    book: "EGB",
    symbol: "ZNZ6",
    method: "openPositions",
    group: "future",
  };
  const laneDay = {
    ...{ ...lane, at: "2026-11-27T20:00:00Z", apart: null, accepted: null },
    ...{ money: 0, quantityApart: false, signed: 0, weight: 1 },
  };
  const stored = {
    laneDays: [laneDay],
    tallies: [
      tally("pairs", "totals", { n: 200, k: 3 }),
      tally("bins", "totals later 10 12", { n: 197 }),
      tally("bins", "totals later 20 999", { n: 3 }),
      tally("errors", "totals", { n: 40, k: 1 }),
      tally("impact", "2026-11-27 seen amy"),
      tally("impact", "2026-11-27 fell_back:TIMEOUT amy"),
      tally("coverage", "totals", { n: 9 }),
      tally("lost", "totals dropped"),
    ],
    ...{ processes: [], others: [] },
  };
  const around = { nowMs: Date.parse("2026-11-30T18:00:00Z"), today: "2026-11-30" };
  const memory = { ratios: [1.1], peaks: [[200, 220]] };
  return {
    ...{ key: "a/b/c", attempt: 1, looks: 1, stored, ...around, date: "2026-11-30", build: "1+x" },
    trials: trialsOf(stored, around),
    limits: { accuracy: { replay: 0.01, live: 0.05, served: 0.01 }, days: 5 },
    records: [{ kind: "memory", atMs: around.nowMs, actor: "amy", build: "1+x", content: memory }],
    waivers: [{ gate: "tests_passed", actors: ["amy", "bob"], reason: "new host", until: "2026-12-01" }],
    ...{
      causes: [],
      exclusions: [],
      isNoiseMeasured: true,
      hasAlertUrl: true,
      hasPair: false,
      usesReports: true,
    },
    ...{ owed: 0, quarantined: 0 },
  };
})();

const sampleOf = (text: string, sample: string): string | undefined =>
  text
    .split("\n")
    .find((line) => line.startsWith(`${sample} `))
    ?.slice(sample.length + 1);

describe("/metrics", () => {
  it("prints exactly the signals and labels of the catalogue, with correct values", async () => {
    const { url, service } = await desk({
      modern: (_, request) => ((request as { book?: string }).book === "UST" ? {} : { totals: {} }),
    });
    for (const body of [{}, {}, { book: "UST" }]) await ask(`${url}/api/v1/pnl/totals`, "POST", body);
    await ask(`${url}/api/v1/nowhere`);
    await service.idle();
    const { text, headers } = await ask(`${url}/metrics`);
    expect(headers.get("content-type")).toContain("text/plain; version=0.0.4");
    const own = families(text).filter(({ name }) => name.startsWith("pnl_bridge_"));
    expect(own.map(({ name, help, kind }) => ({ name, help, kind }))).toEqual(
      Object.values(signals).map(({ name, help, kind }) => ({ name, help, kind })),
    );
    for (const { name, labels } of Object.values(signals))
      for (const [, given = ""] of text.matchAll(
        new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{(.*)\\} `, "gm"),
      )) {
        const named = [...given.matchAll(/(\w+)="/g)]
          .map(([, label = ""]) => label)
          .filter((label) => label !== "le");
        expect([name, named.sort()]).toEqual([name, [...labels].sort()]);
      }
    for (const [sample, value] of [
      ['pnl_bridge_calls_total{method="totals",source="legacy"}', "3"],
      ['pnl_bridge_routed_total{method="totals",reason="PHASE"}', "3"],
      ['pnl_bridge_compared_total{method="totals"}', "3"],
      ['pnl_bridge_verdicts_total{method="totals",verdict="equal"}', "2"],
      ['pnl_bridge_latency_seconds_count{method="totals",side="legacy"}', "3"],
      ["pnl_bridge_epoch_seen", "1"],
      ["pnl_bridge_epoch_drained", "1"],
      ['pnl_bridge_phase{phase="shadow_mode"}', "1"],
      ['pnl_bridge_phase{phase="dual_write"}', "0"],
      ['pnl_bridge_freshness{state="fresh"}', "1"],
      ['pnl_bridge_http_requests_total{status="2xx"}', "3"],
      ['pnl_bridge_http_requests_total{status="4xx"}', "1"],
    ] as const)
      expect([sample, sampleOf(text, sample)]).toEqual([sample, value]);
    expect(text).toMatch(/^pnl_bridge_latency_seconds_bucket\{.*method="totals".*\} 3$/m);
  });

  it("reports version, kill switch, latch, percentage and configuration drift", async () => {
    const state = { drift: false, latched: null as string | null };
    const { url, service } = await desk({ state });
    const read = async (): Promise<Readonly<Record<string, string | undefined>>> => {
      const { text } = await ask(`${url}/metrics`);
      expect(text).toMatch(/^pnl_bridge_build_info\{version="\d+\.\d+\.\d+",node="\d+\.\d+\.\d+"\} 1$/m);
      const names = ["kill_switch", "latched", "config_drift", "modern_traffic_ratio"];
      return Object.fromEntries(names.map((name) => [name, sampleOf(text, `pnl_bridge_${name}`)]));
    };
    expect(await read()).toEqual({
      kill_switch: "0",
      latched: "0",
      config_drift: "0",
      modern_traffic_ratio: "0",
    });
    service.setPlan({ phase: "shadow_mode", useNewPnlSystem: false, newSystemPercentage: 12.5, epoch: 2 });
    Object.assign(state, { drift: true, latched: "error_rate" });
    expect(await read()).toEqual({
      kill_switch: "1",
      latched: "1",
      config_drift: "1",
      modern_traffic_ratio: "0.125",
    });
  });

  it("has the gates and the metrics of the migration even if no comparison is stored, and a scrape does not count as a look at the evidence", async () => {
    const looks: boolean[] = [];
    const facts = async ({ isLook }: { readonly isLook: boolean }) => {
      looks.push(isLook);
      return servedFacts;
    };
    const { url, service } = await desk({ facts });
    let text = "";
    // A scrape waits only a second for the values, so on a slow machine a later one has them.
    await until(async () => {
      ({ text } = await ask(`${url}/metrics`));
      return text.includes("pnl_bridge_gate_state{");
    }, "a scrape has the gates");
    expect(new Set(looks)).toEqual(new Set([false]));
    const values = Object.fromEntries(
      [
        ...text.matchAll(
          /^pnl_bridge_((?:gate|calculation|memory|accuracy|modern_error|impact)\S*) (\S+)$/gm,
        ),
      ].map(([, sample = "", value]) => [sample, value]),
    );
    expect(values).toMatchObject({
      'gate_state{gate="tests_passed",target="shadow_mode"}': "1",
      'gate_state{gate="fleet_acknowledged",target="shadow_mode"}': "0",
      'gate_state{gate="store_reachable",target="shadow_mode"}': "2",
      'gate_waived{gate="tests_passed",target="shadow_mode"}': "1",
      'calculation_p50_seconds{method="totals",side="legacy"}': "0.00259",
      'calculation_p99_seconds{method="totals",side="modern"}': "+Inf",
      'calculation_pairs{method="totals",result="slower"}': "3",
      memory_ratio: "1.1",
      'memory_peak_bytes{side="modern"}': "220",
      'accuracy_trials{source="live"}': "1",
      'accuracy_events{source="live"}': "0",
      modern_error_ratio: "0.025",
      'impact_users{what="seen"}': "1",
      'impact_users{what="fell_back_TIMEOUT"}': "1",
      impact_unobserved_ratio: "0.1",
    });
    // The metrics that the API shows stay the same when the plan of this process changes.
    service.setPlan({ phase: "shadow_mode", epoch: 2 });
    const { body } = await ask(`${url}/api/v1/migration`);
    expect(body).toMatchObject({ metrics: { errors: { minutes: 40, failed: 1 }, memory: { ratio: 1.1 } } });
  });

  it("answers a scrape without the values of the migration while they cannot be read", async () => {
    const hangs = await desk({ facts: () => new Promise(() => {}) });
    const fails = await desk({ facts: async () => Promise.reject(new Error("no store")) });
    for (const { url } of [hangs, fails]) {
      const { text } = await ask(`${url}/metrics`);
      expect(text).toMatch(/^pnl_bridge_epoch_seen 1$/m);
      expect(text).not.toMatch(/^pnl_bridge_(gate|impact|evidence_age)\w*[ {]/m);
    }
  });

  it("follows the naming rules of Prometheus, for its own signals and for those of the process", async () => {
    const { url } = await desk();
    await ask(`${url}/api/v1/pnl/totals`, "POST", {});
    const all = families((await ask(`${url}/metrics`)).text);
    expect(all.flatMap(complaints)).toEqual([]);
    expect(all.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "nodejs_eventloop_lag_p99_seconds",
      ]),
    );
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });

  it.each([
    ["# HELP a_total x\n# TYPE a_total gauge\na_total 1\n", "a_total"],
    ["# HELP a x\n# TYPE a counter\na 1\n", "a: counter"],
    ['# HELP a_seconds x\n# TYPE a_seconds gauge\na_seconds{quantile="0.5"} 1\n', "quantile"],
    ["# HELP a_ms x\n# TYPE a_ms gauge\na_ms 1\n", "base units"],
    ["# HELP a_gauge x\n# TYPE a_gauge gauge\na_gauge 1\n", "the type"],
  ])("the check of the naming rules finds the fault in %j", (text, complaint) => {
    expect(families(text).flatMap(complaints).join()).toContain(complaint);
  });
});
