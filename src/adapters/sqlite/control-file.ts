/**
 * The control file and `live.db` beside it, synchronous: they live in the thread of control-thread.ts.
 *
 * The connection to the control file stays open, so that an operator's shell is never the last one to close it, which would lock the
 * file for a moment. Where the file was removed or moved, everything fails with SYSTEM_DOWN until one stands at its path again: making a
 * new one there would give the fleet a plan that nobody has made. `live.db` is made anew where it is lost, and where it is damaged it is
 * moved aside before.
 */
import { existsSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import type Database from "better-sqlite3";
import { BridgeError } from "../../base/errors.ts";
import { realFile } from "../../platform/real-file.ts";
import type {
  AuditRows,
  BeatRow,
  ChangeRow,
  InstanceRow,
  NoteRow,
  RecordRow,
  Seals,
  SignOffRow,
  SignOffs,
} from "./control-row.ts";
import { selectAudit, selectRecord, selectSeals, selectSignOffs } from "./control-row.ts";
import { controlKind, liveKind } from "./control-schema.ts";
import { inodeOf, isDamage, isMovedAway, openOwned } from "./owned-file.ts";

export interface Page {
  readonly after: number;
  readonly limit: number;
}

const now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";
const nowMs = "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)";

/** Every function throws SqliteError SQLITE_BUSY, with nothing changed, where another connection holds the lock: try again. */
export class ControlFile {
  readonly path: string;
  #connection: ControlConnection | undefined;
  #wasOpen = false;

  constructor(path: string) {
    this.path = path;
  }

  /** Creates the file where it is missing, the first time. */
  get current(): ControlConnection {
    const inode = inodeOf(this.path);
    if (this.#connection !== undefined && this.#connection.inode !== inode) this.#drop();
    if (inode === undefined && this.#wasOpen)
      throw new BridgeError("SYSTEM_DOWN", { what: "the control file is gone", where: this.path, fix: "restore it" });
    this.#connection ??= new ControlConnection(this.path, this.#wasOpen);
    this.#wasOpen = true;
    return this.#connection;
  }

  /** The last one to close locks the file until all of the log is in it: what can be done of that before, without a lock, is done. */
  close(): void {
    try {
      this.#connection?.database.pragma("wal_checkpoint(PASSIVE)");
    } catch {
      // Whoever is at it does it.
    }
    this.#drop();
  }

  #drop(): void {
    this.#connection?.database.close();
    this.#connection = undefined;
  }
}

class ControlConnection {
  readonly database: Database.Database;
  readonly inode: bigint | undefined;
  readonly #record: Database.Statement<[], RecordRow>;
  readonly #version: Database.Statement<[], number>;

  constructor(path: string, mustExist: boolean) {
    this.database = openOwned(path, controlKind, { mustExist });
    this.inode = inodeOf(path);
    this.#record = this.database.prepare(selectRecord);
    this.#version = this.database.prepare<[], number>("PRAGMA data_version").pluck();
  }

  /** Becomes another when somebody else has changed the file. */
  get version(): number {
    return this.#version.get() as number;
  }

  read(): RecordRow {
    return this.#record.get() as RecordRow;
  }

  change({ columns, voidsCache, published, expectedEpoch }: ChangeRow): RecordRow | null {
    const sets = Object.keys(columns).map((column) => `${column} = @${column}`);
    if (voidsCache) sets.push("cache_generation = cache_generation + 1");
    const update = this.database.prepare<[ChangeRow["columns"]]>(`UPDATE config SET ${sets.join(", ")}`);
    return this.database
      .transaction(() => {
        if (expectedEpoch !== undefined && this.read().epoch !== expectedEpoch) return null;
        if (published !== undefined)
          this.database
            .prepare(`INSERT INTO published (hash, text, phase, at, by) VALUES (?, ?, ?, ${now}, ?) ON CONFLICT DO NOTHING`)
            .run(published);
        update.run(columns);
        return this.read();
      })
      .immediate();
  }

  note(note: NoteRow): void {
    this.database
      .prepare(`INSERT INTO audit (at, actor, action, reason, evidence, epoch) SELECT ${now}, ?, ?, ?, ?, epoch FROM config`)
      .run(note);
  }

  signOff([gate, phase, actor, note, expires]: SignOffRow): void {
    this.database
      .prepare(
        `INSERT INTO sign_offs (gate, phase, actor, note, at, expires_at, granted_epoch)
         SELECT ?, ?, ?, ?, ${now}, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?), granted_epoch FROM config`,
      )
      .run(gate, phase, actor, note, expires);
  }

  signOffs(): SignOffs {
    return this.database.prepare<[], SignOffs[number]>(`${selectSignOffs} WHERE expires_at > ${now} ORDER BY id`).all();
  }

  audit({ after, limit }: Page): AuditRows {
    return this.database
      .prepare<[Page], AuditRows[number]>(`${selectAudit} WHERE seq > @after ORDER BY seq LIMIT @limit`)
      .all({ after, limit });
  }
}

export class LiveFile {
  readonly #control: ControlFile;
  #database: Database.Database | undefined;
  #inode: bigint | undefined;

  constructor(control: ControlFile) {
    this.#control = control;
  }

  /** Beside the control file, behind symbolic links: processes that name one file in several ways are one fleet. */
  get path(): string {
    return join(dirname(realFile(this.#control.path)), "live.db");
  }

  heartbeat(beat: BeatRow): void {
    this.#use((database) =>
      database
        .prepare(
          `INSERT INTO instances (id, name, seen_epoch, drained_epoch, report, started_at, beat_ms, beats)
           VALUES (?, ?, ?, ?, ?, ${now}, ${nowMs}, 1)
           ON CONFLICT (id) DO UPDATE SET name = excluded.name, seen_epoch = excluded.seen_epoch,
             drained_epoch = excluded.drained_epoch, report = excluded.report, beat_ms = excluded.beat_ms, beats = beats + 1`,
        )
        .run(beat),
    );
  }

  instances(): readonly InstanceRow[] {
    return this.#use((database) =>
      database
        .prepare<[], InstanceRow>(
          `SELECT id, name, seen_epoch AS seenEpoch, drained_epoch AS drainedEpoch, report,
             started_at AS startedAt, max(0, ${nowMs} - beat_ms) AS ageMs, beats FROM instances ORDER BY started_at, id`,
        )
        .all(),
    );
  }

  leave(id: string): void {
    this.#use((database) => database.prepare("DELETE FROM instances WHERE id = ?").run(id));
  }

  seals({ after, limit }: Page): Seals {
    return this.#use((database) =>
      database
        .prepare<[Page], Seals[number]>(`${selectSeals} WHERE seq > @after ORDER BY seq LIMIT @limit`)
        .all({ after, limit }),
    );
  }

  seal(seals: Seals): boolean {
    return this.#use((database) =>
      database
        .transaction(() => {
          let last = database.prepare<[], number>("SELECT coalesce(max(seq), 0) FROM seals").pluck().get() as number;
          const insert = database.prepare("INSERT INTO seals (seq, previous_hash, hash) VALUES (?, ?, ?)");
          if (seals[0]?.seq !== last + 1) return false;
          for (const { seq, previousHash, hash } of seals) {
            if (seq !== last + 1) throw new BridgeError("INTERNAL", { what: `the seal ${seq} does not follow ${last}` });
            insert.run(seq, previousHash, hash);
            last = seq;
          }
          return true;
        })
        .immediate(),
    );
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
  }

  #use<T>(work: (database: Database.Database) => T): T {
    for (let triesLeft = 3; ; triesLeft--)
      try {
        return work(this.#current());
      } catch (error) {
        if (triesLeft === 1 || !(isDamage(error) || isMovedAway(error))) throw error;
        if (isDamage(error)) this.#moveAside();
        else this.close();
      }
  }

  #current(): Database.Database {
    const inode = inodeOf(this.path);
    if (this.#database !== undefined && this.#inode !== inode) this.close();
    if (this.#database === undefined) {
      // Where the control file is away, so is its folder: nothing is made there.
      void this.#control.current;
      this.#inode = inode;
      this.#database = openOwned(this.path, liveKind);
      this.#inode = inodeOf(this.path);
    }
    return this.#database;
  }

  /**
   * Renames the damaged file, unless another process has done so: the control file's lock stands between that look and the renames. The
   * log goes first, because a new file must not find it.
   */
  #moveAside(): void {
    this.close();
    const rename = () => {
      if (this.#inode === undefined || this.#inode !== inodeOf(this.path)) return;
      const aside = `${this.path}.broken-${new Date().toISOString().replaceAll(":", "-")}`;
      for (const end of ["-wal", "-shm", ""])
        if (existsSync(`${this.path}${end}`)) renameSync(`${this.path}${end}`, `${aside}${end}`);
    };
    this.#control.current.database.transaction(rename).immediate();
  }
}
