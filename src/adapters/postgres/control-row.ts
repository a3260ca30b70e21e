import { storable, storableJson } from "../../base/storable-text.ts";
import { changedColumns, recordColumns, recordFrom } from "../../domain/migration/record-columns.ts";
import type {
  AuditNote,
  AuditRow,
  ControlChange,
  ControlRecord,
  Instance,
  SignOff,
} from "../../ports/control-store.ts";
import type { Row } from "./database.ts";

/** SQL that formats a timestamp column as ISO 8601 in UTC. */
const isoOf = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** The columns of `config` and of its published section, for SELECT and RETURNING; `schema` is quoted. */
export function selectedColumns(schema: string): string {
  const own = recordColumns.map(({ column }) =>
    column === "updated_at" ? `${isoOf(column)} AS ${column}` : column,
  );
  const published = ["text", "phase"].map(
    (column) =>
      `(SELECT ${column} FROM ${schema}.published WHERE hash = published_hash) AS published_${column}`,
  );
  return [...own, ...published].join(", ");
}

/** Relies on the tables' checks, which permit no other values. */
export const recordOf = (row: Row): ControlRecord =>
  recordFrom(({ column, kind }) => {
    const text = row[column] ?? null;
    if (text === null) return null;
    switch (kind.type) {
      case "flag":
        return text === "t";
      case "count":
      case "percentage":
        return Number(text);
      case "users":
      case "ramp":
        return JSON.parse(text);
      default:
        return text;
    }
  });

/** The SET clause of a change, and its values. */
export function assignmentsOf({ set: { voidCache, ...set } }: ControlChange): {
  readonly sql: string;
  readonly values: readonly unknown[];
} {
  const changed = changedColumns(set);
  const assignments = changed.map(({ column }, index) => `${column} = $${index + 1}`);
  // A SET clause needs an assignment; the trigger ignores this one.
  const cache = voidCache === true ? "cache_generation = cache_generation + 1" : "epoch = epoch";
  const values = changed.map(({ value }) =>
    typeof value === "string"
      ? storable(value)
      : typeof value === "object" && value !== null
        ? storableJson(value)
        : value,
  );
  return { sql: [...assignments, cache].join(", "), values };
}

/** The JSON that the triggers read. Evidence is a JSON text inside it, so that it stays unchanged. */
export const noteJson = ({ actor, action, reason, evidence }: AuditNote): string =>
  storableJson({
    actor,
    action,
    reason,
    ...(evidence === undefined ? {} : { evidence: storableJson(evidence) }),
  });

export const auditColumns = `seq, ${isoOf("at")} AS at, actor, action, reason, epoch, before, after, evidence`;
export const auditRowOf = (row: Row): AuditRow => ({
  seq: Number(row.seq),
  at: row.at as string,
  actor: row.actor as string,
  action: row.action as string,
  reason: row.reason as string,
  epoch: Number(row.epoch),
  before: row.before ?? null,
  after: row.after ?? null,
  evidence: row.evidence ?? null,
});

export const signOffColumns = `gate, phase, actor, note, ${isoOf("at")} AS at, ${isoOf("expires_at")} AS expires_at, granted_epoch`;
export const signOffOf = (row: Row): SignOff => ({
  gate: row.gate as string,
  phase: row.phase as SignOff["phase"],
  actor: row.actor as string,
  note: row.note as string,
  at: row.at as string,
  expiresAt: row.expires_at as string,
  grantedEpoch: Number(row.granted_epoch),
});

export const instanceColumns = `id, name, seen_epoch, drained_epoch, report, ${isoOf("started_at")} AS started_at, beats,
  greatest(0, floor(extract(epoch FROM clock_timestamp() - beat_at) * 1000)) AS age_ms`;
export const instanceOf = (row: Row): Instance => ({
  id: row.id as string,
  name: row.name as string,
  seenEpoch: Number(row.seen_epoch),
  drainedEpoch: Number(row.drained_epoch),
  report: JSON.parse(row.report as string),
  startedAt: row.started_at as string,
  ageMs: Number(row.age_ms),
  beats: Number(row.beats),
});
