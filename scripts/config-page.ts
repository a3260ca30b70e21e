/** Prints the configuration as Markdown, from its table of keys. `--write` puts it into docs/configuration.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { flowText } from "../src/config/edit-yaml.ts";
import { defaultConfig, wholeFile } from "../src/config/index.ts";
import { keys } from "../src/config/keys.ts";
import { type Key, valueAt } from "../src/config/table.ts";

type Value = Parameters<typeof flowText>[0];

/** A whole file: every key with its default, and its meaning behind it. */
export function wholeYaml(): string {
  const file = JSON.parse(JSON.stringify(wholeFile(defaultConfig)));
  return linesOf(keys, file, [], 0).join("\n");
}

function linesOf(rows: readonly Key[], file: unknown, section: readonly string[], depth: number): readonly string[] {
  const indent = "  ".repeat(depth);
  return [...Map.groupBy(rows, ({ path }) => path.split(".")[0] ?? "")].flatMap(([name, inner]) => {
    const path = [...section, name];
    const leaf = inner.find((row) => row.path === name);
    if (leaf === undefined) {
      const rest = inner.map((row) => ({ ...row, path: row.path.slice(name.length + 1) }));
      return [`${indent}${name}:`, ...linesOf(rest, file, path, depth + 1)];
    }
    const value = valueAt(file, path);
    const written = flowText((typeof value === "number" ? String(value) : value) as Value).replace(/^"([\d.]+)"$/, "$1");
    return [`${`${indent}${name}: ${written}`.padEnd(48)} # ${leaf.meaning}${leaf.hasNoEffect ? " (no effect yet)" : ""}`];
  });
}

/** The keys of sections that stand in a list, or whose keys follow from a kind. */
function innerKeys(): string {
  const rows = keys.flatMap(rowsWithin);
  const unique = new Map(rows.filter(({ path }) => !path.startsWith("systems.modern")).map((row) => [row.path, row]));
  return [...unique.values()]
    .map(({ path, default: byDefault, isRequired, meaning }) => {
      const stands = isRequired ? "required" : byDefault === undefined || isSection(byDefault) ? "" : `\`${byDefault}\``;
      return `| \`${path.replace("systems.legacy", "systems.*").replace(/^(gateway.tokens|exclusions)\./, "$1[].")}\` | ${stands} | ${meaning} |`;
    })
    .join("\n");
}

const rowsWithin = ({ path, kind }: Key): readonly Key[] =>
  (kind.rows ?? []).map((row) => ({ ...row, path: `${path}.${row.path}` })).flatMap((row) => [row, ...rowsWithin(row)]);

const isSection = (value: unknown): boolean => typeof value === "object" && !Array.isArray(value);

const between = (name: string, text: string, content: string): string =>
  text.replace(new RegExp(`<!-- ${name} -->[\\s\\S]*<!-- /${name} -->`), () => `<!-- ${name} -->\n${content}\n<!-- /${name} -->`);

/** The page, with its generated parts as the table of keys has them. */
export const configPage = (text: string): string =>
  between(
    "inner",
    between("whole", text, `\`\`\`yaml\n${wholeYaml()}\n\`\`\``),
    `| key | default | meaning |\n| --- | --- | --- |\n${innerKeys()}`,
  );

if (import.meta.main) {
  const path = new URL("../docs/configuration.md", import.meta.url);
  const text = configPage(readFileSync(path, "utf8"));
  if (process.argv.includes("--write")) writeFileSync(path, text);
  else console.log(text);
}
