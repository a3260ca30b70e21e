import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { defaultConfig } from "../../config/index.ts";
import { otherSide, type Phase, type Side } from "../../domain/migration/phase.ts";
import { openDatabase as createLegacy } from "../../legacy-desk/database.ts";
import type { BridgeRecord } from "../../ports/records.ts";
import { positionRecord, tradeRecord } from "../../testing/records.ts";
import { connectionTo, runSql } from "../../testing/sqlite-files.ts";
import { settingsOf } from "../control/settings.ts";
import { commandAuthority } from "./authority.ts";
import { openDatabaseBridge } from "./bridge.ts";
import { cutOver, drainDatabases, readStatus } from "./commands.ts";
import { directionOfPhase, openDatabase, type PairEvent } from "./open.ts";
import { reconcileDatabases } from "./reconcile-command.ts";
import { repairDatabases } from "./repair.ts";

let folder: string;
let config: string;
let plan: string;
let paths: Readonly<Record<Side, string>>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-restored-"));
  [config, plan] = [join(folder, "config.yaml"), join(folder, "plan.json")];
  paths = { legacy: join(folder, "pnl_tracker.db"), modern: join(folder, "newpnl.db") };
  createLegacy(paths.legacy, { journal: "wal", busyTimeoutMs: 5_000 }).close();
});
afterEach(() => rmSync(folder, { recursive: true }));

const phases = { legacy: "dual_write", modern: "primary_switch" } as const satisfies Record<Side, Phase>;

/** Lets the plan of all later commands name a side as the authority. */
const wants = (authority: Side): void =>
  writeFileSync(
    config,
    `migration: { phase: ${phases[authority]}, feature_flags: { use_new_calculator: true, use_new_storage: true } }\nstores: { legacy: "sqlite:${paths.legacy}", modern: "sqlite:${paths.modern}" }\n`,
  );

/** Opens the pair, writes, and waits until the other database has the write. */
async function write(authority: Side, key: string, records: readonly BridgeRecord[], timeoutMs = 20_000) {
  const events: PairEvent[] = [];
  const addresses = { legacy: `sqlite:${paths.legacy}`, modern: `sqlite:${paths.modern}` };
  const { bridge, close } = await openDatabase(
    { addresses, folder, database: defaultConfig.database },
    { direction: () => directionOfPhase(phases[authority]), onEvent: (event) => void events.push(event) },
  );
  try {
    const answer = await bridge.write(records, { idempotencyKey: key });
    return { answer, events, ...(await bridge.drain({ timeoutMs })) };
  } finally {
    await close();
  }
}

async function moveTo(side: Side): Promise<void> {
  wants(side);
  expect((await reconcileDatabases({ config })).ok).toBe(true);
  const report = await cutOver({ config, to: side, reason: "a move", onRung: () => {} });
  expect(report).toMatchObject({ moved: true, failed: null });
}

const daily: BridgeRecord = {
  kind: "daily_pnl",
  ...{ tradingDay: "2025-07-15", symbol: "XCMEFFDPSX20250919U0ZN", quantity: "12" },
  ...{ realized: "15.7", unrealized: null },
};

const written = { answer: { kind: "acknowledged" }, drained: true, owed: 0 };

/** Writes several times. Each write opens the pair again, as another holder of the relay's lease. */
async function work(authority: Side, from: number): Promise<void> {
  for (const id of [from, from + 1, from + 2]) {
    const records = [{ ...tradeRecord(id), fee: "1.25" }, positionRecord(String(id)), daily];
    expect(await write(authority, `trade ${id}`, records)).toMatchObject(written);
  }
}

function restore(side: Side, copy: string): void {
  for (const end of ["-wal", "-shm"]) rmSync(`${paths[side]}${end}`, { force: true });
  copyFileSync(copy, paths[side]);
}

/** The trades of both databases, and those whose fee modern has. */
function trades() {
  using legacy = connectionTo(paths.legacy);
  using modern = connectionTo(paths.modern);
  const inModern = (condition: string) =>
    modern.prepare(`SELECT trade_id FROM newpnl_trades WHERE ${condition} ORDER BY 1`).pluck().all();
  return {
    legacy: legacy.prepare("SELECT trade_id FROM processed_trades ORDER BY 1").pluck().all(),
    modern: inModern("true"),
    withFee: inModern("fee = '1.25'"),
  };
}

it.each(
  (["modern", "legacy"] as const).flatMap((authority) =>
    (["legacy", "modern"] as const).flatMap((restored) =>
      (["before", "after"] as const).map((when) => ({ authority, restored, when })),
    ),
  ),
)(
  "after $restored is restored from a copy made $when the authority moved to $authority, no command says that all is well until both databases are equal again",
  async ({ authority, restored, when }) => {
    const copy = join(folder, "copy.db");
    const backUp = () => runSql(paths[restored], `VACUUM INTO '${copy}'`);
    await work("legacy", 1);
    if (authority === "legacy") {
      await moveTo("modern");
      await work("modern", 4);
    }
    if (when === "before") backUp();
    await work(otherSide(authority), 11);
    await moveTo(authority);
    await work(authority, 21);
    if (when === "after") backUp();
    await work(authority, 31);
    const all = trades();
    restore(restored, copy);

    const isMirror = restored !== authority;
    const before = await readStatus({ config });
    expect(before.olderCopy).toMatchObject({ side: restored });
    if (restored === "legacy" || authority === "modern")
      expect(before.canGoBack.now).toBe(restored === "modern" && when === "after");
    const drained = await drainDatabases({ config, timeoutMs: 20_000 });
    const heals = isMirror && when === "after";
    expect(drained.drained).toBe(heals);
    if (!heals) {
      expect(drained.why).toContain(`${restored}'s database is an older copy of itself`);
      if (when === "before" && authority === "modern")
        for (const wanted of ["legacy", "modern"] as const) {
          const { answer, events } = await write(wanted, "refused", [tradeRecord(99)], 0);
          expect(answer).toMatchObject({ kind: "refused", code: "DRAINING" });
          // The relay or the look at the fences reports it, whichever comes first.
          const why = expect.stringContaining(`${restored}'s database is an older copy of itself`);
          expect(events).toContainEqual(expect.objectContaining({ why }));
        }
      expect((await reconcileDatabases({ config, plan })).ok).toBe(false);
      expect((await readStatus({ config })).olderCopy).toMatchObject({ side: restored });
      const report = await repairDatabases({ config, plan, onResult: () => {} });
      expect(report).toMatchObject({ ok: true, carries: true, owed: 0 });
      expect(await drainDatabases({ config, timeoutMs: 20_000 })).toMatchObject({ drained: true });
    }
    expect(await reconcileDatabases({ config })).toMatchObject({ ok: true, rows: [] });
    expect(await readStatus({ config })).toMatchObject({
      ...{ authority, olderCopy: null, owed: { toLegacy: { count: 0 }, toModern: { count: 0 } } },
      canGoBack: { now: true },
    });
    // Legacy's tables have no fees; its outbox has those of the writes that it has sent to modern.
    const [lostFrom, sentFrom] = [when === "before" ? 11 : 31, authority === "modern" ? 21 : 11];
    const hasFee = (id: unknown): boolean =>
      restored === "legacy" ||
      Number(id) < Math.max(lostFrom, sentFrom) ||
      (authority === "legacy" && Number(id) >= 21);
    expect(trades()).toEqual({ ...all, withFee: all.modern.filter(hasFee) });
    await work(authority, 41);
    await moveTo(otherSide(authority));
    await work(otherSide(authority), 51);
    expect(await reconcileDatabases({ config })).toMatchObject({ ok: true, rows: [] });
  },
);

it.each(["before the bridge's tables", "before the last writes"])(
  "no command and no bridge says that legacy has every write after it is restored from a copy made %s, also after a rollback",
  async (when) => {
    const copy = join(folder, "copy.db");
    const backUp = () => runSql(paths.legacy, `VACUUM INTO '${copy}'`);
    if (when === "before the bridge's tables") backUp();
    await work("legacy", 1);
    await moveTo("modern");
    if (when === "before the last writes") backUp();
    await work("modern", 11);
    restore("legacy", copy);
    const asked = commandAuthority(await settingsOf({ config }));
    await expect(asked?.owedToLegacy()).rejects.toThrow();
    const addresses = { legacy: `sqlite:${paths.legacy}`, modern: `sqlite:${paths.modern}` };
    const { bridge, close } = await openDatabase(
      { addresses, folder, database: defaultConfig.database },
      { direction: () => ({ authority: "legacy", mirrors: false }) },
    );
    expect(bridge.owedToLegacy().count).toBeGreaterThan(0);
    await close();
  },
);

it("a program that has opened the databases for one phase does not undo a later move of the authority", async () => {
  await work("legacy", 1);
  const addresses = { legacy: `sqlite:${paths.legacy}`, modern: `sqlite:${paths.modern}` };
  const program = await openDatabaseBridge({ ...addresses, phase: "dual_write" });
  await moveTo("modern");
  // A process that follows the fleet's plan would move the authority back in less time.
  await sleep(1_500);
  expect(await program.status()).toMatchObject({ shouldBe: "legacy", authority: "modern" });
  expect(await program.write([tradeRecord(9)], { idempotencyKey: "late" })).toMatchObject({
    code: "DRAINING",
  });
  await program.close();
});
