import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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

/** Commands that end with nothing left running: a warm process may run one after another. */
const warmCommands = new Set(
  (
    "audit compare comparisons completion config demo denylist gates phase pnl replay rollback sign-off status symbols " +
    "traffic whitelist"
  ).split(" "),
);

/** Runs the program as a user does, straight from its sources, in a process of its own or in one that is warm. */
export const pnlBridge = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  isWarm(args)
    ? runWarm({ args, cwd: options.cwd ?? root, env: environmentOf(options) })
    : pnlBridgeAlone(args, options);

/** Runs the program in a process of its own, which has no input. */
export const pnlBridgeAlone = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  runNode([join(root, "src/surfaces/cli/main.ts"), ...args], options);

const isWarm = (args: readonly string[]): boolean =>
  warmCommands.has(args[0] ?? "") && !args.includes("--help");

const environmentOf = ({ env }: RunOptions) => ({ ...process.env, NO_COLOR: "1", ...env });

const idle: ChildProcess[] = [];

async function runWarm(run: WarmRun): Promise<Ran> {
  const child = idle.pop() ?? fork(join(root, "test/cli/warm-process.ts"), { execArgv: [] });
  try {
    child.send(run);
    const over = new AbortController();
    const [ran] = await Promise.race([
      once(child, "message", over) as Promise<[Ran]>,
      once(child, "exit", over).then(([code]): [Ran] => [{ code, out: "", err: "the warm process ended" }]),
    ]).finally(() => over.abort());
    return ran;
  } finally {
    if (child.connected) idle.push(child);
    // A test file that is over waits for none of them; they end when it does.
    child.unref();
    child.channel?.unref();
  }
}

/** Runs this Node, to its end. */
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

/** A folder of files for one test, gone when the test is. */
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

/** A ledger of rows. */
export const ledger = (...rows: readonly string[]): string =>
  `tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n${rows.map((row) => `${row}\n`).join("")}`;
