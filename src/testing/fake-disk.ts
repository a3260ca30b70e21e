/**
 * A disk in memory that a `FileFinder` looks at, for simulations. It has no clock and no randomness: the
 * caller supplies the time and causes the faults by methods. Like a real disk at its worst it gives the inode
 * of a removed file to the next new one, and it can have a coarse clock, old stats and pages that arrive
 * later. It has no events: each look sees every file, whatever its scope.
 */
import { BridgeError } from "../base/errors.ts";
import { fileName } from "../base/file-name.ts";
import type { FileFinder, FileSlice, FileStat, RootLook, SeenFile } from "../ports/watched-files.ts";

export interface FakeDiskOptions {
  readonly roots: number;
  /** Milliseconds since an arbitrary moment; never decreases. */
  readonly nowMs: () => number;
  readonly isWatched: (name: string) => boolean;
  /** Times of files are multiples of this. Default: 1. */
  readonly tickMs?: number;
  /** The milliseconds by which the disk's clock is ahead of ours. Default: 0. */
  readonly skewMs?: number;
  /** Whether names that differ by case only are one file. Default: no. */
  readonly foldsCase?: boolean;
}

interface FakeFile {
  path: string;
  bytes: Uint8Array;
  mtimeMs: number;
  readonly inode: number;
  /** The old stat that the next looks see, as on a network drive, and the number of these looks. */
  stale: { readonly stat: FileStat; looks: number } | undefined;
  /** The part of the file whose pages have not arrived, and the number of looks until they do. */
  missing: { readonly from: number; readonly to: number; readonly isCut: boolean; looks: number } | undefined;
  lockedBy: string | undefined;
}

interface FakeFolder {
  readonly identity: string;
  /** The files by path, in the form in which names are compared. */
  readonly files: Map<string, FakeFile>;
  readonly freeInodes: number[];
  inodes: number;
}

interface FakeRoot {
  /** The folders mounted at the root's path; the last one is visible, unless an error is set. */
  readonly mounted: FakeFolder[];
  error: string | undefined;
  /**
   * The identity of the last successful look, and the files that it reported; `sinceMs` is set until a file
   * is reported once more.
   */
  identity: string;
  readonly told: Map<string, { readonly stat: FileStat; sinceMs: number | undefined }>;
}

const tickMs = 2_000;

export class FakeDisk implements FileFinder {
  readonly modes: FileFinder["modes"];
  readonly pollReasons: FileFinder["pollReasons"];
  readonly #options: FakeDiskOptions;
  readonly #roots: readonly FakeRoot[];
  #folders = 0;
  #isClosed = false;

  constructor(options: FakeDiskOptions) {
    this.#options = options;
    this.#roots = Array.from({ length: options.roots }, () => ({
      mounted: [this.#newFolder()],
      error: undefined,
      identity: "",
      told: new Map(),
    }));
    this.modes = this.#roots.map(() => "poll");
    this.pollReasons = this.#roots.map(() => undefined);
  }

  /** Replaces the content in place; creates the file if it does not exist. */
  write(root: number, path: string, content: string | Uint8Array): void {
    const file = this.#find(root, path) ?? this.#create(root, path);
    file.bytes = bytesOf(content);
    const { nowMs, tickMs = 1, skewMs = 0 } = this.#options;
    file.mtimeMs = Math.floor((nowMs() + skewMs) / tickMs) * tickMs;
  }

  append(root: number, path: string, content: string | Uint8Array): void {
    const size = this.#find(root, path)?.bytes.length ?? 0;
    const added = bytesOf(content);
    const bytes = new Uint8Array(size + added.length);
    bytes.set(this.#find(root, path)?.bytes ?? []);
    bytes.set(added, size);
    this.write(root, path, bytes);
  }

  /** Cuts the file, or extends it with NUL bytes. */
  truncate(root: number, path: string, size: number): void {
    const kept = this.#get(root, path).bytes.subarray(0, size);
    this.write(
      root,
      path,
      Uint8Array.from({ length: size }, (_, at) => kept[at] ?? 0),
    );
  }

  /** Renames a file within a root; replaces a file that has the new name. */
  rename(root: number, from: string, to: string): void {
    const file = this.#get(root, from);
    this.#folder(root).files.delete(this.#key(from));
    if (this.#find(root, to) !== undefined) this.remove(root, to);
    file.path = to;
    this.#folder(root).files.set(this.#key(to), file);
  }

  remove(root: number, path: string): void {
    this.#folder(root).freeInodes.push(this.#get(root, path).inode);
    this.#folder(root).files.delete(this.#key(path));
  }

  /** Returns the content of all files by path, including the files that the finder does not report. */
  contents(root: number): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#folder(root).files.values()].map(({ path, bytes }) => [path, bytes]));
  }

  /** Makes the root unreadable until `restore`. */
  lose(root: number, code = "ENOENT"): void {
    this.#root(root).error = code;
  }

  /** Puts another, empty folder over the root; writers write there until `restore`. */
  mount(root: number): void {
    this.#root(root).mounted.push(this.#newFolder());
    this.#root(root).error = undefined;
  }

  /** Makes the original root readable again. */
  restore(root: number): void {
    this.#root(root).mounted.splice(1);
    this.#root(root).error = undefined;
  }

  /** Makes reads of the file answer `locked` with the code; undefined ends this. */
  lock(root: number, path: string, code: string | undefined): void {
    this.#get(root, path).lockedBy = code;
  }

  /** Makes the next looks see the file's present stat, whatever is written meanwhile. */
  holdStat(root: number, path: string, looks: number): void {
    const file = this.#get(root, path);
    file.stale = { stat: statOf(file), looks };
  }

  /**
   * Makes the bytes from `from` to the present end read as NUL for a number of looks. With `isCut`, reads end
   * at `from` instead, although the size is that of the whole file.
   */
  withhold(
    root: number,
    path: string,
    { from, looks, isCut = false }: { from: number; looks: number; isCut?: boolean },
  ): void {
    const file = this.#get(root, path);
    file.missing = { from, to: file.bytes.length, isCut, looks };
  }

  async look(): Promise<readonly RootLook[]> {
    if (this.#isClosed) throw closed();
    return this.#roots.map((root, index): RootLook => {
      if (root.error !== undefined)
        return { ok: false, code: root.error, why: `root ${index} cannot be read: ${root.error}` };
      const { identity, files } = this.#folder(index);
      if (identity !== root.identity) root.told.clear();
      root.identity = identity;
      const changed: SeenFile[] = [];
      const there = new Set<string>();
      for (const file of files.values()) {
        if (!this.#options.isWatched(fileName(file.path))) continue;
        there.add(file.path);
        if (file.stale !== undefined && --file.stale.looks < 0) file.stale = undefined;
        const stat = file.stale?.stat ?? statOf(file);
        if (file.missing !== undefined && --file.missing.looks < 0) file.missing = undefined;
        const known = root.told.get(file.path);
        const nowMs = this.#options.nowMs();
        const isSame = known !== undefined && JSON.stringify(known.stat) === JSON.stringify(stat);
        const isDue = isSame && known.sinceMs !== undefined && nowMs - known.sinceMs >= tickMs;
        if (isSame && !isDue) continue;
        root.told.set(file.path, { stat, sinceMs: isDue ? undefined : nowMs });
        changed.push({ path: file.path, ...stat });
      }
      const gone = [...root.told.keys()].filter((path) => !there.has(path));
      for (const path of gone) root.told.delete(path);
      return { ok: true, identity, changed, gone };
    });
  }

  async read({ root, path, from, length }: Parameters<FileFinder["read"]>[0]): Promise<FileSlice> {
    if (this.#isClosed) throw closed();
    const { error, identity } = this.#root(root);
    if (error !== undefined) return { kind: "locked", code: error, why: `root ${root} cannot be read` };
    if (!this.#options.isWatched(fileName(path)))
      return { kind: "refused", code: "NOT_WATCHED", why: `no pattern includes ${path}` };
    if (this.#folder(root).identity !== identity)
      return { kind: "locked", code: "ROOT_CHANGED", why: `root ${root} is another folder than before` };
    const file = this.#find(root, path);
    if (file === undefined) return { kind: "gone" };
    if (file.lockedBy !== undefined)
      return { kind: "locked", code: file.lockedBy, why: `${path} is open elsewhere` };
    const { missing } = file;
    const bytes = file.bytes.slice(0, missing?.isCut === true ? missing.from : undefined);
    bytes.fill(0, missing?.from ?? bytes.length, missing?.to);
    return { kind: "bytes", bytes: bytes.slice(from, from + length), stat: statOf(file) };
  }

  /** Makes the next look report every file, like the first look of a new process. */
  forgetTold(): void {
    for (const { told } of this.#roots) told.clear();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #root(index: number): FakeRoot {
    return this.#roots[index] ?? raise(`there is no root ${index}`);
  }

  #folder(root: number): FakeFolder {
    return this.#root(root).mounted.at(-1) ?? this.#newFolder();
  }

  #newFolder(): FakeFolder {
    this.#folders += 1;
    return { identity: `1:${this.#folders}`, files: new Map(), freeInodes: [], inodes: 1_000 };
  }

  #create(root: number, path: string): FakeFile {
    const folder = this.#folder(root);
    const inode = folder.freeInodes.pop() ?? ++folder.inodes;
    const faults = { stale: undefined, missing: undefined, lockedBy: undefined };
    const file: FakeFile = { path, bytes: new Uint8Array(), mtimeMs: 0, inode, ...faults };
    folder.files.set(this.#key(path), file);
    return file;
  }

  #key(path: string): string {
    return this.#options.foldsCase === true ? path.toLowerCase() : path;
  }

  #find(root: number, path: string): FakeFile | undefined {
    return this.#folder(root).files.get(this.#key(path));
  }

  #get(root: number, path: string): FakeFile {
    return this.#find(root, path) ?? raise(`root ${root} has no file ${path}`);
  }
}

const statOf = ({ bytes, mtimeMs, inode }: FakeFile): FileStat => ({
  size: bytes.length,
  mtimeMs,
  place: `1:${inode}`,
});

const raise = (what: string): never => {
  throw new Error(what);
};

const closed = (): Error => new BridgeError("CLOSED", { what: "the file finder is closed" });

const bytesOf = (content: string | Uint8Array): Uint8Array =>
  typeof content === "string" ? new TextEncoder().encode(content) : content.slice();
