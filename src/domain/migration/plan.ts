import { BridgeError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { personName } from "../../base/person-name.ts";
import { bucketAlgorithm } from "./bucket.ts";
import { type Capability, capabilities, type Phase, phasePolicies, phases, type Side } from "./phase.ts";

/** How writes are narrowed, in the words of the desk's operators. */
export const migrationModes = ["dual_write", "old_only", "new_only"] as const;
export type MigrationMode = (typeof migrationModes)[number];

/**
 * Everything that decides a route, frozen. A call pins one plan when it begins and never looks for another. `epoch` grows by one
 * with every change, so two plans of one epoch are one plan.
 */
export interface MigrationPlan {
  readonly epoch: number;
  readonly phase: Phase;
  readonly migrationMode: MigrationMode;
  /** The kill switch: false, and every call that begins is answered by legacy. */
  readonly useNewPnlSystem: boolean;
  readonly flags: Readonly<Record<Capability, boolean>>;
  /** 0 to 100, three decimals: how much of the traffic modern answers in `dual_write`. */
  readonly newSystemPercentage: number;
  readonly userWhitelist: ReadonlySet<string>;
  readonly userDenylist: ReadonlySet<string>;
  /** The unit that is put into a bucket: the book where a call has one, so that two users of a book see one source. */
  readonly bucketBy: "book" | "user";
  readonly bucketAlgorithm: string;
  /** Changed to shuffle who is in; the same for all calls of a plan. */
  readonly salt: string;
  /** 0 to 1: how much of the eligible calls is compared. */
  readonly shadowSampleRatio: number;
  /** Closed by sign-off in `cleanup`: legacy is written no longer, so nothing can go back to it. */
  readonly legacyWindow: "open" | "closed";
}

/** A plan as people write it: what is left out has the default. */
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

/** The frozen plan of an input. Throws BAD_CONFIG for a contradiction, a value out of range, or a name that is not known. */
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
      fix: "new_only is for primary_switch and cleanup",
    };
  if (plan.legacyWindow === "closed" && plan.phase !== "cleanup")
    return { what: `the window to legacy closes in cleanup only, not in ${plan.phase}`, fix: "leave it open" };
  return undefined;
}

/**
 * Who must take a write, authoritative first: the phase's row, narrowed by the mode. Writes to legacy are never narrowed away while
 * it may answer, and under the kill switch, where it does, it is the authority; modern then follows, so that the switch can be
 * thrown back.
 */
export function writesOf(plan: MigrationPlan): readonly [Side, ...Side[]] {
  const { writes, answers } = phasePolicies[plan.phase];
  if (isLegacyClosed(plan)) return ["modern"];
  if (plan.migrationMode === "old_only" || (plan.migrationMode === "new_only" && answers !== "modern")) return ["legacy"];
  if (!plan.useNewPnlSystem) return writes.includes("modern") ? ["legacy", "modern"] : ["legacy"];
  if (plan.migrationMode === "new_only") return ["modern"];
  return plan.phase === "cleanup" ? ["modern", "legacy"] : writes;
}

/** Whether legacy has been let go of for good: then nothing can send calls back to it, not even the kill switch. */
export const isLegacyClosed = (plan: MigrationPlan): boolean => plan.phase === "cleanup" && plan.legacyWindow === "closed";

function flagsOf(given: Readonly<Partial<Record<Capability, boolean>>>): Record<Capability, boolean> {
  for (const [name, value] of Object.entries(given)) yesOrNo(`flag ${known("flag", name, capabilities)}`, value);
  return { calculator: given.calculator ?? false, storage: given.storage ?? false, reports: given.reports ?? false };
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

/** A text such as "false" would count as yes. */
function yesOrNo(what: string, value: boolean): boolean {
  if (typeof value === "boolean") return value;
  throw new BridgeError("BAD_CONFIG", {
    what: `the ${what} must be true or false, not ${JSON.stringify(value)}`,
    fix: "fix the plan",
  });
}

/** A text is a list of its letters to the language, and of nobody to the desk. */
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
    fix: "fix the plan",
  });
}

/** Whether modern answers no call, whoever makes it. */
export const isLegacyAlone = (plan: MigrationPlan): boolean =>
  !isLegacyClosed(plan) &&
  (!plan.useNewPnlSystem || plan.migrationMode === "old_only" || phasePolicies[plan.phase].answers === "legacy");
