import type Database from "better-sqlite3";

/** The tables of legacy that the bridge writes. */
const mapped = ["processed_trades", "positions", "eod_pnl", "market_prices"];

/** The columns and unique keys of each mapped table, as text. A missing table has none. */
export function shapeOf(database: Database.Database): string {
  const columns = database.prepare<[string], unknown>(
    'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_xinfo(?) ORDER BY cid',
  );
  const keys = database
    .prepare<[string], string>(
      `SELECT group_concat(info.name, ', ') FROM pragma_index_list(?) AS list, pragma_index_info(list.name) AS info
       WHERE list."unique" GROUP BY list.name`,
    )
    .pluck();
  return JSON.stringify(
    Object.fromEntries(
      mapped.map((table) => [table, { columns: columns.raw().all(table), keys: keys.all(table).toSorted() }]),
    ),
  );
}

/** The names of the tables in which two shapes differ. */
export function changedTables(before: string, now: string): string {
  const [accepted, found]: readonly Readonly<Record<string, unknown>>[] = [
    JSON.parse(before),
    JSON.parse(now),
  ];
  return mapped
    .filter((table) => JSON.stringify(accepted?.[table]) !== JSON.stringify(found?.[table]))
    .join(", ");
}

/** Whether a table has a unique key of exactly these columns. */
export function hasKey(shape: string, table: string, columns: readonly string[]): boolean {
  const tables: Readonly<Record<string, { readonly keys: readonly string[] }>> = JSON.parse(shape);
  const wanted = columns.toSorted().join(", ");
  return tables[table]?.keys.some((key) => key.split(", ").toSorted().join(", ") === wanted) ?? false;
}
