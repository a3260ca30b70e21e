/**
 * The key under which evidence of the gates is kept: hashes of the modern system, of the rules by which
 * answers are compared, and of the legacy system. It changes with the configured values of these, with any
 * byte of a file that a system names, and for a built-in system with any byte of this program's code.
 * Comments and time limits in the configuration do not change it, and neither does the content of a configured
 * database. This process may have the database open, and would lose its locks if it read the file itself.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { sqliteFile } from "../base/store-address.ts";
import type { PnlTolerances } from "../bridges/core/tolerances.ts";
import type { SystemConfig } from "../config/index.ts";
import type { Side } from "../domain/migration/phase.ts";
import { realFile } from "../platform/real-file.ts";
import { dayRulesOf } from "./builtin-systems.ts";
import type { ControlSettings } from "./stores.ts";
import { symbolBridge } from "./symbols/symbols.ts";

const digits = 8;
const hashOf = (...parts: readonly (string | Buffer)[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, digits);
};

/** Returns the key of a configuration under the tolerances that are in force. */
export function evidenceKey({ config, folder }: ControlSettings, tolerances: PnlTolerances): string {
  const { systems, exclusions, stores } = config;
  const databases = [stores.control, stores.legacy, stores.modern].flatMap((address) => {
    const file = sqliteFile(address ?? "");
    return file === undefined ? [] : [realFile(resolve(folder, file))];
  });
  const of = (side: Side) => contentOf(systems[side], folder, new Set(databases));
  const rules = JSON.stringify([
    [tolerances.position, tolerances.pnl],
    exclusions.map(({ path, until }) => [path, until]).toSorted(),
    dayRulesOf(systems),
    symbols.tables,
  ]);
  return [of("modern"), hashOf(rules), of("legacy")].join("/");
}

/** The hash of a system's configuration and of the files that it names, apart from databases. */
function contentOf(system: SystemConfig, folder: string, databases: ReadonlySet<string>): string {
  const named = JSON.stringify(system, (name, value) => (name === "timeoutMs" ? undefined : value));
  switch (system.kind) {
    case "builtin":
      return hashOf(named, programBuild());
    case "module":
      return hashWithFiles(named, [resolve(folder, system.path)]);
    case "command":
      return hashWithFiles(
        named,
        system.command
          .map((word) => resolve(folder, system.cwd ?? "", word))
          .filter((file) => !databases.has(realFile(file))),
      );
    case "http":
      return hashOf(named);
  }
}

/** The hashes of systems that name files, each with the state that the files had. */
const kept = new Map<string, { readonly state: string; readonly hash: string }>();

/** Reads the files only if one of them has changed, because a page may ask for the key every second. */
function hashWithFiles(named: string, files: readonly string[]): string {
  const id = JSON.stringify([named, files]);
  const state = JSON.stringify(files.map(stateOf));
  const before = kept.get(id);
  if (before?.state === state) return before.hash;
  const hash = hashOf(named, ...files.map(contentsOf));
  kept.set(id, { state, hash });
  return hash;
}

/** A text that changes with the content of a file; null for a word of a command that is no file. */
function stateOf(file: string): string | null {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(" ");
  } catch {
    return null;
  }
}

function contentsOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    return Buffer.alloc(0);
  }
}

let build: string | undefined;

/**
 * The build of this program: its version and a hash of its sources or, in an installed package, of its
 * compiled files.
 */
export function programBuild(): string {
  build ??= readBuild();
  return build;
}

function readBuild(): string {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const sources = join(root, existsSync(join(root, "src")) ? "src" : "dist");
  // A pattern for `globSync` takes ten times as long, at each start of a process.
  const files = readdirSync(sources, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.[jt]s$/.test(file) && !/(\.test|\.d)\.ts$|^testing\b/.test(file))
    .toSorted();
  return `${version}+${hashOf(...files.flatMap((file) => [file, readFileSync(join(sources, file))]))}`;
}

const groups = new Map<string, string>();
const groupsMax = 10_000;
const symbols = symbolBridge(undefined);

/** The class of the product that a symbol names in any dialect: `future`, `option`, or `unknown`. */
export function groupOfSymbol(symbol: string): string {
  let group = groups.get(symbol);
  if (group === undefined) {
    const reading = symbols.canonical(symbol, "auto");
    group = reading.ok ? reading.instrument.kind : "unknown";
    if (groups.size >= groupsMax) groups.clear();
    groups.set(symbol, group);
  }
  return group;
}
