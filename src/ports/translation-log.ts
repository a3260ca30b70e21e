/** A translation that carried a note, as a person may want to look it up later. */
export interface NotedTranslation {
  readonly symbol: string;
  /** The dialect that was asked for, or `auto`. */
  readonly source: string;
  /** The dialect that it was read as. */
  readonly dialect: string;
  /** Canonical name. */
  readonly instrument: string;
  readonly notes: readonly { readonly code: string; readonly why: string }[];
  /** The day by which it was read, YYYY-MM-DD. */
  readonly asOf: string;
  /** Version and hash of the tables it was read by. */
  readonly tables: string;
}

/** Where noted translations are written down. A log that fails or is full must not stop a translation: it says so itself. */
export interface TranslationLog {
  record(translation: NotedTranslation): void;
}
