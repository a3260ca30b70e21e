/** Runs the commands of docs/reports.md, in its order, on the files that it shows. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reportCauses } from "../../src/bridges/reports/known-causes.ts";
import { pnlBridge, root } from "../cli/run-cli.ts";
import { commandsOf, filesOf, outputPattern } from "./page-commands.ts";

const page = await readFile(join(root, "docs/reports.md"), "utf8");

describe("docs/reports.md", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pnl-bridge-doc-"));
    for (const { name, text } of filesOf(page)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(commandsOf(page).map((one, at) => [at + 1, ...one] as const))(
    "shows what its command %i prints: %s",
    async (_, command, output) => {
      const [, words = ""] = /^pnl-bridge (.*)$/.exec(command) ?? [];
      const args = [...words.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
      const { code, out, err } = await pnlBridge(args, { cwd: folder });
      expect(code === 2 ? err.trim() : out.trim()).toMatch(outputPattern(output));
    },
  );

  it("lists every cause of legacy's own report writer", () => {
    for (const [code, meaning] of Object.entries(reportCauses))
      expect(page).toContain(`| \`${code}\` | ${meaning} |`);
  });
});
