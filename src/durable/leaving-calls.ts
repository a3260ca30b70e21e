/** The calls that remove the bridge from a store, in SQL. */
import { BridgeError, codeOf, messageOf } from "../base/errors.ts";
import type { LeavingCalls, OwnObject } from "../ports/leaving-calls.ts";
import type { Answer, Given, RowChange } from "../ports/record-store.ts";
import { type Dialect, ownTables } from "./dialect.ts";
import { holds, type RowAccess } from "./row-access.ts";
import { ask, numberIn, StatementRefused, type Work } from "./work.ts";

type LeavingWorks = {
  readonly [Name in keyof LeavingCalls]: (given: Given<Name>) => Work<Answer<Name>>;
};

export function leavingCalls(dialect: Dialect, access: RowAccess): LeavingWorks {
  // Tables are removed by their exact names, because another program's table may have a similar name.
  const tables = dialect.keepsMigrations ? [...ownTables, "migrations" as const] : ownTables;

  function* countIn(name: string): Work<number> {
    const [row] = yield* ask(`SELECT count(*) AS rows FROM ${name}`);
    return numberIn(row, "rows");
  }

  /** Deletes, inserts and updates a row, as a program without the bridge does, and undoes all of it. */
  function* prove(table: string, keys: readonly string[]): Work<void> {
    const [row] = yield* ask(`SELECT * FROM ${dialect.rowsOf(table)} LIMIT 1`);
    if (row === undefined) return;
    const key = Object.fromEntries(keys.map((column) => [column, row[column] ?? null]));
    const set = Object.fromEntries(Object.entries(row).filter(([column]) => !keys.includes(column)));
    const change: RowChange = { table, key, set, initial: {} };
    const version = numberIn(row, "version");
    yield* ask("SAVEPOINT proof");
    yield* access.change({ ...change, set: null }, version, false);
    yield* access.change(change, version, true);
    yield* access.change(change, version, false);
    if (!holds(yield* access.read(change), row))
      throw new StatementRefused("a row does not read back as it was written");
    yield* ask("ROLLBACK TO proof");
    yield* ask("RELEASE proof");
  }

  return {
    *lastMove() {
      const [row] = yield* ask(
        `SELECT max(at_ms) AS acknowledged, max(CASE state WHEN 'done' THEN settled_ms END) AS settled
         FROM ${dialect.own("outbox")}`,
      );
      return { acknowledgedMs: numberIn(row, "acknowledged"), settledMs: numberIn(row, "settled") };
    },
    *ownObjects() {
      const objects: OwnObject[] = [];
      for (const name of tables)
        objects.push({ kind: "table", name: `pnlb_${name}`, rows: yield* countIn(dialect.own(name)) });
      return [...objects, { kind: "index", name: "pnlb_outbox_pending", rows: null }];
    },
    *removeBridge({ keys }) {
      // The database drops an index together with its table.
      for (const name of tables) yield* ask(`DROP TABLE IF EXISTS ${dialect.own(name)}`);
      const counts: Record<string, number> = {};
      for (const [table, columns] of Object.entries(keys))
        try {
          counts[table] = yield* countIn(dialect.rowsOf(table));
          yield* prove(table, columns);
        } catch (failure) {
          // A trigger may use a table of the bridge, which no longer exists.
          const isForbidden =
            failure instanceof StatementRefused || /^(SQLITE_ERROR|42)/.test(codeOf(failure));
          if (!isForbidden) throw failure;
          throw new BridgeError("REFUSED", {
            what: `nothing is removed: ${table} cannot be written without the bridge: ${messageOf(failure)}`,
            fix: "remove the trigger or rule of the database that forbids it, then try again",
            cause: failure,
          });
        }
      return counts;
    },
  };
}
