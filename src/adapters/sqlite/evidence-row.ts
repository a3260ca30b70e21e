import { storable, storableJson, storableOrNull } from "../../base/storable-text.ts";
import type { ComparisonRecord, StoredComparison } from "../../ports/evidence.ts";

/**
 * The values of one comparison for the insert statement, also sent to the thread: arrays are cheaper to copy
 * than objects.
 */
export type EvidenceRow = readonly [
  at: string,
  method: string,
  epoch: number,
  answered: ComparisonRecord["answered"],
  kind: ComparisonRecord["kind"],
  verdict: ComparisonRecord["verdict"],
  unit: string | null,
  fingerprint: string,
  legacyMs: number | null,
  modernMs: number | null,
  legacyError: string | null,
  modernError: string | null,
  fields: string,
  more: number,
  excluded: number,
  request: ComparisonRecord["request"],
];

export type StoredRow = readonly [id: string, ...row: EvidenceRow];

/** In the order of an `EvidenceRow`. */
export const columns = [
  "at",
  "method",
  "epoch",
  "answered",
  "kind",
  "verdict",
  "unit",
  "fingerprint",
  "legacy_ms",
  "modern_ms",
  "legacy_error",
  "modern_error",
  "fields",
  "more",
  "excluded",
  "request",
] as const;

export const rowOf = (record: ComparisonRecord): EvidenceRow => [
  storable(record.at),
  storable(record.method),
  record.epoch,
  record.answered,
  record.kind,
  record.verdict,
  storableOrNull(record.unit),
  storable(record.fingerprint),
  record.legacyMs,
  record.modernMs,
  storableOrNull(record.legacyError),
  storableOrNull(record.modernError),
  record.fields.length === 0 ? "[]" : storableJson(record.fields),
  record.more,
  record.excluded,
  record.request,
];

export function comparisonOf(row: StoredRow): StoredComparison {
  const [
    id,
    at,
    method,
    epoch,
    answered,
    kind,
    verdict,
    unit,
    fingerprint,
    legacyMs,
    modernMs,
    legacyError,
    modernError,
    fields,
    more,
    excluded,
    request,
  ] = row;
  return {
    id,
    at,
    method,
    epoch,
    answered,
    kind,
    verdict,
    unit,
    fingerprint,
    legacyMs,
    modernMs,
    legacyError,
    modernError,
    fields: JSON.parse(fields),
    more,
    excluded,
    request,
  };
}
