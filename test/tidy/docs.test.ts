import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { pnlBridge, root } from "../cli/run-cli.ts";

const read = (name: string): Promise<string> => readFile(join(root, name), "utf8");
describe("README.md", () => {
  it("shows lines that the demo prints, in their order", async () => {
    const [, excerpt = ""] = /<!-- demo -->\n```\n([\s\S]*?)```/.exec(await read("README.md")) ?? [];
    const lines = excerpt
      .trimEnd()
      .split("\n")
      .filter((line) => line !== "…" && line !== "");
    const { code, out, err } = await pnlBridge(["demo", "--once"]);
    expect(code).toBe(0);
    // On a busy machine the demo reports its progress.
    expect(err).toMatch(/^(running \S+\n)*$/);
    const printed = out.split("\n");
    let from = 0;
    for (const line of lines) {
      const at = printed.indexOf(line, from);
      expect(at, `the demo prints, in this order: ${line}`).toBeGreaterThanOrEqual(0);
      from = at + 1;
    }
    expect(lines.length).toBeGreaterThan(10);
  });

  it("has an example program with the right results in its comments", async () => {
    const text = await read("README.md");
    const [, source = ""] = /```ts\n(import [^\n]*engine[\s\S]*?)```/.exec(text) ?? [];
    const { computePnl } = await import("../../src/app/engine.ts");
    const body = source.replace(/^import .*$/m, "").replace(/^\/\/.*$/gm, "");
    const { positions } = new Function("computePnl", `${body}; return { positions };`)(computePnl);
    expect(positions[0]).toMatchObject({
      realized: "15.625",
      unrealized: "31.25",
      lots: [{ quantity: "1", price: "110.5" }],
    });
    expect(source).toContain('realized "15.625", unrealized "31.25", one lot of "1" at "110.5"');
  });

  it("names only commands that exist", async () => {
    const { out } = await pnlBridge(["--help"]);
    const named = [
      ...(await read("README.md")).matchAll(/pnl-bridge ([a-z]+) --|\.\/run ([a-z]+) --once/g),
    ].map(([, a, b]) => a ?? b);
    expect(named.length).toBeGreaterThan(3);
    for (const name of named) expect(out).toMatch(new RegExp(`^  ${name} `, "m"));
  });
});
