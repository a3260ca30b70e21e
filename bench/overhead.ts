import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSqliteEvidenceStore } from "../src/adapters/sqlite/index.ts";
import { planOf } from "../src/domain/migration/plan.ts";
import { routeOf } from "../src/domain/migration/route.ts";
import { interleaved, ratio, type Times, timesOf } from "./measure.ts";
import { callsOfRound, type VariantName, variants, withEvidence } from "./overhead-variant.ts";
import type { BenchResult, BenchRow } from "./report.ts";
import { inTemporaryFolder } from "./temporary.ts";

/**
 * The number of processes of each variant. They run in turn, so that a slow minute of the machine affects all
 * variants.
 */
const repetitions = 5;
const evidenceRepetitions = 31;
const units = Array.from({ length: 1_024 }, (_, number) => `BOOK-${number}`);
const decisionsOfRound = 1_000;

/**
 * Measures the cost of a call that does almost nothing: direct, behind our bridge, and behind other
 * libraries. Each variant has processes of its own, and its work after the caller's answer is included. Also
 * measures a routing decision against the hash that it has to compute.
 */
export async function overhead(): Promise<BenchResult> {
  const names = Object.keys(variants) as VariantName[];
  const taken = new Map<VariantName, number[]>(names.map((name) => [name, []]));
  for (let repetition = 0; repetition < repetitions; repetition++)
    for (const name of names) taken.get(name)?.push(nanosecondsOf(name));
  const of = (name: VariantName): Times => timesOf(taken.get(name) as number[]);
  const against = (name: VariantName, other: VariantName, target?: BenchRow["target"]): BenchRow => ({
    case: name,
    measured: nanoseconds(of(name)),
    ratio: ratio(of(name), of(other)),
    against: other,
    ...(target === undefined ? {} : { target }),
  });
  return {
    name: "overhead",
    what: `nanoseconds of a call, ten fields compared, median of ${repetitions} processes each`,
    rows: [
      { case: "direct", measured: nanoseconds(of("direct")) },
      against("ours, legacy only", "LaunchDarkly, off", { atMost: 1 / 20 }),
      against("ours, sampled out", "LaunchDarkly, off"),
      against("ours, shadow, equal", "LaunchDarkly, shadow", { atMost: 1 / 5 }),
      against("ours, shadow, equal", "tzientist"),
      against("ours, shadow, within tolerance", "LaunchDarkly, shadow", { atMost: 1 / 5 }),
      against("ours, shadow, within tolerance", "LaunchDarkly, shadow, events made"),
      against("ours, shadow, within tolerance", "tzientist"),
      against("tzientist", "direct"),
      against("LaunchDarkly, off", "direct"),
      against("LaunchDarkly, shadow", "direct"),
      against("LaunchDarkly, shadow, events made", "direct"),
      ...(await evidence()),
      ...(await routing()),
    ],
  };
}

/**
 * The processor time that evidence adds to a shadowed call, in one process, because the ratio is small. Both
 * stores of comparisons are real ones. The collections between the rounds are minor, so that no round
 * measures the compiler.
 */
const evidence = (): Promise<readonly BenchRow[]> =>
  inTemporaryFolder(async (folder) => {
    const kept = await openSqliteEvidenceStore(join(folder, "kept.db"));
    const counted = await openSqliteEvidenceStore(join(folder, "counted.db"));
    const tally = { process: "bench", dayRule: "calendar", groupOf: () => "future" } as const;
    const times = await interleaved(
      {
        shadow: { run: await withEvidence({}) },
        kept: { run: await withEvidence({ evidence: kept }) },
        counted: { run: await withEvidence({ evidence: counted, tally }) },
      },
      evidenceRepetitions,
      "minor",
    );
    await Promise.all([kept.close(), counted.close()]);
    const [shadow, stored, judged] = ["shadow, equal", "comparisons kept", "comparisons kept and counted"];
    const row = (name: string, of: Times): BenchRow => ({
      case: `ours, ${name}: processor time`,
      measured: `${Math.round((of.medianMs * 1e6) / callsOfRound)} ns`,
    });
    return [
      row(shadow, times.shadow),
      { ...row(stored, times.kept), ratio: ratio(times.kept, times.shadow), against: shadow },
      {
        ...row(judged, times.counted),
        ...{ ratio: ratio(times.counted, times.kept), against: stored, target: { atMost: 1.1 } },
      },
    ];
  });

async function routing(): Promise<readonly BenchRow[]> {
  const plan = planOf({
    phase: "dual_write",
    flags: { calculator: true, storage: true },
    newSystemPercentage: 25,
  });
  const times = await interleaved(
    {
      route: { run: () => decide((book) => routeOf(plan, { book }, 0).answer === "modern") },
      hash: { run: () => decide((book) => inlineMurmur3(`v1|use_new_calculator||${book}`) < 0.25 * 2 ** 32) },
    },
    9,
  );
  const each = ({ medianMs }: Times): string =>
    `${Math.round((medianMs * 1e6) / (decisionsOfRound * units.length))} ns`;
  return [
    {
      case: "a routing decision",
      measured: each(times.route),
      ratio: ratio(times.route, times.hash),
      against: "inline murmur3",
      target: { atMost: 3 },
    },
    { case: "inline murmur3", measured: each(times.hash) },
  ];
}

/** Runs the decision for every unit in many rounds. Throws unless it selects the expected number of units. */
function decide(isIn: (book: string) => boolean): void {
  let within = 0;
  for (let round = 0; round < decisionsOfRound; round++)
    for (const book of units) if (isIn(book)) within += 1;
  if (within !== withinOfRound * decisionsOfRound) throw new Error(`${within} units were selected`);
}

/** MurmurHash3 (x86, 32 bit), as short as it can be for ASCII. */
function inlineMurmur3(text: string): number {
  let hash = 0;
  const scrambled = (block: number): number => {
    const times = Math.imul(block, 0xcc9e2d51);
    return Math.imul((times << 15) | (times >>> 17), 0x1b873593);
  };
  let at = 0;
  for (; at + 4 <= text.length; at += 4) {
    hash ^= scrambled(
      text.charCodeAt(at) |
        (text.charCodeAt(at + 1) << 8) |
        (text.charCodeAt(at + 2) << 16) |
        (text.charCodeAt(at + 3) << 24),
    );
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let left = text.length - 1; left >= at; left--) tail = (tail << 8) | text.charCodeAt(left);
  hash ^= scrambled(tail) ^ text.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const withinOfRound = units.filter(
  (book) => inlineMurmur3(`v1|use_new_calculator||${book}`) < 0.25 * 2 ** 32,
).length;

const nanoseconds = ({ medianMs }: Times): string => `${Math.round(medianMs)} ns`;

function nanosecondsOf(name: VariantName): number {
  const script = fileURLToPath(new URL("overhead-variant.ts", import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", script, name], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${name}: ${stderr.trim().split("\n").slice(-3).join(" ")}`);
  return Number(stdout);
}
