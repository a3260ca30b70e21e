import type { Verdict } from "./pnl/side-by-side.ts";

const words = {
  equal: ["=", "equal"],
  within_tolerance: ["≈", "within tolerance"],
  diverged: ["≠", "diverged"],
  error: ["!", "error"],
  not_comparable: ["∅", "not comparable"],
} as const satisfies Readonly<Record<Verdict, readonly [sign: string, word: string]>>;

/** The result of a comparison: a sign and a word, so that it needs no color. */
export function VerdictBadge({ verdict }: { readonly verdict: Verdict | undefined }) {
  const [sign, word] = verdict === undefined ? ["?", "not compared"] : words[verdict];
  return (
    <span className={`verdict ${verdict ?? "unknown"}`}>
      <span aria-hidden="true">{sign}</span> {word}
    </span>
  );
}
