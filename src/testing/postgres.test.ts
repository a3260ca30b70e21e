import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { postgresMissing } from "./postgres.ts";

const missing = postgresMissing();

test.skipIf(missing !== undefined)(
  `a test that is killed leaves neither server nor folder ${missing ?? ""}`,
  async () => {
    // A folder of its own for temporary files, accessible to the user that runs the server.
    const place = mkdtempSync(join(tmpdir(), "postgres-test-"));
    chmodSync(place, 0o777);
    try {
      const door = JSON.stringify(new URL("./postgres.ts", import.meta.url).href);
      const program = `const { startPostgres } = await import(${door});
      console.log((await startPostgres()).url);
      setInterval(() => {}, 1_000);`;
      const child = spawn(
        process.execPath,
        ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", program],
        {
          env: { ...process.env, TMPDIR: place },
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      const { value: url } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
      expect(url).toMatch(/^postgres:/);
      const [folder = ""] = readdirSync(place);
      expect(existsSync(join(place, folder, "data", "postmaster.pid"))).toBe(true);
      child.kill("SIGKILL");
      await expect.poll(() => readdirSync(place), { timeout: 10_000 }).toEqual([]);
      const { Client } = await import("pg");
      await expect(new Client({ connectionString: url }).connect()).rejects.toMatchObject({
        code: "ECONNREFUSED",
      });
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  },
);
