import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { pnlBridge, root } from "../cli/run-cli.ts";

const page = readFileSync(join(root, "docs/errors.md"), "utf8");
const sources = [
  ...readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !name.startsWith("testing/"))
    .map((name) => join("src", name)),
  "run",
  "bin/pnl-bridge.js",
].map((name) => readFileSync(join(root, name), "utf8"));

const listed = new Set([...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code = ""]) => code));

describe("docs/errors.md", () => {
  it("lists every code that the program throws or that a script prints", () => {
    const thrown = sources.flatMap((text) => [
      ...text.matchAll(/new (?:BridgeError|SystemFailure|HttpProblem)\(\s*(?:\d+,\s*)?"([A-Z_]+)"/g),
      ...text.matchAll(/"([A-Z]+_[A-Z_]+): /g),
    ]);
    const codes = new Set(thrown.map(([, code = ""]) => code));
    expect(codes.size).toBeGreaterThan(15);
    expect([...codes].filter((code) => !listed.has(code) && !page.includes(`\`${code}\``))).toEqual([]);
  });

  it("lists no unused code", () => {
    expect(listed.size).toBeGreaterThan(80);
    const used = (code: string): boolean =>
      sources.some((text) => text.includes(`"${code}"`) || text.includes(`"${code}: `));
    expect([...listed].filter((code) => !used(code))).toEqual([]);
  });

  const typed = [...page.matchAll(/```console\n\$ pnl-bridge (.*)\n(.*)\n```/g)].map(
    ([, args = "", line = ""]) => [args, line],
  );
  it.each(typed)("shows the output of pnl-bridge %s", async (args = "", line) => {
    expect(await pnlBridge(args.split(" "))).toEqual({ code: 2, out: "", err: `${line}\n` });
  });
});
