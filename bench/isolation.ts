import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Finding, type LibraryName, libraries, type Probe, probes } from "./isolation-probe.ts";
import type { BenchResult } from "./report.ts";

/**
 * Measures how a bad modern side affects callers, behind our bridge and behind other libraries, each case in
 * a new process.
 */
export async function isolation(): Promise<BenchResult> {
  const names = Object.keys(libraries) as LibraryName[];
  let green = 0;
  const rows = Object.entries(probes).map(([name, probe]) => {
    const found = names.map((library) => findingOf(library, name, probe));
    if (found[0]?.ok) green += 1;
    return [probe.what, probe.wants, ...found.map(cell)];
  });
  return {
    name: "isolation",
    what: "how a modern side that misbehaves affects callers",
    grid: { head: ["modern", "wanted", ...names], rows },
    rows: [
      {
        case: "cases that our bridge passes",
        measured: `${green} of ${rows.length}`,
        ratio: green / rows.length,
        against: "all",
        target: { atLeast: 1 },
      },
    ],
  };
}

/**
 * Runs one probe with one library. Undefined if the library cannot run modern outside the caller's thread.
 */
function findingOf(library: LibraryName, name: string, { inProcess }: Probe): Finding | undefined {
  if (library !== "ours" && inProcess === undefined) return undefined;
  const script = fileURLToPath(new URL("isolation-probe.ts", import.meta.url));
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [script, library, name], {
    encoding: "utf8",
    timeout: 30_000,
  });
  if (error !== undefined) return { ok: false, what: error.message };
  if (status !== 0) return { ok: false, what: `the process ends: ${stderr.trim().split("\n").at(-1)}` };
  return JSON.parse(stdout.trim().split("\n").at(-1) as string);
}

const cell = (finding: Finding | undefined): string =>
  finding === undefined ? "has no worker" : `${finding.ok ? "ok" : "NO"}: ${finding.what}`;
