import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * The file that a test starts for a module of the project, which is named without its extension: in the
 * bundle that `bundle.ts` makes before the tests, or the source where there is no bundle.
 */
export function bundled(module: string): string {
  const bundle = process.env.PNL_BRIDGE_BUNDLE;
  return bundle === undefined ? join(root, `${module}.ts`) : join(bundle, `${module}.js`);
}
