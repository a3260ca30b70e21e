import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Returns the file that a test starts for a module of the project: its file in the bundle of `bundle.ts`, or
 * its source if there is no bundle. `module` is a path without the extension.
 */
export function bundled(module: string): string {
  const bundle = process.env.PNL_BRIDGE_BUNDLE;
  return bundle === undefined ? join(root, `${module}.ts`) : join(bundle, `${module}.js`);
}
