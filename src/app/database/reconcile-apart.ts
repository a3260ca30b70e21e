/** Runs a reconciliation in a separate process, which shares no lock and no memory with the caller's. */
import { fork } from "node:child_process";
import { BridgeError, type ErrorCode } from "../../base/errors.ts";
import { threadFile } from "../../platform/thread-rpc.ts";
import type { ReconcileReport } from "../../ports/reconcile.ts";
import type { ReconcileAsked, ReconcileSettings } from "./reconcile.ts";

export type ApartAsked = Pick<ReconcileAsked, "kinds" | "from" | "to">;

export type ApartAnswer =
  | { readonly report: ReconcileReport }
  | { readonly failure: { readonly code: ErrorCode; readonly what: string; readonly where?: string } };

/**
 * Compares the databases of a pair. Throws the errors of `reconcilePair`, and SYSTEM_DOWN if the process ends
 * without an answer.
 */
export function reconcileApart(settings: ReconcileSettings, asked: ApartAsked): Promise<ReconcileReport> {
  const child = fork(threadFile("reconcile-process", import.meta.url), { execArgv: [] });
  return new Promise((resolve, reject) => {
    child.once("message", (answer: ApartAnswer) => {
      if ("report" in answer) resolve(answer.report);
      else reject(new BridgeError(answer.failure.code, answer.failure));
    });
    child.once("error", reject);
    child.once("exit", () =>
      reject(
        new BridgeError("SYSTEM_DOWN", {
          what: "the process that compares the databases ended without an answer",
          fix: "compare again",
        }),
      ),
    );
    child.send({ settings, asked });
  });
}
