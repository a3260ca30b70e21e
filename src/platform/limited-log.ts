import { plain } from "../base/plain-text.ts";

interface LogLimits {
  /** Limit of forwarded lines per second; further lines are counted, and reported in the next second. */
  readonly linesPerSecondMax: number;
  readonly lineLengthMax: number;
}

/**
 * Forwards the output of a foreign program safely: without control characters, cut at a length, and at a
 * limited rate. A flood only increases a counter. Never throws, even if the log does. `Source` names the
 * origin of a line.
 */
export class LimitedLog<Source> {
  readonly #log: (line: string, from: Source) => void;
  readonly #limits: LogLimits;
  /** The source of the reports about omitted output. */
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
    this.#forward(plain(line.length > lineLengthMax ? `${line.slice(0, lineLengthMax)}…` : line), from);
  }

  /** Counts bytes that were omitted before being split into lines. */
  leaveOut(bytes: number): void {
    this.#bytesLeftOut += bytes;
  }

  /** Whether further lines of this second are omitted. */
  isFull(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#windowFromMs >= 1000) {
      this.#windowFromMs = nowMs;
      this.#lines = 0;
      this.flush();
    }
    return this.#lines >= this.#limits.linesPerSecondMax;
  }

  /** Reports the omitted output. */
  flush(): void {
    if (this.#linesLeftOut === 0 && this.#bytesLeftOut === 0) return;
    const left = `${this.#linesLeftOut} lines and ${this.#bytesLeftOut} bytes more were left out`;
    this.#linesLeftOut = 0;
    this.#bytesLeftOut = 0;
    this.#forward(left, this.#ours);
  }

  #forward(line: string, from: Source): void {
    try {
      this.#log(line, from);
    } catch {
      // A failing log must not affect the caller.
    }
  }
}
