import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { createPnlBridge } from "../../src/app/bridge/pnl-bridge.ts";
import { loadConfig } from "../../src/config/index.ts";
import { startGateway } from "../../src/surfaces/gateway/index.ts";
import { until } from "../../src/testing/until.ts";
import { root, withFiles } from "../cli/run-cli.ts";
import { commandsOf, filesOf, outputPattern } from "./page-commands.ts";

const page = readFileSync(join(root, "docs/page.md"), "utf8");
const env = { PNL_TOKEN_AMY: "amy-0123456789012", PNL_TOKEN_TRADER1: "trader-0123456789" };

describe("docs/page.md", () => {
  it("has a configuration that works, and the answer of its request", () =>
    withFiles({}, async (folder) => {
      for (const { name, text } of filesOf(page)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), text.replace("127.0.0.1:8080", "127.0.0.1:0"));
      }
      const path = join(folder, "desk.yaml");
      const { gateway: given } = await loadConfig(path);
      const bridge = await createPnlBridge({ config: path, log: () => {} });
      const gateway = await startGateway({
        ...{ ...given, ...given.listen, bridge, control: bridge.control },
        ...{ localActor: "amy", env, limits: { leaveMs: 0 } },
      });
      try {
        const commands = commandsOf(page);
        expect(commands.length).toBeGreaterThan(0);
        for (const [command, output] of commands) {
          const [, path = "", name = ""] = /8080(\S+) -H "authorization: Bearer \$(\w+)"/.exec(command) ?? [];
          const token = env[name as keyof typeof env];
          const steady = (text: string) => text.replaceAll(/"epoch":\d+/g, '"epoch":\\d+');
          const shown = outputPattern(output, steady);
          // A bridge on a slow machine begins before it has read the plan.
          await until(async () => {
            const headers = { authorization: `Bearer ${token}` };
            return shown.test(await (await fetch(`${gateway.url}${path}`, { headers })).text());
          }, `the answer of ${command} is the one of the page`);
        }
      } finally {
        await gateway.close();
        await bridge.close();
      }
    }));

  it("shows every verdict as the page shows it", () => {
    const source = readFileSync(join(root, "web/src/verdict.tsx"), "utf8");
    const verdicts = [...source.matchAll(/: \["(\S+)", "([a-z ]+)"\]/g)];
    expect(verdicts).toHaveLength(5);
    for (const [, sign, word] of verdicts) expect(page).toContain(`\`${sign} ${word}\``);
  });
});
