import { evidenceGates, gateMeanings } from "../../src/control/index.ts";
import { type Blocks, code, table } from "./markdown.ts";

export const blocks: Blocks = {
  gates: () =>
    table(
      ["gate", "before", "proves", "does not prove", "when it is not open"],
      Object.entries(gateMeanings).map(([name, { proves, lacks, otherwise }]) => {
        const before = evidenceGates.find((gate) => gate.name === name)?.before ?? [];
        const moves = before.map((move) => (move === "ramp" ? "*ramp*" : move));
        return [code(name), moves.join(", "), proves, lacks ?? "–", otherwise];
      }),
    ),
};
