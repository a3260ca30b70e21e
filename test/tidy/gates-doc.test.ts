/** Checks that docs/gates.md names every gate with its moves, and runs its commands. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { evidenceGates } from "../../src/control/index.ts";
import { LiveDesk } from "../cli/live-desk.ts";
import { root } from "../cli/run-cli.ts";
import { commandsOf, outputPattern } from "./page-commands.ts";

const page = await readFile(join(root, "docs/gates.md"), "utf8");

it("docs/gates.md names every evidence gate with the moves that it guards", () => {
  const rows = [...page.matchAll(/^\| (`[\w/`, ]+`) \| ([^|]+) \|/gm)].flatMap(
    ([, names = "", before = ""]) =>
      [...names.matchAll(/`([^`]+)`/g)].map(
        ([, name]) => [name, before.replaceAll("*", "").split(", ")] as const,
      ),
  );
  const gates = evidenceGates.map(({ name, before }) => [name, before] as const);
  expect(new Map(rows.filter(([name]) => gates.some(([known]) => known === name)))).toEqual(new Map(gates));
});

it("docs/gates.md shows what its commands print", async () => {
  await using desk = new LiveDesk({}, { gates: { profile: "desk" } });
  await desk.run("config", "publish", "--reason", "a new desk");
  for (const [command, output] of commandsOf(page)) {
    const { out } = await desk.run(...command.replace(/^pnl-bridge /, "").split(" "));
    expect(out.trim()).toMatch(outputPattern(output));
  }
});
