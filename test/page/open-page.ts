/** One browser for a test file, and pages in it whose every error fails the test. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { build } from "../../scripts/pack.ts";
import { startBrowser } from "../browser.ts";
import { openRelay, type Relay } from "./relay.ts";

export interface Pages {
  /** The folder of the built page, for a gateway. */
  readonly folder: string;
  /**
   * The relay between the browser and the gateways of all tests. Its address is always the same, so the
   * browser compiles the page's scripts only once. The end of a test heals it.
   */
  readonly relay: Relay;
  /** The one tab that tests share, since a new tab costs a second of the processor. */
  readonly tab: Page;
  /** Opens a page, through the relay, in the shared tab. */
  show(url: string, token?: string): Promise<Page>;
  /** Opens a page, through the relay, in one more tab of the same browser. The end of the test closes it. */
  open(url: string, token?: string): Promise<Page>;
}

/** A failed request is a message of the browser, not a fault of the page. */
const network = /Failed to load resource|net::ERR_/;

const usual = { width: 1280, height: 800 };

/** Starts a browser before the tests of a file, and ends it after them. */
export function usePages(): Pages {
  let browser: Browser;
  let folder = "";
  let relay: Relay;
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
    const [started, built, opened] = await Promise.all([startBrowser(), build(), openRelay()]);
    browser = started;
    relay = opened;
    folder = `${built}/web`;
    context = await browser.newContext({ viewport: usual });
    shared = await newTab();
  });
  afterAll(async () => {
    await browser.close();
    await relay[Symbol.asyncDispose]();
  });
  beforeEach(() => shared.setViewportSize(usual));
  afterEach(async () => {
    // The next test has the same address, and signs in by itself. A page that was not opened has no storage.
    await shared.evaluate("try { sessionStorage.clear(); } catch {}");
    await shared.goto("about:blank");
    await shared.unrouteAll();
    for (const tab of tabs.splice(0)) await tab.close();
    relay.heal();
    const found = errors.filter((text) => !network.test(text));
    errors = [];
    expect(found).toEqual([]);
  });
  const visit = async (page: Page, url: string, token?: string): Promise<Page> => {
    const { origin, pathname, hash } = new URL(url);
    if (relay.target !== origin) {
      relay.target = origin;
      // The browser would send the next request to the previous gateway.
      relay.cut();
    }
    await page.goto(`${relay.url}${pathname}${hash}`);
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
    get relay() {
      return relay;
    },
    get tab() {
      return shared;
    },
    show: (url, token) => visit(shared, url, token),
    open: async (url, token) => {
      const page = await newTab();
      tabs.push(page);
      return visit(page, url, token);
    },
  };
}
