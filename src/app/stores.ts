/** The kinds of stores, and the places of a process's own files. */
import { dirname, join, resolve } from "node:path";
import { LocalSwitchFile } from "../adapters/host/index.ts";
import {
  holdSqliteRecordStore,
  openSqliteControlStore,
  openSqliteEvidenceStore,
  openSqliteRecordStore,
} from "../adapters/sqlite/index.ts";
import { BridgeError } from "../base/errors.ts";
import { sqliteFile, storeForm, storePattern } from "../base/store-address.ts";
import type { Config } from "../config/index.ts";
import type { Side } from "../domain/migration/phase.ts";
import { realFile } from "../platform/real-file.ts";
import type { ControlStore } from "../ports/control-store.ts";
import type { EvidenceStore } from "../ports/evidence.ts";
import type { HeldStore, RecordStore } from "../ports/record-store.ts";

export { keepHeapSmall } from "../platform/small-heap.ts";

/** The configuration of the control plane. */
export interface ControlSettings {
  readonly config: Config;
  /** The folder to which paths in the configuration refer. */
  readonly folder: string;
}

interface EvidenceLimits {
  readonly requestsPerDay: number;
}

/**
 * One kind of store. Comparisons are kept beside the control store: in a separate file, or in the same
 * database.
 */
interface StoreKind {
  openControl(address: string, folder: string): Promise<ControlStore>;
  openEvidence(address: string, folder: string, limits: EvidenceLimits): Promise<EvidenceStore>;
  openRecords(address: string, options: RecordOptions): Promise<RecordStore>;
}

export interface RecordOptions {
  /** A relative path in the address starts here. */
  readonly folder: string;
  readonly side: Side;
  /** The authoritative side of a pair of databases that has never been opened. */
  readonly authority: Side;
  /**
   * Whether the tables of the bridge are created where they are missing; else such a file is BAD_DATABASE.
   */
  readonly creates: boolean;
  /** Whether the bridge's tables are in a file beside legacy's database. */
  readonly isBeside: boolean;
}

const fileOf = (address: string, folder: string): string => resolve(folder, sqliteFile(address) ?? "");

/** The PostgreSQL adapters are loaded only when needed: most commands use SQLite and should start fast. */
const postgres: StoreKind = {
  openControl: async (address) =>
    (await import("../adapters/postgres/index.ts")).openPostgresControlStore(address),
  openEvidence: async (address, _, limits) =>
    (await import("../adapters/postgres/index.ts")).openPostgresEvidenceStore(address, limits),
  openRecords: async (address, { side, authority }) => {
    if (side === "legacy")
      throw new BridgeError("BAD_CONFIG", {
        what: "stores.legacy is a PostgreSQL database, and the legacy desk keeps its data in an SQLite file",
        fix: "write sqlite:FILE with the path of pnl_tracker.db",
      });
    return (await import("../adapters/postgres/index.ts")).openPostgresRecordStore(address, { authority });
  },
};

const evidenceBeside = (file: string): string => join(dirname(realFile(file)), "evidence.db");

/** Kinds by the scheme of the address. A new kind of store is a new row. */
const storeKinds: Readonly<Record<string, StoreKind>> = {
  sqlite: {
    openControl: async (address, folder) => openSqliteControlStore(fileOf(address, folder)),
    openEvidence: (address, folder, limits) =>
      openSqliteEvidenceStore(evidenceBeside(fileOf(address, folder)), limits),
    openRecords: (address, { folder, ...sides }) => openSqliteRecordStore(fileOf(address, folder), sides),
  },
  postgres,
  postgresql: postgres,
};

function kindOf(address: string): StoreKind {
  const kind = storePattern.test(address) ? storeKinds[address.slice(0, address.indexOf(":"))] : undefined;
  if (kind !== undefined) return kind;
  throw new BridgeError("BAD_CONFIG", {
    what: "the address of the store is not valid",
    fix: `write ${storeForm}`,
  });
}

/** The error of a command or route that needs a control store, if none is configured. */
export const noControlStore = {
  what: "no control store is configured",
  fix: "name one: stores: { control: sqlite:./.pnl-bridge/control.db }",
} as const;

/** The address of the control store in a configuration. Throws BAD_CONFIG if none is configured. */
export function controlStoreOf({ config }: Pick<ControlSettings, "config">): string {
  const { control } = config.stores;
  if (control === null) throw new BridgeError("BAD_CONFIG", noControlStore);
  return control;
}

/**
 * Opens the configured control store. Throws BAD_CONFIG if none is configured, and the errors of opening it.
 */
export async function openControlStore(settings: ControlSettings): Promise<ControlStore> {
  const control = controlStoreOf(settings);
  return kindOf(control).openControl(control, settings.folder);
}

/** Whether both databases of the database bridge are configured. */
export const isPairConfigured = ({ stores: { legacy, modern } }: Config): boolean =>
  legacy !== null && modern !== null;

/** Opens one database of the database bridge's pair. Throws BAD_CONFIG and the errors of opening it. */
export const openRecordStore = (address: string, options: RecordOptions): Promise<RecordStore> =>
  kindOf(address).openRecords(address, options);

/**
 * Opens legacy's database once more with its write lock held. Throws BAD_CONFIG if it is not a SQLite file,
 * and DATABASE_BUSY if another process keeps the lock.
 */
export async function holdRecordStore(
  address: string,
  { folder, ...options }: RecordOptions & { readonly lastsMs: number },
): Promise<HeldStore> {
  if (sqliteFile(address) !== undefined) return holdSqliteRecordStore(fileOf(address, folder), options);
  throw new BridgeError("BAD_CONFIG", {
    what: "legacy's database must be a SQLite file",
    fix: "write stores: { legacy: sqlite:FILE }",
  });
}

/** Opens the store of the comparisons; undefined if no control store is configured. */
export async function openEvidenceStore({
  config,
  folder,
}: ControlSettings): Promise<EvidenceStore | undefined> {
  const { control } = config.stores;
  const limits = { requestsPerDay: config.shadow.keepRequests };
  return control === null ? undefined : kindOf(control).openEvidence(control, folder, limits);
}

/** The file of the comparisons; undefined if they are kept on a server. */
export function evidenceFile(settings: ControlSettings): string | undefined {
  const file = controlFile(settings);
  return file === undefined ? undefined : evidenceBeside(file);
}

/** The configured path of the control file; undefined if the control store is not a file. */
export function controlFile({ config, folder }: ControlSettings): string | undefined {
  const file = sqliteFile(config.stores.control ?? "");
  return file === undefined ? undefined : resolve(folder, file);
}

const switchName = "LEGACY_ONLY";

/**
 * The kill switch file, which may be beside the control file or, if that is a symbolic link, beside the link.
 */
export function switchFileOf(settings: ControlSettings): LocalSwitchFile {
  const file = controlFile(settings);
  const named = file === undefined ? [] : [join(dirname(file), switchName)];
  return new LocalSwitchFile(join(stateFolder(settings), switchName), ...named);
}

/** The folder of the process's own files: the control file's, behind symbolic links, or `.pnl-bridge`. */
export function stateFolder(settings: ControlSettings): string {
  const file = controlFile(settings);
  return file === undefined ? resolve(settings.folder, ".pnl-bridge") : dirname(realFile(file));
}
