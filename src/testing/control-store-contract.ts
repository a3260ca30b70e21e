/**
 * The contract of `ControlStore`, as a test suite that every adapter runs:
 *
 *     controlStoreContract("sqlite", async () => {
 *       const path = join(folder, "control.db");
 *       return { open: () => openSqliteControlStore(path), sql: …, elsewhere: … };
 *     });
 *
 * `make` is called for each test and returns a new, empty place; every `open` opens another handle on it. The
 * suite closes the handles; the caller removes the place.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isLongRun } from "../../test/campaigns.ts";
import { BridgeError } from "../base/errors.ts";
import { phases } from "../domain/migration/phase.ts";
import type { Ramp } from "../domain/migration/record-columns.ts";
import type {
  AuditRow,
  AuditSeal,
  ControlChange,
  ControlRecord,
  ControlStore,
  InstanceReport,
  Published,
  SignOffGiven,
} from "../ports/control-store.ts";
import { hostile, visible } from "./hostile-text.ts";
import { StoreProcess } from "./store-process.ts";
import { until } from "./until.ts";

export interface ControlPlace {
  readonly open: () => Promise<ControlStore>;
  /**
   * Runs a statement like an operator's shell, on a connection of its own that waits for no lock. Rejects if
   * the statement is refused. The tables are those of the documentation (the operator's SQL).
   */
  readonly sql?: (statement: string) => Promise<void>;
  /** An expression of a JavaScript module that opens the same store in another process, as a promise. */
  readonly elsewhere?: string;
  /**
   * Makes the store unreachable for its open handles (stops a server, moves a file); resolves with a function
   * that restores it.
   */
  readonly takeAway?: () => Promise<() => Promise<void>>;
}

export interface ControlContractOptions {
  /**
   * The reason for a missing `elsewhere`, shown with the tests that are skipped because they need another
   * process.
   */
  readonly oneProcess?: string;
  /** The reason for a missing `sql`, shown with the skipped tests of an operator's statements. */
  readonly noSql?: string;
  /** The reason for a missing `takeAway`. */
  readonly alwaysThere?: string;
  /** The reason why invalid values in a change are not refused. */
  readonly trusting?: string;
}

const emptyOverrides = {
  useNewPnlSystem: null,
  migrationMode: null,
  phase: null,
  newSystemPercentage: null,
  userWhitelist: null,
  userDenylist: null,
};
const userLists = ["user_whitelist", "user_denylist"];
const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const by = { actor: "amy", action: "traffic", reason: "a test" };
const changeOf = (set: ControlChange["set"] = {}, given: Partial<ControlChange> = {}): ControlChange => ({
  ...by,
  ...given,
  set,
});
const percentage = (newSystemPercentage: number, given: Partial<ControlChange> = {}): ControlChange =>
  changeOf({ newSystemPercentage }, given);
const publishedAs = (phase: Published["phase"], comment = ""): Published => {
  const text = JSON.stringify({ comment, phase });
  return { text, hash: Buffer.from(text).toString("hex").padEnd(64, "0").slice(-64), phase };
};
const ramp: Ramp = {
  steps: [5, 12.5, 33.333, 100],
  dwellMs: 90_000,
  nextAt: "2026-11-22T14:30:00.000Z",
  endsIn: "stay",
  actor: "amy",
  reason: "slowly",
};
const instance = (given: Partial<InstanceReport> = {}): InstanceReport => ({
  id: "one",
  name: "desk-7/serve/4711",
  seenEpoch: 1,
  drainedEpoch: 1,
  report: { freshness: "fresh", drift: null, rss: 123_456 },
  ...given,
});
const signOffGiven = (given: Partial<SignOffGiven> = {}): SignOffGiven => ({
  gate: "approved",
  phase: "shadow_mode",
  actor: "amy",
  note: "looked at it",
  expiresAfterMs: 86_400_000,
  ...given,
});
const sealed = (...seqs: readonly number[]): readonly AuditSeal[] =>
  seqs.map((seq) => ({
    seq,
    previousHash: String(seq - 1).padStart(64, "0"),
    hash: String(seq).padStart(64, "0"),
  }));

export function controlStoreContract(
  name: string,
  make: () => Promise<ControlPlace>,
  { oneProcess, noSql, alwaysThere, trusting }: ControlContractOptions = {},
): void {
  const because = (reason: string | undefined): string =>
    reason === undefined ? "" : ` (skipped: ${reason})`;
  describe(`ControlStore: ${name}`, () => {
    let place: ControlPlace;
    let opened: ControlStore[];
    let processes: StoreProcess[];

    beforeEach(async () => {
      opened = [];
      processes = [];
      place = await make();
    });
    afterEach(async () => {
      await Promise.all(processes.map((process) => process.kill()));
      await Promise.all(opened.map((store) => store.close()));
    });

    const open = async (): Promise<ControlStore> => {
      const store = await place.open();
      opened.push(store);
      return store;
    };
    const sql = async (statement: string): Promise<void> => {
      if (place.sql === undefined) throw new Error("the place has no sql, and gives no reason why");
      await place.sql(statement);
    };
    /** Starts another process, whose program uses the handle `store`. */
    const elsewhere = (program: string): StoreProcess => {
      if (place.elsewhere === undefined)
        throw new Error("the place has no elsewhere, and gives no reason why");
      const process = new StoreProcess(`const store = await ${place.elsewhere};\n${program}`);
      processes.push(process);
      return process;
    };
    const rows = (store: ControlStore): Promise<readonly AuditRow[]> => store.audit(0, 100_000);
    const lastRow = async (store: ControlStore): Promise<AuditRow> => (await rows(store)).at(-1) as AuditRow;

    /**
     * Checks that the audit has one row for every epoch, in order, and that each row continues the state of
     * the row before.
     */
    const expectGapless = async (store: ControlStore): Promise<readonly AuditRow[]> => {
      const [record, all] = [await store.read(), await rows(store)];
      expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1));
      const changes = all.filter(({ after }) => after !== null);
      expect(changes.map(({ epoch }) => epoch)).toEqual(changes.map((_, index) => index + 2));
      expect(record.epoch).toBe(changes.length + 1);
      for (const [index, { before }] of changes.entries())
        if (index > 0)
          expect(JSON.parse(before as string)).toEqual(JSON.parse(changes[index - 1]?.after as string));
      return all;
    };

    describe("a new store", () => {
      it("has epoch 1 and is otherwise empty", async () => {
        const store = await open();
        expect(await store.read()).toEqual({
          epoch: 1,
          overrides: emptyOverrides,
          published: null,
          grantedPhase: "read_only",
          grantedEpoch: 1,
          latched: null,
          ramp: null,
          legacyWindow: "open",
          cacheGeneration: 0,
          updatedAt: iso,
          updatedBy: expect.any(String),
        });
        expect([
          await rows(store),
          await store.signOffs(),
          await store.seals(0, 10),
          await store.instances(),
        ]).toEqual([[], [], [], []]);
      });

      it("gives its address", async () => {
        expect((await open()).where).not.toBe("");
      });

      it("may be opened by many handles at once, which share it", async () => {
        const handles = await Promise.all(Array.from({ length: 3 }, () => open()));
        await Promise.all(handles.map((store, index) => store.change(percentage(index))));
        expect(await expectGapless(handles[0] as ControlStore)).toHaveLength(3);
      });
    });

    describe("change", () => {
      interface Expected extends Partial<Omit<ControlRecord, "overrides">> {
        readonly overrides?: Partial<ControlRecord["overrides"]>;
      }
      const sets: readonly (readonly [string, ControlChange["set"], Expected])[] = [
        ["the kill switch", { useNewPnlSystem: false }, { overrides: { useNewPnlSystem: false } }],
        ["the switch back on", { useNewPnlSystem: true }, { overrides: { useNewPnlSystem: true } }],
        ["a mode", { migrationMode: "old_only" }, { overrides: { migrationMode: "old_only" } }],
        ["a phase", { phase: "cleanup" }, { overrides: { phase: "cleanup" } }],
        ["no traffic", { newSystemPercentage: 0 }, { overrides: { newSystemPercentage: 0 } }],
        ["three decimals", { newSystemPercentage: 33.333 }, { overrides: { newSystemPercentage: 33.333 } }],
        ["nobody", { userWhitelist: [] }, { overrides: { userWhitelist: [] } }],
        ["an empty denylist", { userDenylist: [] }, { overrides: { userDenylist: [] } }],
        ["a user on the denylist", { userDenylist: ["eve"] }, { overrides: { userDenylist: ["eve"] } }],
        ["some users", { userWhitelist: ["bob", "amy"] }, { overrides: { userWhitelist: ["bob", "amy"] } }],
        [
          "a published section",
          { published: publishedAs("dual_write") },
          { published: publishedAs("dual_write") },
        ],
        ["a latch", { latched: "12 % diverged" }, { latched: "12 % diverged" }],
        ["a ramp", { ramp }, { ramp }],
        ["the window", { legacyWindow: "closed" }, { legacyWindow: "closed" }],
        ["a void cache", { voidCache: true }, { cacheGeneration: 1 }],
        ["nothing", {}, {}],
      ];
      it("stores each value under the next epoch, with an audit row, and other handles read it", async () => {
        const [store, other] = [await open(), await open()];
        for (const [at, [what, set, { overrides, ...expected }]] of sets.entries()) {
          const before = await store.read();
          const after = await store.change(
            changeOf(set, { actor: "bob", action: "phase", reason: "why", evidence: [1, null] }),
          );
          expect(after, what).toEqual({
            ...before,
            ...expected,
            overrides: { ...before.overrides, ...overrides },
            epoch: at + 2,
            updatedAt: iso,
            updatedBy: "bob",
          });
          expect(await store.read(), what).toEqual(after);
          expect(await other.read(), what).toEqual(after);
          const all = await rows(store);
          expect(all, what).toHaveLength(at + 1);
          expect(all.at(-1), what).toEqual({
            seq: at + 1,
            at: after?.updatedAt,
            actor: "bob",
            action: "phase",
            reason: "why",
            epoch: at + 2,
            before: expect.any(String),
            after: expect.any(String),
            evidence: "[1,null]",
          });
        }
      });

      it("keeps values that it does not name, and removes overrides that it sets to null", async () => {
        const store = await open();
        const set = {
          useNewPnlSystem: true,
          migrationMode: "dual_write",
          phase: "dual_write",
          newSystemPercentage: 12.5,
          userWhitelist: ["amy"],
          userDenylist: ["eve"],
          published: publishedAs("shadow_mode"),
          grantedPhase: "dual_write",
          latched: "it broke",
          ramp,
          legacyWindow: "closed",
        } as const;
        const full = await store.change(changeOf(set));
        expect(full).toMatchObject({ grantedPhase: "dual_write", grantedEpoch: 2 });
        const other = await store.change(percentage(50));
        expect(other).toEqual({
          ...full,
          epoch: 3,
          updatedAt: iso,
          overrides: { ...full?.overrides, newSystemPercentage: 50 },
        });
        expect(
          await store.change(
            changeOf({
              useNewPnlSystem: null,
              migrationMode: null,
              phase: null,
              newSystemPercentage: null,
              userWhitelist: null,
              userDenylist: null,
              latched: null,
              ramp: null,
              legacyWindow: "open",
            }),
          ),
        ).toMatchObject({
          overrides: emptyOverrides,
          latched: null,
          ramp: null,
          legacyWindow: "open",
          published: set.published,
        });
      });

      it("to equal values raises the epoch too", async () => {
        const store = await open();
        await store.change(percentage(10));
        expect(await store.change(percentage(10))).toMatchObject({ epoch: 3 });
        expect(await expectGapless(store)).toHaveLength(2);
      });

      it("records the values before and after", async () => {
        const store = await open();
        await store.change(percentage(10));
        const { before, after } = await lastRow(store);
        expect(JSON.parse(before as string)).not.toEqual(JSON.parse(after as string));
        expect([before?.includes("10"), after?.includes("10")]).toEqual([false, true]);
      });

      it("without evidence has none in the audit", async () => {
        const store = await open();
        await store.change(percentage(10));
        expect((await lastRow(store)).evidence).toBeNull();
      });

      it("can publish several sections in turn, including one that was published before", async () => {
        const store = await open();
        const [one, other] = [publishedAs("shadow_mode", "one"), publishedAs("shadow_mode", "other")];
        for (const published of [one, other, other, one])
          expect(await store.change(changeOf({ published }))).toMatchObject({ published });
        expect(await (await open()).read()).toMatchObject({ published: one, epoch: 5 });
      });

      it("happens only under the expected epoch", async () => {
        const [store, other] = [await open(), await open()];
        expect(await store.change(percentage(10, { expectedEpoch: 1 }))).toMatchObject({ epoch: 2 });
        for (const expectedEpoch of [1, 3, 0, -1])
          expect(await other.change(percentage(20, { expectedEpoch })), String(expectedEpoch)).toBeNull();
        expect(await store.read()).toMatchObject({ epoch: 2, overrides: { newSystemPercentage: 10 } });
        expect(await rows(store)).toHaveLength(1);
        expect(await other.change(percentage(20, { expectedEpoch: 2 }))).toMatchObject({ epoch: 3 });
      });

      it("succeeds for exactly one of many callers that expect the same epoch", async () => {
        const handles = await Promise.all(Array.from({ length: 4 }, () => open()));
        for (let expectedEpoch = 1; expectedEpoch <= 10; expectedEpoch++) {
          const won = await Promise.all(
            handles.map((store, index) =>
              store.change(percentage(index, { expectedEpoch, reason: String(index) })),
            ),
          );
          const winners = won.flatMap((record, index) => (record === null ? [] : [index]));
          expect(winners).toHaveLength(1);
          expect((await lastRow(handles[0] as ControlStore)).reason).toBe(String(winners[0]));
        }
        await expectGapless(handles[0] as ControlStore);
      });

      it.skipIf(trusting !== undefined)(
        `with invalid values is refused with a BridgeError and has no effect${because(trusting)}`,
        async () => {
          const store = await open();
          const before = await store.read();
          const wrong: readonly object[] = [
            { newSystemPercentage: 100.001 },
            { newSystemPercentage: -1 },
            { newSystemPercentage: 1 / 3 },
            { phase: "later" },
            { migrationMode: "both" },
            { legacyWindow: "ajar" },
            { latched: "yes", grantedPhase: "later" },
          ];
          for (const set of wrong)
            await expect(
              store.change(changeOf(set as ControlChange["set"])),
              JSON.stringify(set),
            ).rejects.toBeInstanceOf(BridgeError);
          expect([await store.read(), await rows(store)]).toEqual([before, []]);
          expect(await store.change(percentage(1))).toMatchObject({ epoch: 2 });
        },
      );

      it("returns to each caller its own result when many write at once", async () => {
        const store = await open();
        const written = await Promise.all(
          Array.from({ length: 20 }, (_, index) => store.change(percentage(index))),
        );
        for (const [index, record] of written.entries())
          expect(record?.overrides.newSystemPercentage).toBe(index);
        expect(new Set(written.map((record) => record?.epoch)).size).toBe(20);
        await expectGapless(store);
      });
    });

    describe("the granted phase", () => {
      it("is lowered when the override or the published section requests an earlier phase, and never raised", async () => {
        const store = await open();
        const granted = async (set: ControlChange["set"]): Promise<readonly unknown[]> => {
          const record = await store.change(changeOf(set));
          expect(await store.read()).toEqual(record);
          return [record?.grantedPhase, record?.grantedEpoch];
        };
        expect(await granted({ phase: "shadow_mode", grantedPhase: "shadow_mode" })).toEqual([
          "shadow_mode",
          2,
        ]);
        expect(await granted({ phase: "dual_write" }), "requested, not granted").toEqual(["shadow_mode", 2]);
        expect(await granted({ grantedPhase: "dual_write" })).toEqual(["dual_write", 4]);
        expect(await granted({ phase: "shadow_mode" }), "lowered by the override").toEqual([
          "shadow_mode",
          5,
        ]);
        expect(await granted({ phase: "dual_write" }), "not raised again").toEqual(["shadow_mode", 5]);
        expect(await granted({ grantedPhase: "dual_write", published: publishedAs("shadow_mode") })).toEqual([
          "dual_write",
          7,
        ]);
        expect(await granted({ phase: null }), "lowered by the published section").toEqual([
          "shadow_mode",
          8,
        ]);
        expect(
          await granted({ published: publishedAs("primary_switch"), grantedPhase: "primary_switch" }),
        ).toEqual(["primary_switch", 9]);
        expect(await granted({ published: publishedAs("dual_write") }), "lowered by publishing").toEqual([
          "dual_write",
          10,
        ]);
        expect(await granted({ phase: "cleanup", grantedPhase: "cleanup" })).toEqual(["cleanup", 11]);
        expect(await granted({ newSystemPercentage: 3 }), "unchanged").toEqual(["cleanup", 11]);
        expect(await granted({ phase: "read_only" })).toEqual(["read_only", 13]);
        expect(await granted({ grantedPhase: "cleanup" }), "not beyond the requested phase").toEqual([
          "read_only",
          13,
        ]);
        await expectGapless(store);
      });

      it("is read_only if no phase is requested", async () => {
        const store = await open();
        await store.change(changeOf({ phase: "dual_write", grantedPhase: "dual_write" }));
        expect(await store.change(changeOf({ phase: null }))).toMatchObject({
          grantedPhase: "read_only",
          grantedEpoch: 3,
        });
      });

      it("is the earlier one of granted and requested phase, for every pair of phases", async () => {
        const store = await open();
        for (const [grantedAt, grantedPhase] of phases.entries())
          for (const [askedAt, phase] of phases.entries()) {
            await store.change(changeOf({ phase: grantedPhase, grantedPhase }));
            const record = await store.change(changeOf({ phase }));
            expect(record?.grantedPhase, `${grantedPhase}, then ${phase}`).toBe(
              phases[Math.min(grantedAt, askedAt)],
            );
          }
      });
    });

    describe.skipIf(noSql !== undefined)(`an operator's SQL${because(noSql)}`, () => {
      it("works exactly as documented", async () => {
        const store = await open();
        await sql("UPDATE config SET use_new_pnl_system = false;");
        expect(await store.read()).toMatchObject({
          epoch: 2,
          overrides: { ...emptyOverrides, useNewPnlSystem: false },
        });
        await sql("UPDATE config SET migration_mode = 'old_only';");
        expect(await store.read()).toMatchObject({
          epoch: 3,
          overrides: { useNewPnlSystem: false, migrationMode: "old_only" },
        });
        await sql("UPDATE config SET new_system_percentage = 10;");
        expect(await store.read()).toMatchObject({ epoch: 4, overrides: { newSystemPercentage: 10 } });
        await sql("DELETE FROM new_pnl_cache;");
        expect(await store.read()).toMatchObject({ epoch: 5, cacheGeneration: 1 });
        const all = await expectGapless(store);
        expect(all).toHaveLength(4);
        const { updatedAt, updatedBy } = await store.read();
        expect(updatedBy).not.toBe("");
        expect(updatedAt).toBe(all.at(-1)?.at);
        for (const row of all)
          expect(row).toMatchObject({ at: iso, actor: updatedBy, action: "sql", reason: "", evidence: null });
      });

      it("works without any open handle, and with many", async () => {
        await (await open()).close();
        await sql("UPDATE config SET new_system_percentage = 1.5");
        const handles = await Promise.all([open(), open(), open()]);
        await sql("UPDATE config SET new_system_percentage = 2.125");
        for (const store of handles)
          expect(await store.read()).toMatchObject({ epoch: 3, overrides: { newSystemPercentage: 2.125 } });
      });

      it("removes an override with NULL", async () => {
        const store = await open();
        for (const column of [
          "use_new_pnl_system",
          "migration_mode",
          "phase",
          "new_system_percentage",
          ...userLists,
        ]) {
          await store.change(
            changeOf({
              useNewPnlSystem: true,
              migrationMode: "new_only",
              phase: "cleanup",
              newSystemPercentage: 1,
              userWhitelist: ["amy"],
              userDenylist: ["eve"],
            }),
          );
          await sql(`UPDATE config SET ${column} = NULL`);
          expect(
            Object.values((await store.read()).overrides).filter((value) => value === null),
            column,
          ).toHaveLength(1);
        }
        await expectGapless(store);
      });

      it("names the users as a JSON array", async () => {
        const store = await open();
        const users = ["amy", "o'neil", "\u00fc"];
        for (const list of userLists) await sql(`UPDATE config SET ${list} = '["amy", "o''neil", "\u00fc"]'`);
        expect((await store.read()).overrides).toMatchObject({ userWhitelist: users, userDenylist: users });
        await expectGapless(store);
      });

      it("changes several columns in one epoch", async () => {
        const store = await open();
        await sql(
          "UPDATE config SET phase = 'dual_write', new_system_percentage = 25, use_new_pnl_system = true",
        );
        expect(await store.read()).toMatchObject({
          epoch: 2,
          overrides: { phase: "dual_write", newSystemPercentage: 25, useNewPnlSystem: true },
        });
        expect(await expectGapless(store)).toHaveLength(1);
      });

      it("does not raise the epoch if it changes nothing", async () => {
        const store = await open();
        await sql("UPDATE config SET migration_mode = 'old_only'");
        const before = await store.read();
        await sql("UPDATE config SET migration_mode = 'old_only'");
        await sql("UPDATE config SET new_system_percentage = new_system_percentage, phase = NULL");
        await sql("UPDATE config SET new_system_percentage = 10 WHERE false");
        expect(await store.read()).toEqual(before);
        expect(await rows(store)).toHaveLength(1);
      });

      it("does not inherit actor, action and reason of an earlier change by a process", async () => {
        const store = await open();
        await store.change(percentage(10, { actor: "bob", reason: "mine", evidence: { a: 1 } }));
        await sql("UPDATE config SET new_system_percentage = 20");
        expect(await lastRow(store)).toMatchObject({ action: "sql", reason: "", evidence: null });
        expect((await lastRow(store)).actor).not.toBe("bob");
        expect((await store.read()).updatedBy).not.toBe("bob");
      });

      it("lowers the granted phase, and never raises it", async () => {
        const store = await open();
        await store.change(changeOf({ phase: "primary_switch", grantedPhase: "primary_switch" }));
        await sql("UPDATE config SET phase = 'shadow_mode'");
        expect(await store.read()).toMatchObject({ grantedPhase: "shadow_mode", grantedEpoch: 3 });
        await sql("UPDATE config SET phase = 'cleanup'");
        expect(await store.read()).toMatchObject({ grantedPhase: "shadow_mode", grantedEpoch: 3, epoch: 4 });
        await expectGapless(store);
      });

      const refused: readonly string[] = [
        // Columns that gates and sign-offs decide.
        "UPDATE config SET granted_phase = 'cleanup'",
        "UPDATE config SET phase = 'cleanup', granted_phase = 'cleanup'",
        "UPDATE config SET granted_epoch = 7",
        "UPDATE config SET legacy_window = 'closed'",
        "UPDATE config SET new_system_percentage = 101",
        "UPDATE config SET new_system_percentage = -0.001",
        "UPDATE config SET new_system_percentage = 33.3333",
        "UPDATE config SET new_system_percentage = 'ten'",
        "UPDATE config SET use_new_pnl_system = 7",
        "UPDATE config SET use_new_pnl_system = 'perhaps'",
        "UPDATE config SET migration_mode = 'both'",
        "UPDATE config SET migration_mode = ''",
        "UPDATE config SET phase = 'primary'",
        "UPDATE config SET phase = 'READ_ONLY'",
        ...userLists.flatMap((list) => [
          `UPDATE config SET ${list} = 'amy'`,
          `UPDATE config SET ${list} = '{"amy": true}'`,
          `UPDATE config SET ${list} = '["amy", 7]'`,
        ]),
        "UPDATE config SET granted_phase = NULL",
        "UPDATE config SET legacy_window = 'ajar'",
        "UPDATE config SET epoch = NULL",
        "DELETE FROM config",
        "INSERT INTO config DEFAULT VALUES",
        "INSERT INTO config SELECT * FROM config",
      ];
      it("is refused for an invalid value, and if it would add or remove the row", async () => {
        const store = await open();
        await sql("UPDATE config SET new_system_percentage = 5");
        const before = [await store.read(), await rows(store)];
        for (const statement of refused) await expect(sql(statement), statement).rejects.toThrow();
        expect([await store.read(), await rows(store)]).toEqual(before);
      });

      it("cannot set the epoch", async () => {
        const store = await open();
        for (const epoch of [1, 99, 0]) {
          await sql(`UPDATE config SET epoch = ${epoch}`).catch(() => {});
          await sql(`UPDATE config SET epoch = ${epoch}, new_system_percentage = ${epoch}`).catch(() => {});
        }
        await expectGapless(store);
      });

      it("cannot change the audit", async () => {
        const store = await open();
        await sql("UPDATE config SET new_system_percentage = 5");
        const before = await rows(store);
        for (const statement of [
          "UPDATE audit SET actor = 'nobody'",
          "DELETE FROM audit",
          "DELETE FROM audit WHERE seq = 1",
        ])
          await expect(sql(statement), statement).rejects.toThrow(/audit/);
        expect(await rows(store)).toEqual(before);
      });

      it("voids the cache once per statement", async () => {
        const store = await open();
        await sql("DELETE FROM new_pnl_cache");
        await sql("DELETE FROM new_pnl_cache");
        await store.change(changeOf({ voidCache: true }));
        expect(await store.read()).toMatchObject({ cacheGeneration: 3, epoch: 4 });
        await expectGapless(store);
      });
    });

    describe("audit", () => {
      it("is read page by page", async () => {
        const store = await open();
        for (let index = 0; index < 7; index++) await store.change(percentage(index));
        const all = await rows(store);
        expect(all.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
        expect(await store.audit(0, 3)).toEqual(all.slice(0, 3));
        expect(await store.audit(3, 3)).toEqual(all.slice(3, 6));
        expect(await store.audit(6, 3)).toEqual(all.slice(6));
        expect([await store.audit(7, 3), await store.audit(99, 3), await store.audit(0, 0)]).toEqual([
          [],
          [],
          [],
        ]);
      });

      it("keeps notes that do not change the plan", async () => {
        const store = await open();
        await store.change(percentage(10));
        const before = await store.read();
        const note = { actor: "bob", action: "refused", reason: "too early" };
        await store.note({ ...note, evidence: { open: false, verdicts: [{ gate: "coverage", seen: 0.5 }] } });
        await store.note(note);
        expect(await store.read()).toEqual(before);
        const [, first, second] = await expectGapless(store);
        expect(first).toEqual({
          ...note,
          seq: 2,
          at: iso,
          epoch: 2,
          before: null,
          after: null,
          evidence: expect.any(String),
        });
        expect(JSON.parse(first?.evidence as string)).toEqual({
          open: false,
          verdicts: [{ gate: "coverage", seen: 0.5 }],
        });
        expect(second).toMatchObject({ seq: 3, evidence: null });
      });
    });

    describe("sign-offs", () => {
      it("are kept, oldest first, with the epoch under which the phase was granted", async () => {
        const store = await open();
        await store.signOff(signOffGiven({ actor: "amy" }));
        await store.change(changeOf({ phase: "shadow_mode", grantedPhase: "shadow_mode" }));
        await store.signOff(signOffGiven({ actor: "bob", phase: "dual_write", note: "" }));
        const found = await (await open()).signOffs();
        const { expiresAfterMs, ...given } = signOffGiven();
        expect(found).toEqual([
          { ...given, at: iso, expiresAt: iso, grantedEpoch: 1 },
          { ...given, actor: "bob", phase: "dual_write", note: "", at: iso, expiresAt: iso, grantedEpoch: 2 },
        ]);
        for (const { at, expiresAt } of found)
          expect(Date.parse(expiresAt) - Date.parse(at)).toBe(expiresAfterMs);
        expect((await store.read()).epoch).toBe(2);
      });

      it("expire", async () => {
        const store = await open();
        await store.signOff(signOffGiven({ expiresAfterMs: 40 }));
        await store.signOff(signOffGiven({ actor: "bob" }));
        await sleep(120);
        expect((await store.signOffs()).map(({ actor }) => actor)).toEqual(["bob"]);
      });
    });

    describe("seals", () => {
      it("are read in order, page by page", async () => {
        const store = await open();
        expect(await store.seal(sealed(1, 2))).toBe(true);
        expect(await store.seal(sealed(3))).toBe(true);
        expect(await (await open()).seals(0, 10)).toEqual(sealed(1, 2, 3));
        expect([await store.seals(1, 1), await store.seals(3, 9), await store.seals(0, 0)]).toEqual([
          sealed(2),
          [],
          [],
        ]);
      });

      it("are not added if another handle was faster, nor after a gap", async () => {
        const store = await open();
        expect(await store.seal(sealed(2))).toBe(false);
        await store.seal(sealed(1, 2));
        for (const seals of [sealed(1), sealed(2, 3), sealed(4), sealed(1, 2, 3)])
          expect(await store.seal(seals)).toBe(false);
        expect(await store.seals(0, 10)).toEqual(sealed(1, 2));
      });

      it("are added by exactly one of many handles", async () => {
        const handles = await Promise.all(Array.from({ length: 4 }, () => open()));
        for (let seq = 1; seq <= 10; seq++) {
          const won = await Promise.all(handles.map((store) => store.seal(sealed(seq))));
          expect(won.filter(Boolean)).toHaveLength(1);
        }
        expect(await handles[0]?.seals(0, 100)).toEqual(sealed(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
      });
    });

    describe("instances", () => {
      it("have the values of their last heartbeat, with the store's times", async () => {
        const [store, other] = [await open(), await open()];
        await store.heartbeat(instance());
        await other.heartbeat(instance({ id: "two", name: "other" }));
        const first = await one(store, "one");
        expect(first).toEqual({ ...instance(), startedAt: iso, ageMs: expect.any(Number), beats: 1 });
        await sleep(60);
        const later = await one(other, "one");
        expect(later?.ageMs).toBeGreaterThanOrEqual((first?.ageMs ?? 0) + 40);
        const said = instance({
          seenEpoch: 7,
          drainedEpoch: 6,
          report: [1, { deep: "x" }, null],
          name: "renamed",
        });
        await store.heartbeat(said);
        const again = await one(other, "one");
        expect(again).toEqual({ ...said, startedAt: first?.startedAt, ageMs: expect.any(Number), beats: 2 });
        expect(again?.ageMs).toBeLessThan(later?.ageMs ?? 0);
        expect((await store.instances()).map(({ id }) => id).toSorted()).toEqual(["one", "two"]);
      });

      it("can leave, and come back", async () => {
        const [store, other] = [await open(), await open()];
        await store.heartbeat(instance());
        await store.heartbeat(instance());
        await store.heartbeat(instance({ id: "two" }));
        await other.leave("one");
        await other.leave("never there");
        expect((await store.instances()).map(({ id }) => id)).toEqual(["two"]);
        await store.heartbeat(instance());
        expect((await one(other, "one"))?.beats).toBe(1);
      });

      it("change neither the record nor the audit", async () => {
        const store = await open();
        const before = await store.read();
        await store.heartbeat(instance());
        await store.seal(sealed(1));
        expect([await store.read(), await rows(store)]).toEqual([before, []]);
      });
    });

    describe("watch", () => {
      /**
       * Calls `work` repeatedly; each time the watch of `store` must report the epoch that `work` created.
       */
      const followsEach = async (
        store: ControlStore,
        work: (round: number) => Promise<unknown>,
      ): Promise<void> => {
        let seen = 0;
        const stop = store.watch(() => void store.read().then(({ epoch }) => (seen = Math.max(seen, epoch))));
        const { epoch } = await store.read();
        for (let round = 0; round < 5; round++) {
          await sleep(17);
          await work(round);
          await until(() => seen >= epoch + round + 1);
        }
        stop();
      };

      it("reports its own handle's changes", async () => {
        const store = await open();
        await followsEach(store, (round) => store.change(percentage(round)));
      });

      it("reports another handle's changes", async () => {
        const [store, other] = [await open(), await open()];
        await followsEach(store, (round) => other.change(percentage(round)));
      });

      it.skipIf(noSql !== undefined)(`reports an operator's statements${because(noSql)}`, async () => {
        const store = await open();
        await followsEach(store, (round) => sql(`UPDATE config SET new_system_percentage = ${round}`));
      });

      it("notifies every watcher until it stops", async () => {
        const [store, other] = [await open(), await open()];
        const notified = [0, 0];
        const both = (index: number) => () => {
          notified[index] = (notified[index] ?? 0) + 1;
        };
        const stops = [store.watch(both(0)), store.watch(both(1))];
        await other.change(percentage(1));
        await until(() => notified.every((count) => count > 0));
        stops[0]?.();
        stops[0]?.();
        await sleep(50);
        const before = [...notified];
        await other.change(percentage(2));
        await until(() => (notified[1] ?? 0) > (before[1] ?? 0));
        expect(notified[0]).toBe(before[0]);
        stops[1]?.();
      });

      it("ends with close", async () => {
        const [store, other] = [await open(), await open()];
        let notifications = 0;
        store.watch(() => {
          notifications += 1;
        });
        await store.close();
        const before = notifications;
        await other.change(percentage(1));
        await sleep(100);
        expect(notifications).toBe(before);
      });

      it.skipIf(alwaysThere !== undefined)(
        `continues after the store was unreachable${because(alwaysThere)}`,
        async () => {
          const store = await open();
          await store.change(percentage(10));
          let notifications = 0;
          store.watch(() => {
            notifications += 1;
          });
          if (place.takeAway === undefined)
            throw new Error("the place has no takeAway, and gives no reason why");
          const bringBack = await place.takeAway();
          await sleep(100);
          await expect(within(60_000, store.read())).rejects.toBeInstanceOf(BridgeError);
          const before = notifications;
          await bringBack();
          await until(() => notifications > before);
          await until(async () => (await store.read().catch(() => undefined))?.epoch === 2);
          const back = notifications;
          await (await open()).change(percentage(20));
          await until(() => notifications > back);
          expect(await store.read()).toMatchObject({ epoch: 3, overrides: { newSystemPercentage: 20 } });
          await store.heartbeat(instance());
          await expectGapless(store);
        },
      );
    });

    describe("text", () => {
      it(`may be hostile in every column: ${Object.keys(hostile).join(", ")}`, async () => {
        const store = await open();
        for (const [name, text] of Object.entries(hostile))
          await takes(store, name, text).catch((cause) => {
            throw new Error(`${name}: ${cause.message}`, { cause });
          });
        await expectGapless(store);
      });

      async function takes(store: ControlStore, name: string, text: string): Promise<void> {
        const either = expect.toSatisfy((kept: unknown) => kept === text || kept === visible(text));
        const record = await store.change({
          actor: text,
          action: text,
          reason: text,
          evidence: { [text]: [text] },
          set: {
            userWhitelist: [text, "amy"],
            userDenylist: [text],
            latched: text,
            ramp: { ...ramp, actor: text, reason: text },
          },
        });
        expect(record).toMatchObject({
          updatedBy: either,
          overrides: { userWhitelist: [either, "amy"], userDenylist: [either] },
          latched: either,
          ramp: { ...ramp, actor: either, reason: either },
        });
        expect(await store.read()).toEqual(record);
        const row = await lastRow(store);
        expect(row).toMatchObject({ actor: either, action: either, reason: either });
        for (const json of [row.before, row.after, row.evidence])
          expect(() => JSON.parse(json as string)).not.toThrow();
        expect(Object.values(JSON.parse(row.evidence as string))).toEqual([[either]]);

        await store.note({ actor: text, action: text, reason: text, evidence: text });
        await store.signOff(signOffGiven({ gate: text, actor: text, note: text }));
        const given = (await store.signOffs()).at(-1);
        expect(given).toMatchObject({ gate: either, actor: either, note: either });
        await store.heartbeat(instance({ name: text, report: { text } }));
        expect(await store.instances()).toMatchObject([{ name: either, report: { text: either } }]);
        const { hash } = publishedAs("read_only", name);
        await store.change({ ...by, set: { published: { text, hash, phase: "read_only" } } });
        expect((await store.read()).published?.text).toEqual(either);
      }
    });

    describe("open and close", () => {
      it("keep all data", async () => {
        const store = await open();
        await store.change(
          changeOf({
            phase: "dual_write",
            grantedPhase: "dual_write",
            published: publishedAs("dual_write"),
            ramp,
          }),
        );
        await store.signOff(signOffGiven());
        await store.seal(sealed(1));
        const before = [
          await store.read(),
          await rows(store),
          await store.signOffs(),
          await store.seals(0, 9),
        ];
        await store.close();
        const again = await open();
        expect([
          await again.read(),
          await rows(again),
          await again.signOffs(),
          await again.seals(0, 9),
        ]).toEqual(before);
      });

      it("finish earlier calls, refuse later ones, and permit a second close", async () => {
        const store = await open();
        const change = store.change(percentage(10));
        const closed = store.close();
        await Promise.all([change, closed, store.close()]);
        const calls: readonly (() => Promise<unknown>)[] = [
          () => store.read(),
          () => store.change(percentage(20)),
          () => store.note(by),
          () => store.signOff(signOffGiven()),
          () => store.signOffs(),
          () => store.audit(0, 1),
          () => store.seals(0, 1),
          () => store.seal(sealed(1)),
          () => store.heartbeat(instance()),
          () => store.instances(),
          () => store.leave("one"),
        ];
        for (const call of calls) await expect(call()).rejects.toThrow("closed");
        await store.close();
        expect(await (await open()).read()).toMatchObject({
          epoch: 2,
          overrides: { newSystemPercentage: 10 },
        });
      });
    });

    describe.skipIf(oneProcess !== undefined)(`several processes${because(oneProcess)}`, () => {
      /**
       * Starts a process that changes the record repeatedly, and prints the epoch of each acknowledged
       * change.
       */
      const changer = (writer: string, changes = Number.POSITIVE_INFINITY): StoreProcess =>
        elsewhere(`
          for (let index = 0; index < ${changes}; index++) {
            const set = { newSystemPercentage: index % 101 };
            const record = await store.change({ actor: ${JSON.stringify(writer)}, action: "traffic", reason: String(index), set });
            say(record.epoch + "/" + ${JSON.stringify(writer)} + "/" + index);
          }
          await store.close();`);

      it.runIf(isLongRun("stores"))(
        "record every change of all of them, under epochs without gaps",
        async () => {
          const others = [changer("one", 20), changer("other", 20)];
          await Promise.all(others.map((other) => other.says(1)));
          const store = await open();
          for (let index = 0; index < 10; index++)
            await store.change(percentage(index, { actor: "here", reason: String(index) }));
          for (const other of others) expect(await other.ended()).toBe(0);
          const all = await expectGapless(store);
          expect(all).toHaveLength(50);
          const recorded = all.map(({ epoch, actor, reason }) => `${epoch}/${actor}/${reason}`);
          expect(recorded).toEqual(expect.arrayContaining(others.flatMap(({ lines }) => lines)));
        },
      );

      it("leave every acknowledged change, and no partial one, after kill -9", async () => {
        const acknowledged: string[] = [];
        const rounds = isLongRun("stores") ? 4 : 2;
        for (let round = 0; round < rounds; round++) {
          const process = changer(`round ${round}`);
          await process.says(5 + round);
          await sleep(3 * round);
          acknowledged.push(...(await process.kill()));
        }
        const store = await open();
        const all = await expectGapless(store);
        const recorded = all.map(({ epoch, actor, reason }) => `${epoch}/${actor}/${reason}`);
        expect(recorded).toEqual(expect.arrayContaining(acknowledged));
        // Each round may add the one change that was in progress.
        expect(recorded.length - acknowledged.length).toBeLessThanOrEqual(rounds);
        await store.change(percentage(1));
      });

      it.skipIf(noSql !== undefined)(
        `never block an operator's statements while they follow the plan${because(noSql)}`,
        async () => {
          await (await open()).close();
          const fleet = ["a", "b", "c", "d"].slice(0, isLongRun("statements") ? 4 : 2).map((id) =>
            elsewhere(`
              let [seen, looks, looking] = [0, 0, Promise.resolve()];
              const beat = () => store.heartbeat({ id: "${id}", name: "${id}", seenEpoch: seen, drainedEpoch: seen, report: { looks } });
              const look = async () => {
                const { epoch } = await store.read();
                looks += 1;
                if (epoch === seen) return;
                seen = epoch;
                await beat();
              };
              const fail = (error) => { say(String(error)); process.exit(1); };
              const stop = store.watch(() => { looking = looking.then(look).catch(fail); });
              const beats = setInterval(() => beat().catch(fail), 50);
              await look();
              say("ready");
              process.stdin.on("end", async () => {
                stop();
                clearInterval(beats);
                await looking;
                await store.close();
                say("done");
              }).resume();`),
          );
          await Promise.all(fleet.map((process) => process.says(1)));
          const statements = isLongRun("statements") ? 1_000 : 60;
          const failed: string[] = [];
          const store = await open();
          for (let index = 1; index <= statements; index++) {
            await sql(`UPDATE config SET new_system_percentage = ${index % 100}.${index % 7}`).catch(
              (error) => failed.push(`${index}: ${error}`),
            );
            // The processes read the store between the statements, however fast those are.
            if (index % 20 === 0)
              await until(async () =>
                (await store.instances()).every(({ seenEpoch }) => seenEpoch === index + 1),
              );
          }
          expect(failed).toEqual([]);
          expect((await store.read()).epoch).toBe(statements + 1);
          const instances = await store.instances();
          expect(instances).toHaveLength(fleet.length);
          for (const { report, beats } of instances) {
            expect((report as { readonly looks: number }).looks).toBeGreaterThan(2);
            expect(beats).toBeGreaterThan(2);
          }
          for (const process of fleet) {
            process.finish();
            expect(await process.ended()).toBe(0);
            expect(process.lines).toEqual(["ready", "done"]);
          }
          expect(await expectGapless(store)).toHaveLength(statements);
        },
        isLongRun("statements") ? 900_000 : 180_000,
      );
    });
  });
}

const one = async (store: ControlStore, id: string) =>
  (await store.instances()).find((known) => known.id === id);

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  const stop = new AbortController();
  const late = sleep(limitMs, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`nothing happened for ${limitMs} ms`);
  });
  late.catch(() => {});
  return Promise.race([work, late]).finally(() => stop.abort());
}
