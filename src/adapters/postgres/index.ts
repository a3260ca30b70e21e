export { openPostgresControlStore, type PostgresControlOptions } from "./control-store.ts";
export {
  openPostgresEvidenceStore,
  type PostgresEvidenceOptions,
  postgresEvidenceDefaults,
} from "./evidence-store.ts";
export { openPostgresReader } from "./reconcile-reader.ts";
export { openPostgresRecordStore, type PostgresRecordOptions } from "./record-store.ts";
