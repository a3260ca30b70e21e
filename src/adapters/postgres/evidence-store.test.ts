import { afterAll, beforeAll, describe } from "vitest";
import { evidenceStoreContract } from "../../testing/evidence-store-contract.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { openPostgresEvidenceStore } from "./index.ts";

const missing = postgresMissing();
describe.skipIf(missing !== undefined)(`PostgreSQL ${missing ?? ""}`, () => {
  let server: TestPostgres;
  let schemas = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  const door = JSON.stringify(new URL("./index.ts", import.meta.url).href);
  evidenceStoreContract("postgres", async () => {
    schemas += 1;
    const schema = `test "${schemas}"`;
    const given = `${JSON.stringify(server.url)}, ${JSON.stringify({ schema })}`;
    return {
      open: (options) => openPostgresEvidenceStore(server.url, { schema, ...options }),
      elsewhere: `(await import(${door})).openPostgresEvidenceStore(${given})`,
    };
  });
});
