import { storable, storableJson } from "../../base/storable-text.ts";
import { type ColumnKind, changedColumns, recordFrom } from "../../domain/migration/record-columns.ts";
import type {
  AuditNote,
  AuditRow,
  AuditSeal,
  ControlChange,
  ControlRecord,
  Instance,
  InstanceReport,
  SignOff,
  SignOffGiven,
} from "../../ports/control-store.ts";

type Value = string | number | null;

/** The selected record, by column name. */
export type RecordRow = Readonly<Record<string, Value>>;

/** One statement, so that all columns come from the same state. */
export const selectRecord = `SELECT config.*,
  published.text AS published_text, published.phase AS published_phase
  FROM config LEFT JOIN published ON published.hash = config.published_hash`;

export const recordOf = (row: RecordRow): ControlRecord =>
  recordFrom(({ column, kind }) => {
    const value = row[column] ?? null;
    if (value === null) return null;
    if (kind.type === "flag") return value === 1;
    return kind.type === "users" || kind.type === "ramp" ? JSON.parse(String(value)) : value;
  });

/** A change in the form that is sent to the thread. */
export interface ChangeRow {
  /** Columns of `config` by name. */
  readonly columns: Readonly<Record<string, Value>>;
  readonly voidsCache: boolean;
  readonly published: readonly [hash: string, text: string, phase: string, by: string] | undefined;
  readonly expectedEpoch: number | undefined;
}

export function changeRowOf({ set, expectedEpoch, ...note }: ControlChange): ChangeRow {
  const { voidCache, ...values } = set;
  const columns = changedColumns(values).map(({ column, kind, value }): [string, Value] => [
    column,
    boundValue(kind, value),
  ]);
  const { published } = values;
  return {
    columns: Object.fromEntries([...columns, ["change", noteJson(note)]]),
    voidsCache: voidCache === true,
    published: published && [
      storable(published.hash),
      storable(published.text),
      published.phase,
      storable(note.actor),
    ],
    expectedEpoch,
  };
}

/**
 * Binds NaN and non-numbers as text, which the checks refuse: SQLite would turn NaN into NULL, which means
 * "no override".
 */
function boundValue(kind: ColumnKind, value: unknown): Value {
  if (value === null) return null;
  if (kind.type === "flag") return Number(value);
  if (kind.type === "users" || kind.type === "ramp") return storableJson(value);
  return typeof value === "number" && !Number.isNaN(value) ? value : storable(String(value));
}

/** The JSON that the trigger reads. Evidence is a JSON text inside it, which SQLite extracts unchanged. */
const noteJson = ({ actor, action, reason, evidence }: AuditNote): string =>
  storableJson({
    actor,
    action,
    reason,
    ...(evidence === undefined ? {} : { evidence: storableJson(evidence) }),
  });

export type NoteRow = readonly [actor: string, action: string, reason: string, evidence: string | null];

export const noteRowOf = ({ actor, action, reason, evidence }: AuditNote): NoteRow => [
  storable(actor),
  storable(action),
  storable(reason),
  evidence === undefined ? null : storableJson(evidence),
];

export type SignOffRow = readonly [
  gate: string,
  phase: string,
  actor: string,
  note: string,
  expiresAfterSeconds: string,
];

export const signOffRowOf = ({ gate, phase, actor, note, expiresAfterMs }: SignOffGiven): SignOffRow => [
  storable(gate),
  phase,
  storable(actor),
  storable(note),
  `+${(expiresAfterMs / 1_000).toFixed(3)} seconds`,
];

export const selectSignOffs = `SELECT gate, phase, actor, note, at, expires_at AS expiresAt,
  granted_epoch AS grantedEpoch FROM sign_offs`;
export type SignOffs = readonly SignOff[];

export const selectAudit = "SELECT seq, at, actor, action, reason, epoch, before, after, evidence FROM audit";
export type AuditRows = readonly AuditRow[];

export const selectSeals = "SELECT seq, previous_hash AS previousHash, hash FROM seals";
export type Seals = readonly AuditSeal[];

export type BeatRow = readonly [
  id: string,
  name: string,
  seenEpoch: number,
  drainedEpoch: number,
  report: string,
];

export const beatRowOf = ({ id, name, seenEpoch, drainedEpoch, report }: InstanceReport): BeatRow => [
  storable(id),
  storable(name),
  seenEpoch,
  drainedEpoch,
  storableJson(report),
];

export type InstanceRow = Omit<Instance, "report"> & { readonly report: string };
export const instanceOf = (row: InstanceRow): Instance => ({ ...row, report: JSON.parse(row.report) });
