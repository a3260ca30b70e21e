/** A pair of stores in memory that keeps the promises of the database bridge and shows what it holds. */
import type { RecordWriter } from "../../../src/bridges/files/index.ts";
import type { BridgeRecord, PositionRecord, TradeRecord } from "../../../src/ports/records.ts";

export class MemoryStores implements RecordWriter {
  /** The present fault of the calls. */
  fault: "none" | "down" | "lost answer" = "none";
  readonly #keys = new Map<string, string>();
  readonly #trades = new Map<string, TradeRecord>();
  readonly #rows = new Map<string, BridgeRecord>();

  async write(
    records: readonly BridgeRecord[],
    { idempotencyKey }: { readonly idempotencyKey: string },
  ): ReturnType<RecordWriter["write"]> {
    if (this.fault === "down")
      return { kind: "refused", code: "SYSTEM_DOWN", because: "the stores are down" };
    const payload = JSON.stringify(records);
    const known = this.#keys.get(idempotencyKey);
    if (known !== undefined && known !== payload)
      return { kind: "refused", code: "KEY_REUSED", because: "the records differ" };
    if (known === undefined) {
      const stored = records.find((record) => record.kind === "trade" && this.#trades.has(keyOf(record)));
      if (stored !== undefined) return { kind: "refused", code: "ALREADY_STORED", because: keyOf(stored) };
      this.#keys.set(idempotencyKey, payload);
      for (const record of records) this.#apply(record);
    }
    return this.fault === "lost answer"
      ? { kind: "unresolved", because: "the answer is lost" }
      : { kind: "acknowledged" };
  }

  #apply(record: BridgeRecord): void {
    if (record.kind === "trade" || record.kind === "trade_correction")
      this.#trades.set(keyOf(record), record);
    else if (record.kind === "trade_removal") this.#trades.delete(keyOf(record));
    else if (record.kind === "position")
      this.#rows.set(JSON.stringify(["position", record.book ?? "", record.symbol]), record);
    else if (record.kind === "daily_pnl")
      this.#rows.set(JSON.stringify(["daily", record.tradingDay, record.book ?? "", record.symbol]), record);
    else if (record.kind === "price")
      this.#rows.set(JSON.stringify(["price", record.symbol, record.markKind, record.tradingDay]), record);
  }

  /** Returns the identity and occurrence of each stored trade. */
  trades(): readonly string[] {
    return [...this.#trades.keys()].sort();
  }

  /** Returns each position by book and symbol, including those that are flat now. */
  positions(): ReadonlyMap<string, PositionRecord> {
    const found = new Map<string, PositionRecord>();
    for (const row of this.#rows.values())
      if (row.kind === "position") found.set(`${row.book ?? ""} ${row.symbol}`, row);
    return found;
  }

  /** Returns the present records: the last one for each key, and the stored trades. */
  records(): readonly BridgeRecord[] {
    return [...this.#trades.values(), ...this.#rows.values()];
  }
}

const keyOf = (record: BridgeRecord): string => {
  if (!("side" in record)) return "";
  const { id, symbol, book, side, quantity, price, time, occurrence } = record;
  return JSON.stringify([id, symbol, book ?? "", side, quantity, price, Date.parse(time), occurrence ?? 1]);
};
