/** The process of one explanation of a stored comparison. */
import { setPriority } from "node:os";
import { explainDefaults } from "../../explain/index.ts";
import type { Explanation } from "../../ports/explanation.ts";
import { answerOnce } from "../apart.ts";
import { explainComparison } from "./explain-comparison.ts";
import type { ExplainOrder } from "./explain-stored.ts";

// Gives the process that answers calls a higher priority than this one.
setPriority(10);
answerOnce<ExplainOrder, readonly Explanation[]>(({ kept, settings }) =>
  explainComparison(kept, settings, explainDefaults),
);
