import { z } from "zod";
import { named } from "./shape.ts";

export const symbolParams = z.object({ symbol: z.string().min(1).max(300) });
export const symbolQuery = z.object({
  from: z.string().max(50).default("auto").describe("the symbol's dialect; auto detects it"),
  asOf: z
    .string()
    .max(10)
    .optional()
    .describe("the day that decides the decade of one-digit years; default: today in Chicago"),
  legacy: z
    .enum(["true", "false"])
    .default("false")
    .describe("true adds the answers of the desk's old translators"),
});

const note = z.object({ code: z.string(), why: z.string() });
const instrument = z
  .object({
    name: z.string(),
    kind: z.enum(["future", "option"]),
    product: z.string(),
    productName: z.string(),
    contractMonth: z.string().describe("YYYY-MM"),
    expiry: z.string().nullable().describe("the last trading day; null if unknown"),
    multiplier: z.string(),
    tick: z.string(),
    currency: z.string(),
    exchange: z.string(),
    series: z.string().optional(),
    week: z.int().optional(),
    nominalExpiry: z.string().optional().describe("the day by the rule, if a holiday moved the expiry"),
    underlying: z.string().optional(),
    right: z.enum(["call", "put"]).optional(),
    strike: z.string().optional(),
  })
  .meta({ id: "Instrument" });
const opinion = z.object({
  view: z.string(),
  asked: z.string().nullable(),
  said: z.string().nullable(),
  known: z.boolean(),
});

export const symbolVariants = named("SymbolVariants", "The names of one instrument in every dialect", {
  input: z.string(),
  ok: z.literal(true),
  detected: z.string(),
  canonical: z.string(),
  instrument,
  notes: z.array(note).readonly(),
  variants: z
    .record(z.string(), z.union([z.object({ text: z.string() }), z.object({ error: note })]))
    .readonly()
    .describe("by dialect: the symbol's text there, or why it has none"),
  legacy: z.array(opinion).readonly().optional(),
});
