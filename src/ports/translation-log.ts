/** A translation with a note, recorded for later inspection by a person. */
export interface NotedTranslation {
  readonly symbol: string;
  /** The requested dialect, or `auto`. */
  readonly source: string;
  /** The dialect in which the symbol was read. */
  readonly dialect: string;
  /** The canonical name of the instrument. */
  readonly instrument: string;
  readonly notes: readonly { readonly code: string; readonly why: string }[];
  /** The as-of day of the reading, YYYY-MM-DD. */
  readonly asOf: string;
  /** Version and hash of the symbol tables in use. */
  readonly tables: string;
}

/**
 * Records translations with notes. A log that fails or is full reports that itself and must not stop a
 * translation.
 */
export interface TranslationLog {
  record(translation: NotedTranslation): void;
}
