/**
 * The control store in two SQLite files: the named one holds the record, the audit and the sign-offs;
 * `live.db` beside it holds the processes of the fleet and the audit's seals. control-schema.ts describes
 * what an operator's statement finds in them, and control-file.ts how lost or damaged files are handled.
 *
 * A thread of its own reads and writes both files, since a commit waits for the disk. In a process that
 * watches for changes it checks the file every 15 ms, at the cost of a stat and a read of shared memory,
 * without a lock. An idle store keeps no process alive.
 */
import { resolve } from "node:path";
import { assert } from "../../base/errors.ts";
import { storable } from "../../base/storable-text.ts";
import type {
  AuditNote,
  AuditRow,
  AuditSeal,
  ControlChange,
  ControlRecord,
  ControlStore,
  Instance,
  InstanceReport,
  SignOff,
  SignOffGiven,
} from "../../ports/control-store.ts";
import { beatRowOf, changeRowOf, instanceOf, noteRowOf, recordOf, signOffRowOf } from "./control-row.ts";
import type { ControlCalls, ControlThreadData } from "./control-thread.ts";
import { FileThread } from "./file-thread.ts";
import { OpenCalls } from "./open-calls.ts";

export interface SqliteControlOptions {
  /** The longest time that a call may take. Default 5 000. */
  readonly deadlineMs: number;
  /** Interval at which a watching store checks for changes by others. Default 15. */
  readonly lookMs: number;
}

const sqliteControlDefaults: SqliteControlOptions = Object.freeze({ deadlineMs: 5_000, lookMs: 15 });

/**
 * Share of the deadline that a call may wait for a lock; the rest leaves time to report DATABASE_BUSY instead
 * of a timeout.
 */
const busyShare = 0.9;

/**
 * Opens the files, and creates them and their folder where they are missing. Any number of processes may have
 * them open. Throws BAD_DATABASE (another program's file, which stays unchanged, a damaged one, or one of a
 * newer version), UNWRITABLE, DATABASE_BUSY, SYSTEM_DOWN. The functions of the store throw the same errors,
 * and REFUSED for values that the columns' checks do not permit.
 */
export async function openSqliteControlStore(
  path: string,
  given: Partial<SqliteControlOptions> = {},
): Promise<ControlStore> {
  const { deadlineMs, lookMs } = { ...sqliteControlDefaults, ...given };
  assert(deadlineMs > 0 && lookMs > 0, "deadlineMs and lookMs are positive");
  const where = resolve(path);
  const store = new SqliteControlStore(where, deadlineMs, {
    path: where,
    busyMsMax: deadlineMs * busyShare,
    lookMs,
  });
  try {
    await store.open();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

class SqliteControlStore implements ControlStore {
  readonly where: string;
  readonly #thread: FileThread<ControlCalls>;
  readonly #calls = new OpenCalls("the control store");
  readonly #watchers = new Set<() => void>();

  constructor(where: string, deadlineMs: number, data: ControlThreadData) {
    this.where = where;
    this.#thread = new FileThread({
      name: "the control store",
      from: import.meta.url,
      module: "control-thread",
      data,
      path: data.path,
      deadlineMs,
      onEvent: () => {
        for (const notify of this.#watchers) notify();
      },
    });
  }

  async open(): Promise<void> {
    await this.#call("open", null);
  }

  async read(): Promise<ControlRecord> {
    return recordOf(await this.#call("read", null));
  }

  watch(changed: () => void): () => void {
    // A new function for each watcher, so that the same callback can be registered twice.
    const notify = (): void => changed();
    this.#watchers.add(notify);
    if (this.#watchers.size === 1) this.#thread.tell("watch", true);
    return () => {
      if (this.#watchers.delete(notify) && this.#watchers.size === 0) this.#thread.tell("watch", false);
    };
  }

  async change(change: ControlChange): Promise<ControlRecord | null> {
    const row = await this.#call("change", changeRowOf(change));
    return row === null ? null : recordOf(row);
  }

  async note(note: AuditNote): Promise<void> {
    await this.#call("note", noteRowOf(note));
  }

  async signOff(signOff: SignOffGiven): Promise<void> {
    await this.#call("signOff", signOffRowOf(signOff));
  }

  async signOffs(): Promise<readonly SignOff[]> {
    return this.#call("signOffs", null);
  }

  async audit(after: number, limit: number): Promise<readonly AuditRow[]> {
    return this.#call("audit", { after, limit });
  }

  async seals(after: number, limit: number): Promise<readonly AuditSeal[]> {
    return this.#call("seals", { after, limit });
  }

  async seal(seals: readonly AuditSeal[]): Promise<boolean> {
    return this.#call("seal", seals);
  }

  async heartbeat(instance: InstanceReport): Promise<void> {
    await this.#call("heartbeat", beatRowOf(instance));
  }

  async instances(): Promise<readonly Instance[]> {
    return (await this.#call("instances", null)).map(instanceOf);
  }

  async leave(id: string): Promise<void> {
    await this.#call("leave", storable(id));
  }

  /** Finishes the calls made before it. */
  close(): Promise<void> {
    this.#watchers.clear();
    return this.#calls.close(() => this.#thread.end());
  }

  #call<Name extends keyof ControlCalls>(
    name: Name,
    given: Parameters<ControlCalls[Name]>[0],
  ): Promise<ReturnType<ControlCalls[Name]>> {
    return this.#calls.run(() => this.#thread.call(name, given));
  }
}
