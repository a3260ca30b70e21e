
application_id 0x706e6c6c
user_version 1
journal_mode wal
CREATE TABLE instances (
id TEXT PRIMARY KEY NOT NULL,
name TEXT NOT NULL,
seen_epoch INTEGER NOT NULL,
drained_epoch INTEGER NOT NULL,
report TEXT NOT NULL,
started_at TEXT NOT NULL,
beat_ms INTEGER NOT NULL,
beats INTEGER NOT NULL
) WITHOUT ROWID
CREATE TABLE seals (
seq INTEGER PRIMARY KEY,
previous_hash TEXT NOT NULL,
hash TEXT NOT NULL
)
