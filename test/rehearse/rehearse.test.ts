/**
 * Rehearsals of an invented desk: a clean one reaches every phase, and each seeded fault stops the migration
 * at the gate that must see it. The limits of the configuration are wider than the defaults, so that 26
 * trading days suffice. The campaign `rehearse` plays 300 days under the defaults. It also plays the public
 * ledgers, whose migration must stop before dual_write.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type Rehearsal, type RehearseOptions, rehearse } from "../../src/app/rehearsal/rehearse.ts";
import { type Config, defaultConfig, loadConfig } from "../../src/config/index.ts";
import { isLongRun } from "../campaigns.ts";
import { hasSharedData, sharedData } from "../shared-data.ts";
import { daysFrom, modernRows, symbols, writeDesk } from "./generated-desk.ts";

// A rehearsal waits for many small writes to disk.
vi.setConfig({ testTimeout: 600_000 });

const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-rehearse-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const gates: Config["gates"] = {
  ...defaultConfig.gates,
  accuracy: { replay: 0.2, live: 0.1, served: 0.1 },
};
const shadow = { ...defaultConfig.shadow, controlPercentage: 10 };
const config: Config = { ...defaultConfig, gates, shadow };
// The days begin shortly before a day after a holiday and the end of a month, which the gates ask for.
const days = daysFrom(34).slice(8);
const ledgers = writeDesk(folder, days, { lanes: symbols.slice(0, 13) });

const played = (options: Partial<RehearseOptions>): Promise<Rehearsal> =>
  rehearse({ trades: [ledgers], config, callsPerDay: 200, ...options });

const moves = ({ days: all }: Rehearsal) =>
  all.flatMap(({ moves: ofDay }) => ofDay.map(({ from, to }) => `${from} → ${to}`));
const dayOf = (rehearsal: Rehearsal, day: string) =>
  rehearsal.days.find(({ tradingDay }) => tradingDay === day);

const times = (text: string | null, factor: number): string | null =>
  text === null ? null : String(Number(text) * factor);

describe("a rehearsal", () => {
  it("of a clean desk reaches every phase, and each move names the evidence of its gates", async () => {
    const rehearsal = await played({});
    expect([rehearsal.ok, rehearsal.reached, rehearsal.stopped]).toEqual([true, "cleanup", undefined]);
    expect(moves(rehearsal)).toEqual([
      "read_only → shadow_mode",
      "shadow_mode → dual_write",
      "dual_write → primary_switch",
      "primary_switch → cleanup",
    ]);
    const because = rehearsal.days.flatMap((day) => day.moves.map((move) => move.because));
    expect(because[1]).toMatch(
      /accuracy\/replay: 0 of \d+ instrument-days remained unexplained.*days: the evidence covers \d+ days, .*latency_p99: dailyPnl: /,
    );
    expect(because[2]).toMatch(/nothing_lost: the last reconciliation found no difference/);
    // The answers of dashboards name no symbols, so they are a class of their own.
    expect(because[3]).toMatch(
      /accuracy\/served: 0 of \d+ instrument-days of summaries remained unexplained/,
    );
    // What nobody has measured is marked.
    const gatesOfMove = rehearsal.days.find((day) => day.moves[0]?.to === "cleanup")?.gates ?? [];
    const simulated = gatesOfMove.filter((gate) => gate.simulated).map(({ name }) => name);
    expect(simulated).toEqual(expect.arrayContaining(["tests_passed", "memory", "team_trained", "approved"]));
    expect(simulated).not.toContain("nothing_lost");
    // The reports of both systems were built on the first day of each phase that compares them.
    const notes = rehearsal.days.flatMap((day) => day.notes);
    expect(
      notes.filter((note) => /^daily report of (legacy|modern), \d+ differences/.test(note)),
    ).toHaveLength(3);
    expect(rehearsal.assumed.length).toBeGreaterThan(3);
  });

  it("with a wrong multiplier in modern stops before dual_write at the lane that is apart", async () => {
    const [symbol = ""] = symbols;
    const few = writeDesk(join(folder, "multiplier"), days.slice(0, 4));
    const rows = await modernRows(few, join(folder, "multiplier.json"), (row) =>
      row.symbol === symbol
        ? {
            realized: times(row.realized, 2),
            unrealized: times(row.unrealized, 2),
            total: times(row.total, 2),
          }
        : {},
    );
    const rehearsal = await played({ trades: [few], modernRows: rows, callsPerDay: 20 });
    expect([rehearsal.reached, rehearsal.stopped?.gate]).toEqual(["shadow_mode", "standing"]);
    expect(rehearsal.stopped?.why).toMatch(`1 lane is apart now, such as ${symbol} `);
  });

  it("with a slow modern stops before dual_write at its median latency", async () => {
    const few = writeDesk(join(folder, "slow"), days.slice(0, 6));
    const rows = await modernRows(few, join(folder, "slow.json"), () => ({}));
    writeFileSync(
      join(folder, "slow.mjs"),
      `import { readFile } from "node:fs/promises";
       export const history = async () => {
         await new Promise((resolve) => setTimeout(resolve, 2_500));
         return JSON.parse(await readFile(${JSON.stringify(rows)}, "utf8"));
       };`,
    );
    writeFileSync(
      join(folder, "slow.yaml"),
      "systems: { modern: { kind: module, path: ./slow.mjs, day_rule: calendar } }",
    );
    const configFile = join(folder, "slow.yaml");
    const slow = { ...(await loadConfig(configFile)), gates };
    const rehearsal = await played({ trades: [few], config: slow, configFile, callsPerDay: 20 });
    expect([rehearsal.reached, rehearsal.stopped?.gate]).toEqual(["shadow_mode", "latency_p50"]);
    expect(rehearsal.stopped?.why).toMatch(
      /modern took more than 1\.1 times as long as legacy in (\d+) of \1 pairs/,
    );
  });

  it("holds the ramp on a day without data, stays before primary_switch when a write was lost, and rolls back when ten lanes break for good", async () => {
    const [missing = "", lossDay = "", beforeBreak = "", breakDay = ""] = [13, 14, 21, 22].map(
      (at) => days[at],
    );
    const lanes = symbols.slice(0, 15);
    let rowsRead: unknown;
    const gap = writeDesk(join(folder, "gap"), days.slice(0, 24), { without: [missing], lanes });
    const broken = new Set(symbols.slice(0, 10));
    const rows = await modernRows(gap, join(folder, "gap.json"), ({ symbol, tradingDay, realized, total }) =>
      broken.has(symbol) && tradingDay >= breakDay
        ? { realized: String(Number(realized) + 50), total: String(Number(total) + 50) }
        : {},
    );
    const rehearsal = await played({
      ...{ trades: [gap], modernRows: rows, explain: "none" },
      onDay: (day, scratch) => {
        if (day !== lossDay) return;
        const journal = new Database(join(scratch, "files.db"), { readonly: true });
        rowsRead = journal.prepare("SELECT count(*) FROM accepted").pluck().get();
        journal.close();
        const modern = new Database(join(scratch, "newpnl.db"));
        modern.exec("DELETE FROM newpnl_trades WHERE rowid = (SELECT max(rowid) FROM newpnl_trades)");
        modern.close();
      },
    });
    // The file watcher has read the rows of 14 files.
    expect(rowsRead).toBe(14 * lanes.length);
    const quiet = dayOf(rehearsal, missing);
    expect([quiet?.phase, quiet?.percentage, quiet?.isWithoutFiles]).toEqual(["dual_write", 0, true]);
    expect(quiet?.gates.find(({ name }) => name === "standing")?.why).toMatch(
      `the last trading day, ${missing}, has no trial of future`,
    );
    expect(dayOf(rehearsal, lossDay)?.percentage).toBe(10);
    const lacking = dayOf(rehearsal, beforeBreak);
    expect(lacking?.phase).toBe("dual_write");
    const closed = lacking?.gates.filter(({ open }) => !open) ?? [];
    expect(closed.map(({ name }) => name)).toEqual(["databases_ready", "nothing_lost"]);
    expect(closed[1]?.why).toMatch(/^the last reconciliation found differences/);
    // After the rollback, modern never moves forward again.
    expect(dayOf(rehearsal, breakDay)?.rollback).toMatch(/^served_mismatch: /);
    expect(moves(rehearsal).at(-1)).toBe("dual_write → shadow_mode");
    expect([rehearsal.reached, rehearsal.stopped?.gate, rehearsal.stopped?.tradingDay]).toEqual([
      ...["shadow_mode", "standing", breakDay],
    ]);
    expect(rehearsal.stopped?.why).toMatch(/^10 lanes are apart now/);
  });

  it.runIf(hasSharedData && isLongRun("rehearse"))(
    "of the public ledgers stops before dual_write, inconclusive, and says how many trials and days are missing",
    async () => {
      const rehearsal = await rehearse({
        trades: [join(sharedData, "ledgers")],
        prices: [join(sharedData, "prices")],
        config: defaultConfig,
        ...{ from: "2025-07-14", callsPerDay: 20 },
      });
      expect([rehearsal.reached, rehearsal.stopped?.gate]).toEqual(["shadow_mode", "accuracy/replay"]);
      const last = rehearsal.days.at(-1)?.gates ?? [];
      expect(last.map(({ state }) => state)).not.toContain("closed");
      const needs = last.find(({ name }) => name === "accuracy/replay")?.needs;
      expect(needs?.clean).toBeGreaterThan(0);
      expect(needs?.days).toBeGreaterThan(0);
    },
  );
});
