import { BridgeError } from "../../base/errors.ts";
import { jsonText } from "../../base/plain-text.ts";
import type { AuditRow, AuditSeal } from "../../ports/control-store.ts";
import { auditPage } from "./audit-rows.ts";
import { openFor, type StoreOptions, settingsOf } from "./session.ts";

/** Yields every row with its seal, read in pages. */
async function* sealedRows(
  options: StoreOptions,
): AsyncGenerator<{ readonly row: AuditRow; readonly seal?: AuditSeal | undefined }> {
  const session = await openFor(options, await settingsOf(options), "reads");
  try {
    for (let after = 0; ; ) {
      const rows = await session.store.audit(after, auditPage);
      const seals = new Map((await session.store.seals(after, auditPage)).map((seal) => [seal.seq, seal]));
      for (const row of rows) yield { row, seal: seals.get(row.seq) };
      const last = rows.at(-1);
      if (last === undefined || rows.length < auditPage) return;
      after = last.seq;
    }
  } finally {
    await session.close();
  }
}

/** Yields every row with its seal, as one JSON line each. */
export async function* exportAudit(options: StoreOptions): AsyncGenerator<string> {
  for await (const { row, seal } of sealedRows(options)) yield `${jsonText(exportedRow(row, seal))}\n`;
}

/** Returns the last rows, oldest first. Throws BAD_USAGE for a limit below 1. */
export async function listAudit({
  limit = 20,
  ...options
}: StoreOptions & { readonly limit?: number }): Promise<readonly AuditRow[]> {
  if (!(limit >= 1))
    throw new BridgeError("BAD_USAGE", { what: "the limit must be 1 or more", fix: "write --limit 20" });
  const rows: AuditRow[] = [];
  for await (const { row } of sealedRows(options)) {
    rows.push(row);
    if (rows.length > limit) rows.shift();
  }
  return rows;
}

const parsed = (text: string | null): unknown => (text === null ? null : JSON.parse(text));

const exportedRow = ({ before, after, evidence, ...row }: AuditRow, seal: AuditSeal | undefined): object => ({
  ...row,
  before: parsed(before),
  after: parsed(after),
  evidence: parsed(evidence),
  hash: seal?.hash ?? null,
});
