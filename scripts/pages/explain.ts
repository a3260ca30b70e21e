import { explainedCauses } from "../../src/explain/index.ts";
import { type CauseCode, exampleOf } from "../../test/explain/examples.ts";
import type { Blocks } from "./markdown.ts";

export const blocks: Blocks = {
  causes: () =>
    Object.entries(explainedCauses)
      .map(([code, meaning]) => {
        const { lines, outcome } = exampleOf(code as CauseCode);
        return `### ${code}\n\n${sentence(meaning)}\n\n\`\`\`csv\n${lines.join("\n")}\n\`\`\`\n\n${outcome}`;
      })
      .join("\n\n"),
};

const sentence = (words: string): string => `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
