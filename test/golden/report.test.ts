import { describe, expect, it } from "vitest";
import { parityDocument, renderParityPage, renderParityTable } from "../../src/adapters/report/index.ts";
import { sample } from "./sample-report.ts";

// After an intended change, `./run exec vitest run test/golden --update` writes the golden files.
describe("each rendering of a report with every kind of row equals its golden file", () => {
  it.each([
    ["report.txt", () => `${renderParityTable(sample, { colour: false })}\n`],
    ["report.html", () => renderParityPage(sample)],
    ["report.json", () => `${JSON.stringify(parityDocument(sample), null, 2)}\n`],
  ])("%s", async (name, render) => {
    await expect(render()).toMatchFileSnapshot(name);
  });
});
