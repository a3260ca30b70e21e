/**
 * The folder of the desk's published files, beside the checkout. Without these files, the tests that need
 * them are skipped.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const sharedData = fileURLToPath(new URL("../../shared/data", import.meta.url));
export const hasSharedData = existsSync(`${sharedData}/expected/two-systems.json`);
export const readShared = <T>(path: string): T =>
  JSON.parse(readFileSync(`${sharedData}/${path}`, "utf8")) as T;
