export { openSqliteControlStore, type SqliteControlOptions, sqliteControlDefaults } from "./control-store.ts";
export { openSqliteEvidenceStore, type SqliteEvidenceOptions, sqliteEvidenceDefaults } from "./evidence-store.ts";
export type {
  LegacyDatabase,
  LegacyTable,
  Missing,
  ReadOptions,
  StoredDay,
  StoredPosition,
  StoredPositionSnapshot,
  StoredSnapshot,
  StoredTrade,
} from "./legacy-database.ts";
export { readLegacyDatabase } from "./legacy-database.ts";
