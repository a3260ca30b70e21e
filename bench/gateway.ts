import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openOperator } from "../src/app/control/session.ts";
import { loadConfig } from "../src/config/index.ts";
import { median } from "./measure.ts";
import { type BenchResult, milliseconds } from "./report.ts";
import { inTemporaryFolder } from "./temporary.ts";

const ratePerS = 5_000;
const connections = 50;
const seconds = 10;
const warmUpSeconds = 5;
/**
 * The number of processes of each server. They run in turn, so that a slow minute of the machine affects both
 * servers.
 */
const rounds = 3;

/** A result of autocannon; latencies count from when a request was due, not from when it could be sent. */
interface Load {
  readonly requests: { readonly total: number };
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly duration: number;
  readonly errors: number;
  readonly non2xx: number;
  /** CPU time of the server's main thread for a call. */
  readonly mainThreadUs: number;
}
const autocannon: (options: object) => Promise<Omit<Load, "mainThreadUs">> = createRequire(import.meta.url)(
  "autocannon",
);

/**
 * Measures `serve` in shadow mode under a steady load, while the plan changes once a second through the
 * control store, against the same server with legacy alone. Each server is a process of its own; they are
 * loaded in turn. The targets are ratios of the two in one run, because a busy machine slows both and would
 * miss any absolute figure.
 */
export async function gateway(): Promise<BenchResult> {
  return inTemporaryFolder(async (folder) => {
    const file = join(folder, "desk.yaml");
    const logs =
      process.env.BENCH_LOG_CALLS === "false" ? { monitoring: { log_all_calculations: false } } : {};
    const store = "sqlite:./.pnl-bridge/control.db";
    writeFileSync(
      file,
      JSON.stringify({
        migration: { phase: "shadow_mode", ...logs },
        stores: { control: store },
        gateway: { listen: "127.0.0.1:0" },
        // Changes of the percentage need no evidence here.
        gates: { profile: "trial" },
      }),
    );
    const main = fileURLToPath(new URL("../src/surfaces/cli/main.ts", import.meta.url));
    const bare = fileURLToPath(new URL("gateway-bare.ts", import.meta.url));
    const bridged: (Load & Shadowed)[] = [];
    const without: Load[] = [];
    for (let round = 0; round < rounds; round++) {
      without.push(
        await served([bare, file], folder, async (url, pid) => {
          await load(url, pid, warmUpSeconds);
          return load(url, pid, seconds);
        }),
      );
      bridged.push(
        await served([main, "serve", "--config", file], folder, (url, pid) =>
          shadowed(url, pid, file, folder),
        ),
      );
    }
    const rate = (of: readonly Load[]): number =>
      median(of.map(({ requests, duration }) => requests.total / duration));
    const p50 = (of: readonly Load[]): number => median(of.map(({ latency }) => latency.p50));
    const p99 = (of: readonly Load[]): number => median(of.map(({ latency }) => latency.p99));
    const mainUs = (of: readonly Load[]): number => median(of.map((one) => one.mainThreadUs));
    const failed = [...without, ...bridged].reduce((sum, { errors, non2xx }) => sum + errors + non2xx, 0);
    const share = median(bridged.map(({ compared, eligible }) => compared / eligible));
    const plans = median(bridged.map((one) => one.plans));
    return {
      name: "gateway",
      what:
        `${ratePerS} small calculatePnl calls a second over loopback, ` +
        `${connections} connections, ${seconds} s, median of ${rounds} processes each`,
      rows: [
        { case: "without the bridge: answered", measured: `${Math.round(rate(without))} /s` },
        { case: "without the bridge: p50", measured: milliseconds(p50(without)) },
        { case: "without the bridge: p99", measured: milliseconds(p99(without)) },
        {
          case: "serve, shadow mode: answered",
          measured: `${Math.round(rate(bridged))} /s`,
          ratio: rate(bridged) / rate(without),
          against: "without",
          target: { atLeast: 0.9 },
        },
        {
          case: "serve, shadow mode: p50",
          measured: milliseconds(p50(bridged)),
          ratio: p50(bridged) / p50(without),
          against: "without",
        },
        {
          case: "serve, shadow mode: p99",
          measured: milliseconds(p99(bridged)),
          ratio: p99(bridged) / p99(without),
          against: "without",
          target: { atMost: 2 },
        },
        {
          case: "eligible calls compared",
          measured: `${(share * 100).toFixed(1)} %`,
          ratio: share,
          against: "all",
          target: { atLeast: 0.95 },
        },
        {
          case: "CPU time of the main thread per call",
          measured: `${Math.round(mainUs(bridged))} µs`,
          ratio: mainUs(bridged) / mainUs(without),
          against: "without",
          target: { atMost: 1.4 },
        },
        { case: "comparisons not kept", measured: `${median(bridged.map(({ dropped }) => dropped))}` },
        {
          case: "changes of the plan followed",
          measured: `${plans}`,
          ratio: plans / seconds,
          against: "one a second",
          target: { atLeast: 0.9 },
        },
        {
          case: "calls that failed",
          measured: `${failed}`,
          ratio: failed,
          against: "none",
          target: { atMost: 0 },
        },
      ],
    };
  });
}

interface Shadowed {
  readonly eligible: number;
  readonly compared: number;
  readonly dropped: number;
  /** The number of epochs under which calls began. */
  readonly plans: number;
}

async function shadowed(url: string, pid: number, file: string, folder: string): Promise<Load & Shadowed> {
  const session = await openOperator({ config: await loadConfig(file), folder });
  let percentage = 0;
  const change = async (): Promise<void> => {
    percentage = (percentage % 90) + 10;
    await session.operator.traffic(percentage, { actor: "bench", reason: "once a second" });
  };
  let changing: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    changing = changing.then(change);
  }, 1_000);
  try {
    await load(url, pid, warmUpSeconds);
    const before = await counted(url);
    const result = await load(url, pid, seconds);
    clearInterval(timer);
    await changing;
    const after = await counted(url);
    return {
      ...result,
      eligible: after.eligible - before.eligible,
      compared: after.compared - before.compared,
      dropped: after.dropped - before.dropped,
      plans: after.epoch - before.epoch,
    };
  } finally {
    clearInterval(timer);
    await changing.catch(() => {});
    await session.close();
  }
}

/** Reads the counters of the process from its metrics. */
async function counted(url: string): Promise<Record<"eligible" | "compared" | "dropped" | "epoch", number>> {
  await sleep(200); // Waits until the calls under way have ended.
  const text = await (await fetch(`${url}/metrics`)).text();
  const of = (name: string): number =>
    Number(new RegExp(`^pnl_bridge_${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
  const method = '\\{method="calculatePnl"\\}';
  return {
    eligible: of(`eligible_total${method}`),
    compared: of(`compared_total${method}`),
    dropped: of("evidence_dropped_total"),
    epoch: of("epoch_seen"),
  };
}

/** CPU time of the main thread of a process, in microseconds; NaN on a machine without /proc. */
function mainThreadUs(pid: number): number {
  try {
    const [user = "", system = ""] = readFileSync(`/proc/${pid}/task/${pid}/stat`, "utf8")
      .replace(/.*\) /, "")
      .split(" ")
      .slice(11);
    return (Number(user) + Number(system)) * 10_000;
  } catch {
    return Number.NaN;
  }
}

async function load(url: string, pid: number, duration: number): Promise<Load> {
  const beforeUs = mainThreadUs(pid);
  const result = await autocannon({
    url,
    connections,
    duration,
    overallRate: ratePerS,
    requests: bodies.map((body, at) => ({
      method: "POST",
      path: "/api/v1/pnl/calculatePnl",
      headers: {
        "content-type": "application/json",
        "x-pnl-book": `BOOK-${at}`,
        "x-pnl-user": `user-${at % 5}`,
      },
      body,
    })),
  });
  return { ...result, mainThreadUs: (mainThreadUs(pid) - beforeUs) / result.requests.total };
}

const symbol = "XCMEFFDPSX20250919U0ZN";
/**
 * Prices are multiples of the contract's tick of 1/64, which floats hold exactly. With other prices legacy's
 * floats differ a little, and reporting these differences makes a call a fifth more expensive.
 */
const tick = 1 / 64;
const bodies = Array.from({ length: 16 }, (_, at) =>
  JSON.stringify({
    trades: [
      {
        id: `${at}1`,
        symbol,
        side: "B",
        quantity: "2",
        price: String(110 + (at + 1) * tick),
        time: "2025-07-24T09:00:00-05:00",
      },
      { id: `${at}2`, symbol, side: "S", quantity: "1", price: "112", time: "2025-07-24T09:01:00-05:00" },
    ],
    marks: { [symbol]: "112.5" },
  }),
);

async function served<Result>(
  command: readonly string[],
  cwd: string,
  use: (url: string, pid: number) => Promise<Result>,
): Promise<Result> {
  const child = spawn(process.execPath, command, {
    cwd,
    stdio: ["ignore", "pipe", process.env.BENCH_STDERR ? "inherit" : "ignore"],
  });
  try {
    return await use(await urlOf(child), child.pid as number);
  } finally {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  }
}

async function urlOf({ stdout }: ChildProcess): Promise<string> {
  let text = "";
  for await (const piece of stdout as AsyncIterable<string>) {
    text += piece;
    const [, url] = /serves at (http:\S+)\n/.exec(text) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error(`the server ended: ${text}`);
}
