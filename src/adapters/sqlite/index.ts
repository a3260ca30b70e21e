export { type Archive, archiveSqlite, checkArchive } from "./archive.ts";
export { besideFiles, legacyOnly } from "./beside.ts";
export { openSqliteControlStore, type SqliteControlOptions } from "./control-store.ts";
export { openSqliteEvidenceStore, type SqliteEvidenceOptions } from "./evidence-store.ts";
export {
  hasLegacyTrades,
  type LegacyDatabase,
  type LegacyTable,
  readLegacyDatabase,
  type StoredTrade,
} from "./legacy-database.ts";
export { AttachedDaily, SqliteReader } from "./reconcile-reader.ts";
export { walBytes, walBytesMax } from "./record-file.ts";
export { holdSqliteRecordStore, openSqliteRecordStore } from "./record-store.ts";
