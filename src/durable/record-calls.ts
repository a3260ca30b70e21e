/**
 * The calls of a record store, in SQL that is the same for every database.
 *
 * `pnlb_versions` has one row for each aggregate that a write or the backfill has touched: the version, the
 * columns that were written last (which reveal a change by somebody else), and the claim, which is the row of
 * legacy that belongs to the aggregate. `pnlb_inbox` has, for each entry from the other store, that store's
 * incarnation, the entry's number, and its place: a count that grows with every entry that is offered, so
 * that places rise and may have gaps. On PostgreSQL the numbers of an outbox do not follow the order of the
 * commits. So the writes that a mirror has lost are found by their places, never by their numbers.
 */
import { BridgeError } from "../base/errors.ts";
import { at as itemAt } from "../base/present.ts";
import { Refused } from "../base/refused.ts";
import { otherSide, type Side } from "../domain/migration/phase.ts";
import type {
  Answer,
  Fence,
  Given,
  LeaseAnswer,
  MirrorAnswer,
  MirrorWrite,
  PlacedRow,
  RecordCall,
  RowChange,
  RowImage,
  RowWrite,
  Standing,
  StoreAnswer,
  StoredRow,
  StoreRefusalCode,
  StoreWrite,
} from "../ports/record-store.ts";
import { abandonCalls } from "./abandon-calls.ts";
import { backfillCalls } from "./backfill-calls.ts";
import type { Dialect, OwnTable } from "./dialect.ts";
import { leavingCalls } from "./leaving-calls.ts";
import { isUnstorable, placeOfClaim, unstorableForm } from "./legacy-places.ts";
import { type EntryVersion, entryColumns, entryOf } from "./outbox-entry.ts";
import { repairCalls } from "./repair-calls.ts";
import { holds, RowAccess } from "./row-access.ts";
import { imagesOf } from "./row-images.ts";
import {
  ask,
  askAll,
  numberIn,
  type Statement,
  StatementRefused,
  statement,
  textIn,
  type Work,
} from "./work.ts";

type RecordWorks = { readonly [Name in RecordCall]: (given: Given<Name>) => Work<Answer<Name>> };

/** The calls that change nothing. */
export const readingCalls: ReadonlySet<RecordCall> = new Set<RecordCall>([
  "fence",
  "pending",
  "owed",
  "parked",
  "applied",
  "progress",
  "known",
  "entriesAfter",
  "standings",
  "upperMark",
  "rowsAfter",
  "repeats",
  "missingRows",
  "passes",
  "quarantine",
  "quarantineCounts",
  "lastReconcile",
  "rowStates",
  "owners",
  "books",
  "unsettled",
  "reusedNumbers",
  "versionsAfter",
  "received",
  "lastMove",
  "ownObjects",
]);

type MirrorRow = MirrorWrite["rows"][number];

/** An entry with the place at which this store applies it. */
interface Placed extends MirrorWrite {
  readonly place: number;
}

const WriteRefused = Refused<StoreRefusalCode>;
const EntryRefused = Refused<string>;

export function recordCalls(dialect: Dialect): RecordWorks {
  const table = (name: OwnTable): string => dialect.own(name);
  const access = new RowAccess(dialect);
  const rules = new RowRules(dialect, access);
  const backfill = backfillCalls(dialect, access);

  const sql = {
    inbox: `INSERT INTO ${table("inbox")} (source, seq, place, digest) VALUES (?, ?, ?, ?)`,
    mirrorKey: `INSERT INTO ${table("keys")} (idempotency_key, digest, version) VALUES (?, ?, ?)
                ON CONFLICT DO NOTHING`,
    done: `UPDATE ${table("outbox")} SET state = 'done', place = ?, settled_ms = ? WHERE seq = ?`,
    parked: `UPDATE ${table("outbox")} SET state = 'parked', code = ?, because = ?, settled_ms = ? WHERE seq = ?`,
  };

  function* fence(end: string): Work<Fence> {
    const [row] = yield* ask(`SELECT epoch, authority, step, incarnation FROM ${table("fence")}${end}`);
    return {
      epoch: numberIn(row, "epoch"),
      authority: textIn(row, "authority") === "modern" ? "modern" : "legacy",
      step: textIn(row, "step"),
      incarnation: textIn(row, "incarnation"),
    };
  }

  /**
   * Writes one write of a group in the transaction of the group. A refused write changes nothing and does not
   * affect the other writes.
   */
  function* writeOne(write: StoreWrite, isAdmitted: boolean, nowMs: number): Work<StoreAnswer> {
    const [known] = yield* ask(
      `SELECT digest, version FROM ${table("keys")} WHERE idempotency_key = ?`,
      write.idempotencyKey,
    );
    if (known !== undefined)
      return known.digest === write.digest
        ? { kind: "acknowledged", version: numberIn(known, "version") }
        : refusal("KEY_REUSED", "this idempotency key belongs to a write with other records");
    if (!isAdmitted) return refusal("DRAINING", "the authority is moving to the other store; try again");
    if (write.legacyHasOwn === true && dialect.side === "modern")
      return refusal("AUTHORITY_DIFFERS", "modern is authoritative, so legacy must not store rows by itself");
    const versions = yield* rules.write(write);
    const version = versions.reduce<number>((highest, one) => {
      const number = typeof one === "number" ? one : one.unstorable;
      return Math.max(highest, number);
    }, 0);
    yield* askAll(
      statement(
        `INSERT INTO ${table("keys")} (idempotency_key, digest, version) VALUES (?, ?, ?)`,
        write.idempotencyKey,
        write.digest,
        version,
      ),
      statement(
        `INSERT INTO ${table("outbox")} (idempotency_key, digest, rows, versions, at_ms, state)
         VALUES (?, ?, ?, ?, ?, 'pending')`,
        write.idempotencyKey,
        write.digest,
        write.images,
        JSON.stringify(versions),
        nowMs,
      ),
    );
    return { kind: "acknowledged", version };
  }

  function* guarded(
    write: StoreWrite,
    isAdmitted: boolean,
    isAlone: boolean,
    nowMs: number,
  ): Work<StoreAnswer> {
    const hasSavepoint = dialect.hasCheapSavepoints && !isAlone;
    if (hasSavepoint) yield* ask("SAVEPOINT one");
    try {
      const answer = yield* writeOne(write, isAdmitted, nowMs);
      if (hasSavepoint) yield* ask("RELEASE one");
      return answer;
    } catch (failure) {
      const refused = refusalOf(failure);
      if (refused === undefined) throw failure;
      if (hasSavepoint) {
        yield* ask("ROLLBACK TO one");
        yield* ask("RELEASE one");
        return refused;
      }
      if (!isAlone)
        throw new BridgeError("REFUSED", { what: "one write of a group is refused; each is sent alone" });
      throw new WriteUndone(refused);
    }
  }

  /** Applies entries in their order: all together, or one by one if the store refuses one of them. */
  function* applyAll(entries: readonly Placed[], source: string): Work<readonly MirrorAnswer[]> {
    yield* ask("SAVEPOINT one");
    try {
      yield* rules.mirror(entries.flatMap(({ rows }) => rows));
      yield entries.flatMap(({ seq, place, digest, idempotencyKey, rows }) => [
        statement(sql.inbox, source, seq, place, digest),
        statement(sql.mirrorKey, idempotencyKey, digest, Math.max(0, ...rows.map(({ version }) => version))),
      ]);
      yield* ask("RELEASE one");
      return entries.map(({ place }) => ({ kind: "applied", place }));
    } catch (failure) {
      const refused = failure instanceof EntryRefused ? failure.refusal : conflictOf(failure);
      if (refused === undefined) throw failure;
      yield* ask("ROLLBACK TO one");
      yield* ask("RELEASE one");
      if (entries.length === 1) return [{ kind: "parked", ...refused }];
    }
    const answers: MirrorAnswer[] = [];
    for (const entry of entries) answers.push(...(yield* applyAll([entry], source)));
    return answers;
  }

  return {
    fence: () => fence(""),
    *write({ writes, epoch, nowMs }) {
      const now = yield* fence(dialect.forShare);
      const isAdmitted = now.epoch === epoch && now.authority === dialect.side;
      const answers: StoreAnswer[] = [];
      for (const write of writes) answers.push(yield* guarded(write, isAdmitted, writes.length === 1, nowMs));
      return answers;
    },
    *pending({ limit }) {
      const rows = yield* ask(
        // The first condition repeats the condition of the partial index; otherwise the database would not
        // use the index.
        `SELECT ${entryColumns} FROM ${table("outbox")}
         WHERE state <> 'done' AND state = 'pending' ORDER BY seq LIMIT ?`,
        limit,
      );
      return rows.map(entryOf);
    },
    *apply({ entries, source, token }) {
      if (entries.length === 0) return [];
      const [held] = yield* ask(
        `UPDATE ${table("fence")} SET relay_token = ?, applied = applied + ?
         WHERE relay_token <= ?${dialect.side === "legacy" ? " AND authority = 'modern'" : ""} RETURNING applied`,
        token,
        entries.length,
        token,
      );
      if (held === undefined)
        throw new BridgeError("CONFLICT", {
          what: "another process now delivers the writes to this store, or this store has the authority",
        });
      const before = numberIn(held, "applied") - entries.length;
      const numbers = entries.map(({ seq }) => seq);
      const inbox = yield* ask(
        `SELECT seq, place, digest FROM ${table("inbox")} WHERE source = ? AND seq BETWEEN ? AND ?`,
        source,
        Math.min(...numbers),
        Math.max(...numbers),
      );
      const known = new Map(inbox.map((row) => [numberIn(row, "seq"), row]));
      for (const { seq, digest } of entries)
        if ((known.get(seq)?.digest ?? digest) !== digest) throw olderCopy(otherSide(dialect.side));
      const fresh = entries
        .map((entry, at) => ({ ...entry, place: before + at + 1 }))
        .filter(({ seq }) => !known.has(seq));
      const applied = fresh.length === 0 ? [] : yield* applyAll(fresh, source);
      const given = new Map(fresh.map(({ seq }, at) => [seq, itemAt(applied, at)]));
      return entries.map(
        ({ seq }) => given.get(seq) ?? { kind: "applied", place: numberIn(known.get(seq), "place") },
      );
    },
    *settle({ answers, nowMs }) {
      yield answers.map(({ seq, answer }) =>
        answer.kind === "applied"
          ? statement(sql.done, answer.place, nowMs, seq)
          : statement(sql.parked, answer.code, answer.because, nowMs, seq),
      );
      return null;
    },
    *owed({ nowMs }) {
      const [row] = yield* ask(
        `SELECT count(*) AS count, min(at_ms) AS oldest, count(CASE state WHEN 'parked' THEN 1 END) AS parked
         FROM ${table("outbox")} WHERE state <> 'done'`,
      );
      const count = numberIn(row, "count");
      const oldestMs = count === 0 ? 0 : Math.max(0, nowMs - numberIn(row, "oldest"));
      return { count, parked: numberIn(row, "parked"), oldestMs };
    },
    *parked({ limit }) {
      const rows = yield* ask(
        `SELECT seq, rows, code, because, settled_ms FROM ${table("outbox")} WHERE state = 'parked' ORDER BY seq LIMIT ?`,
        limit,
      );
      return rows.map((row) => ({
        seq: numberIn(row, "seq"),
        aggregates: imagesOf(textIn(row, "rows")).map(({ aggregate }) => aggregate),
        code: textIn(row, "code"),
        because: textIn(row, "because"),
        atMs: numberIn(row, "settled_ms"),
      }));
    },
    *unpark() {
      const rows = yield* ask(
        `UPDATE ${table("outbox")} SET state = 'pending', code = NULL, because = NULL WHERE state = 'parked' RETURNING seq`,
      );
      return rows.length;
    },
    *known({ idempotencyKey }) {
      const [row] = yield* ask(
        `SELECT version FROM ${table("keys")} WHERE idempotency_key = ?`,
        idempotencyKey,
      );
      return row === undefined ? null : numberIn(row, "version");
    },
    *progress() {
      const [row] = yield* ask(
        `SELECT (SELECT max(seq) FROM ${table("outbox")}) AS last, forgotten, forgotten_place,
           (SELECT max(place) FROM ${table("outbox")} WHERE state = 'done') AS done FROM ${table("fence")}`,
      );
      const forgotten = numberIn(row, "forgotten_place");
      return {
        last: Math.max(numberIn(row, "forgotten"), numberIn(row, "last")),
        done: Math.max(forgotten, numberIn(row, "done")),
        forgotten,
      };
    },
    *prune({ source, below }) {
      yield* ask(`DELETE FROM ${table("inbox")} WHERE source = ? AND place < ?`, source, below);
      return null;
    },
    *applied({ source }) {
      const [row] = yield* ask(
        `SELECT applied, relay_token, (SELECT max(seq) FROM ${table("inbox")} WHERE source = ?) AS seq
         FROM ${table("fence")}`,
        source,
      );
      return {
        place: numberIn(row, "applied"),
        seq: numberIn(row, "seq"),
        token: numberIn(row, "relay_token"),
      };
    },
    *resend({ after }) {
      const [row] = yield* ask(`SELECT forgotten_place FROM ${table("fence")}${dialect.forShare}`);
      if (numberIn(row, "forgotten_place") > after)
        throw new BridgeError("REFUSED", {
          what: `the other store has lost every write that it applied after the first ${after}, and this store no longer keeps all of them`,
          fix: "run `pnl-bridge db reconcile --plan FILE`, read the plan, and run `pnl-bridge db repair FILE`",
        });
      const rows = yield* ask(
        `UPDATE ${table("outbox")} SET state = 'pending' WHERE state = 'done' AND place > ? RETURNING seq`,
        after,
      );
      return rows.length;
    },
    *forget({ beforeMs }) {
      const rows = yield* ask(
        // The last entry stays, so that SQLite never gives its number again.
        `DELETE FROM ${table("outbox")} WHERE state = 'done' AND settled_ms < ?
         AND seq < (SELECT max(seq) FROM ${table("outbox")}) RETURNING seq, place`,
        beforeMs,
      );
      for (const [column, from] of [
        ["forgotten", "seq"],
        ["forgotten_place", "place"],
      ] as const) {
        const highest = rows.reduce((most, row) => Math.max(most, numberIn(row, from)), 0);
        yield* ask(`UPDATE ${table("fence")} SET ${column} = ? WHERE ${column} < ?`, highest, highest);
      }
      return rows.length;
    },
    *lease({ name, holder, nowMs, lastsMs, deadHolder, mirrorToken = 0 }): Work<LeaseAnswer> {
      const look = `SELECT holder, until_ms, token FROM ${table("leases")} WHERE name = ?${dialect.forUpdate}`;
      let [row] = yield* ask(look, name);
      if (row === undefined) {
        // A row that does not exist cannot be locked, and two processes may ask for it at once.
        yield* ask(
          `INSERT INTO ${table("leases")} (name, holder, until_ms, token) VALUES (?, '', 0, 0)
           ON CONFLICT DO NOTHING`,
          name,
        );
        [row] = yield* ask(look, name);
      }
      const untilMs = numberIn(row, "until_ms");
      const before = textIn(row, "holder");
      if (before !== holder && before !== deadHolder && untilMs > nowMs)
        return { kind: "taken", holder: before, untilMs };
      const next = numberIn(row, "token") + (before === holder ? 0 : 1);
      const token = next < mirrorToken ? mirrorToken + 1 : next;
      yield* ask(
        `UPDATE ${table("leases")} SET holder = ?, until_ms = ?, token = ? WHERE name = ?`,
        holder,
        nowMs + lastsMs,
        token,
        name,
      );
      return { kind: "held", token };
    },
    *release({ name, holder }) {
      yield* ask(`UPDATE ${table("leases")} SET until_ms = 0 WHERE name = ? AND holder = ?`, name, holder);
      return null;
    },
    ...backfill,
    ...abandonCalls(dialect, access, backfill),
    *entriesAfter({ seq, limit }) {
      const rows = yield* ask(
        `SELECT ${entryColumns} FROM ${table("outbox")} WHERE seq > ? ORDER BY seq LIMIT ?`,
        seq,
        limit,
      );
      return rows.map(entryOf);
    },
    *standings({ rows }) {
      const standings: Standing[] = [];
      for (const row of rows) standings.push(yield* rules.standing(row));
      return standings;
    },
    *rehearse({ row }) {
      yield* ask("SAVEPOINT one");
      let why: string | null = null;
      try {
        yield* rules.rehearse(row);
      } catch (failure) {
        why = (failure instanceof EntryRefused ? failure.refusal : conflictOf(failure))?.because ?? null;
        if (why === null) throw failure;
      }
      yield* ask("ROLLBACK TO one");
      yield* ask("RELEASE one");
      return why;
    },
    ...repairCalls(dialect, access),
    ...leavingCalls(dialect, access),
    *moveFence({ from, to }) {
      const moved = yield* ask(
        `UPDATE ${table("fence")} SET epoch = ?, authority = ?, step = ?, incarnation = coalesce(?, incarnation)
         WHERE epoch = ? AND authority = ? AND step = ? RETURNING 1 AS moved`,
        to.epoch,
        to.authority,
        to.step,
        to.incarnation ?? null,
        from.epoch,
        from.authority,
        from.step,
      );
      return moved.length > 0;
    },
  };
}

/**
 * The error for a store that was restored from an older copy of itself, with the sign that shows it. A store
 * that has lost writes would give their numbers to its next writes, and the mirror would not apply those.
 */
export const olderCopy = (side: Side, sign = "it has lost writes that the other database has"): BridgeError =>
  new BridgeError("REFUSED", {
    what: `${side}'s database is an older copy of itself: ${sign}`,
    fix: "run `pnl-bridge db reconcile --plan FILE`, read the plan, and run `pnl-bridge db repair FILE`",
  });

/**
 * Thrown for a refused write that is alone in its transaction. The caller rolls the transaction back and then
 * returns `answer`.
 */
export class WriteUndone extends Error {
  readonly answer: StoreAnswer;

  constructor(answer: StoreAnswer) {
    super("the write is refused");
    this.answer = answer;
  }
}

const refusal = (code: StoreRefusalCode, because: string): StoreAnswer => ({
  kind: "refused",
  code,
  because,
});

const conflictOf = (failure: unknown): { readonly code: "CONFLICT"; readonly because: string } | undefined =>
  failure instanceof StatementRefused
    ? { code: "CONFLICT", because: `a rule of the database forbids it: ${failure.message}` }
    : undefined;

function refusalOf(failure: unknown): StoreAnswer | undefined {
  const refused = failure instanceof WriteRefused ? failure.refusal : conflictOf(failure);
  return refused && { kind: "refused", ...refused };
}

const alreadyStored = (aggregate: string): Error =>
  new WriteRefused("ALREADY_STORED", `a trade of this write is stored already: ${aggregate}`);

const notStored = (aggregate: string): Error =>
  new WriteRefused("CONFLICT", `the trade ${aggregate} is not stored, so it cannot be corrected`);

const otherTrade = (aggregate: string): Error =>
  new WriteRefused("CONFLICT", `the store has another trade in the row of ${aggregate}`);

/** A new row of a write as it is stored. */
interface Placing {
  readonly given: RowWrite;
  readonly row: RowWrite;
  readonly isUnstorable: boolean;
  /**
   * Whether its place in legacy is free: no other aggregate has that place, not even one that leaves it in
   * the same write, and no earlier row of the write gets it.
   */
  readonly isPlaceFree: boolean;
  /** The row that this store already has under the key of the new row. */
  readonly stored: StoredRow | undefined;
}

/** Returns the row of a write in its unstorable form; undefined if the write does not allow that. */
type Kept = (row: RowWrite) => RowWrite | undefined;

/** The rules by which a row is written and mirrored, together with its version. */
class RowRules {
  readonly #access: RowAccess;
  readonly #side: Side;
  readonly #versions: string;
  readonly #sql: Readonly<
    Record<"again" | "first" | "next" | "owner" | "known" | "adopted" | "renew" | "mirror", string>
  >;

  constructor(dialect: Dialect, access: RowAccess) {
    this.#access = access;
    this.#side = dialect.side;
    this.#versions = dialect.own("versions");
    const inserted = (condition: string): string =>
      `INSERT INTO ${this.#versions} AS v (aggregate, claim, version, written) VALUES (?, ?, 1, ?)
       ON CONFLICT (aggregate) DO UPDATE
       SET claim = excluded.claim, version = v.version + 1, written = excluded.written ${condition}
       RETURNING version`;
    this.#sql = {
      again: `UPDATE ${this.#versions} SET version = version + 1, written = ?
              WHERE aggregate = ? AND claim = ? RETURNING version`,
      // A trade is stored only once, but it may be stored again after its removal.
      first: inserted("WHERE v.written = 'null' AND v.claim IS NULL"),
      next: inserted(""),
      known: `SELECT version, claim, written FROM ${this.#versions} WHERE aggregate = ?${dialect.forUpdate}`,
      adopted: `SELECT aggregate FROM ${this.#versions} WHERE aggregate = ? AND version = 0`,
      renew: `UPDATE ${this.#versions} SET version = ?, written = ? WHERE aggregate = ?`,
      mirror: `INSERT INTO ${this.#versions} (aggregate, claim, version, written) VALUES (?, ?, ?, ?)
               ON CONFLICT (aggregate)
               DO UPDATE SET claim = excluded.claim, version = excluded.version, written = excluded.written`,
      owner: `SELECT aggregate FROM ${this.#versions} WHERE claim = ? AND aggregate <> ?`,
    };
  }

  /** Writes the rows of a write into the authoritative store. Returns each row's new version. */
  *write({
    rows,
    images,
    keepsUnstorable = false,
    legacyHasOwn = false,
  }: StoreWrite): Work<readonly EntryVersion[]> {
    const versions = new Map<RowWrite, EntryVersion>();
    let read: readonly RowImage[] | undefined;
    const kept: Kept = (row) => {
      if (!keepsUnstorable) return undefined;
      read ??= imagesOf(images);
      const { change, claim } = unstorableForm(itemAt(read, rows.indexOf(row)), "LEGACY_UNIQUE");
      return { ...row, claim, change: this.#side === "legacy" ? change : row.change };
    };
    const finals = keepsUnstorable ? rows.filter(({ isFinal }) => isFinal) : [];
    const adopted = yield finals.map(({ aggregate }) => statement(this.#sql.adopted, aggregate));
    const changed = new Set(finals.filter((_, at) => adopted[at]?.length === 1));
    for (const row of rows)
      if (legacyHasOwn) versions.set(row, yield* this.#countOwn(row, kept));
      else if (row.does !== undefined || changed.has(row))
        versions.set(row, yield* this.#changeStored(row, kept));
    // Most rows keep their place in legacy; no other row can have that place.
    const again = rows.filter((row) => !row.isFinal && !versions.has(row) && row.change.set !== null);
    const found = yield again.map(({ aggregate, claim, change }) =>
      statement(this.#sql.again, JSON.stringify(change.set), aggregate, claim),
    );
    const changes: { change: RowChange; version: number; isNew: boolean }[] = [];
    for (const [at, row] of again.entries()) {
      const known = found[at]?.[0];
      if (known === undefined) continue;
      const version = numberIn(known, "version");
      versions.set(row, version);
      changes.push({ change: row.change, version, isNew: false });
    }
    const placings = yield* this.#placed(
      rows.filter((row) => !versions.has(row)),
      kept,
    );
    const counted = yield* this.#counted(placings);
    for (const [at, { given, row, isUnstorable, stored }] of placings.entries()) {
      const { aggregate, change, isFinal } = row;
      if (isFinal && stored !== undefined)
        throw holds(stored, change.set) ? alreadyStored(aggregate) : otherTrade(aggregate);
      const version = itemAt(counted, at);
      versions.set(given, isUnstorable ? { unstorable: version } : version);
      changes.push({ change, version, isNew: isFinal });
    }
    yield* this.#access.changeAll(changes);
    return rows.map((row) => versions.get(row) ?? 0);
  }

  /**
   * Finds the place of each new row. If another row has the place of a trade, the trade gets its unstorable
   * form, if the write allows that.
   */
  *#placed(rows: readonly RowWrite[], kept: Kept): Work<readonly Placing[]> {
    const owners = yield rows.map(({ aggregate, claim }) => this.#otherOwner(aggregate, claim));
    const finals = rows.filter(({ isFinal }) => isFinal);
    const found = yield finals.map(({ change }) => this.#access.reading(change));
    const storedOf = new Map(finals.map((row, at) => [row, found[at]?.[0]]));
    const claims = new Set<string>();
    return rows.map((given, at) => {
      const [owner, stored] = [owners[at]?.[0], storedOf.get(given)];
      const isForeign = stored !== undefined && !holds(stored, given.change.set);
      const isPlaceFree = owner === undefined && !claims.has(given.claim);
      claims.add(given.claim);
      const apart = given.isFinal && (isForeign || !isPlaceFree) ? kept(given) : undefined;
      return apart === undefined
        ? { given, row: given, isUnstorable: false, isPlaceFree, stored }
        : { given, row: apart, isUnstorable: true, isPlaceFree: true, stored: undefined };
    });
  }

  /**
   * Raises the version of each row by one and returns the new ones. Refuses a row whose place in legacy
   * belongs to another aggregate.
   */
  *#counted(placings: readonly Placing[]): Work<readonly number[]> {
    const versions: number[] = [];
    const rows = placings.map(({ row }) => row);
    const areApart = placings.every(({ isPlaceFree }) => isPlaceFree);
    for (const group of areApart ? [rows] : rows.map((row) => [row])) {
      if (!areApart) for (const { aggregate, claim } of group) yield* this.#claim(aggregate, claim);
      const counted = yield group.map(({ aggregate, isFinal, claim, change }) =>
        statement(
          isFinal ? this.#sql.first : this.#sql.next,
          aggregate,
          change.set === null ? null : claim,
          JSON.stringify(change.set),
        ),
      );
      for (const [at, { aggregate }] of group.entries()) {
        const known = counted[at]?.[0];
        if (known === undefined) throw alreadyStored(aggregate);
        versions.push(numberIn(known, "version"));
      }
    }
    return versions;
  }

  /**
   * Corrects or removes a trade at its place in the store, and returns its new version. The removal of a
   * trade that is not stored changes no row.
   */
  *#changeStored(row: RowWrite, kept: Kept): Work<EntryVersion> {
    const { aggregate, change } = row;
    const [known] = yield* ask(this.#sql.known, aggregate);
    const version = numberIn(known, "version") + 1;
    const written = writtenIn(known);
    if (isLegacysOwn(known))
      throw new WriteRefused(
        "CONFLICT",
        `legacy's own program stores the row of ${aggregate}, so only that program can change it`,
      );
    if (written === null) {
      if (change.set !== null) throw notStored(aggregate);
      yield* ask(this.#sql.mirror, aggregate, null, version, "null");
      return version;
    }
    const from = this.#placeOf(change, known);
    const [stored, ...others] = yield* this.#access.readAll(from);
    if (others.length > 0 || !holds(stored, written))
      throw new WriteRefused("CONFLICT", `somebody else has changed the row of ${aggregate}`);
    let [to, isKept] = [row, false];
    if (change.set !== null && row.claim !== known?.claim) {
      const [[owner] = [], [foreign] = []] = yield* askAll(
        this.#otherOwner(aggregate, row.claim),
        this.#access.reading(change),
      );
      const isTaken = owner !== undefined || (this.#side === "legacy" && foreign !== undefined);
      const apart = isTaken || isUnstorable(textIn(known, "claim")) ? kept(row) : undefined;
      if (apart === undefined) mustOwn(aggregate, owner);
      if (apart === undefined && isTaken) throw otherTrade(aggregate);
      [to, isKept] = [apart ?? row, apart !== undefined];
    }
    yield [
      ...this.#moving(from, to.change, version),
      statement(
        this.#sql.mirror,
        aggregate,
        change.set === null ? null : to.claim,
        version,
        JSON.stringify(to.change.set),
      ),
    ];
    return isKept ? { unstorable: version } : version;
  }

  /**
   * Raises the version of a row that legacy's own programs store, and leaves legacy's own tables as they are.
   * A trade whose place another row has is stored in `pnlb_unstorable`, if the write allows that.
   */
  *#countOwn(row: RowWrite, kept: Kept): Work<EntryVersion> {
    const { aggregate, isFinal, does, change, claim } = row;
    const [[known] = [], [owner] = []] = yield* askAll(
      statement(this.#sql.known, aggregate),
      this.#otherOwner(aggregate, claim),
    );
    const [before, place] = [numberIn(known, "version"), known?.claim ?? null];
    if (isFinal && before > 0 && place !== null) throw alreadyStored(aggregate);
    if (does !== undefined && isUnstorable(String(place))) return yield* this.#changeStored(row, kept);
    if (does === "trade_correction" && place === null) throw notStored(aggregate);
    const apart = owner !== undefined && change.set !== null ? kept(row) : undefined;
    const isFree = apart !== undefined || does === "trade_removal";
    if (!isFree) mustOwn(aggregate, owner);
    const version = before + 1;
    if (apart !== undefined) yield* this.#access.change(apart.change, version, true);
    const taken = apart?.claim ?? (isFinal ? (place ?? claim) : claim);
    yield* ask(
      this.#sql.mirror,
      aggregate,
      change.set === null ? null : taken,
      version,
      JSON.stringify(apart?.change.set ?? null),
    );
    return apart === undefined ? version : { unstorable: version };
  }

  /** Returns the statements that give a stored row its new columns, at its new place. */
  #moving(from: RowChange, to: RowChange, version: number): readonly Statement[] {
    const removal = this.#access.changing({ ...from, set: null }, version, false);
    if (to.set === null) return [removal];
    const isSame = from.table === to.table && JSON.stringify(from.key) === JSON.stringify(to.key);
    return isSame
      ? [this.#access.changing(to, version, false)]
      : [removal, this.#access.changing(to, version, true)];
  }

  /**
   * Returns the change at the row's place in this store; in legacy's store the row's claim names that place.
   */
  #placeOf(change: RowChange, known: StoredRow | undefined): RowChange {
    const place = this.#side === "legacy" ? placeOfClaim(known?.claim) : undefined;
    return { ...change, ...place };
  }

  /**
   * Writes rows that came from the other store, in their order, and reads each of them back. The version of
   * each must be the next one, and nobody else may have changed the row.
   */
  *mirror(rows: readonly MirrorRow[]): Work<void> {
    let apart: MirrorRow[] = [];
    const met = new Set<string>();
    for (const row of rows) {
      if (met.has(row.aggregate) || met.has(row.claim) || row.does !== undefined) {
        yield* this.#mirrorApart(apart);
        apart = [];
        met.clear();
      }
      if (row.does === undefined) {
        apart.push(row);
        met.add(row.aggregate).add(row.claim);
      } else yield* this.#mirrorChange(row);
    }
    yield* this.#mirrorApart(apart);
  }

  /** Writes rows of different aggregates with different places in legacy. */
  *#mirrorApart(rows: readonly MirrorRow[]): Work<void> {
    const found = yield rows.flatMap(({ aggregate, change }) => [
      statement(this.#sql.known, aggregate),
      this.#access.reading(change),
    ]);
    const seen = rows.map((row, at) => ({ row, known: found[2 * at]?.[0], stored: found[2 * at + 1]?.[0] }));
    const placed = seen.filter(({ row, known }) => known?.claim !== row.claim);
    const owners = yield placed.map(({ row }) => this.#otherOwner(row.aggregate, row.claim));
    const ownerOf = new Map(placed.map(({ row }, at) => [row, owners[at]?.[0]]));
    const statements: Statement[] = [];
    const written: MirrorRow[] = [];
    const moved: MirrorRow[] = [];
    for (const { row, known, stored } of seen) {
      const { aggregate, version, change, claim } = row;
      mustBeNext(row, known);
      const isMoved = this.#side === "legacy" && known?.claim != null && known.claim !== claim;
      if (isMoved && change.table !== "market_prices") {
        moved.push(row);
        continue;
      }
      mustOwn(aggregate, ownerOf.get(row));
      // Legacy has one row of a price for each upload time, and an earlier write may already have stored the
      // same price in that row.
      const isThere = isMoved && stored !== undefined && holds(stored, change.set);
      const isKnown = isThere || isLegacysOwn(known) || holds(stored, isMoved ? null : writtenIn(known));
      if (!isKnown) throw foreignRow(aggregate);
      written.push(row);
      const columns = JSON.stringify(change.set);
      statements.push(
        this.#access.changing(change, version, stored === undefined),
        known?.claim === claim && change.set !== null
          ? statement(this.#sql.renew, version, columns, aggregate)
          : statement(this.#sql.mirror, aggregate, change.set === null ? null : claim, version, columns),
        this.#access.reading(change),
      );
    }
    const answers = yield statements;
    for (const [at, { aggregate, change }] of written.entries())
      if (!holds(answers[3 * at + 2]?.[0], change.set)) throw changedValue(aggregate);
    for (const row of moved) yield* this.#mirrorChange(row);
  }

  /** Corrects or removes a trade, as the other store did. */
  *#mirrorChange(row: MirrorRow): Work<void> {
    const { aggregate, version, change, claim } = row;
    const [known] = yield* ask(this.#sql.known, aggregate);
    mustBeNext(row, known);
    const expected = writtenIn(known);
    const isOwn = isLegacysOwn(known);
    if (expected !== null || isOwn) {
      const from = this.#placeOf(change, known);
      const [[stored, ...others] = [], [owner] = []] = yield* askAll(
        this.#access.reading(from),
        this.#otherOwner(aggregate, claim),
      );
      if (change.set !== null) mustOwn(aggregate, owner);
      if (others.length > 0 || !(isOwn || holds(stored, expected))) throw foreignRow(aggregate);
      yield this.#moving(from, change, version);
      const place = change.set === null ? from : change;
      if (!holds(yield* this.#access.read(place), change.set)) throw changedValue(aggregate);
    } else if (change.set !== null) throw foreignRow(aggregate);
    const written = JSON.stringify(change.set);
    yield* ask(this.#sql.mirror, aggregate, change.set === null ? null : claim, version, written);
  }

  /**
   * Returns the version of a row, and whether it is unchanged. A removed row counts as unchanged if its place
   * is empty or belongs to another aggregate.
   */
  *standing({ aggregate, change, claim }: Pick<RowWrite, "aggregate" | "change" | "claim">): Work<Standing> {
    const [known] = yield* ask(
      `SELECT version, claim, written FROM ${this.#versions} WHERE aggregate = ?`,
      aggregate,
    );
    const written = writtenIn(known);
    const [[stored] = [], [owner] = []] = yield* askAll(
      this.#access.reading(this.#placeOf(change, known)),
      this.#otherOwner(aggregate, claim),
    );
    const isAsWritten =
      isLegacysOwn(known) || holds(stored, written) || (written === null && owner !== undefined);
    return { version: numberIn(known, "version"), isAsWritten };
  }

  /** Deletes a row, writes it as a new one and reads it back. */
  *rehearse({ aggregate, change, claim }: PlacedRow): Work<void> {
    yield* this.#claim(aggregate, claim);
    yield* this.#access.change({ ...change, set: null }, 0, false);
    yield* this.#access.change(change, 0, true);
    if (!holds(yield* this.#access.read(change), change.set)) throw changedValue(aggregate);
  }

  /** Refuses a row whose place in legacy belongs to another aggregate. */
  *#claim(aggregate: string, claim: string): Work<void> {
    const [[other] = []] = yield* askAll(this.#otherOwner(aggregate, claim));
    mustOwn(aggregate, other);
  }

  #otherOwner(aggregate: string, claim: string): Statement {
    return statement(this.#sql.owner, claim, aggregate);
  }
}

/** The columns that were written last; null if the row is not stored. */
const writtenIn = (known: StoredRow | undefined): RowChange["set"] =>
  known === undefined ? null : JSON.parse(textIn(known, "written"));

/**
 * Whether legacy's own programs store the row: it has a place in legacy, and the bridge has written no
 * columns there.
 */
const isLegacysOwn = (known: StoredRow | undefined): boolean =>
  known !== undefined && known.claim !== null && known.written === "null";

function mustBeNext({ aggregate, version }: MirrorRow, known: StoredRow | undefined): void {
  const before = numberIn(known, "version");
  if (before !== version - 1)
    throw new EntryRefused(
      "VERSION_GAP",
      `version ${version} of ${aggregate} arrived, and the store has version ${before}, not ${version - 1}`,
    );
}

const foreignRow = (aggregate: string): Error =>
  new EntryRefused("FOREIGN_ROW", `somebody else has changed the row of ${aggregate}`);

const changedValue = (aggregate: string): Error =>
  new EntryRefused("CHANGED_VALUE", `the row of ${aggregate} does not read back as it was written`);

/** Refuses a row whose place in legacy belongs to another aggregate; `other` is undefined if none has it. */
function mustOwn(aggregate: string, other: StoredRow | undefined): void {
  if (other === undefined) return;
  const [kind, ...key] = JSON.parse(aggregate);
  const [symbol, book] = [key.at(-1), key.at(-2)];
  const owner = JSON.parse(textIn(other, "aggregate")).at(-2);
  throw kind === "position" || kind === "daily_pnl"
    ? new WriteRefused(
        "BOOK_NOT_IN_LEGACY",
        `legacy has one row for ${symbol}, and it belongs to book ${JSON.stringify(owner)}, not to ` +
          `${JSON.stringify(book)}; rows that came from legacy belong to the book database.legacy_book`,
      )
    : new WriteRefused(
        "CONFLICT",
        kind === "trade"
          ? "the same source file has another trade with this id, and legacy's unique key allows only one of them"
          : `legacy can hold only one of the rows of ${aggregate} and ${textIn(other, "aggregate")}, and it has the second`,
      );
}
