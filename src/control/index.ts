/** The control plane: gives every process the same plan, and moves that plan forward or back. */
export { type AuditReport, auditFaults, auditHead, verifyAudit } from "./audit-chain.ts";
export {
  type EffectivePlan,
  effectivePlan,
  type PlanSource,
  type PlanValue,
  planSources,
} from "./effective-plan.ts";
export {
  type EvidenceFacts,
  type EvidenceRecord,
  evidenceGates,
  featuresOf,
  type Guarded,
  gateMeanings,
  isMarkOf,
  type JudgedReport,
  judgeEvidence,
  metricsOf,
  trialsOf,
  type Waiver,
} from "./evidence/index.ts";
export { PlanFollower } from "./follower.ts";
export type { ControlEvent, Freshness } from "./follower-state.ts";
export { type Gate, type GateReport, type ReadFacts, simpleGates } from "./gates.ts";
export { type PhaseMove, whyOutOfUse } from "./moves.ts";
export {
  type By,
  type ListChange,
  type MoveOptions,
  type MoveResult,
  Operator,
  type Overview,
  type RollbackResult,
  type SettledDays,
  type UserList,
  type WayBack,
} from "./operator.ts";
export { rampDefaults } from "./ramp.ts";
export type { Section } from "./section.ts";
export { Supervisor } from "./supervisor.ts";
export {
  noSignals,
  type ServedMismatch,
  type Signals,
  type TriggerKey,
  type TriggerLimits,
  triggerKeys,
} from "./triggers.ts";
