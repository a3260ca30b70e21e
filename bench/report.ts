import Table from "cli-table3";

/** The result of a benchmark. Times and sizes hold for one machine and one run; quote the ratios. */
export interface BenchResult {
  readonly name: string;
  /** The subject and the baseline of the measurement, in one sentence. */
  readonly what: string;
  readonly rows: readonly BenchRow[];
  /** A table of texts for findings that are not numbers; printed before the rows. */
  readonly grid?: { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };
  /** The reason why the benchmark did not run and has no rows, if that is not a failure. */
  readonly skipped?: string;
}

export interface BenchRow {
  readonly case: string;
  /** The measured value with its unit: `412 ms`, `1.9 M rows/s`. */
  readonly measured: string;
  readonly ratio?: number;
  /** The name of the baseline of the ratio. */
  readonly against?: string;
  readonly target?: Target;
}

export type Target = { readonly atMost: number } | { readonly atLeast: number };

export const milliseconds = (ms: number): string =>
  ms < 10 ? `${ms.toFixed(2)} ms` : `${Math.round(ms)} ms`;
export const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
export const perSecond = (count: number, ms: number): string => `${(count / ms / 1_000).toFixed(2)} M/s`;

export function printTable({ name, what, rows, grid, skipped }: BenchResult): string {
  if (skipped !== undefined) return `${name}: SKIPPED, ${skipped}\n`;
  const table = new Table({
    head: ["case", "measured", "ratio", "to", "target", ""],
    style: { head: [], border: [] },
  });
  for (const row of rows)
    table.push([
      row.case,
      { content: row.measured, hAlign: "right" },
      { content: row.ratio === undefined ? "" : ratioText(row.ratio), hAlign: "right" },
      row.against ?? "",
      row.target === undefined ? "" : targetText(row.target),
      verdictOf(row) ?? "",
    ]);
  return `${name}: ${what}\n${grid === undefined ? "" : `${printGrid(grid)}\n`}${table.toString()}\n`;
}

function printGrid({ head, rows }: NonNullable<BenchResult["grid"]>): string {
  const style = { head: [], border: [] };
  const table = new Table({ head: [...head], style, colWidths: head.map(() => 28), wordWrap: true });
  for (const row of rows) table.push([...row]);
  return table.toString();
}

/** Returns the results for `--json`; `ok` of a row says whether its target was met. */
export const toJson = (results: readonly BenchResult[]): string =>
  JSON.stringify(
    {
      node: process.version,
      benchmarks: results.map((result) => ({
        ...result,
        rows: result.rows.map((row) => ({ ...row, ...(row.target ? { ok: isMet(row) } : {}) })),
      })),
    },
    null,
    2,
  );

/**
 * Counts the targets for the gate `benchmarks_met`. A target that is missed by at most a tenth counts as
 * noise. If any benchmark failed, one more target counts as missed; a skipped benchmark counts nowhere.
 */
export function countTargets(
  results: readonly BenchResult[],
  failed: boolean,
): { readonly met: number; readonly missed: number; readonly noisy: number } {
  const rows = results.flatMap(({ rows }) => rows).filter(({ target }) => target !== undefined);
  const bad = rows.filter((row) => !isMet(row));
  const noisy = bad.filter(({ ratio = 0, target }) =>
    target !== undefined && "atMost" in target
      ? ratio <= 1.1 * target.atMost
      : ratio >= 0.9 * (target?.atLeast ?? 0),
  ).length;
  return { met: rows.length - bad.length, missed: bad.length - noisy + (failed ? 1 : 0), noisy };
}

const verdictOf = (row: BenchRow): string | undefined => row.target && (isMet(row) ? "ok" : "MISSED");

function isMet({ ratio, target }: BenchRow): boolean {
  if (target === undefined || ratio === undefined) return false;
  return "atMost" in target ? ratio <= target.atMost : ratio >= target.atLeast;
}

const ratioText = (ratio: number): string => (ratio >= 100 ? ratio.toFixed(0) : ratio.toFixed(2));
const targetText = (target: Target): string =>
  "atMost" in target ? `at most ${target.atMost}` : `at least ${target.atLeast}`;
