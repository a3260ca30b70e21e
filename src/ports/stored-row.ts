import type { RecordKind, TradeChange } from "./records.ts";

/** A value as a database holds it. */
export type StoredValue = string | number | null;

export type StoredRow = Readonly<Record<string, StoredValue>>;

/** The change that a write makes to one row of one table: an upsert by the key, or a deletion. */
export interface RowChange {
  /** The table's name without the namespace that the store adds. */
  readonly table: string;
  readonly key: StoredRow;
  /** The columns that the write sets; null deletes the row. Columns that are not named keep their values. */
  readonly set: StoredRow | null;
  /** Columns that a new row needs and an existing row keeps. */
  readonly initial: StoredRow;
}

/** One row of a write, in the form that one store accepts. */
export interface RowWrite {
  /** The table and key in canonical form. The row's versions are counted under this name. */
  readonly aggregate: string;
  /** A row that may be written once only, such as a trade. */
  readonly isFinal: boolean;
  readonly change: RowChange;
  /** The row of legacy that belongs to the aggregate. No other aggregate may be written to that row. */
  readonly claim: string;
  /**
   * Absent if the write stores the row. A row that is changed is found at its place in the store, whatever
   * its claim is.
   */
  readonly does?: TradeChange | undefined;
}

/** One row in canonical form, with the columns of modern's tables. Equal rows have equal texts. */
export interface RowImage {
  readonly kind: RecordKind;
  /** Absent if the write stores the row. */
  readonly does?: TradeChange | undefined;
  /** The table and key of the row; the row's versions are counted under this name. */
  readonly aggregate: string;
  readonly values: Readonly<Record<string, string | null>>;
  /** Money per point of the instrument, decimal text. */
  readonly multiplier: string;
}

/** One acknowledged write, on its way to the other store. */
export interface OutboxEntry {
  readonly idempotencyKey: string;
  readonly seq: number;
  /**
   * The digest of the write. A store that was replaced by an older copy gives the same number to a second
   * write, and the digest reveals this.
   */
  readonly digest: string;
  readonly rows: readonly {
    readonly aggregate: string;
    readonly version: number;
    readonly image: RowImage;
    /** Whether legacy's store keeps the row in `pnlb_unstorable`, because another row has its place. */
    readonly isUnstorable: boolean;
  }[];
}
