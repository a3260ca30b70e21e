import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type ConfigChange, createPnlBridge } from "./pnl-bridge.ts";

const base = mkdtempSync(join(tmpdir(), "config-changes-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

async function until(holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 30_000;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error("the change was not reported in time");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe.each([
  ["without a control store", ""],
  ["with a control store", 'stores: { control: "sqlite:./control.db" }\n'],
])("a change of the file, %s", (_, store) => {
  it("is reported if it makes the file invalid, or takes effect only at the next start", async () => {
    const folder = mkdtempSync(join(base, "desk-"));
    const path = join(folder, "pnl_migration_config.yaml");
    writeFileSync(path, `${store}migration: { phase: read_only }\n`);
    const told: ConfigChange[] = [];
    const bridge = await createPnlBridge({ config: path, onConfigChange: (change) => told.push(change) });
    try {
      writeFileSync(path, `${store}migration: { phsae: read_only }\n`);
      await until(() => told.length === 1);
      const line = store === "" ? 1 : 2;
      expect(told[0]).toEqual({
        kind: "refused",
        what: `BAD_CONFIG: unknown key "migration.phsae" (${path}:${line}:14); did you mean "phase"?`,
      });
      writeFileSync(
        path,
        `${store}migration: { phase: shadow_mode, monitoring: { alert_url: "http://x/hunter2" } }
gateway: { listen: 127.0.0.1:0 }
`,
      );
      await until(() => told.length === 2);
      expect(told[1]).toEqual({
        kind: "pending",
        what: "migration.monitoring.alert_url, gateway.listen: the change takes effect at the next start",
      });
      if (store === "") expect(bridge.service.plan.phase).toBe("shadow_mode");
      else expect(bridge.control?.drift).toBe(true);
    } finally {
      await bridge.close();
    }
  });
});
