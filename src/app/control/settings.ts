/** Reads the configuration for one command. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { BridgeError } from "../../base/errors.ts";
import { sqliteFile, storeForm, storePattern } from "../../base/store-address.ts";
import { type Config, defaultConfig, loadConfig } from "../../config/index.ts";
import { usualFile } from "../../config/usual-file.ts";
import type { ControlSettings } from "../stores.ts";

/** The options by which every command finds its store: a configuration file, or the store itself. */
export interface StoreOptions {
  readonly config?: string;
  readonly store?: string;
}

/**
 * Reads a command's settings. Throws BAD_USAGE if nothing is named and the usual file is missing, or if
 * `store` is not the address of a store, and BAD_CONFIG or UNREADABLE for a file that cannot be used.
 */
export async function settingsOf({ config: path, store }: StoreOptions): Promise<ControlSettings> {
  const file = path ?? (existsSync(usualFile) ? usualFile : undefined);
  if (file === undefined && store === undefined)
    throw new BridgeError("BAD_USAGE", {
      what: `there is no ${usualFile} here`,
      fix: "name one with --config FILE, or the store alone with --store sqlite:FILE or postgres://…",
    });
  if (store !== undefined && !storePattern.test(store))
    throw new BridgeError("BAD_USAGE", {
      what: "the value of --store is not the address of a store",
      fix: `write ${storeForm}`,
    });
  const config = file === undefined ? defaultConfig : await loadConfig(file).catch(orDefault(path, store));
  const folder = file === undefined ? process.cwd() : dirname(resolve(file));
  // A path in --store is relative to the current folder.
  const typed = store === undefined ? undefined : sqliteFile(store);
  const control = typed === undefined ? store : `sqlite:${resolve(typed)}`;
  return {
    config: control === undefined ? config : { ...config, stores: { ...config.stores, control } },
    folder,
  };
}

/**
 * Returns the built-in configuration if --store is given and the usual file is broken, so that a broken file
 * cannot prevent a rollback. Otherwise rethrows the failure; without --store, its fix names that option.
 */
const orDefault =
  (path: string | undefined, store: string | undefined) =>
  (failure: unknown): Config => {
    if (path === undefined && store !== undefined) return defaultConfig;
    if (!(failure instanceof BridgeError) || store !== undefined) throw failure;
    const { code, message, where, fix, cause } = failure;
    const byStore = "or name the control store alone: --store sqlite:FILE or postgres://…";
    throw new BridgeError(code, {
      what: message,
      where,
      fix: fix === "" ? byStore : `${fix}; ${byStore}`,
      cause,
    });
  };
