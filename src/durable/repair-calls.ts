/** The results of reconciliations, as rules over SQL. */
import type { ReconcileNote, RecordCalls } from "../ports/record-store.ts";
import type { Dialect } from "./dialect.ts";
import { ask, numberIn, type Work } from "./work.ts";

type Works<Name extends keyof RecordCalls> = {
  readonly [Each in Name]: (given: Parameters<RecordCalls[Each]>[0]) => Work<ReturnType<RecordCalls[Each]>>;
};

export function repairCalls(dialect: Dialect): Works<"noteReconcile" | "lastReconcile"> {
  const table = dialect.own("reconciles");
  return {
    *noteReconcile(note) {
      const { atMs, ok, complete, position, breaks, notComparable } = note;
      yield* ask(
        `INSERT INTO ${table} (at_ms, ok, complete, position, breaks, not_comparable) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (at_ms) DO UPDATE SET ok = excluded.ok, complete = excluded.complete,
           position = excluded.position, breaks = excluded.breaks, not_comparable = excluded.not_comparable`,
        atMs,
        Number(ok),
        Number(complete),
        position,
        breaks,
        notComparable,
      );
      return null;
    },
    *lastReconcile(): Work<ReconcileNote | null> {
      const [row] = yield* ask(
        `SELECT at_ms, ok, complete, position, breaks, not_comparable FROM ${table} ORDER BY at_ms DESC LIMIT 1`,
      );
      if (row === undefined) return null;
      return {
        atMs: numberIn(row, "at_ms"),
        ok: numberIn(row, "ok") === 1,
        complete: numberIn(row, "complete") === 1,
        position: numberIn(row, "position"),
        breaks: numberIn(row, "breaks"),
        notComparable: numberIn(row, "not_comparable"),
      };
    },
  };
}
