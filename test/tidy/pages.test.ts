import { describe, expect, it } from "vitest";
import { pageOf, pages } from "../../scripts/pages.ts";

/** Parts between markers that are written by hand; the tests of their pages check them. */
const written: Readonly<Record<string, readonly string[]>> = { "docs/symbols.md": ["readings", "printings"] };

describe("a page agrees with the code (node scripts/pages.ts --write updates it)", () => {
  it.each(Object.keys(pages))("%s", async (path) => {
    const { now, due } = await pageOf(path);
    expect(now).toBe(due);
    const marked = new Set([...now.matchAll(/<!-- \/(.+?) -->/g)].map(([, name = ""]) => name));
    expect([...marked].toSorted()).toEqual(
      [...Object.keys(pages[path] ?? {}), ...(written[path] ?? [])].toSorted(),
    );
  });
});
