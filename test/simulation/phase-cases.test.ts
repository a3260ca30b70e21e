/**
 * Each case goes forward, back and forward again over real stores, and must end in the same state. The cases
 * are all pairs of phases by each way back, and all values that a plan can have beside its phase. They are
 * generated from the phases, the ways back and the columns of the record, so a new one gets its cases or does
 * not compile. For each store, a test after the cases checks that every case has run.
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
import {
  allFlags,
  amy,
  Disk,
  digest,
  publishedSection,
  readSection,
  switchFileOn,
} from "../../src/testing/fleet.ts";
import { expectedPlan } from "../../src/testing/phase-oracle.ts";
import { postgresMissing, startPostgres } from "../../src/testing/postgres.ts";
import { runSql } from "../../src/testing/sqlite-files.ts";
import { isLongRun, variant } from "../campaigns.ts";

interface World {
  readonly open: () => Promise<ControlStore>;
  /** Runs a statement like an operator in a shell. */
  readonly sql: (statement: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

const keys: readonly CallKey[] = [
  { user: "amy", book: "UST" },
  { user: "bob", book: "EGB" },
  { user: "carol" },
  {},
];

/** A fleet of one process with a bridge, and an operator. */
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

  /** Resolves when the process follows the store's record and has acknowledged it. */
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

  /** Advances like a desk: takes modern back into use, then moves one phase at a time, with approvals. */
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
    const answers = await Promise.all(
      keys.map(async (key) => (await this.bridge.call("totals", {}, key)).value),
    );
    return {
      record: lasting(record),
      plan,
      from: effective.from,
      held: effective.held,
      answers,
      writes: writesOf(effective.plan),
    };
  }

  /** Compares the plan and an answer with the oracle. */
  async expectOracle(): Promise<void> {
    const { record, section } = await this.operator.overview();
    const { overrides, grantedPhase: granted, latched, legacyWindow } = record;
    const expected = expectedPlan({
      requested: overrides.phase ?? section?.plan.phase ?? "read_only",
      granted,
      mode: overrides.migrationMode ?? section?.plan.migrationMode ?? "dual_write",
      flags: allFlags,
      useNewPnlSystem: overrides.useNewPnlSystem,
      latched: latched !== null,
      isSwitchSet: false,
      closed: legacyWindow === "closed",
    });
    const { plan } = this.follower.effective;
    const { source } = await this.bridge.call("totals", {}, {});
    expect({ phase: plan.phase, answer: source, writes: writesOf(plan) }).toEqual(expected);
  }
}

/** Returns the record without the values that differ each time. */
function lasting({ overrides, published, grantedPhase, latched, ramp, legacyWindow }: ControlRecord): object {
  const { nextAt: _, ...rest } = ramp ?? { nextAt: "" };
  return { overrides, published, grantedPhase, latched, ramp: ramp && rest, legacyWindow };
}

const base = { phase: "read_only" as Phase, flags: allFlags, newSystemPercentage: 40 };

/** The ways back: to an earlier phase, or out of use. */
const waysBack = {
  operator: {
    leads: "to the phase",
    take: async (rig, to) => void (await rig.operator.move({ kind: "set", phase: to }, amy)),
  },
  "operator, step by step": {
    leads: "to the phase",
    take: async (rig, to) => {
      while (isLater((await rig.operator.overview()).effective.plan.phase, to))
        await rig.operator.move({ kind: "retreat" }, amy);
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
type WayBack = keyof typeof waysBack;

interface Variation {
  readonly name: string;
  readonly apply: (rig: Rig) => Promise<void>;
}
const none: Variation = { name: "as it is", apply: async () => {} };
const set = (column: string, value: string): Variation => ({
  name: `${column} = ${value}`,
  apply: (rig) => rig.sql(`UPDATE config SET ${column} = ${value}`),
});

/** Writes a ramp into the record, even in phases in which no ramp may begin. */
const ramp = (
  name: string,
  [newSystemPercentage = 0, ...steps]: readonly number[],
  endsIn: "stay" | "rollback",
): Variation => ({
  name,
  apply: async (rig) => {
    const under = { steps, dwellMs: 600_000, nextAt: new Date().toISOString(), endsIn, ...amy };
    await rig.store.change({ ...amy, action: "test", set: { newSystemPercentage, ramp: under } });
  },
});

const listChange = (list: UserList) => async (rig: Rig) =>
  void (await rig.operator.changeList(list, { change: "add", user: "amy" }, amy));

/** The values of a plan beside its phase, by column. The compiler requires an entry for each new column. */
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
  userWhitelist: [
    { name: "a whitelisted user", apply: listChange("whitelist") },
    set("user_whitelist", `'["bob", "amy"]'`),
  ],
  userDenylist: [
    { name: "a user on the denylist", apply: listChange("denylist") },
    set("user_denylist", `'["bob", "amy"]'`),
  ],
  latched: [{ name: "a latch", apply: (rig) => rig.trigger() }],
  ramp: [ramp("a ramp under way", [10, 100], "stay"), ramp("a ramp down under way", [30, 0], "rollback")],
  published: [
    { name: "a denylist", apply: (rig) => rig.publish({ ...base, userDenylist: ["amy"] }) },
    { name: "by user", apply: (rig) => rig.publish({ ...base, bucketBy: "user", userWhitelist: ["carol"] }) },
  ],
  voidCache: [{ name: "voided caches", apply: (rig) => rig.sql("DELETE FROM new_pnl_cache") }],
  // A closed window has no way back; the test "no way back leads to legacy …" covers it.
  legacyWindow: [],
};

interface Case {
  readonly from: Phase;
  readonly to: Phase;
  readonly way: WayBack;
  readonly variation: Variation;
  /** Whether a short run has the case. Short runs have each pair, way back and variation at least once. */
  readonly inShort: boolean;
}
const wayNames = Object.keys(waysBack) as WayBack[];
const pairs = phases.flatMap((to) =>
  phases.filter((from) => isLater(to, from)).map((from) => ({ from, to })),
);
/** Every pair of phases by every way back, and every variation in every phase, with the ways back in turn. */
const cases: readonly Case[] = [
  ...pairs.flatMap((pair, at) =>
    wayNames.map((way, step) => ({
      ...{ ...pair, way, variation: none, inShort: step === at % wayNames.length },
    })),
  ),
  ...Object.values(variations)
    .flat()
    .filter((variation) => variation !== none)
    .flatMap((variation, at) =>
      phases.flatMap((to, step) => {
        const from = phaseBefore(to);
        if (from === undefined) return [];
        const way = wayNames[(at + step) % wayNames.length] as WayBack;
        return [{ from, to, way, variation, inShort: step === 1 + (at % (phases.length - 1)) }];
      }),
    ),
];
/**
 * Each store runs every case in the long campaign. In a short run SQLite runs a fifth of them, in which every
 * pair of phases, every way back and every variation occurs, and PostgreSQL runs a few.
 */
const casesOn = (world: string): readonly Case[] =>
  isLongRun("phases")
    ? cases
    : cases.filter(({ inShort }, at) => (world === "SQLite" ? inShort : at % 15 === 0));
const nameOf = ({ from, to, way, variation }: Case): string =>
  `${from} → ${to}, ${variation.name}, back by ${way}`;

async function run(rig: Rig, { from, to, way, variation }: Case): Promise<void> {
  // Resets the record to the first phase without overrides.
  await rig.store.change({
    ...amy,
    action: "test",
    set: {
      ...{ useNewPnlSystem: null, migrationMode: null, phase: null, newSystemPercentage: null },
      ...{ userWhitelist: null, userDenylist: null },
      ...{
        latched: null,
        ramp: null,
        grantedPhase: "read_only",
        published: publishedSection({ plan: base }),
      },
    },
  });
  await rig.settled();
  const forward = async (): Promise<object> => {
    await rig.publish(base);
    await rig.forward(to);
    await variation.apply(rig);
    await rig.settled();
    await rig.expectOracle();
    return rig.state();
  };
  await rig.forward(from);
  const there = await forward();
  const { leads, take } = waysBack[way];
  await take(rig, from);
  await rig.settled();
  await rig.expectOracle();
  if (leads === "out of use") {
    for (const key of keys) expect((await rig.bridge.call("totals", {}, key)).source).toBe("legacy");
    // An emergency keeps the phase. The operator then moves back to the earlier phase.
    await rig.operator.move({ kind: "set", phase: from }, amy);
    await rig.settled();
    await rig.expectOracle();
  }
  expect(rig.follower.effective.plan.phase).toBe(from);
  // The later phase has to be granted again.
  expect((await rig.store.read()).grantedPhase).toBe(from);
  expect(await forward()).toEqual(there);
}

const worlds: Readonly<
  Record<string, { readonly missing?: string | undefined; readonly make: () => Promise<World> }>
> = {
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

it("the cases are distinct, and every way back leads from each phase but the first and to each but the last", () => {
  expect(cases.map(nameOf)).toEqual([...new Set(cases.map(nameOf))]);
  // `phasePolicies` has a row for each phase, in their order.
  expect(Object.keys(phasePolicies)).toEqual([...phases]);
  const parts = (all: readonly Case[]) =>
    new Set(all.flatMap(({ from, to, way, variation }) => [`${from} → ${to}`, way, variation.name]));
  expect(parts(casesOn("SQLite"))).toEqual(parts(cases));
  for (const way of wayNames)
    for (const phase of phases) {
      const by = cases.filter((one) => one.way === way);
      if (phase !== phases[0]) expect(by.some(({ to }) => to === phase)).toBe(true);
      if (phase !== phases.at(-1)) expect(by.some(({ from }) => from === phase)).toBe(true);
    }
});

for (const [name, { missing, make }] of Object.entries(worlds))
  describe.skipIf(missing !== undefined)(
    `forward, back, forward again on ${name}`,
    name === "SQLite" ? {} : variant,
    () => {
      let rig: Rig;
      const ran: string[] = [];
      beforeAll(async () => {
        if (missing === undefined) rig = await Rig.start(await make());
      });
      afterAll(async () => rig?.close());

      // One test for each phase. Its failure names the case.
      it.each(phases.slice(1))(
        `%s has the same state when it is reached again after each case's way back ${missing ?? ""}`,
        async (to) => {
          for (const one of casesOn(name).filter((each) => each.to === to)) {
            await run(rig, one).catch((cause) => {
              throw new Error(`${name}: ${nameOf(one)}: ${cause.message}`, { cause });
            });
            ran.push(nameOf(one));
          }
        },
      );

      it("every case has run, and the audit has a row for each step", async () => {
        expect(ran.toSorted()).toEqual(casesOn(name).map(nameOf).toSorted());
        const rows = await rig.store.audit(0, 100_000);
        expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, at) => at + 1));
        const epochs = rows.filter(({ after }) => after !== null).map(({ epoch }) => epoch);
        expect(epochs).toEqual(epochs.map((_, at) => at + 2));
      });

      it("no way back leads to legacy after its window was closed, and the overview reports that", async () => {
        const closing = { from: "primary_switch", to: "cleanup", way: "operator", variation: none } as const;
        await run(rig, { ...closing, inShort: true });
        await rig.operator.signOff("legacy_window", { actor: "carol", note: "month end is done" });
        await rig.settled();
        const there = await rig.state();
        for (const from of phases.slice(0, -1))
          for (const way of wayNames) {
            const { take } = waysBack[way];
            await take(rig, from).catch((failure) => expect(failure).toMatchObject({ code: "REFUSED" }));
            await rig.settled();
            await rig.expectOracle();
            const { phase, legacyWindow } = rig.follower.effective.plan;
            expect([phase, legacyWindow], `${way} to ${from}`).toEqual(["cleanup", "closed"]);
            for (const key of keys) expect((await rig.bridge.call("totals", {}, key)).source).toBe("modern");
            expect(await rig.operator.wayBack(await rig.operator.overview())).toMatchObject({
              possible: false,
            });
          }
        expect(there).toMatchObject({ writes: ["modern"] });
      });
    },
  );
