import { BridgeError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { personName } from "../../base/person-name.ts";
import { bucketAlgorithm } from "./bucket.ts";
import { type Capability, capabilities, type Phase, phasePolicies, phases, type Side } from "./phase.ts";

/** Restrictions on routes and writes, in the words of the desk's operators. */
export const migrationModes = ["dual_write", "old_only", "new_only"] as const;
export type MigrationMode = (typeof migrationModes)[number];

/**
 * Everything that decides a route, frozen. A call pins one plan when it begins and keeps it. `epoch` grows by
 * one with every change, so two plans of one epoch are equal.
 */
export interface MigrationPlan {
  readonly epoch: number;
  readonly phase: Phase;
  readonly migrationMode: MigrationMode;
  /** The kill switch: if false, legacy answers every new call. */
  readonly useNewPnlSystem: boolean;
  readonly flags: Readonly<Record<Capability, boolean>>;
  /** The share of the traffic that modern answers in `dual_write`: 0 to 100, three decimals. */
  readonly newSystemPercentage: number;
  readonly userWhitelist: ReadonlySet<string>;
  readonly userDenylist: ReadonlySet<string>;
  /**
   * The unit that has a bucket. `book` is the call's book or, without one, its user; so all users of a
   * book are answered by the same side.
   */
  readonly bucketBy: "book" | "user";
  readonly bucketAlgorithm: string;
  /** Another salt selects other units at the same percentage. */
  readonly salt: string;
  /** The share of the eligible calls that is compared: 0 to 1. */
  readonly shadowSampleRatio: number;
  /**
   * Closed by a sign-off in `cleanup`; then legacy receives no more writes, and no call can go back to it.
   */
  readonly legacyWindow: "open" | "closed";
}

/** A plan as people write it; omitted values have their defaults. */
export interface PlanInput {
  readonly epoch?: number;
  readonly phase: Phase;
  readonly migrationMode?: MigrationMode;
  readonly useNewPnlSystem?: boolean;
  readonly flags?: Readonly<Partial<Record<Capability, boolean>>>;
  readonly newSystemPercentage?: number;
  readonly userWhitelist?: Iterable<string>;
  readonly userDenylist?: Iterable<string>;
  readonly bucketBy?: "book" | "user";
  readonly bucketAlgorithm?: string;
  readonly salt?: string;
  readonly shadowSampleRatio?: number;
  readonly legacyWindow?: "open" | "closed";
}

/**
 * Builds the frozen plan of an input. Throws BAD_CONFIG for a contradiction, a value out of range, or an
 * unknown name.
 */
export function planOf(input: PlanInput): MigrationPlan {
  const plan: MigrationPlan = Object.freeze({
    epoch: input.epoch ?? 1,
    phase: known("phase", input.phase, phases),
    migrationMode: known("migration mode", input.migrationMode ?? "dual_write", migrationModes),
    useNewPnlSystem: yesOrNo("use_new_pnl_system", input.useNewPnlSystem ?? true),
    flags: Object.freeze(flagsOf(input.flags ?? {})),
    newSystemPercentage: inRange("new system percentage", input.newSystemPercentage ?? 0, 100),
    userWhitelist: setOf("user whitelist", input.userWhitelist ?? []),
    userDenylist: setOf("user denylist", input.userDenylist ?? []),
    bucketBy: known("unit to bucket by", input.bucketBy ?? "book", ["book", "user"] as const),
    bucketAlgorithm: known("bucket algorithm", input.bucketAlgorithm ?? bucketAlgorithm, [bucketAlgorithm]),
    salt: input.salt ?? "",
    shadowSampleRatio: inRange("shadow sample ratio", input.shadowSampleRatio ?? 1, 1),
    legacyWindow: known("legacy window", input.legacyWindow ?? "open", ["open", "closed"] as const),
  });
  const contradiction = contradictionOf(plan);
  if (contradiction !== undefined) throw new BridgeError("BAD_CONFIG", contradiction);
  return plan;
}

function contradictionOf(plan: MigrationPlan): { readonly what: string; readonly fix: string } | undefined {
  const missing = phasePolicies[plan.phase].requires.filter((capability) => !plan.flags[capability]);
  if (missing.length > 0)
    return {
      what: `the phase ${plan.phase} needs the flags ${missing.map((capability) => `use_new_${capability}`).join(", ")}`,
      fix: "set them, or stay in an earlier phase",
    };
  if (plan.migrationMode === "new_only" && phasePolicies[plan.phase].answers !== "modern")
    return {
      what: `new_only would stop writing legacy while legacy answers in the phase ${plan.phase}`,
      fix: "set the mode dual_write, or use new_only in primary_switch and cleanup only",
    };
  if (plan.legacyWindow === "closed" && plan.phase !== "cleanup")
    return {
      what: `the window to legacy closes in cleanup only, not in ${plan.phase}`,
      fix: "leave the window open, or move to cleanup first",
    };
  return undefined;
}

/**
 * The sides that must take a write, authoritative first: those of the phase, restricted by the mode. Legacy
 * is always written while it may answer. Under the kill switch legacy answers and is authoritative;
 * modern then follows, so that the switch can be turned off again.
 */
export function writesOf(plan: MigrationPlan): readonly [Side, ...Side[]] {
  const { writes, answers } = phasePolicies[plan.phase];
  if (isLegacyClosed(plan)) return ["modern"];
  if (plan.migrationMode === "old_only" || (plan.migrationMode === "new_only" && answers !== "modern"))
    return ["legacy"];
  if (!plan.useNewPnlSystem) return writes.includes("modern") ? ["legacy", "modern"] : ["legacy"];
  if (plan.migrationMode === "new_only") return ["modern"];
  return plan.phase === "cleanup" ? ["modern", "legacy"] : writes;
}

/** Whether legacy is retired: nothing can send calls back to it, not even the kill switch. */
export const isLegacyClosed = (plan: MigrationPlan): boolean =>
  plan.phase === "cleanup" && plan.legacyWindow === "closed";

function flagsOf(given: Readonly<Partial<Record<Capability, boolean>>>): Record<Capability, boolean> {
  for (const [name, value] of Object.entries(given))
    yesOrNo(`flag ${known("flag", name, capabilities)}`, value);
  return {
    calculator: given.calculator ?? false,
    storage: given.storage ?? false,
    reports: given.reports ?? false,
  };
}

function known<Name extends string>(what: string, given: Name | string, names: readonly Name[]): Name {
  const found = names.find((name) => name === given);
  if (found !== undefined) return found;
  const meant = nearest(String(given), names);
  throw new BridgeError("BAD_CONFIG", {
    what: `unknown ${what}: ${JSON.stringify(given)}`,
    fix: `${meant === undefined ? "" : `did you mean ${meant}? `}known are ${names.join(", ")}`,
  });
}

/** Requires a boolean, since a text such as "false" would count as true. */
function yesOrNo(what: string, value: boolean): boolean {
  if (typeof value === "boolean") return value;
  throw new BridgeError("BAD_CONFIG", {
    what: `the ${what} must be true or false, not ${JSON.stringify(value)}`,
    fix: "write true or false, without quotes",
  });
}

/** Requires a list, since a text would be read as a list of its letters. */
function setOf(what: string, names: Iterable<string>): ReadonlySet<string> {
  if (typeof names !== "string") return new Set(Array.from(names, personName).filter((name) => name !== ""));
  throw new BridgeError("BAD_CONFIG", {
    what: `the ${what} must be a list, not the text ${JSON.stringify(names)}`,
    fix: `write ["${names}"]`,
  });
}

function inRange(what: string, value: number, most: number): number {
  if (typeof value === "number" && value >= 0 && value <= most) return value;
  throw new BridgeError("BAD_CONFIG", {
    what: `the ${what} must be a number from 0 to ${most}, not ${value}`,
    fix: `write a number from 0 to ${most}`,
  });
}

/** Whether legacy answers every call. */
export const isLegacyAlone = (plan: MigrationPlan): boolean =>
  !isLegacyClosed(plan) &&
  (!plan.useNewPnlSystem ||
    plan.migrationMode === "old_only" ||
    phasePolicies[plan.phase].answers === "legacy");
