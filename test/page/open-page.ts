/** One browser for a test file, and pages in it whose every error fails the test. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { startBrowser } from "../browser.ts";
import { builtPage } from "./built-page.ts";

export interface Pages {
  /** The folder of the built page, for a gateway. */
  readonly folder: string;
  /** Opens a page in a context of its own, or as one more tab of a context. The test's end closes it. */
  open(url: string, options?: OpenOptions): Promise<Page>;
  /** Opens a page in the one tab that tests share, since a new tab costs a second of the processor. */
  show(url: string, options?: Pick<OpenOptions, "token">): Promise<Page>;
}

interface OpenOptions {
  /** The token of the person, which is entered in the form. */
  readonly token?: string;
  /** Opens one more tab of a context that a test has opened. */
  readonly context?: BrowserContext;
  readonly timezoneId?: string;
  readonly viewport?: { readonly width: number; readonly height: number };
}

/** A failed request is a message of the browser, not a fault of the page. */
const network = /Failed to load resource|net::ERR_/;

const usual = { width: 1280, height: 800 };

/** Starts a browser before the tests of a file, and ends it after them. */
export function usePages(): Pages {
  let browser: Browser;
  let folder = "";
  let shared: Page;
  let errors: string[] = [];
  const contexts = new Set<BrowserContext>();
  const newPage = async (context: BrowserContext): Promise<Page> => {
    const page = await context.newPage();
    page.setDefaultTimeout(90_000);
    page.on("pageerror", ({ message }) => errors.push(message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    return page;
  };
  beforeAll(async () => {
    [browser, folder] = await Promise.all([startBrowser(), builtPage()]);
    shared = await newPage(await browser.newContext());
  });
  afterAll(() => browser.close());
  beforeEach(() => shared.setViewportSize(usual));
  afterEach(async () => {
    await shared.goto("about:blank");
    for (const context of contexts) await context.close();
    contexts.clear();
    const found = errors.filter((text) => !network.test(text));
    errors = [];
    expect(found).toEqual([]);
  });
  return {
    get folder() {
      return folder;
    },
    show: (url, { token } = {}) => opened(shared, url, token),
    open: async (url, { token, context: given, ...options } = {}) => {
      const context = given ?? (await browser.newContext({ viewport: usual, ...options }));
      contexts.add(context);
      return opened(await newPage(context), url, token);
    },
  };
}

async function opened(page: Page, url: string, token: string | undefined): Promise<Page> {
  await page.goto(url);
  if (token !== undefined) {
    await page.getByLabel("Your token").fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
  }
  return page;
}
