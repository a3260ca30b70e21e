/**
 * The calls, in SQL, for when modern's store is abandoned: they settle the writes that it still owed legacy.
 * Such a write is never applied, because legacy has had other writes since. Its rows go to the quarantine,
 * and modern's versions continue after the last one that legacy has, so that modern can follow legacy again.
 */
import type { AbandonCalls } from "../ports/abandon-calls.ts";
import type { Answer, Given } from "../ports/record-store.ts";
import type { backfillCalls } from "./backfill-calls.ts";
import type { Dialect } from "./dialect.ts";
import type { RowAccess } from "./row-access.ts";
import { ask, numberIn, textIn, type Work } from "./work.ts";

type AbandonWorks = {
  readonly [Name in keyof AbandonCalls]: (given: Given<Name>) => Work<Answer<Name>>;
};

export function abandonCalls(
  dialect: Dialect,
  access: RowAccess,
  { recordChunk }: Pick<ReturnType<typeof backfillCalls>, "recordChunk">,
): AbandonWorks {
  return {
    *received({ source, entries }) {
      const answers: Answer<"received">[number][] = [];
      for (const { seq, changes } of entries) {
        const [known] = yield* ask(
          `SELECT place FROM ${dialect.own("inbox")} WHERE source = ? AND seq = ?`,
          source,
          seq,
        );
        const rows: Answer<"received">[number]["rows"][number][] = [];
        for (const change of changes) rows.push((yield* access.read(change)) ?? null);
        answers.push({ place: known === undefined ? null : numberIn(known, "place"), rows });
      }
      return answers;
    },
    *handOver({ entries, nowMs }) {
      for (const { seq, rows } of entries) {
        const [taken] = yield* ask(
          `UPDATE ${dialect.own("outbox")} SET state = 'done', code = 'ABANDONED', settled_ms = ?
           WHERE seq = ? AND state <> 'done' RETURNING idempotency_key`,
          nowMs,
          seq,
        );
        if (taken === undefined) continue;
        // If the same key is sent again, legacy treats it as a new write.
        yield* ask(
          `DELETE FROM ${dialect.own("keys")} WHERE idempotency_key = ?`,
          textIn(taken, "idempotency_key"),
        );
        for (const { aggregate, version } of rows)
          yield* ask(
            `UPDATE ${dialect.own("versions")} SET version = ? WHERE aggregate = ? AND version >= ?`,
            version - 1,
            aggregate,
            version,
          );
        const quarantined = rows.map((row) => row.quarantined);
        yield* recordChunk({ pass: null, quarantined, imported: [], nowMs });
      }
      return null;
    },
  };
}
