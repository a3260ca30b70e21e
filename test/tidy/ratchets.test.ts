/**
 * Habits of the code as numbers that may only fall. Whoever gets below one lowers it here. Product code only: tests and
 * what they share (`src/testing`) are left out, but count as users of an exported name.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { root } from "../cli/run-cli.ts";

const limits = { longParameterLists: 0, castsPer1000Lines: 7.4, unusedExports: 0 };

/** What programs outside import, and what is found by its name at run time. */
const isEntry = (file: string, name: string): boolean =>
  /^src\/(app\/(index|engine)|adapters\/openfeature\/index)\.ts$/.test(file) ||
  (/^src\/surfaces\/cli\/commands\//.test(file) && name === "commands");

const isProduct = (file: string): boolean => /^src\/(?!testing\/)/.test(file) && !file.endsWith(".test.ts");

const files = new Map(
  execFileSync("git", ["ls-files", "src", "test", "bench", "scripts", "examples"], { cwd: root, encoding: "utf8" })
    .split("\n")
    .filter((file) => file.endsWith(".ts"))
    .map((file) => [file, ts.createSourceFile(file, readFileSync(join(root, file), "utf8"), ts.ScriptTarget.Latest, true)]),
);
const product = [...files].filter(([file]) => isProduct(file));

function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  node.forEachChild((child) => void children.push(child));
  for (const child of children) yield* nodesOf(child);
}

const place = (source: ts.SourceFile, node: ts.Node): string =>
  `${source.fileName}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;

/** The named things that a file exports, each with the file and name behind a re-export. */
interface Export {
  readonly name: string;
  readonly from?: { readonly file: string; readonly name: string };
}

function exportsOf(source: ts.SourceFile): Export[] {
  return source.statements.flatMap((statement): Export[] => {
    if (ts.isExportDeclaration(statement)) {
      const { moduleSpecifier, exportClause } = statement;
      if (moduleSpecifier === undefined || exportClause === undefined || !ts.isNamedExports(exportClause)) return [];
      const file = resolved(source, moduleSpecifier);
      return exportClause.elements.map(({ name, propertyName }) => ({
        name: name.text,
        from: { file, name: (propertyName ?? name).text },
      }));
    }
    if (!ts.canHaveModifiers(statement) || !ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword))
      return [];
    if (ts.isVariableStatement(statement))
      return statement.declarationList.declarations.flatMap(({ name }) => (ts.isIdentifier(name) ? [{ name: name.text }] : []));
    const { name } = statement as ts.DeclarationStatement;
    return name === undefined ? [] : [{ name: name.text }];
  });
}

const resolved = (source: ts.SourceFile, specifier: ts.Expression): string =>
  ts.isStringLiteral(specifier) ? normalize(join(dirname(source.fileName), specifier.text)) : "";

/** `file#name` of all that is imported anywhere; `file#*` where a whole module is. */
function importedNames(): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [, source] of files)
    for (const node of nodesOf(source)) {
      if (ts.isImportDeclaration(node)) {
        const bindings = node.importClause?.namedBindings;
        const file = resolved(source, node.moduleSpecifier);
        if (bindings === undefined) continue;
        if (ts.isNamespaceImport(bindings)) names.add(`${file}#*`);
        else for (const { name, propertyName } of bindings.elements) names.add(`${file}#${(propertyName ?? name).text}`);
      } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
        const [specifier] = node.arguments;
        if (specifier !== undefined) names.add(`${resolved(source, specifier)}#*`);
      } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
        names.add(`${resolved(source, node.argument.literal)}#*`);
      }
    }
  return names;
}

describe("habits of the code", () => {
  it("no function takes five or more positional parameters", () => {
    const found = product.flatMap(([, source]) =>
      [...nodesOf(source)]
        .filter((node) => ts.isFunctionLike(node) && "body" in node && node.body !== undefined && node.parameters.length >= 5)
        .map((node) => place(source, node)),
    );
    expect(found.length, found.join("\n")).toBeLessThanOrEqual(limits.longParameterLists);
  });

  it("few expressions are cast, since a cast is a claim that nothing checks", () => {
    const lines = product.reduce((sum, [, source]) => sum + source.getLineStarts().length - 1, 0);
    const casts = product.reduce(
      (sum, [, source]) =>
        sum +
        [...nodesOf(source)].filter(
          (node) => ts.isNonNullExpression(node) || (ts.isAsExpression(node) && node.type.getText() !== "const"),
        ).length,
      0,
    );
    expect((casts / lines) * 1_000).toBeLessThanOrEqual(limits.castsPer1000Lines);
  });

  it("every exported name has a user outside its file", () => {
    const imported = importedNames();
    const reexports = [...files].flatMap(([file, source]) =>
      exportsOf(source).flatMap(({ name, from }) => (from === undefined ? [] : [{ file, name, from }])),
    );
    const isUsed = (file: string, name: string): boolean =>
      isEntry(file, name) ||
      imported.has(`${file}#${name}`) ||
      imported.has(`${file}#*`) ||
      reexports.some(({ from, ...by }) => from.file === file && from.name === name && isUsed(by.file, by.name));
    const unused = product.flatMap(([file, source]) =>
      exportsOf(source)
        .filter(({ name }) => !isUsed(file, name))
        .map(({ name }) => `${file}: ${name}`),
    );
    expect(unused.length, unused.join("\n")).toBeLessThanOrEqual(limits.unusedExports);
  });
});
