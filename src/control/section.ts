import type { Phase } from "../domain/migration/phase.ts";
import type { PublishedPlan } from "./effective-plan.ts";
import type { TriggerLimits } from "./triggers.ts";

/** What the published `migration:` section says, read. */
export interface Section {
  readonly plan: PublishedPlan;
  /** Phases that two people must approve. */
  readonly twoPerson: readonly Phase[];
  readonly triggers: TriggerLimits;
  /** By which answers are compared; decimal text. */
  readonly tolerances: { readonly position: string; readonly pnl: string };
}

/** Reads the published text. Throws BAD_CONFIG for one that is none, such as a newer program's. */
export type ReadSection = (text: string) => Section;
