import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { lineOf } from "../base/errors.ts";
import { type Config, defaultConfig, loadConfig } from "../config/index.ts";
import type { Side } from "../domain/migration/phase.ts";
import { openSystem } from "./bridge/pnl-bridge.ts";
import { checksOf } from "./bridge/systems/check-system.ts";
import { plannedAdapter } from "./bridge/systems/write-adapter.ts";
import { examineFolders } from "./files/examine.ts";
import { replay } from "./parity/replay.ts";

/** The outcome of one check of this machine or this configuration. */
export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** Tries on a small scale everything that pnl-bridge needs. Never throws: a failure is a finding. */
export async function examine(configPath?: string): Promise<readonly Finding[]> {
  const load = async (): Promise<Config> =>
    configPath === undefined ? defaultConfig : loadConfig(configPath);
  return [
    await attempt("node", () => `${process.versions.node} on ${process.platform}-${process.arch}`),
    await attempt("sqlite", sqliteVersion),
    await attempt("temporary folder", () => withFolder(async (folder) => `${folder} can be written`)),
    await attempt("exact JSON numbers", exactJson),
    await attempt("configuration", async () => {
      const { systems, validation, unused } = await load();
      const { comparisonThreshold, positionThreshold } = validation;
      return unused.length === 0
        ? `legacy ${systems.legacy.name}, modern ${systems.modern.name}, ` +
            `P&L tolerance ${comparisonThreshold}, position tolerance ${positionThreshold}`
        : `valid; these keys have no effect in this version: ${unused.join(", ")}`;
    }),
    ...(await load().then(
      async (config) =>
        config.stores.legacy === null ? [] : [await attempt("sqlite of the desk", () => desksSqlite(config))],
      () => [],
    )),
    ...(await load().then(
      (config) => watchedFolders(config, configPath),
      () => [],
    )),
    await attempt("both systems", async () => bothSystems(await load())),
  ];
}

/**
 * Starts one of the configured systems, checks each method that the bridge will call, and ends the system.
 * With `adapterFile` it also writes an adapter for a system in Python. A failed check is a finding. Throws
 * BAD_CONFIG, UNREADABLE, and for the adapter BAD_USAGE and UNWRITABLE.
 */
export async function examineSystem(
  side: Side,
  configPath?: string,
  adapterFile?: string,
): Promise<readonly Finding[]> {
  const config = configPath === undefined ? defaultConfig : await loadConfig(configPath);
  const printed: string[] = [];
  const folder = configPath === undefined ? process.cwd() : dirname(resolve(configPath));
  const log = (line: string): void => {
    if (printed.length < printedMax) printed.push(line);
  };
  const writeAdapter =
    adapterFile === undefined ? undefined : await plannedAdapter({ side, config, folder, file: adapterFile });
  const { system, convert, timeoutMs, names } = await openSystem(side, config, folder, log);
  const findings: Finding[] = [];
  const started = await attempt("starts", async () => {
    await system.start?.();
    return "it is up";
  });
  if (!started.ok) findings.push(started);
  for (const check of started.ok ? checksOf(system) : []) {
    const examined = { system, convert, names, key: `systems.${side}.methods`, timeoutMs };
    findings.push(await attempt(check.name, () => check.run(examined)));
  }
  if (writeAdapter !== undefined && system.found !== undefined) {
    const { found } = system;
    findings.push(await attempt("adapter", () => writeAdapter(found)));
  }
  const ended = await attempt("ends", async () => {
    await system.close();
    return "it closes without an error";
  });
  if (!ended.ok) findings.push(ended);
  // The system's output may explain a failed check.
  if (findings.some(({ ok }) => !ok) && printed.length > 0)
    findings.push({ check: "printed output", ok: true, detail: printed.join(" | ") });
  return findings;
}

const printedMax = 20;

async function attempt(check: string, look: () => string | Promise<string>): Promise<Finding> {
  try {
    return { check, ok: true, detail: await look() };
  } catch (error) {
    return { check, ok: false, detail: lineOf(error) };
  }
}

async function sqliteVersion(): Promise<string> {
  const { default: Database } = await import("better-sqlite3");
  const database = new Database(":memory:");
  try {
    const { version }: { version: string } = createRequire(import.meta.url)("better-sqlite3/package.json");
    const sqlite = String(database.prepare("SELECT sqlite_version()").pluck().get());
    return `SQLite ${sqlite} (better-sqlite3 ${version})`;
  } finally {
    database.close();
  }
}

/** A finding for each watched folder. */
async function watchedFolders(config: Config, configPath: string | undefined): Promise<readonly Finding[]> {
  const { tradeLedger, marketPrices } = config.watch;
  if (tradeLedger === null && marketPrices.length === 0) return [];
  const folder = configPath === undefined ? process.cwd() : dirname(resolve(configPath));
  const found = await examineFolders({ config, folder });
  return found.map(({ ok, detail }) => ({ check: "watched folder", ok, detail }));
}

/** The first version in which two programs that write one file in WAL mode cannot damage it. */
const safeSqlite = "3.51.3";

/** The SQLite of the desk's own Python, which writes the same file as the bridge. */
async function desksSqlite({ systems: { legacy } }: Config): Promise<string> {
  const [program = ""] = legacy.kind === "command" ? legacy.command : [];
  const python = /python/.test(program) ? program : "python3";
  const print = ["-c", "import sqlite3; print(sqlite3.sqlite_version)"];
  const printed = await promisify(execFile)(python, print, { timeout: 10_000 }).catch(() => undefined);
  if (printed === undefined) return `unknown, because ${python} does not run here`;
  const version = printed.stdout.trim();
  return version.localeCompare(safeSqlite, "en", { numeric: true }) >= 0
    ? `SQLite ${version} of ${python}`
    : `warning: SQLite ${version} of ${python} may damage a database in WAL mode that two programs write; use ${safeSqlite} or later`;
}

function exactJson(): string {
  let source: string | undefined;
  JSON.parse("0.10000000000000000000001", (_key, value, context?: { readonly source?: string }) => {
    source = context?.source;
    return value;
  });
  if (source !== "0.10000000000000000000001")
    throw new Error(
      "this version of Node does not provide the source text of JSON numbers: write prices as text",
    );
  return "numbers are read from their source text";
}

/** Runs a round trip of two trades through the configured systems, which must agree on its P&L. */
function bothSystems(config: Config): Promise<string> {
  return withFolder(async (folder) => {
    const ledger = join(folder, "trades_20250724.csv");
    const rows = [
      "1,XCMEFFDPSX20250919U0ZN,2025-07-24 09:00:00.000,B,1.0,110.5",
      "2,XCMEFFDPSX20250919U0ZN,2025-07-24 09:00:01.000,S,1.0,110.515625",
    ];
    await writeFile(
      ledger,
      `tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n${rows.join("\n")}\n`,
    );
    const report = await replay({ trades: [ledger], config });
    if (!report.ok) throw new Error("the two systems disagree on one round trip of one tick");
    const { legacy, modern } = report;
    return `${legacy.system} and ${modern.system} agree on a round trip of one tick (15.625 USD)`;
  });
}

async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "pnl-bridge-doctor-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
