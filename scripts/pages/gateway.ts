import { signals } from "../../src/surfaces/gateway/metric-catalogue.ts";
import { type Blocks, code, table } from "./markdown.ts";

export const blocks: Blocks = {
  signals: () =>
    table(
      ["name", "type", "labels", "meaning"],
      Object.values(signals).map(({ name, kind, labels, help }) => [
        code(name),
        kind,
        labels.map(code).join(", "),
        help,
      ]),
    ),
};
