import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page, Route } from "playwright-core";
import { describe, expect, it } from "vitest";
import { allFlags } from "../../src/testing/fleet.ts";
import { until } from "../../src/testing/until.ts";
import { chromiumPath, startThrottlingBrowser } from "../browser.ts";
import { isLongRun, longSeconds, variant } from "../campaigns.ts";
import { ask, desk, listen } from "../gateway/desk.ts";
import { axeFindings } from "./axe.ts";
import { openFront, scriptEvents } from "./front.ts";
import { usePages } from "./open-page.ts";
import { figures, systemOf } from "./trading-desk.ts";

const env = { V: "viewer-0123456789", A: "amy-0123456789012", B: "bob-0123456789012" };
const tokens = [
  { name: "viewer", role: "viewer", env: "V" },
  { name: "amy", role: "operator", env: "A" },
  { name: "bob", role: "operator", env: "B" },
] as const;
const limits = { lookMs: 100 };
const isLong = isLongRun("page", 60);
/** A test that runs only in the campaign `page`. */
const itLong = it.skipIf(!isLongRun("page"));

const live = (page: Page) => page.locator("[data-state=live]").waitFor();
const card = (page: Page, title: string) => page.locator(".card", { hasText: title }).first();
/** The exact texts of the numbers of an element. */
const exactIn = (page: Page, selector: string): Promise<string[]> =>
  page.locator(`${selector} data`).evaluateAll((all) => all.map((one) => one.getAttribute("value") ?? ""));
const copied = (page: Page): Promise<string> =>
  page.evaluate(`new Promise((resolve) => {
    addEventListener("copy", (event) => resolve(event.clipboardData.getData("text/plain")), { once: true });
    document.execCommand("copy");
  })`);

/** A pair of databases in which these rows wait for a person. */
const databaseOf = (rows: readonly object[]) =>
  ({
    latest: {
      ...{ shouldBe: "legacy", authority: "legacy", step: "", epoch: 1, mode: "dual_write" },
      ...{
        owed: { toLegacy: null, toModern: { count: 0, oldestMs: 0 } },
        modernAway: null,
        parked: [],
        olderCopy: null,
      },
      ...{ lastReconcile: null, quarantine: rows.length, reviews: 0, unstorable: 0, foreignRows: null },
      ...{ backfill: null, canGoBack: { now: true, why: "" } },
    },
    waiting: async () => rows,
  }) as never;
const refusedRow = {
  ...{ kind: "row", table: "processed_trades", key: "TYU5", code: "BAD_TIME", because: "it has no zone" },
  ...{ legacy: "{}", modern: null, atMs: 0 },
};

describe.skipIf(chromiumPath === undefined)("the page in Chromium (skipped if it is not installed)", () => {
  const pages = usePages();

  describe("sign-in", () => {
    it("keeps the token for the tab only, and never puts it into an address", async () => {
      const { url } = await desk({ page: pages.folder, tokens, env });
      const page = await pages.show(url, "wrong-0123456789");
      await page.getByText("the token in the authorization header is not valid").waitFor();
      const addresses: string[] = [];
      page.on("request", (request) => addresses.push(request.url()));
      await page.getByLabel("Your token").fill(env.A);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByText("amy (operator)").waitFor();
      await live(page);
      await page.reload();
      await page.getByText("amy (operator)").waitFor();
      expect(addresses.filter((address) => address.includes(env.A))).toEqual([]);
      expect(await page.evaluate("JSON.stringify({ ...localStorage }) + document.cookie")).toBe("{}");
      const other = await pages.open(url);
      await other.getByLabel("Your token").waitFor();
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("Your token").waitFor();
      expect(await page.evaluate("sessionStorage.length")).toBe(0);
    });

    itLong(
      "is neither ended nor begun again by a late answer to a token that the tab no longer has",
      async () => {
        const { url, emit } = await desk({ page: pages.folder, tokens, env });
        const page = await pages.show(url, env.A);
        const late = async (status: 200 | 401, meanwhile: () => Promise<void>): Promise<void> => {
          const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
          const answer = async (route: Route): Promise<void> => {
            asked.resolve();
            await answered.promise;
            await (status === 200 ? route.continue() : route.fulfill({ status, body: "{}" }));
          };
          await page.route("**/api/v1/session", answer, { times: 1 });
          emit({ kind: "plan", what: "a change", epoch: 2 });
          await asked.promise;
          await page.getByRole("button", { name: "Sign out" }).click();
          await page.getByLabel("Your token").waitFor();
          await meanwhile();
          const arrived = page.waitForResponse("**/api/v1/session");
          answered.resolve();
          await (await arrived).finished();
          // The page has had time to act on the answer.
          await sleep(200);
        };
        await live(page);
        await late(200, async () => {});
        expect(await page.getByLabel("Your token").isVisible()).toBe(true);
        const signIn = async (token: string, who: string): Promise<void> => {
          await page.getByLabel("Your token").fill(token);
          await page.getByRole("button", { name: "Sign in" }).click();
          await page.getByText(who).waitFor();
          await live(page);
        };
        await signIn(env.A, "amy (operator)");
        await late(401, () => signIn(env.B, "bob (operator)"));
        expect(await page.getByText("bob (operator)").isVisible()).toBe(true);
      },
    );
  });

  describe("figures", () => {
    it("are the decimal texts of the gateway's answer, and copying gives the exact text", async () => {
      const { url } = await desk({
        ...{ page: pages.folder, legacy: systemOf(figures()), database: databaseOf([refusedRow]) },
      });
      const page = await pages.show(`${url}/#/pnl?compare=no`);
      await live(page);
      const { summary, positions } = (await ask(`${url}/api/v1/dashboard`)).body.value;
      const { realized, unrealized, total } = summary.totals.USD;
      expect(await exactIn(page, ".cards")).toEqual([
        ...[total, summary.day.totals.USD.total, realized, unrealized],
        summary.openPositions,
      ]);
      expect(
        (await exactIn(page, "[role=grid][aria-label=Positions] [aria-rowindex='2']")).toSorted(),
      ).toEqual(
        ["quantity", "averagePrice", "mark", "realized", "unrealized", "total"]
          .map((field) => positions[0][field])
          .toSorted(),
      );
      expect(await card(page, "Unrealized").innerText()).toContain("−1,234.50");
      await page.evaluate(`getSelection().selectAllChildren(document.querySelector(".main data"))`);
      expect(await copied(page)).toBe("-234.2500000001");
      await page.evaluate("getSelection().removeAllRanges()");
      await page.locator("[role=gridcell]:has(data[value='331/3'])").focus();
      expect(await copied(page)).toBe("331/3");
      // The browser itself copies from a field of a dialog, although the dialog is inside a cell.
      await page.getByRole("link", { name: "Files and data" }).click();
      await page.getByRole("button", { name: "Accept …" }).click();
      await page.getByRole("dialog").getByLabel("Reason").fill("my own reason");
      await page.getByRole("dialog").getByLabel("Reason").selectText();
      expect(await copied(page)).toBe("");
    });

    it("stand beside the other system's, with the exact difference and its verdict, never as 0.00", async () => {
      const { url } = await desk({
        ...{ page: pages.folder, legacy: systemOf(figures()) },
        modern: systemOf(figures({ quantity: "3", unrealized: "-1234.5" })),
      });
      const page = await pages.show(url);
      await live(page);
      const unrealized = card(page, "Unrealized");
      await unrealized.getByText("1.0×10⁻¹⁰").waitFor();
      expect(await unrealized.innerText()).toContain("≈ within tolerance");
      expect(await exactIn(page, ".card:has-text('Unrealized')")).toEqual([
        "-1234.5000000001",
        "-1234.5",
        "0.0000000001",
      ]);
      const row = page.getByRole("row", { name: "TYU5" }).first();
      expect(await row.innerText()).toContain("≠ diverged");
      await page.getByLabel("Only rows that differ").check();
      await until(
        async () => (await page.getByRole("grid", { name: "Positions" }).getByRole("row").count()) === 2,
      );
    });

    it("follow the system within the next look of the gateway, without a reload or a new canvas of the chart", async () => {
      const held = figures();
      const { url } = await desk({
        ...{ page: pages.folder, legacy: systemOf(held), limits },
        modern: systemOf(figures({ quantity: "3" })),
      });
      const page = await pages.show(url);
      await live(page);
      const canvas = await page.locator(".chart canvas").elementHandle();
      const legend = page.locator(".u-legend");
      const point = { position: { x: 500, y: 20 } };
      await page.evaluate("window.isSame = true");
      held.unrealized = "77.125";
      await page.locator(".cards data[value='77.125']").first().waitFor();
      expect(await page.evaluate("window.isSame")).toBe(true);
      held.dayTotal = "77";
      await until(async () => {
        await page.locator(".u-over").hover(point);
        return (await legend.innerText()).includes("77");
      });
      expect(await canvas?.evaluate((one) => (one as unknown as { isConnected: boolean }).isConnected)).toBe(
        true,
      );
    });

    it("of a system that fails are the last good ones, with a badge, their age and the reason", async () => {
      const held = figures();
      const { url } = await desk({ page: pages.folder, legacy: systemOf(held), limits });
      const page = await pages.show(`${url}/#/pnl?compare=no`);
      await live(page);
      held.failure = "the desk is away";
      const badge = page.getByRole("status").filter({ hasText: "STALE" });
      await badge.getByText(/^STALE \d/).waitFor();
      expect(await badge.innerText()).toContain("legacy – legacy does not answer: the desk is away");
      await live(page);
      expect(await exactIn(page, ".cards")).toContain("-1234.5000000001");
      held.failure = undefined;
      await badge.waitFor({ state: "detached" });
    });

    it("of a system that answers nothing but zeros are shown as not available, with the reason, and never as 0.00", async () => {
      const { url, service } = await desk({
        ...{ page: pages.folder, legacy: systemOf(figures({ isBlank: true })) },
        modern: systemOf(figures()),
      });
      const page = await pages.show(`${url}/#/pnl?compare=no`);
      await live(page);
      await page
        .getByText(/not available – legacy shows nothing but zeros/)
        .first()
        .waitFor();
      expect(await page.locator("main").innerText()).not.toContain("0.00");
      await service.idle();
      const { body } = await ask(`${url}/api/v1/dashboard?beside=true`);
      expect(body.other.comparison?.verdict).not.toBe("equal");
      await page.goto(`${url}/#/pnl`);
      const positions = page.getByRole("region", { name: "Positions" });
      await positions.getByText("Only rows that differ").waitFor();
      expect(await positions.locator(".panel-head .soft").innerText()).toBe("2 rows");
    });

    it("come from legacy with a badge while modern fails for a user in the ramp", async () => {
      const held = figures({ quantity: "3" });
      const { url } = await desk({
        ...{ page: pages.folder, limits, legacy: systemOf(figures()), modern: systemOf(held) },
        plan: { phase: "dual_write", flags: allFlags, newSystemPercentage: 100 },
      });
      const page = await pages.show(url);
      await page.locator(".badge.modern").first().waitFor();
      held.failure = "modern is away";
      await page.locator(".badge", { hasText: "LEGACY (fallback)" }).first().waitFor();
      expect((await ask(`${url}/api/v1/dashboard`)).body.fellBack).toBeDefined();
      await page.getByText(/Legacy answers because modern did not/).waitFor();
      held.failure = undefined;
      await page.locator(".badge.modern").first().waitFor();
    });

    itLong(
      "come from the system to which the plan sends the user at a percentage of 50, in every panel, after a reload and in another tab",
      async () => {
        const { url, dashboard } = await desk({
          ...{ page: pages.folder, tokens, env },
          ...{ legacy: systemOf(figures()), modern: systemOf(figures({ quantity: "3" })) },
          plan: { phase: "dual_write", flags: allFlags, bucketBy: "user", newSystemPercentage: 50 },
        });
        const users = [
          { user: "amy", token: env.A, source: "modern", quantity: "3" },
          { user: "bob", token: env.B, source: "legacy", quantity: "2" },
        ];
        const screen = `${url}/#/pnl?compare=no`;
        for (const { user, token, source, quantity } of users) {
          expect((await dashboard.getPnlData({ user })).source).toBe(source);
          const page = await pages.show(screen, token);
          const isShown = async (tab: Page): Promise<void> => {
            await live(tab);
            await tab.locator(`.title .badge.${source}`).waitFor();
            expect(await tab.locator(`.badge:not(.${source})`).count()).toBe(0);
            const [shown] = await exactIn(tab, "[role=grid][aria-label=Positions] [aria-rowindex='2']");
            expect(shown).toBe(quantity);
          };
          await isShown(page);
          await page.reload();
          await isShown(page);
          const other = await pages.open(screen, token);
          await isShown(other);
          await isShown(page);
          await page.getByRole("button", { name: "Sign out" }).click();
        }
      },
    );

    itLong("of thousands of rows are in the document only while they are visible", async () => {
      const rows = 2_000;
      const { url } = await desk({
        page: pages.folder,
        legacy: () => ({
          ...{ totals: {}, daily: [], trades: [] },
          positions: Array.from({ length: rows }, (_, index) => ({
            ...{ symbol: `S${index}`, quantity: "1", averagePrice: "1" },
            ...(index > 0 && { mark: "1" }),
            ...{ realized: String(index), unrealized: "0" },
          })),
        }),
      });
      const page = await pages.show(`${url}/#/pnl?compare=no`);
      await live(page);
      const grid = page.getByRole("grid", { name: "Positions" });
      await grid.getByRole("gridcell", { name: "S0" }).first().focus();
      expect(await grid.getAttribute("aria-rowcount")).toBe(String(rows + 1));
      await page.keyboard.press("Control+End");
      await grid.locator(`[aria-rowindex='${rows + 1}']`).waitFor();
      expect(await grid.locator("[role=row]").count()).toBeLessThan(100);
      // The one row without a mark is the last one in both directions.
      const mark = grid.getByRole("columnheader", { name: "Mark", exact: true });
      for (const order of ["descending", "ascending"]) {
        await mark.getByRole("button").click();
        await until(async () => (await mark.getAttribute("aria-sort")) === order);
        await page.keyboard.press("Control+End");
        await grid.locator(`[aria-rowindex='${rows + 1}']`).waitFor();
        expect(await grid.locator(`[aria-rowindex='${rows + 1}']`).innerText()).toMatch(/^S0\b/);
      }
    });

    it.each(isLong ? ["Asia/Tokyo", "Europe/London", "America/Chicago"] : ["Asia/Tokyo"])(
      "have the desk's times, with the zone, in a browser in %s",
      async (timezoneId) => {
        const { url } = await desk({ page: pages.folder, legacy: systemOf(figures()) });
        const emulation = await pages.tab.context().newCDPSession(pages.tab);
        await emulation.send("Emulation.setTimezoneOverride", { timezoneId });
        const page = await pages.show(url);
        await live(page);
        expect(await page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")).toBe(timezoneId);
        const [instant, text] = await page
          .locator(".facts [title*='Z']")
          .first()
          .evaluate((time): [string, string] => [time.getAttribute("title") ?? "", time.textContent ?? ""]);
        const shown = new Intl.DateTimeFormat("en-CA", {
          ...{ timeZone: "America/Chicago", dateStyle: "short", timeStyle: "medium", hourCycle: "h23" },
        }).format(new Date(instant));
        expect(text).toMatch(new RegExp(`^${shown.replace(",", "")} C[SD]T$`));
        await page.getByText("2025-07-24 10:00:00 -05:00").first().waitFor();
        // Detaching also ends the override of the time zone.
        await emulation.detach();
      },
    );
  });

  describe("the connection", () => {
    it("that is lost is named with its time and reason, the figures turn grey, and it comes back by itself", async () => {
      const { url } = await desk({ page: pages.folder, legacy: systemOf(figures()) });
      const { relay } = pages;
      const page = await pages.show(url);
      await live(page);
      relay.down();
      await page
        .getByRole("alert")
        .getByText(/No connection since \d\d:\d\d:\d\d C[SD]T/)
        .waitFor();
      await page.locator("main.old").waitFor();
      relay.heal();
      await live(page);
      relay.stall();
      await page.getByRole("alert").getByText("the gateway has sent nothing for").waitFor();
      relay.heal();
      await live(page);
      expect(await page.getByRole("alert").count()).toBe(0);
    });

    it("to a gateway that closes and starts again under another plan shows that plan and its figures only", async () => {
      const first = await desk({
        page: pages.folder,
        legacy: systemOf(figures()),
        plan: { phase: "shadow_mode", epoch: 4 },
      });
      const page = await pages.show(first.url);
      await live(page);
      await page.evaluate("window.isSame = true");
      // The gateway ends the streams before it closes.
      await first.gateway.close();
      await page.getByRole("alert").getByText("No connection since").waitFor();
      const second = await desk({
        ...{ page: pages.folder, legacy: systemOf(figures({ unrealized: "5" })) },
        plan: { phase: "read_only", epoch: 9 },
      });
      pages.relay.target = second.url;
      await page.locator(".top").getByText("read_only").waitFor();
      await page.locator(".cards data[value='5']").first().waitFor();
      const epochs = page.locator(".facts > div", { hasText: /^Epoch/ });
      await until(async () => (await epochs.allInnerTexts()).every((text) => /\b9$/.test(text)));
      expect(await page.evaluate("window.isSame")).toBe(true);
    });

    it(
      "that is cut at random ends with the newest figures, and no row is lost or doubled",
      variant,
      async () => {
        const held = figures();
        const { url } = await desk({ page: pages.folder, legacy: systemOf(held), limits });
        const page = await pages.show(`${url}/#/pnl?compare=no`);
        await live(page);
        for (let round = 0; round < (isLong ? 50 : 6); round++) {
          held.unrealized = String(round + 100);
          await sleep(Math.random() * 300);
          pages.relay.cut();
        }
        await page.locator(`.cards data[value='${held.unrealized}']`).first().waitFor();
        const { positions } = (await ask(`${url}/api/v1/dashboard`)).body.value;
        const shown = page.getByRole("grid", { name: "Positions" }).locator("[aria-rowindex]");
        expect((await shown.allInnerTexts()).length).toBe(positions.length + 1);
      },
    );

    it("that misses events makes the page ask again, and a repeated or late event changes nothing", async () => {
      const { url } = await desk({ page: pages.folder, legacy: systemOf(figures()) });
      await using front = await openFront(url);
      const stream = scriptEvents(front);
      const page = await pages.show(front.url);
      await live(page);
      await page.locator(".cards data").first().waitFor();
      const gaps = async () => Number(await page.locator("[data-gaps]").getAttribute("data-gaps"));
      const times = (path: string) => front.asked.filter((asked) => asked.includes(path)).length;
      const before = times("view=screen");
      for (let seq = 1_000; (await gaps()) === 0; seq += 10) {
        stream().beat(seq);
        await sleep(50);
      }
      await until(() => times("view=screen") > before);
      const seen = await gaps();
      for (const seq of [999, 1_000, 1]) stream().beat(seq);
      // A change of the plan makes the page ask for its session. When it asks, it has read all earlier
      // events.
      const sessions = times("/session");
      await until(() => {
        stream().send("plan", {});
        return times("/session") > sessions;
      });
      expect(await gaps()).toBe(seen);
    });

    itLong(
      "that is flooded with changes asks for the figures a few times only, and then shows the last ones",
      async () => {
        const held = figures();
        const { url } = await desk({ page: pages.folder, legacy: systemOf(held) });
        await using front = await openFront(url);
        const stream = scriptEvents(front);
        const page = await pages.show(`${front.url}/#/pnl?compare=no`);
        await live(page);
        await page.locator(".cards data").first().waitFor();
        const { value, ...facts } = (await ask(`${url}/api/v1/dashboard`)).body;
        const change = { ...facts, book: null, rows: value.positions, removed: [] };
        const asked = () => front.asked.filter((path) => path.includes("view=screen")).length;
        const [before, startedMs] = [asked(), performance.now()];
        const seconds = isLong ? longSeconds : 1;
        for (let round = 0; performance.now() - startedMs < seconds * 1_000; round++) {
          held.unrealized = String(round);
          for (let event = 0; event < 200; event++) stream().send("positions", change);
          await sleep(100);
        }
        await page.locator(`.cards data[value='${held.unrealized}']`).first().waitFor();
        const elapsedS = (performance.now() - startedMs) / 1_000;
        // The page asks at once for each new stream, and on a slow machine it may lose its stream.
        expect(asked() - before).toBeLessThanOrEqual(3 * elapsedS + 5);
      },
    );

    itLong(
      "that is refused shows why: after 503 the page tries again, after 403 not, after 401 it asks for a token",
      async () => {
        const { url } = await desk({ page: pages.folder, legacy: systemOf(figures()) });
        await using front = await openFront(url);
        let status = 503;
        const problem = (): string =>
          JSON.stringify({ status, code: "BUSY", detail: `refused with ${status}` });
        front.answer = ({ url: path }, response) => {
          if (path?.startsWith("/api/v1/events") !== true) return false;
          response.writeHead(status, { "content-type": "application/problem+json" }).end(problem());
          return true;
        };
        const attempts = () => front.asked.filter((path) => path.includes("/events")).length;
        const page = await pages.show(front.url);
        await page.getByRole("alert").getByText("refused with 503").waitFor();
        await until(() => attempts() >= 2);
        status = 403;
        await page.getByRole("alert").getByText("refused with 403").waitFor();
        const refused = attempts();
        await sleep(1_500);
        expect(attempts()).toBe(refused);
        status = 401;
        await page.reload();
        await page.getByLabel("Your token").waitFor();
      },
    );

    it("shows by how much this computer's clock differs from the gateway's, and no age is negative", async () => {
      const { url } = await desk({ page: pages.folder, legacy: systemOf(figures()) });
      await using front = await openFront(url);
      scriptEvents(front, { behindMs: 6 * 60_000 });
      const page = await pages.show(front.url);
      await page.getByText(/clock is [56] min \d\d s ahead of the gateway/).waitFor();
      expect(await page.locator("main").innerText()).not.toMatch(/[-−]\d+(\.\d)? s\b/);
    });

    itLong("of a browser that was stopped goes on, and no age is below zero", async () => {
      const { url } = await desk({ page: pages.folder, legacy: systemOf(figures()) });
      await using front = await openFront(url);
      const page = await pages.show(front.url);
      await live(page);
      const streams = () => front.asked.filter((path) => path.includes("/events")).length;
      const tools = await page.context().browser()?.newBrowserCDPSession();
      const { processInfo = [] } = (await tools?.send("SystemInfo.getProcessInfo")) ?? {};
      const before = streams();
      for (const { id } of processInfo) process.kill(id, "SIGSTOP");
      await sleep(isLong ? 60_000 : 4_000);
      for (const { id } of processInfo) process.kill(id, "SIGCONT");
      await live(page);
      await page.locator("main:not(.old)").waitFor();
      // A slow machine may lose the stream at any time.
      if (isLong) expect(streams() - before).toBeLessThanOrEqual(1);
      expect(await page.locator("main").innerText()).not.toMatch(/[-−]\d+(\.\d)? s\b/);
    });

    itLong(
      "of a hidden tab, whose timers the browser slows down, brings the last figures when somebody looks at it",
      async () => {
        const held = figures();
        const { url } = await desk({ page: pages.folder, legacy: systemOf(held), limits });
        await using front = await openFront(url);
        await using browser = await startThrottlingBrowser();
        const [page = await browser.context.newPage()] = browser.context.pages();
        await page.goto(`${front.url}/#/pnl?compare=no`);
        await live(page);
        const isNow = (state: string) =>
          until(
            async () => (await page.evaluate("document.visibilityState")) === state,
            `the tab is ${state}`,
          );
        const other = await browser.context.newPage();
        await other.bringToFront();
        await isNow("hidden");
        held.unrealized = "31";
        await sleep(isLong ? 1_000 * longSeconds : 1_000);
        held.unrealized = "32";
        const asked = front.asked.length;
        await page.bringToFront();
        await isNow("visible");
        await until(() => front.asked.slice(asked).some((path) => path.includes("view=screen")));
        await page.locator(".cards data[value='32']").first().waitFor();
        await live(page);
      },
    );

    itLong("lives on, with the newest figures, while a client that never reads is cut off", async () => {
      const held = figures();
      const { url, emit } = await desk({ page: pages.folder, legacy: systemOf(held), limits });
      const page = await pages.show(`${url}/#/pnl?compare=no`);
      await live(page);
      const others = await Promise.all(
        Array.from({ length: isLong ? 97 : 1 }, () => listen(`${url}/api/v1/events`)),
      );
      const slow = connect(Number(new URL(url).port), "127.0.0.1");
      slow.on("error", () => {});
      slow.write("GET /api/v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
      await once(slow, "readable");
      const metrics = async () => (await ask(`${url}/metrics`)).text;
      expect(await metrics()).toContain(`pnl_bridge_event_streams ${others.length + 2}\n`);
      const what = "x".repeat(100_000);
      while ((await metrics()).includes("pnl_bridge_event_streams_dropped_total 0\n"))
        for (let event = 0; event < 10; event++) {
          emit({ kind: "freshness", what, epoch: 1 });
          await sleep(10);
        }
      held.unrealized = "41";
      await page.locator(".cards data[value='41']").first().waitFor();
      await live(page);
      // Nobody else was cut off.
      await until(async () => (await metrics()).includes(`pnl_bridge_event_streams ${others.length + 1}\n`));
      slow.destroy();
      for (const other of others) other.close();
    });

    it("is one for all tabs of a browser; when its tab closes, another one takes over, and the way back works in each", async () => {
      const { url } = await desk({ page: pages.folder, legacy: systemOf(figures()) });
      await using front = await openFront(url);
      let streams = 0;
      front.answer = ({ url: path }, response) => {
        if (path?.startsWith("/api/v1/events") !== true) return false;
        streams += 1;
        response.on("close", () => {
          streams -= 1;
        });
        return false;
      };
      const tabs = [await pages.open(front.url)];
      const [leader] = tabs as [Page];
      await live(leader);
      const count = isLong ? 8 : 3;
      while (tabs.length < count) tabs.push(await pages.open(front.url));
      for (const tab of tabs) await live(tab);
      await until(() => streams === 1);
      await leader.close();
      tabs.shift();
      for (const tab of tabs) await live(tab);
      await until(() => streams === 1);
      const last = tabs.at(-1) as Page;
      await last.bringToFront();
      await last.getByRole("button", { name: "Roll back to legacy" }).focus();
      await last.keyboard.press("Enter");
      await last.getByRole("dialog").waitFor();
      await last.keyboard.press("Enter");
      await until(async () => {
        const { rows } = (await ask(`${url}/api/v1/audit`)).body;
        return rows.some(({ action }: { readonly action: string }) => action === "rollback");
      });
    });
  });

  describe("everybody can use it:", () => {
    const views = ["P&L", "Migration", "Differences", "Files and data", "Health"];

    /**
     * The views that axe examines: one in `./run test`, two in a short run of the campaign `page`, all in a
     * longer one. The walk of a new user examines other views and the dialog, which have more content there.
     */
    const examined = isLong ? views : isLongRun("page") ? ["P&L", "Migration"] : ["P&L"];

    it(`axe finds no fault in ${examined.join(", ")}, light and dark; at a width of 320 px nothing but tables scrolls sideways in any view`, async () => {
      const { url } = await desk({
        ...{ page: pages.folder, legacy: systemOf(figures()) },
        modern: systemOf(figures({ quantity: "3" })),
      });
      const page = await pages.show(url);
      await live(page);
      for (const view of examined) {
        await page.getByRole("link", { name: view }).click();
        await page.getByRole("heading", { name: view, level: 1 }).waitFor();
        // What all views share is examined once.
        expect([view, await axeFindings(page, view === "P&L" ? "html" : "main")]).toEqual([view, []]);
      }
      if (isLong) {
        await page.getByRole("button", { name: "Roll back to legacy" }).click();
        await page.getByRole("dialog").waitFor();
        expect(await axeFindings(page)).toEqual([]);
      }
      await page.emulateMedia({ colorScheme: null });
      await page.keyboard.press("Escape");
      await page.setViewportSize({ width: 320, height: 640 });
      for (const view of views) {
        await page.getByRole("link", { name: view }).click();
        await page.getByRole("heading", { name: view, level: 1 }).waitFor();
        const width = "document.documentElement.scrollWidth";
        await until(async () => (await page.evaluate<number>(width)) <= 320, `${view} fits 320 px`);
      }
    });

    it("the keyboard alone reaches every cell of a table and sorts it", async () => {
      const { url } = await desk({ page: pages.folder, legacy: systemOf(figures()) });
      const page = await pages.show(`${url}/#/pnl?compare=no`);
      await live(page);
      const grid = page.getByRole("grid", { name: "Trades" });
      expect(await grid.getAttribute("aria-rowcount")).toBe("41");
      await grid.getByRole("gridcell", { name: "TYU5" }).first().focus();
      await page.keyboard.press("Control+End");
      const focused = page.locator(":focus");
      await until(async () => (await focused.innerText()) === "1");
      await page.keyboard.press("Control+Home");
      await page.keyboard.press("ArrowUp");
      for (let step = 0; step < 5; step++) await page.keyboard.press("ArrowRight");
      await until(async () => (await focused.innerText()) === "Price");
      await page.keyboard.press("Enter");
      const header = grid.getByRole("columnheader", { name: "Price" });
      await until(async () => (await header.getAttribute("aria-sort")) === "descending");
      await page.keyboard.press("ArrowDown");
      await until(async () => (await focused.locator("data").getAttribute("value")) === "110.0395");
    });
  });

  itLong(
    "Health shows what users saw and the calculation time of both systems, and says so if there is no evidence",
    async () => {
      const { url } = await desk({ page: pages.folder, legacy: systemOf(figures()) });
      const page = await pages.show(`${url}/#/health`);
      await page.getByText("There is no evidence, or it cannot be read.").waitFor();
      const seconds = (p50: string, p99: string, side: string) =>
        `pnl_bridge_calculation_p50_seconds{method="totals",side="${side}"} ${p50}\n` +
        `pnl_bridge_calculation_p99_seconds{method="totals",side="${side}"} ${p99}\n`;
      const users = { seen: 9, wrong: 1, stale: 0, fell_back_FAILED: 2, fell_back_BREAKER: 1 };
      const lines = Object.entries(users).map(
        ([what, n]) => `pnl_bridge_impact_users{what="${what}"} ${n}\n`,
      );
      const body = seconds("0.002", "0.0125", "legacy") + seconds("0.001", "+Inf", "modern") + lines.join("");
      await page.route("**/metrics", (route) => route.fulfill({ body }));
      const row = page.getByRole("row", { name: /^totals/ });
      await row.waitFor();
      expect(await row.getByRole("cell").allInnerTexts()).toEqual([
        "2.00",
        "1.00",
        "13",
        "time-out",
        "–",
        "–",
      ]);
      const impact = page.getByRole("region", { name: "User impact" });
      expect((await impact.locator("dd").allInnerTexts()).map((text) => text.trim())).toEqual([
        ...["9", "! 1 user", "! 3 users", "✓ 0 users"],
      ]);
      for (const name of [
        "Median calculation time of totals in ms",
        "Users with a wrong, old or replaced answer",
      ])
        await page.getByRole("img", { name }).waitFor();
      if (isLong) expect(await axeFindings(page, "main")).toEqual([]);
      await page.emulateMedia({ colorScheme: null });
      await page.unroute("**/metrics");
    },
  );

  itLong("rows that look alike are not mixed up when one more arrives", async () => {
    const row = { line: 4, code: "BAD_TIME", why: "it is no time", text: "yesterday" };
    const refused = ["a", "b"].map((root) => ({ root, path: "trades.csv", ...row }));
    const waiting = [refusedRow, { ...refusedRow, code: "REVIEW" }];
    let notice: (event: { readonly kind: string }) => void = () => {};
    const sink = { rows: 0, oldestUnappliedMs: 0, state: "ok" };
    const { url, store } = await desk({
      ...{ page: pages.folder, legacy: systemOf(figures()), database: databaseOf(waiting) },
      files: {
        status: async () => ({ roots: [], sinks: { legacy: sink, modern: sink }, files: [], reviews: [] }),
        quarantine: async () => refused,
        onEvent: (listener: typeof notice) => {
          notice = listener;
          return () => {};
        },
      } as never,
    });
    const beat = (id: string, name = "gateway 7") =>
      store.heartbeat({ id, name, seenEpoch: 1, drainedEpoch: 1, report: null });
    for (const id of ["a", "b"]) await beat(id);
    const page = await pages.show(`${url}/#/files`);
    await live(page);
    const rowsOf = (label: string) =>
      page.getByRole("region", { name: label, exact: true }).locator("tbody tr");
    const has = (label: string, count: number) =>
      until(async () => (await rowsOf(label).count()) === count, `${label} has ${count} rows`);
    await has("Refused rows of files", 2);
    await has("Rows of the databases", 2);
    refused.unshift({ root: "c", path: "other.csv", ...row });
    waiting.unshift({ ...refusedRow, key: "TUU5" });
    notice({ kind: "refused" });
    await has("Refused rows of files", 3);
    await has("Rows of the databases", 3);
    await page.getByRole("link", { name: "Migration" }).click();
    await has("Processes", 2);
    for (const id of ["a", "b"]) await store.leave(id);
    await beat("c", "gateway 8");
    for (const id of ["a", "b"]) await beat(id);
    await has("Processes", 3);
  });

  it("asks nothing of any other origin, and breaks no rule of its policy", async () => {
    const { url } = await desk({ page: pages.folder, legacy: systemOf(figures()) });
    await pages.tab.addInitScript(
      "addEventListener('securitypolicyviolation', (e) => (window.broken = e.violatedDirective))",
    );
    const origins = new Set<string>();
    const note = (request: { url(): string }): void => void origins.add(new URL(request.url()).origin);
    pages.tab.on("request", note);
    const page = await pages.show(url);
    await live(page);
    await page.getByRole("img", { name: /P&L by trading day/ }).hover();
    await page.getByRole("button", { name: "Roll back to legacy" }).click();
    page.off("request", note);
    expect([...origins]).toEqual([pages.relay.url]);
    expect(await page.evaluate("window.broken ?? null")).toBeNull();
  });
});
