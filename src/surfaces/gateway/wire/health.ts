import { z } from "zod";
import { phases } from "../../../domain/migration/phase.ts";
import { named } from "./shape.ts";

const freshness = z
  .enum(["fresh", "stale", "expired", "none"])
  .nullable()
  .describe("how recently this process has read the plan; null without a control store");

export const alive = named("Alive", "The process runs", { alive: z.literal(true) });

export const ready = named("Ready", "Whether calls may be sent to this process", {
  ready: z.boolean(),
  why: z.string().nullable().describe("why it is not ready"),
  epoch: z.int(),
  phase: z.enum(phases),
  freshness,
});

export const metricsText = z.string();
