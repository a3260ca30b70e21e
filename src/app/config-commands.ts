import { type Config, type ConfigListing, configJsonSchema, listConfig, loadConfig } from "../config/index.ts";
import { BridgeError } from "../domain/errors.ts";

export type { ConfigListing, ConfigValue } from "../config/index.ts";

/** Whether a file is a configuration; if not, the first thing in it that is wrong. */
export type Validation = { readonly ok: true; readonly config: Config } | { readonly ok: false; readonly error: BridgeError };

/** Throws UNREADABLE. */
export async function validateConfig(path: string): Promise<Validation> {
  try {
    return { ok: true, config: await loadConfig(path) };
  } catch (error) {
    if (error instanceof BridgeError && error.code === "BAD_CONFIG") return { ok: false, error };
    throw error;
  }
}

/** Every value in force and where it comes from; of the built-in configuration where no file is named. Throws as `loadConfig`. */
export const showConfig = (path: string | undefined): Promise<ConfigListing> => listConfig(path);

/** JSON Schema of the file, for editors. */
export const configSchemaDocument = (): object => configJsonSchema();
