import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { withFiles } from "../../../test/cli/run-cli.ts";
import { openDatabase as createLegacy } from "../../legacy-desk/database.ts";
import { settingsOf } from "../control/session.ts";
import { withDatabase } from "./command-session.ts";
import { drainDatabases } from "./commands.ts";
import { openDatabase } from "./open.ts";
import { pairOf } from "./pair.ts";

it("a command whose plan names legacy leaves the authority with modern, and only db drain moves it back", () =>
  withFiles({}, async (folder) => {
    const [config, legacy] = [join(folder, "desk.yaml"), join(folder, "pnl_tracker.db")];
    createLegacy(legacy, { journal: "wal", busyTimeoutMs: 5_000 }).close();
    writeFileSync(
      config,
      `stores: { legacy: "sqlite:${legacy}", modern: "sqlite:${join(folder, "newpnl.db")}" }\n`,
    );
    const direction = () => ({ authority: "modern", mirrors: true }) as const;
    await (await openDatabase(pairOf(await settingsOf({ config })), { direction })).close();
    await withDatabase({ config }, async ({ pair }) => {
      // A process that follows the plan would move it back in less than a second and a half.
      await sleep(1_500);
      expect(await pair.legacy.call("fence", null)).toMatchObject({ authority: "modern" });
    });
    expect(await drainDatabases({ config, timeoutMs: 60_000 })).toMatchObject({ drained: true });
    await withDatabase({ config }, async ({ pair }) =>
      expect(await pair.legacy.call("fence", null)).toMatchObject({ authority: "legacy" }),
    );
  }));
