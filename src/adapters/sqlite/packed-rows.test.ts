import { expect, it } from "vitest";
import { packAnswer, packGiven, unpackAnswer, unpackGiven } from "./packed-rows.ts";

const change = { table: "positions", key: { symbol: "ZN" }, set: { quantity: 1.5, mark: null }, initial: {} };
const rows = [
  { aggregate: "a", change, does: undefined },
  { aggregate: "b", change: { ...change, set: null }, does: "trade_removal" },
  { aggregate: "c", change: { ...change, set: { mark: "1", quantity: -2 } }, does: undefined },
];

it("rows of any mixture of fields arrive in another thread as they were sent", () => {
  const many = Array.from({ length: 70 }, () => rows).flat();
  const write = {
    writes: [
      { idempotencyKey: "one", rows: many },
      { idempotencyKey: "two", rows: [] },
    ],
  };
  expect(unpackGiven(structuredClone(packGiven({ ...write, epoch: 1 })))).toEqual({ ...write, epoch: 1 });
  expect(unpackGiven(structuredClone(packGiven({ rows: many })))).toEqual({ rows: many });
  const entries = many.map((row, seq) => ({ seq, rows: [row] }));
  expect(unpackAnswer("pending", structuredClone(packAnswer("pending", entries)))).toEqual(entries);
  expect(unpackAnswer("rowsAfter", structuredClone(packAnswer("rowsAfter", many)))).toEqual(many);
});

it("a call and an answer without rows are sent as they are", () => {
  for (const given of [null, { limit: 5 }]) expect(packGiven(given)).toBe(given);
  expect(unpackAnswer("rehearse", packAnswer("rehearse", "a reason"))).toBe("a reason");
});
