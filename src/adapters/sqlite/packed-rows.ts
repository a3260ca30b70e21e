/**
 * The rows of a call are sent between threads as text, because copying so many small objects would cost more
 * than the disk write. The rows that `rowsAfter` reads from a table are copied as flat lists instead, because
 * they may hold infinities, which JSON lacks.
 */
import type { LegacyRow } from "../../ports/backfill-calls.ts";
import type { OutboxEntry, RecordCall } from "../../ports/record-store.ts";

interface Batch {
  readonly rows?: unknown;
  readonly writes?: readonly Batch[];
  readonly entries?: readonly Batch[];
}

/** The calls whose answers are entries of an outbox. */
const answersEntries: ReadonlySet<RecordCall> = new Set<RecordCall>(["pending", "entriesAfter", "unsettled"]);

/** The argument of a call, or an entry of an outbox, with its rows as JSON text. */
export const packRows = (given: unknown): unknown => inRows(given, (rows) => JSON.stringify(rows));
export const unpackRows = (given: unknown): unknown => inRows(given, (rows) => JSON.parse(String(rows)));

export const packAnswer = (name: RecordCall, answer: unknown): unknown =>
  answersEntries.has(name)
    ? (answer as readonly OutboxEntry[]).map(packRows)
    : name === "rowsAfter"
      ? flat(answer as readonly LegacyRow[])
      : answer;
export const unpackAnswer = (name: RecordCall, answer: unknown): unknown =>
  answersEntries.has(name)
    ? (answer as readonly OutboxEntry[]).map(unpackRows)
    : name === "rowsAfter"
      ? unflat(answer as ReturnType<typeof flat>)
      : answer;

/** Rows with the same cells, as lists. */
const flat = (rows: readonly LegacyRow[]) => ({
  names: Object.keys(rows[0]?.cells ?? {}),
  ids: rows.map(({ id }) => id),
  cells: rows.map(({ cells }) => Object.values(cells).flatMap(({ type, value }) => [type, value])),
});

const unflat = ({ names, ids, cells }: ReturnType<typeof flat>) =>
  ids.map((id, row) => ({
    id,
    cells: Object.fromEntries(
      names.map((name, at) => [name, { type: cells[row]?.[2 * at], value: cells[row]?.[2 * at + 1] }]),
    ),
  }));

function inRows(given: unknown, change: (rows: unknown) => unknown): unknown {
  if (given === null || typeof given !== "object") return given;
  const { rows, writes, entries }: Batch = given;
  return {
    ...given,
    ...(rows !== undefined && { rows: change(rows) }),
    ...(writes && { writes: writes.map((one) => inRows(one, change)) }),
    ...(entries && { entries: entries.map((one) => inRows(one, change)) }),
  };
}
