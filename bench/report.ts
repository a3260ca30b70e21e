import Table from "cli-table3";

/** What a benchmark found. Times and sizes are of this machine and minute; the ratios are what to quote. */
export interface BenchResult {
  readonly name: string;
  /** One sentence: what is measured against what. */
  readonly what: string;
  readonly rows: readonly BenchRow[];
  /** A table of texts, where numbers do not say it; printed before the rows. */
  readonly grid?: { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };
  /** Why there are no rows, where the benchmark could not be run here for a reason that is no failure. */
  readonly skipped?: string;
}

export interface BenchRow {
  readonly case: string;
  /** With its unit: `412 ms`, `1.9 M rows/s`. */
  readonly measured: string;
  readonly ratio?: number;
  /** What the ratio is to. */
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

/** For `--json`: the same, and whether each target was met. */
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

const verdictOf = (row: BenchRow): string | undefined => row.target && (isMet(row) ? "ok" : "MISSED");

function isMet({ ratio, target }: BenchRow): boolean {
  if (target === undefined || ratio === undefined) return false;
  return "atMost" in target ? ratio <= target.atMost : ratio >= target.atLeast;
}

const ratioText = (ratio: number): string => (ratio >= 100 ? ratio.toFixed(0) : ratio.toFixed(2));
const targetText = (target: Target): string =>
  "atMost" in target ? `at most ${target.atMost}` : `at least ${target.atLeast}`;
