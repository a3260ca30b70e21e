import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { openSqliteControlStore } from "../../adapters/sqlite/index.ts";
import { showConfig } from "./config.ts";

const folder = mkdtempSync(join(tmpdir(), "config-show-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("settings of each process come from its file, even if an older version has published them", async () => {
  const path = join(folder, "desk.yaml");
  writeFileSync(
    path,
    `stores: { control: "sqlite:./control.db" }
migration:
  phase: read_only
  monitoring: { alert_url: https://own.example/hunter2, log_all_calculations: false }
`,
  );
  const store = await openSqliteControlStore(join(folder, "control.db"));
  const text = '{"phase":"shadow_mode","monitoring":{"alert_url":"https://older.example/hunter2"}}';
  const published = { text, hash: "0".repeat(64), phase: "shadow_mode" as const };
  await store.change({
    actor: "amy",
    action: "publish",
    reason: "a test",
    set: { published, grantedPhase: "shadow_mode" },
  });
  await store.close();
  const { values, ignored } = await showConfig(path);
  expect(ignored).toEqual(["migration.monitoring.alert_url"]);
  expect(values).toContainEqual({
    key: "migration.phase",
    value: "shadow_mode",
    from: "published 000000000000",
  });
  const own = (key: string) => values.find((one) => one.key === `migration.monitoring.${key}`);
  expect(own("alert_url")).toMatchObject({ value: "https://own.example/…", from: `${path}:4:28` });
  expect(own("log_all_calculations")).toMatchObject({ value: false, from: expect.stringMatching(path) });
  expect(own("performance_tracking")).toMatchObject({ value: true, from: "default" });
});
