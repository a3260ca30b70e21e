import { causes } from "../../src/comparison/index.ts";
import { tradingDayRules } from "../../src/domain/market/trading-day.ts";
import { explainedCauses } from "../../src/explain/index.ts";
import { type Blocks, code, meanings, table } from "./markdown.ts";

export const blocks: Blocks = {
  "day-rules": () =>
    table(
      ["rule", "meaning"],
      Object.values(tradingDayRules).map(({ name, describes }) => [code(name), describes]),
    ),
  causes: () => meanings("cause", { ...causes, ...explainedCauses }),
};
