import { z } from "zod";

/** The comparisons that a client of the event stream receives. */
const comparisonChoice = z.enum(["differing", "all", "none"]);
export type ComparisonChoice = z.infer<typeof comparisonChoice>;

export const eventQuery = z.object({ comparisons: comparisonChoice.default("differing") });

export const eventStream = z
  .string()
  .describe(
    "Server-sent events: first hello with the state, then plan, freshness, comparison, files, and failures of the control plane",
  );
