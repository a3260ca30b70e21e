import type { Page } from "playwright-core";
import { loadAxe } from "../axe.ts";

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

/** The two schemes differ in their colors only. */
const schemes = { light: {}, dark: { runOnly: ["color-contrast"] } };

/**
 * The accessibility faults of the page as it is, or of its part at a selector, each in one line, in the light
 * and in the dark scheme.
 */
export async function axeFindings(page: Page, part = "html"): Promise<readonly string[]> {
  await loadAxe(page);
  const found: string[] = [];
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    const options = JSON.stringify({ resultTypes: ["violations"], ...schemes[colorScheme] });
    const { violations } = await page.evaluate<AxeResult>(`axe.run("${part}", ${options})`);
    for (const { id, nodes } of violations)
      for (const { html, failureSummary = "" } of nodes)
        found.push(`${colorScheme} ${id}: ${html.slice(0, 160)} ${failureSummary}`);
  }
  return found;
}
