import type { Side } from "../domain/migration/phase.ts";

/** A value as a database holds it. */
export type StoredValue = string | number | null;

/** What a write does to one row of one table: an upsert by the key, or a deletion. */
export interface RowChange {
  /** Without the namespace that the store adds. */
  readonly table: string;
  readonly key: Readonly<Record<string, StoredValue>>;
  /** The columns that the write sets; null deletes the row. Columns that are not named keep their values. */
  readonly set: Readonly<Record<string, StoredValue>> | null;
  /** Columns that a new row needs and an existing row keeps. */
  readonly initial: Readonly<Record<string, StoredValue>>;
}

/** One row of a write, as one store takes it. */
export interface RowWrite {
  /** The table and key in canonical form: what the row's versions count. */
  readonly aggregate: string;
  /** A row that may be written once only, such as a trade. */
  readonly isFinal: boolean;
  readonly change: RowChange;
  /** The row in canonical form; the outbox carries it to the other store. */
  readonly image: string;
}

export interface StoreWrite {
  readonly idempotencyKey: string;
  /** Of the canonical rows: the same key with another digest is refused. */
  readonly digest: string;
  readonly rows: readonly RowWrite[];
}

export type StoreRefusalCode = "KEY_REUSED" | "ALREADY_STORED" | "DRAINING" | "CONFLICT";

export type StoreAnswer =
  | { readonly kind: "acknowledged"; readonly version: number }
  | { readonly kind: "refused"; readonly code: StoreRefusalCode; readonly because: string };

/** Which store is authoritative, as both stores know it. Every write reads it in its own transaction. */
export interface Fence {
  readonly epoch: number;
  readonly authority: Side;
}

/** One acknowledged write, on its way to the other store. */
export interface OutboxEntry {
  readonly seq: number;
  readonly rows: readonly { readonly aggregate: string; readonly version: number; readonly image: string }[];
}

/** An entry as the mirror takes it. */
export interface MirrorWrite {
  readonly seq: number;
  readonly rows: readonly (Omit<RowWrite, "image" | "isFinal"> & { readonly version: number })[];
}

export type MirrorAnswer =
  | { readonly kind: "applied" }
  /** The mirror cannot take it, and will not by itself: the row was changed by somebody else, or its version is missing. */
  | { readonly kind: "parked"; readonly code: string; readonly because: string };

/**
 * One database of the pair. A `write` that rejects, for whatever reason, may have committed some of its writes: the same keys
 * sent again resolve them. Every other function may be called again after a rejection.
 */
export interface RecordStore {
  readonly side: Side;
  fence(): Promise<Fence>;
  /** Writes what is not written yet, each write whole or not at all, and answers each after the commit. */
  write(writes: readonly StoreWrite[], epoch: number): Promise<readonly StoreAnswer[]>;
  /** The oldest entries that the other store has not confirmed. */
  pending(limit: number): Promise<readonly OutboxEntry[]>;
  /** Applies entries of the other store in their order. An entry that was applied before is applied again without effect. */
  apply(entries: readonly MirrorWrite[]): Promise<readonly MirrorAnswer[]>;
  /** The other store has these entries. */
  confirm(seqs: readonly number[]): Promise<void>;
  /** The other store refuses this entry. It stays owed, and waits for a person. */
  park(seq: number, code: string, because: string): Promise<void>;
  /** The entries that the other store does not have, and the age of the oldest in milliseconds. */
  owed(): Promise<{ readonly count: number; readonly oldestMs: number }>;
  close(): Promise<void>;
}
