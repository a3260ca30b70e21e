import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openSqliteEvidenceStore } from "../../src/adapters/sqlite/index.ts";
import type { ComparisonRecord } from "../../src/ports/evidence.ts";
import { pnlBridge, withFiles } from "./run-cli.ts";

const of = (second: number, given: Partial<ComparisonRecord>): ComparisonRecord => ({
  at: `2025-08-01T14:30:0${second}.000Z`,
  method: "calculatePnl",
  epoch: 3,
  answered: "modern",
  kind: "ab",
  verdict: "equal",
  unit: "UST",
  fingerprint: "f",
  legacyMs: 1,
  modernMs: 1,
  legacyError: null,
  modernError: null,
  fields: [],
  more: 0,
  excluded: 0,
  request: null,
  ...given,
});
const realized = {
  path: "positions[].realized",
  entry: "ZN",
  verdict: "diverged",
  legacy: "1",
  modern: "2",
  difference: "1",
} as const;
const kept = [
  of(0, {}),
  of(1, {
    verdict: "diverged",
    more: 12,
    excluded: 3,
    fields: [realized, { ...realized, path: "", entry: null, modern: null, difference: null }],
  }),
  of(2, {
    verdict: "error",
    method: "totals",
    unit: null,
    answered: "legacy",
    modernError: "CRASHED: \u001b[31mboom",
  }),
];

const withComparisons = (
  use: (folder: string, ask: (...args: string[]) => ReturnType<typeof pnlBridge>) => Promise<void>,
) =>
  withFiles({ "desk.yaml": "stores: { control: 'sqlite:state/control.db' }\n" }, async (folder) => {
    const evidence = await openSqliteEvidenceStore(join(folder, "state/evidence.db"));
    await evidence.append(kept);
    await evidence.close();
    await use(folder, (...args) =>
      pnlBridge(["comparisons", "--config", join(folder, "desk.yaml"), ...args]),
    );
  });

describe("comparisons", () => {
  it("shows time, method, verdict, and both figures of each unequal field, newest comparison first", () =>
    withComparisons(async (_, ask) => {
      expect(await ask()).toMatchObject({ code: 0, err: "" });
      expect((await ask()).out).toBe(
        [
          "2025-08-01T14:30:02.000Z  error  totals, legacy answered, epoch 3, id 3",
          "  modern failed: CRASHED: \\u{1b}[31mboom",
          "2025-08-01T14:30:01.000Z  diverged  calculatePnl for UST, modern answered, epoch 3, id 2",
          "  positions[].realized (ZN): legacy 1, modern 2, difference 1",
          "  the whole answer: legacy 1, modern nothing",
          "  unequal fields not listed: 12",
          "  values left out by an exclusion: 3",
          "2025-08-01T14:30:00.000Z  equal  calculatePnl for UST, modern answered, epoch 3, id 1",
          "",
        ].join("\n"),
      );
    }));

  it("filters by verdict, method and limit", () =>
    withComparisons(async (_, ask) => {
      const idsOf = async (...args: string[]) =>
        JSON.parse((await ask(...args, "--json")).out).comparisons.map(
          ({ id }: { readonly id: string }) => id,
        );
      expect(await idsOf()).toEqual(["3", "2", "1"]);
      expect(await idsOf("--verdict", "diverged")).toEqual(["2"]);
      expect(await idsOf("--method", "calculatePnl", "--limit", "1")).toEqual(["2"]);
      expect(await ask("--method", "nobody")).toMatchObject({ code: 0, out: "no comparison matches\n" });
      for (const limit of ["0", "1001", "1.5", "many"])
        expect((await ask("--limit", limit)).err).toBe(
          "BAD_USAGE: the limit must be a whole number from 1 to 1000; write --limit 20\n",
        );
    }));

  it("needs only the address of the control store, and creates no file", () =>
    withComparisons(async (folder, ask) => {
      const byStore = await pnlBridge([
        "comparisons",
        "--store",
        `sqlite:${join(folder, "state/control.db")}`,
      ]);
      expect(byStore.out).toBe((await ask()).out);
      expect(readdirSync(join(folder, "state")).filter((name) => name.startsWith("control"))).toEqual([]);
      const none = await pnlBridge(["comparisons", "--store", `sqlite:${join(folder, "none/control.db")}`]);
      expect([none.code, none.err]).toEqual([
        2,
        expect.stringMatching(/^NO_INPUT: no comparisons have been kept yet \(.*evidence\.db\); /),
      ]);
      expect(existsSync(join(folder, "none"))).toBe(false);
    }));
});
