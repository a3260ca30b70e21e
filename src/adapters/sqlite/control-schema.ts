/**
 * The schemas of the two files of a control store. Their checks and triggers run in whatever SQLite shell an
 * operator has, so they use only built-in functions that old versions have too. (A 3.40 shell in which
 * somebody sets `trusted_schema = OFF` refuses JSON functions in every schema, this one included; its default
 * setting allows them.)
 *
 * People and this program both write `config`. Only the program sets `change`, which gives the trigger the
 * actor and the reason; the trigger clears it. The epoch rises when a column's value changes or `change` is
 * set. The trigger raises epoch and revision together; a statement that sets one of them by hand fails the
 * check.
 */
import type { OwnedKind } from "./owned-file.ts";

/** The columns that hold a list of users, in the order in which versions of the schema added them. */
const userLists = ["user_whitelist", "user_denylist"];

/** The JSON object in which the audit keeps a row of `config`; `row` is OLD or config. */
const columnsJson = (row: string, lists: readonly string[]): string => `json_object(
       'use_new_pnl_system', json(CASE ${row}.use_new_pnl_system WHEN 1 THEN 'true' WHEN 0 THEN 'false' END),
       'migration_mode', ${row}.migration_mode,
       'phase', ${row}.phase,
       'new_system_percentage', ${row}.new_system_percentage,
       ${lists.map((list) => `'${list}', json(${row}.${list}),`).join("\n       ")}
       'granted_phase', ${row}.granted_phase,
       'latched', ${row}.latched,
       'ramp', json(${row}.ramp),
       'legacy_window', ${row}.legacy_window,
       'cache_generation', ${row}.cache_generation,
       'published_hash', ${row}.published_hash)`;

/**
 * SQLite shows the name of a failed check to the person whose statement it refuses, so the name is the
 * message.
 */
const isPhase = (column: string): string =>
  `CONSTRAINT "${column} is read_only, shadow_mode, dual_write, primary_switch or cleanup" ` +
  `CHECK (${column} IN ('read_only', 'shadow_mode', 'dual_write', 'primary_switch', 'cleanup'))`;
const isText = (column: string): string => `CHECK (typeof(${column}) IN ('text', 'null'))`;
const now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

const listColumn = (list: string): string => `${list} TEXT ${isText(list)} CHECK (
       CASE WHEN json_valid(${list}) THEN json_type(${list}) IS 'array' ELSE ${list} IS NULL END)`;
const isListOfTexts = (
  list: string,
): string => `SELECT RAISE(ABORT, '${list} is a JSON array of texts, as ["amy", "bob"], or NULL') WHERE
       CASE WHEN json_valid(NEW.${list})
         THEN EXISTS (SELECT 1 FROM json_each(NEW.${list}) WHERE type <> 'text')
         ELSE NEW.${list} NOT NULL END;`;

/** The triggers for updates of `config`, for a schema version that has these list columns. */
const configTriggers = (
  lists: readonly string[],
): string => `CREATE TRIGGER config_rules BEFORE UPDATE ON config
   BEGIN
     ${lists.map(isListOfTexts).join("\n     ")}
     SELECT RAISE(ABORT, 'published_hash is none of those in published')
       WHERE NEW.published_hash NOT NULL AND NOT EXISTS (SELECT 1 FROM published WHERE hash = NEW.published_hash);
     SELECT RAISE(ABORT, 'granted_phase and legacy_window follow from gates and sign-offs: use pnl-bridge phase advance, or sign-off')
       WHERE NEW.change IS NULL AND NEW.epoch = OLD.epoch AND (
         NEW.granted_phase IS NOT OLD.granted_phase
         OR NEW.granted_epoch IS NOT OLD.granted_epoch
         OR NEW.legacy_window IS NOT OLD.legacy_window);
   END;
   CREATE TRIGGER config_changed AFTER UPDATE ON config
   WHEN NEW.epoch = OLD.epoch AND (
     NEW.change NOT NULL
     OR NEW.use_new_pnl_system IS NOT OLD.use_new_pnl_system
     OR NEW.migration_mode IS NOT OLD.migration_mode
     OR NEW.phase IS NOT OLD.phase
     OR NEW.new_system_percentage IS NOT OLD.new_system_percentage
     ${lists.map((list) => `OR NEW.${list} IS NOT OLD.${list}`).join("\n     ")}
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
       updated_at = ${now},
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
       ${columnsJson("OLD", lists)},
       ${columnsJson("config", lists)},
       json_extract(NEW.change, '$.evidence')
     FROM config;
   END;`;

const controlMigrations: readonly string[] = [
  `CREATE TABLE published (
     hash TEXT PRIMARY KEY NOT NULL,
     text TEXT NOT NULL,
     phase TEXT NOT NULL ${isPhase("phase")},
     at TEXT NOT NULL,
     by TEXT NOT NULL
   );
   CREATE TRIGGER published_stays BEFORE UPDATE ON published
   BEGIN SELECT RAISE(ABORT, 'what was published is never changed: publish another section'); END;
   CREATE TRIGGER published_is_kept BEFORE DELETE ON published
   BEGIN SELECT RAISE(ABORT, 'what was published is kept: the audit refers to it'); END;

   CREATE TABLE config (
     one INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
     use_new_pnl_system INTEGER CONSTRAINT "use_new_pnl_system is true, false or NULL" CHECK (use_new_pnl_system IN (0, 1)),
     migration_mode TEXT CONSTRAINT "migration_mode is dual_write, old_only, new_only or NULL" CHECK (migration_mode IN ('dual_write', 'old_only', 'new_only')),
     phase TEXT ${isPhase("phase")},
     new_system_percentage NUMERIC CONSTRAINT "new_system_percentage is 0 to 100, at most three decimals, or NULL" CHECK (
       typeof(new_system_percentage) IN ('integer', 'real', 'null')
       AND new_system_percentage BETWEEN 0 AND 100
       AND round(new_system_percentage, 3) = new_system_percentage),
     ${listColumn("user_whitelist")},
     granted_phase TEXT NOT NULL DEFAULT 'read_only' ${isPhase("granted_phase")},
     granted_epoch INTEGER NOT NULL DEFAULT 1,
     latched TEXT ${isText("latched")},
     ramp TEXT ${isText("ramp")} CHECK (
       CASE WHEN json_valid(ramp) THEN json_type(ramp, '$.steps') IS 'array' ELSE ramp IS NULL END),
     legacy_window TEXT NOT NULL DEFAULT 'open' CONSTRAINT "legacy_window is open or closed" CHECK (legacy_window IN ('open', 'closed')),
     cache_generation INTEGER NOT NULL DEFAULT 0 CHECK (typeof(cache_generation) = 'integer'),
     published_hash TEXT REFERENCES published (hash),
     epoch INTEGER NOT NULL DEFAULT 1,
     updated_at TEXT NOT NULL,
     updated_by TEXT NOT NULL,
     revision INTEGER NOT NULL DEFAULT 1,
     change TEXT ${isText("change")} CHECK (json_valid(coalesce(change, '{}'))),
     CONSTRAINT "only the store sets the epoch" CHECK (typeof(epoch) = 'integer' AND epoch = revision)
   );
   INSERT INTO config (updated_at, updated_by) VALUES (${now}, '');

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
   );
   CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
   BEGIN SELECT RAISE(ABORT, 'the audit is never changed: it is a chain of hashes, and each process knows its head'); END;
   CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
   BEGIN SELECT RAISE(ABORT, 'the audit is kept: it is a chain of hashes, and each process knows its head'); END;
   CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
   WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
   BEGIN SELECT RAISE(ABORT, 'the audit is never changed: this row is there'); END;

   CREATE TABLE sign_offs (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     gate TEXT NOT NULL,
     phase TEXT NOT NULL ${isPhase("phase")},
     actor TEXT NOT NULL,
     note TEXT NOT NULL,
     at TEXT NOT NULL,
     expires_at TEXT NOT NULL,
     granted_epoch INTEGER NOT NULL
   );

   CREATE TRIGGER config_has_one_row BEFORE INSERT ON config
   BEGIN SELECT RAISE(ABORT, 'config has one row: UPDATE it'); END;
   CREATE TRIGGER config_keeps_its_row BEFORE DELETE ON config
   BEGIN SELECT RAISE(ABORT, 'config has one row: set a column to NULL where the published file should decide'); END;
   ${configTriggers(userLists.slice(0, 1))}

   CREATE VIEW new_pnl_cache AS SELECT cache_generation, updated_at FROM config;
   CREATE TRIGGER new_pnl_cache_voided INSTEAD OF DELETE ON new_pnl_cache
   BEGIN UPDATE config SET cache_generation = cache_generation + 1; END;`,
  `ALTER TABLE config ADD COLUMN ${listColumn("user_denylist")};
   DROP TRIGGER config_rules;
   DROP TRIGGER config_changed;
   ${configTriggers(userLists)}`,
];

export const controlKind: OwnedKind = {
  /** "pnlc". */
  applicationId: 0x706e6c63,
  migrations: controlMigrations,
  synchronous: "FULL",
  fix:
    "restore it from a backup, or name a new file for the control store, which is then created; " +
    "the fleet keeps its last plan meanwhile",
};

/** Data that changes often and may be lost: processes send new heartbeats, and the audit gets new seals. */
export const liveKind: OwnedKind = {
  /** "pnll". */
  applicationId: 0x706e6c6c,
  migrations: [
    `CREATE TABLE instances (
       id TEXT PRIMARY KEY NOT NULL,
       name TEXT NOT NULL,
       seen_epoch INTEGER NOT NULL,
       drained_epoch INTEGER NOT NULL,
       report TEXT NOT NULL,
       started_at TEXT NOT NULL,
       beat_ms INTEGER NOT NULL,
       beats INTEGER NOT NULL
     ) WITHOUT ROWID;
     CREATE TABLE seals (
       seq INTEGER PRIMARY KEY,
       previous_hash TEXT NOT NULL,
       hash TEXT NOT NULL
     );`,
  ],
  synchronous: "NORMAL",
  fix: "move it to another folder; a new one is created",
};
