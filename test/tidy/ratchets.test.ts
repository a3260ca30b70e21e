/**
 * Limits on habits of the code, which may only be lowered: if the code gets below a limit, lower it here.
 * Only `src` counts, without its tests and `src/testing`. knip finds exports without a user in `./run check`.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { root } from "../cli/run-cli.ts";

const limits = { longParameterLists: 0, castsPer1000Lines: 7.4 };

const isProduct = (file: string): boolean => /^src\/(?!testing\/)/.test(file) && !file.endsWith(".test.ts");

const product = execFileSync("git", ["ls-files", "src"], { cwd: root, encoding: "utf8" })
  .split("\n")
  .filter((file) => file.endsWith(".ts") && isProduct(file))
  .map((file) =>
    ts.createSourceFile(file, readFileSync(join(root, file), "utf8"), ts.ScriptTarget.Latest, true),
  );

function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  node.forEachChild((child) => void children.push(child));
  for (const child of children) yield* nodesOf(child);
}

const place = (source: ts.SourceFile, node: ts.Node): string =>
  `${source.fileName}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;

describe("habits of the code", () => {
  it("no function takes five or more positional parameters", () => {
    const found = product.flatMap((source) =>
      [...nodesOf(source)]
        .filter(
          (node) =>
            ts.isFunctionLike(node) &&
            "body" in node &&
            node.body !== undefined &&
            node.parameters.length >= 5,
        )
        .map((node) => place(source, node)),
    );
    expect(found.length, found.join("\n")).toBeLessThanOrEqual(limits.longParameterLists);
  });

  it("casts are rare, since a cast is a claim that is not checked", () => {
    const lines = product.reduce((sum, source) => sum + source.getLineStarts().length - 1, 0);
    const casts = product.reduce(
      (sum, source) =>
        sum +
        [...nodesOf(source)].filter(
          (node) =>
            ts.isNonNullExpression(node) || (ts.isAsExpression(node) && node.type.getText() !== "const"),
        ).length,
      0,
    );
    expect((casts / lines) * 1_000).toBeLessThanOrEqual(limits.castsPer1000Lines);
  });
});
