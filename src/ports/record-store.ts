import type { Side } from "../domain/migration/phase.ts";
import type { AbandonCalls } from "./abandon-calls.ts";
import type { BackfillCalls } from "./backfill-calls.ts";
import type { LeavingCalls } from "./leaving-calls.ts";
import type { RepairCalls } from "./repair-calls.ts";
import type { OutboxEntry, RowWrite } from "./stored-row.ts";

export type { OutboxEntry, RowChange, RowImage, RowWrite, StoredRow, StoredValue } from "./stored-row.ts";

export interface StoreWrite {
  readonly idempotencyKey: string;
  /** The rows in canonical form, as `imagesText` writes them; the outbox carries them to the other store. */
  readonly images: string;
  /** The digest of the images. A write with the same key and another digest is refused. */
  readonly digest: string;
  readonly rows: readonly RowWrite[];
  /**
   * If true, a trade whose place in legacy belongs to another row is stored in `pnlb_unstorable`, and a write
   * replaces a trade that the backfill has copied. If false, the write is refused in both cases.
   */
  readonly keepsUnstorable?: boolean | undefined;
  /** Whether legacy's own programs store the rows: the write changes no row of legacy's own tables. */
  readonly legacyHasOwn?: boolean | undefined;
}

export type StoreRefusalCode =
  | "KEY_REUSED"
  | "ALREADY_STORED"
  | "DRAINING"
  | "CONFLICT"
  | "AUTHORITY_DIFFERS"
  | "BOOK_NOT_IN_LEGACY";

export type StoreAnswer =
  | { readonly kind: "acknowledged"; readonly version: number }
  | { readonly kind: "refused"; readonly code: StoreRefusalCode; readonly because: string };

/**
 * The record in one store that names the authoritative store. Every write reads it in its own transaction.
 * `step` names the step (rung) of the cut-over that is under way, or says `abandoned`; otherwise it is empty.
 * `incarnation` is drawn when the bridge's tables are created, again in legacy when modern is abandoned, and
 * again in a restored store when it is repaired; another incarnation means another history of writes.
 */
export interface Fence {
  readonly epoch: number;
  readonly authority: Side;
  readonly step: string;
  readonly incarnation: string;
}

/**
 * An entry in the form that the mirror accepts. The mirror keeps its key too, so that a caller who sends the
 * write again after the authority has moved gets the same answer.
 */
export interface MirrorWrite extends Omit<OutboxEntry, "rows"> {
  readonly rows: readonly (Omit<RowWrite, "isFinal"> & { readonly version: number })[];
}

export type MirrorAnswer =
  /** `place` grows with each entry that the mirror applies, in whatever order the entries' numbers come. */
  | { readonly kind: "applied"; readonly place: number }
  /** The mirror cannot take the entry, and no repetition changes that. */
  | { readonly kind: "parked"; readonly code: string; readonly because: string };

/** An entry that the mirror refused. It stays owed until a person settles it. */
interface ParkedEntry {
  readonly seq: number;
  readonly aggregates: readonly string[];
  readonly code: string;
  readonly because: string;
  readonly atMs: number;
}

/** The writes that one store owes the other. Times are in milliseconds. */
export interface Owed {
  /** Entries that the other store does not have, parked ones included. */
  readonly count: number;
  readonly parked: number;
  /** The age of the oldest entry; 0 if nothing is owed. */
  readonly oldestMs: number;
}

export type LeaseAnswer =
  | { readonly kind: "held"; readonly token: number }
  | { readonly kind: "taken"; readonly holder: string; readonly untilMs: number };

/** A row in the form that one store accepts. */
export type PlacedRow = Pick<RowWrite, "aggregate" | "change" | "claim">;

/** The progress of an outbox. Each field is 0 if there is no such entry. */
interface Progress {
  /** The highest number that an entry has. */
  readonly last: number;
  /** The highest place at which the other store has applied an entry. */
  readonly done: number;
  /** The highest place of an entry that is deleted here. */
  readonly forgotten: number;
}

/** The state of one row in a store. */
export interface Standing {
  readonly version: number;
  /**
   * Whether the row still holds the values that the bridge wrote last, so that nobody else has changed it.
   */
  readonly isAsWritten: boolean;
}

/** The result of a reconciliation of all rows. */
export interface ReconcileNote {
  readonly atMs: number;
  readonly ok: boolean;
  /** Whether no write was owed for any row that differed. */
  readonly complete: boolean;
  /** The number of the authority's last write when the reconciliation began. */
  readonly position: number;
  readonly breaks: number;
  readonly notComparable: number;
}

/** The calls of a store. Each is one transaction. */
export interface RecordCalls extends BackfillCalls, RepairCalls, AbandonCalls, LeavingCalls {
  fence(given: null): Fence;
  /** Writes the given writes that are not stored yet, each of them whole or not at all. */
  write(given: {
    readonly writes: readonly StoreWrite[];
    readonly epoch: number;
    readonly nowMs: number;
  }): readonly StoreAnswer[];
  /** Returns the oldest entries that the other store has not confirmed, without parked ones. */
  pending(given: { readonly limit: number }): readonly OutboxEntry[];
  /**
   * Applies entries of the other store in their order. An entry that was applied before is applied again
   * without effect. Refuses the whole call if a later holder of the lease has already called, or if the store
   * is legacy's and is authoritative itself (CONFLICT), or if an entry has the number of an earlier,
   * different write (REFUSED).
   */
  apply(given: {
    readonly entries: readonly MirrorWrite[];
    /** The incarnation of the store that the entries come from. */
    readonly source: string;
    readonly token: number;
  }): readonly MirrorAnswer[];
  /** Records the mirror's answers to entries: applied ones are done, refused ones are parked. */
  settle(given: {
    readonly answers: readonly { readonly seq: number; readonly answer: MirrorAnswer }[];
    readonly nowMs: number;
  }): null;
  owed(given: { readonly nowMs: number }): Owed;
  parked(given: { readonly limit: number }): readonly ParkedEntry[];
  /** Offers parked entries to the mirror again. Returns their number. */
  unpark(given: null): number;
  /** Returns the version of the write with this key; null if it is not stored. */
  known(given: { readonly idempotencyKey: string }): number | null;
  progress(given: null): Progress;
  /**
   * Returns the highest place that was given out, the highest number of an entry from one store, and the
   * highest token under which entries were applied; 0 if there is none.
   */
  applied(given: { readonly source: string }): {
    readonly place: number;
    readonly seq: number;
    readonly token: number;
  };
  /**
   * Forgets the entries of another store at places below `below`, because that store cannot offer them again.
   */
  prune(given: { readonly source: string; readonly below: number }): null;
  /**
   * Offers the entries that the mirror has lost again: done entries at places after `after`. Refuses if such
   * entries were deleted. Returns their number.
   */
  resend(given: { readonly after: number }): number;
  /** Deletes done entries that were settled before a time. Returns their number. */
  forget(given: { readonly beforeMs: number }): number;
  /**
   * Takes or renews a lease. `deadHolder` is a holder whose process has certainly ended. A token below
   * `mirrorToken`, which the mirror has seen, is raised above it: the tokens of a store that was restored
   * from an older copy begin again at an earlier number.
   */
  lease(given: {
    readonly name: string;
    readonly holder: string;
    readonly nowMs: number;
    readonly lastsMs: number;
    readonly deadHolder?: string;
    readonly mirrorToken?: number;
  }): LeaseAnswer;
  release(given: { readonly name: string; readonly holder: string }): null;
  /**
   * Returns the entries with a higher number than `seq`, whatever their state. In PostgreSQL an entry with a
   * lower number may appear later.
   */
  entriesAfter(given: { readonly seq: number; readonly limit: number }): readonly OutboxEntry[];
  /** Returns for each row its version, and whether it still holds the values that the bridge wrote last. */
  standings(given: {
    readonly rows: readonly Pick<RowWrite, "aggregate" | "change" | "claim">[];
  }): readonly Standing[];
  /**
   * Deletes a row, writes it, reads it back, and rolls everything back. Returns the reason if this fails,
   * otherwise null.
   */
  rehearse(given: { readonly row: PlacedRow }): string | null;
  /** Moves the fence if nobody has moved it since the caller read it. Returns whether it moved. */
  moveFence(given: {
    readonly from: Pick<Fence, "epoch" | "authority" | "step">;
    /** The incarnation stays the same if it is not given. */
    readonly to: Pick<Fence, "epoch" | "authority" | "step"> & Partial<Fence>;
  }): boolean;
  /** Stores the result of a reconciliation. It is called on modern's store only. */
  noteReconcile(given: ReconcileNote): null;
  /** Returns the latest result; null if there is none. */
  lastReconcile(given: null): ReconcileNote | null;
}

export type RecordCall = keyof RecordCalls;
export type Given<Name extends RecordCall> = Parameters<RecordCalls[Name]>[0];
export type Answer<Name extends RecordCall> = ReturnType<RecordCalls[Name]>;

/**
 * One database of the pair. A call that rejects may have committed, unless the error says otherwise. It is
 * safe to repeat it: its effect happens once. Rejects with BridgeErrors: DATABASE_BUSY (nothing is
 * committed), UNWRITABLE, SYSTEM_DOWN, BAD_DATABASE, and the refusals that the calls name.
 */
export interface RecordStore {
  readonly side: Side;
  call<Name extends RecordCall>(name: Name, given: Given<Name>): Promise<Answer<Name>>;
  close(): Promise<void>;
}

/** A store whose write lock is held: its calls run in one transaction, which `letGo` ends. */
export interface HeldStore extends RecordStore {
  /** Rejects with DATABASE_BUSY if the lock was held for too long; then nothing is committed. */
  letGo(how: "commit" | "rollback"): Promise<void>;
}
