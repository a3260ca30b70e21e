/**
 * Returns the first index at which `holds` is true, or `length` if there is none. `holds` must be false for
 * every earlier index and true for every later one. Logarithmic in `length`.
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
