/**
 * Generates the parts of the documents that follow from the code. In a page, `<!-- NAME -->` and `<!-- /NAME
 * -->` enclose such a part. `node scripts/pages.ts --write` updates every page; test/tidy/pages.test.ts
 * checks that none is outdated.
 */
import { readFile, writeFile } from "node:fs/promises";
import * as architecture from "./pages/architecture.ts";
import * as cli from "./pages/cli.ts";
import * as configuration from "./pages/configuration.ts";
import * as controlPlane from "./pages/control-plane.ts";
import * as deploy from "./pages/deploy.ts";
import * as errors from "./pages/errors.ts";
import * as explain from "./pages/explain.ts";
import * as gates from "./pages/gates.ts";
import * as gateway from "./pages/gateway.ts";
import * as guide from "./pages/guide.ts";
import type { Blocks } from "./pages/markdown.ts";
import * as serviceBridge from "./pages/service-bridge.ts";
import * as symbols from "./pages/symbols.ts";

export const pages: Readonly<Record<string, Blocks>> = {
  "ARCHITECTURE.md": architecture.blocks,
  "docs/cli.md": cli.blocks,
  "docs/configuration.md": configuration.blocks,
  "docs/control-plane.md": controlPlane.blocks,
  "docs/deploy.md": deploy.blocks,
  "docs/errors.md": errors.blocks,
  "docs/explain.md": explain.blocks,
  "docs/gates.md": gates.blocks,
  "docs/gateway.md": gateway.blocks,
  "docs/guide.md": guide.blocks,
  "docs/service-bridge.md": serviceBridge.blocks,
  "docs/symbols.md": symbols.blocks,
};

/**
 * Returns the present text of a page, `now`, and the text that follows from the code, `due`. Throws if a
 * marker is missing.
 */
export async function pageOf(path: string): Promise<{ readonly now: string; readonly due: string }> {
  const now = await readFile(new URL(`../${path}`, import.meta.url), "utf8");
  let due = now;
  for (const [name, textOf] of Object.entries(pages[path] ?? {})) {
    const [start, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
    const [from, to] = [due.indexOf(start), due.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`${path} lacks ${start.trimEnd()} or ${end}`);
    due = `${due.slice(0, from)}${start}${await textOf()}\n${due.slice(to)}`;
  }
  return { now, due };
}

if (import.meta.main) {
  const isWriting = process.argv.includes("--write");
  for (const path of Object.keys(pages)) {
    const { now, due } = await pageOf(path);
    if (now === due) continue;
    if (isWriting) await writeFile(new URL(`../${path}`, import.meta.url), due);
    console.log(
      `${path}${isWriting ? "" : " differs from the code; update it with node scripts/pages.ts --write"}`,
    );
  }
}
