import { plain } from "../../base/plain-text.ts";
import type { ReportDiff } from "../../ports/report-diff.ts";
import { countWords } from "./report-diff.ts";

interface DailyReading {
  readonly date: string;
  readonly side: string;
  readonly because: string;
  readonly path: string;
  readonly figures: string;
  readonly contentHash: string;
  readonly version: number | null;
  readonly replaced?: { readonly version: number; readonly path: string };
  readonly diff?:
    | { readonly path: string; readonly ok: boolean; readonly counts: ReportDiff["counts"] }
    | { readonly error: string };
}

/** Returns text that says which report was written, why, and how it differs from the other one. */
export function renderDailyResult(result: DailyReading): string {
  const { date, side, because, path, figures, contentHash, version, replaced, diff } = result;
  const words = [
    `${side}'s report of ${date}: ${plain(path)}`,
    `  why      ${plain(because)}`,
    `  figures  ${plain(figures)}`,
    `  content  ${contentHash.slice(0, 16)}${version === null ? "" : `, version ${version}`}`,
  ];
  if (replaced !== undefined) words.push(`  keeps    version ${replaced.version} as ${plain(replaced.path)}`);
  if (diff !== undefined)
    words.push(
      "error" in diff
        ? `  compare  the other report could not be built: ${plain(diff.error)}`
        : `  compare  ${diff.ok ? "the two reports agree" : "the two reports do not agree"}: ${countWords(diff)}`,
    );
  return words.join("\n");
}

/** Returns text that says which differences were accepted. */
export const renderAcceptance = ({
  date,
  hashes,
  counts,
  because,
}: {
  readonly date: string;
  readonly hashes: { readonly legacy: string; readonly modern: string };
  readonly counts: ReportDiff["counts"];
  readonly because: string;
}): string =>
  [
    `the reports of ${date}: ${plain(because)}`,
    `  legacy   ${hashes.legacy.slice(0, 16)}`,
    `  modern   ${hashes.modern.slice(0, 16)}`,
    `  accepts  ${countWords({ counts })}`,
  ].join("\n");
