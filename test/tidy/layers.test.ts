import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Breaches that the layer check must find: the folder and the text of a planted file, and the rule that must
 * name it.
 */
const breaches = [
  { folder: "src/engine", text: 'import "../symbols/index.ts";\n', rule: "layer-engine" },
  { folder: "src/domain/market", text: 'import "node:fs";\n', rule: "pure" },
  {
    folder: "src/legacy-desk",
    text: 'import { zero } from "../base/fraction.ts";\nexport const breach = zero;\n',
    rule: "layer-legacy-desk",
  },
  { folder: "src/adapters/csv", text: 'import "../report/index.ts";\n', rule: "strangers-adapters" },
  { folder: "src/bridges/core", text: 'import "../symbols/index.ts";\n', rule: "strangers-bridges" },
  { folder: "src/surfaces/cli", text: 'import "../../adapters/report/index.ts";\n', rule: "layer-surfaces" },
  { folder: "src/app", text: 'import "../testing/slow-oracle.ts";\n', rule: "no-test-in-product" },
  { folder: "web/src", text: 'import "../../src/engine/matcher.ts";\n', rule: "page" },
  {
    folder: "web/src",
    text: 'import { session } from "../../src/surfaces/gateway/wire/session.ts";\nexport const breach = session;\n',
    rule: "page-without-schemas",
  },
] as const;

describe("the layer check", () => {
  it("finds each planted breach and names its rule", async () => {
    const copy = await mkdtemp(join(tmpdir(), "pnl-bridge-layers-"));
    try {
      for (const name of [
        "src",
        "web",
        "test",
        "architecture.mjs",
        ".dependency-cruiser.mjs",
        "tsconfig.json",
        "package.json",
      ]) {
        await cp(join(root, name), join(copy, name), { recursive: true });
      }
      await symlink(join(root, "node_modules"), join(copy, "node_modules"));
      const planted = breaches.map(({ folder }, index) => `${folder}/planted-${index}.ts`);
      await Promise.all(
        planted.map((path, index) =>
          writeFile(join(copy, path), (breaches[index] as (typeof breaches)[number]).text),
        ),
      );
      const violations = await cruise(copy, planted);
      for (const [index, { rule }] of breaches.entries()) {
        expect(
          violations.some((found) => found.rule.name === rule && found.from === planted[index]),
          `${rule} names ${planted[index]}`,
        ).toBe(true);
      }
    } finally {
      await rm(copy, { recursive: true });
    }
  });
});

it.each(["ARCHITECTURE.md", "CONTRIBUTING.md"])("%s names only paths that exist", async (page) => {
  const text = await readFile(join(root, page), "utf8");
  const paths = [...text.matchAll(/`((?:src|test|docs|scripts)\/(?!\S*NAME)[\w./-]+)`/g)].map(
    ([, path = ""]) => path,
  );
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

interface Violation {
  readonly from: string;
  readonly rule: { readonly name: string };
}

/**
 * Returns what dependency-cruiser finds in some files of a folder. It reads only these files, since
 * `./run check` reads all of `src/`. It exits non-zero when it finds anything.
 */
async function cruise(cwd: string, files: readonly string[]): Promise<readonly Violation[]> {
  const bin = join(root, "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs");
  const command = [
    bin,
    "--config",
    ".dependency-cruiser.mjs",
    "--output-type",
    "json",
    "--do-not-follow",
    "^src/(?!.*/planted-)|node_modules",
    ...files,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, command, {
    cwd,
    maxBuffer: 64 * 2 ** 20,
  }).catch((failed) => failed);
  return JSON.parse(stdout).summary.violations;
}
