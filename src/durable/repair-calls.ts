/** The SQL of repairs, and of the stored results of reconciliations. */
import { BridgeError } from "../base/errors.ts";
import type { Answer, Given, OutboxEntry, ReconcileNote, StoredRow } from "../ports/record-store.ts";
import type { RepairAnswer, RepairCalls, RowPlace, RowRepair, RowState } from "../ports/repair-calls.ts";
import type { Dialect } from "./dialect.ts";
import { entryColumns, entryOf } from "./outbox-entry.ts";
import { holds, type RowAccess } from "./row-access.ts";
import { ask, askAll, numberIn, StatementRefused, statement, textIn, type Work } from "./work.ts";

type RepairWorks = {
  readonly [Name in keyof RepairCalls | "noteReconcile" | "lastReconcile"]: (
    given: Given<Name>,
  ) => Work<Answer<Name>>;
};

const answered = (kind: RepairAnswer["kind"], because = ""): RepairAnswer => ({ kind, because });

export function repairCalls(dialect: Dialect, access: RowAccess): RepairWorks {
  const table = dialect.own("reconciles");
  const versions = dialect.own("versions");
  const fence = dialect.own("fence");
  const inbox = dialect.own("inbox");

  function* stateOf({ aggregate, ...place }: RowPlace, end: string): Work<RowState> {
    const [[known] = [], rows = []] = yield* askAll(
      statement(`SELECT version, claim, written FROM ${versions} WHERE aggregate = ?${end}`, aggregate),
      access.reading(place),
    );
    return {
      version: known === undefined ? null : numberIn(known, "version"),
      claim: known === undefined || known.claim === null ? null : textIn(known, "claim"),
      written: known === undefined ? null : JSON.parse(textIn(known, "written")),
      rows,
    };
  }

  /** Whether the row, its version and its claim are already in the state that the repair requires. */
  const isRepaired = ({ change, claim, version }: RowRepair, now: RowState): boolean =>
    now.rows.length < 2 &&
    now.version === version &&
    now.claim === claim &&
    isSame(now.written, change.set) &&
    isInRow(change.set, version, now.rows[0]);

  const isInRow = (set: StoredRow | null, version: number | null, row: StoredRow | undefined): boolean =>
    holds(row, set) && (!dialect.keepsVersion || row === undefined || numberIn(row, "version") === version);

  function* repairRow(repair: RowRepair, seen: RowState): Work<RepairAnswer> {
    const { aggregate, change, claim, version } = repair;
    const place = { aggregate, table: change.table, key: change.key };
    const now = yield* stateOf(place, dialect.forUpdate);
    if (isRepaired(repair, now)) return answered("already");
    if (!isSame(now, seen)) return answered("changed", `${dialect.side} has another row or version now`);
    yield* ask("SAVEPOINT one");
    try {
      // A row that already holds these columns is not written, so that its other columns keep their values.
      if (!isInRow(change.set, version, now.rows[0]))
        yield* access.change(change, version ?? 0, now.rows.length === 0);
      const written = JSON.stringify(change.set);
      if (version === null) yield* ask(`DELETE FROM ${versions} WHERE aggregate = ?`, aggregate);
      else if (seen.version === null)
        yield* ask(
          `INSERT INTO ${versions} (aggregate, claim, version, written) VALUES (?, ?, ?, ?)`,
          aggregate,
          claim,
          version,
          written,
        );
      else
        yield* ask(
          `UPDATE ${versions} SET claim = ?, version = ?, written = ? WHERE aggregate = ?`,
          claim,
          version,
          written,
          aggregate,
        );
      const after = yield* stateOf(place, "");
      if (!isRepaired(repair, after))
        throw new StatementRefused("the row does not read back as it was written");
      yield* ask("RELEASE one");
      return answered("done");
    } catch (failure) {
      if (!(failure instanceof StatementRefused)) throw failure;
      yield* ask("ROLLBACK TO one");
      yield* ask("RELEASE one");
      return answered("refused", `a rule of ${dialect.side}'s database forbids the row: ${failure.message}`);
    }
  }

  /** Whether the store has each row of an entry in the entry's version or a later one. */
  function* isCovered({ rows }: OutboxEntry): Work<boolean> {
    for (const { aggregate, version } of rows) {
      const [known] = yield* ask(`SELECT version FROM ${versions} WHERE aggregate = ?`, aggregate);
      if (numberIn(known, "version") < version) return false;
    }
    return true;
  }

  return {
    *rowStates({ places }) {
      const states: RowState[] = [];
      for (const place of places) states.push(yield* stateOf(place, ""));
      return states;
    },
    *owners({ claims }) {
      const owners: (string | null)[] = [];
      for (const claim of claims) {
        const [row] = yield* ask(`SELECT aggregate FROM ${versions} WHERE claim = ?`, claim);
        owners.push(row === undefined ? null : textIn(row, "aggregate"));
      }
      return owners;
    },
    *books() {
      const rows = yield* ask(
        ["positions", "daily", "trades"]
          .map((name) => `SELECT book FROM ${dialect.rowsOf(name)}`)
          .join(" UNION "),
      );
      return rows.map((row) => textIn(row, "book"));
    },
    *unsettled({ limit }) {
      const rows = yield* ask(
        `SELECT ${entryColumns}, code FROM ${dialect.own("outbox")}
         WHERE state <> 'done' ORDER BY seq LIMIT ?`,
        limit,
      );
      return rows.map((row) => ({
        ...entryOf(row),
        code: row.code === null ? null : textIn(row, "code"),
      }));
    },
    *reusedNumbers({ source, entries }) {
      let reused = 0;
      for (const { seq, digest } of entries) {
        const [row] = yield* ask(`SELECT digest FROM ${inbox} WHERE source = ? AND seq = ?`, source, seq);
        if (row !== undefined && row.digest !== digest) reused += 1;
      }
      return reused;
    },
    *versionsAfter({ after, upTo, limit }) {
      const rows = yield* ask(
        `SELECT aggregate, version FROM ${versions}
         WHERE aggregate > ? AND aggregate <= ? ORDER BY aggregate LIMIT ?`,
        after,
        upTo,
        limit,
      );
      return rows.map((row) => ({ aggregate: textIn(row, "aggregate"), version: numberIn(row, "version") }));
    },
    *repair({ fence: { epoch, step }, seen, repair }) {
      const [now] = yield* ask(`SELECT epoch, step FROM ${fence}${dialect.forShare}`);
      if (numberIn(now, "epoch") !== epoch || textIn(now, "step") !== step)
        throw new BridgeError("REFUSED", {
          what: "the authority has moved, or is moving, since the plan was made",
          fix: "make a new plan: pnl-bridge db reconcile --plan FILE",
        });
      return yield* repairRow(repair, seen);
    },
    *cover({ source, entries }) {
      let covered = 0;
      for (const entry of entries) {
        if (!(yield* isCovered(entry))) continue;
        const [counted] = yield* ask(
          `UPDATE ${fence} SET applied = applied + 1
           WHERE NOT EXISTS (SELECT 1 FROM ${inbox} WHERE source = ? AND seq = ?) RETURNING applied`,
          source,
          entry.seq,
        );
        if (counted === undefined) continue;
        covered += 1;
        yield* askAll(
          statement(
            `INSERT INTO ${inbox} (source, seq, place, digest) VALUES (?, ?, ?, ?)`,
            source,
            entry.seq,
            numberIn(counted, "applied"),
            entry.digest,
          ),
          statement(
            `INSERT INTO ${dialect.own("keys")} (idempotency_key, digest, version) VALUES (?, ?, ?)
             ON CONFLICT DO NOTHING`,
            entry.idempotencyKey,
            entry.digest,
            Math.max(0, ...entry.rows.map(({ version }) => version)),
          ),
        );
      }
      return covered;
    },
    *renew({ from, to }) {
      yield* ask(`UPDATE ${fence} SET incarnation = ? WHERE incarnation = ?`, to, from);
      const [row] = yield* ask(`SELECT incarnation FROM ${fence}`);
      return textIn(row, "incarnation");
    },
    *skipTo({ place }) {
      yield* ask(`UPDATE ${fence} SET applied = ? WHERE applied < ?`, place, place);
      return null;
    },
    *noteReconcile(note) {
      const { atMs, ok, complete, position, breaks, notComparable } = note;
      yield* ask(
        `INSERT INTO ${table} (at_ms, ok, complete, position, breaks, not_comparable) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (at_ms) DO UPDATE SET ok = excluded.ok, complete = excluded.complete,
           position = excluded.position, breaks = excluded.breaks, not_comparable = excluded.not_comparable`,
        atMs,
        Number(ok),
        Number(complete),
        position,
        breaks,
        notComparable,
      );
      return null;
    },
    *lastReconcile(): Work<ReconcileNote | null> {
      const [row] = yield* ask(
        `SELECT at_ms, ok, complete, position, breaks, not_comparable FROM ${table} ORDER BY at_ms DESC LIMIT 1`,
      );
      if (row === undefined) return null;
      return {
        atMs: numberIn(row, "at_ms"),
        ok: numberIn(row, "ok") === 1,
        complete: numberIn(row, "complete") === 1,
        position: numberIn(row, "position"),
        breaks: numberIn(row, "breaks"),
        notComparable: numberIn(row, "not_comparable"),
      };
    },
  };
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
