/** The process of one reconciliation. */
import type { ReconcileReport } from "../../ports/reconcile.ts";
import { answerOnce } from "../apart.ts";
import { reconcilePair, recordReconcile } from "./reconcile.ts";
import type { ReconcileOrder } from "./reconcile-apart.ts";

answerOnce<ReconcileOrder, ReconcileReport>(async ({ settings, asked }) => {
  const report = await reconcilePair(settings, asked);
  const { kinds, from, to } = asked;
  if (kinds === undefined && from === undefined && to === undefined) await recordReconcile(settings, report);
  return report;
});
