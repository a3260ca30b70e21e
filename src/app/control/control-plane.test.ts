import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../config/index.ts";
import { until } from "../../testing/until.ts";
import { createPnlBridge, type PnlBridge } from "../bridge/pnl-bridge.ts";
import { evidenceKey } from "../evidence-key.ts";
import { publishedOf } from "./operator.ts";

const base = mkdtempSync(join(tmpdir(), "pnl-bridge-control-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const bridges: PnlBridge[] = [];
afterEach(async () => {
  await Promise.all(bridges.splice(0).map((bridge) => bridge.close()));
});

const flags = { use_new_calculator: true, use_new_storage: true, use_new_reports: true };
let folders = 0;
/** A desk with its control store in a file. Each of its systems names itself in its answers. */
function desk(migration: object = {}): string {
  const folder = join(base, `${++folders}`);
  mkdirSync(folder);
  const module = (name: string, more = "") =>
    `let calls = 0;\nexport default { totals: async () => { calls += 1; ${more} return { totals: {}, by: "${name}" }; } };`;
  writeFileSync(join(folder, "legacy.mjs"), module("legacy"));
  writeFileSync(
    join(folder, "modern.mjs"),
    module("modern", 'if (process.env.MODERN_FAILS) throw new Error("not well");'),
  );
  write(folder, migration);
  return folder;
}
const fileOf = (folder: string): string => join(folder, "pnl_migration_config.yaml");
function write(folder: string, migration: object): void {
  const systems = {
    legacy: { kind: "module", path: "./legacy.mjs" },
    modern: { kind: "module", path: "./modern.mjs" },
  };
  const config = {
    migration: { phase: "shadow_mode", feature_flags: flags, ...migration },
    systems,
    gates: { profile: "trial" },
    stores: { control: "sqlite:./state/control.db" },
    control: { heartbeat_ms: 200, stale_ms: 1_000, lease_ms: 5_000, poll_ms: 200 },
  };
  writeFileSync(fileOf(folder), JSON.stringify(config));
}
async function start(folder: string): Promise<PnlBridge> {
  const bridge = await createPnlBridge({ config: fileOf(folder), log: () => {} });
  bridges.push(bridge);
  return bridge;
}
function sql(folder: string, statement: string): void {
  const database = new Database(join(folder, "state/control.db"), { timeout: 0 });
  database.exec(statement);
  database.close();
}
const by = { actor: "amy", reason: "a test" };
const answers = async ({ service }: PnlBridge): Promise<string> => {
  const { source, value } = await service.call("totals", {}, { user: "amy", book: "UST" });
  expect((value as { by?: string }).by).toBe(source);
  return source;
};
/** Advances one phase as soon as the gates are open. */
async function advance({ control }: PnlBridge): Promise<void> {
  const moved = async () => {
    await control?.operator.signOff("approved", { actor: "bob", note: "looked at it" }).catch(() => {});
    return (await control?.operator.move({ kind: "advance" }, by))?.moved === true;
  };
  await until(moved);
}

describe("a bridge with a control store", () => {
  it("publishes its file's section to an empty store, and obeys it up to shadow_mode", async () => {
    const bridge = await start(desk());
    await until(() => bridge.service.plan.phase === "shadow_mode");
    expect(bridge.control?.follower.record).toMatchObject({
      grantedPhase: "shadow_mode",
      published: { phase: "shadow_mode" },
    });
    const far = await start(desk({ phase: "primary_switch" }));
    await until(() => far.service.plan.phase === "shadow_mode");
    expect(far.control?.follower.effective.held).toEqual([
      {
        value: "phase",
        asked: "primary_switch",
        why: "the gates' verdict for it is not recorded; the last phase that was granted is shadow_mode",
      },
    ]);
    expect(await answers(far)).toBe("legacy");
  });

  it("follows an operator's SQL, and acknowledges it", async () => {
    const folder = desk();
    const bridge = await start(folder);
    await advance(bridge);
    await until(() => bridge.service.plan.phase === "dual_write");
    expect(await answers(bridge)).toBe("legacy");
    sql(folder, "UPDATE config SET new_system_percentage = 100");
    await until(async () => (await answers(bridge)) === "modern");
    sql(folder, "UPDATE config SET use_new_pnl_system = false");
    const { epoch } = (await bridge.control?.store.read()) ?? { epoch: 0 };
    await until(
      async () =>
        (await bridge.control?.store.instances())?.every(
          ({ seenEpoch, drainedEpoch }) => seenEpoch === epoch && drainedEpoch === epoch,
        ) === true,
    );
    expect(await answers(bridge)).toBe("legacy");
    await until(async () => (await bridge.control?.verifyAudit())?.notSealedYet.length === 0);
    expect((await bridge.control?.store.audit(0, 100))?.filter(({ action }) => action === "sql").length).toBe(
      2,
    );
  });

  it("counts evidence under the build that it loaded at its start, also if other files are on disk when the plan changes", async () => {
    const folder = desk();
    const bridge = await start(folder);
    const { core } = bridge.service;
    const partsOf = (): readonly string[] => core.evidenceKey.split("/");
    const [modern, rules, legacy] = partsOf();
    writeFileSync(join(folder, "modern.mjs"), "export default { totals: async () => ({ totals: {} }) };");
    write(folder, { validation: { comparison_threshold: 0.5 } });
    const config = await loadConfig(fileOf(folder));
    await bridge.control?.operator.publish(publishedOf(config), by);
    await until(() => partsOf()[1] !== rules);
    expect([partsOf()[0], partsOf()[2]]).toEqual([modern, legacy]);
    const tolerances = { position: config.validation.positionThreshold, pnl: "0.5" };
    expect(evidenceKey({ config, folder }, tolerances).split("/")[0]).not.toBe(modern);
  });

  it("takes a failing modern out of use in every process until a person takes it back into use", async () => {
    const folder = desk({ triggers: { error_calls_min: 5 } });
    const [one, two] = [await start(folder), await start(folder)];
    await advance(one);
    sql(folder, "UPDATE config SET new_system_percentage = 100");
    await until(async () => (await answers(two)) === "modern");
    process.env.MODERN_FAILS = "yes";
    try {
      // Legacy answers instead, so no caller notices.
      await until(async () => {
        expect(await answers(one)).toBe("legacy");
        return !two.service.plan.useNewPnlSystem;
      });
    } finally {
      delete process.env.MODERN_FAILS;
    }
    expect((await one.control?.store.read())?.latched).toMatch(/^error_rate: modern failed \d+ of \d+ calls/);
    expect((await one.control?.status())?.outOfUse).toMatch("latched by a trigger");
    await until(
      async () =>
        (await one.control?.operator.move({ kind: "set", phase: "dual_write" }, by))?.moved === true,
    );
    await until(async () => (await answers(two)) === "modern");
  });

  it("takes modern out of use when it has seen an owed write for longer than the limit, however old the write is", async () => {
    const folder = desk({ triggers: { owed_age_s: 1 } });
    let owed = { count: 0, oldestMs: 0 };
    const bridge = await createPnlBridge({
      ...{ config: fileOf(folder), log: () => {} },
      owed: { owedToLegacy: () => owed },
    });
    bridges.push(bridge);
    await advance(bridge);
    await until(() => bridge.service.plan.phase === "dual_write");
    owed = { count: 1, oldestMs: 3_600_000 };
    const latched = async () => (await bridge.control?.store.read())?.latched ?? "";
    await until(async () => (await latched()) !== "");
    // The process has seen the write only since the start of this test.
    expect(await latched()).toMatch(/^owed_age: a write has been owed to legacy for \d\d? s$/);
  });

  it("keeps the published section if its file differs, and reports the drift until the file is published", async () => {
    const folder = desk();
    const bridge = await start(folder);
    await until(() => bridge.service.plan.phase === "shadow_mode");
    write(folder, { phase: "read_only" });
    await until(() => bridge.control?.drift === true);
    expect(bridge.service.plan.phase).toBe("shadow_mode");
    write(folder, { validation: { comparison_threshold: 5 } });
    const other = await start(folder);
    expect([other.control?.drift, other.service.plan.phase]).toEqual([true, "shadow_mode"]);
    await until(
      async () =>
        (await bridge.control?.store.instances())?.every(
          ({ report }) => (report as { drift: boolean }).drift,
        ) === true,
    );
  });

  it("starts with its snapshot while its store is damaged, and still obeys the switch file", async () => {
    const folder = desk();
    const bridge = await start(folder);
    await advance(bridge);
    sql(folder, "UPDATE config SET new_system_percentage = 100");
    await until(async () => (await answers(bridge)) === "modern");
    await bridge.close();
    writeFileSync(
      join(folder, "state/control.db"),
      "this is not a database, and longer than a database header ".repeat(20),
    );
    rmSync(join(folder, "state/control.db-wal"), { force: true });
    rmSync(join(folder, "state/control.db-shm"), { force: true });
    const again = await start(folder);
    expect(await answers(again)).toBe("modern");
    expect(again.control?.freshness).toBe("none");
    // The switch file works without a store.
    writeFileSync(join(folder, "state/LEGACY_ONLY"), "");
    await until(async () => (await answers(again)) === "legacy");
  });
});
