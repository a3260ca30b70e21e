/**
 * Watches folders (never single files), and remembers the folders that events named. An event
 * only means "look at this folder": its name may be missing or belong to another file, and the operating
 * system may lose events without notice.
 */
import type { FSWatcher, Stats } from "node:fs";
import { basename } from "node:path";
import type { Disk } from "./read-slice.ts";

/** The number of events between two looks at which the queue of events may have overflowed. */
const burst = 1_000;
const hintMs = 10;
/** The largest share of the thread's time that looks which follow events may take. */
const shareOfLooks = 0.1;

interface Watch {
  readonly key: string;
  readonly watcher: FSWatcher;
}

interface FolderEventsOptions {
  readonly disk: Disk;
  /** Whether the name is that of a file that the finder reports. */
  readonly isWatched: (name: string) => boolean;
  /** Called soon after the first event since the last look whose name is watched or absent. */
  readonly onHint: () => void;
}

/**
 * Returns a text that identifies a folder. The inode is not enough, because a folder that replaces another
 * one may get the same inode.
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

  /**
   * Begins a look: returns the folders that events have named since the last look, and whether events may
   * have been lost.
   */
  take(): { readonly named: ReadonlySet<string>; readonly isBurst: boolean } {
    const taken = { named: this.#named, isBurst: this.#count >= burst };
    this.#named = new Set();
    this.#count = 0;
    clearTimeout(this.#hint);
    this.#hint = undefined;
    return taken;
  }

  /** Ends a look. A long look delays the next hint, so that events cannot keep the thread busy. */
  looked(tookMs: number): void {
    this.#lookMs = tookMs;
  }

  /**
   * Watches the folder. Watches it again if another folder now has its path. Throws the error of the
   * operating system.
   */
  arm(folder: string, key: string): void {
    if (this.#watches.get(folder)?.key === key) return;
    this.#disarm(folder);
    const watcher = this.#options.disk.watch(folder, { persistent: false }, (kind, name) => {
      // The event of a folder that is removed or renamed has the folder's own name; its watch sends nothing
      // after that.
      if (kind === "rename" && name === basename(folder)) this.#disarm(folder);
      this.#onEvent(folder, name);
    });
    watcher.on("error", () => this.#disarm(folder));
    this.#watches.set(folder, { key, watcher });
  }

  /** Ends the watches of folders for which `isWanted` is false. */
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
    // Without this condition a database that is written beside the ledgers would wake the caller all the
    // time.
    const wakes = name === null || this.#options.isWatched(name);
    if (!wakes || this.#hint !== undefined) return;
    this.#hint = setTimeout(this.#options.onHint, Math.max(hintMs, this.#lookMs / shareOfLooks));
    this.#hint.unref();
  }
}
