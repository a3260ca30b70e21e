import type { Clock } from "../../ports/clock.ts";
import type { Decision, FileJournal, KnownFile, PriceMark } from "../../ports/file-journal.ts";
import type { LedgerRefusal, LedgerRows, RefusedRow } from "../../ports/ledger-rows.ts";
import type { FileFinder } from "../../ports/watched-files.ts";

/** Reads a whole price file into marks. */
export interface PriceRows {
  read(
    name: string,
    bytes: Uint8Array,
  ):
    | { readonly marks: readonly PriceMark[]; readonly refused: readonly RefusedRow[] }
    | { readonly refusal: LedgerRefusal };
}

/** The parts that the file watcher uses. */
export interface FileTools {
  /** The paths of the watched folders, in the finder's order. */
  readonly roots: readonly string[];
  readonly finder: FileFinder;
  readonly journal: FileJournal;
  readonly ledgers: LedgerRows;
  readonly prices: PriceRows;
  readonly clock: Clock;
  /** Returns the digest of an earlier digest followed by some bytes. */
  readonly digest: (before: string, bytes: Uint8Array | string) => string;
  /** Returns the present trading day, in days since 1970. */
  readonly today: () => number;
  /** Returns the day in a file's name; undefined for a name without one. */
  readonly dayInName: (path: string) => number | undefined;
  readonly settleMs: number;
  readonly republished: "quarantine" | Decision;
}

/** The epoch under which this process watches. */
export interface Held {
  readonly epoch: number;
}

/**
 * The next step for a file after one turn: nothing until it changes, its next turn now, or a turn after some
 * time.
 */
export type Turn = { readonly next: "change" | "now" } | { readonly next: "later"; readonly afterMs: number };

export const change: Turn = { next: "change" };
export const now: Turn = { next: "now" };
export const later = (afterMs: number): Turn => ({ next: "later", afterMs });

/**
 * Measures for how long the present content of a file has been seen, by the monotonic clock of this process.
 */
export class Settling {
  readonly #clock: Clock;
  readonly #seen = new Map<number, { readonly content: string; readonly sinceMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns the milliseconds for which the file has had this content. */
  ageMs({ file }: Pick<KnownFile, "file">, content: string): number {
    const nowMs = this.#clock.monotonicMs();
    const seen = this.#seen.get(file);
    if (seen?.content === content) return nowMs - seen.sinceMs;
    this.#seen.set(file, { content, sinceMs: nowMs });
    return 0;
  }

  forget({ file }: Pick<KnownFile, "file">): void {
    this.#seen.delete(file);
  }
}
