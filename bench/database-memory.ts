/** Prints the peak memory, in MB, of a process with one pair of databases under load, for `database.ts`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepHeapSmall } from "../src/platform/small-heap.ts";
import { loadedPair } from "./database.ts";

// The commands that open the pair keep the heap small too.
keepHeapSmall();
const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-bench-"));
await loadedPair(folder);
rmSync(folder, { recursive: true, force: true });
console.log(Math.round(process.resourceUsage().maxRSS / 1_024));
