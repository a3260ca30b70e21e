import { expect, test } from "vitest";
import type { Explanation } from "../ports/explanation.ts";
import { type AcceptedTerms, acceptedUnder } from "./accepted.ts";

const terms: AcceptedTerms = {
  ...{
    id: "1",
    code: "DAY_RULE",
    scope: {},
    limit: "500",
    owner: "bob",
    until: "2026-12-10",
    reason: "known",
  },
};

interface Given {
  readonly unexplained?: string;
  readonly level?: "proved" | "reduces";
  readonly amount?: string;
  readonly accepts?: Partial<AcceptedTerms>;
}

/** Returns the codes under which a difference that DAY_RULE explains is accepted on 2026-11-30. */
function codesFor({ unexplained = "0", level = "proved", amount = "-500", accepts }: Given) {
  const key = { symbol: "ZNZ6", tradingDay: "2026-11-27" };
  const figures = { alone: amount, last: amount, rowsReproduced: 1, rowsTotal: 1 };
  const explanation: Explanation = {
    ...{ id: "e", component: { lanes: [key], files: [] }, first: { kind: "daily", key, field: "realized" } },
    ...{ difference: "-500", unexplained, alternatives: [], witness: null, tried: [] },
    causes: [{ code: "DAY_RULE", level, amount, ...figures, side: "legacy", rule: "" }],
    budget: { runs: 1, runsMax: 1, trades: 1, tradesMax: 1, exhausted: false },
  };
  const around = { today: "2026-11-30", productOf: () => "ZN" };
  return acceptedUnder(explanation, [{ ...terms, ...accepts }], around)?.map(({ code }) => code);
}

test.each<readonly [string, readonly string[] | null, Given]>([
  ["the proved cause explains the whole difference", ["DAY_RULE"], {}],
  ["fault 11: a real loss on the same day leaves a residual", null, { unexplained: "-1200" }],
  ["the cause explains only some of the rows", null, { level: "reduces" }],
  ["the cause explains more money than its limit", null, { amount: "-500.01" }],
  ["the acceptance has ended", null, { accepts: { until: "2026-11-29" } }],
  ["another cause is accepted", null, { accepts: { code: "LIFO" } }],
  ["the cause is accepted for another product", null, { accepts: { scope: { product: "ZB" } } }],
])("if %s, the causes that accept the difference are %j", (_, codes, given) => {
  expect(codesFor(given) ?? null).toEqual(codes);
});
