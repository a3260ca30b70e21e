/** Reads rows of the audit, and the entries that some of them make. */
import type { AcceptedTerms } from "../../explain/index.ts";
import type { AuditRow, ControlStore } from "../../ports/control-store.ts";

/** The actions of the audit rows that gates read. */
export const auditActions = {
  evidence: "evidence",
  waive: "waive",
  unwaive: "unwaive",
  drill: "drill",
  reconcile: "reconcile",
  signOff: "sign-off",
  acceptCause: "accept-cause",
  revokeCause: "revoke-cause",
  handOutReport: "hand-out-report",
  acceptReport: "accept-report",
  compareReports: "compare-reports",
} as const;

export const auditPage = 500;

/** Yields every row after a sequence number, read in pages. */
export async function* auditRows(store: Pick<ControlStore, "audit">, after = 0): AsyncGenerator<AuditRow> {
  for (let seq = after; ; ) {
    const rows = await store.audit(seq, auditPage);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < auditPage) return;
    seq = last.seq;
  }
}

/** Adds the accepted cause of a row to the register, or removes the one that the row revokes. */
export function applyCause(
  register: Map<string, AcceptedTerms>,
  { seq, action, evidence, reason }: AuditRow,
): void {
  if (evidence === null) return;
  if (action === auditActions.acceptCause)
    register.set(String(seq), { ...JSON.parse(evidence), id: String(seq), reason });
  if (action === auditActions.revokeCause) register.delete(JSON.parse(evidence).id);
}
