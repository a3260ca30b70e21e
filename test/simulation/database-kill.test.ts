/**
 * Kills real processes on a pair of databases at random moments: writers with their relay and backfill, moves
 * of the authority, and a program that writes legacy without the bridge. Afterwards every acknowledged write
 * must be in both stores once, every refused one in neither, and every unresolved one in both or neither,
 * without a person's help. With `KILLS` the test makes that number of kills, whatever time they take.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Random, randomFrom } from "../../src/app/demo-desk/random.ts";
import { at } from "../../src/base/present.ts";
import { otherSide, type Side } from "../../src/domain/migration/phase.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../src/testing/postgres.ts";
import { isLongRun, longSeconds, variant } from "../campaigns.ts";
import {
  audit,
  type Counts,
  PairOfDatabases,
  type PairProcess,
  pythonMissing,
  unanswered,
} from "./database/pair.ts";

const kinds = ["SQLite to SQLite", "SQLite to PostgreSQL", "PostgreSQL to SQLite"] as const;
const isLong = isLongRun("db-kill");
const killsMax = Number(process.env.KILLS ?? (isLong ? 500 : 3));
/** The time limit of the test. 0 means none, because a given number of kills takes whatever time it needs. */
const timeLimit = process.env.KILLS === undefined ? {} : { timeout: 0 };
const killsOfEpisode = isLong ? 20 : 1;
const hasPython = pythonMissing() === undefined;

let server: TestPostgres | undefined;

beforeAll(async () => {
  if (isLong && postgresMissing() === undefined) server = await startPostgres();
});
afterAll(() => server?.stop());

/**
 * Runs processes on a new pair, kills some of them, and checks the pair when the last process has completed
 * all work.
 */
async function episode(kind: (typeof kinds)[number], random: Random, untilMs: number): Promise<Counts> {
  const counts = { kills: 0, recoveries: 0 };
  const authority: Side = kind === "PostgreSQL to SQLite" || random.chance(0.3) ? "modern" : "legacy";
  await using pair = new PairOfDatabases({
    ...(kind !== "SQLite to SQLite" && server && { postgres: server.url }),
    journal: random.chance(0.7) ? "wal" : "rollback",
    rows: random.below(200),
    authority,
  });
  let side = authority;
  const writers = [pair.begin("write"), pair.begin("write")];
  let foreign = hasPython ? pair.beginForeign(random) : undefined;
  let mover: PairProcess | undefined;
  await Promise.all(writers.map((writer) => writer.says("ready")));
  while (counts.kills < killsOfEpisode && Date.now() < untilMs) {
    if (random.chance(0.3) && mover?.isGone !== false) {
      side = otherSide(side);
      pair.setWantedAuthority(side);
      mover = pair.begin("move");
    }
    const which = random.below(writers.length);
    // Some processes are killed before they have opened the pair.
    if (random.chance(0.8)) await at(writers, which).says("ready");
    if (mover !== undefined && random.chance(0.7)) await mover.says("ready");
    await sleep(random.unit() * 250);
    if (mover !== undefined && !mover.isGone && random.chance(0.6)) {
      await mover.kill();
      mover = pair.begin("move");
    } else if (foreign !== undefined && random.chance(0.1)) {
      await foreign.kill();
      foreign = pair.beginForeign(random);
    } else {
      const writer = at(writers, which);
      await writer.kill();
      writers[which] = pair.begin("write", unanswered(writer));
      counts.recoveries += 1;
    }
    counts.kills += 1;
  }
  await Promise.all(pair.processes.map((one) => one.kill()));
  counts.kills += writers.length;
  const last = pair.begin("settle");
  await last.says("closed");
  counts.recoveries += 1;
  expect(last.lines.find(([name]) => name === "settled")).toEqual(["settled", { drained: true, owed: 0 }]);
  return { ...counts, ...(await audit(pair)) };
}

it("processes that are killed at random moments lose nothing, double nothing, and need no person", {
  ...variant,
  ...timeLimit,
}, async () => {
  const { SEED, KILLS } = process.env;
  const endsByTime = isLong && KILLS === undefined;
  const untilMs = Date.now() + (endsByTime ? longSeconds * 1_000 : Number.POSITIVE_INFINITY);
  const killsOf = new Map<string, number>();
  const totals: Counts = {
    kills: 0,
    acknowledged: 0,
    refused: 0,
    unresolved: 0,
    foreign: 0,
    recoveries: 0,
  };
  const first = Number(SEED ?? 1);
  for (let seed = first; totals.kills < killsMax && Date.now() < untilMs; seed++) {
    const kind = at(kinds, seed % (server === undefined ? 1 : kinds.length));
    try {
      const counts = await episode(kind, randomFrom(seed), untilMs);
      for (const name of Object.keys(totals) as (keyof Counts)[]) totals[name] += counts[name];
      killsOf.set(kind, (killsOf.get(kind) ?? 0) + counts.kills);
    } catch (failure) {
      throw new Error(`${kind}; to repeat: SEED=${seed} ./run test test/simulation/database-kill.test.ts`, {
        cause: failure,
      });
    }
  }
  expect(totals.acknowledged).toBeGreaterThan(0);
  if (isLong) console.info(`db-kill: ${JSON.stringify({ ...totals, killsOf: Object.fromEntries(killsOf) })}`);
});
