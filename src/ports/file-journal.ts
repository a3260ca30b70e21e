import type { LedgerPlace, LedgerRefusal, LedgerTrade, RefusedRow } from "./ledger-rows.ts";
import type { FileStat, SeenFile } from "./watched-files.ts";

export type FileKind = "ledger" | "prices";

export type FileState = "applied" | "growing" | "waiting" | "empty" | "refused" | "republished" | "gone";

/** The bytes before an offset, as one digest: that of the bytes before the last checkpoint, and of the rest. */
export interface Chain {
  readonly offset: number;
  readonly digest: string;
}

/** A last row that no newline ends. It counts until later bytes change it. */
interface RevocableRow {
  readonly line: number;
  /** Its bytes begin at the file's place. */
  readonly digest: string;
}

/** A file as the journal knows it. */
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
  /** Rows that were read, good and refused ones. */
  readonly rows: number;
  /** Whether bytes were appended since the whole applied part was last compared. */
  readonly isUnverified: boolean;
  readonly revocable: RevocableRow | null;
  /** Null after a look that did not finish. */
  readonly stat: FileStat | null;
  /** The open review of the file's re-publication. */
  readonly review: {
    readonly id: number;
    readonly digest: string;
    readonly decision: Decision | null;
  } | null;
}

/** A file that is to be read. */
export interface DueFile {
  readonly file: number;
  readonly kind: FileKind;
  /**
   * Orders the files of all roots as `replay` reads them; compares as text by code unit. Begins with the day in
   * the file's name, in days since 1970 with eight digits.
   */
  readonly rank: string;
}

export type Decision = "apply" | "ignore";

type ReviewKind = "republished" | "similar_row" | "root";

/** Something that a person decides. */
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

/** What the rows of one piece of a file change. */
export interface Claim {
  readonly claim: number;
  readonly root: string;
  readonly path: string;
  readonly added: readonly AcceptedTrade[];
  readonly removed: readonly AcceptedTrade[];
  /** Trades that count for another file or line now. */
  readonly moved: readonly AcceptedTrade[];
  /** A price is null if none counts any more. */
  readonly marks: readonly (Omit<PriceMark, "price"> & {
    readonly price: string | null;
    readonly source: string;
  })[];
  /** The records as they were first sent, JSON; null before that. */
  readonly payload: string | null;
  readonly atMs: number;
}

/** What a piece adds to a ledger. */
export interface TakenPiece {
  readonly file: number;
  /** The place and chain that the piece continues; another one is a CONFLICT. */
  readonly after: Chain;
  readonly place: LedgerPlace;
  readonly chain: Chain;
  /** The last checkpoint, if the piece sets one. */
  readonly checkpoint?: Chain;
  readonly trades: readonly (LedgerTrade & { readonly digest: string })[];
  readonly refused: readonly RefusedRow[];
  readonly revocable: RevocableRow | null;
  readonly note: FileNote;
  readonly stat: FileStat | null;
}

/** A ledger's new content, whole, after its applied part changed. */
export interface Republication extends Omit<TakenPiece, "after"> {
  /** Identifies the content. */
  readonly digest: string;
  readonly checkpoints: readonly Chain[];
  readonly policy: "quarantine" | Decision;
}

interface SinkState {
  /** The last claim that the sink has. */
  readonly claim: number;
  readonly failures: number;
  readonly why: string;
}

/** An accepted trade that no store takes. */
export interface RefusedTrade {
  readonly digest: string;
  readonly timeUs: number;
  readonly code: string;
  readonly why: string;
}

/** What `watch status` shows of a file. */
export interface FileReport extends FileNote {
  readonly root: string;
  readonly path: string;
  readonly sinceMs: number;
  readonly rowsApplied: number;
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
    /** Trades that count and whose claims the sink has; and of these, those that the other store has too. */
    readonly rows: number;
    readonly mirrored: number;
    /** The time of the oldest claim that it lacks; null if it has all. */
    readonly oldestMs: number | null;
  })[];
  readonly files: readonly FileReport[];
  readonly holder: { readonly holder: string; readonly untilMs: number } | null;
}

/** What metrics show of the journal. */
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
  /** A higher epoch each time another holder takes the lease. */
  lease(
    given: LeaseGiven,
  ): { readonly epoch: number } | { readonly holder: string; readonly untilMs: number };
  release(given: { readonly holder: string }): null;
  /** Names this journal: a new file has another name. */
  incarnation(given: null): string;
  /**
   * Notes how a root stands. Answers whether its files may be applied: its identity is the known one, or it has
   * every file that the journal knows, none of them shorter. So a share may get another device number.
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
  /** Adds new files, and answers those that differ from what the journal has; with `all`, all of them. */
  seen(given: {
    readonly epoch: number;
    readonly root: string;
    readonly kind: FileKind;
    readonly all: boolean;
    readonly files: readonly (FileStat & { readonly path: string; readonly rank: string })[];
    readonly nowMs: number;
  }): readonly DueFile[];
  /** Notes that files are not there: those of `paths`, or all but those of `allBut`. */
  gone(
    given: { readonly epoch: number; readonly root: string; readonly nowMs: number } & (
      | { readonly paths: readonly string[] }
      | { readonly allBut: readonly string[] }
    ),
  ): null;
  known(given: { readonly file: number }): KnownFile;
  /** Files that must be looked at although their stat is unchanged: a person has decided, or, with `all`, they wait. */
  waiting(given: { readonly all: boolean }): readonly DueFile[];
  checkpoints(given: { readonly file: number }): readonly Chain[];
  note(given: {
    readonly epoch: number;
    readonly file: number;
    readonly note: FileNote;
    /** Also the stat: the look is finished. */
    readonly stat: FileStat | null;
    /** Closes the review of the re-publication: the file is again what was applied. */
    readonly closesReview?: boolean;
    readonly nowMs: number;
  }): null;
  /** Notes that the whole applied part was compared with the file. */
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
  /** The oldest claims that a sink lacks. */
  claims(given: { readonly sink: string; readonly limit: number }): readonly Claim[];
  /** Keeps the records of a claim as they are sent first, so that they are the same each time. */
  prepare(given: { readonly epoch: number; readonly claim: number; readonly payload: string }): null;
  /** Notes that a sink has a claim, or why it does not take it now. */
  receipt(given: {
    readonly epoch: number;
    readonly sink: string;
    readonly claim: number;
    readonly failure?: string;
    /** Forgets the records that `prepare` kept. */
    readonly forgets?: boolean;
  }): null;
  sink(given: { readonly sink: string }): SinkState;
  /** Refuses accepted rows that no store takes, each with its reason; they count no longer. */
  refuse(given: {
    readonly epoch: number;
    readonly claim: number;
    readonly rows: readonly RefusedTrade[];
    readonly nowMs: number;
  }): null;
  /** The accepted trades of a lane that came before a claim. */
  lane(given: {
    readonly book: string;
    readonly instrument: string;
    readonly before: number;
  }): readonly AcceptedTrade[];
  /** The books that have accepted trades in an instrument. */
  books(given: { readonly instrument: string; readonly before: number }): readonly string[];
  /** The marks of an instrument that came before a claim. */
  marks(given: { readonly name: string; readonly before: number }): readonly PriceMark[];
  reviews(given: null): readonly Review[];
  /**
   * What became of a review: it is open, its decision is `done`, or it is `stale`, since the content that it
   * was made from is gone. Null if there is no such review.
   */
  outcome(given: { readonly review: number }): "open" | "done" | "stale" | null;
  /** Refuses an unknown or closed review with REFUSED. */
  decide(given: { readonly review: number; readonly decision: Decision; readonly nowMs: number }): null;
  quarantine(given: { readonly limit: number }): readonly QuarantinedRow[];
  /** `owed` writes of the newest claims have not reached the other store. With `only`, one file is listed. */
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
