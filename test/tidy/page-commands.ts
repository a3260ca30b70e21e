/** Helpers for the tests of documents: they find the commands and files that a page shows. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundled } from "../bundled.ts";

/** The commands of a page with their output, in the page's order: later commands build on earlier ones. */
export const commandsOf = (page: string): readonly (readonly [command: string, output: string])[] =>
  [...page.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, text = ""]) =>
    text
      .split(/^\$ /m)
      .slice(1)
      .map((one) => {
        const end = one.indexOf("\n");
        return [one.slice(0, end), one.slice(end + 1)] as const;
      }),
  );

/** The files of a page. The first line of a block has the language, then the name of the file. */
export const filesOf = (page: string): readonly { readonly name: string; readonly text: string }[] =>
  [...page.matchAll(/^```\w+ (\S+\.\w+)\n([\s\S]*?)^```$/gm)].map(([, name = "", text = ""]) => ({
    name,
    text,
  }));

/** Matches an output as a page shows it: `…` stands for text that differs from run to run. */
export const outputPattern = (output: string, steady: (text: string) => string = (text) => text): RegExp => {
  const parts = output
    .trim()
    .split("…")
    .map((text) => steady(text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  return new RegExp(`^${parts.join("[\\s\\S]*")}$`);
};

/** Makes a folder in which programs can import `pnl-bridge`: a package that exports the bundled sources. */
export async function installSources(folder: string): Promise<void> {
  const installed = join(folder, "node_modules/pnl-bridge");
  await write(
    join(installed, "package.json"),
    '{ "name": "pnl-bridge", "type": "module", "exports": "./index.js" }',
  );
  const index = pathToFileURL(bundled("test/tidy/package-index"));
  await write(join(installed, "index.js"), `export * from ${JSON.stringify(index)};`);
  await write(join(folder, "package.json"), '{ "type": "module" }');
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
