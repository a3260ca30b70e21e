/**
 * Follows a file that others write and reports each settled state once. A writer may leave the file
 * half-written for a moment, so a state counts only after it has been stable for a while. Events of the
 * folder speed up the reports but are not required: network drives send none, and editors replace the file.
 */
import { type FSWatcher, watch } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

interface FileFollowing<State> {
  /** Reads the state of the file. Must not fail: an unreadable file is a state too. */
  readonly look: () => Promise<State>;
  readonly isSame: (one: State, other: State) => boolean;
  /** How long a state must be stable before it is settled. */
  readonly settleMs: (state: State) => number;
  /** Called once for each settled state. Must not throw. */
  readonly onSettled: (state: State) => void;
  /** The longest time between two looks. */
  readonly pollMs: number;
}

/**
 * Follows the file until the returned function is called; no callback runs after that. Does not keep the
 * process alive.
 */
export function followSettledFile<State>(path: string, following: FileFollowing<State>): () => void {
  const follower = new Follower(path, following);
  return () => follower.stop();
}

/** A text that changes whenever the file is replaced or written; empty if the file does not exist. */
export async function stampOf(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? "" : `${found.ino} ${found.size} ${found.mtimeNs}`;
}

/** The wait after an event. Events come in bursts, and one look covers a burst. */
const eventMs = 10;
/** The time between two looks while a state settles. */
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

  /**
   * Watches the folder of the file and, for a link, the folder of its target. Unwatchable folders are only
   * polled.
   */
  async #listen(): Promise<void> {
    const real = await realpath(this.#path).catch(() => this.#path);
    const folder = await realpath(dirname(this.#path)).catch(() => dirname(this.#path));
    // Any link of a chain may be replaced, so events of all names count.
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
    // A running look may have read the state before the event.
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
