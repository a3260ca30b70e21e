/** One browser for a test file, and pages in it whose every error fails the test. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { build } from "../../scripts/pack.ts";
import { startBrowser } from "../browser.ts";

export interface Pages {
  /** The folder of the built page, for a gateway. */
  readonly folder: string;
  /** Opens a page in the one tab that tests share, since a new tab costs a second of the processor. */
  show(url: string, token?: string): Promise<Page>;
  /** Opens a page in one more tab of the same browser. The end of the test closes it. */
  open(url: string, token?: string): Promise<Page>;
}

/** A failed request is a message of the browser, not a fault of the page. */
const network = /Failed to load resource|net::ERR_/;

const usual = { width: 1280, height: 800 };

/** Starts a browser before the tests of a file, and ends it after them. */
export function usePages(): Pages {
  let browser: Browser;
  let folder = "";
  let context: BrowserContext;
  let shared: Page;
  let errors: string[] = [];
  const tabs: Page[] = [];
  const newTab = async (): Promise<Page> => {
    const page = await context.newPage();
    page.setDefaultTimeout(90_000);
    page.on("pageerror", ({ message }) => errors.push(message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    return page;
  };
  beforeAll(async () => {
    const [started, built] = await Promise.all([startBrowser(), build()]);
    browser = started;
    folder = `${built}/web`;
    context = await browser.newContext({ viewport: usual });
    shared = await newTab();
  });
  afterAll(() => browser.close());
  beforeEach(() => shared.setViewportSize(usual));
  afterEach(async () => {
    await shared.goto("about:blank");
    await shared.unrouteAll();
    for (const tab of tabs.splice(0)) await tab.close();
    const found = errors.filter((text) => !network.test(text));
    errors = [];
    expect(found).toEqual([]);
  });
  const visit = async (page: Page, url: string, token?: string): Promise<Page> => {
    await page.goto(url);
    if (token !== undefined) {
      await page.getByLabel("Your token").fill(token);
      await page.getByRole("button", { name: "Sign in" }).click();
    }
    return page;
  };
  return {
    get folder() {
      return folder;
    },
    show: (url, token) => visit(shared, url, token),
    open: async (url, token) => {
      const page = await newTab();
      tabs.push(page);
      return visit(page, url, token);
    },
  };
}
