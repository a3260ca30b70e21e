/** Prints the layer table of `architecture.mjs` as Markdown. `--write` puts it into ARCHITECTURE.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { layers } from "../architecture.mjs";

/** The Markdown table of the layers, between its two markers. */
export function layerTable(): string {
  const rows = Object.entries(layers).map(([folder, { holds, imports, common, typesOnly }]) => {
    const allowed = imports.length === 0 ? "–" : imports.join(", ");
    const remarks = `${typesOnly ? " (types only)" : ""}${common ? `, ${folder}/${common}` : ""}`;
    return `| \`${folder}/\` | ${holds} | ${allowed}${remarks} |`;
  });
  return ["<!-- layers -->", "| folder in `src/` | holds | may import |", "|---|---|---|", ...rows, "<!-- /layers -->"].join(
    "\n",
  );
}

if (import.meta.main) {
  const path = new URL("../ARCHITECTURE.md", import.meta.url);
  const text = readFileSync(path, "utf8").replace(/<!-- layers -->[\s\S]*<!-- \/layers -->/, layerTable);
  if (process.argv.includes("--write")) writeFileSync(path, text);
  else console.log(layerTable());
}
