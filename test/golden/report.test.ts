import { describe, expect, it } from "vitest";
import { parityDocument, renderParityPage, renderParityTable } from "../../src/adapters/report/index.ts";
import { sample } from "./sample-report.ts";

// After a change that is meant: ./run exec vitest run test/golden --update
describe("each rendering of a report with one of everything is its golden file", () => {
  it.each([
    ["report.txt", () => `${renderParityTable(sample, { colour: false })}\n`],
    ["report.html", () => renderParityPage(sample)],
    ["report.json", () => `${JSON.stringify(parityDocument(sample), null, 2)}\n`],
  ])("%s", async (name, render) => {
    await expect(render()).toMatchFileSnapshot(name);
  });
});
