import { z } from "zod";

/** The comparisons that a client of the event stream gets. */
const comparisonWish = z.enum(["differing", "all", "none"]);
export type ComparisonWish = z.infer<typeof comparisonWish>;

export const eventQuery = z.object({ comparisons: comparisonWish.default("differing") });

export const eventStream = z
  .string()
  .describe("Server-sent events: hello with the state, then plan, freshness, comparison, and failures of the control plane");
