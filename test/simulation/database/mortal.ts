/**
 * Processes that die before or after a statement of their databases.
 *
 * The statements run in this process, so a death is exact and cheap: at one statement all files are closed,
 * which rolls back uncommitted changes like the end of a process, the connections to PostgreSQL are cut, and
 * every later statement fails. At a statement of PostgreSQL the process dies before the statement is sent,
 * when the server has received it, or after the server has executed it and before the answer arrives.
 */
import { setImmediate as turn } from "node:timers/promises";
import Database from "better-sqlite3";
import { Client } from "pg";
import { vi } from "vitest";
import { RecordFile } from "../../../src/adapters/sqlite/record-file.ts";
import { codeOf } from "../../../src/base/errors.ts";
import type { Side } from "../../../src/domain/migration/phase.ts";
import type { HeldStore } from "../../../src/ports/record-store.ts";

export const dead = new Error("the process is dead");
const { prepare, exec } = Database.prototype;
const { query } = Client.prototype;

/**
 * The life of a process that will die. It has a step before and after each statement, and for PostgreSQL a
 * third one when the server has received the statement.
 */
export interface Life {
  dieAt: number;
  steps: number;
  isOver: boolean;
  readonly opened: Set<Database.Database>;
  cutConnections: () => void;
  /** Resolves when the server has received the next statement. */
  received: () => Promise<void>;
  /** Called before each statement of a file. */
  onStatement: (database: Database.Database, sql: string) => void;
  /** Called at the death, before the files are closed. */
  onDeath: () => void;
}

/** The life of the process whose statements run now; undefined while a process runs that does not die. */
export const mortal: { life: Life | undefined } = { life: undefined };

export function beginLife(dieAt: number): Life {
  const opened = new Set<Database.Database>();
  mortal.life = {
    ...{ dieAt, steps: 0, isOver: false, opened },
    cutConnections: () => {},
    received: async () => {},
    onStatement: () => {},
    onDeath: () => {},
  };
  return mortal.life;
}

function step(of: Life): void {
  of.steps += 1;
  if (of.steps === of.dieAt) {
    of.isOver = true;
    of.onDeath();
    for (const database of of.opened) database.close();
    of.cutConnections();
  }
  if (of.isOver) throw dead;
}

function statement<T>(of: Life, database: Database.Database, sql: string, run: () => T): T {
  if (!of.isOver) {
    of.opened.add(database);
    of.onStatement(database, sql);
  }
  step(of);
  const value = run();
  step(of);
  return value;
}

async function sent<T>(of: Life, run: () => Promise<T>): Promise<T> {
  step(of);
  const received = of.steps + 1 === of.dieAt ? of.received() : undefined;
  const answer = run();
  answer.catch(() => {});
  await received;
  step(of);
  await answer;
  step(of);
  return answer;
}

/**
 * Makes every `run`, `all` and `exec` of SQLite and every query to PostgreSQL a step of `mortal.life`, until
 * `vi.restoreAllMocks`.
 */
export function watchStatements(): void {
  vi.spyOn(Database.prototype, "prepare").mockImplementation(function (this: Database.Database, sql: string) {
    const made: Database.Statement<unknown[], unknown> = prepare.call(this, sql);
    const of = mortal.life;
    if (of === undefined) return made;
    const { run, all } = made;
    return Object.assign(made, {
      run: (...values: unknown[]) => statement(of, this, sql, () => run.apply(made, values)),
      all: (...values: unknown[]) => statement(of, this, sql, () => all.apply(made, values)),
    });
  });
  vi.spyOn(Database.prototype, "exec").mockImplementation(function (this: Database.Database, sql: string) {
    const run = () => exec.call(this, sql);
    return mortal.life === undefined ? run() : statement(mortal.life, this, sql, run);
  });
  vi.spyOn(Client.prototype, "query").mockImplementation(function (this: Client, ...given: unknown[]) {
    const run = () => Reflect.apply(query, this, given);
    return mortal.life === undefined ? run() : sent(mortal.life, run);
  });
}

/**
 * A store in this thread. It waits for a lock of the other connection, like the thread of a real store.
 */
export function storeIn(
  path: string,
  side: Side,
  { isBeside = false } = {},
): HeldStore & { readonly file: RecordFile } {
  const options = { path, side, isBeside, authority: "legacy", creates: true, incarnation: path } as const;
  const file = new RecordFile(options);
  const untilFree = async <T>(work: () => T): Promise<T> => {
    for (;;) {
      try {
        return work();
      } catch (failure) {
        if (!codeOf(failure).startsWith("SQLITE_BUSY")) throw failure;
      }
      await turn();
    }
  };
  return {
    side,
    file,
    call: (name, given) => untilFree(() => file.call(name, given)),
    letGo: async (how) => void file.letGo(how),
    close: async () => file.close(),
  };
}

/**
 * Yields the numbers from 1 to `all` in an order in which the first numbers, however many, are spread over
 * the whole range.
 */
export function* spread(all: number): Generator<number> {
  const golden = 0.618_033_988_75;
  const indexes = Array.from({ length: all }, (_, index) => index);
  const sorted = indexes.toSorted((a, b) => ((a * golden) % 1) - ((b * golden) % 1));
  for (const index of indexes) yield sorted.indexOf(index) + 1;
}
