import { z } from "zod";
import { named } from "./shape.ts";

export const recordsToWrite = z.object({
  records: z
    .array(z.record(z.string(), z.unknown()))
    .describe("trades, positions, prices and daily P&L, as docs/database-bridge.md describes them"),
});

export const recordHeaders = z.object({
  "idempotency-key": z
    .string(
      "the header Idempotency-Key is missing: send a key of your own, and the same one when you try again",
    )
    .describe("1 to 200 characters; the same records under the same key are written once"),
});

export const recordsWritten = named("RecordsWritten", "Records that are stored", {
  kind: z.literal("acknowledged"),
  version: z
    .int()
    .describe(
      "the highest version among the rows of this write; each write of a row raises its version by one",
    ),
  mirror: z.enum(["pending", "applied"]).describe("whether the other database has the records"),
});
