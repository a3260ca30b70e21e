import type { OwnedTables } from "./migrations.ts";

/** Rows are found and ordered by the bytes of their keys, whatever the collation of the database is. */
const key = (column: string): string => `${column} text COLLATE "C" NOT NULL`;

/**
 * A number with any number of digits. The check refuses NaN and infinity: either of them minus itself is NaN,
 * not 0.
 */
const decimal = (column: string): string => `${column} numeric CHECK (${column} - ${column} = 0)`;

/** Modern's own tables, and the database bridge's tables, whose names begin with `pnlb_`. */
export const recordTables: OwnedTables = {
  names: {
    name: "modern",
    versions: "pnlb_migrations",
    what: "the records",
    tables: "the tables of the records",
    elsewhere: "name a new schema in the URL (?schema=newpnl2); it is created",
    locks: "pnlb_fence",
  },
  migrations: [
    (schema) => `
      CREATE TABLE ${schema}.trades (
        ${key("trade_key")} PRIMARY KEY CHECK (length(trade_key) = 64),
        trade_id text NOT NULL,
        instrument text NOT NULL,
        symbol text NOT NULL,
        book text NOT NULL,
        side text NOT NULL CHECK (side IN ('B', 'S')),
        ${decimal("quantity")} NOT NULL,
        ${decimal("price")} NOT NULL,
        ${decimal("fee")} NOT NULL,
        traded_at text NOT NULL,
        trading_day text,
        source_file text NOT NULL,
        source_line bigint,
        occurrence bigint NOT NULL,
        version bigint NOT NULL
      );
      CREATE TABLE ${schema}.positions (
        ${key("book")},
        instrument text NOT NULL,
        ${key("symbol")},
        ${decimal("quantity")} NOT NULL,
        average_price text CHECK (average_price ~ '^-?[0-9.]+(/[0-9]+)?$'),
        ${decimal("realized")} NOT NULL,
        ${decimal("unrealized")},
        ${decimal("mark")},
        as_of text NOT NULL,
        version bigint NOT NULL,
        PRIMARY KEY (book, symbol)
      );
      CREATE TABLE ${schema}.daily (
        ${key("trading_day")},
        ${key("book")},
        instrument text NOT NULL,
        ${key("symbol")},
        ${decimal("quantity")} NOT NULL,
        ${decimal("realized")} NOT NULL,
        ${decimal("unrealized")},
        version bigint NOT NULL,
        PRIMARY KEY (trading_day, book, symbol)
      );
      CREATE TABLE ${schema}.marks (
        ${key("instrument")},
        ${key("mark_kind")},
        ${key("trading_day")},
        symbol text NOT NULL,
        ${decimal("price")} NOT NULL,
        at text NOT NULL,
        source text NOT NULL,
        version bigint NOT NULL,
        PRIMARY KEY (instrument, mark_kind, trading_day)
      );

      CREATE TABLE ${schema}.pnlb_fence (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        epoch bigint NOT NULL,
        authority text NOT NULL CHECK (authority IN ('legacy', 'modern')),
        step text NOT NULL DEFAULT '',
        incarnation text NOT NULL,
        relay_token bigint NOT NULL DEFAULT 0,
        applied bigint NOT NULL DEFAULT 0,
        forgotten bigint NOT NULL DEFAULT 0,
        forgotten_place bigint NOT NULL DEFAULT 0
      );
      CREATE TABLE ${schema}.pnlb_keys (
        ${key("idempotency_key")} PRIMARY KEY,
        digest text NOT NULL,
        version bigint NOT NULL
      );
      CREATE TABLE ${schema}.pnlb_versions (
        ${key("aggregate")} PRIMARY KEY,
        claim text COLLATE "C" UNIQUE,
        version bigint NOT NULL,
        written text NOT NULL
      );
      CREATE TABLE ${schema}.pnlb_outbox (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        idempotency_key text NOT NULL,
        digest text NOT NULL,
        rows text NOT NULL,
        versions text NOT NULL,
        at_ms bigint NOT NULL,
        state text NOT NULL CHECK (state IN ('pending', 'done', 'parked')),
        place bigint,
        settled_ms bigint,
        code text,
        because text
      );
      CREATE INDEX pnlb_outbox_pending ON ${schema}.pnlb_outbox (seq) WHERE state <> 'done';
      CREATE TABLE ${schema}.pnlb_inbox (
        ${key("source")},
        seq bigint NOT NULL,
        place bigint NOT NULL,
        digest text NOT NULL,
        PRIMARY KEY (source, seq)
      );
      CREATE TABLE ${schema}.pnlb_backfill (
        ${key("pass")},
        ${key("source")},
        upper bigint NOT NULL,
        next bigint NOT NULL,
        done bigint NOT NULL,
        imported bigint NOT NULL,
        quarantined bigint NOT NULL,
        PRIMARY KEY (pass, source)
      );
      CREATE TABLE ${schema}.pnlb_quarantine (
        ${key("source")},
        ${key("key")},
        kind text NOT NULL CHECK (kind IN ('row', 'review')),
        code text NOT NULL,
        because text NOT NULL,
        legacy text,
        modern text,
        at_ms bigint NOT NULL,
        settled_ms bigint,
        settled_as text,
        PRIMARY KEY (source, key)
      );
      CREATE TABLE ${schema}.pnlb_leases (
        ${key("name")} PRIMARY KEY,
        holder text NOT NULL,
        until_ms bigint NOT NULL,
        token bigint NOT NULL
      );
      CREATE TABLE ${schema}.pnlb_reconciles (
        at_ms bigint PRIMARY KEY,
        ok integer NOT NULL,
        complete integer NOT NULL,
        position bigint NOT NULL,
        breaks bigint NOT NULL,
        not_comparable bigint NOT NULL
      );`,
    (schema) => `
      CREATE TABLE ${schema}.pnlb_unstorable (
        ${key("aggregate")} PRIMARY KEY,
        "row" text NOT NULL,
        cause text NOT NULL
      );`,
  ],
};
