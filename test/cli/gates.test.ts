import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { MigrationReport } from "../../src/ports/migration-report.ts";
import { LiveDesk } from "./live-desk.ts";
import { ledger, pnlBridge, withFiles } from "./run-cli.ts";

const gates = { profile: "desk" };
const because = ["--reason", "a test"];

interface Gate {
  readonly name: string;
  readonly state: string;
  readonly open: boolean;
  readonly why: string;
  readonly evidence: Readonly<Record<string, number>>;
  readonly needs?: Readonly<Record<string, number | null>>;
}
interface Report {
  readonly key: string;
  readonly attempt: number;
  readonly looks: number;
  readonly profile: string;
  readonly gates: readonly Gate[];
}

const reportOf = async (desk: LiveDesk, target = "dual_write"): Promise<Report> =>
  (await desk.json("gates", "--target", target)).document;
const gateOf = ({ gates }: Report, name: string): Gate | undefined =>
  gates.find((gate) => gate.name === name);

it.each([
  ["ramp", "accuracy/live"],
  ["window", "no_readers_left"],
])("gates --target %s shows the gate %s", async (target, name) => {
  await using desk = new LiveDesk({}, { gates });
  await desk.run("config", "publish", ...because);
  const { code, out } = await desk.run("gates", "--target", target);
  expect([code, out]).toEqual([1, expect.stringMatching(`^gates before ${target} [^]* ${name} `)]);
});

it("evidence add records a complete result file, and refuses a wrong one with the way to write it", async () => {
  await using desk = new LiveDesk({}, { gates });
  await desk.run("config", "publish", ...because);
  const result = {
    kind: "benchmarks",
    at: new Date().toISOString(),
    build: "1+x",
    met: 2,
    missed: 0,
    noisy: 0,
  };
  const add = (content: object) => {
    writeFileSync(join(desk.folder, "result.json"), JSON.stringify(content));
    return desk.run("evidence", "add", "result.json", "--actor", "amy");
  };
  expect((await add(result)).out).toMatch(/^recorded benchmarks of build 1\+x, SHA-256 [0-9a-f]{64}\n$/);
  for (const [wrong, line] of [
    [{ kind: "benchmark" }, /^BAD_USAGE: kind is none of .*; did you mean benchmarks\?/],
    [{ build: undefined }, /^BAD_USAGE: a result of the kind benchmarks needs build \(result\.json\)/],
    [{ at: "2126-01-30T12:00:00Z" }, /^BAD_USAGE: the time .* has not come yet/],
    [{ missed: "3" }, /^BAD_USAGE: missed is not a whole number of 0 or more \(result\.json\)/],
    [{ build: null }, /^BAD_USAGE: build is not a text \(result\.json\)/],
    [{ kind: "scrape", ok: "no" }, /^BAD_USAGE: ok is not true or false/],
    [{ kind: "memory", ratios: [1, "2"] }, /^BAD_USAGE: ratios is not a list of numbers/],
    [{ kind: "leak", points: [[0, 1], [2]] }, /^BAD_USAGE: points is not a list of pairs of numbers/],
    [{ features: "option" }, /^BAD_USAGE: features is not a list of texts/],
    [
      { suites: [{ name: "gates" }] },
      /^BAD_USAGE: suites is not a list of suites, each with a name and seconds/,
    ],
    [{ seconds: "3" }, /^BAD_USAGE: seconds is not a number of 0 or more/],
  ] as const)
    expect((await add({ ...result, ...wrong })).err).toMatch(line);
  // The gate compares builds: this one is of another program.
  const gate = gateOf(await reportOf(desk), "benchmarks_met");
  expect([gate?.state, gate?.why]).toEqual([
    "inconclusive",
    expect.stringMatching(/^the last benchmark is of build 1\+x, and build \S+ runs; /),
  ]);
  const build = /build (\S+) runs;/.exec(gate?.why ?? "")?.[1];
  await add({ ...result, build });
  expect(gateOf(await reportOf(desk), "benchmarks_met")?.state).toBe("open");
});

it("evidence memory runs each system in a process of its own, and the gate judges its pairs", async () => {
  const systems = {
    legacy: { kind: "builtin", name: "modern-engine" },
    modern: { kind: "module", path: "./modern.mjs" },
  };
  await using desk = new LiveDesk({}, { gates, systems });
  writeFileSync(
    join(desk.folder, "modern.mjs"),
    `const kept = Buffer.alloc(300_000_000, 1);
     export default { history: async () => ({ dayRule: "calendar", positions: [], daily: [], errors: [], kept: kept.length }) };`,
  );
  const trade = "1,XCMEFFDPSX20250919U0ZN,2025-07-23 09:00:00,B,2,110";
  writeFileSync(join(desk.folder, "trades_20250723.csv"), ledger(trade));
  await desk.run("config", "publish", ...because);
  const args = ["--trades", ".", "--pairs", "2", "--actor", "amy"];
  const { document } = await desk.json("evidence", "memory", ...args);
  const {
    peaks,
    ratios,
  }: { readonly peaks: readonly [number, number][]; readonly ratios: readonly number[] } = document;
  for (const [index, [legacy, modern]] of peaks.entries()) {
    expect(ratios[index]).toBeCloseTo(modern / legacy, 3);
    expect(modern).toBeGreaterThan(300_000_000);
  }
  const gate = gateOf(await reportOf(desk), "memory");
  expect(gate?.evidence).toMatchObject({ k: 2, n: 2 });
});

it("replay --record is refused before the replay if no control store is configured", () =>
  withFiles({ "desk.yaml": "{}" }, async (folder) => {
    const args = ["replay", "--trades", "missing", "--config", "desk.yaml", "--record"];
    expect(await pnlBridge(args, { cwd: folder })).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^BAD_CONFIG: no control store/),
    });
  }));

it("replay --record counts under a key: a comment in the file does not change it, another tolerance does, and the old tolerance restores it with its evidence", async () => {
  const systems = {
    legacy: { kind: "builtin", name: "modern-engine" },
    modern: { kind: "builtin", name: "modern-engine" },
  };
  await using desk = new LiveDesk({}, { gates, systems });
  const config = join(desk.folder, "pnl_migration_config.yaml");
  const trade = (id: number, side: string, price: string): string =>
    `${id},XCMEFFDPSX20250919U0ZN,2025-07-2${id + 2} 09:00:00,${side},2,${price}`;
  for (const [at, side] of ["B", "S", "B"].entries())
    writeFileSync(
      join(desk.folder, `trades_2025072${at + 3}.csv`),
      ledger(trade(at + 1, side, String(110 + at))),
    );
  const recorded = await desk.run(
    ...["replay", "--trades", ".", "--config", "pnl_migration_config.yaml", "--record"],
  );
  expect(recorded.err).toMatch(/recorded \d+ instrument-days, 0 apart, under the key [0-9a-f/]+\n/);
  await desk.run("config", "publish", ...because);
  const first = await reportOf(desk);
  const { evidence, needs } = gateOf(first, "accuracy/replay") ?? {};
  expect([first.profile, first.attempt, evidence?.k, needs?.clean]).toEqual([
    "desk",
    1,
    0,
    338 - (evidence?.n ?? 0),
  ]);
  expect(evidence?.n).toBeGreaterThanOrEqual(3);
  expect(first.gates.filter(({ state }) => state === "closed").map(({ name }) => name)).not.toContain("bias");

  writeFileSync(config, `# a comment\n${readFileSync(config, "utf8")}`);
  expect(await reportOf(desk)).toMatchObject({ key: first.key, attempt: 1 });
  const withTolerance = (comparison_threshold: number) =>
    desk.write({ validation: { comparison_threshold } }, { gates, systems });
  withTolerance(0.5);
  await desk.run("config", "publish", ...because);
  const other = await reportOf(desk);
  expect([other.key === first.key, other.attempt, gateOf(other, "accuracy/replay")?.evidence.n]).toEqual([
    false,
    2,
    0,
  ]);
  withTolerance(0.01);
  await desk.run("config", "publish", ...because);
  const back = await reportOf(desk);
  expect([back.key, back.attempt, gateOf(back, "accuracy/replay")?.evidence.n]).toEqual([
    first.key,
    3,
    evidence?.n,
  ]);
});

it("a move needs evidence, a rise of the traffic too, and a waiver needs two people", async () => {
  await using desk = new LiveDesk({}, { gates });
  await desk.run("config", "publish", ...because);
  const refused = await desk.run("phase", "advance", ...because);
  expect([refused.code, refused.out]).toEqual([
    1,
    expect.stringMatching(/UNSURE +tests_passed +no test run is recorded; run \.\/run test, then/),
  ]);
  expect(refused.out).toMatch(
    /^ {2}note: of the build of systems\.modern, only .* set systems\.modern\.build/m,
  );
  const needsEvidence = /^REFUSED: a higher percentage needs evidence, and not all its gates are open: /;
  expect((await desk.run("traffic", "10", ...because)).err).toMatch(needsEvidence);
  desk.write({ traffic_routing: { new_system_percentage: 10 } }, { gates });
  expect((await desk.run("config", "publish", ...because)).err).toMatch(needsEvidence);
  desk.write({}, { gates });
  const until = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  const waive = (gate: string, actor: string) =>
    desk.run("waive", gate, "--actor", actor, "--until", until, ...because);
  const gate = async () => gateOf(await reportOf(desk), "memory");
  for (const _ of ["once", "again"]) await waive("memory", "amy");
  expect(await gate()).toMatchObject({
    open: false,
    why: expect.stringContaining("a second person must waive it too"),
  });
  await waive("memory", "bob");
  expect(await gate()).toMatchObject({
    open: true,
    state: "inconclusive",
    why: expect.stringContaining("waived until"),
  });
  expect((await waive("material", "amy")).err).toMatch(/^REFUSED: the gate material is never waived/);
  expect((await desk.run("waive", "memry", "--revoke", "--actor", "amy", ...because)).err).toMatch(
    /^BAD_USAGE: "memry" is no gate that can be waived/,
  );
  expect((await gate())?.open).toBe(true);

  await desk.run("sign-off", "team_trained", "--actor", "<b>eve</b>", "--note", "walked through it");
  const { document: report } = await desk.json("report", "migration", "--out", "migration.html");
  expect(report).toMatchObject({
    ...{ phase: "read_only", target: "shadow_mode", legacy: "./legacy.mjs", back: { possible: true } },
    waivers: [{ gate: "memory", actors: ["amy", "bob"], until }],
    moves: expect.arrayContaining([
      expect.objectContaining({
        what: "refused",
        reason: expect.stringContaining("read_only to shadow_mode"),
      }),
    ]),
    metrics: { memory: null, impact: { seen: { distinct: 0 } } },
    evidence: { attempt: 1, days: 0 },
  });
  const { gates: listed, signed } = report as MigrationReport;
  expect(listed.find(({ name }) => name === "tests_passed")).toMatchObject({
    ...{ state: "inconclusive", open: false },
    meaning: { lacks: "that the tests ask the right questions" },
  });
  expect(signed.map(({ actor, what }) => `${actor} ${what}`)).toEqual([
    ...["amy waive: memory", "amy waive: memory", "bob waive: memory", "<b>eve</b> sign-off: team_trained"],
  ]);
  const page = readFileSync(join(desk.folder, "migration.html"), "utf8");
  expect(page).toContain("&lt;b&gt;eve&lt;/b&gt;");
  expect(page).not.toMatch(/<b>|<script|src=|href=/);

  await desk.run("waive", "memory", "--revoke", "--actor", "amy", ...because);
  expect((await gate())?.open).toBe(false);
});
