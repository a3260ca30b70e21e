import { plain } from "../base/plain-text.ts";

interface LogLimits {
  /** Lines a second that are handed on; further ones are counted, and reported when there is room again. */
  readonly linesPerSecondMax: number;
  readonly lineLengthMax: number;
}

/**
 * What a foreign program prints, made harmless and bounded: without control characters, cut at a length, so many lines a second. A flood
 * costs a counter. Never throws, whatever the log does. `Source` tells whose words a line is.
 */
export class LimitedLog<Source> {
  readonly #log: (line: string, from: Source) => void;
  readonly #limits: LogLimits;
  /** The source of the report of what was left out. */
  readonly #ours: Source;
  #windowFromMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #linesLeftOut = 0;
  #bytesLeftOut = 0;

  constructor(log: (line: string, from: Source) => void, ours: Source, limits: LogLimits) {
    this.#log = log;
    this.#ours = ours;
    this.#limits = limits;
  }

  write(line: string, from: Source): void {
    if (this.isFull()) {
      this.#linesLeftOut += 1;
      return;
    }
    this.#lines += 1;
    const { lineLengthMax } = this.#limits;
    this.#hand(plain(line.length > lineLengthMax ? `${line.slice(0, lineLengthMax)}…` : line), from);
  }

  /** Bytes that were not even split into lines. */
  leaveOut(bytes: number): void {
    this.#bytesLeftOut += bytes;
  }

  /** Whether lines are left out at the moment. */
  isFull(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#windowFromMs >= 1000) {
      this.#windowFromMs = nowMs;
      this.#lines = 0;
      this.flush();
    }
    return this.#lines >= this.#limits.linesPerSecondMax;
  }

  /** Reports what was left out. */
  flush(): void {
    if (this.#linesLeftOut === 0 && this.#bytesLeftOut === 0) return;
    const left = `${this.#linesLeftOut} lines and ${this.#bytesLeftOut} bytes more were left out`;
    this.#linesLeftOut = 0;
    this.#bytesLeftOut = 0;
    this.#hand(left, this.#ours);
  }

  #hand(line: string, from: Source): void {
    try {
      this.#log(line, from);
    } catch {
      // The log's own affair.
    }
  }
}
