import type { FileNote, KnownFile } from "../../ports/file-journal.ts";
import type { LedgerRefusal } from "../../ports/ledger-rows.ts";
import type { FileSlice, FileStat } from "../../ports/watched-files.ts";
import { change, type FileTools, type Held, later, Settling, type Turn } from "./tools.ts";

export type Bytes = FileSlice & { readonly kind: "bytes" };

export const isBytes = (slice: FileSlice): slice is Bytes => slice.kind === "bytes";

const fixes: Readonly<Record<string, string>> = {
  LINK_OUTSIDE: "put the file itself into the folder",
  NOT_WATCHED: "add its name to watch.include",
};
const remove = "remove it from the watched folder, or narrow watch.include";
/** Reads the files of one kind; each turn handles one piece of one file. */
export abstract class FileTurns {
  protected readonly tools: FileTools;
  protected readonly settling: Settling;
  readonly #held: Held;

  constructor(tools: FileTools, held: Held) {
    this.tools = tools;
    this.settling = new Settling(tools.clock);
    this.#held = held;
  }

  abstract turn(file: KnownFile): Promise<Turn>;

  /** Returns the arguments that every journal call about a file has. */
  protected inJournal({ file }: KnownFile) {
    return { epoch: this.#held.epoch, file, nowMs: this.tools.clock.nowMs() };
  }

  /**
   * Records the state of a file in the journal. With a `stat`, the next turn waits until the file changes;
   * with null, the file is due again although it has not changed.
   */
  protected async note(file: KnownFile, note: FileNote, stat: FileStat | null): Promise<void> {
    await this.tools.journal.call("note", { ...this.inJournal(file), note, stat });
  }

  protected async wait(file: KnownFile, why: string, afterMs: number): Promise<Turn> {
    await this.note(file, { state: "waiting", why }, null);
    return later(afterMs);
  }

  protected async refuse(file: KnownFile, refusal: LedgerRefusal, stat: FileStat | null): Promise<Turn> {
    await this.note(file, { state: "refused", why: refusal.code, refusal }, stat);
    return change;
  }

  protected read({ root, path }: KnownFile, from: number, length: number): Promise<FileSlice> {
    const { finder, roots } = this.tools;
    return finder.read({ root: roots.indexOf(root), path, from, length });
  }

  /** Ends the turn of a file that cannot be read now. */
  protected async unread(file: KnownFile, slice: Exclude<FileSlice, Bytes>): Promise<Turn> {
    if (slice.kind === "gone") return change;
    const { kind, code, why } = slice;
    if (kind === "locked") return this.wait(file, `LOCKED ${code}: ${why}`, 1_000);
    return this.refuse(file, { code, why, fix: fixes[code] ?? remove }, null);
  }
}
