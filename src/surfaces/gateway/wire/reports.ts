import { z } from "zod";

export const reportParams = z.object({
  date: z
    .string()
    .regex(/^\d{4}-\d\d-\d\d$/, "must be a day, YYYY-MM-DD")
    .describe("the day of the report"),
});

const counts = z.record(z.string(), z.int()).describe("differences by class");

/** A report that was handed out. */
export const handedReport = z.object({
  date: z.string(),
  side: z.enum(["legacy", "modern"]),
  because: z.string(),
  path: z.string().describe("the workbook, on the machine of the gateway"),
  figures: z.string().describe("the document with the exact figures"),
  contentHash: z.string(),
  version: z.int().nullable().describe("null without a control store"),
  diff: z
    .union([
      z.object({ path: z.string(), ok: z.boolean(), counts }),
      z.object({ error: z.string().describe("why the two reports could not be compared") }),
    ])
    .optional()
    .describe("the comparison with the other system's report, in phases that compare"),
});
