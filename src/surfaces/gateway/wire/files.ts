import { z } from "zod";
import { named } from "./shape.ts";

export const fileToOffer = z.object({
  path: z.string().describe("inside a watched folder; a relative path starts in the configuration's folder"),
});

export const fileOffered = named("WatchedFile", "A watched file", {
  path: z.string().describe("relative to the watched folder"),
  root: z.string().describe("the watched folder"),
  state: z.enum(["applied", "growing", "waiting", "empty", "refused", "republished", "gone"]),
  rowsApplied: z.int(),
  rowsElsewhere: z.int().describe("rows that count for another file, which has them too"),
  rowsRefused: z.int(),
  waiting: z.object({ why: z.string(), sinceMs: z.number() }).optional(),
  refused: z
    .object({ code: z.string(), why: z.string(), fix: z.string(), since: z.string() })
    .optional()
    .describe("why the whole file is refused"),
  revocable: z
    .object({ line: z.int() })
    .optional()
    .describe("the last row, which no newline ends: later bytes change it"),
});
