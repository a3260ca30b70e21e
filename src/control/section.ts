import type { Phase } from "../domain/migration/phase.ts";
import type { PublishedPlan } from "./effective-plan.ts";
import type { TriggerLimits } from "./triggers.ts";

/** The published `migration:` section, parsed. */
export interface Section {
  readonly plan: PublishedPlan;
  /** Phases that two people must approve. */
  readonly twoPerson: readonly Phase[];
  readonly triggers: TriggerLimits;
  /** The tolerances of comparisons, as decimal text. */
  readonly tolerances: { readonly position: string; readonly pnl: string };
}

/** Parses the published text. Throws BAD_CONFIG for text of another form, such as a newer program's. */
export type ReadSection = (text: string) => Section;
