import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect, promisify } from "node:util";
import type { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isLongRun, variant } from "../../../test/campaigns.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import { comparisons, evidenceStoreContract } from "../../testing/evidence-store-contract.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { connected, Wire } from "../../testing/postgres-wire.ts";
import { openPostgresEvidenceStore, type PostgresEvidenceOptions } from "./index.ts";

const missing = postgresMissing();
/** In a short run, only SQLite runs the tests in which several processes share a store. */
const inShort = isLongRun("stores")
  ? {}
  : { oneProcess: "runs only in the campaign `stores`; a short run tests it on SQLite" };
describe.skipIf(missing !== undefined)(`PostgreSQL ${missing ?? ""}`, () => {
  let server: TestPostgres;
  let admin: Client;
  let schema = "";
  let schemas = 0;
  let opened: EvidenceStore[] = [];

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
    schema = `test "${schemas}"`;
  });
  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()));
    opened = [];
  });

  const open = async (
    options: Partial<PostgresEvidenceOptions> = {},
    url = server.url,
  ): Promise<EvidenceStore> => {
    const store = await openPostgresEvidenceStore(url, { schema, ...options });
    opened.push(store);
    return store;
  };
  const stored = async (store: EvidenceStore): Promise<number> =>
    (await store.find({ limit: 10_000 })).length;
  const elsewhere = (): string => {
    const door = JSON.stringify(new URL("./evidence-store.ts", import.meta.url).href);
    return `(await import(${door})).openPostgresEvidenceStore(${JSON.stringify(server.url)}, ${JSON.stringify({ schema })})`;
  };
  /** A table name qualified by the quoted schema. */
  const inSchema = (table: string): string => `"${schema.replaceAll('"', '""')}".${table}`;

  // SQLite runs the contract in every run of the tests.
  describe("keeps the contract:", variant, () => {
    evidenceStoreContract(
      "postgres",
      async () => ({
        open: (options) => openPostgresEvidenceStore(server.url, { schema, ...options }),
        elsewhere: elsewhere(),
      }),
      inShort,
    );
  });

  test("the tables are in the schema pnl_bridge by default", async () => {
    await (await openPostgresEvidenceStore(server.url)).close();
    const { rows } = await admin.query(
      "SELECT table_name FROM information_schema.tables WHERE table_schema = 'pnl_bridge'",
    );
    expect(rows.map((row) => row.table_name).sort()).toEqual([
      "comparison_counts",
      "comparison_requests",
      "comparisons",
      "evidence_attempts",
      "evidence_head",
      "evidence_migrations",
      "evidence_processes",
      "lane_days",
      "tallies",
    ]);
  });

  test("the tables are in the schema that the URL names", async () => {
    await (await openPostgresEvidenceStore(`${server.url}?schema=${encodeURIComponent(schema)}`)).close();
    const { rows } = await admin.query(`SELECT count(*) FROM ${inSchema("comparisons")}`);
    expect(rows).toEqual([{ count: "0" }]);
  });

  test("every query uses an index", async () => {
    await (await open()).append(comparisons(1));
    await admin.query("SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off");
    for (const where of [
      "method = 'm'",
      "verdict = 'v'",
      "method = 'm' AND verdict = 'v'",
      "verdict = 'v' AND id < 9",
    ]) {
      const { rows } = await admin.query(
        `EXPLAIN SELECT * FROM ${inSchema("comparisons")} WHERE ${where} ORDER BY id DESC LIMIT 9`,
      );
      const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      expect(plan).toMatch(/Index Scan Backward using comparisons_by_/);
      expect(plan).not.toMatch(/Filter|Sort/);
    }
  });

  test("close leaves no connection open", async () => {
    const store = await open();
    await Promise.all([store.append(comparisons(600)), store.find({ limit: 5 }), store.counts()]);
    const connections = async (): Promise<number> => {
      const { rows } = await admin.query(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pnl-bridge evidence'",
      );
      return rows.length;
    };
    expect(await connections()).toBe(2);
    await store.close();
    await expect.poll(connections, { timeout: 10_000 }).toBe(0);
  });

  test("an open store does not keep its process alive", variant, async () => {
    const program = `const store = await ${elsewhere()};
      await store.append(${JSON.stringify(comparisons(3))});
      await store.find({ limit: 1 });
      console.log("done");`;
    const inline = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", program];
    expect((await promisify(execFile)(process.execPath, inline)).stdout).toBe("done\n");
    expect(await stored(await open())).toBe(3);
  });

  describe("a failure to open names its reason, and never shows the password", () => {
    const secret = "geheim/1:2";
    const written = encodeURIComponent(secret);
    const at = (user: string, place: string): string => `postgres://${user}:${written}@${place}`;
    const place = (): string => new URL(server.url).host;
    const cases: readonly (readonly [what: string, url: () => string, code: string])[] = [
      ["another password", () => at("postgres", `${place()}/postgres`), "BAD_CONFIG"],
      ["another user", () => at("nobody", `${place()}/postgres`), "BAD_CONFIG"],
      ["another database", () => server.url.replace(/postgres$/, "other"), "BAD_CONFIG"],
      ["a port on which no server listens", () => at("postgres", "127.0.0.1:1/postgres"), "SYSTEM_DOWN"],
      ["a host that does not exist", () => at("postgres", "does.not.exist.invalid/postgres"), "SYSTEM_DOWN"],
      ["TLS to a server without TLS", () => `${server.url}?sslmode=verify-full`, "SYSTEM_DOWN"],
      [
        "a missing certificate file",
        () => `${server.url}?sslmode=verify-full&sslrootcert=/none.pem`,
        "SYSTEM_DOWN",
      ],
      ["a password without escapes", () => `postgres://postgres:${secret}@${place()}/postgres`, "BAD_CONFIG"],
      [
        "a password that looks like a port and a path",
        () => `postgres://postgres:12/${secret}@${place()}/postgres`,
        "BAD_CONFIG",
      ],
      [
        "a password that looks like a query",
        () => `postgres://postgres:12?${secret}@${place()}/postgres`,
        "BAD_CONFIG",
      ],
      ["a password that looks like a fragment", () => `postgres://postgres:12#${secret}`, "BAD_CONFIG"],
      ["another kind of URL", () => `mysql://root:${written}@localhost/x`, "BAD_CONFIG"],
      ["no URL", () => `host=localhost password=${secret}`, "BAD_CONFIG"],
    ];

    test.each(cases)("%s", async (_, url, code) => {
      const failed = await open({}, url()).then(
        () => undefined,
        (error) => error,
      );
      expect(failed).toMatchObject({ code });
      const texts = [
        failed.line,
        inspect(failed, { depth: 12, showHidden: true }),
        JSON.stringify(failed),
      ].join("\n");
      for (const word of [secret, written, "geheim", "only for this test", "only%20for%20this%20test"])
        expect(texts).not.toContain(word);
    });
  });

  describe("unusable tables", () => {
    test("of another program are refused and not changed", async () => {
      await admin.query(
        `CREATE SCHEMA ${inSchema("").slice(0, -1)}; CREATE TABLE ${inSchema("comparisons")} (theirs text)`,
      );
      await expect(open()).rejects.toMatchObject({ code: "BAD_DATABASE" });
      const { rows } = await admin.query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = $1",
        [schema],
      );
      expect(rows).toEqual([{ table_name: "comparisons" }]);
    });

    test("of the version before keep their lane-days, without a method", async () => {
      await (await open()).close();
      await admin.query(
        `DELETE FROM ${inSchema("evidence_migrations")} WHERE version = 5;
         ALTER TABLE ${inSchema("lane_days")} DROP COLUMN method,
           ADD CONSTRAINT lane_days_pkey PRIMARY KEY (key, source, day, book, symbol);
         INSERT INTO ${inSchema("lane_days")} VALUES ('k', 'live', '2026-11-20', 'EGB', 'ZN', 'future',
           '2026-11-20T15:00:00.000Z', 'realized', NULL, 5, false, 5, 100)`,
      );
      const { laneDays } = await (await open()).evidence("k");
      expect(laneDays).toMatchObject([
        { symbol: "ZN", method: "", apart: "realized", money: 5, weight: 100 },
      ]);
    });

    test("of a later version are refused", async () => {
      await (await open()).close();
      await admin.query(`INSERT INTO ${inSchema("evidence_migrations")} (version) VALUES (999)`);
      await expect(open()).rejects.toMatchObject({
        code: "BAD_DATABASE",
        message: expect.stringContaining("version 999"),
      });
    });

    test("that were dropped while the store was open fail the append", async () => {
      const store = await open();
      await admin.query(`DROP TABLE ${inSchema("comparisons")}`);
      await expect(store.append(comparisons(1))).rejects.toMatchObject({ code: "BAD_DATABASE" });
      await expect(store.find({ limit: 1 })).rejects.toMatchObject({ code: "BAD_DATABASE" });
    });
  });

  describe("a user with few rights", () => {
    const user = (name: string): string => {
      const url = new URL(server.url);
      url.username = name;
      url.password = "x";
      return url.href;
    };

    test("needs only the rights to read and change the rows of the tables", async () => {
      await (await open()).append(comparisons(2));
      const space = inSchema("").slice(0, -1);
      await admin.query(`CREATE ROLE writer LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA ${space} TO writer;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${space} TO writer`);
      const store = await open({ rowsMax: 3 }, user("writer"));
      await store.append(comparisons(2));
      expect(await stored(store)).toBe(3);
    });

    test("gets UNWRITABLE without the right to write", async () => {
      await admin.query("CREATE ROLE guest LOGIN PASSWORD 'x'");
      await expect(open({}, user("guest"))).rejects.toMatchObject({ code: "UNWRITABLE" });
    });
  });

  test("a lock of another session fails the append in time, and the repeated append is stored once", async () => {
    await (await open()).append(comparisons(1));
    const store = await open({ statementMsMax: 1_000 });
    const other = await connected(server.url);
    try {
      await other.query(`BEGIN; LOCK TABLE ${inSchema("evidence_head")}`);
      await expect(store.append(comparisons(2))).rejects.toMatchObject({ code: "DATABASE_BUSY" });
      expect(await stored(store)).toBe(1);
      await other.query("COMMIT");
    } finally {
      await other.end();
    }
    await store.append(comparisons(2));
    expect(await stored(store)).toBe(3);
  });

  test.each([
    ["off", "on"],
    ["remote_apply", "remote_apply"],
  ])("an append to a database with synchronous_commit = %s commits with %s", async (set, used) => {
    await admin.query(`ALTER DATABASE postgres SET synchronous_commit = ${set}`);
    try {
      const store = await open();
      // A trigger records how each insert will commit.
      await admin.query(`CREATE FUNCTION ${inSchema("told")}() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN NEW.unit := current_setting('synchronous_commit'); RETURN NEW; END $$;
        CREATE TRIGGER told BEFORE INSERT ON ${inSchema("comparisons")} FOR EACH ROW EXECUTE FUNCTION ${inSchema("told")}()`);
      await store.append(comparisons(1));
      expect(await store.find({ limit: 1 })).toMatchObject([{ unit: used }]);
    } finally {
      await admin.query("ALTER DATABASE postgres RESET synchronous_commit");
    }
  });

  describe("a connection that breaks", () => {
    let wire: Wire;
    beforeEach(async () => {
      wire = await Wire.to(server.url);
    });
    afterEach(() => wire.close());

    test("after the server received the commit leaves the append done once, and reported as done", async () => {
      const store = await open({}, wire.url);
      await store.append(comparisons(1));
      wire.breakAtCommit = "answer";
      await store.append(comparisons(2));
      expect([await stored(store), wire.broken]).toEqual([3, 1]);
    });

    test("before the server received the commit fails the append, which has not happened", async () => {
      const store = await open({}, wire.url);
      await store.append(comparisons(1));
      wire.breakAtCommit = "request";
      await expect(store.append(comparisons(2))).rejects.toMatchObject({ code: "SYSTEM_DOWN" });
      expect([await stored(store), wire.broken]).toEqual([1, 1]);
      await store.append(comparisons(2));
      expect(await stored(store)).toBe(3);
    });

    test("while it is idle has no effect on later calls", async () => {
      const store = await open({}, wire.url);
      await store.append(comparisons(1));
      wire.cut();
      await sleep(50);
      await store.append(comparisons(1));
      expect(await stored(store)).toBe(2);
    });
  });

  // This test is the last one, since it ends every connection.
  test("each append reports truthfully whether it was stored when the server crashes", async () => {
    const store = await open();
    await admin.end();
    const appends = Array.from({ length: 40 }, (_, index) =>
      store.append(comparisons(300, { unit: String(index) })),
    );
    const settled = Promise.allSettled(appends);
    await appends[3];
    await server.crash();
    admin = await connected(server.url);
    const kept = (await settled).flatMap(({ status }, index) =>
      status === "fulfilled" ? [String(index)] : [],
    );
    expect(kept.length).toBeGreaterThan(3);
    await store.append(comparisons(300, { unit: "after" }));
    const units = (await store.find({ limit: 100_000 })).map(({ unit }) => unit).toReversed();
    expect(units).toEqual([...kept, "after"].flatMap((unit) => Array(300).fill(unit)));
  });
});
