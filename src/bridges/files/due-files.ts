import type { Clock } from "../../ports/clock.ts";
import type { DueFile } from "../../ports/file-journal.ts";
import type { Turn } from "./tools.ts";

/** The files that must be read, each once: now, or after some time. */
export class DueFiles {
  readonly #clock: Clock;
  /** The files that may be read now, by their numbers. */
  readonly #ready = new Map<number, DueFile>();
  /**
   * The files of `#ready`, sorted so that the first in order is at the end; sorted again after a file was
   * added.
   */
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

  /** Sets the time of a file's next turn from the result of its last one. */
  settle(due: DueFile, turn: Turn): void {
    if (turn.next === "now") return;
    this.#ready.delete(due.file);
    if (turn.next === "later")
      this.#later.set(due.file, { due, atMs: this.#clock.monotonicMs() + turn.afterMs });
  }

  /** Returns the ready file that is first in order. */
  first(): DueFile | undefined {
    this.#sort();
    while (this.#sorted.length > 0) {
      const due = this.#sorted.at(-1);
      if (due !== undefined && this.#ready.has(due.file)) return due;
      this.#sorted.pop();
    }
    return undefined;
  }

  /** Returns the ready file that is last in order. */
  newest(): DueFile | undefined {
    this.#sort();
    return this.#sorted.find(({ file }) => this.#ready.has(file));
  }

  /** Returns the time at which the next file is ready; infinite if there is no such file. */
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
