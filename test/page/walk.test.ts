import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { makeLivingDesk } from "../../src/app/demo-desk/living-desk.ts";
import { serveUntil } from "../../src/surfaces/cli/serving.ts";
import { chromiumPath } from "../browser.ts";
import { isLongRun } from "../campaigns.ts";
import { axeFindings } from "./axe.ts";
import { usePages } from "./open-page.ts";
import { ledgersRead, type Stop, walk } from "./walk.ts";

/**
 * The stops of the walk whose views show more than those of an empty desk, each with the part that other
 * views do not have. axe examines these parts.
 */
const examined: Partial<Record<Stop, string>> = {
  cause: "html",
  rollback: "dialog[open]",
  ...(isLongRun("page") ? { files: "main", health: "main" } : {}),
};

describe.skipIf(chromiumPath === undefined)("a new user in Chromium (skipped if it is not installed)", () => {
  const pages = usePages();

  it("finds why book UST differs, takes modern out of use, sees the fleet follow, and exports the audit", async () => {
    const folder = await mkdtemp(join(tmpdir(), "pnl-bridge-walk-"));
    try {
      const desk = await makeLivingDesk(folder, 1, { twoYearNote: 0, badRow: 0, republished: 0 });
      await serveUntil(desk.config, {
        log: pino({ level: "silent" }),
        env: { ...process.env, ...desk.env },
        page: pages.folder,
        onOpen: async ({ url, bridge }) => {
          const token = desk.env.DEMO_OPERATOR_TOKEN;
          await ledgersRead({ url, token });
          const end = await desk.start(bridge);
          const page = pages.tab;
          const faults: string[] = [];
          const audit = await walk(page, {
            ...{ url, token },
            at: async (stop) => {
              const part = examined[stop];
              if (part === undefined) return;
              faults.push(...(await axeFindings(page, part)).map((text) => `${stop} ${text}`));
            },
          });
          expect(faults).toEqual([]);
          await end();
          const rows = audit
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line));
          expect(rows.at(-1)).toMatchObject({
            actor: "olivia",
            action: "rollback",
            reason: "rolled back on the page",
          });
          expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1));
        },
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 600_000);
});
