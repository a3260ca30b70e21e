/** Runs the commands and programs of docs/leaving.md, in its order, on the demo's two databases. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openOperator, settingsOf } from "../../src/app/control/session.ts";
import { dualWrite } from "../../src/app/demo-desk/dual-write.ts";
import { pnlBridge, root } from "../cli/run-cli.ts";
import { commandsOf, filesOf, installSources, outputPattern } from "./page-commands.ts";

const page = await readFile(join(root, "docs/leaving.md"), "utf8");
const hasPython = spawnSync("python3", ["--version"]).status === 0;

describe.skipIf(!hasPython)("docs/leaving.md (needs python3)", () => {
  let above: string;
  let folder: string;
  const run = async (...args: readonly string[]): Promise<string> => {
    const { code, out, err } = await pnlBridge(args, { cwd: folder });
    return code === 2 ? err : out;
  };

  beforeAll(async () => {
    above = await mkdtemp(join(tmpdir(), "pnl-bridge-leaving-"));
    folder = join(above, "desk");
    await dualWrite(folder);
    for (const { name, text } of filesOf(page)) await writeFile(join(folder, name), text);
    await installSources(folder);
    const config = join(folder, "pnl_migration_config.yaml");
    const stores =
      "control: sqlite:./.pnl-bridge/control.db, legacy: sqlite:./pnl_tracker.db, modern: sqlite:./newpnl.db";
    const flags = "use_new_calculator: true, use_new_storage: true, use_new_reports: true";
    await writeFile(config, `migration: { feature_flags: { ${flags} } }\nstores: { ${stores} }\n`);
    const readers = {
      kind: "readers",
      at: new Date().toISOString(),
      calls: 0,
      handles: 0,
      days: 31,
      monthEnd: true,
    };
    await writeFile(join(folder, "readers.json"), JSON.stringify(readers));
    expect(await run("config", "publish", "--reason", "the flags of the last phase")).not.toBe("");
    // Another page describes how a desk gets to this phase.
    const session = await openOperator(await settingsOf({ config }));
    const set = { phase: "cleanup", grantedPhase: "cleanup" } as const;
    await session.store.change({ actor: "amy", action: "phase", reason: "modern answers", set });
    await session.close();
    expect(await run("db", "reconcile")).toContain(" equal ");
    expect(await run("db", "cutover", "--to", "modern", "--reason", "modern takes the writes")).toContain(
      "modern is authoritative",
    );
  });
  afterAll(() => rm(above, { recursive: true, force: true }));

  async function type(command: string): Promise<string> {
    const [, words] = /^pnl-bridge (.*)$/.exec(command) ?? [];
    if (words !== undefined)
      return run(...[...words.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? ""));
    const inShell = command.replace(/^node /, `"${process.execPath}" `);
    return (await promisify(execFile)("sh", ["-c", inShell], { cwd: folder })).stdout;
  }

  it.each(commandsOf(page).map((one, at) => [at + 1, ...one] as const))(
    "shows what its command %i prints: %s",
    async (_, command, output) => {
      expect((await type(command)).trim()).toMatch(outputPattern(output));
    },
  );

  it("lists exactly the kinds of evidence for which a person can vouch", async () => {
    const { out } = await pnlBridge(["db", "archive", "--help"]);
    const [, names = ""] = /vouch,\s+one\s+or\s+more\s+of\s+([a-z,\s]+);/.exec(out) ?? [];
    const rows = [...page.matchAll(/^\| `(\w+)` \| /gm)].map(([, name]) => name);
    expect(names.replaceAll(/\s/g, "").split(",")).toEqual(rows);
  });
});
