import { workerErrors } from "../../src/adapters/worker/index.ts";
import { pointsRules } from "../../src/app/bridge/systems/points.ts";
import { fallbackReasons, shedReasons } from "../../src/bridges/service/index.ts";
import { failureClasses } from "../../src/domain/migration/system-failure.ts";
import { type Blocks, code, meanings, table } from "./markdown.ts";

export const blocks: Blocks = {
  points: () => pointsRules.map((rule) => `- ${rule}`).join("\n"),
  shed: () => meanings("reason", shedReasons),
  fallbacks: () => meanings("reason", fallbackReasons),
  failures: () => meanings("class", failureClasses),
  "worker-errors": () =>
    table(
      ["code", "class", "code of the failure", "meaning"],
      Object.entries(workerErrors)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([number, { failure, code: own, means }]) => [
          code(number),
          code(failure),
          own === undefined ? "" : code(own),
          means,
        ]),
    ),
};
