/**
 * The rows of a call are sent between threads as lists of values with the names of the fields once, because
 * copying so many small objects would cost more than the disk write.
 */
import { at as itemAt } from "../../base/present.ts";
import type { RecordCall } from "../../ports/record-store.ts";

/** The fields of rows, in the order of their values. A field that is an object has fields of its own. */
type Fields = readonly (readonly [name: string, fields: Fields | null])[];

/** A row, or a write or an entry with its rows. */
type Item = { readonly rows?: readonly object[] };

/** Items in the form in which they are sent. */
interface Packed {
  /** The items without their rows; null if they are rows. */
  readonly rest: readonly object[] | null;
  readonly known: readonly Fields[];
  /** For each row, the index of its fields in `known` and its values; listed by item if items have rows. */
  readonly values: readonly unknown[][];
}

/** The names of the arguments that are lists of items. */
const lists = ["rows", "writes", "entries"] as const;

/** Packs the items of a call's argument. An argument without items stays as it is. */
export const packGiven = (given: unknown): unknown => inList(given, (items) => pack(items as Item[]));
export const unpackGiven = (given: unknown): unknown => inList(given, (packed) => unpack(packed as Packed));

/** The calls whose answers are items. */
const answersItems: ReadonlySet<RecordCall> = new Set<RecordCall>([
  "pending",
  "entriesAfter",
  "unsettled",
  "rowsAfter",
  "claimRows",
  "adopt",
]);

export const packAnswer = (name: RecordCall, answer: unknown): unknown =>
  answersItems.has(name) ? pack(answer as Item[]) : answer;
export const unpackAnswer = (name: RecordCall, answer: unknown): unknown =>
  answersItems.has(name) ? unpack(answer as Packed) : answer;

function inList(given: unknown, change: (list: unknown) => unknown): unknown {
  if (!isObject(given)) return given;
  const name = lists.find((one) => one in given);
  return name === undefined ? given : { ...given, [name]: change(given[name as keyof typeof given]) };
}

function pack(items: readonly Item[]): Packed {
  const known: Fields[] = [];
  const values = items.map((item) =>
    item.rows === undefined ? packed(item, known) : item.rows.map((row) => packed(row, known)),
  );
  const rest = items[0]?.rows === undefined ? null : items.map(({ rows, ...others }) => others);
  return { rest, known, values };
}

function unpack({ rest, known, values }: Packed): readonly object[] {
  if (rest === null) return values.map((row) => unpacked(row, known));
  const rowsOf = (at: number) => itemAt(values, at).map((row) => unpacked(row as unknown[], known));
  return rest.map((item, at) => ({ ...item, rows: rowsOf(at) }));
}

/** Returns the index of a row's fields in `known`, then the row's values. Adds new fields to `known`. */
function packed(row: object, known: Fields[]): unknown[] {
  for (let number = known.length - 1; number >= 0; number--) {
    const values: unknown[] = [number];
    if (addValues(row, itemAt(known, number), values)) return values;
  }
  known.push(fieldsOf(row));
  return packed(row, known);
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const fieldsOf = (row: object): Fields =>
  Object.entries(row).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, isObject(value) ? fieldsOf(value) : null] as const],
  );

/** Adds the values of an object with these fields. Returns false if the object has others. */
function addValues(row: object, fields: Fields, values: unknown[]): boolean {
  let place = 0;
  for (const name in row) {
    const value: unknown = row[name as keyof typeof row];
    if (value === undefined) continue;
    const field = fields[place++];
    if (field === undefined || field[0] !== name) return false;
    const inner = field[1];
    if (inner === null ? isObject(value) : !isObject(value) || !addValues(value, inner, values)) return false;
    if (inner === null) values.push(value);
  }
  return place === fields.length;
}

function unpacked(values: readonly unknown[], known: readonly Fields[]): object {
  let place = 1;
  const filled = (fields: Fields): object => {
    const row: Record<string, unknown> = {};
    for (const [name, inner] of fields) row[name] = inner === null ? values[place++] : filled(inner);
    return row;
  };
  return filled(itemAt(known, Number(values[0])));
}
