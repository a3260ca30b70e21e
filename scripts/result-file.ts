import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { programBuild } from "../src/app/evidence-key.ts";

/**
 * Writes the result of a whole run of tests or benchmarks into `.node/KIND.json`, for `pnl-bridge evidence
 * add`.
 */
export function writeResult({
  kind,
  ...counts
}: Readonly<Record<string, unknown>> & { readonly kind: string }): void {
  const folder = fileURLToPath(new URL("../.node", import.meta.url));
  const result = { kind, at: new Date().toISOString(), build: programBuild(), ...counts };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${kind}.json`), `${JSON.stringify(result, null, 2)}\n`);
}
