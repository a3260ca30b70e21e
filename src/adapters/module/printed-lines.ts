import { plain } from "../../base/plain-text.ts";

const lineLengthMax = 2_000;
const linesPerSecondMax = 1_000;

/**
 * What a module prints, as lines for a log: cut at a length, without control characters, and so many a second, beyond which they
 * are counted and left out: a module that prints without end must not fill the program's memory with messages.
 */
export class PrintedLines {
  readonly #emit: (line: string) => void;
  readonly #nowMs: () => number;
  #rest = "";
  #second = Number.NEGATIVE_INFINITY;
  #count = 0;
  #leftOut = 0;

  constructor(emit: (line: string) => void, nowMs: () => number) {
    this.#emit = emit;
    this.#nowMs = nowMs;
  }

  /** Stands in for a stream's `write`. */
  readonly write = (chunk: string | Uint8Array, encoding?: unknown, written?: unknown): boolean => {
    const text = typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    const lines = text.split("\n");
    const last = lines.pop() as string;
    for (const line of lines) {
      this.line(this.#rest + line);
      this.#rest = "";
    }
    this.#rest = (this.#rest + last).slice(0, lineLengthMax + 1);
    const done = typeof encoding === "function" ? encoding : written;
    if (typeof done === "function") process.nextTick(done as () => void);
    return true;
  };

  line(text: string): void {
    const second = Math.floor(this.#nowMs() / 1_000);
    if (second !== this.#second) {
      if (this.#leftOut > 0) this.#emit(`(${this.#leftOut} more lines)`);
      this.#second = second;
      this.#count = 0;
      this.#leftOut = 0;
    }
    this.#count += 1;
    if (this.#count > linesPerSecondMax) this.#leftOut += 1;
    else this.#emit(plain(text.length > lineLengthMax ? `${text.slice(0, lineLengthMax)}…` : text));
  }
}
