/**
 * The bridge's own routing as an OpenFeature provider, so that a desk's other programs see the same answer for the same book or user.
 *
 * ```ts
 * OpenFeature.setProvider(new PnlBridgeProvider(() => bridge.plan));
 * await client.getStringValue("pnl_route", "legacy", { targetingKey: "amy", book: "UST" }); // "modern" or "legacy"
 * ```
 * Only types are taken from the SDK: this works with any version of it that has this interface.
 */
import type { EvaluationContext, JsonValue, Provider, ResolutionDetails, ResolutionReason } from "@openfeature/server-sdk";
import type { Side } from "../../domain/migration/phase.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import { type CallKey, type RouteReason, routeOf, routeReasons } from "../../domain/migration/route.ts";

/** What may be asked: `use_new_pnl_system` (boolean: does modern answer), and `pnl_route` (string: who answers). */
export const openFeatureFlags = ["use_new_pnl_system", "pnl_route"] as const;

export class PnlBridgeProvider implements Provider {
  readonly metadata = { name: "pnl-bridge" } as const;
  readonly runsOn = "server";
  readonly #plan: () => MigrationPlan;

  constructor(plan: () => MigrationPlan) {
    this.#plan = plan;
  }

  async resolveBooleanEvaluation(flag: string, given: boolean, context: EvaluationContext): Promise<ResolutionDetails<boolean>> {
    return flag === "use_new_pnl_system" ? this.#resolve(context, (answer) => answer === "modern") : this.#notHere(flag, given);
  }

  async resolveStringEvaluation(flag: string, given: string, context: EvaluationContext): Promise<ResolutionDetails<string>> {
    return flag === "pnl_route" ? this.#resolve(context, (answer) => answer) : this.#notHere(flag, given);
  }

  async resolveNumberEvaluation(flag: string, given: number): Promise<ResolutionDetails<number>> {
    return this.#notHere(flag, given);
  }

  async resolveObjectEvaluation<T extends JsonValue>(flag: string, given: T): Promise<ResolutionDetails<T>> {
    return this.#notHere(flag, given);
  }

  #resolve<T>(context: EvaluationContext, inForm: (answer: Side) => T): ResolutionDetails<T> {
    const plan = this.#plan();
    // The SDK hands out its default value and says nothing where a provider fails in a way that it does not know.
    if (plan?.phase === undefined)
      throw new TypeError("the function given to PnlBridgeProvider returns no plan: give bridge.plan");
    const { answer, because } = routeOf(plan, keyOf(context), 1);
    return {
      value: inForm(answer),
      variant: answer,
      reason: reasonOf[because],
      flagMetadata: { because, meaning: routeReasons[because], epoch: plan.epoch },
    };
  }

  #notHere<T>(flag: string, given: T): ResolutionDetails<T> {
    const known = openFeatureFlags.some((name) => name === flag);
    return {
      value: given,
      reason: "ERROR",
      // The SDK's codes are texts; its enum is a value, and this file takes types only.
      errorCode: (known ? "TYPE_MISMATCH" : "FLAG_NOT_FOUND") as NonNullable<ResolutionDetails<T>["errorCode"]>,
      errorMessage: known ? `${flag} is not of that type` : `there are ${openFeatureFlags.join(", ")}, not ${flag}`,
    };
  }
}

/** The user is the targeting key, or `user`; the book is `book`. A number is its text, as in the header of a request. */
function keyOf(context: EvaluationContext): CallKey {
  const [user, book] = [textOf(context.targetingKey ?? context.user), textOf(context.book)];
  return { ...(user !== undefined && { user }), ...(book !== undefined && { book }) };
}

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" ? value : typeof value === "number" || typeof value === "bigint" ? String(value) : undefined;

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
