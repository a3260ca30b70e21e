import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type ClientRequest, get } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser, CDPSession, Page } from "playwright-core";
import { openSqliteEvidenceStore } from "../src/adapters/sqlite/index.ts";
import { chromiumPath, startBrowser, startThrottlingBrowser } from "../test/browser.ts";
import { printed } from "../test/printed.ts";
import { median } from "./measure.ts";
import { type BenchResult, type BenchRow, megabytes, milliseconds } from "./report.ts";
import { inTemporaryFolder } from "./temporary.ts";

const streams = 100;
const callsPerS = 200;
const inFlightMax = 50;
/** The duration of one measurement of the server, and of the memory of the tab. `BENCH_S` sets the latter. */
const serverS = 15;
const tabS = Number(process.env.BENCH_S ?? 600);
/** How long both pages show changes, and at how many random moments of that time they are measured. */
const changesS = 60;
const changes = 1_000;
const pollMs = 5_000;
const bundleBytesMax = 350_000;

const what =
  "the page in Chromium on a desk of 200 positions that change all the time, beside a page that asks every " +
  "five seconds, and the server with and without its streams";

/**
 * A system whose unrealized P&L is the time in milliseconds; modern's differs, so that each call diverges.
 */
const system = (offset: string): string => `
const money = () => ({ realized: "0", unrealized: String(Date.now()) + "${offset}" });
const methods = {
  totals: () => ({ totals: { USD: { ...money(), total: String(Date.now()) } } }),
  openPositions: () => ({
    positions: Array.from({ length: 200 }, (_, at) => ({
      symbol: "S" + at, quantity: "1", averagePrice: "1", mark: "1", ...money(),
    })),
  }),
  dailyPnl: () => ({ daily: [{ symbol: "S0", tradingDay: "2025-07-24", ...money(), total: "1" }] }),
  tradeHistory: () => ({ trades: [{ id: "1", symbol: "S0", side: "B", quantity: "1", price: "1", time: null }] }),
};
export default methods;
`;

export async function page(): Promise<BenchResult> {
  if (chromiumPath === undefined)
    return { name: "page", what, rows: [], skipped: "this machine has no Chromium" };
  const browser = await startBrowser();
  try {
    return await inTemporaryFolder(async (folder) => {
      writeFileSync(join(folder, "legacy.mjs"), system(""));
      writeFileSync(join(folder, "modern.mjs"), system(".5"));
      const config = {
        migration: { phase: "shadow_mode", monitoring: { log_all_calculations: false } },
        systems: {
          legacy: { kind: "module", path: "./legacy.mjs" },
          modern: { kind: "module", path: "./modern.mjs" },
        },
        gateway: { listen: "127.0.0.1:0", rate_limit_per_s: 0 },
      };
      const stores = { control: "sqlite:./control.db" };
      writeFileSync(join(folder, "desk.yaml"), JSON.stringify(config));
      writeFileSync(join(folder, "stored.yaml"), JSON.stringify({ ...config, stores }));
      await fillEvidence(join(folder, "evidence.db"));
      const rows = [
        bundle(),
        ...(await served(folder, "desk.yaml", ({ url }) => inTab(browser, url))),
        ...(await served(folder, "desk.yaml", ({ url }) => afterHiding(url))),
        ...(await served(folder, "stored.yaml", ({ url }) => manyComparisons(browser, url))),
        ...(await served(folder, "desk.yaml", loaded)),
      ];
      return { name: "page", what, rows };
    });
  } finally {
    await browser.close();
  }
}

interface Server {
  readonly url: string;
  readonly pid: number;
  /** Collects the garbage, and returns the size of what is left: objects, and buffers beside the heap. */
  readonly liveBytes: () => Promise<number>;
}

/** Calls `use` with a server of its own. */
async function served<T>(folder: string, config: string, use: (server: Server) => Promise<T>): Promise<T> {
  const main = fileURLToPath(new URL("../src/surfaces/cli/main.ts", import.meta.url));
  const inspected = "--inspect=127.0.0.1:0";
  const child: ChildProcess = spawn(process.execPath, [inspected, main, "serve", "--config", config], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  try {
    const [url, inspector] = await Promise.all([
      printed(child.stdout, /serves at (\S+)\n/),
      printed(child.stderr, /(ws:\S+)\n/),
    ]);
    return await use({ url, pid: child.pid ?? 0, liveBytes: () => liveBytes(inspector) });
  } finally {
    if (child.exitCode === null) {
      const ended = once(child, "exit");
      child.kill();
      await ended;
    }
  }
}

/** Collects the garbage of a process by its inspector, and returns the size of what is left. */
async function liveBytes(inspector: string): Promise<number> {
  const socket = new WebSocket(inspector);
  const answers = ["HeapProfiler.collectGarbage", "Runtime.getHeapUsage"].map((method, id) => {
    const { promise, resolve, reject } = Promise.withResolvers<Record<string, number>>();
    socket.addEventListener("open", () => socket.send(JSON.stringify({ id, method })));
    socket.addEventListener("message", ({ data }) => {
      const answer = JSON.parse(data);
      if (answer.id === id) resolve(answer.result);
    });
    socket.addEventListener("error", () => reject(new Error("the inspector of the server does not answer")));
    return promise;
  });
  const [, { usedSize = 0, backingStorageSize = 0 } = {}] = await Promise.all(answers);
  socket.close();
  return usedSize + backingStorageSize;
}

/** The size of the files that a browser loads, compressed as the gateway sends them. */
function bundle(): BenchRow {
  const folder = fileURLToPath(new URL("../dist/web/", import.meta.url));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const bytes = files.reduce(
    (sum, { parentPath, name }) => sum + gzipSync(readFileSync(join(parentPath, name))).length,
    0,
  );
  return {
    case: "all files of the page, compressed",
    measured: `${Math.round(bytes / 1_000)} kB`,
    ...{ ratio: bytes / bundleBytesMax, against: "350 kB", target: { atMost: 1 } },
  };
}

async function inTab(browser: Browser, url: string): Promise<readonly BenchRow[]> {
  const paint = async (address: string): Promise<number> => {
    const times: number[] = [];
    for (let round = 0; round < 5; round++) {
      const context = await browser.newContext();
      const tab = await context.newPage();
      await tab.goto(address);
      times.push(
        await tab.evaluate<number>(`new Promise((resolve) => {
          new PerformanceObserver((list) => resolve(list.getEntriesByName("first-contentful-paint")[0].startTime))
            .observe({ type: "paint", buffered: true });
        })`),
      );
      await context.close();
    }
    return median(times);
  };
  const [painted, empty] = [await paint(url), await paint(`${url}/healthz`)];
  const tab = await browser.newPage();
  await tab.goto(`${url}/#/pnl?compare=no`);
  await tab.locator("[data-state=live]").waitFor();
  await tab.locator(".card data").first().waitFor();
  // An answer that is not a page has a content security policy that permits no script.
  const polling = await browser.newPage({ bypassCSP: true });
  await polling.goto(`${url}/healthz`);
  await polling.evaluate(`
    document.body.innerHTML = "<div class=card>Unrealized <data></data></div>";
    const ask = async () => {
      const answer = await (await fetch("/api/v1/dashboard?view=summary")).json();
      document.querySelector("data").value = answer.value.summary.totals.USD.unrealized;
    };
    setInterval(ask, ${pollMs}); ask();`);
  // At the same time, so that a slow minute of the machine affects both.
  const [pushed, polled] = await Promise.all([latencies(tab), latencies(polling)]);
  await polling.close();
  const heap = await heapGrowth(tab);
  return [
    {
      case: "first paint",
      measured: milliseconds(painted),
      ...{ ratio: painted / empty, against: "an empty page of the same server" },
    },
    ...[0.5, 0.99].map((share): BenchRow => {
      const [own, other] = [quantile(pushed, share), quantile(polled, share)];
      return {
        case: `from a change to the screen, p${share * 100}`,
        measured: milliseconds(own),
        ...{ ratio: own / other, against: `a page that asks every ${pollMs / 1_000} s` },
        ...(share > 0.5 && { target: { atMost: 0.4 } }),
      };
    }),
    heap,
  ];
}

/**
 * The times from changes at random moments until the tab shows them or later ones. The figure that the tab
 * shows is the time at which the system was asked, so the tab shows every change before that time.
 */
async function latencies(tab: Page): Promise<readonly number[]> {
  const shown = await tab.evaluate<[atMs: number, value: number][]>(`(async () => {
    const valueNow = () => {
      const card = [...document.querySelectorAll(".card")].find((one) => one.textContent.includes("Unrealized"));
      return Number(card?.querySelector("data")?.value ?? 0);
    };
    const shown = [[Date.now(), valueNow()]];
    while (Date.now() < shown[0][0] + ${1_000 * changesS}) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const value = valueNow();
      if (value > shown.at(-1)[1]) shown.push([Date.now(), value]);
    }
    return shown;
  })()`);
  const [fromMs, untilMs] = [shown[0]?.[0] ?? 0, shown.at(-1)?.[1] ?? 0];
  return Array.from({ length: changes }, () => {
    const changedMs = fromMs + Math.random() * (untilMs - fromMs);
    const [shownMs = Number.NaN] = shown.find(([, value]) => value >= changedMs) ?? [];
    return shownMs - changedMs;
  });
}

const quantile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
};

/** Collects the garbage of a tab, and returns the size of its live heap. */
async function heapOf(tools: CDPSession): Promise<number> {
  await tools.send("HeapProfiler.collectGarbage");
  return (await tools.send("Runtime.getHeapUsage")).usedSize;
}

/** The live heap of the tab after a long measurement, compared with the heap at its start. */
async function heapGrowth(tab: Page): Promise<BenchRow> {
  const tools = await tab.context().newCDPSession(tab);
  await sleep((tabS * 1_000) / 5);
  const before = await heapOf(tools);
  await sleep(tabS * 1_000);
  const after = await heapOf(tools);
  return {
    case: `heap of the tab after ${tabS} s of changes`,
    measured: megabytes(after),
    ...{ ratio: after / before, against: `its heap ${tabS} s before`, target: { atMost: 1.1 } },
  };
}

/** Notes the longest task of a tab, in milliseconds, from now on. Tasks of less than 50 ms count as 0. */
const watchTasks = (tab: Page): Promise<unknown> =>
  tab.evaluate(`window.longestMs = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longestMs = Math.max(longestMs, duration);
    }).observe({ type: "longtask" });`);

const longestTask = async (tab: Page, when: string, limitMs: number): Promise<BenchRow> => {
  const ms = await tab.evaluate<number>("longestMs");
  return {
    case: `longest task of the tab ${when}`,
    measured: ms === 0 ? "below 50 ms" : milliseconds(ms),
    ...{ ratio: ms / limitMs, against: `${limitMs} ms`, target: { atMost: 1 } },
  };
};

/** How soon a tab that was hidden for a long time shows current figures. */
async function afterHiding(url: string): Promise<readonly BenchRow[]> {
  await using browser = await startThrottlingBrowser();
  const [tab = await browser.context.newPage()] = browser.context.pages();
  await tab.goto(`${url}/#/pnl?compare=no`);
  await tab.locator("[data-state=live]").waitFor();
  await tab.locator(".card data").first().waitFor();
  await watchTasks(tab);
  await tab.evaluate(`void (window.current = new Promise((resolve) => {
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState !== "visible") return;
      const shownMs = Date.now();
      const look = setInterval(() => {
        const isCurrent = [...document.querySelectorAll(".card data")].some(({ value }) => Number(value) >= shownMs);
        if (!isCurrent) return;
        clearInterval(look);
        resolve(Date.now() - shownMs);
      }, 5);
    });
  }));`);
  await (await browser.context.newPage()).bringToFront();
  await sleep(tabS * 1_000);
  await tab.bringToFront();
  const ms = await tab.evaluate<number>("current");
  return [
    {
      case: `from the return to a tab that was hidden for ${tabS} s to current figures`,
      measured: milliseconds(ms),
      ...{ ratio: ms / 1_000, against: "1 s", target: { atMost: 1 } },
    },
    await longestTask(tab, "while it is hidden and after the return", 200),
  ];
}

const storedComparisons = 100_000;

async function fillEvidence(path: string): Promise<void> {
  const store = await openSqliteEvidenceStore(path);
  const field = { path: "totals.USD.total", entry: null, legacy: "1", modern: "1.5", difference: "0.5" };
  for (let from = 0; from < storedComparisons; from += 10_000)
    await store.append(
      Array.from({ length: 10_000 }, (_, index) => ({
        ...{ at: new Date(Date.UTC(2025, 6, 24) + from + index).toISOString(), method: "totals", epoch: 1 },
        ...{ answered: "legacy", kind: "ab", verdict: "diverged", unit: `B${index}`, fingerprint: "f" },
        ...{ legacyMs: 1, modernMs: 1, legacyError: null, modernError: null },
        ...{ fields: [{ ...field, verdict: "diverged" }], more: 0, excluded: 0, request: null },
      })),
    );
  await store.close();
}

/** Measures the list of many comparisons: the time to its first rows, and scrolling to its end. */
async function manyComparisons(browser: Browser, url: string): Promise<readonly BenchRow[]> {
  const tab = await browser.newPage();
  await tab.goto(`${url}/#/health`);
  await tab.locator("[data-state=live]").waitFor();
  await watchTasks(tab);
  const firstMs = await tab.evaluate<number>(`new Promise((resolve) => {
    const startedMs = performance.now();
    location.hash = "#/differences?verdict=diverged";
    const look = setInterval(() => {
      if (document.querySelector("[role=gridcell]") === null) return;
      clearInterval(look);
      resolve(performance.now() - startedMs);
    }, 5);
  })`);
  const list = tab.getByRole("grid", { name: "Comparisons, newest first" });
  await list.getByRole("gridcell").first().focus();
  for (let step = 0; step < 50; step++) await tab.keyboard.press("PageDown");
  await tab.keyboard.press("Control+End");
  // The oldest row has arrived, and with it all others.
  await list.getByText("B0", { exact: true }).waitFor({ timeout: 300_000 });
  const heap = await heapOf(await tab.context().newCDPSession(tab));
  const rows = [
    {
      case: `first rows of ${storedComparisons} comparisons`,
      measured: milliseconds(firstMs),
      ...{ ratio: firstMs / 1_000, against: "1 s", target: { atMost: 1 } },
    },
    await longestTask(tab, "while it scrolls to the last comparison", 100),
    {
      case: "heap of the tab with all of them",
      measured: megabytes(heap),
      ...{ ratio: heap / 300e6, against: "300 MB", target: { atMost: 1 } },
    },
  ];
  await tab.close();
  return rows;
}

/** Measures what 100 streams cost a server that answers 200 diverging calls a second. */
async function loaded({ url, pid, liveBytes }: Server): Promise<readonly BenchRow[]> {
  await load(url, 5);
  const alone = await load(url, serverS, pid);
  const clients = await Promise.all(Array.from({ length: streams }, () => listen(`${url}/api/v1/events`)));
  await load(url, serverS);
  const before = await liveBytes();
  const busy = await load(url, serverS, pid);
  await load(url, 2 * serverS);
  const after = await liveBytes();
  for (const client of clients) client.destroy();
  const passStreams = async (): Promise<void> => {
    for (let round = 0; round < 10; round++) {
      const passing = await Promise.all(
        Array.from({ length: streams }, () => listen(`${url}/api/v1/events`)),
      );
      for (const client of passing) client.destroy();
      // The server notices the end of a connection a little later, and has room for 100.
      await sleep(500);
    }
  };
  // A single size contains what the server works on at that moment, up to 14 MB.
  const restingBytes = async (): Promise<number> => {
    const sizes: number[] = [];
    for (let second = 0; second < 5; second++) {
      await sleep(1_000);
      sizes.push(await liveBytes());
    }
    return Math.min(...sizes);
  };
  // The first streams fill Node's pool of HTTP parsers, which does not grow further.
  await passStreams();
  const ended = await restingBytes();
  await passStreams();
  const left = (await restingBytes()) - ended;
  return [
    {
      case: `processor time with ${streams} streams`,
      measured: `${Math.round((100 * busy) / serverS)} % of a core`,
      ...{ ratio: busy / alone, against: "the same server without streams", target: { atMost: 2 } },
    },
    {
      case: `live memory with ${streams} streams`,
      measured: megabytes(after),
      ...{ ratio: after / before, against: `its memory ${3 * serverS} s before`, target: { atMost: 1.1 } },
    },
    {
      case: `live memory that ${10 * streams} streams leave behind, after as many others`,
      measured: `${(left / 1e6).toFixed(1)} MB`,
      ...{ ratio: Math.max(0, left) / 5e6, against: "5 MB", target: { atMost: 1 } },
    },
  ];
}

/** Sends calls at a steady rate; returns the processor time of the server in seconds. */
async function load(url: string, seconds: number, pid?: number): Promise<number> {
  const before = pid === undefined ? 0 : cpuOf(pid);
  const open = new Set<Promise<unknown>>();
  const startedMs = performance.now();
  for (let sent = 0; sent < seconds * callsPerS; sent++) {
    await sleep(Math.max(0, startedMs + (sent * 1_000) / callsPerS - performance.now()));
    // A busy machine answers later: the calls wait here then, and not in ever more connections.
    while (open.size >= inFlightMax) await Promise.race(open);
    const call = fetch(`${url}/api/v1/pnl/totals`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    })
      .then((answer) => answer.arrayBuffer())
      .finally(() => open.delete(call));
    open.add(call);
  }
  await Promise.all(open);
  return pid === undefined ? 0 : cpuOf(pid) - before;
}

function listen(url: string): Promise<ClientRequest> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientRequest>();
  const request = get(url, (answer) => {
    answer.resume();
    answer.on("error", () => {});
    resolve(request);
  });
  request.on("error", reject);
  return promise;
}

/** The processor time of a process in seconds. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
