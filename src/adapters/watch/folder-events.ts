/**
 * Watches folders, one watch for each and none for a file, and remembers which folders events named. An event
 * only means "look at this folder": its name may be missing or that of another file, and the operating system
 * loses events without a sign.
 */
import type { FSWatcher, Stats } from "node:fs";
import { basename } from "node:path";
import type { Disk } from "./read-slice.ts";

/** With so many events at once, the queue of events may have overflowed. */
const burst = 1_000;
const hintMs = 10;
/** The largest share of the thread's time that looks after events take. */
const shareOfLooks = 0.1;

interface Watch {
  readonly key: string;
  readonly watcher: FSWatcher;
}

interface FolderEventsOptions {
  readonly disk: Disk;
  /** Whether the name is that of a file that the finder reports. */
  readonly isWatched: (name: string) => boolean;
  /** Called soon after the first event since the last look. */
  readonly onHint: () => void;
}

/**
 * What is known of a folder's identity. Inodes are used again, also for a folder made in the place of
 * another.
 */
export const folderKey = ({ dev, ino, birthtimeMs }: Stats): string => `${dev}:${ino}:${birthtimeMs}`;

export class FolderEvents {
  readonly #options: FolderEventsOptions;
  readonly #watches = new Map<string, Watch>();
  #named = new Set<string>();
  #count = 0;
  #hint: NodeJS.Timeout | undefined;
  #lookMs = 0;

  constructor(options: FolderEventsOptions) {
    this.#options = options;
  }

  /** Begins a look: returns the folders named since the last one, and whether events may have been lost. */
  take(): { readonly named: ReadonlySet<string>; readonly isBurst: boolean } {
    const taken = { named: this.#named, isBurst: this.#count >= burst };
    this.#named = new Set();
    this.#count = 0;
    clearTimeout(this.#hint);
    this.#hint = undefined;
    return taken;
  }

  /** Ends a look. A long one makes the next hint wait, so that events cannot keep the thread busy. */
  looked(tookMs: number): void {
    this.#lookMs = tookMs;
  }

  /** Watches the folder, again if another one has its path. Throws the error of the operating system. */
  arm(folder: string, key: string): void {
    if (this.#watches.get(folder)?.key === key) return;
    this.#disarm(folder);
    const watcher = this.#options.disk.watch(folder, { persistent: false }, (kind, name) => {
      // A folder that is removed or renamed names itself; nothing comes from its watch after that.
      if (kind === "rename" && name === basename(folder)) this.#disarm(folder);
      this.#onEvent(folder, name);
    });
    watcher.on("error", () => this.#disarm(folder));
    this.#watches.set(folder, { key, watcher });
  }

  /** Ends the watches of folders that are not wanted any more. */
  keep(isWanted: (folder: string) => boolean): void {
    for (const folder of this.#watches.keys()) if (!isWanted(folder)) this.#disarm(folder);
  }

  #disarm(folder: string): void {
    this.#watches.get(folder)?.watcher.close();
    this.#watches.delete(folder);
  }

  #onEvent(folder: string, name: string | null): void {
    this.#named.add(folder);
    this.#count += 1;
    // A database that is written beside the ledgers would wake the caller all the time.
    const wakes = name === null || this.#options.isWatched(name);
    if (!wakes || this.#hint !== undefined) return;
    this.#hint = setTimeout(this.#options.onHint, Math.max(hintMs, this.#lookMs / shareOfLooks));
    this.#hint.unref();
  }
}
