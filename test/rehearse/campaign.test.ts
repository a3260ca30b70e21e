/** The campaign `rehearse`: a year under the default limits. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { rehearse } from "../../src/app/rehearsal/rehearse.ts";
import { defaultConfig } from "../../src/config/index.ts";
import { isLongRun } from "../campaigns.ts";
import { daysFrom, modernRows, symbols, writeDesk } from "./generated-desk.ts";

const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-rehearse-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.runIf(isLongRun("rehearse"))("a rehearsal of a desk with 20 instruments", () => {
  it("reaches every phase within 300 days under the default limits", async () => {
    const trades = writeDesk(join(folder, "year"), daysFrom(300));
    const { ok, days } = await rehearse({ trades: [trades], config: defaultConfig });
    const moves = days.flatMap((day) => day.moves.map(({ to }) => to));
    expect([ok, moves]).toEqual([true, ["shadow_mode", "dual_write", "primary_switch", "cleanup"]]);
  });

  it("stops at the lanes that are apart when ten lanes break for good after 3,000 clean trials", async () => {
    const days = daysFrom(300);
    const trades = writeDesk(join(folder, "broken"), days);
    const broken = new Set(symbols.slice(0, 10));
    const breakDay = days[150] ?? "";
    const rows = await modernRows(
      trades,
      join(folder, "broken.json"),
      ({ symbol, tradingDay, realized, total }) =>
        broken.has(symbol) && tradingDay >= breakDay
          ? { realized: String(Number(realized) + 50), total: String(Number(total) + 50) }
          : {},
    );
    const {
      reached,
      stopped,
      days: played,
    } = await rehearse({
      ...{ trades: [trades], config: defaultConfig, modernRows: rows, explain: "none" },
    });
    const ofBreak = played.find(({ tradingDay }) => tradingDay === breakDay);
    expect(ofBreak?.rollback).toMatch(/^served_mismatch: /);
    expect([reached, stopped?.gate, stopped?.tradingDay]).toEqual(["shadow_mode", "standing", breakDay]);
    expect(stopped?.why).toMatch(/^10 lanes are apart now/);
  });

  it("takes processor time that is linear in the days", async () => {
    const cpuMs = async (count: number): Promise<number> => {
      const trades = writeDesk(join(folder, `days-${count}`), daysFrom(count));
      const before = process.cpuUsage();
      await rehearse({ trades: [trades], config: defaultConfig });
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1_000;
    };
    // The first run compiles the program.
    await cpuMs(20);
    const [short, long] = [await cpuMs(100), await cpuMs(200)];
    console.info(`100 days: ${Math.round(short)} ms, 200 days: ${Math.round(long)} ms`);
    expect(long / short).toBeLessThan(3);
  });
});
