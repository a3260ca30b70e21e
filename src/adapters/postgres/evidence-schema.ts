import type { OwnedTables } from "./migrations.ts";

export const evidenceTables: OwnedTables = {
  names: {
    name: "evidence",
    versions: "evidence_migrations",
    what: "evidence",
    tables: "the evidence tables",
    elsewhere: "name a new schema for evidence; it is created",
    locks: "the evidence tables",
  },
  migrations: [
    // Ids come from the head row and not from a sequence: failed transactions leave gaps in a sequence, and
    // "the newest n" would have to be counted. The lock of the head row also puts ids in the order of the
    // commits.
    (schema) => `
      CREATE TABLE ${schema}.evidence_head (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        last_id bigint NOT NULL
      );
      INSERT INTO ${schema}.evidence_head (last_id) VALUES (0);
      CREATE TABLE ${schema}.comparisons (
        id bigint PRIMARY KEY,
        at text NOT NULL,
        method text NOT NULL,
        epoch bigint NOT NULL,
        answered text NOT NULL,
        kind text NOT NULL,
        verdict text NOT NULL,
        unit text,
        fingerprint text NOT NULL,
        legacy_ms double precision,
        modern_ms double precision,
        legacy_error text,
        modern_error text,
        fields jsonb NOT NULL
      );
      CREATE INDEX comparisons_by_method ON ${schema}.comparisons (method, id);
      CREATE INDEX comparisons_by_verdict ON ${schema}.comparisons (verdict, id);
      CREATE INDEX comparisons_by_method_and_verdict ON ${schema}.comparisons (method, verdict, id);
      CREATE TABLE ${schema}.comparison_counts (
        method text NOT NULL,
        kind text NOT NULL,
        verdict text NOT NULL,
        count bigint NOT NULL,
        PRIMARY KEY (method, kind, verdict)
      );`,
    (schema) => `
      ALTER TABLE ${schema}.comparisons ADD COLUMN more bigint NOT NULL DEFAULT 0;
      ALTER TABLE ${schema}.comparisons ADD COLUMN excluded bigint NOT NULL DEFAULT 0;`,
    (schema) => `
      ALTER TABLE ${schema}.comparisons ADD COLUMN request text;
      CREATE TABLE ${schema}.comparison_requests (
        id bigint PRIMARY KEY,
        day text NOT NULL,
        request bytea NOT NULL
      );
      CREATE INDEX comparison_requests_by_day ON ${schema}.comparison_requests (day);`,
    (schema) => `
      CREATE TABLE ${schema}.lane_days (
        key text NOT NULL,
        source text NOT NULL,
        day text NOT NULL,
        book text NOT NULL,
        symbol text NOT NULL,
        "group" text NOT NULL,
        at text NOT NULL,
        apart text,
        accepted text,
        money double precision,
        quantity_apart boolean NOT NULL,
        signed double precision NOT NULL,
        weight double precision NOT NULL,
        PRIMARY KEY (key, source, day, book, symbol)
      );
      CREATE TABLE ${schema}.tallies (
        key text NOT NULL,
        source text NOT NULL,
        signal text NOT NULL,
        stratum text NOT NULL,
        n double precision NOT NULL,
        k double precision NOT NULL,
        amount double precision NOT NULL,
        largest double precision NOT NULL,
        PRIMARY KEY (key, source, signal, stratum)
      );
      CREATE TABLE ${schema}.evidence_processes (
        key text NOT NULL,
        process text NOT NULL,
        at text NOT NULL,
        day text NOT NULL,
        ended boolean NOT NULL,
        PRIMARY KEY (key, process)
      );
      CREATE TABLE ${schema}.evidence_attempts (
        attempt bigint PRIMARY KEY,
        key text NOT NULL,
        looks bigint NOT NULL
      );`,
    // The rows so far are of an unknown method.
    (schema) => `
      ALTER TABLE ${schema}.lane_days ADD COLUMN method text NOT NULL DEFAULT '';
      ALTER TABLE ${schema}.lane_days DROP CONSTRAINT lane_days_pkey,
        ADD PRIMARY KEY (key, source, day, book, symbol, method);`,
  ],
};
