/**
 * The long campaigns. A campaign is a test that runs over seeds. `./run test` runs the first few seeds of each;
 * `./run test --long NAME` runs seed after seed until `LONG_S` seconds are over. `SEED=17 ./run test FILE` repeats one seed.
 */
interface Campaign {
  readonly file: string;
  /** Part of the test's title, where the file holds other tests too. */
  readonly title?: string;
  /** What a campaign proves, for `./run test --long`. */
  readonly proves: string;
}

export const campaigns = {
  "control-plane": {
    file: "test/simulation/control-plane.test.ts",
    proves:
      "a fleet in memory obeys the design's table under random changes, crashes, outages and clock jumps",
  },
  kill: {
    file: "test/simulation/control-faults.test.ts",
    title: "kill -9",
    proves:
      "real processes that are killed at random moments lose no accepted write and never answer against the plan",
  },
  statements: {
    file: "src/adapters/sqlite/control-store.test.ts",
    title: "an operator's statements",
    proves: "a thousand SQL statements of an operator meet no lock while four processes live and obey",
  },
  phases: {
    file: "test/simulation/phase-cases.test.ts",
    proves:
      "every way forward and back between phases, with each value of a plan, lands in the same state on each store",
  },
  faults: {
    file: "test/simulation/control-faults.test.ts",
    proves: "stopped processes, wrong clocks, damaged files and full disks lead no process against the plan",
  },
  "db-kill": {
    file: "test/simulation/database-kill.test.ts",
    proves:
      "processes on a pair of databases that are killed 500 times at random moments lose and double no write",
  },
  "db-points": {
    file: "test/simulation/database-failpoints.test.ts",
    proves: "a process may die before and after each statement of both stores, and the next one recovers",
  },
  run: {
    file: "test/tidy/run.test.ts",
    proves: "./run builds, installs and locks correctly whatever else runs or died at the same time",
  },
  obey: {
    file: "test/simulation/obeying-fleet.test.ts",
    proves: "real processes obey each of the operator's SQL statements from its acknowledgement on",
  },
  shadow: {
    file: "test/simulation/shadow-night.test.ts",
    proves: "a modern side that leaks, hangs and throws leaves every call accounted for and no memory behind",
  },
  histories: {
    file: "test/properties/engine.test.ts",
    title: "random histories",
    proves: "the engine matches random trading histories exactly as an independent, slower engine does",
  },
  symbols: {
    file: "test/properties/symbols.test.ts",
    title: "mutated symbols",
    proves: "no mutated symbol throws, hangs, or becomes another instrument without a note",
  },
} satisfies Readonly<Record<string, Campaign>>;

export type CampaignName = keyof typeof campaigns;

/** Whether this is the long run of a campaign. Its slowest tests run only then. */
export const isLongRun = (name: CampaignName): boolean => process.env.CAMPAIGN === name;

/** The time that a campaign has, in seconds, unless `LONG_S` says otherwise. */
export const longSeconds = Number(process.env.LONG_S ?? 600);

/**
 * Runs `work` for seed 1, 2, 3 …: `short` seeds in `./run test`, and in the long run as many as fit into the time.
 * Throws the first failure, with the command that repeats its seed.
 */
export async function overSeeds(
  name: CampaignName,
  short: number,
  work: (seed: number) => unknown,
): Promise<void> {
  const { SEED, CAMPAIGN } = process.env;
  const first = Number(SEED ?? 1);
  const isLong = CAMPAIGN === name && SEED === undefined;
  const seedsMax = isLong ? Number.POSITIVE_INFINITY : SEED === undefined ? short : 1;
  const untilMs = Date.now() + (isLong ? longSeconds * 1_000 : Number.POSITIVE_INFINITY);
  let seed = first;
  do {
    try {
      await work(seed);
    } catch (failure) {
      throw new Error(`to repeat: SEED=${seed} ./run test ${campaigns[name].file}`, { cause: failure });
    }
    seed += 1;
  } while (seed < first + seedsMax && Date.now() < untilMs);
  if (isLong) console.info(`${name}: seeds ${first} to ${seed - 1} passed`);
}
