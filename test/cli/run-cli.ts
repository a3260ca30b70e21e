import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundled } from "../bundled.ts";
import type { WarmRun } from "./warm-process.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The file that starts the program. */
export const main = bundled("src/surfaces/cli/main");

/** Commands that leave nothing running, so that one warm process may run many of them in turn. */
const warmCommands = new Set(
  (
    "audit causes compare comparisons completion config db demo denylist doctor evidence explain gates phase pnl " +
    "rehearse replay report rollback sign-off status symbols traffic waive watch whitelist"
  ).split(" "),
);

/**
 * Runs the program, as a user does: in a warm process if the command allows it, else in a
 * new one.
 */
export const pnlBridge = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  isWarm(args)
    ? runWarm({ args, cwd: options.cwd ?? root, env: environmentOf(options) })
    : pnlBridgeAlone(args, options);

/** Runs the program in a new process, whose stdin is empty. */
export const pnlBridgeAlone = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  runNode([main, ...args], options);

/** `doctor --system` ends its process a second later, whatever the system holds open. */
const isWarm = (args: readonly string[]): boolean =>
  warmCommands.has(args[0] ?? "") && !args.includes("--help") && !args.includes("--system");

const environmentOf = ({ env }: RunOptions) => ({ ...process.env, NO_COLOR: "1", ...env });

/** Warm processes of this worker; more of them would cost more to start than they save. */
const warmMax = 2;
let started = 0;
const idle: ChildProcess[] = [];
const waiting: ((child: ChildProcess) => void)[] = [];

function takeWarm(): ChildProcess | Promise<ChildProcess> {
  const child = idle.pop();
  if (child !== undefined) return child;
  if (started === warmMax) return new Promise((resolve) => waiting.push(resolve));
  return startWarm();
}

function startWarm(): ChildProcess {
  started += 1;
  return fork(join(root, "test/cli/warm-process.ts"), { execArgv: [] });
}

function giveBack(child: ChildProcess): void {
  if (!child.connected) started -= 1;
  const next = waiting.shift();
  if (next !== undefined) next(child.connected ? child : startWarm());
  else if (child.connected) idle.push(child);
}

async function runWarm(run: WarmRun): Promise<Ran> {
  const child = await takeWarm();
  child.ref();
  child.channel?.ref();
  try {
    child.send(run);
    const over = new AbortController();
    const [ran] = await Promise.race([
      once(child, "message", over) as Promise<[Ran]>,
      once(child, "exit", over).then(([code]): [Ran] => [{ code, out: "", err: "the warm process ended" }]),
    ]).finally(() => over.abort());
    return ran;
  } finally {
    // The idle processes do not keep a finished test file waiting; they end with it.
    child.unref();
    child.channel?.unref();
    giveBack(child);
  }
}

/** Runs the Node of this process with `args` and waits until it ends. */
export function runNode(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: options.cwd ?? root,
      stdio: ["ignore", "pipe", "pipe"],
      env: environmentOf(options),
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      err += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

/** Calls `use` with a new folder that holds `files`, and removes the folder afterwards. */
export async function withFiles<T>(
  files: Readonly<Record<string, string | Uint8Array>>,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "pnl-bridge-test-"));
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A trade ledger with the usual header and these rows. */
export const ledger = (...rows: readonly string[]): string =>
  `tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n${rows.map((row) => `${row}\n`).join("")}`;
