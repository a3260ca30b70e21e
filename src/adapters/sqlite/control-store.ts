/**
 * The control store in two SQLite files: the one that is named, with the record, the audit and sign-offs, and `live.db` beside it, with
 * the processes of the fleet and the audit's seals. See control-schema.ts for what an operator's statement finds in them, and
 * control-file.ts for what becomes of files that are lost.
 *
 * Both live in a thread of their own, since a commit waits for the disk. That of a process which looks for changes looks every 15 ms,
 * which costs it a stat and a word of shared memory, and locks nobody out. An idle store keeps no process alive.
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
import { AskedThread } from "./asked-thread.ts";
import { beatRowOf, changeRowOf, instanceOf, noteRowOf, recordOf, signOffRowOf } from "./control-row.ts";
import type { ControlQuestions, ControlThreadData } from "./control-thread.ts";
import { OpenCalls } from "./open-calls.ts";

export interface SqliteControlOptions {
  /** No call waits longer. Default 5 000. */
  readonly deadlineMs: number;
  /** How often it looks for changes of others. Default 15. */
  readonly lookMs: number;
}

const sqliteControlDefaults: SqliteControlOptions = Object.freeze({ deadlineMs: 5_000, lookMs: 15 });

/** Of the deadline, how much is spent on a lock: what remains is for saying that it was one. */
const busyShare = 0.9;

/**
 * Opens the files; they and their folder are created where they are missing. Any number of processes may have them open. Throws
 * BAD_DATABASE (a file that is not ours, which is left as it is, or damaged, or of a newer version), UNWRITABLE, DATABASE_BUSY,
 * SYSTEM_DOWN. The functions of the store throw the same, and REFUSED for values that the columns' checks do not permit.
 */
export async function openSqliteControlStore(path: string, given: Partial<SqliteControlOptions> = {}): Promise<ControlStore> {
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
  readonly #thread: AskedThread<ControlQuestions>;
  readonly #calls = new OpenCalls("the control store");
  readonly #watchers = new Set<() => void>();

  constructor(where: string, deadlineMs: number, data: ControlThreadData) {
    this.where = where;
    this.#thread = new AskedThread({
      name: "the control store",
      from: import.meta.url,
      module: "control-thread",
      data,
      deadlineMs,
      onEvent: () => {
        for (const tell of this.#watchers) tell();
      },
    });
  }

  async open(): Promise<void> {
    await this.#ask("open", null);
  }

  async read(): Promise<ControlRecord> {
    return recordOf(await this.#ask("read", null));
  }

  watch(changed: () => void): () => void {
    // Each its own, also where one function watches twice.
    const tell = (): void => changed();
    this.#watchers.add(tell);
    if (this.#watchers.size === 1) this.#thread.tell("watch", true);
    return () => {
      if (this.#watchers.delete(tell) && this.#watchers.size === 0) this.#thread.tell("watch", false);
    };
  }

  async change(change: ControlChange): Promise<ControlRecord | null> {
    const row = await this.#ask("change", changeRowOf(change));
    return row === null ? null : recordOf(row);
  }

  async note(note: AuditNote): Promise<void> {
    await this.#ask("note", noteRowOf(note));
  }

  async signOff(signOff: SignOffGiven): Promise<void> {
    await this.#ask("signOff", signOffRowOf(signOff));
  }

  async signOffs(): Promise<readonly SignOff[]> {
    return this.#ask("signOffs", null);
  }

  async audit(after: number, limit: number): Promise<readonly AuditRow[]> {
    return this.#ask("audit", { after, limit });
  }

  async seals(after: number, limit: number): Promise<readonly AuditSeal[]> {
    return this.#ask("seals", { after, limit });
  }

  async seal(seals: readonly AuditSeal[]): Promise<boolean> {
    return this.#ask("seal", seals);
  }

  async heartbeat(instance: InstanceReport): Promise<void> {
    await this.#ask("heartbeat", beatRowOf(instance));
  }

  async instances(): Promise<readonly Instance[]> {
    return (await this.#ask("instances", null)).map(instanceOf);
  }

  async leave(id: string): Promise<void> {
    await this.#ask("leave", storable(id));
  }

  /** What was called before it is still done. */
  close(): Promise<void> {
    this.#watchers.clear();
    return this.#calls.close(() => this.#thread.end());
  }

  #ask<Ask extends keyof ControlQuestions>(
    ask: Ask,
    given: Parameters<ControlQuestions[Ask]>[0],
  ): Promise<ReturnType<ControlQuestions[Ask]>> {
    return this.#calls.run(() => this.#thread.ask(ask, given));
  }
}
