import { messageOf } from "../base/errors.ts";
import { personName } from "../base/person-name.ts";
import { type Phase, phasePolicies, phases } from "../domain/migration/phase.ts";
import type { ControlRecord, Instance, SignOff } from "../ports/control-store.ts";
import type { Answered } from "../ports/data-authority.ts";
import type { JsonValue } from "../ports/system.ts";
import type { EffectivePlan } from "./effective-plan.ts";
import { type EvidenceFacts, type Guarded, type JudgedGate, judgeEvidence } from "./evidence/index.ts";
import type { Section } from "./section.ts";

/** The facts from which gates judge, all read at one moment. */
export interface GateInput {
  readonly record: ControlRecord;
  readonly effective: EffectivePlan;
  readonly target: Phase;
  readonly instances: readonly Instance[];
  /** A process without a heartbeat for longer than this is gone. */
  readonly leaseMs: number;
  readonly signOffs: readonly SignOff[];
  /** The number of quarantined items; null if unknown. */
  readonly quarantined: number | null;
  /** The writes that legacy lacks; null if unknown. */
  readonly owedToLegacy: { readonly count: number; readonly oldestMs: number } | null;
  /** Phases that two people must approve. */
  readonly twoPerson: readonly Phase[];
  /** Whether the databases are ready for the target; undefined if it needs no move of their authority. */
  readonly databases: Answered | undefined;
}

/** A gate that cannot judge is closed. */
interface GateVerdict {
  readonly open: boolean;
  readonly why: string;
  readonly evidence?: JsonValue;
}

/** One condition of a forward move that needs no statistics. Gates that need statistics are in evidence/. */
export interface Gate {
  readonly name: string;
  readonly title: string;
  /** The target phases to which the gate applies. Absent: all. */
  readonly before?: readonly Phase[];
  judge(input: GateInput): GateVerdict | Promise<GateVerdict>;
}

/** Describes in words how many writes legacy lacks. */
export const owedText = (owed: GateInput["owedToLegacy"]): string =>
  owed === null
    ? "it is unknown which writes legacy lacks: a database is unreachable or an older copy; run db status"
    : owed.count === 0
      ? "nothing is owed to legacy"
      : `${owed.count} writes are owed to legacy, the oldest for ${owed.oldestMs} ms`;

export interface GateReport<Target extends Guarded = Phase> {
  readonly target: Target;
  readonly open: boolean;
  /** `trial` judges only the gates that need no statistics. */
  readonly profile: GateProfile;
  /**
   * The key of the evidence, the number of the attempt, and how often its gates were judged; null in `trial`.
   */
  readonly key: string | null;
  readonly attempt: number | null;
  readonly looks: number | null;
  /** Sentences that name the parts of the systems' builds that the key lacks; absent if there are none. */
  readonly unseen?: readonly string[];
  readonly gates: readonly JudgedGate[];
}

type GateProfile = "desk" | "trial";

/** The facts of the evidence gates, or the reason why they cannot be read. */
export type ReadFacts = (
  seen: Pick<GateInput, "quarantined"> & {
    /** The number of writes that legacy lacks; null if unknown. */
    readonly owed: number | null;
    /** The tolerances in force; undefined if none are published. */
    readonly tolerances: Section["tolerances"] | undefined;
    /** Whether a person or a move judges by these facts, which is counted as a look. */
    readonly isLook: boolean;
    /** Whether `use_new_reports` is on in the plan. */
    readonly usesReports: boolean;
  },
) => Promise<EvidenceFacts | string>;

/** Judges all gates that apply to a target. A gate that throws is closed. */
export async function judgeGates(
  gates: readonly Gate[],
  input: GateInput,
  facts?: EvidenceFacts | string,
): Promise<GateReport> {
  const applicable = gates.filter(({ before }) => before === undefined || before.includes(input.target));
  const simple = await Promise.all(
    applicable.map(async (gate): Promise<JudgedGate> => {
      const { name, title } = gate;
      try {
        const verdict = await gate.judge(input);
        return { name, title, state: verdict.open ? "open" : "closed", ...verdict };
      } catch (failure) {
        const why = `the gate could not judge: ${messageOf(failure)}`;
        return { name, title, state: "closed", open: false, why };
      }
    }),
  );
  return gateReport(input.target, simple, facts);
}

/** Returns the report of the given gates and, if `facts` are given, of the evidence gates before the move. */
export function gateReport<Target extends Guarded>(
  target: Target,
  simple: readonly JudgedGate[],
  facts: EvidenceFacts | string | undefined,
): GateReport<Target> {
  const judged = facts === undefined ? simple : [...simple, ...judgeEvidence(target, facts)];
  const { key, attempt, looks, unseen } =
    typeof facts === "object" ? facts : { key: null, attempt: null, looks: null };
  return {
    ...{ target, open: judged.every(({ open }) => open) },
    ...{ profile: facts === undefined ? "trial" : "desk", key, attempt, looks },
    ...(unseen !== undefined && { unseen }),
    gates: judged,
  };
}

/** The number of people whose approval a target needs. */
const approversOf = (target: Phase, twoPerson: readonly Phase[]): 0 | 1 | 2 =>
  twoPerson.includes(target) ? 2 : phasePolicies[target].answers === "modern" ? 1 : 0;

/** The people who have approved a target since the phase last changed. */
const approvals = ({ signOffs, target, record }: GateInput): readonly string[] => [
  ...new Set(
    signOffs
      .filter(
        ({ gate, phase, grantedEpoch }) =>
          gate === approval && phase === target && grantedEpoch === record.grantedEpoch,
      )
      .map(({ actor }) => personName(actor)),
  ),
];

const approval = "approved";

/** The gates that need no statistics. */
export const simpleGates: readonly Gate[] = [
  {
    name: "store_reachable",
    title: "the control store answers",
    judge: ({ record }) => ({ open: true, why: `the store answered with epoch ${record.epoch}` }),
  },
  {
    name: "flags_set",
    title: "every flag that the phase needs is set",
    judge: ({ effective, target }) => {
      const missing = phasePolicies[target].requires.filter(
        (capability) => !effective.plan.flags[capability],
      );
      return missing.length === 0
        ? { open: true, why: "every flag that the phase needs is set" }
        : {
            open: false,
            why: `set ${missing.map((name) => `use_new_${name}`).join(", ")} in the published configuration first`,
          };
    },
  },
  {
    name: "fleet_acknowledged",
    title: "every live process follows the current epoch",
    judge: ({ instances, record, leaseMs }) => {
      const live = instances.filter(({ ageMs }) => ageMs <= leaseMs);
      const behind = live.filter(({ seenEpoch }) => seenEpoch < record.epoch).map(({ name }) => name);
      if (live.length === 0)
        return { open: false, why: "no live process is registered, so a failure would stay unnoticed" };
      return behind.length === 0
        ? {
            open: true,
            why: `${live.length} of ${live.length} processes follow epoch ${record.epoch}`,
            evidence: live.map(({ name }) => name),
          }
        : {
            open: false,
            why: `${behind.length} of ${live.length} processes are behind: ${behind.join(", ")}`,
            evidence: behind,
          };
    },
  },
  {
    name: "no_quarantine",
    title: "the quarantine is empty",
    judge: ({ quarantined }) =>
      quarantined === null
        ? { open: false, why: "the content of the quarantine is unknown" }
        : {
            open: quarantined === 0,
            why:
              quarantined === 0 ? "the quarantine is empty" : `rows wait in the quarantine: ${quarantined}`,
          },
  },
  {
    name: "databases_ready",
    title: "the authority over the records can move to modern's database",
    before: phases.filter((phase) => phasePolicies[phase].writes[0] === "modern"),
    judge: ({ databases }) =>
      databases ?? {
        open: true,
        why: "modern's database has the authority already, or no pair of databases is configured",
      },
  },
  {
    name: "rollback_possible",
    title: "a rollback to legacy is possible",
    judge: ({ record, owedToLegacy }) =>
      record.legacyWindow === "closed"
        ? { open: false, why: "the window to legacy is closed" }
        : { open: owedToLegacy?.count === 0, why: owedText(owedToLegacy) },
  },
  {
    name: approval,
    title: "the required people have approved the move",
    judge: (input) => {
      const needed = approversOf(input.target, input.twoPerson);
      const given = approvals(input);
      if (given.length >= needed)
        return {
          open: true,
          why: needed === 0 ? "no approval is needed" : `approved by ${given.join(", ")}`,
        };
      const soFar = given.length === 0 ? "nobody has" : `only ${given.join(", ")} has`;
      return {
        open: false,
        why:
          `${input.target} needs the approval of ${needed === 1 ? "one person" : "two people"}, ` +
          `${soFar} approved: sign-off ${approval} --actor NAME --note TEXT`,
      };
    },
  },
];
