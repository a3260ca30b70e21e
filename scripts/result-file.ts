import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { readProgramBuild } from "../src/app/evidence-key.ts";
import { edgeTests } from "../test/edge-tests.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Reads the build before a whole run of tests or benchmarks. The returned function writes the result of the
 * run into `.node/KIND.json`, for `pnl-bridge evidence add`. If the sources have changed meanwhile, that
 * function writes nothing and returns the reason.
 */
export function beginResult(
  kind: "tests" | "benchmarks",
  { folder = join(root, ".node"), readBuild = readProgramBuild } = {},
): (counts: Readonly<Record<string, unknown>>) => string | undefined {
  const [build, startedMs] = [readBuild(), performance.now()];
  return (counts) => {
    const now = readBuild();
    if (now !== build)
      return `no result is recorded: the sources were of build ${build} before the run, and are of build ${now} now`;
    const seconds = inSeconds(performance.now() - startedMs);
    mkdirSync(folder, { recursive: true });
    const result = { kind, at: new Date().toISOString(), build, seconds, ...counts };
    writeFileSync(join(folder, `${kind}.json`), `${JSON.stringify(result, null, 2)}\n`);
    return undefined;
  };
}

/** The results of a test file as vitest's JSON reporter writes them, without the parts that are not used. */
export interface TestedFile {
  /** The path of the file. */
  readonly name: string;
  readonly status: string;
  readonly startTime: number;
  readonly endTime: number;
  readonly assertionResults: readonly {
    readonly status: string;
    readonly fullName: string;
    readonly title: string;
  }[];
}

/** The edge features of the gate `edges_covered` whose tests all passed. */
export function featuresOf(files: readonly TestedFile[], base = root): readonly string[] {
  const passed = new Set(
    files.flatMap(({ name, assertionResults }) =>
      assertionResults
        .filter(({ status }) => status === "passed")
        .map(({ title }) => `${relative(base, name).replaceAll(sep, "/")} ${title}`),
    ),
  );
  return Object.entries(edgeTests).flatMap(([feature, tests]) =>
    tests.every(({ file, title }) => passed.has(`${file} ${title}`)) ? [feature] : [],
  );
}

/** The tests and the time of each folder, by two levels: `src/control/evidence` is in `src/control`. */
export function suitesOf(files: readonly TestedFile[], base = root) {
  const suiteOf = ({ name }: TestedFile): string =>
    relative(base, name).split(sep).slice(0, -1).slice(0, 2).join("/");
  return [...Map.groupBy(files, suiteOf)]
    .map(([name, inside]) => {
      const statuses = inside.flatMap(({ assertionResults }) => assertionResults.map(({ status }) => status));
      const count = (wanted: string): number => statuses.filter((status) => status === wanted).length;
      const [passed, failed] = [count("passed"), count("failed")];
      const skipped = statuses.length - passed - failed;
      const ms = inside.reduce((sum, { startTime, endTime }) => sum + endTime - startTime, 0);
      return { name, passed, failed, skipped, seconds: inSeconds(ms) };
    })
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

export const inSeconds = (ms: number): number => Number((ms / 1_000).toFixed(1));
