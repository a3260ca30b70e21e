/**
 * The size, time and place of a file at one moment. Each field is a hint that something changed; none
 * identifies the file.
 */
export interface FileStat {
  readonly size: number;
  readonly mtimeMs: number;
  /** Device and inode. Another file may get the inode of one that was deleted. */
  readonly place: string;
}

/** A file of a root as one look found it. */
export interface SeenFile extends FileStat {
  /** Relative to its root, with `/` between names. */
  readonly path: string;
}

/** The result of one look at one root. */
export type RootLook =
  | {
      readonly ok: true;
      /**
       * Another identity means that another folder is at the path, because a share was mounted over it or was
       * lost.
       */
      readonly identity: string;
      /**
       * The files that are new, or whose stat differs, since the finder last reported them. A file is
       * reported once more when its stat has been the same for two seconds, since two writes may have the
       * same time on a coarse clock. After a change of identity every file is reported, and none is gone.
       */
      readonly changed: readonly SeenFile[];
      /** The paths of files that the finder has reported and that are not there now. */
      readonly gone: readonly string[];
    }
  | {
      readonly ok: false;
      /** An upper-case code such as `ENOENT` or `EIO`. */
      readonly code: string;
      readonly why: string;
    };

export type FinderMode = "events" | "poll";

/** The bytes of a part of a file, or the reason why they cannot be read now. */
export type FileSlice =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly stat: FileStat }
  | { readonly kind: "gone" }
  /**
   * Another program has the file open exclusively, or the share does not answer. A later attempt may succeed.
   */
  | { readonly kind: "locked"; readonly code: string; readonly why: string }
  /** `LINK_OUTSIDE`: the path leads out of the roots. `NOT_A_FILE`, `NOT_WATCHED`, `DATABASE`: never read. */
  | { readonly kind: "refused"; readonly code: string; readonly why: string };

/**
 * Finds and reads the files of some roots, which are folders with all their subfolders. It ignores files
 * whose names match no pattern. It holds no file open between calls.
 */
export interface FileFinder {
  /** The mode of each root, in the given order of the roots; `poll` until the first look. */
  readonly modes: readonly FinderMode[];
  /**
   * For each root the reason why events are not used although the configuration permits them; undefined if
   * they are used or not permitted.
   */
  readonly pollReasons: readonly (string | undefined)[];
  /**
   * Looks at the roots. `recent` looks at folders and files that changed within ten minutes, and at those
   * that an event named; `all` looks at everything. Never rejects before `close`: the look of a root that
   * cannot be read is not `ok`.
   */
  look(scope: "recent" | "all"): Promise<readonly RootLook[]>;
  /** Reads at most `length` bytes from `from` on; fewer at the end of the file. */
  read(given: {
    readonly root: number;
    readonly path: string;
    readonly from: number;
    readonly length: number;
  }): Promise<FileSlice>;
  close(): Promise<void>;
}
