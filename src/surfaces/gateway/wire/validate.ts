import { z } from "zod";
import { comparedField, verdict } from "./comparisons.ts";
import { pnlMethods } from "./pnl.ts";
import { named } from "./shape.ts";

/** The body holds small whole numbers as numbers, all others as text. */
const bound = z
  .union([z.string().regex(/^\d+(?:\.\d+)?$/, "must be a number of 0 or more"), z.number().nonnegative()])
  .transform(String);

export const answersToValidate = z.object({
  method: z.enum(Object.keys(pnlMethods) as (keyof typeof pnlMethods)[]).default("calculatePnl"),
  legacy: z.unknown().describe("one answer, such as the `value` of a bridged call"),
  modern: z.unknown().describe("the other answer"),
  tolerances: z
    .strictObject({
      position: bound
        .default("0.0001")
        .describe("largest difference of quantities and prices that is within tolerance"),
      pnl: bound.default("0.01").describe("largest difference of P&L that is within tolerance"),
    })
    .prefault({}),
});

export const answersValidated = named("Validation", "What two answers differ in", {
  verdict,
  compared: z.int().describe("how many values were compared"),
  differences: z
    .array(comparedField)
    .readonly()
    .describe("the fields beyond tolerance, at most 1000, the worst first"),
  more: z.int().describe("how many unequal fields there are beyond the worst 1000"),
});
