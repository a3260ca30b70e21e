import type { RowChange } from "../../ports/record-store.ts";
import type { RecordKind } from "../../ports/records.ts";
import type { RowPlace } from "../../ports/repair-calls.ts";
import { keyColumns, type Row } from "./record-intake.ts";

const tables: Readonly<Record<RecordKind, string>> = {
  trade: "trades",
  position: "positions",
  price: "marks",
  daily_pnl: "daily",
};

/** The key columns of each of modern's tables. */
export const modernKeys: Readonly<Record<string, readonly string[]>> = {
  [tables.trade]: keyColumns.trade,
  [tables.position]: keyColumns.position,
  [tables.price]: keyColumns.price,
  [tables.daily_pnl]: keyColumns.daily_pnl,
};

/** Returns the change that writes a canonical row, unchanged, into modern's tables. */
export function toModern({ kind, does, values }: Row): RowChange {
  const keys = keyColumns[kind];
  const [key, set]: [Record<string, string | null>, Record<string, string | null>] = [{}, {}];
  for (const column in values) (keys.includes(column) ? key : set)[column] = values[column] ?? null;
  return { table: tables[kind], key, set: does === "trade_removal" ? null : set, initial: {} };
}

/** Returns the table and the key of an aggregate's row in modern. */
export function modernPlace(aggregate: string): RowPlace {
  const [kind, ...values]: [RecordKind, ...string[]] = JSON.parse(aggregate);
  const key = Object.fromEntries(keyColumns[kind].map((column, at) => [column, values[at] ?? null]));
  return { aggregate, table: tables[kind], key };
}
