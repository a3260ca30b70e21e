import { expect, test } from "vitest";
import type { ParityRow } from "../../ports/parity-report.ts";
import { laneDaysOf } from "./record.ts";

const at = "2025-12-01T20:00:00.000Z";
const symbol = "XCMEFFDPSX20251219U0ZN";
const row = (given: Partial<ParityRow>): ParityRow => ({
  ...{ kind: "daily", key: { symbol, tradingDay: "2025-11-20" }, field: "total", verdict: "equal" },
  ...{ legacy: "2", modern: "2", difference: "0", tolerance: "0", cause: null, ...given },
});
const daily = (tradingDay: string, key: Partial<ParityRow["key"]> = {}): ParityRow =>
  row({ key: { symbol, tradingDay, ...key } });
const position = (given: Partial<ParityRow>): ParityRow =>
  row({
    kind: "position",
    key: { symbol },
    field: "quantity",
    verdict: "diverged",
    difference: "3",
    ...given,
  });

test.each<readonly [string, Partial<ParityRow>, object]>([
  ["a quantity", {}, { apart: "quantity", quantityApart: true, money: 0, accepted: null }],
  [
    "a quantity with an accepted cause",
    { explanation: "e" },
    { apart: "quantity", quantityApart: true, accepted: "1" },
  ],
  [
    "a position that one side lacks",
    { field: "row", difference: null, present: { quantity: "2", realized: "9" } },
    { apart: "row", quantityApart: true },
  ],
  [
    "a flat position that one side lacks",
    { field: "row", difference: null, present: { quantity: "0", realized: "9" } },
    { apart: "row", quantityApart: false },
  ],
  [
    "not its money, which the rows of the days have",
    { field: "realized" },
    { apart: null, quantityApart: false },
  ],
])("a position counts on the last day of its lane: %s", (_, given, expected) => {
  const accepted = [{ id: "1", code: "TRUNCATED_QTY", owner: "amy", until: "2999-12-31" }];
  const rows = [
    position(given),
    daily("2025-11-21"),
    daily("2025-11-20"),
    daily("2025-11-24", { book: "B" }),
  ];
  const laneDays = laneDaysOf({ rows, explanations: [{ ...explanation, accepted }] }, at);
  const found = laneDays.map(({ book, day, ...one }) => [book, day, one]);
  expect(found).toMatchObject([
    ["", "2025-11-21", expected],
    ["", "2025-11-20", { apart: null }],
    ["B", "2025-11-24", { apart: null }],
  ]);
});

test("the position of a lane without a day counts on the last day of all lanes", () => {
  const rows = [position({ key: { symbol: "ZBZ5" } }), daily("2025-11-21"), daily("2025-11-20")];
  expect(laneDaysOf({ rows }, at).at(-1)).toMatchObject({
    ...{ symbol: "ZBZ5", day: "2025-11-21", apart: "quantity", quantityApart: true },
  });
});

const explanation = {
  ...{ id: "e", component: { lanes: [{ symbol }], files: [] }, difference: "3", unexplained: "0" },
  first: { kind: "position", key: { symbol }, field: "quantity" } as const,
  ...{ causes: [], alternatives: [], witness: null, tried: [] },
  budget: { runs: 0, runsMax: 0, trades: 0, tradesMax: 0, exhausted: false },
};
