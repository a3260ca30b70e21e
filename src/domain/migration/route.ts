import { personName } from "../../base/person-name.ts";
import { bucketAlgorithm, bucketCount, bucketOf, isWithin } from "./bucket.ts";
import { otherSide, phasePolicies, type Side } from "./phase.ts";
import { isLegacyClosed, type MigrationPlan } from "./plan.ts";

/** The user and book of a call. */
export interface CallKey {
  readonly user?: string;
  readonly book?: string;
}

/** The reasons for a route. */
export const routeReasons = {
  KILL_SWITCH: "use_new_pnl_system is off: legacy answers everything",
  LEGACY_CLOSED:
    "use_new_pnl_system is off or migration_mode is old_only, but legacy receives no more writes: modern continues to answer",
  OLD_ONLY: "migration_mode is old_only: legacy answers everything",
  PHASE: "the phase determines the answering side",
  NO_CAPABILITY: "use_new_calculator is off: modern may not answer",
  DENYLIST: "the user is on the denylist",
  WHITELIST: "the user is on the whitelist",
  WITHIN_PERCENTAGE: "the unit's bucket is within new_system_percentage",
  OUTSIDE_PERCENTAGE: "the unit's bucket is outside new_system_percentage",
  NO_UNIT: "the call has neither a book nor a user, so it has no bucket",
  UNKNOWN_ALGORITHM: "the plan names a bucket algorithm that this version does not know",
} as const;
export type RouteReason = keyof typeof routeReasons;

export interface Route {
  readonly answer: Side;
  readonly because: RouteReason;
  /** The side called in the shadow; null for none. */
  readonly shadow: Side | null;
  /** Whether the call is eligible for comparison: without sampling, the shadow would be called. */
  readonly eligible: boolean;
}

/** The flag whose percentage routes calculations. Its name is part of the text that `bucketOf` hashes. */
export const routeFlag = "use_new_calculator";
const sampleFlag = "shadow_sample";

/**
 * Routes a call by the rules of docs/rollout.md, in their order. Pure: the same plan, key and draw always
 * give the same route. `draw` is the call's random number for shadow sampling, 0 to 1.
 */
export function routeOf(plan: MigrationPlan, key: CallKey, draw: number): Route {
  const killed = killedBy(plan);
  if (killed !== undefined) return killed;
  const { answers, compares } = phasePolicies[plan.phase];
  const [answer, because] = answers === "legacy" ? legacyByPhase : answererOf(plan, key, answers);
  // Cleanup compares nothing, so legacy is never a shadow after its window is closed.
  const shadow = compares && plan.migrationMode !== "new_only" ? otherSide(answer) : null;
  const sampled = shadow !== null && draw < plan.shadowSampleRatio;
  return { answer, because, shadow: sampled ? shadow : null, eligible: shadow !== null };
}

/**
 * A call's number for shadow sampling, from its unit and call number. Reproducible, and independent of the
 * routing bucket.
 */
export const sampleDraw = (plan: MigrationPlan, unit: string, call: number): number =>
  plan.shadowSampleRatio >= 1 ? 0 : bucketOf(sampleFlag, plan.salt, `${unit}|${call}`) / bucketCount;

/** The unit of a call: its book or user, as the plan says; undefined if it has neither. */
export const unitOf = (plan: MigrationPlan, { book, user }: CallKey): string | undefined =>
  plan.bucketBy === "book" ? (book ?? user) : user;

/**
 * Whether a list contains a user. Lists have names in normal form; a call may spell the same name
 * differently.
 */
const isListed = (list: ReadonlySet<string>, user: string): boolean =>
  list.size > 0 && (list.has(user) || list.has(personName(user)));

const legacyByPhase = ["legacy", "PHASE"] as const;

/**
 * The route under the kill switch or `old_only`: legacy answers alone, since modern may be faulty. After the
 * window is closed, modern answers alone.
 */
function killedBy(plan: MigrationPlan): Route | undefined {
  const reason = !plan.useNewPnlSystem
    ? "KILL_SWITCH"
    : plan.migrationMode === "old_only"
      ? "OLD_ONLY"
      : undefined;
  if (reason === undefined) return undefined;
  return isLegacyClosed(plan) ? alone("modern", "LEGACY_CLOSED") : alone("legacy", reason);
}

const alone = (answer: Side, because: RouteReason): Route => ({
  answer,
  because,
  shadow: null,
  eligible: false,
});

function answererOf(
  plan: MigrationPlan,
  key: CallKey,
  answers: Side | "by-route",
): readonly [Side, RouteReason] {
  if (!plan.flags.calculator) return ["legacy", "NO_CAPABILITY"];
  const { user } = key;
  // When legacy receives no more writes, its answers become outdated, so legacy can no longer answer for
  // listed users.
  const canBeKept = plan.phase !== "cleanup" && !(answers === "modern" && plan.migrationMode === "new_only");
  if (user !== undefined && canBeKept && isListed(plan.userDenylist, user)) return ["legacy", "DENYLIST"];
  if (answers !== "by-route") return [answers, "PHASE"];
  if (user !== undefined && isListed(plan.userWhitelist, user)) return ["modern", "WHITELIST"];
  const unit = unitOf(plan, key);
  // A null that came from a database is not a unit. Turned into text, it would get a bucket.
  if (!unit) return ["legacy", "NO_UNIT"];
  if (plan.bucketAlgorithm !== bucketAlgorithm) return ["legacy", "UNKNOWN_ALGORITHM"];
  return isWithin(bucketOf(routeFlag, plan.salt, unit), plan.newSystemPercentage)
    ? ["modern", "WITHIN_PERCENTAGE"]
    : ["legacy", "OUTSIDE_PERCENTAGE"];
}
