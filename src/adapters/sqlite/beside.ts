/**
 * The bridge's tables in a file of their own beside legacy's, which gets nothing but its own rows.
 *
 * SQLite commits a transaction over two files file by file, so after the death of a process only one file may
 * have the transaction. Therefore, before such a commit, an intent is written to a third file and synced. It
 * holds the rows of legacy before and after, and the statements that change the bridge's tables. These
 * statements also store the intent's token, which shows whether the bridge's tables have the transaction.
 * Legacy's rows show whether legacy has it, unless another program has changed them since.
 */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import { BridgeError } from "../../base/errors.ts";
import { placeOfClaim, unstorableTable } from "../../durable/legacy-places.ts";
import type { RowAccess } from "../../durable/row-access.ts";
import { runNow, type Statement, StatementRefused, type Work } from "../../durable/work.ts";
import { realFile } from "../../platform/real-file.ts";
import type { Given, RecordCall, RowChange, StoredRow, StoredValue } from "../../ports/record-store.ts";
import { hasKey } from "./legacy-shape.ts";

/** The bridge's file and the file of its intents. Legacy has one of each, by whatever link it is opened. */
export function besideFiles(legacy: string): { readonly tables: string; readonly intents: string } {
  const file = realFile(legacy);
  return { tables: `${file}.pnlb`, intents: `${file}.pnlb-intents` };
}

/**
 * A subject of a call: the idempotency key of a write, and a row of legacy that the call may change.
 * `changedTrade` names the aggregate of a stored trade; the trade's claim says where legacy has it.
 */
interface Subject {
  readonly key: string | null;
  readonly change: RowChange | null;
  readonly changedTrade?: string;
}

/**
 * The calls that may change a row of legacy or name a write. No other call does, as long as legacy is
 * authoritative.
 */
const subjectsOf: { readonly [Name in RecordCall]?: (given: Given<Name>) => readonly Subject[] } = {
  write: ({ writes }) =>
    writes.flatMap(({ idempotencyKey: key, rows }) =>
      rows.map(({ change, does, aggregate }) => ({ key, change, ...(does && { changedTrade: aggregate }) })),
    ),
  known: ({ idempotencyKey: key }) => [{ key, change: null }],
  repair: ({ repair: { change } }) => [{ key: null, change }],
};

/** One row of legacy with its cells before and after a transaction; null stands for no row. */
export interface RowIntent {
  readonly change: RowChange;
  readonly keys: readonly (string | null)[];
  /** The columns of the cells; null for all, because the transaction may delete the row. */
  readonly columns: readonly string[] | null;
  readonly before: StoredRow | null;
  readonly after: StoredRow | null;
}

/** The rows of some subjects, each once, as they are now. */
export function rowsNow(
  subjects: readonly Subject[],
  read: (change: RowChange) => StoredRow | undefined,
): readonly RowIntent[] {
  const rows = new Map<string, Omit<RowIntent, "before" | "after">>();
  for (const { key, change } of subjects) {
    if (change === null) continue;
    const name = JSON.stringify([change.table, change.key]);
    const known = rows.get(name);
    const isWhole = change.set === null || known?.columns === null;
    rows.set(name, {
      // If a row is deleted and written again, only the change that writes it names its columns.
      change: change.set === null ? (known?.change ?? change) : change,
      keys: [...(known?.keys ?? []), key],
      columns: isWhole ? null : Object.keys(change.set ?? {}),
    });
  }
  return [...rows.values()].map((row) => {
    const before = cellsOf(row, read(row.change));
    return { ...row, before, after: before };
  });
}

function cellsOf({ columns }: Pick<RowIntent, "columns">, row: StoredRow | undefined): StoredRow | null {
  if (row === undefined) return null;
  return columns === null ? row : Object.fromEntries(columns.map((column) => [column, row[column] ?? null]));
}

const areEqual = (a: StoredRow | null, b: StoredRow | null): boolean =>
  JSON.stringify(a) === JSON.stringify(b);

export interface Intent {
  readonly token: string;
  /** The rows that the transaction changes. */
  readonly rows: readonly RowIntent[];
  /** The changes of the bridge's tables, in their order. */
  readonly statements: readonly Statement[];
}

/** The decision about a transaction that may be in only one of the two files. */
type Verdict =
  /** Both files have it, or neither: nothing is to be done. */
  | { readonly kind: "settled" }
  /** Legacy has it and the bridge's tables lack it. */
  | { readonly kind: "record" }
  /** The bridge's tables have it and legacy lacks it: legacy gets the rows that nobody has changed since. */
  | { readonly kind: "apply"; readonly rows: readonly RowIntent[] }
  /** The bridge's tables lack it, and nothing tells whether legacy had it. */
  | { readonly kind: "undecided" };

/**
 * Legacy took all rows of a transaction or none. So a row with its cells after the transaction is evidence
 * that legacy took all, and a row with its cells before it that legacy took none. An existing row is stronger
 * evidence than a missing one, which any program may have deleted. A row with other cells is no evidence; it
 * stays as another program has written it.
 */
export function verdictOn(
  { rows }: Pick<Intent, "rows">,
  isRecorded: boolean,
  read: (change: RowChange) => StoredRow | undefined,
): Verdict {
  let [taken, lacking] = [0, 0];
  const before: RowIntent[] = [];
  for (const row of rows) {
    const now = cellsOf(row, read(row.change));
    const weight = now === null ? 1 : 2;
    if (areEqual(now, row.after)) taken = Math.max(taken, weight);
    if (!areEqual(now, row.before)) continue;
    lacking = Math.max(lacking, weight);
    before.push(row);
  }
  if (isRecorded) return lacking > taken ? { kind: "apply", rows: before } : { kind: "settled" };
  if (taken === lacking) return { kind: "undecided" };
  return { kind: taken > lacking ? "record" : "settled" };
}

/** The change that gives legacy a row as it was after the transaction. */
export const changeAgain = ({ change, after }: RowIntent): RowChange => ({
  ...change,
  set:
    after &&
    Object.fromEntries(Object.keys(change.set ?? {}).map((column) => [column, after[column] ?? null])),
});

/** Why modern cannot become authoritative while the bridge's tables are beside legacy's database. */
export const legacyOnly = {
  what: "database.bridge_tables is beside, where legacy alone can be authoritative",
  fix: "stay in dual_write, or begin with bridge_tables: inside (docs/database-bridge.md)",
} as const;

/**
 * The additions to the common tables in the bridge's own file: the token of the intent that was recorded
 * last, and a trigger that prevents modern from becoming authoritative.
 */
export const besideTables = `
CREATE TABLE IF NOT EXISTS pnlb_receipt (one INTEGER PRIMARY KEY CHECK (one = 1), token TEXT NOT NULL) STRICT;
INSERT OR IGNORE INTO pnlb_receipt VALUES (1, '');
CREATE TRIGGER IF NOT EXISTS pnlb_legacy_only BEFORE UPDATE OF authority ON pnlb_fence WHEN NEW.authority <> 'legacy'
BEGIN SELECT RAISE(ABORT, '${legacyOnly.what}'); END;`;

interface BesideOptions {
  /** Runs a statement on legacy's connection, to which the bridge's file is attached. */
  readonly run: (statement: Statement) => readonly StoredRow[];
  readonly access: RowAccess;
  readonly quarantine: (given: Given<"recordChunk">) => Work<null>;
}

/** The intents of one connection. Also settles an intent whose process has died. */
export class Beside {
  readonly #options: BesideOptions;
  /** The file has one intent at most. */
  readonly #intents: Database.Database;

  constructor(path: string, options: BesideOptions) {
    this.#options = options;
    this.#intents = new Database(path, { timeout: 5_000 });
    this.#intents.pragma("journal_mode = WAL");
    this.#intents.exec(
      "CREATE TABLE IF NOT EXISTS pnlb_intents (token TEXT PRIMARY KEY, intent TEXT NOT NULL) STRICT, WITHOUT ROWID",
    );
  }

  /**
   * The intent of a transaction that may be half done. The answer is certain only under legacy's write lock.
   */
  pending(): Intent | undefined {
    const [row] = this.#intents.prepare<[], { intent: string }>("SELECT intent FROM pnlb_intents").all();
    return row && JSON.parse(row.intent);
  }

  /** Does not wait for the disk: an intent that a power cut brings back is found settled. */
  clear({ token }: Intent): void {
    this.#intents.pragma("synchronous = NORMAL");
    this.#intents.prepare("DELETE FROM pnlb_intents WHERE token = ?").run(token);
  }

  close(): void {
    this.#intents.close();
  }

  /**
   * The rows of legacy that a call may change. Refuses a write that waits for a person, and one whose rows
   * have no natural key, because after a crash nothing would show whether they are written.
   */
  rowsOf<Name extends RecordCall>(name: Name, given: Given<Name>, shape: string): readonly RowIntent[] {
    const find: ((given: Given<Name>) => readonly Subject[]) | undefined = subjectsOf[name];
    const subjects = (find?.(given) ?? []).flatMap((subject) => this.#placed(subject));
    for (const key of new Set(subjects.map((subject) => subject.key)))
      if (this.#ask(waitingWrite, key).length > 0)
        throw new BridgeError("REFUSED", {
          what: "it is unknown whether legacy has this write, so the write waits for a person",
          fix: "look at legacy's rows and the rows of the write with pnl-bridge db review",
        });
    const keys = new Map(subjects.flatMap(({ change }) => (change ? [[change.table, change.key]] : [])));
    for (const [table, key] of keys)
      if (!hasKey(shape, table, Object.keys(key)))
        throw new BridgeError("REFUSED", {
          what: `legacy's ${table} has no unique key, which database.bridge_tables: beside needs`,
          fix: "write bridge_tables: inside (docs/database-bridge.md)",
        });
    return rowsNow(subjects, this.#read);
  }

  /** The rows in legacy's own tables that a subject is about. */
  #placed({ key, change, changedTrade }: Subject): readonly Subject[] {
    const [known] =
      changedTrade === undefined
        ? []
        : this.#ask("SELECT claim FROM pnlb_versions WHERE aggregate = ?", changedTrade);
    const place = placeOfClaim(known?.claim);
    const changes = [place && { ...place, set: null, initial: {} }, change].filter((one) => one != null);
    const own = changes.filter(({ table }) => table !== unstorableTable);
    return own.length === 0 ? [{ key, change: null }] : own.map((one) => ({ key, change: one }));
  }

  /**
   * Stores the intent of a transaction that is about to be committed, if it changes rows of legacy. Returns
   * when the intent is on the disk.
   */
  intend(before: readonly RowIntent[], statements: readonly Statement[]): Intent | undefined {
    const rows = before
      .map((row) => ({ ...row, after: cellsOf(row, this.#read(row.change)) }))
      .filter((row) => !areEqual(row.before, row.after));
    if (rows.length === 0) return undefined;
    const token = randomUUID();
    this.#ask("UPDATE pnlb_receipt SET token = ?", token);
    const intent = { token, rows, statements };
    this.#intents.pragma("synchronous = FULL");
    this.#intents.prepare("INSERT INTO pnlb_intents VALUES (?, ?)").run(token, JSON.stringify(intent));
    return intent;
  }

  /**
   * Completes or forgets a transaction by a change of one of the two files only, or leaves it to a person.
   */
  settle(intent: Intent): void {
    const { run, quarantine } = this.#options;
    const [receipt] = this.#ask("SELECT token FROM pnlb_receipt");
    const verdict = verdictOn(intent, receipt?.token === intent.token, this.#read);
    if (verdict.kind === "record") intent.statements.forEach(run);
    if (verdict.kind === "apply") for (const row of verdict.rows) this.#applyAgain(row);
    if (verdict.kind !== "undecided") return;
    const quarantined = this.#newKeys(intent).map((key) => {
      const rows = intent.rows.filter((row) => row.keys.includes(key));
      const shown = (cells: (row: RowIntent) => StoredRow | null): string =>
        JSON.stringify(rows.map((row) => cells(row) && { ...row.change.key, ...cells(row) }));
      return {
        kind: "review",
        table: "writes",
        key,
        code: "UNDECIDED",
        because:
          "the process ended in the commit of this write, and another program has changed its rows since",
        legacy: shown((row) => cellsOf(row, this.#read(row.change))),
        modern: shown((row) => row.after),
      } as const;
    });
    runNow(quarantine({ pass: null, quarantined, imported: [], nowMs: Date.now() }), run);
  }

  /** The keys that the statements of an intent record for the first time. */
  #newKeys({ rows, statements }: Intent): readonly string[] {
    const isKnown = (key: string): boolean =>
      this.#ask("SELECT 1 FROM pnlb_keys WHERE idempotency_key = ?", key).length > 0;
    const keys = new Set(rows.flatMap((row) => row.keys).filter((key) => key !== null));
    const unknown = [...keys].filter((key) => !isKnown(key));
    this.#ask("SAVEPOINT trial");
    statements.forEach(this.#options.run);
    const found = unknown.filter(isKnown);
    this.#ask("ROLLBACK TO trial");
    this.#ask("RELEASE trial");
    return found;
  }

  #applyAgain(row: RowIntent): void {
    const { run, access } = this.#options;
    try {
      run(access.changing(changeAgain(row), 0, row.before === null));
    } catch (failure) {
      // A row of another program forbids this row now. The next comparison of all rows reports its absence.
      if (!(failure instanceof StatementRefused)) throw failure;
    }
  }

  /** The row of legacy that a change is about; undefined also for a key that no row can have. */
  readonly #read = (change: RowChange): StoredRow | undefined => {
    const { run, access } = this.#options;
    try {
      return run(access.reading(change))[0];
    } catch (failure) {
      if (failure instanceof StatementRefused) return undefined;
      throw failure;
    }
  };

  #ask(sql: string, ...values: readonly StoredValue[]): readonly StoredRow[] {
    return this.#options.run({ sql, values });
  }
}

const waitingWrite =
  "SELECT 1 FROM pnlb_quarantine WHERE source = 'writes' AND key = ? AND settled_ms IS NULL";

/** Throws BAD_DATABASE if the bridge's tables are where the configuration does not expect them. */
export function mustBeInPlace(
  legacy: string,
  { isBeside, isInside }: Record<"isBeside" | "isInside", boolean>,
): void {
  const { tables } = besideFiles(legacy);
  const found = isBeside ? isInside : existsSync(tables);
  if (found)
    throw new BridgeError("BAD_DATABASE", {
      what: isBeside
        ? "database.bridge_tables is beside, and the bridge's tables are in legacy's database"
        : `database.bridge_tables is inside, and the bridge's tables are beside legacy's database, in ${tables}`,
      where: legacy,
      fix: `write bridge_tables: ${isBeside ? "inside" : "beside"}; docs/database-bridge.md says how to change the mode`,
    });
}
