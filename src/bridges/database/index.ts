export {
  Cutover,
  type CutoverOptions,
  type CutoverReport,
  type ReconcileMark,
  recoverFences,
} from "./cutover.ts";
export {
  DatabaseBridge,
  type DatabaseBridgeOptions,
  type Direction,
  type WriteAnswer,
} from "./database-bridge.ts";
export type { LeaseHolder, RelayEvent } from "./relay.ts";
