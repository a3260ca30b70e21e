/** Opens the stores that a configuration names, and knows where a process keeps its own files. */
import { dirname, join, resolve } from "node:path";
import { LocalSwitchFile } from "../adapters/host/index.ts";
import { openSqliteControlStore } from "../adapters/sqlite/index.ts";
import { BridgeError } from "../base/errors.ts";
import type { Config } from "../config/index.ts";
import type { ControlStore } from "../ports/control-store.ts";

/** What of a configuration the control plane works with. */
export interface ControlSettings {
  readonly config: Config;
  /** Paths of the configuration are relative to it. */
  readonly folder: string;
}

/** Throws BAD_CONFIG where none is configured, and what opening it throws. */
export async function openControlStore({ config, folder }: ControlSettings): Promise<ControlStore> {
  const { control } = config.stores;
  if (control === null)
    throw new BridgeError("BAD_CONFIG", {
      what: "no control store is configured",
      mend: "name one: stores: { control: sqlite:./.pnl-bridge/control.db }",
    });
  const file = sqliteFile(control);
  if (file !== undefined) return openSqliteControlStore(resolve(folder, file));
  // Loaded where it is needed: most commands are of SQLite, and an operator in a hurry waits for it.
  const { openPostgresControlStore } = await import("../adapters/postgres/index.ts");
  return openPostgresControlStore(control);
}

export const switchFileOf = (settings: ControlSettings): LocalSwitchFile =>
  new LocalSwitchFile(join(stateFolder(settings), "LEGACY_ONLY"));

/** Where this process keeps what is its own: beside the control file, or in `.pnl-bridge`. */
export function stateFolder({ config, folder }: ControlSettings): string {
  const file = config.stores.control === null ? undefined : sqliteFile(config.stores.control);
  return file === undefined ? resolve(folder, ".pnl-bridge") : dirname(resolve(folder, file));
}

export const sqliteFile = (store: string): string | undefined => /^sqlite:(?:\/\/)?(.+)$/.exec(store)?.[1];
