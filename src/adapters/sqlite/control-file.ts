/**
 * Synchronous access to the control file and to `live.db` beside it, for the thread of control-thread.ts.
 *
 * The connection to the control file stays open: the last connection that closes locks the file for a moment,
 * and that must never be an operator's shell. If the file is removed or moved, every function fails with
 * SYSTEM_DOWN until a file is at its path again. No empty file is created in its place, because the fleet
 * would obey it as a new plan. A lost `live.db` is created again; a damaged one is first moved aside.
 */
import { renameSync } from "node:fs";
import { dirname, join } from "node:path";
import type Database from "better-sqlite3";
import { BridgeError, codeOf } from "../../base/errors.ts";
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

/**
 * Any function may throw SqliteError SQLITE_BUSY, and then changes nothing, while another connection holds a
 * lock: try again.
 */
export class ControlFile {
  readonly path: string;
  #connection: ControlConnection | undefined;
  #wasOpen = false;

  constructor(path: string) {
    this.path = path;
  }

  /** The connection to the file at the path. Only the first use creates a missing file. */
  get current(): ControlConnection {
    const inode = inodeOf(this.path);
    if (this.#connection !== undefined && this.#connection.inode !== inode) this.#drop();
    if (inode === undefined && this.#wasOpen)
      throw new BridgeError("SYSTEM_DOWN", {
        what: "the control file is gone",
        where: this.path,
        fix: "put the file back, or restore it from a backup",
      });
    this.#connection ??= new ControlConnection(this.path, this.#wasOpen);
    this.#wasOpen = true;
    return this.#connection;
  }

  /**
   * Checkpoints the WAL first, without a lock: the last connection that closes locks the file while it
   * checkpoints what remains of the WAL.
   */
  close(): void {
    try {
      this.#connection?.database.pragma("wal_checkpoint(PASSIVE)");
    } catch {
      // Another connection is checkpointing.
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

  /** Differs after another connection has changed the file. */
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
            .prepare(
              `INSERT INTO published (hash, text, phase, at, by)
               VALUES (?, ?, ?, ${now}, ?) ON CONFLICT DO NOTHING`,
            )
            .run(published);
        update.run(columns);
        return this.read();
      })
      .immediate();
  }

  note(note: NoteRow): void {
    this.database
      .prepare(
        `INSERT INTO audit (at, actor, action, reason, evidence, epoch)
         SELECT ${now}, ?, ?, ?, ?, epoch FROM config`,
      )
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
    return this.database
      .prepare<[], SignOffs[number]>(`${selectSignOffs} WHERE expires_at > ${now} ORDER BY id`)
      .all();
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

  /**
   * The path of `live.db`: beside the control file itself even if the control store's path is a symbolic
   * link, since processes that name one file differently are one fleet.
   */
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
             drained_epoch = excluded.drained_epoch, report = excluded.report,
             beat_ms = excluded.beat_ms, beats = beats + 1`,
        )
        .run(beat),
    );
  }

  instances(): readonly InstanceRow[] {
    return this.#use((database) =>
      database
        .prepare<[], InstanceRow>(
          `SELECT id, name, seen_epoch AS seenEpoch, drained_epoch AS drainedEpoch, report,
             started_at AS startedAt, max(0, ${nowMs} - beat_ms) AS ageMs, beats
             FROM instances ORDER BY started_at, id`,
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
          let last = database
            .prepare<[], number>("SELECT coalesce(max(seq), 0) FROM seals")
            .pluck()
            .get() as number;
          const insert = database.prepare("INSERT INTO seals (seq, previous_hash, hash) VALUES (?, ?, ?)");
          if (seals[0]?.seq !== last + 1) return false;
          for (const { seq, previousHash, hash } of seals) {
            if (seq !== last + 1)
              throw new BridgeError("INTERNAL", { what: `seal ${seq} does not follow seal ${last}` });
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
      // Throws if the control file is missing: then `live.db` is not created either.
      void this.#control.current;
      this.#inode = inode;
      this.#database = openOwned(this.path, liveKind);
      this.#inode = inodeOf(this.path);
    }
    return this.#database;
  }

  /**
   * Renames the damaged file, unless another process has done so; the control file's lock covers both the
   * check and the renames. The WAL is renamed first, because a new file must not find it.
   */
  #moveAside(): void {
    this.close();
    const rename = () => {
      if (this.#inode === undefined || this.#inode !== inodeOf(this.path)) return;
      const aside = `${this.path}.broken-${new Date().toISOString().replaceAll(":", "-")}`;
      for (const end of ["-wal", "-shm", ""])
        try {
          renameSync(`${this.path}${end}`, `${aside}${end}`);
        } catch (failure) {
          // Another connection removes both files beside the database when it closes.
          if (codeOf(failure) !== "ENOENT") throw failure;
        }
    };
    this.#control.current.database.transaction(rename).immediate();
  }
}
