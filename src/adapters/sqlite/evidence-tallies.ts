/**
 * The evidence of the gates in an evidence file: one row for each lane, day and method, and tables of counts,
 * of processes and of attempts. Pruning comparisons leaves it unchanged.
 */
import type Database from "better-sqlite3";
import { storable } from "../../base/storable-text.ts";
import type { Attempt, EvidenceDelta, LaneDay, StoredEvidence, Tally } from "../../ports/tallies.ts";

export const talliesMigration = `
   CREATE TABLE lane_days (
     key TEXT NOT NULL,
     source TEXT NOT NULL,
     day TEXT NOT NULL,
     book TEXT NOT NULL,
     symbol TEXT NOT NULL,
     "group" TEXT NOT NULL,
     at TEXT NOT NULL,
     apart TEXT,
     accepted TEXT,
     money REAL,
     quantity_apart INTEGER NOT NULL,
     signed REAL NOT NULL,
     weight REAL NOT NULL,
     PRIMARY KEY (key, source, day, book, symbol)
   ) WITHOUT ROWID;
   CREATE TABLE tallies (
     key TEXT NOT NULL,
     source TEXT NOT NULL,
     signal TEXT NOT NULL,
     stratum TEXT NOT NULL,
     n REAL NOT NULL,
     k REAL NOT NULL,
     amount REAL NOT NULL,
     largest REAL NOT NULL,
     PRIMARY KEY (key, source, signal, stratum)
   ) WITHOUT ROWID;
   CREATE TABLE evidence_processes (
     key TEXT NOT NULL,
     process TEXT NOT NULL,
     at TEXT NOT NULL,
     day TEXT NOT NULL,
     ended INTEGER NOT NULL,
     PRIMARY KEY (key, process)
   ) WITHOUT ROWID;
   CREATE TABLE evidence_attempts (
     attempt INTEGER PRIMARY KEY AUTOINCREMENT,
     key TEXT NOT NULL,
     looks INTEGER NOT NULL
   );`;

/** Keeps the last comparison of each method. The rows so far are of an unknown method. */
export const methodsMigration = `
   ALTER TABLE lane_days RENAME TO lane_days_before;
   CREATE TABLE lane_days (
     key TEXT NOT NULL,
     source TEXT NOT NULL,
     day TEXT NOT NULL,
     book TEXT NOT NULL,
     symbol TEXT NOT NULL,
     method TEXT NOT NULL,
     "group" TEXT NOT NULL,
     at TEXT NOT NULL,
     apart TEXT,
     accepted TEXT,
     money REAL,
     quantity_apart INTEGER NOT NULL,
     signed REAL NOT NULL,
     weight REAL NOT NULL,
     PRIMARY KEY (key, source, day, book, symbol, method)
   ) WITHOUT ROWID;
   INSERT INTO lane_days SELECT key, source, day, book, symbol, '', "group", at, apart, accepted, money,
     quantity_apart, signed, weight FROM lane_days_before;
   DROP TABLE lane_days_before;`;

const laneDayColumns =
  'source, day, book, symbol, method, "group", at, apart, accepted, money, quantity_apart, signed, weight';

type LaneDayRow = Omit<LaneDay, "quantityApart"> & { readonly quantity_apart: number };

export class EvidenceTallies {
  readonly #database: Database.Database;
  readonly #addLaneDay: Database.Statement<unknown[]>;
  readonly #addTally: Database.Statement<unknown[]>;
  readonly #addProcess: Database.Statement<unknown[]>;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#addLaneDay = database.prepare(
      `INSERT INTO lane_days (key, ${laneDayColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET "group" = excluded."group", at = excluded.at, apart = excluded.apart,
         accepted = excluded.accepted, money = excluded.money, quantity_apart = excluded.quantity_apart,
         signed = excluded.signed, weight = excluded.weight
       WHERE excluded.at >= lane_days.at`,
    );
    this.#addTally = database.prepare(
      `INSERT INTO tallies VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET n = n + excluded.n, k = k + excluded.k, amount = amount + excluded.amount,
         largest = max(largest, excluded.largest)`,
    );
    this.#addProcess = database.prepare(
      `INSERT INTO evidence_processes VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET at = excluded.at, day = max(day, excluded.day), ended = excluded.ended`,
    );
  }

  /** Must run in a transaction. */
  add({ key, process, at, day, ended, laneDays, tallies }: EvidenceDelta): void {
    for (const one of laneDays)
      this.#addLaneDay.run(
        ...[key, one.source, one.day, storable(one.book), storable(one.symbol), one.method],
        ...[
          one.group,
          one.at,
          one.apart,
          one.accepted,
          one.money,
          one.quantityApart ? 1 : 0,
          one.signed,
          one.weight,
        ],
      );
    for (const { source, signal, stratum, n, k, amount, largest } of tallies)
      this.#addTally.run(key, source, signal, storable(stratum), n, k, amount, largest);
    this.#addProcess.run(key, process, at, day, ended ? 1 : 0);
  }

  of(key: string): StoredEvidence {
    const select = <Row>(sql: string): Row[] => this.#database.prepare<[string], Row>(sql).all(key);
    return {
      laneDays: select<LaneDayRow>(`SELECT ${laneDayColumns} FROM lane_days WHERE key = ?`).map(
        ({ quantity_apart, ...laneDay }) => ({ ...laneDay, quantityApart: quantity_apart === 1 }),
      ),
      tallies: select<Tally>(
        "SELECT source, signal, stratum, n, k, amount, largest FROM tallies WHERE key = ?",
      ),
      processes: select<{ process: string; at: string; day: string; ended: number }>(
        "SELECT process, at, day, ended FROM evidence_processes WHERE key = ?",
      ).map((row) => ({ ...row, ended: row.ended === 1 })),
      others: select("SELECT key, max(at) AS at FROM evidence_processes WHERE key <> ? GROUP BY key"),
    };
  }

  attempt(key: string, isLook: boolean): Attempt {
    return this.#database
      .transaction(() => {
        const last = this.#database
          .prepare<[], { attempt: number; key: string }>(
            "SELECT attempt, key FROM evidence_attempts ORDER BY attempt DESC LIMIT 1",
          )
          .get();
        if (last?.key !== key)
          this.#database.prepare("INSERT INTO evidence_attempts (key, looks) VALUES (?, 0)").run(key);
        const found = this.#database
          .prepare<[string], Attempt>(
            "SELECT max(attempt) AS attempt, sum(looks) AS looks FROM evidence_attempts WHERE key = ?",
          )
          .get(key);
        const { attempt = 1, looks = 0 } = found ?? {};
        if (!isLook) return { attempt, looks };
        this.#database
          .prepare("UPDATE evidence_attempts SET looks = looks + 1 WHERE attempt = ?")
          .run(attempt);
        return { attempt, looks: looks + 1 };
      })
      .immediate();
  }
}
