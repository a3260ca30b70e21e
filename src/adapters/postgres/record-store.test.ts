import type { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe } from "vitest";
import { postgresMissing, startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { connected } from "../../testing/postgres-wire.ts";
import { recordStoreContract } from "../../testing/record-store-contract.ts";
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

  recordStoreContract("postgres", async () => ({
    side: "modern",
    open: (authority) => openPostgresRecordStore(address(), { authority }),
    sql: async (statement) => (await admin.query(statement)).rows,
    table,
  }));
});
