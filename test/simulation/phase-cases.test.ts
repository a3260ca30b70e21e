/**
 * Every case runs forward, back, forward again, and lands in the same state: each pair of phases, by each door that leads back, and each
 * value that a plan can have beside its phase, over real stores. Cases are made from the phases, the doors and the columns of the record,
 * so that a new one of them has its cases, or does not compile; that every one has run is the last thing that is looked at.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/adapters/host/index.ts";
import { openPostgresControlStore } from "../../src/adapters/postgres/index.ts";
import { openSqliteControlStore } from "../../src/adapters/sqlite/index.ts";
import { PnLServiceBridge } from "../../src/bridges/service/index.ts";
import {
  noSignals,
  Operator,
  PlanFollower,
  Supervisor,
  simpleGates,
  type UserList,
  whyOutOfUse,
} from "../../src/control/index.ts";
import { isLater, type Phase, phaseBefore, phasePolicies, phases } from "../../src/domain/migration/phase.ts";
import { migrationModes, planOf, writesOf } from "../../src/domain/migration/plan.ts";
import type { CallKey } from "../../src/domain/migration/route.ts";
import type { ControlChange, ControlRecord, ControlStore } from "../../src/ports/control-store.ts";
import type { BridgedSystem } from "../../src/ports/system.ts";
import { allFlags, amy, Disk, digest, publishedSection, readSection, switchFileOn } from "../../src/testing/fleet.ts";
import { expectedPlan } from "../../src/testing/phase-oracle.ts";
import { postgresMissing, startPostgres } from "../../src/testing/postgres.ts";
import { runSql } from "../../src/testing/sqlite-files.ts";
import { isLongRun } from "../campaigns.ts";

interface World {
  readonly open: () => Promise<ControlStore>;
  /** An operator's shell. */
  readonly sql: (statement: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

const keys: readonly CallKey[] = [{ user: "amy", book: "UST" }, { user: "bob", book: "EGB" }, { user: "carol" }, {}];

/** A fleet of one process with a bridge, and an operator beside it. */
class Rig {
  readonly world: World;
  readonly store: ControlStore;
  readonly operator: Operator;
  readonly follower: PlanFollower;
  readonly supervisor: Supervisor;
  readonly bridge: PnLServiceBridge;
  signals = noSignals;

  private constructor(world: World, store: ControlStore) {
    this.world = world;
    this.store = store;
    const system = (side: string): BridgedSystem => ({
      name: side,
      kind: "module",
      methods: undefined,
      invoke: async () => ({ totals: {}, by: side }),
      close: async () => {},
    });
    this.bridge = new PnLServiceBridge(
      { legacy: system("legacy"), modern: system("modern"), plan: planOf({ phase: "read_only", epoch: 0 }) },
      { clock: systemClock, load: { overload: () => "cpu" as never }, draw: () => 0 },
    );
    const alerts = { send: () => {}, settled: async () => 0 };
    this.operator = new Operator({
      store: () => store,
      switchFile: switchFileOn(new Disk()),
      readSection,
      gates: simpleGates,
      owed: { owedToLegacy: () => ({ count: 0, oldestMs: 0 }) },
      quarantined: () => 0,
      alerts,
      clock: systemClock,
      leaseMs: 60_000,
    });
    this.follower = new PlanFollower({
      connect: () => world.open(),
      snapshots: { save: async () => {}, latest: async () => ({ snapshot: undefined, refused: [] }) },
      switchFile: switchFileOn(new Disk()),
      readSection,
      clock: systemClock,
      id: "one",
      name: "one",
      heartbeatMs: 1_000,
      pollMs: 1_000,
      staleMs: 30_000,
      leaseMs: 60_000,
      startMsMax: 10_000,
      onPlan: ({ plan }) => this.bridge.setPlan(plan),
      oldestRunning: () => this.bridge.oldestRunning,
      report: () => ({}),
      onEvent: () => {},
    });
    this.supervisor = new Supervisor({
      follower: this.follower,
      operator: () => this.operator,
      alerts,
      clock: systemClock,
      digest,
      name: "one",
      signals: () => this.signals,
      onFailure: (what, failure) => expect.fail(`${what}: ${failure}`),
    });
  }

  static async start(world: World): Promise<Rig> {
    const rig = new Rig(world, await world.open());
    await rig.follower.start();
    return rig;
  }

  async close(): Promise<void> {
    await this.follower.close();
    await this.bridge.close();
    await this.store.close();
    await this.world.close();
  }

  /** The process goes by what the store says, and the store knows it. */
  async settled(): Promise<void> {
    await this.follower.refresh();
    const { epoch } = this.follower.record;
    for (;;) {
      const [instance] = await this.store.instances();
      if (instance !== undefined && instance.seenEpoch >= epoch) return;
      await turn();
    }
  }

  async trigger(): Promise<void> {
    await this.supervisor.second();
    this.signals = { ...this.signals, servedMismatches: this.signals.servedMismatches + 1 };
    await this.supervisor.second();
    await this.settled();
  }

  async sql(statement: string): Promise<void> {
    await this.world.sql(statement);
    await this.settled();
  }

  async publish(plan: Parameters<typeof publishedSection>[0]["plan"]): Promise<void> {
    await this.operator.publish(publishedSection({ plan }), amy);
    await this.settled();
  }

  /** As a desk does it: approved, through open gates, a phase at a time; what was taken out of use is taken back first. */
  async forward(to: Phase): Promise<void> {
    for (;;) {
      const { record, effective } = await this.operator.overview();
      const { phase } = effective.plan;
      const outOfUse = whyOutOfUse(record) !== undefined;
      if (!outOfUse && phase === to) return;
      await this.operator.signOff("approved", { actor: "bob", note: "fine" });
      const moved = await this.operator.move(outOfUse ? { kind: "set", phase } : { kind: "advance" }, amy);
      expect(moved.moved, JSON.stringify(moved.gates)).toBe(true);
      await this.settled();
    }
  }

  async state(): Promise<object> {
    const { record, effective } = await this.operator.overview();
    const { epoch, ...plan } = this.follower.effective.plan;
    expect(epoch).toBe(record.epoch);
    const answers = await Promise.all(keys.map(async (key) => (await this.bridge.call("totals", {}, key)).value));
    return {
      record: lasting(record),
      plan,
      from: effective.from,
      held: effective.held,
      answers,
      writes: writesOf(effective.plan),
    };
  }

  /** What the design's table says, whatever the code does. */
  async holdsTable(): Promise<void> {
    const { record, section } = await this.operator.overview();
    const { overrides, grantedPhase: granted, latched, legacyWindow } = record;
    const expected = expectedPlan({
      requested: overrides.phase ?? section?.plan.phase ?? "read_only",
      granted,
      mode: overrides.migrationMode ?? section?.plan.migrationMode ?? "dual_write",
      flags: allFlags,
      flag: overrides.useNewPnlSystem,
      latched: latched !== null,
      isSwitchSet: false,
      closed: legacyWindow === "closed",
    });
    const { plan } = this.follower.effective;
    const { source } = await this.bridge.call("totals", {}, {});
    expect({ phase: plan.phase, answer: source, writes: writesOf(plan) }).toEqual(expected);
  }
}

/** The record without what no two times have in common. */
function lasting({ overrides, published, grantedPhase, latched, ramp, legacyWindow }: ControlRecord): object {
  const { nextAt: _, ...rest } = ramp ?? { nextAt: "" };
  return { overrides, published, grantedPhase, latched, ramp: ramp && rest, legacyWindow };
}

const base = { phase: "read_only" as Phase, flags: allFlags, newSystemPercentage: 40 };

/** The ways back: from a later phase to an earlier one, or out of use altogether. */
const doors = {
  operator: { leads: "to the phase", take: async (rig, to) => void (await rig.operator.move({ kind: "set", phase: to }, amy)) },
  "operator, step by step": {
    leads: "to the phase",
    take: async (rig, to) => {
      while (isLater((await rig.operator.overview()).effective.plan.phase, to)) await rig.operator.move({ kind: "retreat" }, amy);
    },
  },
  SQL: { leads: "to the phase", take: (rig, to) => rig.sql(`UPDATE config SET phase = '${to}'`) },
  "published YAML": {
    leads: "to the phase",
    take: async (rig, to) => {
      await rig.publish({ ...base, phase: to });
      await rig.sql("UPDATE config SET phase = NULL");
    },
  },
  rollback: { leads: "out of use", take: async (rig) => void (await rig.operator.rollback(amy)) },
  trigger: { leads: "out of use", take: (rig) => rig.trigger() },
} as const satisfies Record<string, { leads: string; take: (rig: Rig, to: Phase) => Promise<void> }>;
type Door = keyof typeof doors;

interface Variation {
  readonly name: string;
  readonly apply: (rig: Rig) => Promise<void>;
}
const none: Variation = { name: "as it is", apply: async () => {} };
const set = (column: string, value: string): Variation => ({
  name: `${column} = ${value}`,
  apply: (rig) => rig.sql(`UPDATE config SET ${column} = ${value}`),
});

/** In the record, also in phases in which nobody may begin one. */
const ramp = (name: string, [newSystemPercentage = 0, ...steps]: readonly number[], endsIn: "stay" | "rollback"): Variation => ({
  name,
  apply: async (rig) => {
    const under = { steps, dwellMs: 600_000, nextAt: new Date().toISOString(), endsIn, ...amy };
    await rig.store.change({ ...amy, action: "test", set: { newSystemPercentage, ramp: under } });
  },
});

const listChange = (list: UserList) => async (rig: Rig) =>
  void (await rig.operator.changeList(list, { change: "add", user: "amy" }, amy));

/** What else a plan is made of, by the column that says it. The compiler asks for a new one. */
const variations: Readonly<Record<keyof ControlChange["set"], readonly Variation[]>> = {
  phase: [none],
  grantedPhase: [none],
  useNewPnlSystem: [set("use_new_pnl_system", "false"), set("use_new_pnl_system", "true")],
  migrationMode: migrationModes.map((mode) => set("migration_mode", `'${mode}'`)),
  newSystemPercentage: [
    ...[0, 50.5, 100].map((percentage) => ({
      name: `${percentage} %`,
      apply: async (rig: Rig) => {
        const { record } = await rig.operator.overview();
        if (whyOutOfUse(record) === undefined) await rig.operator.traffic(percentage, amy);
      },
    })),
    set("new_system_percentage", "NULL"),
  ],
  userWhitelist: [{ name: "a whitelisted user", apply: listChange("whitelist") }, set("user_whitelist", `'["bob", "amy"]'`)],
  userDenylist: [{ name: "a user on the denylist", apply: listChange("denylist") }, set("user_denylist", `'["bob", "amy"]'`)],
  latched: [{ name: "a latch", apply: (rig) => rig.trigger() }],
  ramp: [ramp("a ramp under way", [10, 100], "stay"), ramp("a ramp down under way", [30, 0], "rollback")],
  published: [
    { name: "a denylist", apply: (rig) => rig.publish({ ...base, userDenylist: ["amy"] }) },
    { name: "by user", apply: (rig) => rig.publish({ ...base, bucketBy: "user", userWhitelist: ["carol"] }) },
  ],
  voidCache: [{ name: "voided caches", apply: (rig) => rig.sql("DELETE FROM new_pnl_cache") }],
  // Has no way back: see the end.
  legacyWindow: [],
};

interface Case {
  readonly from: Phase;
  readonly to: Phase;
  readonly door: Door;
  readonly variation: Variation;
}
const doorNames = Object.keys(doors) as Door[];
const pairs = phases.flatMap((to) => phases.filter((from) => isLater(to, from)).map((from) => ({ from, to })));
/** Every pair by every door; and every variation of every phase, by one door of each kind that lead to the phase before, in turn. */
const cases: readonly Case[] = [
  ...pairs.flatMap((pair) => doorNames.map((door) => ({ ...pair, door, variation: none }))),
  ...Object.values(variations)
    .flat()
    .filter((variation) => variation !== none)
    .flatMap((variation, at) =>
      phases.flatMap((to, step) => {
        const from = phaseBefore(to);
        if (from === undefined) return [];
        return [{ from, to, door: doorNames[(at + step) % doorNames.length] as Door, variation }];
      }),
    ),
];
/** Each case runs on SQLite. On PostgreSQL every fourth does, except in the long campaign: one contract holds for both stores. */
const casesOn = (world: string): readonly Case[] =>
  world === "SQLite" || isLongRun("phases") ? cases : cases.filter((_, at) => at % 4 === 0);
const nameOf = ({ from, to, door, variation }: Case): string => `${from} → ${to}, ${variation.name}, back by ${door}`;

async function run(rig: Rig, { from, to, door, variation }: Case): Promise<void> {
  // Whatever was before: everything is as it comes, in the first phase.
  await rig.store.change({
    ...amy,
    action: "test",
    set: {
      ...{ useNewPnlSystem: null, migrationMode: null, phase: null, newSystemPercentage: null },
      ...{ userWhitelist: null, userDenylist: null },
      ...{ latched: null, ramp: null, grantedPhase: "read_only", published: publishedSection({ plan: base }) },
    },
  });
  await rig.settled();
  const forward = async (): Promise<object> => {
    await rig.publish(base);
    await rig.forward(to);
    await variation.apply(rig);
    await rig.settled();
    await rig.holdsTable();
    return rig.state();
  };
  await rig.forward(from);
  const there = await forward();
  const { leads, take } = doors[door];
  await take(rig, from);
  await rig.settled();
  await rig.holdsTable();
  if (leads === "out of use") {
    for (const key of keys) expect((await rig.bridge.call("totals", {}, key)).source).toBe("legacy");
    // An emergency leaves the phase; then somebody goes back in earnest.
    await rig.operator.move({ kind: "set", phase: from }, amy);
    await rig.settled();
    await rig.holdsTable();
  }
  expect(rig.follower.effective.plan.phase).toBe(from);
  // What was granted is to be granted again.
  expect((await rig.store.read()).grantedPhase).toBe(from);
  expect(await forward()).toEqual(there);
}

const worlds: Readonly<Record<string, { readonly missing?: string | undefined; readonly make: () => Promise<World> }>> = {
  SQLite: {
    make: async () => {
      const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-phases-"));
      const path = join(folder, "control.db");
      return {
        open: () => openSqliteControlStore(path),
        sql: async (statement) => runSql(path, statement),
        close: async () => rmSync(folder, { recursive: true }),
      };
    },
  },
  PostgreSQL: {
    missing: postgresMissing(),
    make: async () => {
      const server = await startPostgres();
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      return {
        open: () => openPostgresControlStore(server.url),
        sql: async (statement) => void (await client.query(statement)),
        close: async () => {
          await client.end();
          await server.stop();
        },
      };
    },
  },
};

it("the cases are all there are", () => {
  expect(cases.map(nameOf)).toEqual([...new Set(cases.map(nameOf))]);
  // A row of the design's table for each phase, and each is arrived at and left by every door.
  expect(Object.keys(phasePolicies)).toEqual([...phases]);
  for (const door of doorNames)
    for (const phase of phases) {
      const by = cases.filter((one) => one.door === door);
      if (phase !== phases[0]) expect(by.some(({ to }) => to === phase)).toBe(true);
      if (phase !== phases.at(-1)) expect(by.some(({ from }) => from === phase)).toBe(true);
    }
});

describe.each(Object.entries(worlds))("forward, back, forward again on %s", (name, { missing, make }) => {
  let rig: Rig;
  const ran: string[] = [];
  beforeAll(async () => {
    if (missing === undefined) rig = await Rig.start(await make());
  });
  afterAll(async () => rig?.close());

  // One test a phase: what it says on failure names the case.
  it.skipIf(missing !== undefined).each(phases.slice(1))(`%s is the same place each time ${missing ?? ""}`, async (to) => {
    for (const one of casesOn(name).filter((each) => each.to === to)) {
      await run(rig, one).catch((cause) => {
        throw new Error(`${name}: ${nameOf(one)}: ${cause.message}`, { cause });
      });
      ran.push(nameOf(one));
    }
  });

  it.skipIf(missing !== undefined)("every case has run, and the audit knows each step", async () => {
    expect(ran.toSorted()).toEqual(casesOn(name).map(nameOf).toSorted());
    const rows = await rig.store.audit(0, 100_000);
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, at) => at + 1));
    const epochs = rows.filter(({ after }) => after !== null).map(({ epoch }) => epoch);
    expect(epochs).toEqual(epochs.map((_, at) => at + 2));
  });

  it.skipIf(missing !== undefined)(
    "with the window to legacy closed no door leads back, and none says that it does",
    async () => {
      await run(rig, { from: "primary_switch", to: "cleanup", door: "operator", variation: none });
      await rig.operator.signOff("legacy_window", { actor: "carol", note: "month end is done" });
      await rig.settled();
      const there = await rig.state();
      for (const from of phases.slice(0, -1))
        for (const door of doorNames) {
          const { take } = doors[door];
          await take(rig, from).catch((failure) => expect(failure).toMatchObject({ code: "REFUSED" }));
          await rig.settled();
          await rig.holdsTable();
          const { phase, legacyWindow } = rig.follower.effective.plan;
          expect([phase, legacyWindow], `${door} to ${from}`).toEqual(["cleanup", "closed"]);
          for (const key of keys) expect((await rig.bridge.call("totals", {}, key)).source).toBe("modern");
          expect((await rig.operator.overview()).rollback.possible).toBe(false);
        }
      expect(there).toMatchObject({ writes: ["modern"] });
    },
  );
});
