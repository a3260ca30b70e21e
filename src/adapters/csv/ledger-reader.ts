import { open } from "node:fs/promises";
import { BridgeError } from "../../base/errors.ts";
import type { NoteCode } from "../../domain/market/finding-codes.ts";
import type { TradingDayRule } from "../../domain/market/trading-day.ts";
import { type Describe, type Refusal, type TradeColumns, TradeIntake } from "../../engine/index.ts";
import type { Note, Quarantined } from "../../ports/ledger.ts";
import { startOfLedger } from "../../ports/ledger-rows.ts";
import { filesOf, namesOf, onceEach, regularFile, unreadable } from "./files.ts";
import { LedgerLines, type LineTaker, ledgerRank } from "./ledger-lines.ts";
import type { NotCsv } from "./not-csv.ts";
import { NoteLog } from "./note-log.ts";
import { lineBytesMax, RowFields } from "./row-fields.ts";

const chunkBytesDefault = 1 << 20;

export interface LedgerOptions {
  readonly dayRule: TradingDayRule;
  readonly describe: Describe;
  /** Ignores books, for a comparison with a system that does not know them. */
  readonly netBooks?: boolean;
  /** Counts a row again if an earlier file has it too, like a system that does not compare files. */
  readonly keepRepeated?: boolean;
  /**
   * The number of rows to read of a file, by its index. Further rows are ignored, as by a system that stopped
   * reading the file there.
   */
  readonly rowsTaken?: ReadonlyMap<number, number>;
  /** Called with each piece of a file that is read, in order. */
  readonly onBytes?: ((path: string, bytes: Uint8Array) => void) | undefined;
  /** Called after each chunk. */
  readonly onProgress?: (done: {
    readonly bytes: number;
    readonly bytesTotal: number;
    readonly rows: number;
  }) => void;
}

export interface LedgerInput {
  readonly trades: TradeColumns;
  /** The files' names in notes and quarantine, in reading order; `trades.file` is an index into it. */
  readonly files: readonly string[];
  readonly quarantine: readonly Quarantined[];
  readonly notes: readonly Note[];
  /** Number of data rows, without blank lines: accepted + duplicates + quarantined. */
  readonly rows: number;
  readonly accepted: number;
  /** Number of rows that repeat a row of an earlier file. */
  readonly duplicates: number;
  /** The trade that each duplicate repeats, as an index into `trades`. */
  readonly repeated: readonly number[];
  /** Numbers of trades, of rows and of repeated rows after each file. */
  readonly ends: readonly { readonly trades: number; readonly rows: number; readonly repeated: number }[];
  /** Maps each later symbol of an instrument to its first one, which all trades of the instrument carry. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Whether any trade has a book. */
  readonly books: boolean;
  readonly quarantined: number;
}

/**
 * Reads ledger files into trade columns, streaming, of any size, with about 45 bytes of memory per trade.
 * Each bad row goes to quarantine, with file, line, code and text, and reading continues. Throws BridgeError
 * if a file as a whole cannot be read. Equal rows within a file are separate trades; a row that an earlier
 * file has too is the same trade (a multiset difference). `chunkBytes` is the size of a read; it does not
 * affect the result (tests read byte by byte).
 */
export async function readLedgers(
  paths: readonly string[],
  options: LedgerOptions,
  chunkBytes: number = chunkBytesDefault,
): Promise<LedgerInput> {
  const reader = new LedgerReader(paths, options, chunkBytes);
  const sizes = await Promise.all(paths.map(async (path) => (await regularFile(path)).size));
  await reader.read(sizes.reduce((a, b) => a + b, 0));
  return reader.result();
}

/**
 * Lists the ledger files of the given files and folders, each once, in reading order: day in the name, then
 * name, then path. A folder contributes the `trades_*.csv` directly inside it. Throws if it has none, or if a
 * path cannot be read.
 */
export async function findLedgers(given: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    given.map((path) => filesOf(path, { pattern: /^trades_.*\.csv$/i, shown: "trades_*.csv" })),
  );
  const paths = await onceEach(found.flat());
  return [...paths].sort((a, b) => (ledgerRank(a) < ledgerRank(b) ? -1 : 1));
}

class LedgerReader implements LineTaker {
  readonly #paths: readonly string[];
  readonly #options: LedgerOptions;
  readonly #chunkBytes: number;
  readonly #intake: TradeIntake;
  readonly #trades: TradeColumns;
  readonly #lines: LedgerLines;
  readonly #log = new NoteLog();
  readonly #files: readonly string[];
  readonly #ends: LedgerInput["ends"][number][] = [];
  #sawBook = false;
  /** The index of the file being read. */
  #file = 0;

  constructor(paths: readonly string[], options: LedgerOptions, chunkBytes: number) {
    this.#paths = paths;
    this.#options = options;
    this.#chunkBytes = chunkBytes;
    this.#files = namesOf(paths);
    const { describe, dayRule, netBooks = false, keepRepeated = false } = options;
    const placeOf = (trade: number): string =>
      `${this.#files[this.#trades.file[trade] as number]}:${this.#trades.line[trade]}`;
    this.#intake = new TradeIntake({
      describe,
      dayRule,
      netBooks,
      onNote: (code, why) => this.note(code, why),
      capacity: 1 << 14,
      // A single file has no earlier file to repeat, so its rows need not be remembered.
      ...(paths.length > 1 && !keepRepeated ? { placeOf } : {}),
    });
    this.#trades = this.#intake.trades;
    this.#lines = new LedgerLines({ trades: this.#trades, dayRule, joinsQuoted: true }, this);
  }

  async read(bytesTotal: number): Promise<void> {
    let bytesDone = 0;
    for (const [index, path] of this.#paths.entries()) {
      this.#file = index;
      this.#lines.open(path, index, startOfLedger);
      this.#lines.rowsLeft = this.#options.rowsTaken?.get(index) ?? Number.POSITIVE_INFINITY;
      await this.#readFile(path, (bytes) => {
        bytesDone += bytes;
        this.#options.onProgress?.({ bytes: bytesDone, bytesTotal, rows: this.#lines.rows });
      });
      this.#ends.push({
        trades: this.#trades.length,
        rows: this.#lines.rows,
        repeated: this.#intake.repeated.length,
      });
    }
  }

  result(): LedgerInput {
    return {
      trades: this.#trades,
      files: this.#files,
      quarantine: this.#log.quarantine,
      notes: this.#log.notes,
      rows: this.#lines.rows,
      accepted: this.#trades.length,
      duplicates: this.#intake.repeated.length,
      repeated: this.#intake.repeated,
      ends: this.#ends,
      aliases: this.#intake.aliases,
      books: this.#sawBook,
      quarantined: this.#log.quarantined,
    };
  }

  laneOf(symbol: string, book: string | undefined, day: number): number {
    this.#sawBook ||= book !== undefined;
    return this.#intake.laneOf(symbol, book, day);
  }

  take(wallUs: number): boolean {
    this.#intake.keep(wallUs);
    return true;
  }

  refuse([code, why]: Refusal, bytes: Uint8Array, from: number, to: number): boolean {
    const text = RowFields.excerpt(bytes, from, to);
    this.#log.refuse({ file: this.#files[this.#file] as string, line: this.#lines.line, code, text, why });
    return true;
  }

  note(code: NoteCode, why: string): void {
    this.#log.note(this.#files[this.#file] as string, this.#lines.line, code, why);
  }

  refuseFile({ what, fix }: NotCsv): never {
    throw new BridgeError("BAD_LEDGER", { what, where: `${this.#paths[this.#file]}:1`, fix });
  }

  async #readFile(path: string, onBytes: (bytes: number) => void): Promise<void> {
    const file = await open(path).catch((cause) => {
      throw unreadable(path, cause);
    });
    try {
      const chunkBytes = this.#chunkBytes;
      const buffer = Buffer.allocUnsafe(chunkBytes + lineBytesMax);
      let leftover = 0;
      for (let last = false; !last; ) {
        const { bytesRead } = await file.read(buffer, leftover, chunkBytes).catch((cause) => {
          throw unreadable(path, cause);
        });
        last = bytesRead === 0;
        const until = leftover + bytesRead;
        this.#options.onBytes?.(path, buffer.subarray(leftover, until));
        // Bytes after `until` belong to an earlier read.
        const from = this.#lines.read(buffer.subarray(0, until), last);
        onBytes(bytesRead);
        leftover = until - from;
        if (from > 0) buffer.copyWithin(0, from, until);
      }
    } finally {
      await file.close();
    }
  }
}
