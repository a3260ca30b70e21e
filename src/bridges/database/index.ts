export { abandonedStep, abandonModern, giveUpModern, takeBack } from "./abandon.ts";
export {
  Backfill,
  type BackfillEvent,
  type BackfillReport,
  backfillLimits,
  backfillTables,
} from "./backfill.ts";
export {
  areFencesAtRest,
  Cutover,
  type CutoverReport,
} from "./cutover.ts";
export {
  DatabaseBridge,
  type DatabaseBridgeOptions,
  type Direction,
  type Drained,
  type WriteAnswer,
  type WriteOptions,
} from "./database-bridge.ts";
export { ForeignRows, type ForeignRowsEvent } from "./foreign-rows.ts";
export { type LeaseHolder, takeLease } from "./lease.ts";
export { modernKeys } from "./modern-rows.ts";
export { findOlderCopy, mayLackWrites, type OlderCopy } from "./older-copy.ts";
export { type ReconcileOptions, reconcile } from "./reconcile.ts";
export type { RelayEvent } from "./relay.ts";
export { authorityMoved, executeRepair, type RepairReport, type RepairResult } from "./repair.ts";
export { planRepair, type RepairPlan, repairVerbs } from "./repair-plan.ts";
