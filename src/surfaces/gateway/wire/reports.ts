import { z } from "zod";
import { rows } from "./shape.ts";

export const reportParams = z.object({
  date: z
    .string()
    .regex(/^\d{4}-\d\d-\d\d$/, "must be a day, YYYY-MM-DD")
    .describe("the day of the report"),
});

const counts = z.record(z.string(), z.int()).describe("differences by class");
const failedTotals = z
  .array(z.string())
  .readonly()
  .describe("sentences about totals that are not equal and drifts that are too large");

/** A report that was handed out. */
export const handedReport = z.object({
  date: z.string(),
  side: z.enum(["legacy", "modern"]),
  because: z.string(),
  path: z.string().describe("the workbook, on the machine of the gateway"),
  figures: z.string().describe("the document with the exact figures"),
  contentHash: z.string(),
  version: z.int().nullable().describe("null without a control store"),
  refused: rows({
    code: z.string(),
    file: z.string(),
    line: z.int().nullable().describe("null if the file was refused, or its rows from some row on"),
    why: z.string(),
    more: z.int().optional().describe("the number of rows that this entry stands for, if it is not one"),
  }).describe("the rows of the ledgers and prices that this side refused"),
  diff: z
    .union([
      z.object({ path: z.string(), ok: z.boolean(), counts, failedTotals }),
      z.object({ error: z.string().describe("why the two reports could not be compared") }),
    ])
    .optional()
    .describe("the comparison with the other system's report, in phases that compare"),
});
