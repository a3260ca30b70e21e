import { plain } from "../../base/plain-text.ts";
import { countWords, type DiffOutcome } from "./report-diff.ts";

interface DailyReading {
  readonly date: string;
  readonly side: string;
  readonly because: string;
  readonly path: string;
  readonly figures: string;
  readonly contentHash: string;
  readonly version: number | null;
  readonly refused: readonly {
    readonly code: string;
    readonly file: string;
    readonly line: number | null;
    readonly why: string;
  }[];
  readonly replaced?: {
    readonly date: string;
    readonly side: string;
    readonly version: number;
    readonly path: string;
  };
  readonly diff?:
    | ({ readonly path: string; readonly ok: boolean } & DiffOutcome)
    | { readonly error: string };
}

/** The largest number of refused rows that the text lists. */
const refusedMax = 5;

/** Returns text that says which report was written, why, and how it differs from the other one. */
export function renderDailyResult(result: DailyReading): string {
  const { date, side, because, path, figures, contentHash, version, refused, replaced, diff } = result;
  const words = [
    `${side}'s report of ${date}: ${plain(path)}`,
    `  why      ${plain(because)}`,
    `  figures  ${plain(figures)}`,
    `  content  ${contentHash.slice(0, 16)}${version === null ? "" : `, version ${version}`}`,
  ];
  for (const { code, file, line, why } of refused.slice(0, refusedMax))
    words.push(`  refused  ${plain(file)}${line === null ? "" : `:${line}`} ${code}: ${plain(why)}`);
  if (refused.length > refusedMax)
    words.push(`  refused  ${refused.length - refusedMax} further entries: see ${plain(figures)}`);
  if (replaced !== undefined)
    words.push(
      `  keeps    version ${replaced.version} of ${replaced.side}'s report of ${replaced.date} as ${plain(replaced.path)}`,
    );
  if (diff !== undefined)
    words.push(
      "error" in diff
        ? `  compare  the other report could not be built: ${plain(diff.error)}`
        : `  compare  ${diff.ok ? "the two reports agree" : "the two reports do not agree"}: ${countWords(diff)}`,
    );
  if (diff !== undefined && "ok" in diff) words.push(...totalLines(diff));
  return words.join("\n");
}

/** One line for each total that fails, indented like the texts of the other lines. */
const totalLines = ({ failedTotals = [] }: DiffOutcome): readonly string[] =>
  failedTotals.map((one) => `           ${plain(one)}`);

/** Returns text that says which differences were accepted. */
export const renderAcceptance = ({
  date,
  hashes,
  because,
  ...outcome
}: DiffOutcome & {
  readonly date: string;
  readonly hashes: { readonly legacy: string; readonly modern: string };
  readonly because: string;
}): string =>
  [
    `the reports of ${date}: ${plain(because)}`,
    `  legacy   ${hashes.legacy.slice(0, 16)}`,
    `  modern   ${hashes.modern.slice(0, 16)}`,
    `  accepts  ${countWords(outcome)}`,
    ...totalLines(outcome),
  ].join("\n");
