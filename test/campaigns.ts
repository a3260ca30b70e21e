/**
 * The long campaigns. `./run test` runs a short version of each, and `./run test --long NAME` the whole. The
 * campaign `variants` has no short version: its tests are those with the tag `variant`. A campaign over seeds
 * runs the first few seeds in a short run, and seed after seed in a long run, until `LONG_S` seconds are
 * over. `SEED=17 ./run test FILE` repeats one seed.
 */
export interface Campaign {
  readonly files: readonly string[];
  /** Part of the titles of its tests, if the files hold other tests too. */
  readonly title?: string;
  /** The tag of its tests, if the files hold other tests too. */
  readonly tag?: string;
  /** The claim that a campaign proves, as `./run test --long` prints it. */
  readonly proves: string;
  /** Whether it goes on with new random cases until its time is over. The others have a fixed length. */
  readonly isOverSeeds?: true;
}

export const campaigns = {
  "control-plane": {
    files: ["test/simulation/control-plane.test.ts"],
    proves:
      "a fleet in memory obeys the rules of the phases under random changes, crashes, outages and clock jumps",
    isOverSeeds: true,
  },
  kill: {
    files: ["test/simulation/control-faults.test.ts"],
    title: "kill -9",
    proves:
      "real processes that are killed at random moments lose no accepted write and never answer against the plan",
    isOverSeeds: true,
  },
  statements: {
    files: ["src/adapters/sqlite/control-store.test.ts"],
    title: "an operator's statements",
    proves: "four processes that follow the plan block none of a thousand SQL statements of an operator",
  },
  phases: {
    files: ["test/simulation/phase-cases.test.ts"],
    proves:
      "every way forward and back between phases, with each value of a plan, lands in the same state on each store",
  },
  faults: {
    files: ["test/simulation/control-faults.test.ts"],
    proves: "stopped processes, wrong clocks, damaged files and full disks lead no process against the plan",
  },
  "db-kill": {
    files: ["test/simulation/database-kill.test.ts"],
    proves: "processes on a pair of databases lose and double no write if they are killed up to 500 times",
    isOverSeeds: true,
  },
  "db-points": {
    files: ["test/simulation/database-failpoints.test.ts", "test/simulation/beside-failpoints.test.ts"],
    proves: "a process may die before and after each statement of both stores, and the next one recovers",
    isOverSeeds: true,
  },
  "db-model": {
    files: ["test/simulation/database-model.test.ts"],
    proves:
      "writes, phase moves, SQL statements, rollbacks and restarts in any order leave both databases as a model says",
    isOverSeeds: true,
  },
  explain: {
    files: [
      "test/explain/campaign.test.ts",
      "test/explain/stored.test.ts",
      "test/foreign-desk/foreign-desk.test.ts",
    ],
    proves:
      "explain finds hidden rules and pairs of them from rows, and blames no known rule for an unknown one",
  },
  gates: {
    files: ["test/simulation/gates.test.ts"],
    proves:
      "false openings of gates and false triggers stay within the stated rates, checked after every trial",
  },
  rehearse: {
    files: ["test/rehearse/campaign.test.ts", "test/rehearse/rehearse.test.ts"],
    proves:
      "a rehearsal of 300 days reaches every phase under the default limits, in time that is linear in the days",
  },
  "files-sim": {
    files: ["test/simulation/files-sim.test.ts", "test/simulation/files-rules.test.ts"],
    proves:
      "each row of a watched file has its effect once, whatever its writers, faults of the disk and crashes do",
    isOverSeeds: true,
  },
  "files-kill": {
    files: ["test/simulation/files-kill.test.ts"],
    proves: "processes that watch folders lose and double no row if they are killed up to 200 times",
    isOverSeeds: true,
  },
  stores: {
    files: [
      "src/adapters/sqlite/control-store.test.ts",
      "src/adapters/postgres/control-store.test.ts",
      "src/adapters/sqlite/evidence-store.test.ts",
      "src/adapters/postgres/evidence-store.test.ts",
      "src/adapters/sqlite/legacy-database.test.ts",
    ],
    proves:
      "every promise of a store holds on SQLite and on PostgreSQL, whatever is killed, hangs or is cut off",
  },
  "db-pairs": {
    files: [
      "src/bridges/database/cutover.test.ts",
      "src/bridges/database/database-bridge.test.ts",
      "test/differential/backfill.test.ts",
    ],
    proves: "a pair of databases loses no write, wherever a commit is cut or a process dies",
  },
  commands: {
    files: [
      "test/cli/control.test.ts",
      "test/cli/doctor-system.test.ts",
      "test/cli/edges.test.ts",
      "test/cli/serve.test.ts",
      "test/cli/watch.test.ts",
    ],
    proves: "commands tell the truth about every fault of a control store, of a file and of their own output",
  },
  systems: {
    files: [
      "src/adapters/worker/command-system.test.ts",
      "src/adapters/worker/python-worker.test.ts",
      "src/adapters/module/module-system.test.ts",
      "src/app/bridge/pnl-bridge.test.ts",
    ],
    proves: "systems in threads and processes keep their promises, however they flood, hang or die",
  },
  variants: {
    tag: "variant",
    files: [
      "src/adapters/csv/ledger-reader.test.ts",
      "src/adapters/postgres/control-store.test.ts",
      "src/adapters/postgres/evidence-store.test.ts",
      "src/adapters/postgres/record-store.test.ts",
      "src/adapters/sqlite/evidence-store.test.ts",
      "src/app/database/abandon.test.ts",
      "src/app/database/archive.test.ts",
      "src/app/database/locks.test.ts",
      "src/app/database/reconcile.test.ts",
      "src/bridges/database/database-bridge.test.ts",
      "test/cli/watch.test.ts",
      "test/differential/backfill.test.ts",
      "test/page/commands.test.ts",
      "test/page/page.test.ts",
      "test/report/page.test.ts",
      "test/reports/service.test.ts",
      "test/simulation/beside-failpoints.test.ts",
      "test/simulation/control-faults.test.ts",
      "test/simulation/database-failpoints.test.ts",
      "test/simulation/database-kill.test.ts",
      "test/simulation/files-kill.test.ts",
      "test/simulation/obeying-fleet.test.ts",
      "test/simulation/phase-cases.test.ts",
      "test/tidy/run.test.ts",
    ],
    proves:
      "the rules that `./run test` checks for one store, width, command or fault hold for the others too",
  },
  sizes: {
    files: [
      "src/adapters/report/report.test.ts",
      "src/base/exact-json.test.ts",
      "src/comparison/validator.test.ts",
      "src/legacy-desk/calculator.test.ts",
    ],
    proves: "a result or a message of any size is handled in linear time and in bounded memory",
  },
  reports: {
    files: [
      "test/reports/daily.test.ts",
      "test/reports/diff.test.ts",
      "test/reports/libreoffice.test.ts",
      "test/reports/mutations.test.ts",
      "test/reports/reader.test.ts",
      "test/reports/known-causes.test.ts",
    ],
    proves:
      "LibreOffice reads what the workbooks hold, a large report needs little memory, and each change is found",
  },
  pages: {
    files: ["test/report/page.test.ts", "test/report/migration-page.test.ts", "test/golden/report.test.ts"],
    proves:
      "the pages of both reports, also of all real ledgers, have no fault of accessibility in any setting",
  },
  page: {
    files: ["test/page/page.test.ts", "test/page/commands.test.ts", "test/page/walk.test.ts"],
    proves: "the page shows no wrong figure, whatever happens to its connection, its tabs and both systems",
  },
  walk: {
    files: ["test/walk/new-user.test.ts"],
    proves: "a new user who installs the package from the registry gets through the first page",
  },
  run: {
    files: ["test/tidy/run.test.ts"],
    proves: "./run builds, installs and locks correctly whatever else runs or died at the same time",
  },
  obey: {
    files: ["test/simulation/obeying-fleet.test.ts"],
    proves: "real processes obey each of the operator's SQL statements from its acknowledgement on",
    isOverSeeds: true,
  },
  shadow: {
    files: ["test/simulation/shadow-night.test.ts"],
    proves:
      "a modern side that leaks, hangs and throws leaves no memory behind, and every call is accounted for",
    isOverSeeds: true,
  },
  histories: {
    files: ["test/properties/engine.test.ts"],
    title: "random histories",
    proves: "the engine matches random trading histories exactly as an independent, slower engine does",
    isOverSeeds: true,
  },
  symbols: {
    files: ["test/properties/symbols.test.ts"],
    title: "mutated symbols",
    proves: "no mutated symbol throws, hangs, or becomes another instrument without a note",
    isOverSeeds: true,
  },
  properties: {
    files: [
      "src/adapters/csv/ledger-reader.test.ts",
      "src/adapters/csv/ledger-rows.test.ts",
      "src/base/exact-json.test.ts",
      "src/base/json-pieces.test.ts",
      "src/bridges/symbols/translation-bridge.test.ts",
      "src/comparison/answers.test.ts",
      "src/config/config.test.ts",
      "src/config/edit-yaml.test.ts",
      "src/domain/migration/bucket.test.ts",
      "src/symbols/calendar-check.test.ts",
      "test/properties/engine.test.ts",
      "test/properties/figures.test.ts",
      "test/properties/symbols.test.ts",
    ],
    proves:
      "properties of texts, numbers, routes, symbols and the engine hold for several times as many inputs",
  },
} satisfies Readonly<Record<string, Campaign>>;

export type CampaignName = keyof typeof campaigns;

/**
 * Whether this is the long run of a campaign, and has at least `seconds`. The slowest tests of the campaign
 * run only then.
 */
export const isLongRun = (name: CampaignName, seconds = 0): boolean =>
  process.env.CAMPAIGN === name && longSeconds >= seconds;

/**
 * The options of a test that proves a rule of another test for one more store, width, command or fault.
 * `./run test` leaves it out. Every campaign of its file runs it, and so does the campaign `variants`.
 */
export const variant = { tags: "variant" } as const;

/** The number of runs of a property: `long` in the campaign `properties`, `short` otherwise. */
export const runs = (short: number, long: number): number => (isLongRun("properties") ? long : short);

/** The time that a campaign has, in seconds, unless `LONG_S` says otherwise. */
export const longSeconds = Number(process.env.LONG_S ?? 600);

/**
 * Runs `work` for seed 1, 2, 3 …: `short` seeds in `./run test`, and in the long run as many as the time
 * allows. Throws the first failure, with the command that repeats its seed.
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
      throw new Error(`to repeat: SEED=${seed} ./run test ${campaigns[name].files.join(" ")}`, {
        cause: failure,
      });
    }
    seed += 1;
  } while (seed < first + seedsMax && Date.now() < untilMs);
  if (isLong) console.info(`${name}: seeds ${first} to ${seed - 1} passed`);
}
