import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parityDocument, renderParityPage } from "../../src/adapters/report/index.ts";
import { runDemo } from "../../src/app/demo-desk/demo.ts";
import { replay } from "../../src/app/parity/replay.ts";
import { defaultConfig } from "../../src/config/index.ts";
import type { ParityReport } from "../../src/ports/parity-report.ts";
import { loadAxe } from "../axe.ts";
import { chromiumPath, startBrowser } from "../browser.ts";
import { isLongRun, variant } from "../campaigns.ts";
import { withFiles } from "../cli/run-cli.ts";
import { sample } from "../golden/sample-report.ts";
import { hasSharedData, sharedData } from "../shared-data.ts";

const hasPdfToText = spawnSync("pdftotext", ["-v"]).error === undefined;

describe.skipIf(chromiumPath === undefined)(
  "the report page in Chromium (skipped if it is not installed)",
  () => {
    let browser: Browser;
    let tab: Page;
    let desk: ParityReport;
    beforeAll(async () => {
      [browser, { report: desk }] = await Promise.all([startBrowser(), runDemo({ seed: 1 })]);
      tab = await browser.newPage();
      tab.setDefaultTimeout(90_000);
    });
    afterAll(() => browser.close());

    /**
     * Opens a report's page from a file, as a person does, always in the same tab, since a new tab costs a
     * second of the processor. An error in its script fails the test.
     */
    const opened = (report: ParityReport, use: (page: Page) => Promise<void>): Promise<void> =>
      withFiles({ "report.html": renderParityPage(report) }, async (folder) => {
        await tab.emulateMedia({ colorScheme: "light", media: null });
        await tab.setViewportSize({ width: 1280, height: 900 });
        const errors: string[] = [];
        tab.removeAllListeners();
        tab.on("pageerror", ({ message }) => errors.push(message));
        tab.on("console", (message) => message.type() === "error" && errors.push(message.text()));
        await tab.goto(pathToFileURL(join(folder, "report.html")).href);
        await use(tab);
        expect(errors).toEqual([]);
      });

    const shown = (page: Page): Promise<string> => page.locator("#shown").innerText();
    const column = (page: Page, index: number): Promise<string[]> =>
      page
        .locator(`#figures tbody tr > :nth-child(${index})`)
        .evaluateAll((cells) => cells.map((cell) => cell.textContent ?? ""));
    /** The exact texts of all figures inside an element. */
    const exactIn = (page: Page, selector: string): Promise<string[]> =>
      page
        .locator(`${selector} data`)
        .evaluateAll((all) => all.map((one) => one.getAttribute("value") ?? ""));
    const chooseAll = async (page: Page): Promise<void> => {
      for (const box of await page.locator("input[name=verdict]").all()) await box.check();
    };

    it.each([
      ["a sample of every kind of row", () => sample],
      ["a desk's history", () => desk],
    ])("shows exactly the figures of the JSON: %s", (_, reportOf) =>
      opened(reportOf(), async (page) => {
        const { rows, summary } = parityDocument(reportOf());
        await chooseAll(page);
        const listed: string[] = await exactIn(page, "#figures");
        while ((await page.locator("#next").isVisible()) && (await page.locator("#next").isEnabled())) {
          await page.locator("#next").click();
          listed.push(...(await exactIn(page, "#figures")));
        }
        const ofRows = rows.flatMap(({ legacy, modern, difference, tolerance }) => [
          legacy,
          modern,
          difference,
          tolerance,
        ]);
        expect(listed.toSorted()).toEqual(ofRows.filter((text) => text !== null).toSorted());
        const { totals = [], days = [], causes = [] } = summary ?? {};
        const sums = totals.flatMap(({ realized, unrealized, total }) =>
          [realized, unrealized, total].flatMap(({ legacy, modern, difference }) => [
            legacy,
            modern,
            difference,
          ]),
        );
        expect(await exactIn(page, ".totals")).toEqual(sums);
        const eventful = days.filter(
          ({ legacy, modern, apart }) => apart > 0 || legacy !== "0" || modern !== "0",
        );
        const ofDays = eventful.flatMap(({ legacy, modern, difference }) => [legacy, modern, difference]);
        expect(await exactIn(page, ".days")).toEqual(ofDays);
        const groups = causes.flatMap(({ money }) =>
          (["largest", "positions", "days"] as const).flatMap((sum) => money.map((one) => one[sum])),
        );
        expect(await exactIn(page, ".causes")).toEqual(groups.filter((text) => text !== null));
      }),
    );

    it("first shows the differences, largest first, and combines filters by verdict, search and cause", () =>
      opened(desk, async (page) => {
        expect(await shown(page)).toBe("12 of 351 figures");
        expect((await column(page, 8))[0]).toBe("1,968.75");
        await page.getByRole("searchbox").fill("2025-07-16 TOTAL");
        expect(await shown(page)).toBe("1 of 351 figures");
        await page.getByLabel("✗ diverged").uncheck();
        expect(await shown(page)).toBe("0 of 351 figures");
        await page.getByLabel("= equal").check();
        expect(await shown(page)).toMatch(/^\d\d of 351 figures$/);
        await page.getByRole("button", { name: "Reset" }).click();
        await expect.poll(() => shown(page)).toBe("12 of 351 figures");
        await page.getByLabel("Kind").selectOption("position");
        expect(await shown(page)).toBe("4 of 351 figures");
        await page.getByRole("button", { name: "Show figures of COUNTED_TWICE" }).click();
        await expect.poll(() => shown(page)).toBe("12 of 351 figures");
      }));

    it("sorts by each column, numbers by value, in both directions", () =>
      opened(desk, async (page) => {
        const difference = page.getByRole("button", { name: "Difference", exact: true });
        const sizes = async () => (await column(page, 8)).slice(0, 3);
        await difference.click();
        expect(await sizes()).toEqual(["1,968.75", "1,171.875", "1,140.625"]);
        await difference.click();
        expect(await sizes()).toEqual(["-1,046.875", "-937.50", "-937.50"]);
        expect(await page.locator("th[aria-sort]").getAttribute("aria-sort")).toBe("ascending");
        for (const name of [
          "Instrument",
          "Verdict",
          "Kind",
          "Day",
          "Field",
          "Legacy",
          "Modern",
          "Tolerance",
          "Cause",
        ]) {
          await page.getByRole("button", { name, exact: true }).click();
          expect(await page.locator("th[aria-sort]").innerText()).toContain(name);
        }
        await page.getByRole("button", { name: "Day", exact: true }).click();
        const days = await column(page, 4);
        expect(days).toEqual(days.toSorted());
      }));

    it("puts exact figures on the clipboard, with tabs between the cells", () =>
      opened(sample, async (page) => {
        await chooseAll(page);
        const copied = (selector: string): Promise<string> =>
          page.evaluate(`{
          const node = document.querySelector(${JSON.stringify(selector)});
          getSelection().selectAllChildren(node);
          const clipboardData = new DataTransfer();
          node.dispatchEvent(new ClipboardEvent("copy", { clipboardData, bubbles: true, cancelable: true }));
          clipboardData.getData("text/plain");
        }`);
        expect(await copied('#figures data[value="1/3"]')).toBe("1/3");
        expect(await copied(".totals tbody")).toContain(
          "unrealized USD\t0.000000000000003\t125\t124.999999999999997",
        );
      }));

    type Setting = readonly [name: string, media: Parameters<Page["emulateMedia"]>[0], width: number];
    const settings: readonly [Setting, ...Setting[]] = [
      ["light", { colorScheme: "light", media: "screen" }, 1280],
      ["dark", { colorScheme: "dark", media: "screen" }, 1280],
      ["420 pixels wide", { colorScheme: "light", media: "screen" }, 420],
      ["print", { colorScheme: "light", media: "print" }, 1122],
    ];
    /** The faults of accessibility that axe finds in each of the examined settings. */
    const axeFindings = async (
      page: Page,
      examined: readonly Setting[] = settings,
    ): Promise<readonly string[]> => {
      const found: string[] = [];
      await loadAxe(page);
      for (const [name, media, width] of examined) {
        await page.emulateMedia(media);
        await page.setViewportSize({ width, height: 900 });
        // The dark page differs from the light one in its colors only.
        const rules = name === "dark" ? { runOnly: ["color-contrast"] } : {};
        const options = JSON.stringify({ resultTypes: ["violations"], ...rules });
        const { violations } = await page.evaluate<AxeResult>(`axe.run(${options})`);
        for (const { id, nodes } of violations)
          found.push(`${name}: ${id}: ${nodes.map(({ html }) => html).join(" ")}`);
      }
      return found;
    };

    const [light, ...others] = settings;
    it(`has no accessibility fault that axe can find: ${light[0]}`, () =>
      opened(sample, async (page) => expect(await axeFindings(page, [light])).toEqual([])));
    it(
      `has no accessibility fault that axe can find: ${others.map(([name]) => name).join(", ")}`,
      variant,
      () => opened(sample, async (page) => expect(await axeFindings(page, others)).toEqual([])),
    );

    const ofRealLedgers = async (use: (page: Page, report: ParityReport) => Promise<void>): Promise<void> => {
      const [trades, prices] = [join(sharedData, "ledgers"), join(sharedData, "prices")];
      const report = await replay({ config: defaultConfig, trades: [trades], prices: [prices] });
      await opened(report, (page) => use(page, report));
    };

    it.runIf(hasSharedData && isLongRun("pages"))(
      "of all real ledgers shows the right figures (skipped without ../shared/data)",
      () =>
        ofRealLedgers(async (page, { rows }) => {
          expect(await shown(page)).toBe("72 of 2,053 figures");
          expect((await column(page, 8))[0]).toBe("108,670,250.00");
          const apart = rows.filter(({ verdict }) => verdict === "diverged" || verdict === "not_comparable");
          const exact = apart.flatMap(({ legacy, modern, difference, tolerance }) => [
            legacy,
            modern,
            difference,
            tolerance,
          ]);
          expect((await exactIn(page, "#figures")).toSorted()).toEqual(
            exact.filter((text) => text !== null).toSorted(),
          );
        }),
    );

    // axe takes long on the page of all ledgers.
    it.runIf(hasSharedData && isLongRun("pages"))(
      "of all real ledgers has no accessibility fault that axe can find",
      () => ofRealLedgers(async (page) => expect(await axeFindings(page)).toEqual([])),
    );

    it("fits 1280 pixels; at 420 only its tables scroll, and the instrument stays visible", () =>
      opened(desk, async (page) => {
        const overflow = (): Promise<number> =>
          page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        const tableOverflow = (): Promise<number> =>
          page.locator("#figures").evaluate((region) => region.scrollWidth - region.clientWidth);
        expect([await overflow(), await tableOverflow()]).toEqual([0, 0]);
        await page.setViewportSize({ width: 420, height: 900 });
        expect(await overflow()).toBe(0);
        const left = await page.locator("#figures").evaluate((region) => {
          region.scrollLeft = 300;
          return region.getBoundingClientRect().left;
        });
        const name = await page.locator("#figures tbody th").first().boundingBox();
        expect(name?.x).toBeCloseTo(left, -1);
      }));

    it.skipIf(!hasPdfToText)(
      "prints every column, the causes and page numbers (skipped where there is no pdftotext)",
      () =>
        opened(desk, async (page) => {
          await chooseAll(page);
          // The longer a path is, the less room is left for the digest, which still stands in one line.
          await page.locator("th.wide").evaluateAll((paths) => {
            for (const path of paths) path.textContent += "W".repeat(60);
          });
          const pdf = await page.pdf({ preferCSSPageSize: true });
          await withFiles({ "report.pdf": pdf }, async (folder) => {
            const { stdout } = spawnSync("pdftotext", ["-layout", join(folder, "report.pdf"), "-"], {
              encoding: "utf8",
            });
            const pages = stdout.split("\f").slice(0, -1);
            for (const [index, text] of pages.entries())
              expect(text).toContain(`Page ${index + 1} of ${pages.length}`);
            const heads =
              /Instrument +Verdict +Kind +Day +Field +Legacy +Modern +Difference +Tolerance +Cause/;
            // The screen shows 200 of the 351 figures; printed, all of them fill several sheets, each with
            // the heads.
            expect(pages.filter((text) => heads.test(text)).length).toBeGreaterThan(3);
            expect(stdout.match(/✗ diverged .* COUNTED_TWICE/g)).toHaveLength(11);
            expect(stdout).toContain(
              "351 of 351 figures: diverged, error, not comparable, within tolerance, equal",
            );
            expect(stdout).toContain("rows that an earlier file also contains count again");
            expect(stdout).toContain(desk.inputs?.[0]?.sha256);
          });
        }),
    );
  },
);

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}
