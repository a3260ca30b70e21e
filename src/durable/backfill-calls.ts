/**
 * The calls of the backfill, in SQL.
 *
 * `pnlb_backfill` has one row for each pass over a table of legacy, with its progress. `pnlb_quarantine` has
 * the rows that wait for a person, one for each row of legacy. Both databases have both tables. The backfill
 * uses modern's; legacy's quarantine has the writes of which it is unknown whether legacy stored them. The
 * calls that read legacy's tables use functions that only SQLite has.
 */
import type {
  AdoptAnswer,
  AdoptedRow,
  BackfillCalls,
  ChunkRecord,
  ClaimedRow,
  LegacyCell,
  LegacyRow,
  MissingRow,
  PassName,
  PassState,
  QuarantinedRow,
} from "../ports/backfill-calls.ts";
import type { Answer, Given, StoredRow, StoredValue } from "../ports/record-store.ts";
import type { Dialect } from "./dialect.ts";
import { placeOfClaim } from "./legacy-places.ts";
import { holds, type RowAccess } from "./row-access.ts";
import { ask, askAll, numberIn, type Statement, statement, textIn, type Work } from "./work.ts";

type BackfillWorks = {
  readonly [Name in keyof BackfillCalls]: (given: Given<Name>) => Work<Answer<Name>>;
};

/** A row of `pnlb_versions`. */
interface Version {
  readonly aggregate: string;
  readonly claim: string | null;
  readonly version: number;
  readonly written: StoredRow | null;
}

export function backfillCalls(dialect: Dialect, access: RowAccess): BackfillWorks {
  const table = { passes: dialect.own("backfill"), quarantine: dialect.own("quarantine") };
  const versions = dialect.own("versions");

  /**
   * Returns the stored versions for a row of legacy: that of its own aggregate, and that of another aggregate
   * that has its claim.
   */
  function* versionsOf({ aggregate, claim }: AdoptedRow): Work<{ own?: Version; owner?: Version }> {
    const found: { own?: Version; owner?: Version } = {};
    for (const row of yield* ask(
      `SELECT aggregate, claim, version, written FROM ${versions}
       WHERE aggregate = ? OR claim = ?${dialect.forUpdate}`,
      aggregate,
      claim,
    ))
      found[row.aggregate === aggregate ? "own" : "owner"] = versionIn(row);
    return found;
  }

  const insert = `INSERT INTO ${versions} (aggregate, claim, version, written) VALUES (?, ?, 0, ?)`;
  const insertIfNew = `${insert} ON CONFLICT DO NOTHING`;
  const insertVersion = ({ aggregate, change, claim }: AdoptedRow, sql = insert): Statement =>
    statement(sql, aggregate, claim, JSON.stringify(change.set));

  /** Whether a row of legacy takes the place of an earlier one, of which the stored version is given. */
  const replaces = ({ isReplaceable, claim }: AdoptedRow, { version, claim: before }: Version): boolean =>
    isReplaceable && version === 0 && claim !== null && before !== null && claim > before;

  function* replaceVersion({ aggregate, change, claim }: AdoptedRow): Work<AdoptAnswer> {
    yield* ask(
      `UPDATE ${versions} SET claim = ?, written = ? WHERE aggregate = ?`,
      claim,
      JSON.stringify(change.set),
      aggregate,
    );
    return { kind: "adopted", has: null };
  }

  /** Reads the rows of one table of legacy as they are now, by their ids. */
  function* currentRows(rows: readonly ClaimedRow[]): Work<ReadonlyMap<number, StoredRow>> {
    const ids = rows.map(({ id }) => id);
    const found = yield* ask(
      `SELECT rowid AS row_id, * FROM ${dialect.rowsOf(rows[0]?.change.table ?? "")} WHERE rowid BETWEEN ? AND ?`,
      Math.min(...ids),
      Math.max(...ids),
    );
    return new Map(found.map((row) => [numberIn(row, "row_id"), row]));
  }

  /** Reads a row of legacy with the types of its values. */
  function* typedCells(name: string, columns: readonly string[], id: number): Work<LegacyRow["cells"]> {
    const typed = columns.map(
      (column, at) => `typeof("${column}") AS t${at}, CASE typeof("${column}")
        WHEN 'integer' THEN CAST("${column}" AS TEXT) WHEN 'blob' THEN hex("${column}") ELSE "${column}" END AS v${at}`,
    );
    const [row = {}] = yield* ask(
      `SELECT ${typed.join(", ")} FROM ${dialect.rowsOf(name)} WHERE rowid = ?`,
      id,
    );
    const cellAt = (at: number): LegacyCell => {
      const [type, value = null] = [row[`t${at}`], row[`v${at}`]];
      return type === "integer" || type === "blob" ? { type, value: String(value) } : value;
    };
    return Object.fromEntries(columns.map((column, at) => [column, cellAt(at)]));
  }

  /**
   * Claims rows: in one group those without a version that share neither aggregate nor claim with an earlier
   * row, then the others one by one.
   */
  function* claimRows(rows: readonly ClaimedRow[]): Work<readonly AdoptAnswer[]> {
    if (rows.length === 0) return [];
    const current = yield* currentRows(rows);
    const sharesNothing = sharingNothing();
    const adopted = yield* insertNew(
      rows.filter(
        (row) =>
          sharesNothing(row) && row.claim !== null && row.mayClaim && isAsRead(row, current.get(row.id)),
      ),
    );
    const answers: AdoptAnswer[] = [];
    for (const row of rows)
      answers.push(adopted.has(row) ? newlyAdopted : yield* claimRow(row, current.get(row.id)));
    return answers;
  }

  /** Stores the versions of the rows whose aggregate and claim are both unknown, and returns these rows. */
  function* insertNew<R extends AdoptedRow>(rows: readonly R[]): Work<ReadonlySet<R>> {
    const inserted = yield rows.map((row) => insertVersion(row, insertIfNew));
    return new Set(rows.filter((_, at) => inserted[at]?.length === 1));
  }

  const isAsRead = ({ change }: ClaimedRow, current: StoredRow | undefined): boolean =>
    current !== undefined && holds(current, change.key) && holds(current, change.set);

  function* claimRow(row: ClaimedRow, current: StoredRow | undefined): Work<AdoptAnswer> {
    const { claim } = row;
    if (current === undefined) return { kind: "gone", has: null };
    const { own, owner } = yield* versionsOf(row);
    if ([own, owner].some((version) => version?.claim === claim && version.written === null))
      return { kind: "written", has: null };
    if (owner !== undefined && holds(current, owner.written)) return { kind: "written", has: null };
    if (own === undefined) {
      if (!isAsRead(row, current)) return { kind: "moved", has: null };
      if (owner !== undefined) return { kind: "differs", has: owner.written };
      if (!row.mayClaim) return { kind: "unclaimed", has: null };
      yield* askAll(insertVersion(row));
      return { kind: "adopted", has: null };
    }
    if (own.claim === null || own.claim === claim || claim === null)
      return holds(current, own.written)
        ? { kind: own.version === 0 ? "known" : "written", has: null }
        : { kind: "differs", has: own.written };
    if (isAsRead(row, current) && owner === undefined && replaces(row, own))
      return yield* replaceVersion(row);
    return { kind: "repeated", has: own.written };
  }

  /**
   * Adopts the new rows together, and one by one the rows that are known or share their aggregate or claim
   * with an earlier one.
   */
  function* adoptRows(rows: readonly AdoptedRow[]): Work<readonly AdoptAnswer[]> {
    const fresh = yield* insertNew(rows.filter(sharingNothing()));
    const inserted = [...fresh];
    const entered = yield inserted.map(({ change }) => access.adding(change));
    const others = inserted.filter((_, at) => entered[at]?.length === 0);
    const found = yield others.map(({ change }) => access.reading(change));
    const stored = new Map(others.map((row, at) => [row, found[at]?.[0]]));
    // A row that was neither inserted nor found breaks a rule other than the table's key. This second insert
    // fails and names the rule.
    yield others
      .filter((row) => stored.get(row) === undefined)
      .map(({ change }) => access.changing(change, 0, true));
    const answers: AdoptAnswer[] = [];
    for (const row of rows) {
      const before = stored.get(row);
      if (!fresh.has(row)) answers.push(yield* adoptRow(row));
      else answers.push(before === undefined ? newlyAdopted : yield* compared(row, before));
    }
    return answers;
  }

  /** Returns the answer for a new row in whose place the store already had `stored`. */
  function* compared(row: AdoptedRow, stored: StoredRow | undefined): Work<AdoptAnswer> {
    const { aggregate, change } = row;
    if (stored === undefined || holds(stored, change.set)) return newlyAdopted;
    yield* ask(`DELETE FROM ${versions} WHERE aggregate = ?`, aggregate);
    return { kind: "differs", has: stored };
  }

  function* adoptRow(row: AdoptedRow): Work<AdoptAnswer> {
    const { change, claim } = row;
    const fresh = yield* insertNew([row]);
    if (fresh.has(row)) {
      const stored = yield* access.read(change);
      if (stored === undefined) yield* access.change(change, 0, true);
      return yield* compared(row, stored);
    }
    const { own, owner } = yield* versionsOf(row);
    if (own === undefined) return { kind: "differs", has: owner?.written ?? null };
    if (own.version > 0) return { kind: "written", has: own.written };
    if (own.claim === claim)
      return isSame(own.written, change.set)
        ? { kind: "known", has: null }
        : { kind: "differs", has: own.written };
    if (owner !== undefined || !replaces(row, own)) return { kind: "repeated", has: own.written };
    yield* access.change(change, 0, false);
    return yield* replaceVersion(row);
  }

  function* quarantineRow(row: QuarantinedRow, nowMs: number): Work<void> {
    yield* ask(
      `INSERT INTO ${table.quarantine} AS q (source, key, kind, code, because, legacy, modern, at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (source, key) DO UPDATE SET kind = excluded.kind, code = excluded.code,
         because = excluded.because, legacy = excluded.legacy, modern = excluded.modern, at_ms = excluded.at_ms,
         settled_ms = NULL, settled_as = NULL
       WHERE q.code <> excluded.code OR q.legacy IS DISTINCT FROM excluded.legacy
         OR q.modern IS DISTINCT FROM excluded.modern`,
      row.table,
      row.key,
      row.kind,
      row.code,
      row.because,
      row.legacy,
      row.modern,
      nowMs,
    );
  }

  function* recordPass({
    pass,
    table: name,
    upper,
    next,
    done,
    imported,
    quarantined,
  }: PassState): Work<void> {
    yield* ask(
      `INSERT INTO ${table.passes} (pass, source, upper, next, done, imported, quarantined)
       VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (pass, source) DO UPDATE SET upper = excluded.upper, next = excluded.next,
         done = excluded.done, imported = excluded.imported, quarantined = excluded.quarantined`,
      pass,
      name,
      upper,
      next,
      done,
      imported,
      quarantined,
    );
  }

  function* recordChunk({ pass, quarantined, imported, nowMs }: ChunkRecord): Work<null> {
    for (const row of quarantined) yield* quarantineRow(row, nowMs);
    const [waiting] = yield* ask(
      `SELECT 1 AS found FROM ${table.quarantine} WHERE settled_ms IS NULL LIMIT 1`,
    );
    if (waiting !== undefined)
      for (const key of imported)
        yield* ask(
          `UPDATE ${table.quarantine} SET settled_ms = ?, settled_as = 'imported'
           WHERE source = ? AND key = ? AND settled_ms IS NULL`,
          nowMs,
          placeOfClaim(key)?.table ?? "",
          key,
        );
    if (pass !== null) yield* recordPass(pass);
    return null;
  }

  return {
    *upperMark({ table: name }) {
      const [found] = yield* ask(
        "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = ?",
        name,
      );
      if (found === undefined) return null;
      const [row] = yield* ask(`SELECT max(rowid) AS upper FROM ${dialect.rowsOf(name)}`);
      return numberIn(row, "upper");
    },
    *rowsAfter({ table: name, columns, after, upTo, limit }) {
      const rows = yield* ask(
        `SELECT rowid AS row_id, ${listOf(columns)} FROM ${dialect.rowsOf(name)}
         WHERE rowid > ? AND rowid <= ? ORDER BY rowid LIMIT ?`,
        after,
        upTo,
        limit,
      );
      const found: LegacyRow[] = [];
      for (const { row_id, ...cells } of rows) {
        const id = Number(row_id);
        const isPlain = Object.values(cells).every(isExact);
        found.push({ id, cells: isPlain ? cells : yield* typedCells(name, columns, id) });
      }
      return found;
    },
    *repeats({ table: name, key, columns }) {
      const rows = dialect.rowsOf(name);
      const [twice] = yield* ask(
        `SELECT 1 AS found FROM ${rows} GROUP BY ${listOf(key)} HAVING count(*) > 1 LIMIT 1`,
      );
      if (twice === undefined) return [];
      const found = yield* ask(
        `SELECT row_id, occurrence, place FROM (SELECT rowid AS row_id,
           row_number() OVER (PARTITION BY ${listOf([...key, ...columns])} ORDER BY rowid) AS occurrence,
           row_number() OVER (PARTITION BY ${listOf(key)} ORDER BY rowid) AS place FROM ${rows})
         WHERE place > 1`,
      );
      return found.map((row) => ({
        id: numberIn(row, "row_id"),
        occurrence: numberIn(row, "occurrence"),
        place: numberIn(row, "place"),
      }));
    },
    claimRows: ({ rows }) => claimRows(rows),
    *adopt({ rows, chunk }) {
      const answers = yield* adoptRows(rows);
      if (chunk === undefined || answers.some(mayWait)) return answers;
      const { pass } = chunk;
      const adopted = answers.filter(({ kind }) => kind === "adopted").length;
      const counted = pass && { ...pass, imported: pass.imported + adopted };
      yield* recordChunk({ ...chunk, pass: counted });
      return answers;
    },
    *missingRows({ keys, after, limit }) {
      const rows = yield* ask(
        `SELECT aggregate, claim, version, written FROM ${versions}
         WHERE aggregate > ? AND claim IS NOT NULL ORDER BY aggregate LIMIT ?`,
        after,
        limit,
      );
      const missing: MissingRow[] = [];
      for (const { claim, written } of rows.map(versionIn)) {
        const [name, ...values]: [string, ...StoredValue[]] = JSON.parse(claim ?? "");
        const key = keys[name];
        if (key === undefined || written === null || claim === null) continue;
        const where = key.map((column) => `"${column}" = ?`).join(" AND ");
        const [row] = yield* ask(`SELECT 1 AS found FROM ${dialect.rowsOf(name)} WHERE ${where}`, ...values);
        if (row === undefined) missing.push({ claim, written });
      }
      return { missing, next: rows.length < limit ? null : textIn(rows.at(-1), "aggregate") };
    },
    *passes() {
      const rows = yield* ask(`SELECT * FROM ${table.passes} ORDER BY pass, source`);
      return rows.map((row) => ({
        pass: textIn(row, "pass") as PassName,
        table: textIn(row, "source"),
        upper: numberIn(row, "upper"),
        next: numberIn(row, "next"),
        done: numberIn(row, "done"),
        imported: numberIn(row, "imported"),
        quarantined: numberIn(row, "quarantined"),
      }));
    },
    recordChunk,
    *quarantine({ after, limit }) {
      const rows = yield* ask(
        `SELECT * FROM ${table.quarantine} WHERE settled_ms IS NULL AND (source > ? OR (source = ? AND key > ?))
         ORDER BY source, key LIMIT ?`,
        after?.table ?? "",
        after?.table ?? "",
        after?.key ?? "",
        limit,
      );
      return rows.map((row) => ({
        kind: textIn(row, "kind") === "review" ? "review" : "row",
        table: textIn(row, "source"),
        key: textIn(row, "key"),
        code: textIn(row, "code"),
        because: textIn(row, "because"),
        legacy: row.legacy === null ? null : textIn(row, "legacy"),
        modern: row.modern === null ? null : textIn(row, "modern"),
        atMs: numberIn(row, "at_ms"),
      }));
    },
    *settleQuarantine({ table: name, key, as, nowMs }) {
      const rows = yield* ask(
        `UPDATE ${table.quarantine} SET settled_ms = ?, settled_as = ?
         WHERE source = ? AND key = ? AND settled_ms IS NULL RETURNING 1 AS settled`,
        nowMs,
        as,
        name,
        key,
      );
      return rows.length > 0;
    },
    *quarantineCounts() {
      const [row] = yield* ask(
        `SELECT count(CASE kind WHEN 'row' THEN 1 END) AS unreadable, count(CASE kind WHEN 'review' THEN 1 END) AS reviews,
           (SELECT count(*) FROM ${dialect.own("unstorable")}) AS unstorable
         FROM ${table.quarantine} WHERE settled_ms IS NULL`,
      );
      return {
        rows: numberIn(row, "unreadable"),
        reviews: numberIn(row, "reviews"),
        unstorable: numberIn(row, "unstorable"),
      };
    },
    *acceptTables() {
      yield* ask(`UPDATE ${dialect.own("fence")} SET shape = ''`);
      return null;
    },
  };
}

/** Whether a person may have to decide about a row that modern has been asked to adopt. */
export const mayWait = ({ kind }: AdoptAnswer): boolean => kind === "differs" || kind === "repeated";

const newlyAdopted: AdoptAnswer = { kind: "adopted", has: null };

/**
 * Returns a test, for rows in their order, of whether a row shares neither its aggregate nor its claim with
 * an earlier row.
 */
function sharingNothing(): (row: AdoptedRow) => boolean {
  const met = new Set<string>();
  return ({ aggregate, claim }) => {
    const sharesNothing = !met.has(aggregate) && (claim === null || !met.has(claim));
    met.add(aggregate).add(claim ?? aggregate);
    return sharesNothing;
  };
}

const versionIn = (row: StoredRow): Version => ({
  aggregate: textIn(row, "aggregate"),
  claim: row.claim === null ? null : textIn(row, "claim"),
  version: numberIn(row, "version"),
  written: JSON.parse(textIn(row, "written")),
});

/**
 * Whether a value that SQLite returns is the stored one. A large number may stand for another integer, and a
 * blob is an object.
 */
const isExact = (value: StoredValue): boolean =>
  typeof value === "string" || value === null || (typeof value === "number" && Math.abs(value) < 2 ** 53);

const listOf = (columns: readonly string[]): string => columns.map((column) => `"${column}"`).join(", ");

const isSame = (a: StoredRow | null, b: StoredRow | null): boolean =>
  a === null || b === null ? a === b : holds(a, b);
