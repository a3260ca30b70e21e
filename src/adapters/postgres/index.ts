export { openPostgresEvidenceStore, type PostgresEvidenceOptions, postgresEvidenceDefaults } from "./evidence-store.ts";
