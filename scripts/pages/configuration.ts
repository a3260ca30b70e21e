import { flowText } from "../../src/config/edit-yaml.ts";
import { defaultConfig, wholeFile } from "../../src/config/index.ts";
import { keys } from "../../src/config/keys.ts";
import { type Key, valueAt } from "../../src/config/table.ts";
import { type Blocks, code, fenced, table } from "./markdown.ts";

type Value = Parameters<typeof flowText>[0];

/** Returns a whole configuration file: every key with its default, and its meaning as a comment. */
export function wholeYaml(): string {
  const file = JSON.parse(JSON.stringify(wholeFile(defaultConfig)));
  return linesOf(keys, file, [], 0).join("\n");
}

function linesOf(
  rows: readonly Key[],
  file: unknown,
  section: readonly string[],
  depth: number,
): readonly string[] {
  const indent = "  ".repeat(depth);
  return [...Map.groupBy(rows, ({ path }) => path.split(".")[0] ?? "")].flatMap(([name, inner]) => {
    const path = [...section, name];
    const leaf = inner.find((row) => row.path === name);
    if (leaf === undefined) {
      const rest = inner.map((row) => ({ ...row, path: row.path.slice(name.length + 1) }));
      return [`${indent}${name}:`, ...linesOf(rest, file, path, depth + 1)];
    }
    const value = valueAt(file, path);
    const written = flowText((typeof value === "number" ? String(value) : value) as Value).replace(
      /^"([\d.]+)"$/,
      "$1",
    );
    return [
      `${`${indent}${name}: ${written}`.padEnd(48)} # ${leaf.meaning}${leaf.hasNoEffect ? " (no effect yet)" : ""}`,
    ];
  });
}

/** Returns a table of the keys in sections that form a list, or whose keys depend on a kind. */
function innerKeys(): string {
  const rows = keys.flatMap(rowsWithin);
  const unique = new Map(
    rows.filter(({ path }) => !path.startsWith("systems.modern")).map((row) => [row.path, row]),
  );
  return table(
    ["key", "default", "meaning"],
    [...unique.values()].map(({ path, default: byDefault, isRequired, meaning }) => [
      code(path.replace("systems.legacy", "systems.*").replace(/^(gateway.tokens|exclusions)\./, "$1[].")),
      isRequired
        ? "required"
        : byDefault === undefined || isSection(byDefault)
          ? ""
          : code(flowText(byDefault as Value)),
      meaning,
    ]),
  );
}

const rowsWithin = ({ path, kind }: Key): readonly Key[] =>
  (kind.rows ?? [])
    .map((row) => ({ ...row, path: `${path}.${row.path}` }))
    .flatMap((row) => [row, ...rowsWithin(row)]);

const isSection = (value: unknown): boolean => typeof value === "object" && !Array.isArray(value);

export const blocks: Blocks = {
  whole: () => fenced("yaml", wholeYaml()),
  inner: innerKeys,
};
