import type { RowChange, RowImage, RowWrite, StoredValue } from "../ports/record-store.ts";

/** The table of legacy's store for trades that legacy's own tables cannot hold. */
export const unstorableTable = "pnlb_unstorable";

/**
 * The columns of each legacy table's natural key, in the order in which a claim lists their values. `id` is
 * not a natural key: legacy replaces rows, and the new row has another `id`.
 */
export const legacyKeys = {
  processed_trades: ["trade_id", "source_file"],
  positions: ["instrument_name"],
  eod_pnl: ["trade_date", "instrument_name"],
  market_prices: ["bloomberg", "upload_timestamp"],
  cto_trades: ["tradeID", "source_file"],
  [unstorableTable]: ["aggregate"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** Returns the table and key of the row of legacy that a claim names; undefined without a claim. */
export function placeOfClaim(claim: unknown): Pick<RowChange, "table" | "key"> | undefined {
  if (typeof claim !== "string") return undefined;
  const keys: Readonly<Record<string, readonly string[]>> = legacyKeys;
  const [table = "", ...values]: StoredValue[] = JSON.parse(claim);
  const columns = keys[String(table)];
  if (columns === undefined) return undefined;
  const key = Object.fromEntries(columns.map((column, index) => [column, values[index] ?? null]));
  return { table: String(table), key };
}

/**
 * Returns the change that stores a trade, with the cause, in `pnlb_unstorable` because legacy's own tables
 * cannot hold it; and the claim of that row.
 */
export function unstorableForm(
  { aggregate, values, does }: RowImage,
  cause: string,
): Pick<RowWrite, "change" | "claim"> {
  const columns = Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const set = does === "trade_removal" ? null : { row: JSON.stringify(Object.fromEntries(columns)), cause };
  return {
    change: { table: unstorableTable, key: { aggregate }, set, initial: {} },
    claim: JSON.stringify([unstorableTable, aggregate]),
  };
}

export const isUnstorable = (claim: string): boolean => claim.startsWith(`["${unstorableTable}",`);
