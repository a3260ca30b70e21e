import { storable, storableJson } from "../../base/storable-text.ts";
import type {
  AuditNote,
  AuditRow,
  ControlChange,
  ControlRecord,
  Instance,
  Published,
  SignOff,
} from "../../ports/control-store.ts";
import type { Row } from "./database.ts";

/** ISO 8601 of a column. */
export const isoOf = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** Columns of `config` and of what is published, for SELECT and for RETURNING; `schema` is quoted. */
export const recordColumns = (schema: string): string => {
  const published = (column: string): string => `(SELECT ${column} FROM ${schema}.published WHERE hash = published_hash)`;
  return `use_new_pnl_system, migration_mode, phase, new_system_percentage, user_whitelist, granted_phase, granted_epoch, latched, ramp,
    legacy_window, cache_generation, published_hash, epoch, ${isoOf("updated_at")} AS updated_at, updated_by,
    ${published("text")} AS published_text, ${published("phase")} AS published_phase`;
};

/** What the tables say is what their checks let in. */
export const recordOf = (row: Row): ControlRecord => ({
  epoch: Number(row.epoch),
  overrides: {
    useNewPnlSystem: row.use_new_pnl_system == null ? null : row.use_new_pnl_system === "t",
    migrationMode: row.migration_mode as ControlRecord["overrides"]["migrationMode"],
    phase: row.phase as ControlRecord["overrides"]["phase"],
    newSystemPercentage: row.new_system_percentage == null ? null : Number(row.new_system_percentage),
    userWhitelist: parsed(row.user_whitelist),
  },
  published:
    row.published_hash == null
      ? null
      : {
          text: row.published_text as string,
          hash: row.published_hash,
          phase: row.published_phase as Published["phase"],
        },
  grantedPhase: row.granted_phase as ControlRecord["grantedPhase"],
  grantedEpoch: Number(row.granted_epoch),
  latched: row.latched ?? null,
  ramp: parsed(row.ramp),
  legacyWindow: row.legacy_window as ControlRecord["legacyWindow"],
  cacheGeneration: Number(row.cache_generation),
  updatedAt: row.updated_at as string,
  updatedBy: row.updated_by as string,
});

/** What a change sets, column by column. */
export function assignmentsOf({ set }: ControlChange): { readonly sql: string; readonly values: readonly unknown[] } {
  const columns: readonly (readonly [column: string, value: unknown])[] = [
    ["use_new_pnl_system", set.useNewPnlSystem],
    ["migration_mode", set.migrationMode],
    ["phase", set.phase],
    ["new_system_percentage", set.newSystemPercentage],
    ["user_whitelist", jsonOf(set.userWhitelist)],
    ["granted_phase", set.grantedPhase],
    ["latched", typeof set.latched === "string" ? storable(set.latched) : set.latched],
    ["ramp", jsonOf(set.ramp)],
    ["legacy_window", set.legacyWindow],
    ["published_hash", set.published && storable(set.published.hash)],
  ];
  const named = columns.filter(([, value]) => value !== undefined);
  const assignments = named.map(([column], index) => `${column} = $${index + 1}`);
  // There must be one; the trigger does not go by it.
  const cache = set.voidCache === true ? "cache_generation = cache_generation + 1" : "epoch = epoch";
  return { sql: [...assignments, cache].join(", "), values: named.map(([, value]) => value) };
}

/** What the triggers are told; evidence as a text in it, so that it stays as it is written. */
export const noteJson = ({ actor, action, reason, evidence }: AuditNote): string =>
  storableJson({ actor, action, reason, ...(evidence === undefined ? {} : { evidence: storableJson(evidence) }) });

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

const jsonOf = (value: object | null | undefined): string | null | undefined =>
  value === null || value === undefined ? value : storableJson(value);

const parsed = <T>(json: string | null | undefined): T | null => (json == null ? null : JSON.parse(json));
