/** The check of a table of faults: each fault has a test, a reason why none is needed, or the word `open`. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../cli/run-cli.ts";

/** Declares the tests of the table in a page. A row's name is a letter and a number from 1 to `count`. */
export function checkFaultTable(name: string, page: string, letter: string, count: number): void {
  const [, table = ""] = /<!-- faults -->\n([\s\S]*?)<!-- \/faults -->/.exec(page) ?? [];
  const rows = table
    .split("\n")
    .slice(2, -1)
    .map((line) => line.slice(2, -2).split(" | "));

  describe(`the table of faults in ${name}`, () => {
    it(`has all ${count} of them, each with a test, a reason why none is needed, or the word open`, () => {
      expect(rows.map(([fault]) => fault)).toEqual(
        Array.from({ length: count }, (_, at) => letter + (at + 1)),
      );
      for (const [, , shown] of rows) expect(shown).toMatch(/ › |^does not apply: |^open(: |$)/);
    });

    it("names tests that exist", async () => {
      const named = [...table.matchAll(/`([^`]+ › [^`]+)`/g)].map(([, name = ""]) => name);
      expect(named.length).toBeGreaterThan(count / 2);
      for (const name of named) {
        const [file = "", ...titles] = name.split(" › ");
        const text = await readFile(join(root, file), "utf8");
        for (const title of titles) expect(text.includes(title), name).toBe(true);
      }
    });
  });
}
