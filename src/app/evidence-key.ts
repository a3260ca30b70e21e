/**
 * The key under which evidence of the gates is kept: hashes of the modern system, of the rules by which
 * answers are compared, and of the legacy system. It changes with the configured values of these, with any
 * byte of a file that a system names, and for a built-in system with any byte of this program's code.
 * Comments and time limits in the configuration do not change it, and neither does the content of a database.
 * This process may have the database open, and would lose its locks if it read the file itself.
 */
import { createHash } from "node:crypto";
import { existsSync, globSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { moduleAddress } from "../adapters/module/index.ts";
import { sqliteFile } from "../base/store-address.ts";
import type { PnlTolerances } from "../bridges/core/tolerances.ts";
import type { SystemConfig } from "../config/index.ts";
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

/**
 * Returns the key of a configuration under the tolerances that are in force. By default, the systems have the
 * files that are on disk now.
 */
export function evidenceKey(
  settings: ControlSettings,
  tolerances: PnlTolerances,
  { modern, legacy }: SystemHashes = systemHashes(settings),
): string {
  const { systems, exclusions } = settings.config;
  const rules = JSON.stringify([
    [tolerances.position, tolerances.pnl],
    exclusions.map(({ path, until }) => [path, until]).toSorted(),
    dayRulesOf(systems),
    symbols.tables,
  ]);
  return [modern, hashOf(rules), legacy].join("/");
}

/** The hashes of the two systems; that of legacy includes the controller of the dashboard. */
interface SystemHashes {
  readonly modern: string;
  readonly legacy: string;
}

/** Hashes the systems with the files that are on disk now. */
export function systemHashes({ config, folder }: ControlSettings): SystemHashes {
  const { systems, dashboard, stores } = config;
  const databases = [stores.control, stores.legacy, stores.modern].flatMap((address) => {
    const file = sqliteFile(address ?? "");
    return file === undefined ? [] : [realFile(resolve(folder, file))];
  });
  const of = (system: SystemConfig) => contentOf(system, folder, new Set(databases));
  const screens = dashboard.legacy === null ? [] : [of(dashboard.legacy)];
  const legacy = of(systems.legacy);
  return { modern: of(systems.modern), legacy: screens.length === 0 ? legacy : hashOf(legacy, ...screens) };
}

/**
 * Returns sentences that name the parts of the systems' builds that the key does not contain. A change of
 * such a part mixes the evidence of two builds.
 */
export function unseenBuilds({ config, folder }: ControlSettings): readonly string[] {
  const named: Readonly<Record<string, SystemConfig | null>> = {
    "systems.modern": config.systems.modern,
    "systems.legacy": config.systems.legacy,
    "dashboard.legacy": config.dashboard.legacy,
  };
  return Object.entries(named).flatMap(([name, system]) => {
    if (system === null || system.kind === "builtin" || typeof system.build === "string") return [];
    if (system.build !== undefined)
      return system.build
        .filter((pattern) => filesAt(pattern, folder).length === 0)
        .map((pattern) => `${name}.build: there is no file ${pattern}`);
    const what =
      system.kind === "http"
        ? `the build of ${name}, which answers over HTTP, is not known`
        : `of the build of ${name}, only the files that the configuration names are known, not those that they load`;
    return [`${what}; set ${name}.build, so that the evidence of another build counts separately`];
  });
}

/** The hash of a system's configuration and of its files, apart from databases. */
function contentOf(system: SystemConfig, folder: string, databases: ReadonlySet<string>): string {
  const named = JSON.stringify(system, (name, value) => (name === "timeoutMs" ? undefined : value));
  if (system.kind === "builtin") return hashOf(named, programBuild());
  const { build } = system;
  const built = typeof build === "object" ? build.flatMap((pattern) => filesAt(pattern, folder)) : [];
  const files = [...namedFiles(system, folder), ...built.map((file) => resolve(folder, file))];
  return hashWithFiles(
    [named, ...built].join("\0"),
    files.filter((file) => !databases.has(realFile(file))),
  );
}

/** The files that a system's own keys name; some may not exist. */
function namedFiles(system: Exclude<SystemConfig, { readonly kind: "builtin" }>, folder: string) {
  switch (system.kind) {
    case "module":
      return [fileURLToPath(moduleAddress(system.path, folder).href)];
    case "command":
      return system.command
        .flatMap((word) => [word, ...pythonModuleIn(word)])
        .map((file) => resolve(folder, system.cwd ?? "", file));
    case "http":
      return [];
  }
}

/** The files that may hold the module of a word such as `desk.pnl:Service`. */
function pythonModuleIn(word: string): readonly string[] {
  const [, module] = /^([A-Za-z_]\w*(?:\.\w+)*):[A-Za-z_][\w.]*$/.exec(word) ?? [];
  const path = module?.replaceAll(".", "/");
  return path === undefined ? [] : [`${path}.py`, `${path}/__init__.py`];
}

const skippedFolders = new Set(["node_modules", "__pycache__"]);
const databaseFile = /\.(?:db|sqlite3?)(?:-wal|-shm|-journal)?$/;

/** The files of a folder, or those that match a pattern, in order; no databases and no hidden files. */
function filesAt(pattern: string, folder: string): readonly string[] {
  const isFolder = statSync(resolve(folder, pattern), { throwIfNoEntry: false })?.isDirectory() === true;
  return globSync(isFolder ? join(pattern, "**") : pattern, {
    cwd: folder,
    exclude: (name) => skippedFolders.has(basename(name)),
  })
    .filter((file) => !databaseFile.test(file))
    .filter((file) => statSync(resolve(folder, file), { throwIfNoEntry: false })?.isFile() === true)
    .toSorted();
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
  build ??= readProgramBuild();
  return build;
}

/** Reads the build of this program anew, since its sources may have changed after its start. */
export function readProgramBuild(): string {
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
