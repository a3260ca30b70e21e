import { BoundedLines } from "../../platform/bounded-lines.ts";
import { LimitedLog } from "../../platform/limited-log.ts";

const lineLengthMax = 2_000;
const lineBytesMax = 4 * lineLengthMax;

/**
 * Turns the output of a module into log lines, limited in number and length, so that a module that prints
 * without end does not fill the program's memory.
 */
export class PrintedLines {
  readonly #log: LimitedLog<undefined>;
  readonly #lines: BoundedLines;

  constructor(emit: (line: string) => void) {
    this.#log = new LimitedLog(emit, undefined, { linesPerSecondMax: 1_000, lineLengthMax });
    const line = (text: Buffer): void => this.line(text.toString());
    const limits = { bytesMax: lineBytesMax, pieceBytes: lineBytesMax };
    this.#lines = new BoundedLines({ ...limits, onLine: line, onTooLong: line, onTooLongEnd: () => {} });
  }

  /** Replaces a stream's `write`. */
  readonly write = (chunk: string | Uint8Array, encoding?: unknown, written?: unknown): boolean => {
    this.#lines.push(Buffer.from(chunk));
    const done = typeof encoding === "function" ? encoding : written;
    if (typeof done === "function") process.nextTick(done);
    return true;
  };

  line(text: string): void {
    this.#log.write(text, undefined);
  }
}
