/**
 * Tests of crashes while the bridge's tables are in a file beside legacy's, so that a commit writes two
 * files. A process dies before and after each statement of its files, or a power cut in a commit loses, keeps
 * or tears the unsynced writes of each file. Then another program may change legacy before the next process
 * recovers.
 */
import { copyFileSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { systemClock } from "../../src/adapters/host/index.ts";
import { databaseTools } from "../../src/app/database/open.ts";
import { type Random, randomFrom } from "../../src/app/demo-desk/random.ts";
import {
  Backfill,
  backfillLimits,
  backfillTables,
  DatabaseBridge,
} from "../../src/bridges/database/index.ts";
import { openDatabase } from "../../src/legacy-desk/database.ts";
import type { BridgeRecord } from "../../src/ports/records.ts";
import { positionRecord, tradeRecord } from "../../src/testing/records.ts";
import { connectionTo } from "../../src/testing/sqlite-files.ts";
import { isLongRun, longSeconds, variant } from "../campaigns.ts";
import { beginLife, type Life, mortal, spread, storeIn, watchStatements } from "./database/mortal.ts";
import { type Fate, PowerCut } from "./database/power-cut.ts";

const zn = "XCMEFFDPSX20250919U0ZN";
/** The databases of a pair, as suffixes of the path of legacy's. */
const databases = ["", ".pnlb", ".pnlb-intents", ".modern"] as const;

/** The changes that another program makes between the crash and the recovery. */
const foreignChanges = {
  nothing: [],
  "a position": [
    `INSERT OR REPLACE INTO positions (instrument_name, position_quantity, avg_cost, last_updated)
     VALUES ('${zn}', 77, 1, '2025-07-15 17:00:00')`,
  ],
  "one column": ["UPDATE positions SET avg_cost = 2"],
  "a deletion": ["DELETE FROM positions"],
  "a new trade": [
    `INSERT INTO processed_trades
     (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, source_file)
     VALUES ('F', '${zn}', '2025-07-15', '2025-07-15 13:08:35.561', 2, 110.5, 'B', 'trades_20250715.csv')`,
  ],
} as const satisfies Record<string, readonly string[]>;
type Foreign = keyof typeof foreignChanges;

/** The writes of a process, in groups that share a commit. */
const writes: Readonly<Record<string, readonly BridgeRecord[]>> = {
  one: [tradeRecord(1), positionRecord("1")],
  two: [tradeRecord(2), positionRecord("2")],
  three: [positionRecord("3")],
  flat: [positionRecord("0")],
  four: [tradeRecord(4), positionRecord("4")],
  again: [tradeRecord(1), positionRecord("9")],
  five: [positionRecord("5")],
};
const groups = [["one", "two"], ["three"], ["flat"], ["four", "again", "five"], ["three", "one"]];

let folder: string;
let count = 0;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "pnl-bridge-beside-")));
  for (const journal of ["wal", "rollback"] as const) {
    openDatabase(join(folder, `template ${journal}`), { journal, busyTimeoutMs: 5_000 }).close();
    using desk = connectionTo(join(folder, `template ${journal}`));
    for (const id of ["B1", "B2"])
      desk.exec(`INSERT INTO processed_trades
        (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, source_file) VALUES
        ('${id}', '${zn}', '2025-07-14', '2025-07-14 13:08:35.561000', 2, 110.515625, 'B', 'before.csv')`);
  }
  watchStatements();
});
afterEach(() => {
  mortal.life = undefined;
});
afterAll(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

function begin(path: string, name: string) {
  const stores = {
    legacy: storeIn(path, "legacy", { isBeside: true }),
    modern: storeIn(`${path}.modern`, "modern"),
  };
  const common = {
    stores,
    clock: systemClock,
    lease: { name, lastsMs: 60_000, isDead: (holder: string) => holder !== name },
    onEvent: () => {},
  };
  const direction = () => ({ authority: "legacy", mirrors: true }) as const;
  const bridge = new DatabaseBridge({
    ...common,
    tools: databaseTools,
    draw: () => 0,
    direction,
    keepsMs: 1e9,
  });
  const tools = { ...databaseTools, book: "" };
  const limits = backfillLimits;
  const backfill = new Backfill({ ...common, tools, tables: backfillTables, limits, held: () => undefined });
  return { bridge, backfill, stores, end: () => bridge.close().catch(() => {}) };
}
type Process = ReturnType<typeof begin>;

/** The answers that callers have received, by idempotency key. */
type Answers = Map<string, string>;

/** Runs all work of a process. */
async function runAllWork({ bridge, backfill }: Process, told: Answers): Promise<void> {
  await bridge.write([], { idempotencyKey: "none" });
  for (const [at, group] of groups.entries()) {
    await Promise.all(
      group.map(async (key) => {
        const { kind } = await bridge.write(writes[key] ?? [], { idempotencyKey: key });
        told.set(key, kind);
      }),
    );
    if (at === 1) await backfill.run({ pass: "backfill" });
  }
  await bridge.drain({ timeoutMs: 60_000 });
}

/** Runs a process on new files until it dies, at a step or as `prepare` arranges it. */
async function runUntilDeath(
  journal: "wal" | "rollback",
  { dieAt = Number.POSITIVE_INFINITY, prepare = (_life: Life, _path: string) => {} } = {},
) {
  const path = join(folder, `pair ${++count}`);
  copyFileSync(join(folder, `template ${journal}`), path);
  const told: Answers = new Map();
  const life = beginLife(dieAt);
  prepare(life, path);
  const process = begin(path, "first");
  await runAllWork(process, told).catch((failure) => {
    if (!life.isOver) throw failure;
  });
  await process.end();
  mortal.life = undefined;
  return { path, told, steps: life.steps };
}

function remove(path: string): void {
  for (const name of databases)
    for (const end of ["", "-wal", "-shm", "-journal"]) rmSync(path + name + end, { force: true });
}

const columnOf = (path: string, sql: string): readonly unknown[] => {
  using database = connectionTo(path);
  return database.prepare(sql).pluck().all();
};
const inBoth = (path: string, sql: string): readonly [readonly unknown[], readonly unknown[]] => [
  columnOf(`${path}.pnlb`, sql),
  columnOf(`${path}.modern`, sql),
];
const trades = (path: string): readonly [readonly unknown[], readonly unknown[]] => [
  columnOf(path, "SELECT trade_id FROM processed_trades ORDER BY trade_id"),
  columnOf(`${path}.modern`, "SELECT trade_id FROM newpnl_trades ORDER BY trade_id"),
];

/** Recovers after a foreign change, and checks every promise. Returns the keys that wait for a person. */
async function recover(path: string, told: Answers, foreign: Foreign): Promise<readonly string[]> {
  using desk = connectionTo(path);
  const schemaOf = () => desk.prepare("SELECT * FROM sqlite_schema ORDER BY name").all();
  const schema = schemaOf();
  expect(JSON.stringify(schema)).not.toContain("pnlb_");
  for (const sql of foreignChanges[foreign]) desk.exec(sql);

  const { bridge, backfill, stores, end } = begin(path, "next");
  try {
    for (const pass of ["backfill", "new_rows", "all_rows"] as const) await backfill.run({ pass });
    expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
    const waiting = (await stores.legacy.call("quarantine", { after: null, limit: 9 })).map(({ key }) => key);
    const reviews = await stores.modern.call("quarantine", { after: null, limit: 9 });

    // Each write is in both stores, or in neither.
    const [keys, theirs] = inBoth(path, "SELECT idempotency_key FROM pnlb_keys ORDER BY 1");
    expect(theirs).toEqual(keys);
    const [inLegacy, inModern] = trades(path);
    expect(inModern).toEqual(inLegacy);
    expect(new Set(inLegacy).size).toBe(inLegacy.length);
    for (const [key, answer] of told) {
      if (answer === "acknowledged") expect([key, keys.includes(key)]).toEqual([key, true]);
      if (answer === "refused") expect([key, keys.includes(key)]).toEqual([key, false]);
    }
    for (const [key, id] of [
      ["one", "1"],
      ["two", "2"],
      ["four", "4"],
    ] as const)
      expect([key, inLegacy.includes(id)]).toEqual([key, keys.includes(key) || waiting.includes(key)]);
    for (const key of waiting) {
      expect(keys).not.toContain(key);
      expect(told.get(key)).not.toBe("acknowledged");
    }
    const [mine, mirrored] = inBoth(path, "SELECT aggregate || version FROM pnlb_versions ORDER BY 1");
    expect(mirrored).toEqual(mine);

    // The position is the same in both stores, or waits for a person.
    const quantity = columnOf(path, "SELECT position_quantity FROM positions");
    const modern = columnOf(`${path}.modern`, "SELECT quantity FROM newpnl_positions WHERE quantity <> '0'");
    const isSeen = [...reviews.map(({ table }) => table === "positions"), waiting.length > 0].some(Boolean);
    if (!isSeen) expect(modern).toEqual(quantity.map(String));
    if (foreign === "nothing") expect([reviews, waiting]).toEqual([[], []]);

    // A write may be sent again: its answer is `unresolved` as long as it waits, and afterwards it is stored
    // once.
    for (const key of waiting)
      expect(await bridge.write(writes[key] ?? [], { idempotencyKey: key })).toMatchObject({
        kind: "unresolved",
      });
    for (const key of waiting)
      await stores.legacy.call("settleQuarantine", { table: "writes", key, as: "accepted", nowMs: 0 });
    for (const [key, records] of Object.entries(writes)) {
      const { kind } = await bridge.write(records, { idempotencyKey: key });
      expect([key, kind]).toEqual([key, key === "again" ? "refused" : "acknowledged"]);
    }
    expect(await bridge.drain({ timeoutMs: 60_000 })).toMatchObject({ drained: true });
    const wanted = ["1", "2", "4", "B1", "B2", ...(foreign === "a new trade" ? ["F"] : [])];
    expect(trades(path)).toEqual([wanted, wanted]);
    expect(schemaOf()).toEqual(schema);
    return waiting;
  } finally {
    await end();
    remove(path);
  }
}

const isLong = isLongRun("db-points");
const foreigns = Object.keys(foreignChanges) as Foreign[];

it("a process may die before and after each statement of its files: the next one loses nothing, doubles nothing, and leaves writes of unknown outcome to a person", async () => {
  const { steps, told, path } = await runUntilDeath("wal");
  expect(Object.fromEntries(told)).toMatchObject({
    one: "acknowledged",
    again: "refused",
    five: "acknowledged",
  });
  await recover(path, told, "nothing");
  const untilMs = Date.now() + (isLong ? longSeconds * 500 : Number.POSITIVE_INFINITY);
  let tried = 0;
  for (const at of spread(steps)) {
    if (Date.now() >= untilMs || (!isLong && tried === 10)) break;
    const foreign = foreigns[tried % foreigns.length] ?? "nothing";
    tried += 1;
    const ended = await runUntilDeath("wal", { dieAt: at });
    await recover(ended.path, ended.told, foreign).catch((cause) => {
      throw new Error(`at step ${at}, and then ${foreign}`, { cause });
    });
  }
  if (isLong) console.info(`db-points, tables beside legacy: ${tried} of ${steps} points`);
});

/** The fate of some databases; that of the others is `kept`. */
type Fates = "any" | Readonly<Record<string, Fate>>;
const commitsOfShortRun = 5;

/**
 * The moment of a power cut: while a commit runs that has an intent, while that intent is cleared, or before
 * the next statement. The value is the number of steps since the commit began.
 */
const moments = { commit: 2, clearing: 4, after: 5 } as const;

/**
 * Ends a process by a power cut at one of its commits that change legacy. Returns undefined if the process
 * makes fewer of them.
 */
async function cutPower(
  commit: number,
  moment: keyof typeof moments,
  random: Random,
  fateOf: (name: string) => Fate,
) {
  let commits = 0;
  let cut: PowerCut | undefined;
  const prepare = (life: Life, path: string): void => {
    const files = databases.map((name) => path + name);
    cut = new PowerCut(life, files, `${path}.journal`);
    const { onStatement } = life;
    let last = "";
    life.onStatement = (database, sql) => {
      onStatement(database, sql);
      if (sql === "COMMIT" && last.startsWith("INSERT INTO pnlb_intents")) commits += 1;
      if (commits === commit) life.dieAt = Math.min(life.dieAt, life.steps + moments[moment]);
      last = sql;
    };
  };
  const { path, told } = await runUntilDeath(commit % 2 === 0 ? "rollback" : "wal", { prepare });
  if (commits < commit) return undefined;
  cut?.leave(random, (file) => fateOf(file.slice(path.length)));
  return { path, told };
}

const powerCuts: readonly [string, keyof typeof moments, Fates, readonly string[]][] = [
  [
    "that only legacy's file has kept",
    "commit",
    { ".pnlb": "lost", ".pnlb-intents": "lost" },
    ["three", "flat", "five"],
  ],
  ["that only the bridge's file has kept", "commit", { "": "lost", ".pnlb-intents": "lost" }, []],
  ["of which each file has kept any part", "commit", "any", ["three", "flat", "five"]],
  ["whose intent was just being cleared", "clearing", "any", []],
  ["that was just done", "after", "any", []],
];
for (const [options, cuts] of [
  [{}, powerCuts.filter((_, at) => at % 2 === 0)],
  [variant, powerCuts.filter((_, at) => at % 2 === 1)],
] as const)
  it.each(cuts)(
    "a power cut at a commit %s loses no acknowledged write; each write is done completely or not at all, or waits for a person if legacy's rows do not show its outcome",
    options,
    async (what, moment, fates, mayWait) => {
      const waited = new Set<string>();
      let tried = 0;
      for (const [turn, foreign] of foreigns.entries())
        for (let commit = isLong ? 1 : 1 + ((turn + what.length) % commitsOfShortRun); ; commit += 1) {
          const fateOf = (name: string): Fate => (fates === "any" ? "any" : (fates[name] ?? "kept"));
          const ended = await cutPower(commit, moment, randomFrom(100 * turn + commit), fateOf);
          if (ended === undefined) break;
          const waiting = await recover(ended.path, ended.told, foreign).catch((cause) => {
            throw new Error(`at commit ${commit}, and then ${foreign}`, { cause });
          });
          for (const key of waiting) waited.add(key);
          tried += 1;
          if (!isLong) break;
        }
      expect(tried).toBeGreaterThan(4);
      // Every other write has a trade, whose row in legacy shows whether the commit reached legacy.
      expect([...waited].filter((key) => !mayWait.includes(key))).toEqual([]);
      if (fates !== "any") expect(waited.size > 0).toBe(mayWait.length > 0);
    },
  );
