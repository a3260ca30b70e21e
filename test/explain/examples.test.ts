import { expect, it } from "vitest";
import { explainedCauses } from "../../src/explain/index.ts";
import { type CauseCode, exampleOf } from "./examples.ts";

/**
 * The order of text puts 10 before 2, which needs a tenth row, so the example of LOT_TEXT has more lines.
 */
const linesMax = (code: CauseCode): number => (code === "LOT_TEXT" ? 12 : 5);

it.each(Object.keys(explainedCauses) as CauseCode[])(
  "the example of %s in docs/explain.md has that cause and no other",
  (code) => {
    const { lines, explanation } = exampleOf(code);
    expect(explanation).toMatchObject({
      causes: [{ code, level: code === "TAIL_NOT_READ" ? "fits" : "proved" }],
      unexplained: "0",
    });
    expect(lines.filter((line) => !line.startsWith("# trades_")).length).toBeLessThanOrEqual(linesMax(code));
  },
);
