import { plain } from "../../base/plain-text.ts";

/** Whose words a line is: the worker's stderr; what stood on its stdout and is no message; the bridge about the worker. */
export type LogSource = "stderr" | "stdout" | "bridge";
export type Log = (line: string, from: LogSource) => void;

export interface WorkerLogOptions {
  /** Lines a second that are handed on; the rest is counted, and told when there is room again. */
  readonly linesPerSecondMax: number;
  readonly lineLengthMax: number;
}

/** What a worker says, made harmless and bounded: a flood costs a counter. Never throws, whatever the log does. */
export class WorkerLog {
  readonly #log: Log;
  readonly #options: WorkerLogOptions;
  #windowFromMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #linesLeftOut = 0;
  #bytesLeftOut = 0;

  constructor(log: Log | undefined, options: WorkerLogOptions) {
    this.#log = log ?? (() => {});
    this.#options = options;
  }

  write(line: string, from: LogSource): void {
    if (this.isFull()) {
      this.#linesLeftOut += 1;
      return;
    }
    this.#lines += 1;
    const { lineLengthMax } = this.#options;
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
    return this.#lines >= this.#options.linesPerSecondMax;
  }

  /** Says what was left out. */
  flush(): void {
    if (this.#linesLeftOut === 0 && this.#bytesLeftOut === 0) return;
    const left = `${this.#linesLeftOut} lines and ${this.#bytesLeftOut} bytes more were left out`;
    this.#linesLeftOut = 0;
    this.#bytesLeftOut = 0;
    this.#hand(left, "bridge");
  }

  #hand(line: string, from: LogSource): void {
    try {
      this.#log(line, from);
    } catch {
      // The log's own affair.
    }
  }
}
