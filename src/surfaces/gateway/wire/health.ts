import { z } from "zod";
import { phases } from "../../../domain/migration/phase.ts";

export const freshness = z
  .enum(["fresh", "stale", "expired", "none"])
  .nullable()
  .describe("how well this process knows the plan; null where no control store is configured");

export const alive = z
  .object({ alive: z.literal(true) })
  .describe("The process runs")
  .meta({ id: "Alive" });

export const ready = z
  .object({
    ready: z.boolean(),
    why: z.string().nullable().describe("why it is not ready"),
    epoch: z.int(),
    phase: z.enum(phases),
    freshness,
  })
  .describe("Whether calls may be sent here")
  .meta({ id: "Ready" });

export const metricsText = z.string();
