/**
 * Finds the files of the roots by synchronous scans, in the thread of finder-thread.ts. Only scans decide
 * which files exist; events only name folders that must be examined.
 *
 * Each look walks through the folders. It lists a folder that is new, changed or named by an event, and takes
 * the stats of its files; in other folders it takes the stats of recent files. For all other files it keeps
 * the results of the last look. A look at everything lists all folders and takes all stats. The results of a
 * look take effect at its end, if the root still has the identity that it had at the start: a share that is
 * lost in the middle of a look changes nothing.
 *
 * A file belongs to the first root that contains its real path, and is reported under the alphabetically
 * first of its paths there. So a root inside an earlier one is empty, and a link to a file that is also
 * reported directly adds nothing.
 */
import type { Stats } from "node:fs";
import { basename, dirname, sep } from "node:path";
import { codeOf, messageOf } from "../../base/errors.ts";
import { remoteFileSystems } from "../../platform/remote-file-systems.ts";
import type { FileFinder, FileSlice, FinderMode, RootLook, SeenFile } from "../../ports/watched-files.ts";
import { FolderEvents, folderKey } from "./folder-events.ts";
import { type Disk, readSlice } from "./read-slice.ts";
import { watchedNames } from "./watched-names.ts";

export interface ScanOptions {
  /** Absolute paths. */
  readonly roots: readonly string[];
  /** Patterns of file names, in which `*` matches any characters. */
  readonly include: readonly string[];
  /** `auto` uses events if the file system sends them. */
  readonly mode: "auto" | FinderMode;
}

export interface LookAnswer {
  /**
   * The number of the answer. With its next look the caller sends the number of the last answer that it
   * received.
   */
  readonly number: number;
  readonly looks: readonly RootLook[];
  readonly pollReasons: FileFinder["pollReasons"];
}

const recentMs = 600_000;
/** The coarsest clock of a file system ticks every two seconds. */
const tickMs = 2_000;
/** If a look takes longer than this, the queue of events may have overflowed. */
const stallMs = 100;

/** File systems that send no events, or only those of this machine's own programs. */
const silentFileSystems: ReadonlyMap<number, string> = new Map([
  ...remoteFileSystems,
  [0x01021997, "9P"],
  [0x65735546, "FUSE"],
  [0x786f4256, "VirtualBox"],
]);

type Stat = Pick<Stats, "size" | "mtimeMs" | "dev" | "ino">;

interface Known extends Stat {
  /** Monotonic time at which this stat was first seen; minus infinity for an old file of the first look. */
  readonly sinceMs: number;
  /**
   * Whether the file was reported once more, at least `tickMs` after this stat was first seen. It is reported
   * once more because a write within the same tick of the clock may leave the stat unchanged.
   */
  readonly isSettled: boolean;
}

interface Listing {
  /** The files whose names are watched. */
  readonly names: readonly string[];
  readonly others: readonly { readonly name: string; readonly isLink: boolean }[];
}

interface Folder {
  /** Relative to the root; empty, or with `/` at its end. */
  readonly path: string;
  readonly key: string;
  readonly mtimeMs: number;
  /** Monotonic time at which `mtimeMs` was first seen. */
  readonly sinceMs: number;
  readonly listing: Listing;
  /** The files by name, including links, without the files that are reported under another path. */
  readonly files: Map<string, Known>;
  /** The largest `sinceMs` of the files. */
  newestMs: number;
}

interface Root {
  readonly path: string;
  real: string;
  identity: string;
  /** The folders by their real paths. */
  folders: ReadonlyMap<string, Folder>;
  hasFileLinks: boolean;
  needsAll: boolean;
  pollReason: string | undefined;
  /** The changes that the caller has not received yet. */
  readonly changed: Map<string, SeenFile>;
  readonly gone: Set<string>;
}

/** The result of a walk through a root. */
interface Finding extends Pick<Root, "folders" | "hasFileLinks" | "pollReason" | "changed"> {
  readonly gone: readonly string[];
}

/** The part of a root that a look examines. */
interface Scope {
  readonly isAll: boolean;
  /** Real paths of the folders that events named. */
  readonly named: ReadonlySet<string>;
}

const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code });

const lost = (cause: unknown): { readonly code: string; readonly why: string } => ({
  code: codeOf(cause) || "INTERNAL",
  why: messageOf(cause),
});

export class FolderScan {
  readonly #options: ScanOptions;
  readonly #disk: Disk;
  readonly #isWatched: (name: string) => boolean;
  readonly #events: FolderEvents;
  readonly #roots: readonly Root[];
  #number = 0;
  #isStalled = false;

  /** `onHint` is called soon after an event. */
  constructor(options: ScanOptions, disk: Disk, onHint: () => void) {
    this.#options = options;
    this.#disk = disk;
    this.#isWatched = watchedNames(options.include);
    this.#events = new FolderEvents({ disk, isWatched: this.#isWatched, onHint });
    this.#roots = options.roots.map((path) => ({
      path,
      real: path,
      identity: "",
      folders: new Map(),
      hasFileLinks: false,
      needsAll: true,
      pollReason: undefined,
      changed: new Map(),
      gone: new Set(),
    }));
  }

  /**
   * Makes one look. `received` is the number of the last answer that the caller has; the changes of later
   * answers are reported again.
   */
  look(scope: "recent" | "all", received: number): LookAnswer {
    const startMs = performance.now();
    const { named, isBurst } = this.#events.take();
    const isAll = scope === "all" || isBurst || this.#isStalled;
    const looks = this.#roots.map((root): RootLook => {
      if (received === this.#number) {
        root.changed.clear();
        root.gone.clear();
      }
      try {
        this.#lookAt(root, { isAll, named });
        return {
          ok: true,
          identity: root.identity,
          changed: [...root.changed.values()],
          gone: [...root.gone],
        };
      } catch (cause) {
        root.needsAll = true;
        return { ok: false, ...lost(cause) };
      }
    });
    const tookMs = performance.now() - startMs;
    this.#events.looked(tookMs);
    // A look at everything may take long; a slow one does not cause another look at everything.
    this.#isStalled = !isAll && tookMs > stallMs;
    this.#number += 1;
    return { number: this.#number, looks, pollReasons: this.#roots.map((root) => root.pollReason) };
  }

  read(given: Parameters<FileFinder["read"]>[0]): FileSlice {
    const root = this.#roots[given.root];
    if (root === undefined || !this.#isWatched(basename(given.path)))
      return { kind: "refused", code: "NOT_WATCHED", why: `watch.include does not name ${given.path}` };
    const startMs = performance.now();
    try {
      // Without this check, a file on a lost share would count as removed.
      if (this.#identify(root).identity !== root.identity)
        throw failure("ROOT_CHANGED", `${root.path} is another folder than at the last look`);
      const isInside = (real: string): boolean => this.#ownerOf(real) !== undefined;
      return readSlice(this.#disk, `${root.real}/${given.path}`, { ...given, isInside });
    } catch (cause) {
      return { kind: "locked", ...lost(cause) };
    } finally {
      this.#isStalled ||= performance.now() - startMs > stallMs;
    }
  }

  /** Ends all watches. */
  close(): void {
    this.#events.take();
    this.#events.keep(() => false);
  }

  #lookAt(root: Root, { isAll, named }: Scope): void {
    const { real, identity } = this.#identify(root);
    if (identity !== root.identity || real !== root.real) {
      Object.assign(root, { real, identity, folders: new Map(), needsAll: true });
      root.changed.clear();
      root.gone.clear();
    }
    const { changed, gone, ...found } = this.#walk(root, { isAll: isAll || root.needsAll, named });
    if (this.#identify(root).identity !== identity)
      throw failure("ROOT_CHANGED", `${root.path} became another folder during the look`);
    Object.assign(root, { ...found, needsAll: false });
    this.#events.keep((folder) => this.#roots.some((one) => one.folders.has(folder)));
    for (const [path, file] of changed) {
      root.gone.delete(path);
      root.changed.set(path, file);
    }
    for (const path of gone) {
      root.changed.delete(path);
      root.gone.add(path);
    }
  }

  /**
   * Returns the real path of a root, and device and inode of its folder. No marker file is used, because the
   * root belongs to the desk and may be read-only for us, and a copy of the folder would have the same
   * marker.
   */
  #identify(root: Root): { readonly real: string; readonly identity: string } {
    const real = this.#disk.realpathSync.native(root.path);
    const stats = this.#disk.lstatSync(real, { bigint: true });
    if (!stats.isDirectory()) throw failure("ENOTDIR", `${root.path} is not a folder`);
    return { real, identity: `${stats.dev}:${stats.ino}` };
  }

  #ownerOf(real: string): Root | undefined {
    return this.#roots.find((root) => real === root.real || real.startsWith(root.real + sep));
  }

  #walk(root: Root, { isAll, named }: Scope): Finding {
    const nowMs = performance.now();
    // The time of a file may come from another clock. It only decides how often an old file is examined.
    const isFirst = root.folders.size === 0;
    const seenMs = (mtimeMs: number): number =>
      isFirst && Date.now() - mtimeMs > recentMs ? Number.NEGATIVE_INFINITY : nowMs;
    const before = new Map([...root.folders.values()].map((folder) => [folder.path, folder]));
    const folders = new Map<string, Folder>();
    const fileLinks: { readonly folder: Folder; readonly name: string; readonly real: string }[] = [];
    const changed = new Map<string, SeenFile>();
    let pollReason: string | undefined;

    const set = (folder: Folder, name: string, known: Known): void => {
      folder.files.set(name, known);
      folder.newestMs = Math.max(folder.newestMs, known.sinceMs);
    };
    const takeStat = (folder: Folder, name: string, real: string, old: Known | undefined): void => {
      const stats = this.#statOf(real);
      if (stats?.isFile() !== true) return;
      const { size, mtimeMs, dev, ino } = stats;
      const isSame = old?.size === size && old.mtimeMs === mtimeMs && old.dev === dev && old.ino === ino;
      const sinceMs = isSame ? old.sinceMs : seenMs(mtimeMs);
      const isSettled = nowMs - sinceMs >= tickMs;
      const isReported = !isSame || isSettled !== old.isSettled;
      set(folder, name, isReported ? { size, mtimeMs, dev, ino, sinceMs, isSettled } : old);
      if (!isReported) return;
      const path = folder.path + name;
      changed.set(path, { path, size, mtimeMs, place: `${dev}:${ino}` });
    };
    const visit = (real: string, path: string): void => {
      const stats = this.#statOf(real);
      if (stats?.isDirectory() !== true || folders.has(real) || this.#ownerOf(real) !== root) return;
      const key = folderKey(stats);
      const { mtimeMs } = stats;
      // The watch begins before the listing. So the listing has the earlier changes, and the watch announces
      // the later ones.
      pollReason ??= this.#arm(root, real, key);
      const given = before.get(path);
      const old = given?.key === key ? given : undefined;
      const sinceMs = old?.mtimeMs === mtimeMs ? old.sinceMs : seenMs(mtimeMs);
      const isListed = isAll || named.has(real) || nowMs - sinceMs < tickMs;
      const listing = isListed || old === undefined ? this.#list(real) : old.listing;
      // The cost of a look must not depend on the number of files in folders without changes.
      const isQuiet =
        !isListed && !root.hasFileLinks && old !== undefined && nowMs - old.newestMs >= recentMs;
      const newestMs = Number.NEGATIVE_INFINITY;
      const folder = isQuiet ? old : { path, key, mtimeMs, sinceMs, listing, files: new Map(), newestMs };
      folders.set(real, folder);
      for (const name of isQuiet ? [] : listing.names) {
        const known = old?.files.get(name);
        const isRecent = known === undefined || nowMs - known.sinceMs < recentMs;
        if (isListed || isRecent) takeStat(folder, name, real + sep + name, known ?? given?.files.get(name));
        else set(folder, name, known);
      }
      for (const { name, isLink } of listing.others) {
        const target = isLink ? this.#targetOf(real + sep + name) : real + sep + name;
        if (isLink && this.#statOf(target)?.isFile() === true) {
          if (this.#isWatched(name)) fileLinks.push({ folder, name, real: target });
        } else visit(target, `${path}${name}/`);
      }
    };
    visit(root.real, "");
    const hasFileLinks = fileLinks.length > 0;
    // A quiet folder keeps its file list from the last look, but a file link may have to remove a file from
    // such a list. So when a root gets its first file link, the walk starts again and lists every folder.
    if (hasFileLinks && !root.hasFileLinks && !isAll) return this.#walk(root, { isAll: true, named });

    const places = new Map<string, { readonly folder: Folder; readonly name: string }>();
    for (const link of fileLinks) {
      const { folder, name, real } = link;
      const owner = this.#ownerOf(real);
      const isOwned = this.#isWatched(basename(real));
      if (owner === undefined || (owner !== root && isOwned)) continue;
      const target = folders.get(dirname(real));
      const direct = target?.files.has(basename(real)) && { folder: target, name: basename(real) };
      const other = places.get(real) ?? direct;
      if (other) {
        const path = other.folder.path + other.name;
        if (path < folder.path + name) continue;
        changed.delete(path);
        other.folder.files.delete(other.name);
      }
      places.set(real, link);
      takeStat(folder, name, real, before.get(folder.path)?.files.get(name));
    }

    const after = new Map([...folders.values()].map((folder) => [folder.path, folder.files]));
    const gone: string[] = [];
    for (const [path, { files }] of before) {
      const now = after.get(path);
      if (now !== files) for (const name of files.keys()) if (now?.has(name) !== true) gone.push(path + name);
    }
    return { folders, hasFileLinks, changed, gone, pollReason };
  }

  /** Watches a folder. Returns the reason if it cannot be watched, otherwise undefined. */
  #arm(root: Root, real: string, key: string): string | undefined {
    const { mode } = this.#options;
    if (mode === "poll") return undefined;
    try {
      const silent = mode === "auto" && real === root.real ? this.#disk.statfsSync(real).type : 0;
      const type = silentFileSystems.get(silent);
      if (type !== undefined) return `a file system of type ${type} does not announce all changes`;
      this.#events.arm(real, key);
      return undefined;
    } catch (cause) {
      return `${real} cannot be watched: ${messageOf(cause)}`;
    }
  }

  #statOf(real: string): Stats | undefined {
    return this.#disk.lstatSync(real, { throwIfNoEntry: false });
  }

  /** Returns the real path of a link; the link's own path if this process cannot see its target. */
  #targetOf(link: string): string {
    try {
      return this.#disk.realpathSync.native(link);
    } catch (cause) {
      if (["ENOENT", "ENOTDIR", "ELOOP", "EACCES"].includes(codeOf(cause))) return link;
      throw cause;
    }
  }

  #list(real: string): Listing {
    const names: string[] = [];
    const others: Listing["others"][number][] = [];
    for (const entry of this.#disk.readdirSync(real, { withFileTypes: true }))
      if (entry.isFile()) {
        if (this.#isWatched(entry.name)) names.push(entry.name);
      } else if (entry.isDirectory() || entry.isSymbolicLink())
        others.push({ name: entry.name, isLink: entry.isSymbolicLink() });
    return { names, others };
  }
}
