import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect, promisify } from "node:util";
import type { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isLongRun, variant } from "../../../test/campaigns.ts";
import { noHash, sealNew, verifyAudit } from "../../control/audit-chain.ts";
import type { ControlChange, ControlStore, InstanceReport } from "../../ports/control-store.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import { controlStoreContract } from "../../testing/control-store-contract.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { connected, Wire } from "../../testing/postgres-wire.ts";
import { until } from "../../testing/until.ts";
import { openPostgresControlStore, openPostgresEvidenceStore, type PostgresControlOptions } from "./index.ts";

const missing = postgresMissing();
/** A busy machine may keep a server from answering for seconds. */
const patient = { deadlineMs: 60_000 };
/** In a short run, only SQLite runs the tests in which several processes share a store. */
const inShort = isLongRun("stores")
  ? {}
  : { oneProcess: "runs only in the campaign `stores`; a short run tests it on SQLite" };
describe.skipIf(missing !== undefined)(`PostgreSQL ${missing ?? ""}`, () => {
  let server: TestPostgres;
  let admin: Client;
  let schema = "";
  let schemas = 0;
  let opened: (ControlStore | EvidenceStore | Client | Wire)[] = [];

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
  afterEach(async () => {
    await Promise.all(opened.map((one) => ("close" in one ? one.close() : one.end())));
    opened = [];
  });

  const open = async (options: PostgresControlOptions = {}, url = server.url): Promise<ControlStore> => {
    const store = await openPostgresControlStore(url, { schema, ...patient, ...options });
    opened.push(store);
    return store;
  };
  /** An operator's shell, with the schema on its search path. */
  const shell = async (path = quoted(schema)): Promise<Client> => {
    const client = await connected(server.url);
    opened.push(client);
    await client.query(`SET search_path = ${path}; SET lock_timeout = 100`);
    return client;
  };
  const wireTo = async (): Promise<Wire> => {
    const wire = await Wire.to(server.url);
    opened.push(wire);
    return wire;
  };

  let lastShell: { readonly schema: string; readonly client: Client } | undefined;
  // SQLite runs the contract in every run of the tests.
  describe("keeps the contract:", variant, () => {
    controlStoreContract(
      "postgres",
      async () => {
        const wire = await wireTo();
        const door = JSON.stringify(new URL("./control-store.ts", import.meta.url).href);
        return {
          open: () => openPostgresControlStore(wire.url, { schema, ...patient }),
          sql: async (statement) => {
            // Statements run one after the other over one connection, as in a shell that stays open.
            if (lastShell?.schema !== schema) lastShell = { schema, client: await shell() };
            await lastShell.client.query(statement);
          },
          elsewhere: `(await import(${door})).openPostgresControlStore(${JSON.stringify(server.url)}, ${JSON.stringify({ schema })})`,
          takeAway: async () => {
            wire.away = true;
            wire.cut();
            return async () => {
              wire.away = false;
            };
          },
        };
      },
      inShort,
    );
  });

  test("the schema equals the golden file", async () => {
    await open({ schema: "golden" });
    await expect(`${(await shapeOf(admin, "golden")).join("\n")}\n`).toMatchFileSnapshot(
      "control-schema.golden.txt",
    );
  });

  describe("the four statements that an operator may type", () => {
    const statements = [
      "UPDATE config SET use_new_pnl_system = false;",
      "UPDATE config SET migration_mode = 'old_only';",
      "UPDATE config SET new_system_percentage = 10;",
      "DELETE FROM new_pnl_cache;",
    ];
    const psql = async (...typed: readonly string[]): Promise<string> => {
      const commands = typed.flatMap((statement) => ["--command", statement]);
      // Without this, psql prints some words in the language of the machine.
      const env = { ...process.env, LC_ALL: "C" };
      return (await promisify(execFile)("psql", ["--no-psqlrc", ...commands, server.url], { env })).stdout;
    };
    const expectDone = async (store: ControlStore): Promise<void> => {
      expect(await store.read()).toMatchObject({
        epoch: 5,
        overrides: { useNewPnlSystem: false, migrationMode: "old_only", newSystemPercentage: 10 },
        cacheGeneration: 1,
        updatedBy: "postgres",
      });
      const rows = await store.audit(0, 10);
      expect(rows.map(({ seq, epoch, actor, action }) => [seq, epoch, actor, action])).toEqual(
        [1, 2, 3, 4].map((seq) => [seq, seq + 1, "postgres", "sql"]),
      );
    };

    afterEach(() => admin.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public"));

    test.skipIf(spawnSync("psql", ["--version"]).status !== 0)("work in psql", async () => {
      const store = await openPostgresControlStore(server.url);
      opened.push(store);
      expect(await psql(...statements)).toBe("UPDATE 1\nUPDATE 1\nUPDATE 1\nDELETE 1\n");
      await expectDone(store);
      await expect(psql("DELETE FROM config;")).rejects.toMatchObject({
        stderr:
          "ERROR:  config has one row, always\nHINT:  UPDATE it; set a column to NULL where the published file should decide\n" +
          "CONTEXT:  PL/pgSQL function refuse() line 3 at RAISE\n",
      });
      await expect(psql("UPDATE config SET new_system_percentage = 33.3333;")).rejects.toMatchObject({
        stderr: expect.stringContaining('"new_system_percentage is 0 to 100, with three decimals at most"'),
      });
    });

    test("work through any PostgreSQL client", async () => {
      const store = await openPostgresControlStore(server.url);
      opened.push(store);
      for (const statement of statements) {
        const client = await connected(server.url);
        await client.query(statement);
        await client.end();
      }
      await expectDone(store);
    });
  });

  describe("the schema", () => {
    const named = async (
      url: string,
      given: PostgresControlOptions = {},
    ): Promise<[schema: string | undefined, where: string]> => {
      const known = await schemasWithConfig();
      const store = await openPostgresControlStore(url, given);
      opened.push(store);
      const [made] = (await schemasWithConfig()).filter((name) => !known.includes(name));
      await store.change({ ...by, set: { newSystemPercentage: 1 } });
      return [made, store.where];
    };
    const schemasWithConfig = async (): Promise<string[]> => {
      const { rows } = await admin.query(
        "SELECT table_schema FROM information_schema.tables WHERE table_name = 'config'",
      );
      return rows.map((row) => row.table_schema);
    };
    const optionsOf = (text: string): string => `${server.url}?options=${encodeURIComponent(text)}`;

    test("is public by default", async () => {
      const at = new URL(server.url).host;
      expect(await named(server.url)).toEqual(["public", `postgres://${at}/postgres`]);
    });

    test("comes from the URL, from its search path, or from the options", async () => {
      const at = `postgres://${new URL(server.url).host}/postgres?options=-c%20search_path%3D`;
      const london = await named(`${server.url}?schema=London%20desk`);
      expect(london).toEqual(["London desk", `${at}%22London%5C%20desk%22`]);
      expect(await named(optionsOf("-c search_path=Tokyo,public"))).toEqual(["tokyo", `${at}tokyo`]);
      expect(await named(optionsOf('-c search_path="New\\ York",public'))).toEqual([
        "New York",
        `${at}%22New%5C%20York%22`,
      ]);
      expect(await named(`${server.url}?schema=one`, { schema: "other" })).toEqual(["other", `${at}other`]);
    });

    test.skipIf(spawnSync("psql", ["--version"]).status !== 0)(
      "is part of the address that a store shows, and psql understands it",
      async () => {
        for (const name of isLongRun("stores") ? ["ctl", "London desk", 'a"b\\c'] : ['a"b \\c']) {
          const store = await openPostgresControlStore(`${server.url}?schema=${encodeURIComponent(name)}`);
          opened.push(store);
          const { epoch } = await store.read();
          const { username, password } = new URL(server.url);
          const address = store.where.replace("//", `//${username}:${password}@`);
          const statement = "UPDATE config SET use_new_pnl_system = false;";
          await promisify(execFile)("psql", [
            "--no-psqlrc",
            "--no-password",
            "--command",
            statement,
            address,
          ]);
          expect(await store.read(), name).toMatchObject({
            epoch: epoch + 1,
            overrides: { useNewPnlSystem: false },
          });
        }
      },
    );

    test.each([
      "?schema=",
      "?schema=pg_x",
      "?schema=%00",
      `?schema=${"x".repeat(64)}`,
      "?options=-c%20search_path%3Dpg_x",
    ])("in an address with %s is refused with a fix", async (end) => {
      await expect(openPostgresControlStore(`${server.url}${end}`)).rejects.toMatchObject({
        code: "BAD_CONFIG",
        fix: "use a name of 1 to 63 bytes that does not begin with pg_, or omit ?schema=",
      });
    });

    test("may be created by evidence stores and control stores at the same time", async () => {
      const url = `${server.url}?schema=${encodeURIComponent(schema)}`;
      const evidence = [openPostgresEvidenceStore(url), openPostgresEvidenceStore(url)];
      await Promise.all(
        [...evidence, openPostgresControlStore(url), openPostgresControlStore(url)].map(async (store) =>
          opened.push(await store),
        ),
      );
      expect(await schemasWithConfig()).toContain(schema);
    });

    test("has a record and notifications of its own", async () => {
      const [store, other] = [await open(), await open({ schema: `${schema} 2` })];
      let notifications = 0;
      other.watch(() => {
        notifications += 1;
      });
      await expect.poll(() => notifications).toBeGreaterThan(0);
      const before = notifications;
      await store.change({ ...by, set: { newSystemPercentage: 7 } });
      await sleep(100);
      expect([notifications, (await other.read()).epoch]).toEqual([before, 1]);
    });

    test("is found by its triggers under any search path of the session", async () => {
      const store = await open();
      const client = await shell("pg_catalog");
      await client.query(`UPDATE ${quoted(schema)}.config SET phase = 'dual_write'`);
      await client.query(`DELETE FROM ${quoted(schema)}.new_pnl_cache`);
      expect(await store.read()).toMatchObject({ epoch: 3, cacheGeneration: 1 });
      expect(await store.audit(0, 9)).toHaveLength(2);
    });
  });

  describe("a statement typed by hand", () => {
    test("cannot set the epoch, the time or the actor, nor set the generation of the cache back", async () => {
      const store = await open();
      const client = await shell();
      await client.query("DELETE FROM new_pnl_cache");
      await client.query(`UPDATE config SET epoch = 99, updated_by = 'nobody', updated_at = '2001-01-01',
        cache_generation = 0, phase = 'shadow_mode'`);
      const record = await store.read();
      expect(record).toMatchObject({ epoch: 3, grantedEpoch: 1, updatedBy: "postgres", cacheGeneration: 1 });
      expect(Date.parse(record.updatedAt)).toBeGreaterThan(Date.parse("2020-01-01"));
    });

    test("that changes nothing reports UPDATE 1 and does not raise the epoch", async () => {
      const store = await open();
      const client = await shell();
      await client.query("UPDATE config SET new_system_percentage = 10");
      const { rowCount } = await client.query("UPDATE config SET new_system_percentage = 10.000, epoch = 5");
      expect([rowCount, (await store.read()).epoch]).toEqual([1, 2]);
    });

    test.each(["TRUNCATE config", "TRUNCATE audit", "TRUNCATE published CASCADE", "DELETE FROM published"])(
      "is refused: %s",
      async (statement) => {
        const store = await open();
        const client = await shell();
        await expect(client.query(statement)).rejects.toMatchObject({
          code: "P0001",
          hint: expect.stringMatching(/./),
        });
        expect((await store.read()).epoch).toBe(1);
      },
    );

    test("by a role that owns nothing needs no right on the audit, and cannot name another actor", async () => {
      const store = await open();
      const space = quoted(schema);
      await admin.query(`CREATE ROLE desk_operator LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA ${space} TO desk_operator;
        GRANT SELECT, UPDATE ON ${space}.config TO desk_operator; GRANT SELECT, DELETE ON ${space}.new_pnl_cache TO desk_operator;
        ALTER ROLE desk_operator SET search_path = ${space}`);
      const url = new URL(server.url);
      [url.username, url.password] = ["desk_operator", "x"];
      const client = await connected(url.href);
      opened.push(client);
      await client.query("UPDATE config SET use_new_pnl_system = false");
      await client.query("DELETE FROM new_pnl_cache");
      await client.query(
        'SELECT set_config(\'pnl_bridge.change\', \'{"actor": "amy", "action": "traffic"}\', false)',
      );
      await client.query("UPDATE config SET migration_mode = 'old_only'");
      expect((await store.audit(0, 9)).map(({ actor, action }) => [actor, action])).toEqual(
        Array(3).fill(["desk_operator", "sql"]),
      );
      for (const statement of [
        "DELETE FROM config",
        "SELECT * FROM audit",
        "ALTER TABLE config DISABLE TRIGGER ALL",
      ])
        await expect(client.query(statement), statement).rejects.toMatchObject({ code: "42501" });
    });
  });

  test("a process whose role owns nothing can do everything except create the tables", async () => {
    await open();
    const space = quoted(schema);
    await admin.query(`CREATE ROLE bridge LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA ${space} TO bridge;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${space} TO bridge`);
    const url = new URL(server.url);
    [url.username, url.password] = ["bridge", "x"];
    const store = await open({}, url.href);
    const published = { text: "{}", hash: "a".repeat(64), phase: "shadow_mode" } as const;
    expect(await store.change({ ...by, set: { published } })).toMatchObject({ epoch: 2, updatedBy: "amy" });
    await store.note(by);
    await store.signOff({ gate: "g", phase: "shadow_mode", actor: "amy", note: "", expiresAfterMs: 1e6 });
    expect(await store.seal([{ seq: 1, previousHash: "0", hash: "1" }])).toBe(true);
    await store.heartbeat(instance);
    await store.leave(instance.id);
    await expect(open({ schema: `${schema} 2` }, url.href)).rejects.toMatchObject({ code: "UNWRITABLE" });
  });

  test("each change is reported to all of twelve open stores of a process", async () => {
    const handles = await Promise.all(Array.from({ length: 12 }, () => open()));
    const seen = handles.map(() => 0);
    for (const [index, store] of handles.entries())
      store.watch(() => void store.read().then(({ epoch }) => (seen[index] = epoch)));
    const client = await shell();
    for (let epoch = 1; epoch <= (isLongRun("stores") ? 20 : 5); epoch++) {
      await until(() => seen.every((known) => known === epoch));
      await client.query(`UPDATE config SET new_system_percentage = ${epoch}`);
    }
  });

  describe("an operator's open transaction that locks the row of config", () => {
    test("delays changes until their deadline, and nothing else", async () => {
      const store = await open({ deadlineMs: 3_000 });
      const client = await shell();
      await client.query("BEGIN; UPDATE config SET new_system_percentage = 50");
      await until(async () => {
        const failed = await Promise.allSettled([
          ...[1, 2, 3].map((newSystemPercentage) => store.change({ ...by, set: { newSystemPercentage } })),
          store.note(by),
        ]);
        const codes = failed.map((one) => (one.status === "rejected" ? one.reason.code : "done"));
        // On a busy machine the server's answer, which names the reason, may come after the deadline.
        for (const code of codes) expect(code).toMatch(/^(DATABASE_BUSY|SYSTEM_DOWN)$/);
        return codes.every((code) => code === "DATABASE_BUSY");
      }, "each change is delayed until its deadline");

      const other = await open();
      const change = other.change({ ...by, set: { useNewPnlSystem: false } });
      await Promise.all([
        other.read(),
        other.heartbeat(instance),
        other.signOffs(),
        other.audit(0, 9),
        other.instances(),
      ]);
      await other.heartbeat(instance);
      await other.signOff({ gate: "g", phase: "shadow_mode", actor: "amy", note: "", expiresAfterMs: 1e6 });
      await other.seal([{ seq: 1, previousHash: "0", hash: "1" }]);
      await client.query("COMMIT");
      expect(await change).toMatchObject({
        epoch: 3,
        overrides: { useNewPnlSystem: false, newSystemPercentage: 50 },
      });
      expect((await store.instances())[0]?.beats).toBe(2);
      // The changes that were reported as failed have not happened later.
      expect((await store.audit(0, 9)).map(({ epoch }) => epoch)).toEqual([2, 3]);
    });

    test("takes effect when it commits", async () => {
      const store = await open();
      let epoch = 0;
      store.watch(() => void store.read().then((record) => (epoch = record.epoch)));
      await expect.poll(() => epoch).toBe(1);
      const client = await shell();
      await client.query(
        "BEGIN; UPDATE config SET new_system_percentage = 50; UPDATE config SET phase = 'dual_write'",
      );
      await sleep(50);
      expect(epoch).toBe(1);
      await client.query("COMMIT");
      await expect.poll(() => epoch).toBe(3);
    });
  });

  describe("a server that hangs", () => {
    test("fails each call at its deadline, and calls work again when it continues", async () => {
      const wire = await wireTo();
      const store = await open({ deadlineMs: 3_000 }, wire.url);
      await store.read();
      wire.silent = true;
      const calls = [
        store.read(),
        store.read(),
        store.read(),
        store.change({ ...by, set: { newSystemPercentage: 1 } }),
        store.heartbeat(instance),
        store.note(by),
      ];
      for (const outcome of await Promise.allSettled(calls))
        expect(outcome).toMatchObject({
          status: "rejected",
          reason: { code: expect.stringMatching(/^(SYSTEM_DOWN|DATABASE_BUSY)$/) },
        });
      wire.silent = false;
      await expect.poll(() => store.read().catch((failure) => failure.line)).toMatchObject({ epoch: 1 });
      expect(await store.change({ ...by, set: { newSystemPercentage: 2 } })).toMatchObject({ epoch: 2 });
    });

    test("fails the opening of a store at the deadline", async () => {
      const wire = await wireTo();
      wire.silent = true;
      await expect(open({ deadlineMs: 300 }, wire.url)).rejects.toMatchObject({ code: "SYSTEM_DOWN" });
    });

    test("ends a connection that is idle in a transaction, and the change is made on another one", async () => {
      const wire = await wireTo();
      const store = await open({ deadlineMs: 60_000 }, wire.url);
      wire.silentFrom = "pg_current_xact_id";
      const change = store.change({ ...by, set: { newSystemPercentage: 7 } });
      await until(() => wire.silent);
      [wire.silent, wire.silentFrom] = [false, undefined];
      expect(await change).toMatchObject({ epoch: 2, overrides: { newSystemPercentage: 7 } });
      expect(await store.audit(0, 9)).toHaveLength(1);
    });

    test("leaves a dead connection, from which the watch recovers", async () => {
      const wire = await wireTo();
      const store = await open({ deadlineMs: 3_000 }, wire.url);
      let notifications = 0;
      store.watch(() => {
        notifications += 1;
      });
      await expect.poll(() => notifications).toBeGreaterThan(0);
      wire.silent = true;
      const client = await shell();
      await client.query("UPDATE config SET new_system_percentage = 3");
      await sleep(50);
      const before = notifications;
      wire.silent = false;
      await expect.poll(() => notifications).toBeGreaterThan(before);
    });
  });

  test("a process that hangs in the middle of a change does not block an operator", async () => {
    const wire = await wireTo();
    const store = await open({ deadlineMs: 5_000 }, wire.url);
    wire.silentFrom = "UPDATE ";
    const change = store.change({ ...by, set: { newSystemPercentage: 1 } });
    change.catch(() => {});
    await expect.poll(() => wire.silent).toBe(true);
    const client = await shell();
    await expect(
      client.query("UPDATE config SET use_new_pnl_system = false"),
      "the hung process holds the row",
    ).rejects.toThrow("lock");
    await client.query("SET lock_timeout = 0");
    await client.query("UPDATE config SET use_new_pnl_system = false");
    await expect(change).rejects.toMatchObject({ code: "SYSTEM_DOWN" });
    expect((await (await open()).audit(0, 9)).map(({ action }) => action)).toEqual(["sql"]);
  });

  test("a sealed audit verifies, and an edited row is found", variant, async () => {
    const store = await open();
    const client = await shell();
    await store.change({
      ...by,
      evidence: { z: [1.5, "\u00fc\0"], a: null },
      set: { userWhitelist: ["amy"], newSystemPercentage: 33.3 },
    });
    await client.query("UPDATE config SET phase = 'dual_write', new_system_percentage = 12.50");
    await store.note(by);
    const { head } = await sealNew(store, { seq: 0, hash: noHash }, sha256);
    expect(head.seq).toBe(3);
    expect(await verifyAudit(await open(), [head], sha256)).toMatchObject({ ok: true, rows: 3, faults: [] });
    await client.query(
      "ALTER TABLE audit DISABLE TRIGGER audit_is_kept; UPDATE audit SET actor = 'bob' WHERE seq = 2",
    );
    expect(await verifyAudit(store, [head], sha256)).toMatchObject({
      ok: false,
      faults: [{ fault: "EDITED", seq: 2 }],
    });
  });

  test("the next poll sees a change whose notification was lost", async () => {
    const store = await open();
    let epoch = 0;
    store.watch(() => void store.read().then((record) => (epoch = record.epoch)));
    await expect.poll(() => epoch).toBe(1);
    const client = await shell();
    // Without this trigger no notification arrives, as behind a pooler that does not forward them.
    await client.query("ALTER TABLE config DISABLE TRIGGER config_tell");
    await client.query("UPDATE config SET new_system_percentage = 3");
    await expect.poll(() => epoch, { timeout: 3_000 }).toBe(2);
  });

  test("a change whose connection breaks during the commit is reported truthfully, and made at most once", async () => {
    const wire = await wireTo();
    const store = await open({}, wire.url);
    for (const [lost, code] of [
      ["answer", undefined],
      ["request", "SYSTEM_DOWN"],
    ] as const) {
      wire.breakAtCommit = lost;
      const change = store.change({ ...by, set: { newSystemPercentage: 1 } });
      if (code === undefined) expect(await change).toMatchObject({ epoch: 2 });
      else await expect(change).rejects.toMatchObject({ code });
    }
    expect(wire.broken).toBe(2);
    expect((await store.audit(0, 9)).map(({ epoch }) => epoch)).toEqual([2]);
  });

  test("a watcher that throws does not affect the others", async () => {
    const store = await open();
    let notifications = 0;
    store.watch(() => {
      throw new Error("mine");
    });
    store.watch(() => {
      notifications += 1;
    });
    await store.change({ ...by, set: {} });
    await expect.poll(() => notifications).toBeGreaterThan(0);
  });

  test("close leaves no connection open, even after several calls at once and with a watch", async () => {
    const store = await open();
    const connections = async (): Promise<number> => {
      const { rows } = await admin.query(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pnl-bridge control'",
      );
      return rows.length;
    };
    let notifications = 0;
    const stop = store.watch(() => {
      notifications += 1;
    });
    await expect.poll(() => notifications).toBeGreaterThan(0);
    stop();
    store.watch(() => {});
    await Promise.all([
      store.read(),
      store.read(),
      store.heartbeat(instance),
      store.change({ ...by, set: {} }),
    ]);
    await expect.poll(connections).toBe(3);
    await store.close();
    store.watch(() => {});
    await expect.poll(connections, { timeout: 10_000 }).toBe(0);
  });

  test("an open store that watches for changes does not keep its process alive", variant, async () => {
    const door = JSON.stringify(new URL("./control-store.ts", import.meta.url).href);
    const program = `const { openPostgresControlStore } = await import(${door});
      const store = await openPostgresControlStore(${JSON.stringify(server.url)}, ${JSON.stringify({ schema })});
      await new Promise((resolve) => store.watch(resolve));
      await store.heartbeat(${JSON.stringify(instance)});
      console.log((await store.read()).epoch);`;
    const inline = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", program];
    expect((await promisify(execFile)(process.execPath, inline)).stdout).toBe("1\n");
  });

  test("a failure to open names its reason, and never shows the password", async () => {
    const [at, secret] = [new URL(server.url).host, "geheim%2F1"];
    const cases: readonly (readonly [url: string, code: string])[] = [
      [`postgres://postgres:${secret}@${at}/postgres`, "BAD_CONFIG"],
      [`postgres://postgres:${secret}@${at}/other`, "BAD_CONFIG"],
      [`postgres://postgres:${secret}@127.0.0.1:1/postgres`, "SYSTEM_DOWN"],
      [`postgres://postgres:gehe@im@${at}/postgres@`, "BAD_CONFIG"],
    ];
    for (const [url, code] of cases) {
      const failed = await open({}, url).catch((failure) => failure);
      expect(failed).toMatchObject({ code });
      expect([failed.line, inspect(failed, { depth: 12, showHidden: true })].join()).not.toMatch(
        /geheim|gehe/,
      );
    }
  });

  test("foreign tables, and tables of a later version, are refused and not changed", async () => {
    await admin.query(`CREATE SCHEMA ${quoted(schema)}; CREATE TABLE ${quoted(schema)}.config (theirs text)`);
    await expect(open()).rejects.toMatchObject({
      code: "BAD_DATABASE",
      fix: expect.stringContaining("schema"),
    });
    const { rows } = await admin.query(
      "SELECT table_name FROM information_schema.tables WHERE table_schema = $1",
      [schema],
    );
    expect(rows).toEqual([{ table_name: "config" }]);
    schema += " later";
    await open();
    await admin.query(`INSERT INTO ${quoted(schema)}.control_migrations (version) VALUES (99)`);
    await expect(open()).rejects.toMatchObject({
      code: "BAD_DATABASE",
      message: expect.stringContaining("version 99"),
    });
  });

  // This test is the last one, since it ends every connection.
  test("calls fail after kill -9 of the server, and the store recovers by itself after its restart", async () => {
    const store = await open();
    const change = (newSystemPercentage: number) => store.change({ ...by, set: { newSystemPercentage } });
    await change(1);
    let epoch = 0;
    let notifications = 0;
    store.watch(() => {
      notifications += 1;
      void store.read().then(
        (record) => (epoch = record.epoch),
        () => {},
      );
    });
    await expect.poll(() => epoch).toBe(2);
    const { rows } = await admin.query("SHOW data_directory");
    const [pid] = readFileSync(join(rows[0].data_directory, "postmaster.pid"), "utf8").split("\n");
    process.kill(Number(pid), "SIGKILL");
    await expect(untilRejected(() => store.read())).resolves.toMatchObject({ code: "SYSTEM_DOWN" });
    await expect(change(2)).rejects.toMatchObject({ code: "SYSTEM_DOWN" });
    const before = notifications;
    await admin.end();
    // The server's child processes notice its death and release the shared memory.
    await sleep(1_000);
    await server.crash();
    admin = await connected(server.url);
    await expect.poll(() => notifications, { timeout: 10_000 }).toBeGreaterThan(before);
    const client = await shell();
    await client.query("UPDATE config SET use_new_pnl_system = false");
    await expect.poll(() => epoch, { timeout: 250 }).toBe(3);
    expect(await change(4)).toMatchObject({ epoch: 4 });
    expect((await store.audit(0, 9)).map((row) => row.epoch)).toEqual([2, 3, 4]);
  });
});

const by: Omit<ControlChange, "set"> = { actor: "amy", action: "traffic", reason: "a test" };
const instance: InstanceReport = {
  id: "one",
  name: "desk-7",
  seenEpoch: 1,
  drainedEpoch: 1,
  report: { rss: 1 },
};

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

async function untilRejected(work: () => Promise<unknown>): Promise<unknown> {
  for (const endsMs = performance.now() + 5_000; performance.now() < endsMs; await sleep(10))
    try {
      await work();
    } catch (failure) {
      return failure;
    }
  throw new Error("the call still succeeds after 5 s");
}

/** A readable dump of a schema: tables with their columns, views, checks and keys, triggers and functions. */
async function shapeOf(client: Client, schema: string): Promise<string[]> {
  const lines = async (sql: string): Promise<string[]> =>
    (await client.query(sql, [schema])).rows.map(({ line }) => line.replaceAll(`${schema}.`, ""));
  const columns = await lines(`
    SELECT format('%-19s %-24s %s%s%s', table_name, column_name, format_type(atttypid, atttypmod),
      CASE WHEN attnotnull THEN ' NOT NULL' END, ' DEFAULT ' || column_default) AS line
    FROM information_schema.columns
    JOIN pg_attribute ON attrelid = format('%I.%I', table_schema, table_name)::regclass AND attname = column_name
    WHERE table_schema = $1 ORDER BY table_name, ordinal_position`);
  const constraints = await lines(`
    SELECT format('%s: %s %s', conrelid::regclass, conname, regexp_replace(pg_get_constraintdef(oid), '\\s+', ' ', 'g')) AS line
    FROM pg_constraint WHERE connamespace = $1::regnamespace AND contype <> 'n' ORDER BY 1`);
  const views =
    await lines(`SELECT format('%s: %s', viewname, regexp_replace(definition, '\\s+', ' ', 'g')) AS line
    FROM pg_views WHERE schemaname = $1`);
  const triggers = await lines(`
    SELECT pg_get_triggerdef(pg_trigger.oid) AS line FROM pg_trigger
    JOIN pg_class ON pg_class.oid = tgrelid WHERE relnamespace = $1::regnamespace AND NOT tgisinternal ORDER BY 1`);
  const functions = await lines(
    `SELECT pg_get_functiondef(oid) AS line FROM pg_proc WHERE pronamespace = $1::regnamespace ORDER BY proname`,
  );
  return [
    "-- columns",
    ...columns,
    "",
    "-- constraints",
    ...constraints,
    "",
    "-- views",
    ...views,
    "",
    "-- triggers",
    ...triggers,
    "",
    "-- functions",
    ...functions,
  ];
}
