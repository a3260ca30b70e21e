/** Runs the commands of docs/files.md, in its order, and checks its table of faults. */
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pnlBridge, root } from "../cli/run-cli.ts";
import { checkFaultTable } from "./fault-table.ts";
import { commandsOf, filesOf, outputPattern } from "./page-commands.ts";

const page = await readFile(join(root, "docs/files.md"), "utf8");

describe("docs/files.md", () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pnl-bridge-files-doc-"));
    for (const { name, text } of filesOf(page)) await writeFile(join(folder, name), text);
    await mkdir(join(folder, "trade_ledger"));
    const ledger = "trade_ledger/trades_20250724.csv";
    await copyFile(join(root, "examples/unified-desk/ledgers/trades_20250724.csv"), join(folder, ledger));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function type(command: string): Promise<string> {
    const [, words] = /^pnl-bridge (.*)$/.exec(command) ?? [];
    if (words === undefined)
      return (await promisify(execFile)("sh", ["-c", command], { cwd: folder })).stdout;
    const { out, err } = await pnlBridge(words.split(" "), { cwd: folder });
    return out === "" ? err : out;
  }

  it.each(commandsOf(page))("shows what `%s` prints", async (command, output) => {
    expect((await type(command)).trim()).toMatch(outputPattern(output));
  });

  it("shows every command of the file watcher", async () => {
    const typed = commandsOf(page).map(([command]) => command);
    for (const name of ["--once", "status", "review list", "review show", "review apply", "review ignore"])
      expect(typed.some((command) => command.startsWith(`pnl-bridge watch ${name}`))).toBe(true);
  });
});

checkFaultTable("docs/files.md", page, "A", 78);
