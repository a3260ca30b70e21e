/**
 * The rows of a call are sent between threads as one text, because copying so many small objects would cost
 * more than the disk write. The text has the names of the fields once, and the values of each row as a list.
 */
import { at as itemAt } from "../../base/present.ts";
import type { RecordCall } from "../../ports/record-store.ts";

/** The fields of rows, in the order of their values. A field that is an object has fields of its own. */
type Fields = readonly (readonly [name: string, fields: Fields | null])[];

/** Where a message may have rows. */
interface Message {
  readonly rows?: readonly unknown[];
  readonly writes?: readonly Message[];
  readonly entries?: readonly Message[];
}

/** The argument of a call as text, if it has rows. */
export function packGiven(given: unknown): unknown {
  const { rows, writes, entries }: Message = given ?? {};
  if (rows === undefined && writes === undefined && entries === undefined) return given;
  const known: Fields[] = [];
  return JSON.stringify([known, inRows(given as Message, (row) => packed(row, known))]);
}

export function unpackGiven(given: unknown): unknown {
  if (typeof given !== "string") return given;
  const [known, message]: [Fields[], Message] = JSON.parse(given);
  return inRows(message, (row) => unpacked(row as unknown[], known));
}

/** The calls whose answers are many rows, or entries of an outbox with their rows. */
const answersRows: ReadonlySet<RecordCall> = new Set<RecordCall>([
  "pending",
  "entriesAfter",
  "unsettled",
  "rowsAfter",
  "claimRows",
  "adopt",
]);

/** The answer of such a call as text. */
export function packAnswer(name: RecordCall, answer: unknown): unknown {
  if (!answersRows.has(name)) return answer;
  const known: Fields[] = [];
  const messages = (answer as readonly Message[]).map((one) =>
    one.rows === undefined ? packed(one, known) : inRows(one, (row) => packed(row, known)),
  );
  return JSON.stringify([known, messages]);
}

export function unpackAnswer(name: RecordCall, answer: unknown): unknown {
  if (!answersRows.has(name)) return answer;
  const [known, messages]: [Fields[], (Message | unknown[])[]] = JSON.parse(String(answer));
  return messages.map((one) =>
    Array.isArray(one) ? unpacked(one, known) : inRows(one, (row) => unpacked(row as unknown[], known)),
  );
}

function inRows(message: Message, change: (row: unknown) => unknown): Message {
  const { rows, writes, entries } = message;
  return {
    ...message,
    ...(rows && { rows: rows.map(change) }),
    ...(writes && { writes: writes.map((one) => inRows(one, change)) }),
    ...(entries && { entries: entries.map((one) => inRows(one, change)) }),
  };
}

/** The values of a row, after the number of its fields among the known ones. */
function packed(row: unknown, known: Fields[]): unknown[] {
  for (let number = known.length - 1; number >= 0; number--) {
    const values: unknown[] = [number];
    if (addValues(row as object, itemAt(known, number), values)) return values;
  }
  known.push(fieldsOf(row as object));
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
