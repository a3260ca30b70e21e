import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as app from "../../src/app/index.ts";
import type { DialectName } from "../../src/symbols/index.ts";
import { pnlBridge, root, withFiles } from "../cli/run-cli.ts";

/** The examples of the page are read as of this day. */
const symbols = new app.SymbolTranslationBridge({ asOf: "2025-07-24" });

const page = await readFile(join(root, "docs/symbols.md"), "utf8");

/** Returns the fenced blocks of a language. */
const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    ([, body = ""]) => body,
  );

/** The rows of hand-written tables between markers, as the texts of their cells. */
const cellsBetween = (marker: string): readonly (readonly string[])[] =>
  [...page.matchAll(new RegExp(`<!-- ${marker} -->\n([\\s\\S]*?)<!-- /${marker} -->`, "g"))].flatMap(
    ([, body = ""]) =>
      body
        .trim()
        .split("\n")
        .slice(2)
        .map((row) =>
          row
            .slice(2, -2)
            .split(" | ")
            .map((cell) => cell.replaceAll("`", "")),
        ),
  );

describe("docs/symbols.md has tables that the translator confirms:", () => {
  const readings = cellsBetween("readings");
  it.each(readings)("%s means %s: %s", (text, means, said) => {
    const reading = symbols.canonical(text as string);
    const codes = reading.ok ? reading.notes.map((note) => note.code) : [reading.code];
    expect([reading.ok ? reading.instrument.name : "refused", codes.join(", ")]).toEqual([means, said]);
  });

  const printings = cellsBetween("printings");
  it.each(printings)("%s in %s is %s", (name, target, text, lost) => {
    const found = symbols.translate(name as string, "canonical", target as DialectName);
    expect(found.ok ? [found.output, ""] : [found.error.code, (found.error.lost ?? []).join(", ")]).toEqual([
      text,
      lost,
    ]);
  });

  it("both kinds of tables have examples", () => {
    expect([readings.length > 20, printings.length > 5]).toEqual([true, true]);
  });
});

interface Typed {
  readonly words: readonly string[];
  readonly output: string;
}

/** The commands after each `$`, with their output. */
const typed: readonly Typed[] = blocks("console").flatMap((block) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const [line = "", ...output] = text.split("\n");
      const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(
        ([, quoted, bare]) => quoted ?? (bare as string),
      );
      return { words, output: output.join("\n").trimEnd() };
    }),
);

describe("docs/symbols.md shows commands", () => {
  it("that print what it shows, with the files that it shows", async () => {
    const runs = typed.filter(({ words }) => words[0] === "pnl-bridge");
    const files = typed.filter(({ words }) => words[0] === "cat");
    expect(runs.length + files.length, "the page has no other commands").toBe(typed.length);
    expect(runs.length).toBeGreaterThan(8);
    const contents = files.map(({ words, output }) => [words[1] as string, `${output}\n`]);
    await withFiles(Object.fromEntries(contents), async (cwd) => {
      for (let from = 0; from < runs.length; from += atOnce)
        await Promise.all(
          runs.slice(from, from + atOnce).map(async ({ words, output }) => {
            const { out, err } = await pnlBridge(words.slice(1), { cwd });
            expect.soft(`${out}${err}`.trimEnd(), words.join(" ")).toBe(output);
          }),
        );
    });
  });

  it("and a program with the right results in its comments", () => {
    const source = blocks("ts").join("\n");
    const [, imported = ""] = /^import (\{.*\}) from "pnl-bridge";$/m.exec(source) ?? [];
    const body = source
      .replaceAll(/^import .*$/gm, "")
      .replaceAll(/^( *)(?!const )(.+); \/\/ (.+)$/gm, "$1said.push([$2, $3]);");
    const said = new Function("app", `const ${imported} = app; const said = []; ${body}; return said;`)(app);
    expect(said.length).toBeGreaterThan(5);
    expect(said.map(([value]: [unknown]) => value)).toEqual(
      said.map(([, claimed]: [unknown, unknown]) => claimed),
    );
  });
});

/** The number of programs that run at a time; each takes a third of a second of CPU time. */
const atOnce = 4;
