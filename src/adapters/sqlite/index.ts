export { openSqliteControlStore, type SqliteControlOptions, sqliteControlDefaults } from "./control-store.ts";
export { openSqliteEvidenceStore, type SqliteEvidenceOptions, sqliteEvidenceDefaults } from "./evidence-store.ts";
export { type LegacyDatabase, type LegacyTable, readLegacyDatabase, type StoredTrade } from "./legacy-database.ts";
