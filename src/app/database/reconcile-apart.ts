import { threadFile } from "../../platform/thread-rpc.ts";
import type { ReconcileReport } from "../../ports/reconcile.ts";
import { runApart } from "../apart.ts";
import type { ReconcileAsked, ReconcileSettings } from "./reconcile.ts";

export type ApartAsked = Pick<ReconcileAsked, "kinds" | "from" | "to">;

/** A message to the process of one reconciliation. */
export interface ReconcileOrder {
  readonly settings: ReconcileSettings;
  readonly asked: ApartAsked;
}

/**
 * Compares the databases of a pair in a process of its own. Throws the errors of `reconcilePair`, and
 * SYSTEM_DOWN.
 */
export const reconcileApart = (settings: ReconcileSettings, asked: ApartAsked): Promise<ReconcileReport> =>
  runApart<ReconcileOrder, ReconcileReport>(
    threadFile("reconcile-process", import.meta.url),
    { settings, asked },
    { work: "compares the databases" },
  );
