/** Runs the commands of docs/rehearse.md on an invented desk. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { pnlBridge, root, withFiles } from "../cli/run-cli.ts";
import { daysFrom, writeDesk } from "../rehearse/generated-desk.ts";
import { commandsOf, outputPattern } from "./page-commands.ts";

it("docs/rehearse.md shows what its commands print", async () => {
  const page = await readFile(join(root, "docs/rehearse.md"), "utf8");
  await withFiles({}, async (folder) => {
    writeDesk(folder, daysFrom(6));
    for (const [command, output] of commandsOf(page)) {
      const args = [...command.replace(/^pnl-bridge /, "").split(" "), "--out", "page.html"];
      const ran = await pnlBridge(args, { cwd: folder });
      expect(await readFile(join(folder, "page.html"), "utf8")).toContain("stopped in shadow_mode at");
      expect(ran.out.trim()).toMatch(outputPattern(output));
      expect(ran.code).toBe(1);
    }
  });
});

it("rehearse refuses ledgers without trades, a period without days, and a day that is none", () =>
  withFiles(
    { "trades_20240102.csv": "tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n" },
    async (folder) => {
      const empty = await pnlBridge(["rehearse", "--trades", "."], { cwd: folder });
      expect([empty.code, empty.err]).toEqual([
        2,
        expect.stringMatching(/^NO_INPUT: the ledgers hold no trade \(\.\)/m),
      ]);
      const trades = writeDesk(folder, daysFrom(2));
      for (const [args, line] of [
        [
          ["--from", "2030-01-01"],
          /^NO_INPUT: the history has no trading day in that period: it has 2024-01-02 to 2024-01-03/m,
        ],
        [["--to", "tomorrow"], /^BAD_USAGE: --to "tomorrow" is not a day/m],
      ] as const) {
        const ran = await pnlBridge(["rehearse", "--trades", trades, ...args], { cwd: folder });
        expect([ran.code, ran.err]).toEqual([2, expect.stringMatching(line)]);
      }
    },
  ));
