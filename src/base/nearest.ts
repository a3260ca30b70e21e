/** The length above which a text does not count as a typing error. */
const lengthMax = 100;

/**
 * Returns the candidate that a person most likely meant: the one with the fewest typing errors (a letter
 * missing, added or changed, or two swapped; ignoring case), at most one per three letters. Returns the first
 * of equally near candidates, and undefined if none is near.
 */
export function nearest(text: string, candidates: readonly string[]): string | undefined {
  if (text.length > lengthMax) return undefined;
  let best: { readonly candidate: string; readonly slips: number } | undefined;
  for (const candidate of candidates) {
    const allowed = Math.max(1, Math.floor(Math.max(text.length, candidate.length) / 3));
    if (Math.abs(text.length - candidate.length) > allowed) continue;
    const slips = slipsBetween(text.toLowerCase(), candidate.toLowerCase());
    if (slips <= allowed && slips < (best?.slips ?? Number.POSITIVE_INFINITY)) best = { candidate, slips };
  }
  return best?.candidate;
}

/**
 * Describes an unknown key for an error message, with the most likely known key or, if none is near, with all
 * of them.
 */
export function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  const text = JSON.stringify(key.slice(0, lengthMax));
  return meant === undefined
    ? `${text}; known are ${known.join(", ")}`
    : `${text}; did you mean ${JSON.stringify(meant)}?`;
}

/** Returns the edit distance with swaps of neighbours (optimal string alignment). */
function slipsBetween(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const changed = at(last, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1);
      let slips = Math.min(changed, at(last, column) + 1, at(current, column - 1) + 1);
      const swapped =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) slips = Math.min(slips, at(beforeLast, column - 2) + 1);
      current.push(slips);
    }
    [beforeLast, last] = [last, current];
  }
  return at(last, to.length);
}

const at = (row: readonly number[], column: number): number => row[column] as number;
