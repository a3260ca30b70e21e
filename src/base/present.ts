/**
 * Returns a value that must exist; throws a broken invariant if it does not. For cold paths: hot loops use
 * casts.
 */
export function present<T>(value: T | undefined, claim: string): T {
  if (value === undefined) throw new Error(`broken invariant: ${claim}`);
  return value;
}

/**
 * Returns the item at a place that the list must have; a negative `index` counts from the end. For cold
 * paths.
 */
export const at = <T>(items: readonly T[], index: number): T =>
  present(items.at(index), `the list has a place ${index}`);
