import { jsonText } from "../../base/plain-text.ts";
import type { AuditRow, AuditSeal } from "../../ports/control-store.ts";
import { openFor, type StoreOptions, settingsOf } from "./session.ts";

const exportRows = 500;

/** Every row with its seal, a JSON line each, read while it is written. */
export async function* exportAudit(options: StoreOptions): AsyncGenerator<string> {
  const session = await openFor(options, await settingsOf(options), "looks");
  try {
    for (let after = 0; ; ) {
      const rows = await session.store.audit(after, exportRows);
      const seals = new Map((await session.store.seals(after, exportRows)).map((seal) => [seal.seq, seal]));
      for (const row of rows) yield `${jsonText(exportedRow(row, seals.get(row.seq)))}\n`;
      const last = rows.at(-1);
      if (last === undefined || rows.length < exportRows) return;
      after = last.seq;
    }
  } finally {
    await session.close();
  }
}

const parsed = (text: string | null): unknown => (text === null ? null : JSON.parse(text));

const exportedRow = ({ before, after, evidence, ...row }: AuditRow, seal: AuditSeal | undefined): object => ({
  ...row,
  before: parsed(before),
  after: parsed(after),
  evidence: parsed(evidence),
  hash: seal?.hash ?? null,
});
