/**
 * A list whose entries may be made each time they are read, so that a long list is never in memory as a
 * whole. An array is one too.
 */
export interface LazyList<T> extends Iterable<T> {
  readonly length: number;
}

/** Returns the list of the results of `make`, which is called anew each time an entry is read. */
export const lazyMap = <From, To>(list: LazyList<From>, make: (entry: From) => To): LazyList<To> => ({
  length: list.length,
  *[Symbol.iterator]() {
    for (const entry of list) yield make(entry);
  },
});
