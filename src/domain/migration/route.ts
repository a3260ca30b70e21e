import { personName } from "../../base/person-name.ts";
import { bucketAlgorithm, bucketCount, bucketOf, isWithin } from "./bucket.ts";
import { otherSide, phasePolicies, type Side } from "./phase.ts";
import { isLegacyClosed, type MigrationPlan } from "./plan.ts";

/** What a call says of itself. */
export interface CallKey {
  readonly user?: string;
  readonly book?: string;
}

/** Why a call went where it went. */
export const routeReasons = {
  KILL_SWITCH: "use_new_pnl_system is off: legacy answers everything",
  LEGACY_CLOSED:
    "use_new_pnl_system is off or migration_mode is old_only, but legacy is written no longer: modern goes on answering",
  OLD_ONLY: "migration_mode is old_only: legacy answers everything",
  PHASE: "the phase says who answers",
  NO_CAPABILITY: "use_new_calculator is off: modern may not answer",
  DENYLIST: "the user is on the denylist",
  WHITELIST: "the user is on the whitelist",
  WITHIN_PERCENTAGE: "the unit's bucket is within new_system_percentage",
  OUTSIDE_PERCENTAGE: "the unit's bucket is outside new_system_percentage",
  NO_UNIT: "the call has neither book nor user to put into a bucket",
  UNKNOWN_ALGORITHM: "the plan names a bucket algorithm that is not known here",
} as const;
export type RouteReason = keyof typeof routeReasons;

export interface Route {
  readonly answer: Side;
  readonly because: RouteReason;
  /** Who is asked in the shadow; null where nobody is. */
  readonly shadow: Side | null;
  /** Whether the shadow would have been asked if it were not for sampling: what counts as eligible for comparison. */
  readonly eligible: boolean;
}

/** The flag whose percentage routes calculations, as it stands in the text that is hashed. */
export const routeFlag = "use_new_calculator";
const sampleFlag = "shadow_sample";

/**
 * Where a call goes: kill switch, then denylist, whitelist, percentage, else legacy. Pure; the same plan and key always give the
 * same route. `draw` is the call's lot in shadow sampling, 0 to 1: another salt than routing, so that the sample is not the cohort.
 */
export function routeOf(plan: MigrationPlan, key: CallKey, draw: number): Route {
  const killed = killedBy(plan);
  if (killed !== undefined) return killed;
  const { answers, compares } = phasePolicies[plan.phase];
  const [answer, because] = answers === "legacy" ? legacyByPhase : answererOf(plan, key, answers);
  // A cleanup plan with the kill switch on never gets here, and one without compares nothing.
  const shadow = compares && plan.migrationMode !== "new_only" ? otherSide(answer) : null;
  const sampled = shadow !== null && draw < plan.shadowSampleRatio;
  return { answer, because, shadow: sampled ? shadow : null, eligible: shadow !== null };
}

/** A call's lot for shadow sampling, from what it says of itself and its number: reproducible, and unlike the bucket it is routed by. */
export const sampleDraw = (plan: MigrationPlan, unit: string, call: number): number =>
  plan.shadowSampleRatio >= 1 ? 0 : bucketOf(sampleFlag, plan.salt, `${unit}|${call}`) / bucketCount;

/** The unit of a call: its book, else its user; undefined where it has neither. */
export const unitOf = (plan: MigrationPlan, { book, user }: CallKey): string | undefined =>
  plan.bucketBy === "book" ? (book ?? user) : user;

/** Lists hold names in one form; a call may spell the same name in another. */
const isListed = (list: ReadonlySet<string>, user: string): boolean =>
  list.size > 0 && (list.has(user) || list.has(personName(user)));

const legacyByPhase = ["legacy", "PHASE"] as const;

/** Under the kill switch modern is neither asked nor compared: it may be what is wrong. */
function killedBy(plan: MigrationPlan): Route | undefined {
  const reason = !plan.useNewPnlSystem ? "KILL_SWITCH" : plan.migrationMode === "old_only" ? "OLD_ONLY" : undefined;
  if (reason === undefined) return undefined;
  return isLegacyClosed(plan) ? alone("modern", "LEGACY_CLOSED") : alone("legacy", reason);
}

const alone = (answer: Side, because: RouteReason): Route => ({ answer, because, shadow: null, eligible: false });

function answererOf(plan: MigrationPlan, key: CallKey, answers: Side | "by-route"): readonly [Side, RouteReason] {
  if (!plan.flags.calculator) return ["legacy", "NO_CAPABILITY"];
  const { user } = key;
  // Once legacy is written no longer its answers grow old: then nobody can be kept there.
  const canBeKept = plan.phase !== "cleanup" && !(answers === "modern" && plan.migrationMode === "new_only");
  if (user !== undefined && canBeKept && isListed(plan.userDenylist, user)) return ["legacy", "DENYLIST"];
  if (answers !== "by-route") return [answers, "PHASE"];
  if (user !== undefined && isListed(plan.userWhitelist, user)) return ["modern", "WHITELIST"];
  const unit = unitOf(plan, key);
  // A null from a database is none either; as a text it would have a bucket.
  if (!unit) return ["legacy", "NO_UNIT"];
  if (plan.bucketAlgorithm !== bucketAlgorithm) return ["legacy", "UNKNOWN_ALGORITHM"];
  return isWithin(bucketOf(routeFlag, plan.salt, unit), plan.newSystemPercentage)
    ? ["modern", "WITHIN_PERCENTAGE"]
    : ["legacy", "OUTSIDE_PERCENTAGE"];
}
