import { storable, storableJson } from "../../base/storable-text.ts";
import type {
  AuditNote,
  AuditRow,
  AuditSeal,
  ControlChange,
  ControlRecord,
  Instance,
  InstanceReport,
  Published,
  SignOff,
  SignOffGiven,
} from "../../ports/control-store.ts";

/** The record as it is selected. */
export interface RecordRow {
  readonly use_new_pnl_system: 0 | 1 | null;
  readonly migration_mode: ControlRecord["overrides"]["migrationMode"];
  readonly phase: ControlRecord["overrides"]["phase"];
  readonly new_system_percentage: number | null;
  readonly user_whitelist: string | null;
  readonly granted_phase: ControlRecord["grantedPhase"];
  readonly granted_epoch: number;
  readonly latched: string | null;
  readonly ramp: string | null;
  readonly legacy_window: ControlRecord["legacyWindow"];
  readonly cache_generation: number;
  readonly epoch: number;
  readonly updated_at: string;
  readonly updated_by: string;
  readonly published_hash: string | null;
  readonly published_text: string;
  readonly published_phase: Published["phase"];
}

/** Written in one statement, so that it is one reading. */
export const selectRecord = `SELECT config.*, published.text AS published_text, published.phase AS published_phase
  FROM config LEFT JOIN published ON published.hash = config.published_hash`;

export const recordOf = (row: RecordRow): ControlRecord => ({
  epoch: row.epoch,
  overrides: {
    useNewPnlSystem: row.use_new_pnl_system === null ? null : row.use_new_pnl_system === 1,
    migrationMode: row.migration_mode,
    phase: row.phase,
    newSystemPercentage: row.new_system_percentage,
    userWhitelist: parsed(row.user_whitelist),
  },
  published:
    row.published_hash === null ? null : { text: row.published_text, hash: row.published_hash, phase: row.published_phase },
  grantedPhase: row.granted_phase,
  grantedEpoch: row.granted_epoch,
  latched: row.latched,
  ramp: parsed(row.ramp),
  legacyWindow: row.legacy_window,
  cacheGeneration: row.cache_generation,
  updatedAt: row.updated_at,
  updatedBy: row.updated_by,
});

type Value = string | number | null;

/** A change as it crosses to the thread. */
export interface ChangeRow {
  /** Columns of `config` by name. */
  readonly columns: Readonly<Record<string, Value>>;
  readonly voidsCache: boolean;
  readonly published: readonly [hash: string, text: string, phase: string, by: string] | undefined;
  readonly expectedEpoch: number | undefined;
}

export function changeRowOf({ set, expectedEpoch, ...note }: ControlChange): ChangeRow {
  const { published, useNewPnlSystem, newSystemPercentage, userWhitelist, latched, ramp } = set;
  const columns: Readonly<Record<string, Value | undefined>> = {
    use_new_pnl_system: useNewPnlSystem === undefined || useNewPnlSystem === null ? useNewPnlSystem : Number(useNewPnlSystem),
    migration_mode: set.migrationMode,
    phase: set.phase,
    // Bound as a number it would become NULL: no override.
    new_system_percentage: Number.isNaN(newSystemPercentage) ? "NaN" : newSystemPercentage,
    user_whitelist: jsonOf(userWhitelist),
    granted_phase: set.grantedPhase,
    latched: typeof latched === "string" ? storable(latched) : latched,
    ramp: jsonOf(ramp),
    legacy_window: set.legacyWindow,
    published_hash: published && storable(published.hash),
    change: noteJson(note),
  };
  return {
    columns: Object.fromEntries(Object.entries(columns).filter((entry): entry is [string, Value] => entry[1] !== undefined)),
    voidsCache: set.voidCache === true,
    published: published && [storable(published.hash), storable(published.text), published.phase, storable(note.actor)],
    expectedEpoch,
  };
}

/** What the trigger reads; evidence is a text in it, which SQLite takes out as it is. */
const noteJson = ({ actor, action, reason, evidence }: AuditNote): string =>
  storableJson({ actor, action, reason, ...(evidence === undefined ? {} : { evidence: storableJson(evidence) }) });

export type NoteRow = readonly [actor: string, action: string, reason: string, evidence: string | null];

export const noteRowOf = ({ actor, action, reason, evidence }: AuditNote): NoteRow => [
  storable(actor),
  storable(action),
  storable(reason),
  evidence === undefined ? null : storableJson(evidence),
];

export type SignOffRow = readonly [gate: string, phase: string, actor: string, note: string, expiresAfterSeconds: string];

export const signOffRowOf = ({ gate, phase, actor, note, expiresAfterMs }: SignOffGiven): SignOffRow => [
  storable(gate),
  phase,
  storable(actor),
  storable(note),
  `+${(expiresAfterMs / 1_000).toFixed(3)} seconds`,
];

export const selectSignOffs = `SELECT gate, phase, actor, note, at, expires_at AS expiresAt, granted_epoch AS grantedEpoch FROM sign_offs`;
export type SignOffs = readonly SignOff[];

export const selectAudit = "SELECT seq, at, actor, action, reason, epoch, before, after, evidence FROM audit";
export type AuditRows = readonly AuditRow[];

export const selectSeals = "SELECT seq, previous_hash AS previousHash, hash FROM seals";
export type Seals = readonly AuditSeal[];

export type BeatRow = readonly [id: string, name: string, seenEpoch: number, drainedEpoch: number, report: string];

export const beatRowOf = ({ id, name, seenEpoch, drainedEpoch, report }: InstanceReport): BeatRow => [
  storable(id),
  storable(name),
  seenEpoch,
  drainedEpoch,
  storableJson(report),
];

export type InstanceRow = Omit<Instance, "report"> & { readonly report: string };
export const instanceOf = (row: InstanceRow): Instance => ({ ...row, report: JSON.parse(row.report) });

const jsonOf = (value: object | null | undefined): string | null | undefined =>
  value === null || value === undefined ? value : storableJson(value);

const parsed = <T>(json: string | null): T | null => (json === null ? null : JSON.parse(json));
