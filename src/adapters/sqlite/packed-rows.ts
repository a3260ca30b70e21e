/**
 * The rows of writes and entries are sent between threads as text, because copying so many small objects
 * would cost more than the disk write.
 */
interface Batch {
  readonly rows?: unknown;
}

/** What a call is given, with the rows of each write or entry as JSON. */
export const packRows = (given: unknown): unknown => eachBatch(given, (rows) => JSON.stringify(rows));

/** The inverse of `packRows`. */
export const unpackRows = (given: unknown): unknown => eachBatch(given, (rows) => JSON.parse(String(rows)));

function eachBatch(given: unknown, change: (rows: unknown) => unknown): unknown {
  if (given === null || typeof given !== "object") return given;
  const { writes, entries }: { readonly writes?: readonly Batch[]; readonly entries?: readonly Batch[] } =
    given;
  const changed = (batches: readonly Batch[]): readonly Batch[] =>
    batches.map((batch) => (batch.rows === undefined ? batch : { ...batch, rows: change(batch.rows) }));
  return {
    ...given,
    ...(writes && { writes: changed(writes) }),
    ...(entries && { entries: changed(entries) }),
  };
}
