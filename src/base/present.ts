/**
 * Returns a value that must exist; throws a broken invariant if it does not. Hot loops use a cast instead,
 * which costs nothing.
 */
export function present<T>(value: T | undefined, claim: string): T {
  if (value === undefined) throw new Error(`broken invariant: ${claim}`);
  return value;
}

/**
 * Returns the item at an index, which must be in the list; a negative `index` counts from the end. Not for
 * hot loops.
 */
export const at = <T>(items: readonly T[], index: number): T =>
  present(items.at(index), `the list has a place ${index}`);
