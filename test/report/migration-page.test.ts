/** The report of the migration as a page, in Chromium, from one value with every kind of entry. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { migrationPage } from "../../src/adapters/report/migration-page.ts";
import type { MigrationReport } from "../../src/ports/migration-report.ts";
import { loadAxe } from "../axe.ts";
import { chromiumPath, startBrowser } from "../browser.ts";
import { isLongRun } from "../campaigns.ts";
import { withFiles } from "../cli/run-cli.ts";

const who = { distinct: 2, days: 3 };
const nobody = { distinct: 0, days: 0 };
const attack = `<script>document.title = "bad"</script>"'&`;
const meaning = {
  proves: "at most 1 % differ",
  lacks: "wiring",
  otherwise: "`./run test`, then `evidence add`",
};
const gate = { title: "a title", evidence: { n: 1 }, meaning };

const report: MigrationReport = {
  ...{ version: "1.2.3", at: "2026-11-30T12:00:00.000Z", legacy: "legacy-desk", modern: `modern ${attack}` },
  ...{ phase: "dual_write", epoch: 7, answers: "modern answers 25 % of the books", profile: "desk" },
  remarks: ["The sign-offs are simulated."],
  back: { possible: true, why: "nothing is owed to legacy", command: "pnl-bridge rollback --reason TEXT" },
  target: "primary_switch",
  gates: [
    {
      ...gate,
      name: "accuracy/live",
      state: "open",
      open: true,
      why: "0 of 512 instrument-days unexplained",
    },
    {
      ...gate,
      name: "standing",
      state: "closed",
      open: false,
      why: `2 lanes are apart now, such as ${attack}`,
    },
    { ...gate, name: "days", state: "inconclusive", open: false, why: "12 days; 20 needed" },
    { ...gate, name: "memory", state: "inconclusive", open: true, why: "waived until 2026-12-15" },
    { ...gate, name: "approved", state: "closed", open: false, why: "nobody has approved", meaning: null },
  ],
  evidence: {
    ...{ key: "a70530d5/f6b0c0f9/94ada505", attempt: 2, looks: 9, build: "1.2.3+abc", otherKeys: 1 },
    ...{ days: 12, firstDay: "2026-11-02", lastDay: "2026-11-27" },
  },
  metrics: {
    calculationTime: [
      {
        ...{ method: "positions", pairs: 200, slower: 1 },
        ...{ p50Ms: { legacy: 1.2, modern: 0.9 }, p99Ms: { legacy: 9, modern: null } },
      },
      {
        ...{ method: "totals", pairs: 100, slower: 50 },
        ...{ p50Ms: { legacy: 1, modern: 2 }, p99Ms: { legacy: 12_000, modern: 9 } },
      },
    ],
    memory: {
      ...{ at: "2026-11-28T10:00:00.000Z", pairs: 8, ratio: 0.98 },
      bytes: { legacy: 104_857_600, modern: 94_371_840 },
    },
    accuracy: [
      { source: "replay", trials: 1_234, events: 0, upper: 0.00275 },
      { source: "live", trials: 0, events: 0, upper: 1 },
    ],
    errors: { minutes: 600, failed: 1 },
    impact: {
      ...{ seen: { distinct: 9, days: 40 }, wrong: who, wrongBooks: who, wrongMinutes: 12, largest: 62.5 },
      ...{ money: 1_075.25, fellBack: { TIMEOUT: who }, stale: who, staleMs: 900, unmarked: nobody },
      unobserved: 0.02,
    },
  },
  moves: [
    {
      ...{
        at: "2026-11-02T09:00:00.000Z",
        actor: `amy ${attack}`,
        what: "phase: phase shadow_mode → dual_write",
      },
      reason: "all gates are open",
    },
  ],
  signed: [
    {
      at: "2026-11-20T09:00:00.000Z",
      actor: "bob",
      what: "drill: good in 31 ms",
      reason: "the weekly drill",
    },
  ],
  waivers: [
    { gate: "memory", actors: ["amy", "bob"], reason: "a new host", until: "2026-12-15" },
    { gate: "noise", actors: ["amy"], reason: attack, until: "2026-12-15" },
  ],
  causes: [
    { code: "LOT_ORDER", limit: "250", owner: "desk-risk", until: "2026-12-31", reason: "a known defect" },
    { code: "NO_MARK", limit: null, owner: "desk-risk", until: "2026-12-31", reason: "a known defect" },
  ],
  risks: ["3 writes are owed to modern", `EGB ZNU2025 is apart ${attack}`],
};

it.skipIf(chromiumPath === undefined)(
  "the page of the migration shows every part, escapes all texts, asks for nothing, and has no fault that axe " +
    "can find in light and dark, and in the long run narrow and in print (skipped if Chromium is not installed)",
  async () => {
    await using stack = new AsyncDisposableStack();
    const browser = stack.adopt(await startBrowser(), (one) => one.close());
    const tab = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    tab.setDefaultTimeout(90_000);
    const asked: string[] = [];
    tab.on("request", (request) => asked.push(request.url()));
    await withFiles({ "migration.html": migrationPage(report) }, async (folder) => {
      const url = pathToFileURL(join(folder, "migration.html")).href;
      await tab.goto(url);
      expect(asked).toEqual([url]);
      expect(await tab.title()).toBe(`Migration: legacy-desk to ${report.modern}`);
      expect(await tab.locator("h2").allInnerTexts()).toEqual([
        "Now",
        "How to go back to legacy now",
        "Checklist before primary_switch",
        "Open risks",
        "User impact",
        "Calculation time",
        "Accuracy",
        "Memory and errors",
        "Evidence",
        "Moves",
        "Sign-offs, drills and recorded results",
        "Waivers",
        "Accepted causes of differences",
      ]);
      const text = await tab.locator("body").innerText();
      for (const part of [
        "Of its 5 gates, the evidence closes 2, and 1 more cannot open yet because evidence is missing.",
        "? not proved yet",
        "! waived",
        "To open it: ./run test, then evidence add",
        "It does not prove: wiring",
        "2 users (3 user-days) of 2 books (3 book-days)",
        "12 minutes until it was corrected or last seen",
        "largest 62.50; sum over books and days 1,075.25",
        "timed out",
        "12 s",
        "modern's peak is 0.98 times legacy's, legacy 100 MiB and modern 90 MiB (measured in 8 pairs of processes on 2026-11-28)",
        "modern failed in 1 of 600 minutes with calls",
        "at most 0.275 %",
        "needs a second person",
        "no limit",
        `EGB ZNU2025 is apart ${attack}`,
        "The sign-offs are simulated.",
      ])
        expect(text).toContain(part);
      // The slowest method comes first.
      expect(text.indexOf("totals")).toBeLessThan(text.indexOf("positions\t"));
      await loadAxe(tab);
      for (const [name, media, width] of [
        ["light", { colorScheme: "light", media: "screen" }, 1280],
        ["dark", { colorScheme: "dark", media: "screen" }, 1280],
        ["narrow", { colorScheme: "light", media: "screen" }, 420],
        ["print", { colorScheme: "light", media: "print" }, 1122],
      ] as const) {
        await tab.emulateMedia(media);
        await tab.setViewportSize({ width, height: 900 });
        const wide = await tab.evaluate("document.documentElement.scrollWidth > innerWidth");
        expect([name, wide]).toEqual([name, false]);
        if (name !== "light" && name !== "dark" && !isLongRun("pages")) continue;
        // The dark page differs from the light one in its colors only.
        const rules = name === "dark" ? { runOnly: ["color-contrast"] } : {};
        const { violations } = await tab.evaluate<{
          violations: { id: string; nodes: { html: string }[] }[];
        }>(`axe.run(${JSON.stringify({ resultTypes: ["violations"], ...rules })})`);
        expect([name, violations.map(({ id, nodes }) => [id, nodes[0]?.html])]).toEqual([name, []]);
      }
    });
  },
);
