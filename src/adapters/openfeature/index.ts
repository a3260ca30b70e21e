/**
 * Offers the bridge's routing as an OpenFeature provider, so that a desk's other programs see the same
 * answering side for the same book or user.
 *
 * ```ts
 * OpenFeature.setProvider(new PnlBridgeProvider(() => bridge.plan));
 * await client.getStringValue("pnl_route", "legacy", { targetingKey: "amy", book: "UST" });
 * // "modern" or "legacy"
 * ```
 *
 * Imports only types from the SDK, so it works with any SDK version that has this interface.
 */
import type {
  EvaluationContext,
  JsonValue,
  Provider,
  ResolutionDetails,
  ResolutionReason,
} from "@openfeature/server-sdk";
import type { Side } from "../../domain/migration/phase.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import { type CallKey, type RouteReason, routeOf, routeReasons } from "../../domain/migration/route.ts";

/** The flags: `use_new_pnl_system` (boolean: modern answers) and `pnl_route` (string: the answering side). */
export const openFeatureFlags = ["use_new_pnl_system", "pnl_route"] as const;

export class PnlBridgeProvider implements Provider {
  readonly metadata = { name: "pnl-bridge" } as const;
  readonly runsOn = "server";
  readonly #plan: () => MigrationPlan;

  constructor(plan: () => MigrationPlan) {
    this.#plan = plan;
  }

  async resolveBooleanEvaluation(
    flag: string,
    given: boolean,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<boolean>> {
    return flag === "use_new_pnl_system"
      ? this.#resolve(context, (answer) => answer === "modern")
      : this.#errorFor(flag, given);
  }

  async resolveStringEvaluation(
    flag: string,
    given: string,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<string>> {
    return flag === "pnl_route" ? this.#resolve(context, (answer) => answer) : this.#errorFor(flag, given);
  }

  async resolveNumberEvaluation(flag: string, given: number): Promise<ResolutionDetails<number>> {
    return this.#errorFor(flag, given);
  }

  async resolveObjectEvaluation<T extends JsonValue>(flag: string, given: T): Promise<ResolutionDetails<T>> {
    return this.#errorFor(flag, given);
  }

  #resolve<T>(context: EvaluationContext, present: (answer: Side) => T): ResolutionDetails<T> {
    const plan = this.#plan();
    // Without this check the SDK would return its default value and hide the cause.
    if (plan?.phase === undefined)
      throw new TypeError("the function given to PnlBridgeProvider returns no plan: return bridge.plan");
    const { answer, because } = routeOf(plan, keyOf(context), 1);
    return {
      value: present(answer),
      variant: answer,
      reason: reasonOf[because],
      flagMetadata: { because, meaning: routeReasons[because], epoch: plan.epoch },
    };
  }

  #errorFor<T>(flag: string, given: T): ResolutionDetails<T> {
    const known = openFeatureFlags.some((name) => name === flag);
    return {
      value: given,
      reason: "ERROR",
      // The SDK's codes are plain texts. Its enum is a value, which this file does not import.
      errorCode: (known ? "TYPE_MISMATCH" : "FLAG_NOT_FOUND") as NonNullable<
        ResolutionDetails<T>["errorCode"]
      >,
      errorMessage: known
        ? `${flag} is not of the requested type`
        : `${flag} is not a flag; the flags are ${openFeatureFlags.join(", ")}`,
    };
  }
}

/** The user is the targeting key or `user`; the book is `book`. A number counts as its text. */
function keyOf(context: EvaluationContext): CallKey {
  const [user, book] = [textOf(context.targetingKey ?? context.user), textOf(context.book)];
  return { ...(user !== undefined && { user }), ...(book !== undefined && { book }) };
}

const textOf = (value: unknown): string | undefined =>
  typeof value === "string"
    ? value
    : typeof value === "number" || typeof value === "bigint"
      ? String(value)
      : undefined;

const reasonOf: Readonly<Record<RouteReason, ResolutionReason>> = {
  KILL_SWITCH: "DISABLED",
  LEGACY_CLOSED: "STATIC",
  OLD_ONLY: "DISABLED",
  PHASE: "STATIC",
  NO_CAPABILITY: "DISABLED",
  DENYLIST: "TARGETING_MATCH",
  WHITELIST: "TARGETING_MATCH",
  WITHIN_PERCENTAGE: "SPLIT",
  OUTSIDE_PERCENTAGE: "SPLIT",
  NO_UNIT: "DEFAULT",
  UNKNOWN_ALGORITHM: "ERROR",
};
