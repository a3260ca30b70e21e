/** The operator's commands on the page, over a gateway with a control store in memory. */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import type { ComparisonRecord } from "../../src/ports/evidence.ts";
import type { ComparisonExplanation } from "../../src/ports/explanation.ts";
import { until } from "../../src/testing/until.ts";
import { chromiumPath } from "../browser.ts";
import { isLongRun, variant } from "../campaigns.ts";
import { ask, desk } from "../gateway/desk.ts";
import { axeFindings } from "./axe.ts";
import { usePages } from "./open-page.ts";

const env = { V: "viewer-0123456789", A: "amy-0123456789012", B: "bob-0123456789012" };
const tokens = [
  { name: "viewer", role: "viewer", env: "V" },
  { name: "amy", role: "operator", env: "A" },
  { name: "bob", role: "operator", env: "B" },
] as const;
/** `./run test` tries the first two views, which have the most commands. */
const views = (["pnl", "migration", "differences", "files", "health"] as const).slice(
  0,
  isLongRun("page") ? 5 : 2,
);
const isLong = isLongRun("page", 60);
/** A test that runs only in the campaign `page`. */
const itLong = it.skipIf(!isLongRun("page"));

const comparison = (index: number): ComparisonRecord => ({
  at: new Date(Date.UTC(2025, 6, 24, 15) + index).toISOString(),
  ...{ method: "calculatePnl", epoch: 1, answered: "legacy", kind: "ab", verdict: "diverged" },
  ...{ unit: `BOOK ${index}`, fingerprint: "abc", legacyMs: 1.5, modernMs: 2, legacyError: null },
  ...{ modernError: null, more: 0, excluded: 0, request: null },
  fields: [
    {
      ...{ path: "totals.USD.total", entry: null, verdict: "diverged" },
      ...{ legacy: "1", modern: "1.5", difference: "0.5" },
    },
  ],
});

/** The answer of the gateway for a difference that no cause explains. */
const unexplained: ComparisonExplanation = {
  ...{ comparison: "1", id: "1", component: { lanes: [], files: [] }, first: null, difference: "0.5" },
  ...{ causes: [], unexplained: "0.5", witness: null, others: [] },
  alternatives: [["DAY_RULE", "TIES"], ["ROUNDING"]],
  tried: [
    { code: "LIFO", rowsLeft: 2 },
    { code: "AVERAGE", rowsLeft: 3 },
  ],
  budget: { runs: 2, runsMax: 10, trades: 3, tradesMax: 10, exhausted: false },
};

describe.skipIf(chromiumPath === undefined)("commands in Chromium (skipped if it is not installed)", () => {
  const pages = usePages();
  const served = () => desk({ page: pages.folder, tokens, env, database: undefined });
  type Served = Awaited<ReturnType<typeof served>>;

  const show = async (page: Page, view: string): Promise<void> => {
    await page.evaluate(`location.hash = "#/${view}"`);
    await page.locator("[data-state=live]").waitFor();
  };
  const audited = async ({ store }: Served, action: string) =>
    (await store.audit(0, 1_000)).filter((row) => row.action === action);
  const dialog = (page: Page) => page.getByRole("dialog");
  const asBob = (at: Served, method: string, path: string, body: object) =>
    ask(`${at.url}/api/v1/${path}`, method, body, { authorization: `Bearer ${env.B}` });

  it(`a rollback takes two keys in the views ${views.join(", ")}, and the audit has its actor and reason`, async () => {
    const at = await served();
    const page = await pages.show(at.url, env.A);
    for (const [count, view] of views.entries()) {
      await show(page, view);
      await page.keyboard.press("Alt+r");
      await dialog(page).getByText("No gate is asked").waitFor();
      await page.keyboard.press("Enter");
      await dialog(page).getByText("Legacy answers every call since epoch").waitFor();
      // The dialog closes with the same key.
      await page.keyboard.press("Enter");
      await dialog(page).waitFor({ state: "hidden" });
      const rows = await audited(at, "rollback");
      expect(rows).toHaveLength(count + 1);
      expect(rows.at(-1)).toMatchObject({ actor: "amy", reason: "rolled back on the page" });
    }
  });

  it(`a viewer's page has no command in the views ${views.join(", ")}`, async () => {
    const at = await served();
    const page = await pages.show(at.url, env.V);
    for (const view of views) {
      await show(page, view);
      await page.getByRole("heading", { level: 1 }).waitFor();
      expect([view, await page.locator(".command, dialog").count()]).toEqual([view, 0]);
      await page.keyboard.press("Alt+r");
    }
    expect(await audited(at, "rollback")).toEqual([]);
  });

  it("a command about a plan that somebody else has changed is refused, and a rollback is not", async () => {
    const at = await served();
    const page = await pages.show(at.url, env.A);
    await show(page, "migration");
    await page.getByRole("button", { name: "Set traffic …" }).click();
    await asBob(at, "PUT", "migration/traffic", { percentage: 5, reason: "bob was faster" });
    await dialog(page).getByLabel("Percent of the books or users").fill("50");
    await dialog(page).getByLabel("Reason").fill("amy was slower");
    await page.keyboard.press("Enter");
    await dialog(page).getByText("CONFLICT").waitFor();
    await dialog(page).getByText("bob: traffic, “bob was faster”").waitFor();
    expect((await at.store.read()).overrides.newSystemPercentage).toBe(5);
    await page.keyboard.press("Escape");
    await asBob(at, "PUT", "migration/traffic", { percentage: 6, reason: "bob again" });
    await page.keyboard.press("Alt+r");
    await page.keyboard.press("Enter");
    await dialog(page).getByText("Legacy answers every call since epoch").waitFor();
  });

  it("the last daily reports are shown; a forward move shows the dry run, asks for the phase's name, and is refused with the closed gates", async () => {
    const at = await served();
    const page = await pages.show(at.url, env.A);
    const state = { date: "2025-07-24", state: "not accepted", because: "nobody has accepted it" };
    const lastReport = { ...state, counts: { type: 1, value: 6 }, failedTotals: ["Realized PNL: …"] };
    await page.route("**/api/v1/migration", async (route) => {
      const answer = await (await route.fetch()).json();
      await route.fulfill({ json: { ...answer, lastReport } });
    });
    await show(page, "migration");
    await page
      .getByText("2025-07-24, not accepted: nobody has accepted it; 1 type, 6 value, Realized PNL: …")
      .waitFor();
    await page.getByRole("button", { name: "Advance to shadow_mode …" }).click();
    await dialog(page).getByRole("heading", { name: "What will change" }).waitFor();
    await dialog(page).getByText("gates before shadow_mode are closed").waitFor();
    const send = dialog(page).getByRole("button", { name: "Advance to shadow_mode …" });
    await dialog(page).getByLabel("Reason").fill("it is time");
    await dialog(page).getByLabel("Type shadow_mode to confirm").fill("shadow");
    expect(await send.isDisabled()).toBe(true);
    await dialog(page).getByLabel("Type shadow_mode to confirm").fill("shadow_mode");
    await send.click();
    await dialog(page).getByRole("alert").getByText("a gate before shadow_mode is closed").waitFor();
    expect((await at.store.read()).grantedPhase).toBe("read_only");
  });

  it("lists and sign-offs are changed under the name of the token", async () => {
    const at = await served();
    const page = await pages.show(at.url, env.A);
    await show(page, "migration");
    await page.getByRole("button", { name: "Add to the whitelist …" }).click();
    await dialog(page).getByLabel("User").fill("tess");
    await dialog(page).getByLabel("Reason").fill("she tries it");
    await page.keyboard.press("Enter");
    await dialog(page).getByText("The list has changed.").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Remove tess …" }).waitFor();
    expect(await audited(at, "whitelist")).toMatchObject([{ actor: "amy", reason: "she tries it" }]);
  });

  it("a rollback without an answer says so, shows the other ways, and happens once", async () => {
    const at = await served();
    const { relay } = pages;
    const page = await pages.show(`${at.url}/#/migration`, env.A);
    await page.locator("[data-state=live]").waitFor();
    await page.getByText("Who answers").waitFor();
    relay.stall();
    await page.keyboard.press("Alt+r");
    await page.keyboard.press("Enter");
    const alert = dialog(page).getByRole("alert");
    await alert.getByText("unconfirmed").waitFor();
    await alert.getByText("pnl-bridge rollback --reason 'rolled back on the page'").waitFor();
    await alert.getByText("UPDATE config SET use_new_pnl_system = false;").waitFor();
    relay.heal();
    await dialog(page).getByText("Legacy answers every call since epoch").waitFor();
    await until(async () => (await audited(at, "rollback")).length > 0);
    expect(await audited(at, "rollback")).toHaveLength(1);
  });

  it(
    "a rollback whose answer is cut off is sent again under its key, and happens once",
    variant,
    async () => {
      const at = await served();
      const page = await pages.show(at.url, env.A);
      await page.locator("[data-state=live]").waitFor();
      const cut = pages.relay.cutAnswerTo("POST /api/v1/migration/rollback");
      await page.keyboard.press("Alt+r");
      await page.keyboard.press("Enter");
      await cut;
      expect(await audited(at, "rollback")).toHaveLength(1);
      await dialog(page).getByText("Legacy answers every call since epoch").waitFor();
      expect(await audited(at, "rollback")).toHaveLength(1);
    },
  );

  itLong(
    "a list of many comparisons holds only its visible rows in the document, and scrolls to its end",
    async () => {
      const at = await served();
      const count = isLong ? 100_000 : 2_000;
      const kept = { ...comparison(0), request: "kept", requestText: "{}" } as const;
      await at.evidence.append([
        kept,
        ...Array.from({ length: count - 1 }, (_, index) => comparison(index + 1)),
      ]);
      const page = await pages.show(at.url, env.A);
      await page.route("**/api/v1/comparisons/1/explanation", (route) =>
        route.fulfill({ json: unexplained }),
      );
      await show(page, "differences?verdict=diverged");
      const list = page.getByRole("grid", { name: "Comparisons, newest first" });
      await page.getByText(`at least ${count.toLocaleString("en-US")} found`).waitFor();
      expect(await list.getAttribute("aria-rowcount")).toBe(String(count + 1));
      await list.getByRole("gridcell").first().focus();
      await page.keyboard.press("Control+End");
      await list.getByText("BOOK 0", { exact: true }).waitFor();
      expect(await list.getByRole("row").count()).toBeLessThan(100);
      // The oldest comparison is opened with its fields.
      await list.getByText("BOOK 0", { exact: true }).click();
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Comparison 1", exact: true }).waitFor();
      await page.getByRole("cell", { name: "+0.5" }).waitFor();
      // What was tried is shown if no cause was found.
      await page.getByText("LIFO (rows that still differ: 2), AVERAGE (rows that still differ: 3)").waitFor();
      await page.getByText("DAY_RULE + TIES, or ROUNDING").waitFor();
      // A comparison never changes, so it is not asked for again when the tab is shown again.
      const asked: string[] = [];
      page.on("request", (request) => asked.push(new URL(request.url()).pathname));
      await page.evaluate(`document.dispatchEvent(new Event("visibilitychange"))`);
      await until(() => asked.includes("/api/v1/migration"));
      expect(asked.filter((path) => path.startsWith("/api/v1/comparisons/"))).toEqual([]);
    },
  );

  itLong("comparisons are found by their cause once somebody has looked for causes", async () => {
    const causes = new Map<string, readonly string[]>();
    const explain = async (id: string) => {
      causes.set(id, id === "1" ? ["LIFO"] : []);
      return unexplained;
    };
    const at = await desk({ page: pages.folder, tokens, env, explainer: { causes, explain } as never });
    const kept = { request: "kept", requestText: "{}" } as const;
    await at.evidence.append(Array.from({ length: 3 }, (_, index) => ({ ...comparison(index), ...kept })));
    const page = await pages.show(at.url, env.V);
    await show(page, "differences");
    const list = page.getByRole("grid", { name: "Comparisons, newest first" });
    const has = (rows: number) =>
      until(async () => (await list.getAttribute("aria-rowcount")) === String(rows + 1), `${rows} rows`);
    await list.getByRole("gridcell", { name: "not looked for" }).first().waitFor();
    await page.getByRole("button", { name: "Look for causes of the newest" }).click();
    await list.getByRole("gridcell", { name: "LIFO" }).waitFor();
    await page.getByRole("combobox", { name: "Cause" }).selectOption("LIFO");
    await has(1);
    await list.getByText("BOOK 0", { exact: true }).waitFor();
    await page.getByRole("combobox", { name: "Cause" }).selectOption("none found");
    await has(2);
  });

  /** The long run examines the dialog of every command. */
  const examined = isLong ? undefined : ["Advance to shadow_mode …", "Start a ramp …"];

  itLong(
    "no dialog has a fault that axe can find, light and dark, nor is wider than a window of 320 px",
    async () => {
      const at = await served();
      const page = await pages.show(at.url, env.A);
      await show(page, "migration");
      const commands = page.locator("main button.command:visible");
      await commands.first().waitFor();
      const found: string[] = [];
      for (const name of await commands.allTextContents()) {
        if (examined?.includes(name) === false) continue;
        await commands.filter({ hasText: name }).click();
        await dialog(page).waitFor();
        found.push(...(await axeFindings(page, "dialog[open]")).map((text) => `${name} ${text}`));
        await page.setViewportSize({ width: 320, height: 700 });
        const wide = Number(await page.evaluate("document.documentElement.scrollWidth - innerWidth"));
        if (wide > 0) found.push(`${name} is ${wide} px too wide`);
        await page.setViewportSize({ width: 1280, height: 800 });
        await page.keyboard.press("Escape");
      }
      expect(found).toEqual([]);
    },
  );
});
