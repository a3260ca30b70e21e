/**
 * Simulates a power cut on the SQLite files of a process: writes that were not synced are lost, kept, or
 * torn, in any order. The settings of each connection decide what SQLite syncs.
 */
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type Database from "better-sqlite3";
import type { Random } from "../../../src/app/demo-desk/random.ts";
import { codeOf } from "../../../src/base/errors.ts";
import type { Life } from "./mortal.ts";

/** The content of a file; undefined if the file does not exist. */
type Content = Buffer | undefined;

/** The fate of the unsynced writes of a database. */
export type Fate = "lost" | "kept" | "any";

const sector = 512;
/** SQLite syncs the header of a WAL before it writes further into that WAL. */
const walHeader = 32;

export class PowerCut {
  readonly #files: readonly string[];
  readonly #journals: string;
  /** The last synced content of each file that has unsynced writes. */
  readonly #synced = new Map<string, Content>();
  /**
   * The databases whose journal may reappear, because its removal was not synced; each with the other name
   * under which the journal is kept.
   */
  readonly #removed = new Map<string, string>();
  /** The commit that runs: its databases, each with the setting `synchronous` of its connection. */
  #commit: readonly (readonly [file: string, synchronous: number])[] = [];
  #atDeath = new Map<string, Content>();

  /**
   * Follows the statements of a process. `files` are all its databases; removed journals are kept in files
   * whose paths begin with `journals`.
   */
  constructor(life: Life, files: readonly string[], journals: string) {
    this.#files = files;
    this.#journals = journals;
    life.onStatement = (database, sql) => this.#begin(database, sql);
    life.onDeath = () => this.#keep();
  }

  #begin(database: Database.Database, sql: string): void {
    for (const [file, synchronous] of this.#commit) {
      // NORMAL does not sync a commit, FULL syncs all but the removal of a journal, and EXTRA syncs that too.
      if (synchronous >= 2) for (const end of ["", "-wal"]) this.#synced.delete(file + end);
      if (synchronous >= 3) this.#removed.delete(file);
    }
    this.#commit = [];
    if (database.inTransaction ? sql !== "COMMIT" : !/^(INSERT|UPDATE|DELETE)/.test(sql)) return;
    const attached = database.pragma("database_list") as { name: string; file: string }[];
    this.#commit = attached
      .filter(({ name }) => name !== "temp")
      .map(({ name, file }) => [file, Number(database.pragma(`${name}.synchronous`, { simple: true }))]);
    for (const [file] of this.#commit) {
      for (const end of ["", "-wal"])
        if (!this.#synced.has(file + end)) this.#synced.set(file + end, contentOf(file + end));
      this.#keepJournal(file);
    }
  }

  /** SQLite only unlinks a journal, so a second link to the file keeps its last content. */
  #keepJournal(file: string): void {
    const kept = `${this.#journals}${this.#files.indexOf(file)}`;
    rmSync(kept, { force: true });
    this.#removed.delete(file);
    try {
      linkSync(`${file}-journal`, kept);
      this.#removed.set(file, kept);
    } catch (failure) {
      if (codeOf(failure) !== "ENOENT") throw failure;
    }
  }

  #keep(): void {
    for (const file of this.#files)
      for (const end of ["", "-wal"]) this.#atDeath.set(file + end, contentOf(file + end));
    for (const [file, kept] of this.#removed) this.#atDeath.set(`${file}-journal`, contentOf(kept));
  }

  /** Gives the files the content that the power cut leaves, after the process has ended. */
  leave(random: Random, fateOf: (file: string) => Fate): void {
    for (const file of this.#files) {
      const fate = fateOf(file);
      const isLost = fate === "lost" || (fate === "any" && random.chance(0.5));
      const isTorn = fate === "any" && random.chance(0.5);
      const of = (end: string): Content => {
        const now = this.#atDeath.get(file + end);
        const synced = this.#synced.has(file + end) ? this.#synced.get(file + end) : now;
        if (isTorn) return torn(synced, now, end === "-wal" ? walHeader : 0, random);
        return isLost ? synced : now;
      };
      // A database is written only after its journal is synced, so a journal that reappears undoes the
      // writes.
      const journal =
        this.#removed.has(file) && (isLost || isTorn) ? this.#atDeath.get(`${file}-journal`) : undefined;
      for (const [end, content] of [
        ["", of("")],
        ["-wal", of("-wal")],
        ["-journal", journal],
        ["-shm", undefined],
      ] as const)
        if (content === undefined) rmSync(file + end, { force: true });
        else writeFileSync(file + end, content);
    }
  }
}

function contentOf(file: string): Content {
  try {
    return readFileSync(file);
  } catch (failure) {
    if (codeOf(failure) !== "ENOENT") throw failure;
    return undefined;
  }
}

/** Mixes two contents of a file: each sector is that of one of them. `header` bytes are synced first. */
function torn(synced: Content, now: Content, header: number, random: Random): Content {
  if (now === undefined || synced?.equals(now)) return now;
  const old = synced ?? Buffer.alloc(0);
  const mixed = Buffer.alloc(Math.max(old.length, now.length));
  for (let at = 0; at < mixed.length; at += sector)
    mixed.set((random.chance(0.5) ? old : now).subarray(at, at + sector), at);
  mixed.set(now.subarray(0, header));
  const ends = [
    old.length,
    now.length,
    Math.min(old.length, now.length) + random.below(Math.abs(now.length - old.length) + 1),
  ];
  return mixed.subarray(0, ends[random.below(ends.length)]);
}
