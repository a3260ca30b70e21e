import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const require = createRequire(import.meta.url);
const source = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/**
 * Defines `axe` in the document that the page shows, unless it is defined: its source costs a second of the
 * processor. The source comes through the debugger, since a page's policy may block scripts.
 */
export async function loadAxe(page: Page): Promise<void> {
  if (await page.evaluate<boolean>("window.axe === undefined")) await page.evaluate(source);
}
