import type { Side } from "../../domain/migration/phase.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import { type CallKey, routeOf, routeReasons } from "../../domain/migration/route.ts";

interface ReportSide {
  readonly side: Side;
  /** A sentence for people. */
  readonly because: string;
}

/**
 * The side whose report a user gets: modern's only if `use_new_reports` is on and modern answers the user's
 * calls. After legacy's window is closed, legacy has no current report, so modern's is handed out.
 */
export function reportSideOf(plan: MigrationPlan, user: CallKey): ReportSide {
  const { answer, because } = routeOf(plan, user, 1);
  if (answer === "modern" && because !== "LEGACY_CLOSED" && !plan.flags.reports)
    return { side: "legacy", because: "use_new_reports is off: legacy's report is handed out" };
  return { side: answer, because: `phase ${plan.phase}: ${routeReasons[because]}` };
}
