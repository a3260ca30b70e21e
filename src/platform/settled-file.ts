/**
 * Follows a file that others write, and reports each state of it once that state has settled. A writer may leave the file
 * half-written in between, so a state counts only after it has stayed for a while. Events of the folder make the reports
 * quicker, but are not relied on: network drives send none, and editors put another file in the place of the old one.
 */
import { type FSWatcher, watch } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

interface FileFollowing<State> {
  /** Looks at the file. Must not fail: that it cannot be read is a state, too. */
  readonly look: () => Promise<State>;
  readonly isSame: (one: State, other: State) => boolean;
  /** For how long a state must have stayed. */
  readonly settleMs: (state: State) => number;
  /** Called once for each settled state. Must not throw. */
  readonly onSettled: (state: State) => void;
  /** The longest time between two looks. */
  readonly pollMs: number;
}

/** Ends when the function it returns is called; nothing is called after that. Holds no process open. */
export function followSettledFile<State>(path: string, following: FileFollowing<State>): () => void {
  const follower = new Follower(path, following);
  return () => follower.stop();
}

/** Changes whenever the file is replaced or written; empty where there is none. */
export async function stampOf(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? "" : `${found.ino} ${found.size} ${found.mtimeNs}`;
}

/** Events come in bursts: one look follows all of them. */
const eventMs = 10;
/** Time between two looks while a state settles. */
const settlingLookMs = 50;

class Follower<State> {
  readonly #path: string;
  readonly #following: FileFollowing<State>;
  readonly #watchers: FSWatcher[] = [];
  /** The state at the last look, settled or not. */
  #seen: { readonly state: State; readonly sinceMs: number } | undefined;
  #isSettled = false;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #isAskedAgain = false;
  #isSoon = false;
  #isStopped = false;

  constructor(path: string, following: FileFollowing<State>) {
    this.#path = path;
    this.#following = following;
    void this.#listen();
    void this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
  }

  /** Watches the folder of the file, and that of the file to which a link leads. What cannot be watched is polled. */
  async #listen(): Promise<void> {
    const real = await realpath(this.#path).catch(() => this.#path);
    const folder = await realpath(dirname(this.#path)).catch(() => dirname(this.#path));
    // Any part of a chain of links may be swapped, under any name.
    const isLink = real !== join(folder, basename(this.#path));
    for (const watched of new Set([folder, dirname(real)])) {
      if (this.#isStopped) return;
      try {
        const watcher = watch(watched, { persistent: false }, (_, name) => {
          if (isLink || name === null || name === basename(this.#path)) this.#lookSoon();
        });
        watcher.on("error", () => watcher.close());
        this.#watchers.push(watcher);
      } catch {}
    }
  }

  #lookSoon(): void {
    // A look under way may have read the state before the event.
    if (this.#isLooking) this.#isAskedAgain = true;
    else if (!this.#isSoon) {
      this.#isSoon = true;
      this.#lookAfter(eventMs);
    }
  }

  #lookAfter(waitMs: number): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), waitMs).unref();
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    this.#isSoon = false;
    const { look, pollMs } = this.#following;
    try {
      const state = await look();
      if (!this.#isStopped) this.#observe(state);
    } finally {
      this.#isLooking = false;
      const isSettling = this.#isAskedAgain || !this.#isSettled;
      this.#lookAfter(isSettling ? Math.min(pollMs, settlingLookMs) : pollMs);
      this.#isAskedAgain = false;
    }
  }

  #observe(state: State): void {
    const { isSame, settleMs, onSettled } = this.#following;
    const nowMs = performance.now();
    if (this.#seen === undefined || !isSame(state, this.#seen.state)) {
      this.#seen = { state, sinceMs: nowMs };
      this.#isSettled = false;
    }
    if (this.#isSettled || nowMs - this.#seen.sinceMs < settleMs(state)) return;
    this.#isSettled = true;
    onSettled(state);
  }
}
