import type { Clock } from "../../ports/clock.ts";
import type { DueFile } from "../../ports/file-journal.ts";
import type { Turn } from "./tools.ts";

/** The files that are to be read, each once: at once, or when some time has passed. */
export class DueFiles {
  readonly #clock: Clock;
  /** By file. */
  readonly #ready = new Map<number, DueFile>();
  /** Those of `#ready`, the first in order at the end; rebuilt when it is empty or a file was added. */
  #sorted: DueFile[] = [];
  #isSorted = true;
  readonly #later = new Map<number, { readonly due: DueFile; readonly atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(files: readonly DueFile[]): void {
    for (const due of files) {
      this.#later.delete(due.file);
      if (!this.#ready.has(due.file)) this.#isSorted = false;
      this.#ready.set(due.file, due);
    }
  }

  /** Decides from the result of a file's turn when its next turn comes. */
  settle(due: DueFile, turn: Turn): void {
    if (turn.next === "now") return;
    this.#ready.delete(due.file);
    if (turn.next === "later")
      this.#later.set(due.file, { due, atMs: this.#clock.monotonicMs() + turn.afterMs });
  }

  /** The ready file that is first in order. */
  first(): DueFile | undefined {
    this.#sort();
    while (this.#sorted.length > 0) {
      const due = this.#sorted.at(-1);
      if (due !== undefined && this.#ready.has(due.file)) return due;
      this.#sorted.pop();
    }
    return undefined;
  }

  /** The ready file that is last in order. */
  newest(): DueFile | undefined {
    this.#sort();
    return this.#sorted.find(({ file }) => this.#ready.has(file));
  }

  /** When the next file is ready; infinite if none will be. */
  nextMs(): number {
    if (this.#ready.size > 0) return this.#clock.monotonicMs();
    let next = Number.POSITIVE_INFINITY;
    for (const { atMs } of this.#later.values()) next = Math.min(next, atMs);
    return next;
  }

  #sort(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const { due, atMs } of this.#later.values()) if (atMs <= nowMs) this.add([due]);
    if (this.#isSorted) return;
    this.#isSorted = true;
    this.#sorted = [...this.#ready.values()].sort((a, b) => (a.rank < b.rank ? 1 : a.rank > b.rank ? -1 : 0));
  }
}
