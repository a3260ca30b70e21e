import type { LedgerPlace, LedgerRefusal, LedgerTrade, RefusedRow } from "./ledger-rows.ts";
import type { FileStat, SeenFile } from "./watched-files.ts";

export type FileKind = "ledger" | "prices";

export type FileState = "applied" | "growing" | "waiting" | "empty" | "refused" | "republished" | "gone";

/**
 * Identifies the bytes before an offset by one digest, which covers the digest of the bytes before the last
 * checkpoint and the bytes after it.
 */
export interface Chain {
  readonly offset: number;
  readonly digest: string;
}

/** A last row without newline. It counts until later bytes change it. */
interface RevocableRow {
  readonly line: number;
  /** The digest of its bytes, which begin at the file's `place`. */
  readonly digest: string;
}

/** The state of a file in the journal. */
export interface KnownFile {
  readonly file: number;
  readonly root: string;
  readonly path: string;
  readonly kind: FileKind;
  readonly state: FileState;
  readonly place: LedgerPlace;
  /** The bytes before `place.offset`, from the last checkpoint on. */
  readonly chain: Chain;
  readonly checkpoint: Chain;
  /** The number of rows that were read, refused ones included. */
  readonly rows: number;
  /** Whether bytes were appended since the whole applied part was last compared. */
  readonly isUnverified: boolean;
  readonly revocable: RevocableRow | null;
  /**
   * The stat with which the file was last read; null if the file must be read again although it has not
   * changed.
   */
  readonly stat: FileStat | null;
  /** The open review of the file's re-publication. */
  readonly review: {
    readonly id: number;
    readonly digest: string;
    readonly decision: Decision | null;
  } | null;
}

/** A file that must be read. */
export interface DueFile {
  readonly file: number;
  readonly path: string;
  readonly kind: FileKind;
  /** Orders the files of all roots as `replay` reads them; compares as text by code unit. */
  readonly rank: string;
}

export type Decision = "apply" | "ignore";

type ReviewKind = "republished" | "similar_row" | "root" | "legacy_rows";

/** A change of a file or root that a person must decide. */
export interface Review {
  readonly id: number;
  readonly kind: ReviewKind;
  readonly root: string;
  readonly path: string;
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  readonly sinceMs: number;
  readonly decision: Decision | null;
  /** The rows, at most 100. */
  readonly rows: readonly ReviewRow[];
}

export interface ReviewRow {
  readonly what: "added" | "removed" | "changed" | "similar";
  readonly line: number;
  readonly was?: Partial<LedgerTrade>;
  readonly is?: Partial<LedgerTrade>;
}

/** A state with its reason, as `watch status` shows it. */
export interface FileNote {
  readonly state: FileState;
  /** Begins with a code, as in `NUL_BYTES at byte 812`. Empty for a state that needs no reason. */
  readonly why: string;
  readonly refusal?: LedgerRefusal;
}

/** An accepted occurrence of a row. */
export interface AcceptedTrade {
  readonly trade: LedgerTrade;
  /** Identifies the content of the row. */
  readonly digest: string;
  readonly occurrence: number;
  /** The name of the file that the row counts for, without its folder. */
  readonly file: string;
  /** Orders trades of equal day and time: the files in the order of `replay`, then the lines. */
  readonly source: string;
}

export interface PriceMark {
  /** The canonical instrument, or the symbol if it has none. */
  readonly name: string;
  readonly symbol: string;
  readonly kind: string;
  /** The trading day, in days since 1970. */
  readonly day: number;
  /** Decimal text. */
  readonly price: string;
  readonly atUs: number;
  readonly line: number;
}

/** The changes that the rows of one piece of a file make. */
export interface Claim {
  readonly claim: number;
  readonly root: string;
  readonly path: string;
  readonly added: readonly AcceptedTrade[];
  readonly removed: readonly AcceptedTrade[];
  /** Trades that now count for another file or line, or with another fee. */
  readonly moved: readonly AcceptedTrade[];
  /** The trades of `moved` that have another fee. */
  readonly corrected: readonly AcceptedTrade[];
  /** A price is null if no price of the instrument and day counts any longer. */
  readonly marks: readonly (Omit<PriceMark, "price"> & {
    readonly price: string | null;
    readonly source: string;
  })[];
  /** The records that `prepare` has stored, as JSON; null if there are none. */
  readonly payload: string | null;
  readonly atMs: number;
}

/** The rows and the state that one piece of a file adds to a ledger. */
export interface TakenPiece {
  readonly file: number;
  /**
   * The place and chain that the piece continues. If the journal has another one, the call is refused with
   * CONFLICT.
   */
  readonly after: Chain;
  readonly place: LedgerPlace;
  readonly chain: Chain;
  /** The last checkpoint, if the piece sets one. */
  readonly checkpoint?: Chain;
  readonly trades: readonly LedgerTrade[];
  readonly refused: readonly RefusedRow[];
  readonly revocable: RevocableRow | null;
  readonly note: FileNote;
  readonly stat: FileStat | null;
}

/**
 * The whole new content of a ledger whose applied part has changed. Its revocable row is the one in the
 * journal if the file still ends with the bytes of that row. A content with the same rows in the same lines
 * needs no decision.
 */
interface Republication extends Omit<TakenPiece, "after"> {
  /** Identifies the content. */
  readonly digest: string;
  readonly checkpoints: readonly Chain[];
  readonly policy: "quarantine" | Decision;
}

interface SinkState {
  /** The last claim that the sink has received. */
  readonly claim: number;
  readonly failures: number;
  readonly why: string;
}

/** An accepted trade that the stores refuse. */
export interface RefusedTrade {
  readonly digest: string;
  readonly timeUs: number;
  readonly code: string;
  readonly why: string;
}

/** The state of a file, for `watch status`. */
export interface FileReport extends FileNote {
  readonly root: string;
  readonly path: string;
  readonly sinceMs: number;
  readonly rowsApplied: number;
  /** The number of rows that count for another file, which has them too. */
  readonly rowsElsewhere: number;
  readonly rowsRefused: number;
  readonly revocable: RevocableRow | null;
}

export interface JournalReport {
  readonly roots: readonly {
    readonly root: string;
    readonly mode: string;
    readonly ok: boolean;
    readonly sinceMs: number;
    readonly code: string;
    readonly why: string;
  }[];
  readonly sinks: readonly (SinkState & {
    readonly sink: string;
    /**
     * The number of trades that count and whose claims the sink has received; then the number of these that
     * the other store has too.
     */
    readonly rows: number;
    readonly mirrored: number;
    /** The time of the oldest claim that the sink lacks; null if it has all. */
    readonly oldestMs: number | null;
  })[];
  readonly files: readonly FileReport[];
  readonly holder: { readonly holder: string; readonly untilMs: number } | null;
}

/** The totals of the journal, for the metrics. */
export interface JournalTotals extends Pick<JournalReport, "sinks"> {
  readonly states: Readonly<Partial<Record<FileState, number>>>;
  readonly applied: number;
  readonly refused: number;
  readonly reviews: number;
  readonly lostRoots: number;
}

/** A row of the quarantine. */
interface QuarantinedRow extends Omit<RefusedRow, "code"> {
  readonly code: string;
  readonly root: string;
  readonly path: string;
}

interface LeaseGiven {
  readonly holder: string;
  readonly nowMs: number;
  readonly lastsMs: number;
  readonly deadHolder?: string;
}

/**
 * The calls of the file watcher's journal. Each is one transaction. Those with an `epoch` are refused with
 * CONFLICT after another process has taken the lease.
 */
export interface FileJournalCalls {
  /**
   * Takes or renews the lease. The epoch grows each time another holder takes it. A journal of another format
   * is first brought to the present one.
   */
  lease(
    given: LeaseGiven,
  ): { readonly epoch: number } | { readonly holder: string; readonly untilMs: number };
  release(given: { readonly holder: string }): null;
  /** Returns the name of this journal; a new journal file has another name. */
  incarnation(given: null): string;
  /**
   * Records the state of a root. Returns whether its files may be applied: its identity is the known one, or
   * it has every file that the journal knows, none of them shorter. So a share may get another device number.
   */
  root(given: {
    readonly epoch: number;
    readonly root: string;
    readonly mode: string;
    readonly look:
      | { readonly identity: string; readonly files: readonly Pick<SeenFile, "path" | "size">[] }
      | { readonly code: string; readonly why: string };
    readonly nowMs: number;
  }): boolean;
  /**
   * Adds new files, and returns those that differ from the journal's record; with `all`, it returns all of
   * them.
   */
  seen(given: {
    readonly epoch: number;
    readonly root: string;
    readonly kind: FileKind;
    readonly all: boolean;
    readonly files: readonly (FileStat & { readonly path: string; readonly rank: string })[];
    readonly nowMs: number;
  }): readonly DueFile[];
  /** Records that files are missing: those of `paths`, or all except those of `allBut`. */
  gone(
    given: { readonly epoch: number; readonly root: string; readonly nowMs: number } & (
      | { readonly paths: readonly string[] }
      | { readonly allBut: readonly string[] }
    ),
  ): null;
  known(given: { readonly file: number }): KnownFile;
  /**
   * Returns the files that must be read although their stat is unchanged, because a person has decided about
   * them; with `all`, also those that wait.
   */
  waiting(given: { readonly all: boolean }): readonly DueFile[];
  checkpoints(given: { readonly file: number }): readonly Chain[];
  note(given: {
    readonly epoch: number;
    readonly file: number;
    readonly note: FileNote;
    /** If it is null, the file must be read again although it has not changed. */
    readonly stat: FileStat | null;
    /** Closes the review of the re-publication, because the file has its applied content again. */
    readonly closesReview?: boolean;
    readonly nowMs: number;
  }): null;
  /** Records that the whole applied part was compared with the file. */
  verified(given: { readonly epoch: number; readonly file: number }): null;
  take(given: { readonly epoch: number; readonly nowMs: number } & TakenPiece): KnownFile;
  republish(given: { readonly epoch: number; readonly nowMs: number } & Republication): KnownFile;
  prices(given: {
    readonly epoch: number;
    readonly file: number;
    readonly digest: string;
    readonly marks: readonly PriceMark[];
    readonly refused: readonly RefusedRow[];
    readonly policy: "quarantine" | Decision;
    readonly note: FileNote;
    readonly stat: FileStat;
    readonly nowMs: number;
  }): KnownFile;
  /** Returns the oldest claims that a sink lacks. */
  claims(given: { readonly sink: string; readonly limit: number }): readonly Claim[];
  /**
   * Stores the records of a claim before they are sent for the first time, so that every later attempt sends
   * the same.
   */
  prepare(given: { readonly epoch: number; readonly claim: number; readonly payload: string }): null;
  /** Records that a sink has received a claim, or the reason why the sink does not accept it now. */
  receipt(given: {
    readonly epoch: number;
    readonly sink: string;
    readonly claim: number;
    readonly failure?: string;
    /** Deletes the records that `prepare` stored. */
    readonly forgets?: boolean;
    /**
     * The rows that a person must change in legacy, which stores rows by itself; they become a review
     * `legacy_rows`.
     */
    readonly legacyRows?: readonly ReviewRow[];
    readonly nowMs: number;
  }): null;
  sink(given: { readonly sink: string }): SinkState;
  /** Refuses accepted rows that the stores do not take, each with its reason; they no longer count. */
  refuse(given: {
    readonly epoch: number;
    readonly claim: number;
    readonly rows: readonly RefusedTrade[];
    readonly nowMs: number;
  }): null;
  /** Returns the accepted trades of a lane from before a claim. */
  lane(given: {
    readonly book: string;
    readonly instrument: string;
    readonly before: number;
  }): readonly AcceptedTrade[];
  /** Returns the books that have accepted trades in an instrument. */
  books(given: { readonly instrument: string; readonly before: number }): readonly string[];
  /** Returns the marks of an instrument from before a claim. */
  marks(given: { readonly name: string; readonly before: number }): readonly PriceMark[];
  reviews(given: null): readonly Review[];
  /**
   * Returns the state of a review: it is `open`; its decision is carried out (`done`); or it is `stale`,
   * because the content about which it asked is gone. Null if there is no such review.
   */
  outcome(given: { readonly review: number }): "open" | "done" | "stale" | null;
  /** Records a person's decision. Rejects with REFUSED if the review is unknown or closed. */
  decide(given: { readonly review: number; readonly decision: Decision; readonly nowMs: number }): null;
  quarantine(given: { readonly limit: number }): readonly QuarantinedRow[];
  /**
   * Returns the state of the roots, files, reviews and sinks. `owed` is the number of the newest claims whose
   * writes have not reached the other store. With `only`, one file is listed.
   */
  report(
    given: {
      readonly owed: number;
      readonly only?: { readonly root: string; readonly path: string };
    } | null,
  ): JournalReport;
  totals(given: { readonly owed: number }): JournalTotals;
}

export type FileJournalCall = keyof FileJournalCalls;

export interface FileJournal {
  call<Name extends FileJournalCall>(
    name: Name,
    given: Parameters<FileJournalCalls[Name]>[0],
  ): Promise<ReturnType<FileJournalCalls[Name]>>;
  close(): Promise<void>;
}
