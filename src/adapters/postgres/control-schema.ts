/**
 * The tables of the control store. Their triggers treat an operator's statement like a change by this
 * program, so it takes effect without a running process.
 *
 * An operator's role need not own the tables: `GRANT SELECT, UPDATE ON config TO desk; GRANT SELECT, DELETE
 * ON new_pnl_cache TO desk;` suffices. A schema other than `public` also needs USAGE, and must be on the
 * role's search_path. Reading the other tables needs SELECT on them. The triggers write the audit with the
 * rights of its owner. They accept an actor other than the session's user only from a role that may insert
 * into `audit`. A process needs SELECT, INSERT, UPDATE and DELETE on all tables.
 */
import type { OwnedTables } from "./migrations.ts";

/**
 * The channel that announces each epoch. The payload is `EPOCH SCHEMA`, since all schemas of a database share
 * its channels.
 */
export const channel = "pnl_bridge_control";
/** The setting in which a process gives the triggers actor, action and reason, within its transaction. */
export const changeSetting = "pnl_bridge.change";

const phases = "'read_only', 'shadow_mode', 'dual_write', 'primary_switch', 'cleanup'";

const listColumn = (
  list: string,
): string => `${list} jsonb CONSTRAINT "${list} is a JSON array of texts" CHECK (
          CASE jsonb_typeof(${list})
            WHEN 'array' THEN NOT jsonb_path_exists(${list}, 'strict $[*] ? (@.type() != "string")')
            ELSE ${list} IS NULL
          END)`;

export const controlTables: OwnedTables = {
  names: {
    name: "control",
    versions: "control_migrations",
    what: "the plan",
    tables: "the tables of the control store",
    elsewhere: "name a new schema in the URL (?options=-c%20search_path%3Dpnl_bridge); it is created",
    locks: "config: SELECT pid, usename, query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'",
  },
  migrations: [
    // The functions set their own search path, so that the session's does not matter. PostgreSQL shows the
    // name of a failed constraint to the operator, so the name is the message.
    (schema) => `
      CREATE TABLE ${schema}.published (
        hash text PRIMARY KEY,
        text text NOT NULL,
        phase text NOT NULL CHECK (phase IN (${phases})),
        at timestamptz(3) NOT NULL,
        by text NOT NULL
      );
      CREATE TABLE ${schema}.config (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        use_new_pnl_system boolean,
        migration_mode text CONSTRAINT "migration_mode is dual_write, old_only or new_only"
          CHECK (migration_mode IN ('dual_write', 'old_only', 'new_only')),
        phase text CONSTRAINT "phase: read_only shadow_mode dual_write primary_switch cleanup" CHECK (phase IN (${phases})),
        new_system_percentage numeric CONSTRAINT "new_system_percentage is 0 to 100, with three decimals at most"
          CHECK (new_system_percentage BETWEEN 0 AND 100 AND scale(trim_scale(new_system_percentage)) <= 3),
        ${listColumn("user_whitelist")},
        granted_phase text NOT NULL DEFAULT 'read_only' CHECK (granted_phase IN (${phases})),
        granted_epoch bigint NOT NULL DEFAULT 1,
        latched text,
        ramp jsonb CHECK (ramp IS NULL OR coalesce(jsonb_typeof(ramp -> 'steps'), '') = 'array'),
        legacy_window text NOT NULL DEFAULT 'open' CHECK (legacy_window IN ('open', 'closed')),
        cache_generation bigint NOT NULL DEFAULT 0,
        published_hash text REFERENCES ${schema}.published (hash),
        epoch bigint NOT NULL DEFAULT 1,
        updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        updated_by text NOT NULL DEFAULT ''
      );
      INSERT INTO ${schema}.config DEFAULT VALUES;
      CREATE VIEW ${schema}.new_pnl_cache AS SELECT cache_generation, updated_at FROM ${schema}.config;
      CREATE TABLE ${schema}.audit (
        seq bigint PRIMARY KEY,
        at timestamptz(3) NOT NULL,
        actor text NOT NULL,
        action text NOT NULL,
        reason text NOT NULL,
        epoch bigint NOT NULL,
        before jsonb,
        after jsonb,
        evidence json
      );
      CREATE TABLE ${schema}.sign_offs (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        gate text NOT NULL,
        phase text NOT NULL CHECK (phase IN (${phases})),
        actor text NOT NULL,
        note text NOT NULL,
        at timestamptz(3) NOT NULL,
        expires_at timestamptz(3) NOT NULL,
        granted_epoch bigint NOT NULL
      );
      CREATE TABLE ${schema}.instances (
        id text PRIMARY KEY,
        name text NOT NULL,
        seen_epoch bigint NOT NULL,
        drained_epoch bigint NOT NULL,
        report jsonb NOT NULL,
        started_at timestamptz(3) NOT NULL,
        beat_at timestamptz(3) NOT NULL,
        beats bigint NOT NULL
      );
      CREATE TABLE ${schema}.seals (
        seq bigint PRIMARY KEY,
        previous_hash text NOT NULL,
        hash text NOT NULL
      );

      CREATE FUNCTION ${schema}.config_columns(${schema}.config) RETURNS jsonb LANGUAGE sql STABLE AS $$
        SELECT to_jsonb($1) - ARRAY['only_row', 'granted_epoch', 'epoch', 'updated_at', 'updated_by']
      $$;
      CREATE FUNCTION ${schema}.config_change() RETURNS jsonb LANGUAGE sql STABLE
        SET search_path = ${schema}, pg_temp AS $$
        SELECT CASE WHEN has_table_privilege(session_user, 'audit', 'INSERT')
          THEN nullif(current_setting('${changeSetting}', true), '')::jsonb END
      $$;

      CREATE FUNCTION ${schema}.config_decide() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = ${schema}, pg_temp AS $$
        DECLARE
          change constant jsonb := config_change();
          in_order constant text[] := ARRAY[${phases}];
          asked text;
        BEGIN
          IF NEW.epoch IS NULL THEN
            RAISE EXCEPTION 'only the store sets the epoch: leave the column out' USING ERRCODE = 'not_null_violation';
          END IF;
          IF change IS NULL AND (NEW.granted_phase, NEW.granted_epoch, NEW.legacy_window)
              IS DISTINCT FROM (OLD.granted_phase, OLD.granted_epoch, OLD.legacy_window) THEN
            RAISE EXCEPTION 'granted_phase and legacy_window follow from gates and sign-offs'
              USING HINT = 'use pnl-bridge phase advance for granted_phase, and pnl-bridge sign-off for legacy_window', ERRCODE = 'check_violation';
          END IF;
          NEW.only_row := true;
          NEW.new_system_percentage := trim_scale(NEW.new_system_percentage);
          NEW.cache_generation := greatest(NEW.cache_generation, OLD.cache_generation);
          IF change IS NULL AND config_columns(NEW) = config_columns(OLD) THEN
            RETURN OLD;
          END IF;
          asked := coalesce(NEW.phase, (SELECT phase FROM published WHERE hash = NEW.published_hash), 'read_only');
          IF array_position(in_order, asked) < array_position(in_order, NEW.granted_phase) THEN
            NEW.granted_phase := asked;
          END IF;
          NEW.epoch := OLD.epoch + 1;
          NEW.granted_epoch := CASE NEW.granted_phase WHEN OLD.granted_phase THEN OLD.granted_epoch ELSE NEW.epoch END;
          NEW.updated_at := clock_timestamp();
          NEW.updated_by := coalesce(change ->> 'actor', session_user);
          RETURN NEW;
        END $$;
      CREATE TRIGGER config_decide BEFORE UPDATE ON ${schema}.config
        FOR EACH ROW EXECUTE FUNCTION ${schema}.config_decide();

      CREATE FUNCTION ${schema}.config_tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = ${schema}, pg_temp AS $$
        DECLARE
          change constant jsonb := config_change();
        BEGIN
          INSERT INTO audit SELECT
            (SELECT coalesce(max(seq), 0) + 1 FROM audit),
            NEW.updated_at,
            NEW.updated_by,
            coalesce(change ->> 'action', 'sql'),
            coalesce(change ->> 'reason', ''),
            NEW.epoch,
            config_columns(OLD),
            config_columns(NEW),
            (change ->> 'evidence')::json;
          PERFORM pg_notify('${channel}', NEW.epoch || ' ' || TG_TABLE_SCHEMA);
          RETURN NULL;
        END $$;
      CREATE TRIGGER config_tell AFTER UPDATE ON ${schema}.config
        FOR EACH ROW WHEN (NEW.epoch <> OLD.epoch) EXECUTE FUNCTION ${schema}.config_tell();

      CREATE FUNCTION ${schema}.new_pnl_cache_void() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = ${schema}, pg_temp AS $$
        BEGIN
          UPDATE config SET cache_generation = cache_generation + 1;
          RETURN OLD;
        END $$;
      CREATE TRIGGER new_pnl_cache_void INSTEAD OF DELETE ON ${schema}.new_pnl_cache
        FOR EACH ROW EXECUTE FUNCTION ${schema}.new_pnl_cache_void();

      CREATE FUNCTION ${schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          RAISE EXCEPTION '%', TG_ARGV[0] USING HINT = TG_ARGV[1];
        END $$;
      CREATE TRIGGER config_has_one_row BEFORE INSERT OR DELETE OR TRUNCATE ON ${schema}.config
        FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.refuse('config has one row, always',
          'UPDATE it; set a column to NULL where the published file should decide');
      CREATE TRIGGER published_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ${schema}.published
        FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.refuse('what was published is kept: the audit refers to it',
          'publish another section');
      CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ${schema}.audit
        FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.refuse('the audit is kept as it is: it is a chain of hashes',
          'audit verify would report the change, because each process keeps the newest seal that it knows');`,
    // `config_columns` lists every column of the row, so a new column appears in the audit without a change
    // here.
    (schema) => `ALTER TABLE ${schema}.config ADD COLUMN ${listColumn("user_denylist")};`,
  ],
};
