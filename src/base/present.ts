/** The value where one must be; throws a broken invariant where there is none. For cold paths: hot loops keep their casts. */
export function present<T>(value: T | undefined, claim: string): T {
  if (value === undefined) throw new Error(`broken invariant: ${claim}`);
  return value;
}

/** The item at a place that the list has; from the end where `index` is negative. For cold paths, as `present` is. */
export const at = <T>(items: readonly T[], index: number): T => present(items.at(index), `the list has a place ${index}`);
