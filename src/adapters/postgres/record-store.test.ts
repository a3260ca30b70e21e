import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { variant } from "../../../test/campaigns.ts";
import type { RecordStore, RowWrite } from "../../ports/record-store.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { connected } from "../../testing/postgres-wire.ts";
import { recordStoreContract } from "../../testing/record-store-contract.ts";
import { until } from "../../testing/until.ts";
import { openPostgresRecordStore } from "./index.ts";

const missing = postgresMissing();
describe.skipIf(missing !== undefined)(`PostgreSQL ${missing ?? ""}`, () => {
  let server: TestPostgres;
  let admin: Client;
  let schema = "";
  let schemas = 0;

  beforeAll(async () => {
    server = await startPostgres();
    admin = await connected(server.url);
  });
  afterAll(async () => {
    await admin.end();
    await server.stop();
  });
  beforeEach(() => {
    schemas += 1;
    schema = `desk "${schemas}"`;
  });
  const address = (url = server.url) => `${url}?schema=${encodeURIComponent(schema)}`;
  const table = (name: string) => `"${schema.replaceAll('"', '""')}".${name}`;

  // SQLite runs the contract in every run of the tests.
  describe("keeps the contract:", variant, () => {
    recordStoreContract("postgres", async () => ({
      side: "modern",
      open: (authority) => openPostgresRecordStore(address(), { authority }),
      sql: async (statement) => (await admin.query(statement)).rows,
      table,
    }));
  });

  describe("with other programs at work", () => {
    let store: RecordStore;
    let foreign: Client;

    beforeEach(async () => {
      store = await openPostgresRecordStore(address(), { authority: "modern" });
      foreign = await connected(server.url);
      await foreign.query(`SET search_path = ${table("").slice(0, -1)}`);
    });
    afterEach(async () => {
      await foreign.end();
      await store.close();
    });

    const position = (symbol: string, quantity: string): RowWrite => ({
      aggregate: JSON.stringify(["position", "", symbol]),
      isFinal: false,
      change: {
        table: "positions",
        key: { book: "", symbol },
        set: {
          instrument: symbol,
          quantity,
          average_price: "110.5",
          realized: "0",
          unrealized: null,
          mark: null,
          as_of: "2025-11-02T01:30:00.123456-06:00",
        },
        initial: {},
      },
      claim: symbol,
    });
    const write = (to: RecordStore, idempotencyKey: string, ...rows: readonly RowWrite[]) =>
      to.call("write", { writes: [{ idempotencyKey, digest: "", images: "[]", rows }], epoch: 1, nowMs: 0 });
    const apply = (to: RecordStore, { aggregate, claim, change }: RowWrite) => {
      const key = { idempotencyKey: `key of ${aggregate}`, digest: "" };
      const entries = [{ seq: 1, ...key, rows: [{ aggregate, claim, change, version: 1 }] }];
      return to.call("apply", { entries, source: "legacy", token: 1 });
    };
    const acknowledged = (version: number) => [{ kind: "acknowledged", version }];
    const applied = [{ kind: "applied", place: 1 }];
    const waiting = (calls: number) =>
      until(
        async () => (await admin.query("SELECT 1 FROM pg_locks WHERE NOT granted")).rowCount === calls,
        "calls of the store wait for locks",
      );

    test("a call that reads with several statements sees one state of the database", async () => {
      const row = position("ZN", "12");
      await write(store, "one", row);
      await foreign.query("BEGIN; LOCK TABLE positions");
      const standings = store.call("standings", { rows: [row] });
      // The call has read the version, and waits for the row.
      await waiting(1);
      await foreign.query(`UPDATE positions SET quantity = 13, version = 2;
        UPDATE pnlb_versions SET version = 2, written = '{}'; COMMIT`);
      expect(await standings).toEqual([{ version: 1, isAsWritten: true }]);
      expect(await store.call("standings", { rows: [row] })).toMatchObject([{ version: 2 }]);
    });

    test("only its state makes an entry pending, not the order of the entries' numbers or of commits", async () => {
      const insert = (seq: number) =>
        `INSERT INTO ${table("pnlb_outbox")} (seq, idempotency_key, digest, rows, versions, at_ms, state)
         OVERRIDING SYSTEM VALUE VALUES (${seq}, '', '', '[]', '[]', 0, 'pending')`;
      const pending = async () => (await store.call("pending", { limit: 10 })).map(({ seq }) => seq);
      const done = (seq: number) =>
        store.call("settle", { answers: [{ seq, answer: { kind: "applied", place: seq } }], nowMs: 0 });
      // The oldest transaction commits last, and its insertion of entry 30 is undone.
      await foreign.query(`BEGIN; ${insert(20)}; SAVEPOINT s; ${insert(30)}; ROLLBACK TO s`);
      await admin.query(insert(40));
      expect(await pending()).toEqual([40]);
      await done(40);
      await admin.query(insert(10));
      expect(await pending()).toEqual([10]);
      await done(10);
      await foreign.query("COMMIT");
      expect(await pending()).toEqual([20]);
    });

    test("the read of pending entries uses their own index, however many entries a long transaction keeps", async () => {
      // While this transaction is open, the server removes no old version of a row.
      await foreign.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pnlb_outbox");
      await admin.query(`
        INSERT INTO ${table("pnlb_outbox")} (idempotency_key, digest, rows, versions, at_ms, state)
          SELECT n::text, '', '[]', '[]', 0, 'pending' FROM generate_series(1, 5000) AS n;
        UPDATE ${table("pnlb_outbox")} SET state = 'done', place = seq WHERE seq <= 4990`);
      await admin.query(`VACUUM ANALYZE ${table("pnlb_outbox")}`);
      const query = vi.spyOn(Client.prototype, "query");
      const pending = await store.call("pending", { limit: 100 });
      const [sql, values] =
        query.mock.calls
          .map((given): readonly unknown[] => given)
          .find(([text]) => String(text).includes("LIMIT")) ?? [];
      query.mockRestore();
      expect(pending).toHaveLength(10);
      const plan = await admin.query(`EXPLAIN ${sql}`, values as unknown[]);
      const text = plan.rows.map((row) => row["QUERY PLAN"]).join("\n");
      expect(text).toContain("Index Scan using pnlb_outbox_pending");
      expect(text).not.toContain("Seq Scan");
    });

    test("a lease is a row: it outlives the connection that took it, and no second worker gets it", async () => {
      const lease = (to: RecordStore, holder: string) =>
        to.call("lease", { name: "relay", holder, nowMs: 0, lastsMs: 100 });
      const other = await openPostgresRecordStore(address(), { authority: "modern" });
      expect(await lease(store, "A")).toEqual({ kind: "held", token: 1 });
      await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'pnl-bridge modern'`);
      await until(
        () =>
          lease(other, "B").then(
            (answer) => answer.kind === "taken",
            () => false,
          ),
        "a new connection finds the lease",
      );
      await until(
        () =>
          lease(store, "A").then(
            (answer) => answer.kind === "held" && answer.token === 1,
            () => false,
          ),
        "the holder keeps it over a new connection",
      );
      await other.close();
    });

    test("a transaction that the server ends in favour of another one runs again", async () => {
      await foreign.query(`
        CREATE SEQUENCE failures;
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
          CASE nextval('failures')
            WHEN 1, 4 THEN RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001';
            WHEN 2, 5 THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01';
            ELSE RETURN NEW;
          END CASE;
        END $$;
        CREATE TRIGGER fail BEFORE INSERT ON positions FOR EACH ROW EXECUTE FUNCTION fail()`);
      expect(await write(store, "one", position("ZN", "12"))).toEqual(acknowledged(1));
      expect(await apply(store, position("ZB", "1"))).toEqual(applied);
      expect((await foreign.query("SELECT last_value FROM failures")).rows).toEqual([{ last_value: "6" }]);
    });

    test("two writes that lock the same rows in opposite orders are both acknowledged", async () => {
      const other = await openPostgresRecordStore(address(), { authority: "modern" });
      await write(store, "one", position("Z1", "1"), position("Z2", "2"));
      await foreign.query("BEGIN; LOCK TABLE positions IN SHARE MODE");
      const answers = Promise.all([
        write(store, "two", position("Z1", "3"), position("Z2", "3")),
        write(other, "three", position("Z2", "4"), position("Z1", "4")),
      ]);
      // Each has locked the version of its first row.
      await waiting(2);
      await foreign.query("COMMIT");
      const versions = (await answers).flat().map((answer) => "version" in answer && answer.version);
      expect(versions.toSorted()).toEqual([2, 3]);
      await other.close();
    });

    test("the fence moves after the writes that are under way, and no later write passes it", async () => {
      const other = await openPostgresRecordStore(address(), { authority: "modern" });
      await foreign.query("BEGIN; LOCK TABLE positions IN SHARE MODE");
      const answer = write(store, "one", position("ZN", "1"));
      await waiting(1);
      const from = await other.call("fence", null);
      const moved = other.call("moveFence", { from, to: { epoch: 2, authority: "legacy", step: "" } });
      await waiting(2);
      await foreign.query("COMMIT");
      expect([await answer, await moved]).toEqual([acknowledged(1), true]);
      expect(await write(store, "two", position("ZN", "2"))).toMatchObject([{ code: "DRAINING" }]);
      await other.close();
    });

    test("an adoption does not replace a row that another transaction changes meanwhile", async () => {
      const adopt = (claim: string, quantity: string) =>
        store.call("adopt", { rows: [{ ...position("ZN", quantity), claim, isReplaceable: true }] });
      expect(await adopt("1", "1")).toMatchObject([{ kind: "adopted" }]);
      await foreign.query("BEGIN; UPDATE pnlb_versions SET version = 1");
      const answer = adopt("2", "2");
      await waiting(1);
      await foreign.query("UPDATE positions SET quantity = 9; COMMIT");
      expect(await answer).toMatchObject([{ kind: "written" }]);
      expect((await foreign.query("SELECT quantity FROM positions")).rows).toEqual([{ quantity: "9" }]);
    });

    test("values are kept whatever the settings of the database are", async () => {
      await admin.query(`ALTER DATABASE postgres SET timezone = 'Asia/Tokyo';
        ALTER DATABASE postgres SET datestyle = 'German, DMY';
        ALTER DATABASE postgres SET synchronous_commit = off`);
      const quantity = "0.10000000000000000000000000000000000001";
      try {
        const other = await openPostgresRecordStore(address(), { authority: "modern" });
        expect(await apply(other, position("ZN", quantity))).toEqual(applied);
        await other.close();
      } finally {
        await admin.query("ALTER DATABASE postgres RESET ALL");
      }
      const { rows } = await foreign.query("SELECT quantity, as_of FROM positions");
      expect(rows).toEqual([{ quantity, as_of: "2025-11-02T01:30:00.123456-06:00" }]);
    });

    test("texts of keys are ordered by their bytes, and no number is NaN or infinity", async () => {
      const others = await foreign.query(
        `SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
           JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relnamespace = $1::regnamespace
           AND a.attcollation NOT IN (0, 'pg_catalog."C"'::regcollation)`,
        [table("").slice(0, -1)],
      );
      expect(others.rows).toEqual([]);
      const numbers = await foreign.query(
        `SELECT table_name, column_name FROM information_schema.columns
         WHERE table_schema = $1 AND data_type = 'numeric' AND numeric_precision IS NULL`,
        [schema],
      );
      expect(numbers.rows).toHaveLength(11);
      await write(store, "one", position("ZN", "1"));
      for (const value of ["NaN", "Infinity", "-Infinity"])
        await expect(foreign.query("UPDATE positions SET mark = $1::numeric", [value])).rejects.toMatchObject(
          { code: "23514" },
        );
    });
  });
});
