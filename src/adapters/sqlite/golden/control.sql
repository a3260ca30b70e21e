
application_id 0x706e6c63
user_version 2
journal_mode wal
CREATE TABLE published (
hash TEXT PRIMARY KEY NOT NULL,
text TEXT NOT NULL,
phase TEXT NOT NULL CONSTRAINT "phase is read_only, shadow_mode, dual_write, primary_switch or cleanup" CHECK (phase IN ('read_only', 'shadow_mode', 'dual_write', 'primary_switch', 'cleanup')),
at TEXT NOT NULL,
by TEXT NOT NULL
)
CREATE TRIGGER published_stays BEFORE UPDATE ON published
BEGIN SELECT RAISE(ABORT, 'what was published is never changed: publish another section'); END
CREATE TRIGGER published_is_kept BEFORE DELETE ON published
BEGIN SELECT RAISE(ABORT, 'what was published is kept: the audit refers to it'); END
CREATE TABLE config (
one INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
use_new_pnl_system INTEGER CONSTRAINT "use_new_pnl_system is true, false or NULL" CHECK (use_new_pnl_system IN (0, 1)),
migration_mode TEXT CONSTRAINT "migration_mode is dual_write, old_only, new_only or NULL" CHECK (migration_mode IN ('dual_write', 'old_only', 'new_only')),
phase TEXT CONSTRAINT "phase is read_only, shadow_mode, dual_write, primary_switch or cleanup" CHECK (phase IN ('read_only', 'shadow_mode', 'dual_write', 'primary_switch', 'cleanup')),
new_system_percentage NUMERIC CONSTRAINT "new_system_percentage is 0 to 100, at most three decimals, or NULL" CHECK (
typeof(new_system_percentage) IN ('integer', 'real', 'null')
AND new_system_percentage BETWEEN 0 AND 100
AND round(new_system_percentage, 3) = new_system_percentage),
user_whitelist TEXT CHECK (typeof(user_whitelist) IN ('text', 'null')) CHECK (
CASE WHEN json_valid(user_whitelist) THEN json_type(user_whitelist) IS 'array' ELSE user_whitelist IS NULL END),
granted_phase TEXT NOT NULL DEFAULT 'read_only' CONSTRAINT "granted_phase is read_only, shadow_mode, dual_write, primary_switch or cleanup" CHECK (granted_phase IN ('read_only', 'shadow_mode', 'dual_write', 'primary_switch', 'cleanup')),
granted_epoch INTEGER NOT NULL DEFAULT 1,
latched TEXT CHECK (typeof(latched) IN ('text', 'null')),
ramp TEXT CHECK (typeof(ramp) IN ('text', 'null')) CHECK (
CASE WHEN json_valid(ramp) THEN json_type(ramp, '$.steps') IS 'array' ELSE ramp IS NULL END),
legacy_window TEXT NOT NULL DEFAULT 'open' CONSTRAINT "legacy_window is open or closed" CHECK (legacy_window IN ('open', 'closed')),
cache_generation INTEGER NOT NULL DEFAULT 0 CHECK (typeof(cache_generation) = 'integer'),
published_hash TEXT REFERENCES published (hash),
epoch INTEGER NOT NULL DEFAULT 1,
updated_at TEXT NOT NULL,
updated_by TEXT NOT NULL,
revision INTEGER NOT NULL DEFAULT 1,
change TEXT CHECK (typeof(change) IN ('text', 'null')) CHECK (json_valid(coalesce(change, '{}'))), user_denylist TEXT CHECK (typeof(user_denylist) IN ('text', 'null')) CHECK (
CASE WHEN json_valid(user_denylist) THEN json_type(user_denylist) IS 'array' ELSE user_denylist IS NULL END),
CONSTRAINT "only the store sets the epoch" CHECK (typeof(epoch) = 'integer' AND epoch = revision)
)
CREATE TABLE audit (
seq INTEGER PRIMARY KEY AUTOINCREMENT,
at TEXT NOT NULL,
actor TEXT NOT NULL,
action TEXT NOT NULL,
reason TEXT NOT NULL,
epoch INTEGER NOT NULL,
before TEXT,
after TEXT,
evidence TEXT
)
CREATE TABLE sqlite_sequence(name,seq)
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is never changed: it is a chain of hashes, and each process knows its head'); END
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is kept: it is a chain of hashes, and each process knows its head'); END
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the audit is never changed: this row is there'); END
CREATE TABLE sign_offs (
id INTEGER PRIMARY KEY AUTOINCREMENT,
gate TEXT NOT NULL,
phase TEXT NOT NULL CONSTRAINT "phase is read_only, shadow_mode, dual_write, primary_switch or cleanup" CHECK (phase IN ('read_only', 'shadow_mode', 'dual_write', 'primary_switch', 'cleanup')),
actor TEXT NOT NULL,
note TEXT NOT NULL,
at TEXT NOT NULL,
expires_at TEXT NOT NULL,
granted_epoch INTEGER NOT NULL
)
CREATE TRIGGER config_has_one_row BEFORE INSERT ON config
BEGIN SELECT RAISE(ABORT, 'config has one row: UPDATE it'); END
CREATE TRIGGER config_keeps_its_row BEFORE DELETE ON config
BEGIN SELECT RAISE(ABORT, 'config has one row: set a column to NULL where the published file should decide'); END
CREATE VIEW new_pnl_cache AS SELECT cache_generation, updated_at FROM config
CREATE TRIGGER new_pnl_cache_voided INSTEAD OF DELETE ON new_pnl_cache
BEGIN UPDATE config SET cache_generation = cache_generation + 1; END
CREATE TRIGGER config_rules BEFORE UPDATE ON config
BEGIN
SELECT RAISE(ABORT, 'user_whitelist is a JSON array of texts, as ["amy", "bob"], or NULL') WHERE
CASE WHEN json_valid(NEW.user_whitelist)
THEN EXISTS (SELECT 1 FROM json_each(NEW.user_whitelist) WHERE type <> 'text')
ELSE NEW.user_whitelist NOT NULL END;
SELECT RAISE(ABORT, 'user_denylist is a JSON array of texts, as ["amy", "bob"], or NULL') WHERE
CASE WHEN json_valid(NEW.user_denylist)
THEN EXISTS (SELECT 1 FROM json_each(NEW.user_denylist) WHERE type <> 'text')
ELSE NEW.user_denylist NOT NULL END;
SELECT RAISE(ABORT, 'published_hash is none of those in published')
WHERE NEW.published_hash NOT NULL AND NOT EXISTS (SELECT 1 FROM published WHERE hash = NEW.published_hash);
SELECT RAISE(ABORT, 'granted_phase and legacy_window follow from gates and sign-offs: use pnl-bridge phase advance, or sign-off')
WHERE NEW.change IS NULL AND NEW.epoch = OLD.epoch AND (
NEW.granted_phase IS NOT OLD.granted_phase
OR NEW.granted_epoch IS NOT OLD.granted_epoch
OR NEW.legacy_window IS NOT OLD.legacy_window);
END
CREATE TRIGGER config_changed AFTER UPDATE ON config
WHEN NEW.epoch = OLD.epoch AND (
NEW.change NOT NULL
OR NEW.use_new_pnl_system IS NOT OLD.use_new_pnl_system
OR NEW.migration_mode IS NOT OLD.migration_mode
OR NEW.phase IS NOT OLD.phase
OR NEW.new_system_percentage IS NOT OLD.new_system_percentage
OR NEW.user_whitelist IS NOT OLD.user_whitelist
OR NEW.user_denylist IS NOT OLD.user_denylist
OR NEW.granted_phase IS NOT OLD.granted_phase
OR NEW.granted_epoch IS NOT OLD.granted_epoch
OR NEW.latched IS NOT OLD.latched
OR NEW.ramp IS NOT OLD.ramp
OR NEW.legacy_window IS NOT OLD.legacy_window
OR NEW.cache_generation IS NOT OLD.cache_generation
OR NEW.published_hash IS NOT OLD.published_hash
OR NEW.updated_at IS NOT OLD.updated_at
OR NEW.updated_by IS NOT OLD.updated_by)
BEGIN
UPDATE config SET
epoch = OLD.epoch + 1,
revision = OLD.epoch + 1,
updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
updated_by = coalesce(json_extract(NEW.change, '$.actor'), 'sql'),
change = NULL,
(granted_phase, granted_epoch) = (
SELECT granted, CASE granted WHEN OLD.granted_phase THEN OLD.granted_epoch ELSE OLD.epoch + 1 END FROM (
SELECT CASE WHEN instr(phases, asked) < instr(phases, NEW.granted_phase) THEN asked ELSE NEW.granted_phase END AS granted FROM (
SELECT
'read_only shadow_mode dual_write primary_switch cleanup' AS phases,
coalesce(NEW.phase, (SELECT phase FROM published WHERE hash = NEW.published_hash), 'read_only') AS asked)));
INSERT INTO audit (at, actor, action, reason, epoch, before, after, evidence) SELECT
config.updated_at,
config.updated_by,
coalesce(json_extract(NEW.change, '$.action'), 'sql'),
coalesce(json_extract(NEW.change, '$.reason'), ''),
config.epoch,
json_object(
'use_new_pnl_system', json(CASE OLD.use_new_pnl_system WHEN 1 THEN 'true' WHEN 0 THEN 'false' END),
'migration_mode', OLD.migration_mode,
'phase', OLD.phase,
'new_system_percentage', OLD.new_system_percentage,
'user_whitelist', json(OLD.user_whitelist),
'user_denylist', json(OLD.user_denylist),
'granted_phase', OLD.granted_phase,
'latched', OLD.latched,
'ramp', json(OLD.ramp),
'legacy_window', OLD.legacy_window,
'cache_generation', OLD.cache_generation,
'published_hash', OLD.published_hash),
json_object(
'use_new_pnl_system', json(CASE config.use_new_pnl_system WHEN 1 THEN 'true' WHEN 0 THEN 'false' END),
'migration_mode', config.migration_mode,
'phase', config.phase,
'new_system_percentage', config.new_system_percentage,
'user_whitelist', json(config.user_whitelist),
'user_denylist', json(config.user_denylist),
'granted_phase', config.granted_phase,
'latched', config.latched,
'ramp', json(config.ramp),
'legacy_window', config.legacy_window,
'cache_generation', config.cache_generation,
'published_hash', config.published_hash),
json_extract(NEW.change, '$.evidence')
FROM config;
END
