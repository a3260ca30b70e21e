/**
 * The first place in [0, `length`] at which `holds` is true; it must be false before and true after it.
 * Logarithmic.
 */
export function firstWhere(length: number, holds: (place: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
