import { at as itemAt } from "../base/present.ts";
import type { RowImage } from "../ports/record-store.ts";
import type { BridgeRecord } from "../ports/records.ts";

/**
 * Rows of one kind that follow each other: the kind of their records, the names of the columns, and for each
 * row its aggregate, the money per point of its instrument, and its values.
 */
type Run = [
  kind: BridgeRecord["kind"],
  columns: readonly string[],
  rows: [string, string, ...(string | null)[]][],
];

/** Returns canonical rows as text. Equal rows have equal texts. */
export function imagesText(images: readonly RowImage[]): string {
  const runs: Run[] = [];
  for (const { kind: about, does, aggregate, values, multiplier } of images) {
    const kind = does ?? about;
    const last = runs.at(-1);
    const columns = Object.keys(values);
    const isSame = last?.[0] === kind && areEqual(last[1], columns);
    const [, , rows] = isSame ? last : itemAt(runs, runs.push([kind, columns, []]) - 1);
    rows.push([aggregate, multiplier, ...Object.values(values)]);
  }
  return JSON.stringify(runs);
}

/** The inverse of `imagesText`. */
export function imagesOf(text: string): readonly RowImage[] {
  const runs: readonly Run[] = JSON.parse(text);
  return runs.flatMap(([kind, columns, rows]) =>
    rows.map(([aggregate, multiplier, ...values]) => ({
      ...(kind === "trade_removal" || kind === "trade_correction" ? { kind: "trade", does: kind } : { kind }),
      aggregate,
      values: Object.fromEntries(columns.map((column, at) => [column, values[at] ?? null])),
      multiplier,
    })),
  );
}

const areEqual = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((column, at) => b[at] === column);
