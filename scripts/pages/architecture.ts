import { layers } from "../../architecture.mjs";
import { type Blocks, code, table } from "./markdown.ts";

export const blocks: Blocks = {
  layers: () =>
    table(
      ["folder in `src/`", "holds", "may import"],
      Object.entries(layers).map(([folder, { holds, imports, common, typesOnly }]) => {
        const allowed = imports.length === 0 ? "–" : imports.join(", ");
        return [
          code(`${folder}/`),
          holds,
          `${allowed}${typesOnly ? " (types only)" : ""}${common ? `, ${folder}/${common}` : ""}`,
        ];
      }),
    ),
};
