/**
 * The journal of the file watcher as rules over SQL: how far each file is read, which rows count, and which
 * claims each sink has received.
 *
 * `contents` has one row for each different trade, `rows` has the files and lines that contain it, and
 * `accepted` has one row for each time that it counts. If several files hold the same trade, it counts as
 * many times as in the file with the most copies of it, so no order of arrival matters. The k-th occurrence
 * belongs to the first file that has k rows of the trade, where files are in the order in which
 * `pnl-bridge replay` reads them. A claim has the changes that one piece of a file makes; the sinks receive
 * the claims in their order.
 */
import { BridgeError } from "../base/errors.ts";
import { fileName } from "../base/file-name.ts";
import type {
  AcceptedTrade,
  Claim,
  DueFile,
  FileJournalCalls,
  FileKind,
  FileNote,
  JournalReport,
  KnownFile,
  PriceMark,
  Review,
  ReviewRow,
  TakenPiece,
} from "../ports/file-journal.ts";
import { type LedgerTrade, type RefusedRow, startOfLedger } from "../ports/ledger-rows.ts";
import type { StoredRow, StoredValue } from "../ports/record-store.ts";
import { ask, askAll, numberIn, type Statement, statement, textIn, type Work } from "./work.ts";

type Calls = FileJournalCalls;
type Works = {
  readonly [Name in keyof Calls]: (given: Parameters<Calls[Name]>[0]) => Work<ReturnType<Calls[Name]>>;
};

/** The calls that change nothing. */
export const readingJournalCalls: ReadonlySet<keyof Calls> = new Set<keyof Calls>([
  "incarnation",
  "known",
  "waiting",
  "checkpoints",
  "claims",
  "sink",
  "lane",
  "books",
  "marks",
  "reviews",
  "outcome",
  "quarantine",
  "report",
  "totals",
]);

export const journalTables = `
CREATE TABLE lease (one INTEGER PRIMARY KEY CHECK (one = 1), incarnation TEXT NOT NULL, epoch INTEGER NOT NULL,
  holder TEXT NOT NULL, until_ms INTEGER NOT NULL, format INTEGER NOT NULL) STRICT;
CREATE TABLE roots (root TEXT PRIMARY KEY, identity TEXT NOT NULL, mode TEXT NOT NULL, ok INTEGER NOT NULL,
  code TEXT NOT NULL, why TEXT NOT NULL, since_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE files (file INTEGER PRIMARY KEY, root TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL,
  rank TEXT NOT NULL, state TEXT NOT NULL, note TEXT NOT NULL, since_ms INTEGER NOT NULL, place TEXT NOT NULL,
  chain TEXT NOT NULL, checkpoint TEXT NOT NULL, unverified INTEGER NOT NULL, revocable TEXT,
  size INTEGER, mtime_ms REAL, inode TEXT, good INTEGER NOT NULL, refused INTEGER NOT NULL, UNIQUE (root, path)) STRICT;
CREATE INDEX files_waiting ON files (file) WHERE state IN ('growing', 'waiting', 'republished') OR unverified = 1 OR size IS NULL;
CREATE TABLE checkpoints (file INTEGER NOT NULL, at INTEGER NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY (file, at)) STRICT, WITHOUT ROWID;
CREATE TABLE lanes (lane INTEGER PRIMARY KEY, book TEXT NOT NULL, instrument TEXT NOT NULL,
  UNIQUE (instrument, book)) STRICT;
CREATE TABLE contents (content INTEGER PRIMARY KEY, second INTEGER NOT NULL, digest TEXT NOT NULL, lane INTEGER NOT NULL,
  trade_id TEXT NOT NULL, trade TEXT NOT NULL, held TEXT, resembles INTEGER, UNIQUE (second, trade_id, digest)) STRICT;
CREATE INDEX contents_waiting ON contents (resembles) WHERE held = 'review';
CREATE INDEX contents_lane ON contents (lane);
CREATE TABLE fees (content INTEGER PRIMARY KEY, file INTEGER NOT NULL, fee TEXT NOT NULL) STRICT;
CREATE TABLE rows (file INTEGER NOT NULL, line INTEGER NOT NULL, content INTEGER NOT NULL,
  PRIMARY KEY (file, line)) STRICT, WITHOUT ROWID;
CREATE INDEX rows_of_content ON rows (content);
CREATE TABLE accepted (content INTEGER NOT NULL, occurrence INTEGER NOT NULL, file INTEGER NOT NULL,
  line INTEGER NOT NULL, claim INTEGER NOT NULL, PRIMARY KEY (content, occurrence)) STRICT, WITHOUT ROWID;
CREATE INDEX accepted_of_claim ON accepted (claim);
CREATE INDEX accepted_of_file ON accepted (file);
CREATE TABLE claims (claim INTEGER PRIMARY KEY AUTOINCREMENT, file INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  rows INTEGER NOT NULL, payload TEXT) STRICT;
CREATE TABLE effects (claim INTEGER NOT NULL, what TEXT NOT NULL, content INTEGER NOT NULL,
  occurrence INTEGER NOT NULL, file INTEGER NOT NULL, line INTEGER NOT NULL, was_file INTEGER NOT NULL, was_line INTEGER NOT NULL,
  since INTEGER NOT NULL) STRICT;
CREATE INDEX effects_of_claim ON effects (claim);
CREATE TABLE sinks (sink TEXT PRIMARY KEY, claim INTEGER NOT NULL, failures INTEGER NOT NULL,
  why TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE prices (file INTEGER NOT NULL, line INTEGER NOT NULL, name TEXT NOT NULL, symbol TEXT NOT NULL,
  kind TEXT NOT NULL, day INTEGER NOT NULL, price TEXT NOT NULL, at_us INTEGER NOT NULL) STRICT;
CREATE INDEX prices_of_file ON prices (file);
CREATE INDEX prices_of_name ON prices (name, kind, day);
CREATE TABLE marks (name TEXT NOT NULL, kind TEXT NOT NULL, day INTEGER NOT NULL, symbol TEXT NOT NULL,
  price TEXT, at_us INTEGER NOT NULL, source TEXT NOT NULL, line INTEGER NOT NULL, claim INTEGER NOT NULL,
  PRIMARY KEY (name, kind, day, claim)) STRICT, WITHOUT ROWID;
CREATE INDEX marks_of_claim ON marks (claim);
CREATE TABLE reviews (review INTEGER PRIMARY KEY, file INTEGER, root TEXT NOT NULL, kind TEXT NOT NULL,
  digest TEXT NOT NULL, added INTEGER NOT NULL, removed INTEGER NOT NULL, changed INTEGER NOT NULL,
  rows TEXT NOT NULL, since_ms INTEGER NOT NULL, decision TEXT, closed INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX reviews_open ON reviews (file) WHERE closed = 0;
CREATE TABLE quarantine (file INTEGER NOT NULL, line INTEGER NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL,
  why TEXT NOT NULL, PRIMARY KEY (file, line)) STRICT, WITHOUT ROWID;`;

const rowsShownMax = 100;

const json = <T>(row: StoredRow | undefined, column: string): T => JSON.parse(textIn(row, column));

const sourceOf = (rank: string, line: number): string => `${rank}\u0000${String(line).padStart(10, "0")}`;

/**
 * The number of the journal's format. It must be raised when the program reads rows, identifies trades or
 * digests the bytes of files in another way; `reformat` then converts older journals.
 */
export const journalFormat = 1;

/** Returns a digest of the fields that identify a trade. Rows with equal digests are the same trade. */
type Identify = (trade: LedgerTrade) => string;

/** The journal's calls. */
export function journalCalls(identify: Identify): Works {
  const identified = (trades: readonly LedgerTrade[]): readonly IdentifiedTrade[] =>
    trades.map((trade) => ({ ...trade, digest: identify(trade) }));
  return {
    *lease({ holder, nowMs, lastsMs, deadHolder }) {
      const [lease] = yield* ask("SELECT epoch, holder, until_ms, format FROM lease");
      const current = textIn(lease, "holder");
      const isFree =
        current === "" ||
        current === deadHolder ||
        current === holder ||
        numberIn(lease, "until_ms") <= nowMs;
      if (!isFree) return { holder: current, untilMs: numberIn(lease, "until_ms") };
      const epoch = numberIn(lease, "epoch") + (current === holder ? 0 : 1);
      if (lease?.format !== journalFormat) yield* reformat(identify, nowMs);
      yield* ask(
        "UPDATE lease SET epoch = ?, holder = ?, until_ms = ?, format = ?",
        ...[epoch, holder, nowMs + lastsMs, journalFormat],
      );
      return { epoch };
    },
    *release({ holder }) {
      yield* ask("UPDATE lease SET holder = '', until_ms = 0 WHERE holder = ?", holder);
      return null;
    },
    *incarnation() {
      const [lease] = yield* ask("SELECT incarnation FROM lease");
      return textIn(lease, "incarnation");
    },
    *root({ epoch, root, mode, look, nowMs }) {
      yield* mustHold(epoch);
      const [known] = yield* ask("SELECT * FROM roots WHERE root = ?", root);
      const identity = "identity" in look ? look.identity : textIn(known, "identity");
      const before = textIn(known, "identity");
      const isSame =
        before === "" || before === identity || ("files" in look && (yield* hasAll(root, look.files)));
      const accepted = isSame ? identity : before;
      const state =
        "code" in look
          ? { ok: 0, code: look.code, why: look.why }
          : identity === accepted
            ? { ok: 1, code: "", why: "" }
            : { ok: 0, code: "ROOT_REPLACED", why: "another folder is at this path" };
      if (
        known !== undefined &&
        before === accepted &&
        known.ok === state.ok &&
        known.code === state.code &&
        known.mode === mode
      )
        return state.ok === 1;
      if (state.code === "ROOT_REPLACED")
        yield* openReview({ file: null, root, kind: "root", digest: identity, nowMs });
      else if (state.ok === 1)
        yield* ask("UPDATE reviews SET closed = 1 WHERE kind = 'root' AND root = ? AND closed = 0", root);
      yield* ask(
        `INSERT INTO roots VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (root) DO UPDATE SET
         identity = excluded.identity, mode = excluded.mode, ok = excluded.ok, code = excluded.code,
         why = excluded.why, since_ms = CASE WHEN ok = excluded.ok THEN since_ms ELSE excluded.since_ms END`,
        ...[root, accepted, mode, state.ok, state.code, state.why, nowMs],
      );
      return state.ok === 1;
    },
    *seen({ epoch, root, kind, all, files, nowMs }) {
      yield* mustHold(epoch);
      const found = yield files.map(({ path }) =>
        statement(
          "SELECT file, size, mtime_ms, inode, state FROM files WHERE root = ? AND path = ?",
          root,
          path,
        ),
      );
      const due: DueFile[] = [];
      for (const [at, { path, rank, size, mtimeMs, place }] of files.entries()) {
        const known = found[at]?.[0];
        if (known !== undefined) {
          const isSame =
            known.size === size &&
            known.mtime_ms === mtimeMs &&
            known.inode === place &&
            known.state !== "gone";
          if (all || !isSame) due.push({ file: numberIn(known, "file"), path, kind, rank });
          continue;
        }
        const start = JSON.stringify({ offset: 0, digest: "" });
        const [row] = yield* ask(
          `INSERT INTO files (root, path, kind, rank, state, note, since_ms, place, chain, checkpoint, unverified,
           good, refused) VALUES (?, ?, ?, ?, 'waiting', '{}', ?, ?, ?, ?, 0, 0, 0) RETURNING file`,
          ...[root, path, kind, rank, nowMs, JSON.stringify(startOfLedger), start, start],
        );
        due.push({ file: numberIn(row, "file"), path, kind, rank });
      }
      return due;
    },
    *gone({ epoch, root, nowMs, ...which }) {
      yield* mustHold(epoch);
      const isNamed = "paths" in which;
      yield* ask(
        `UPDATE files SET state = 'gone', since_ms = ?, size = NULL,
         note = json_object('was', state, 'size', size) WHERE root = ? AND state <> 'gone'
         AND path ${isNamed ? "IN" : "NOT IN"} (SELECT value FROM json_each(?))`,
        ...[nowMs, root, JSON.stringify(isNamed ? which.paths : which.allBut)],
      );
      return null;
    },
    known: ({ file }) => knownFile(file),
    *waiting({ all }) {
      const rows = yield* ask(
        all
          ? `SELECT file, path, kind, rank FROM files WHERE state <> 'gone' AND
             (state IN ('growing', 'waiting', 'republished') OR unverified = 1 OR size IS NULL)`
          : `SELECT file, f.path AS path, f.kind AS kind, rank FROM reviews r JOIN files f USING (file)
             WHERE closed = 0 AND decision IS NOT NULL AND r.kind = 'republished'`,
      );
      return rows.map((row) => ({
        file: numberIn(row, "file"),
        path: textIn(row, "path"),
        kind: kindIn(row),
        rank: textIn(row, "rank"),
      }));
    },
    *checkpoints({ file }) {
      const rows = yield* ask("SELECT at, digest FROM checkpoints WHERE file = ? ORDER BY at", file);
      return rows.map((row) => ({ offset: numberIn(row, "at"), digest: textIn(row, "digest") }));
    },
    *note({ epoch, file, note, stat, closesReview = false, nowMs }) {
      yield* mustHold(epoch);
      if (closesReview) yield* closeReviews(file, "republished");
      yield* setNote(file, note, stat, nowMs);
      return null;
    },
    *verified({ epoch, file }) {
      yield* mustHold(epoch);
      yield* ask("UPDATE files SET unverified = 0 WHERE file = ?", file);
      return null;
    },
    *take({ epoch, nowMs, trades, ...given }) {
      yield* mustHold(epoch);
      const piece = { ...given, trades: identified(trades) };
      const known = yield* knownFile(piece.file);
      if (known.chain.offset !== piece.after.offset || known.chain.digest !== piece.after.digest)
        throw new BridgeError("CONFLICT", { what: "another process has read this file further" });
      const changed: Changed = new Map();
      if (known.revocable !== null) yield* dropRow(piece.file, known.revocable.line, changed);
      yield* addRows(piece, changed, nowMs);
      if (known.revocable !== null) yield* releaseHeld(changed);
      yield* settle(piece, changed, nowMs);
      if (known.review !== null) yield* closeReviews(piece.file, "republished");
      yield* ask(
        "UPDATE files SET unverified = ? WHERE file = ?",
        known.place.offset === 0 ? 0 : 1,
        piece.file,
      );
      return yield* knownFile(piece.file);
    },
    *republish({ epoch, nowMs, digest, checkpoints, policy, trades, ...given }) {
      yield* mustHold(epoch);
      const piece = { ...given, trades: identified(trades) };
      const { file } = piece;
      const known = yield* knownFile(file);
      const { review, root } = known;
      const isDecided = review?.digest === digest && review.decision !== null;
      const behind = isDecided ? undefined : yield* rowsBehind(piece, known);
      const how = isDecided ? review.decision : behind === undefined ? policy : "continue";
      if (how === "quarantine") {
        if (review?.digest !== digest) {
          if (review !== null) yield* closeReviews(file, "republished");
          const difference = yield* differenceOf(file, piece.trades);
          yield* openReview({ file, root, kind: "republished", digest, nowMs }, difference);
        }
        yield* setNote(file, { ...piece.note, state: "republished" }, piece.stat, nowMs);
        return yield* knownFile(file);
      }
      yield* closeReviews(file, "republished", isDecided);
      yield* ask("DELETE FROM checkpoints WHERE file = ?", file);
      for (const chain of checkpoints) yield* addCheckpoint(file, chain);
      const changed: Changed = new Map();
      if (how === "apply") {
        const rows = yield* ask("SELECT DISTINCT content FROM rows WHERE file = ?", file);
        for (const row of rows) changed.set(numberIn(row, "content"), null);
        yield* ask("DELETE FROM rows WHERE file = ?", file);
        yield* ask("DELETE FROM quarantine WHERE file = ?", file);
        yield* ask("UPDATE files SET good = 0, refused = 0 WHERE file = ?", file);
      }
      const { revocable } = how === "apply" ? { revocable: null } : piece;
      if (how !== "ignore") {
        yield* addRows({ ...(behind ?? piece), file }, changed, nowMs);
        yield* releaseHeld(changed);
      }
      yield* settle(yield* behindOldRows({ ...piece, revocable }), changed, nowMs);
      yield* ask("UPDATE files SET unverified = 0 WHERE file = ?", file);
      return yield* knownFile(file);
    },
    *prices({ epoch, file, digest, marks, refused, policy, note, stat, nowMs }) {
      yield* mustHold(epoch);
      const { review, root, chain } = yield* knownFile(file);
      if (chain.digest === digest) {
        yield* closeReviews(file, "republished");
        yield* setNote(file, note, stat, nowMs);
        return yield* knownFile(file);
      }
      const before = (yield* ask("SELECT * FROM prices WHERE file = ?", file)).map(markIn);
      const now = new Map(marks.map((mark) => [markKey(mark), mark]));
      const lost = before.filter((mark) => now.get(markKey(mark))?.price !== mark.price);
      const isDecided = review?.digest === digest && review.decision !== null;
      const how = isDecided ? review.decision : policy;
      if (lost.length > 0 && how === "quarantine") {
        if (review?.digest !== digest) {
          if (review !== null) yield* closeReviews(file, "republished");
          const changed = lost.filter((mark) => now.has(markKey(mark))).length;
          const counts = { added: marks.length - before.length + lost.length - changed, changed };
          const difference = { ...counts, removed: lost.length - changed, rows: [] };
          yield* openReview({ file, root, kind: "republished", digest, nowMs }, difference);
        }
        yield* setNote(file, { ...note, state: "republished" }, stat, nowMs);
        return yield* knownFile(file);
      }
      yield* closeReviews(file, "republished", isDecided);
      if (lost.length === 0 || how === "apply") yield* setPrices(file, before, marks, nowMs);
      yield* setQuarantine(file, refused);
      // No second review asks about content that a person has applied or ignored.
      const taken = JSON.stringify({ offset: stat.size, digest });
      yield* ask(
        "UPDATE files SET good = ?, refused = ?, chain = ? WHERE file = ?",
        ...[marks.length, refused.length, taken, file],
      );
      yield* setNote(file, note, stat, nowMs);
      return yield* knownFile(file);
    },
    *claims({ sink, limit }) {
      const done = yield* sinkState(sink);
      const rows = yield* ask(
        `SELECT claim, root, path, at_ms, payload FROM claims JOIN files USING (file)
         WHERE claim > ? ORDER BY claim LIMIT ?`,
        ...[done.claim, limit],
      );
      const claims: Claim[] = [];
      for (const row of rows) claims.push(yield* claimOf(row));
      return claims;
    },
    *prepare({ epoch, claim, payload }) {
      yield* mustHold(epoch);
      yield* ask("UPDATE claims SET payload = ? WHERE claim = ? AND payload IS NULL", payload, claim);
      return null;
    },
    *receipt({ epoch, sink, claim, failure, forgets = false, legacyRows = [], nowMs }) {
      yield* mustHold(epoch);
      if (failure !== undefined) {
        yield* ask(
          `INSERT INTO sinks VALUES (?, 0, 1, ?) ON CONFLICT (sink)
           DO UPDATE SET failures = failures + 1, why = excluded.why`,
          ...[sink, failure],
        );
        return null;
      }
      yield* ask(
        `INSERT INTO sinks VALUES (?, ?, 0, '') ON CONFLICT (sink)
         DO UPDATE SET claim = max(claim, excluded.claim), failures = 0, why = ''`,
        ...[sink, claim],
      );
      if (forgets) yield* ask("UPDATE claims SET payload = '' WHERE claim = ?", claim);
      if (legacyRows.length > 0) yield* reviewInLegacy(claim, legacyRows, nowMs);
      return null;
    },
    sink: ({ sink }) => sinkState(sink),
    *refuse({ epoch, claim, rows, nowMs }) {
      yield* mustHold(epoch);
      const changed: Changed = new Map();
      for (const { digest, timeUs, code, why } of rows) {
        const [content] = yield* ask(
          "SELECT content, trade FROM contents WHERE second = ? AND digest = ?",
          ...[secondOf({ timeUs }), digest],
        );
        if (content === undefined) continue;
        const id = numberIn(content, "content");
        yield* ask("UPDATE contents SET held = 'refused' WHERE content = ?", id);
        changed.set(id, null);
        for (const place of yield* ask("SELECT file, line FROM rows WHERE content = ?", id)) {
          const file = numberIn(place, "file");
          yield* setQuarantine(file, [
            { line: numberIn(place, "line"), code, why, text: textIn(content, "trade") },
          ]);
          yield* ask("UPDATE files SET good = good - 1, refused = refused + 1 WHERE file = ?", file);
        }
      }
      const [row] = yield* ask("SELECT file FROM claims WHERE claim = ?", claim);
      yield* recount(numberIn(row, "file"), changed, nowMs);
      return null;
    },
    *lane({ book, instrument, before }) {
      const [now = [], since = []] = yield* askAll(
        statement(
          `SELECT ${acceptedColumns}, a.line AS line FROM lanes CROSS JOIN contents USING (lane)
           CROSS JOIN accepted a USING (content) JOIN files f ON f.file = a.file
           WHERE instrument = ? AND book = ? AND claim < ?`,
          ...[instrument, book, before],
        ),
        // The first change of a trade since `before` contains the place that the trade had before all of
        // these changes.
        statement(
          `SELECT ${acceptedColumns}, was_line AS line, min(claim) FROM effects e JOIN contents USING (content)
           JOIN lanes USING (lane) JOIN files f ON f.file = was_file WHERE claim >= ? AND since < ? AND instrument = ? AND book = ?
           GROUP BY content, occurrence`,
          ...[before, before, instrument, book],
        ),
      );
      const trades = new Map<string, AcceptedTrade>();
      for (const trade of [...now, ...since].map(acceptedIn))
        trades.set(`${trade.digest} ${trade.occurrence}`, trade);
      return [...trades.values()];
    },
    *books({ instrument, before }) {
      const rows = yield* ask(
        `SELECT book FROM lanes WHERE instrument = ? AND EXISTS
         (SELECT 1 FROM contents c CROSS JOIN accepted USING (content) WHERE c.lane = lanes.lane AND claim < ?)
         UNION SELECT book FROM effects JOIN contents USING (content) JOIN lanes USING (lane)
         WHERE claim >= ? AND since < ? AND instrument = ?`,
        ...[instrument, before, before, before, instrument],
      );
      return rows.map((row) => textIn(row, "book"));
    },
    *marks({ name, before }) {
      const rows = yield* ask(
        // Reads the state that the last claim gave to each mark.
        "SELECT *, max(claim) FROM marks WHERE name = ? AND claim < ? GROUP BY kind, day",
        ...[name, before],
      );
      return rows.filter(({ price }) => price !== null).map(markIn);
    },
    *reviews() {
      const rows = yield* ask(
        `SELECT r.*, f.path AS path FROM reviews r LEFT JOIN files f USING (file) WHERE closed = 0 ORDER BY review`,
      );
      return rows.map(reviewIn);
    },
    *decide({ review, decision, nowMs }) {
      const [row] = yield* ask("SELECT * FROM reviews WHERE review = ? AND closed = 0", review);
      if (row === undefined)
        throw new BridgeError("REFUSED", {
          what: `there is no open review ${review}`,
          fix: "list the open ones with `pnl-bridge watch review list`",
        });
      yield* ask("UPDATE reviews SET decision = ? WHERE review = ?", decision, review);
      if (row.kind === "root") yield* decideRoot(row, decision);
      if (row.kind === "similar_row") yield* decideSimilar(row, decision, nowMs);
      // A person has changed legacy's rows, or leaves them; the journal changes nothing.
      if (row.kind === "legacy_rows") yield* closeReview(review);
      return null;
    },
    *outcome({ review }) {
      const [row] = yield* ask("SELECT closed FROM reviews WHERE review = ?", review);
      if (row === undefined) return null;
      return row.closed === done ? "done" : row.closed === stale ? "stale" : "open";
    },
    *quarantine({ limit }) {
      const rows = yield* ask(
        `SELECT q.*, f.root AS root, f.path AS path FROM quarantine q JOIN files f USING (file)
         ORDER BY f.rank, line LIMIT ?`,
        limit,
      );
      return rows.map((row) => ({
        root: textIn(row, "root"),
        path: textIn(row, "path"),
        line: numberIn(row, "line"),
        code: textIn(row, "code"),
        text: textIn(row, "text"),
        why: textIn(row, "why"),
      }));
    },
    *report(given) {
      const roots = yield* ask("SELECT * FROM roots ORDER BY root");
      const { owed = 0, only = null } = given ?? {};
      const files = yield* ask(
        `SELECT f.*, (SELECT count(*) FROM accepted a WHERE a.file = f.file) AS applied FROM files f
         ${only === null ? "" : "WHERE root = ? AND path = ?"} ORDER BY rank`,
        ...(only === null ? [] : [only.root, only.path]),
      );
      const [lease] = yield* ask("SELECT holder, until_ms FROM lease");
      return {
        roots: roots.map((row) => ({
          root: textIn(row, "root"),
          mode: textIn(row, "mode"),
          ok: row.ok === 1,
          sinceMs: numberIn(row, "since_ms"),
          code: textIn(row, "code"),
          why: textIn(row, "why"),
        })),
        sinks: yield* sinkReports(owed),
        files: files.map((row) => {
          const isLedger = row.kind === "ledger";
          const good = numberIn(row, "good");
          const rowsApplied = isLedger ? numberIn(row, "applied") : good;
          return {
            ...json<FileNote>(row, "note"),
            state: textIn(row, "state") as FileNote["state"],
            root: textIn(row, "root"),
            path: textIn(row, "path"),
            sinceMs: numberIn(row, "since_ms"),
            rowsApplied,
            rowsElsewhere: good - rowsApplied,
            rowsRefused: numberIn(row, "refused"),
            revocable: row.revocable === null ? null : json(row, "revocable"),
          };
        }),
        holder:
          textIn(lease, "holder") === ""
            ? null
            : { holder: textIn(lease, "holder"), untilMs: numberIn(lease, "until_ms") },
      };
    },
    *totals({ owed }) {
      const [states = [], counts = []] = yield* askAll(
        statement("SELECT state, count(*) AS files FROM files GROUP BY state"),
        statement(
          `SELECT (SELECT count(*) FROM accepted) AS applied, (SELECT coalesce(sum(refused), 0) FROM files) AS refused,
           (SELECT count(*) FROM reviews WHERE closed = 0) AS reviews,
           (SELECT count(*) FROM roots WHERE ok = 0) AS lost`,
        ),
      );
      const [row] = counts;
      return {
        sinks: yield* sinkReports(owed),
        states: Object.fromEntries(states.map((row) => [textIn(row, "state"), numberIn(row, "files")])),
        applied: numberIn(row, "applied"),
        refused: numberIn(row, "refused"),
        reviews: numberIn(row, "reviews"),
        lostRoots: numberIn(row, "lost"),
      };
    },
  };
}

interface Difference {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  readonly rows: readonly ReviewRow[];
}

const noRows: Difference = { added: 0, removed: 0, changed: 0, rows: [] };

/** Whether a folder has every file that the journal knows of a root, none of them shorter. */
function* hasAll(
  root: string,
  files: readonly { readonly path: string; readonly size: number }[],
): Work<boolean> {
  const sizes = new Map(files.map(({ path, size }) => [path, size]));
  const known = yield* ask("SELECT path, size FROM files WHERE root = ? AND state <> 'gone'", root);
  return known.every((row) => (sizes.get(textIn(row, "path")) ?? -1) >= numberIn(row, "size"));
}

function* mustHold(epoch: number): Work<void> {
  const [lease] = yield* ask("SELECT epoch FROM lease");
  if (numberIn(lease, "epoch") !== epoch)
    throw new BridgeError("CONFLICT", { what: "another process watches these folders now" });
}

function* knownFile(file: number): Work<KnownFile> {
  const [row] = yield* ask("SELECT * FROM files WHERE file = ?", file);
  const [review] = yield* ask(
    "SELECT review, digest, decision FROM reviews WHERE file = ? AND kind = 'republished' AND closed = 0",
    file,
  );
  return {
    file,
    root: textIn(row, "root"),
    path: textIn(row, "path"),
    kind: kindIn(row),
    state: textIn(row, "state") as KnownFile["state"],
    place: json(row, "place"),
    chain: json(row, "chain"),
    checkpoint: json(row, "checkpoint"),
    rows: numberIn(row, "good") + numberIn(row, "refused"),
    isUnverified: row?.unverified === 1,
    revocable: row?.revocable == null ? null : json(row, "revocable"),
    stat:
      row?.size == null
        ? null
        : { size: numberIn(row, "size"), mtimeMs: numberIn(row, "mtime_ms"), place: textIn(row, "inode") },
    review:
      review === undefined
        ? null
        : {
            id: numberIn(review, "review"),
            digest: textIn(review, "digest"),
            decision: decisionIn(review),
          },
  };
}

const kindIn = (row: StoredRow | undefined): FileKind => (row?.kind === "prices" ? "prices" : "ledger");

const decisionIn = ({ decision }: StoredRow): "apply" | "ignore" | null =>
  decision === "apply" || decision === "ignore" ? decision : null;

/** Sets the state of a file; `since` stays the same as long as state and reason do. */
function* setNote(
  file: number,
  { state, ...rest }: FileNote,
  stat: KnownFile["stat"],
  nowMs: number,
): Work<void> {
  const note = JSON.stringify(rest);
  yield* ask(
    `UPDATE files SET since_ms = CASE WHEN state = ? AND note = ? THEN since_ms ELSE ? END, state = ?, note = ?,
     size = ?, mtime_ms = ?, inode = ? WHERE file = ?`,
    ...[
      state,
      note,
      nowMs,
      state,
      note,
      stat?.size ?? null,
      stat?.mtimeMs ?? null,
      stat?.place ?? null,
      file,
    ],
  );
}

const addCheckpoint = (file: number, { offset, digest }: TakenPiece["chain"]): Work<unknown> =>
  ask(
    "INSERT INTO checkpoints VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET digest = excluded.digest",
    file,
    offset,
    digest,
  );

function* setQuarantine(
  file: number,
  rows: readonly (Omit<RefusedRow, "code"> & { readonly code: string })[],
): Work<void> {
  yield rows.map(({ line, code, text, why }) =>
    statement("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?, ?, ?)", file, line, code, text, why),
  );
}

/**
 * The contents whose counts may have changed. The value of a new content with one row is the line of that
 * row, so that no rows of other files must be read; it is null for every other content.
 */
type Changed = Map<number, number | null>;

interface IdentifiedTrade extends LedgerTrade {
  readonly digest: string;
}

interface NewRows extends Pick<TakenPiece, "refused"> {
  readonly trades: readonly IdentifiedTrade[];
}

interface IdentifiedRows extends NewRows, Pick<TakenPiece, "file"> {}

/**
 * Brings a journal of another format to the present one. Each trade is identified anew, and each file is
 * compared from its start before it is read on; rows that are read in another way now are a re-publication. A
 * revocable row is taken back, because its bytes cannot be compared.
 */
function* reformat(identify: Identify, nowMs: number): Work<void> {
  const files = yield* ask("SELECT file, revocable FROM files WHERE revocable IS NOT NULL");
  for (const row of files) {
    const changed: Changed = new Map();
    const file = numberIn(row, "file");
    yield* dropRow(file, json<{ readonly line: number }>(row, "revocable").line, changed);
    yield* recount(file, changed, nowMs);
  }
  // No content has this digest, and a file without a size is read again.
  yield* ask(
    `UPDATE files SET revocable = NULL, size = NULL, chain = CASE WHEN json_extract(chain, '$.offset') > 0
     THEN json_set(chain, '$.digest', 'another format') ELSE chain END`,
  );
  for (let after = 0; ; ) {
    const rows = yield* ask(
      "SELECT content, trade FROM contents WHERE content > ? ORDER BY content LIMIT 1000",
      after,
    );
    if (rows.length === 0) return;
    after = numberIn(rows.at(-1), "content");
    yield rows.map((row) =>
      // A trade that has become the same as another one stays as it is until its file is compared.
      statement(
        "UPDATE OR IGNORE contents SET digest = ? WHERE content = ?",
        ...[identify(json(row, "trade")), numberIn(row, "content")],
      ),
    );
  }
}

/**
 * Returns the rows of a new content that follow the known rows. Undefined unless the content begins with the
 * known rows, each in its line, and ends with the revocable row if there is one.
 */
function* rowsBehind(
  { file, trades, refused, revocable }: IdentifiedRows & Pick<TakenPiece, "revocable">,
  known: KnownFile,
): Work<NewRows | undefined> {
  if (known.revocable?.line !== revocable?.line) return undefined;
  const [good = [], bad = []] = yield* askAll(
    statement(
      "SELECT line, digest FROM rows JOIN contents USING (content) WHERE file = ? AND line <> ? ORDER BY line",
      ...[file, revocable?.line ?? 0],
    ),
    statement(
      "SELECT line FROM quarantine WHERE file = ? AND line <> ? ORDER BY line",
      ...[file, revocable?.line ?? 0],
    ),
  );
  const isSame =
    good.every(({ line, digest }, at) => line === trades[at]?.line && digest === trades[at]?.digest) &&
    bad.every(({ line }, at) => line === refused[at]?.line);
  return isSame ? { trades: trades.slice(good.length), refused: refused.slice(bad.length) } : undefined;
}

/**
 * Returns the piece with a place after the last line of the old content, whose rows still count, so that
 * appended lines get higher numbers.
 */
function* behindOldRows<T extends Pick<TakenPiece, "file" | "place" | "revocable">>(piece: T): Work<T> {
  const { file, place, revocable } = piece;
  const [row] = yield* ask(
    `SELECT max(line) AS line FROM (SELECT line FROM rows WHERE file = ? UNION ALL
     SELECT line FROM quarantine WHERE file = ?) WHERE line <> ?`,
    ...[file, file, revocable?.line ?? 0],
  );
  return { ...piece, place: { ...place, line: Math.max(place.line, numberIn(row, "line")) } };
}

/** Adds the rows of a piece. */
function* addRows({ file, trades, refused }: IdentifiedRows, changed: Changed, nowMs: number): Work<void> {
  yield* setQuarantine(file, refused);
  const lanes = yield* lanesOf(trades);
  const inserted = yield trades.map(({ digest, line: _, ...trade }) =>
    statement(
      `INSERT INTO contents (second, digest, lane, trade_id, trade) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING RETURNING content`,
      ...[secondOf(trade), digest, lanes.get(laneKey(trade)) ?? 0, trade.id, JSON.stringify(trade)],
    ),
  );
  const old = trades.filter((_, at) => inserted[at]?.length === 0);
  const found = yield old.map((trade) =>
    statement(
      "SELECT content, trade FROM contents WHERE second = ? AND trade_id = ? AND digest = ?",
      ...[secondOf(trade), trade.id, trade.digest],
    ),
  );
  const contents = new Map<string, number>();
  const fees: (NewContent & { readonly was: LedgerTrade })[] = [];
  for (const [at, trade] of old.entries()) {
    const content = numberIn(found[at]?.[0], "content");
    const was = json<LedgerTrade>(found[at]?.[0], "trade");
    contents.set(trade.digest, content);
    changed.set(content, null);
    if (trade.fee !== null && trade.fee !== was.fee) fees.push({ content, was, trade });
  }
  const fresh: NewContent[] = [];
  for (const [at, trade] of trades.entries()) {
    const row = inserted[at]?.[0];
    if (row === undefined) continue;
    const content = numberIn(row, "content");
    if (!contents.has(trade.digest)) changed.set(content, trade.line);
    contents.set(trade.digest, content);
    fresh.push({ trade, content });
  }
  yield trades.map(({ digest, line }) =>
    statement("INSERT INTO rows VALUES (?, ?, ?)", file, line, contents.get(digest) ?? 0),
  );
  yield* ask(
    "UPDATE files SET good = good + ?, refused = refused + ? WHERE file = ?",
    ...[trades.length, refused.length, file],
  );
  for (const content of yield* holdSimilar(file, fresh, fees, nowMs)) changed.set(content, null);
}

const secondOf = ({ timeUs }: Pick<LedgerTrade, "timeUs">): number => Math.floor(timeUs / 1e6);

const laneKey = ({ instrument, book }: Pick<LedgerTrade, "instrument" | "book">): string =>
  JSON.stringify([instrument, book]);

/** Returns the numbers of the lanes of some trades; a new lane gets a number. */
function* lanesOf(trades: readonly LedgerTrade[]): Work<ReadonlyMap<string, number>> {
  const named = [...new Map(trades.map((trade) => [laneKey(trade), trade])).values()];
  const found = yield named.map(({ instrument, book }) =>
    statement(
      // An update that changes nothing makes an existing row return its number too.
      `INSERT INTO lanes (instrument, book) VALUES (?, ?)
       ON CONFLICT DO UPDATE SET book = excluded.book RETURNING lane`,
      ...[instrument, book],
    ),
  );
  return new Map(named.map((trade, at) => [laneKey(trade), numberIn(found[at]?.[0], "lane")]));
}

interface NewContent {
  readonly trade: LedgerTrade;
  readonly content: number;
}

/**
 * Holds each new trade that differs from a trade of another file in exactly one field, until a person has
 * decided whether it is a separate trade. A different fee of the same trade waits in the same way.
 */
function* holdSimilar(
  file: number,
  fresh: readonly NewContent[],
  fees: readonly (NewContent & { readonly was: LedgerTrade })[],
  nowMs: number,
): Work<readonly number[]> {
  const found = yield fresh.map(({ trade, content }) =>
    statement(
      `SELECT content, trade FROM contents c WHERE second = ? AND trade_id = ? AND content <> ?
       AND held IS NULL AND (SELECT max(r.file = ?) FROM rows r WHERE r.content = c.content) = 0 LIMIT 20`,
      ...[secondOf(trade), trade.id, content, file],
    ),
  );
  const held: number[] = [];
  const rows = fees.map(
    ({ trade, was }): ReviewRow => ({ what: "similar", line: trade.line, was, is: trade }),
  );
  yield fees.map(({ content, trade }) =>
    statement("INSERT OR REPLACE INTO fees VALUES (?, ?, ?)", content, file, trade.fee),
  );
  for (const [at, { trade, content }] of fresh.entries()) {
    const similar = found[at]?.find((row) => isSimilar(json(row, "trade"), trade));
    if (similar === undefined) continue;
    yield* ask(
      "UPDATE contents SET held = 'review', resembles = ? WHERE content = ?",
      ...[numberIn(similar, "content"), content],
    );
    held.push(content);
    rows.push({ what: "similar", line: trade.line, was: json(similar, "trade"), is: trade });
  }
  if (rows.length === 0) return held;
  const [known] = yield* ask("SELECT root FROM files WHERE file = ?", file);
  const counts = { added: 0, removed: 0, changed: rows.length, rows };
  yield* openReview({ file, root: textIn(known, "root"), kind: "similar_row", digest: "", nowMs }, counts);
  return held;
}

/** Releases held rows that no file contains any longer, and held rows that resemble such a row. */
function* releaseHeld(changed: Changed): Work<void> {
  const released = yield [...changed.keys()].map((content) =>
    statement(
      `UPDATE contents SET held = NULL WHERE held = 'review' AND (content = ? OR resembles = ?)
       AND NOT EXISTS (SELECT 1 FROM rows r WHERE r.content = ?) RETURNING content`,
      ...[content, content, content],
    ),
  );
  const contents = released.flat().map((row) => numberIn(row, "content"));
  if (contents.length === 0) return;
  for (const content of contents) changed.set(content, null);
  yield* ask(
    `UPDATE reviews SET closed = ? WHERE kind = 'similar_row' AND closed = 0
     AND NOT EXISTS (SELECT 1 FROM fees WHERE fees.file = reviews.file)
     AND NOT EXISTS (SELECT 1 FROM rows JOIN contents USING (content)
                     WHERE rows.file = reviews.file AND held = 'review')`,
    stale,
  );
}

/** Whether two trades of one id and second differ in exactly one field, apart from the fee. */
const isSimilar = (was: LedgerTrade, is: LedgerTrade): boolean =>
  was.instrument === is.instrument &&
  (["timeUs", "book", "side", "quantity", "price"] as const).filter((field) => was[field] !== is[field])
    .length === 1;

function* dropRow(file: number, line: number, changed: Changed): Work<void> {
  const rows = yield* ask("DELETE FROM rows WHERE file = ? AND line = ? RETURNING content", file, line);
  for (const row of rows) changed.set(numberIn(row, "content"), null);
  const refused = yield* ask("DELETE FROM quarantine WHERE file = ? AND line = ? RETURNING line", file, line);
  yield* ask(
    "UPDATE files SET good = good - ?, refused = refused - ? WHERE file = ?",
    ...[rows.length, refused.length, file],
  );
}

/** Completes a piece: recounts the contents that changed, and records how far the file is read. */
function* settle(
  { file, place, chain, checkpoint, revocable, note, stat }: Omit<TakenPiece, "after">,
  changed: Changed,
  nowMs: number,
): Work<void> {
  yield* recount(file, changed, nowMs);
  if (checkpoint !== undefined) {
    yield* addCheckpoint(file, checkpoint);
    yield* ask("UPDATE files SET checkpoint = ? WHERE file = ?", JSON.stringify(checkpoint), file);
  }
  yield* ask(
    "UPDATE files SET place = ?, chain = ?, revocable = ? WHERE file = ?",
    ...[JSON.stringify(place), JSON.stringify(chain), revocable && JSON.stringify(revocable), file],
  );
  yield* setNote(file, note, stat, nowMs);
}

/** Makes the accepted occurrences of some contents agree with their rows, and claims the difference. */
function* recount(file: number, contents: Changed, nowMs: number): Work<void> {
  if (contents.size === 0) return;
  const ids = [...contents.keys()].filter((content) => contents.get(content) === null);
  const found = yield ids.flatMap((content) => [
    statement(
      `SELECT r.file AS file, r.line AS line FROM rows r JOIN files f USING (file)
       WHERE content = ? AND (SELECT held FROM contents c WHERE c.content = r.content) IS NULL
       ORDER BY f.rank, f.file, r.line`,
      content,
    ),
    statement(
      "SELECT occurrence, file, line, claim FROM accepted WHERE content = ? ORDER BY occurrence",
      content,
    ),
  ]);
  const changes: {
    readonly content: number;
    readonly occurrence: number;
    readonly now: { readonly file: number; readonly line: number } | undefined;
    readonly was: StoredRow | undefined;
  }[] = [];
  for (const [content, line] of contents)
    if (line !== null) changes.push({ content, occurrence: 1, now: { file, line }, was: undefined });
  for (const [at, content] of ids.entries()) {
    const wanted = occurrencesOf(found[2 * at] ?? []);
    const have = found[2 * at + 1] ?? [];
    for (let index = 0; index < Math.max(wanted.length, have.length); index += 1) {
      const [now, was] = [wanted[index], have[index]];
      if (now === undefined || was?.file !== now.file || was.line !== now.line)
        changes.push({ content, occurrence: index + 1, now, was });
    }
  }
  if (changes.length === 0) return;
  const claim = yield* newClaim(file, changes.length, nowMs);
  yield changes.flatMap(({ content, occurrence, now, was }): Statement[] => {
    if (was === undefined) {
      const { file = 0, line = 0 } = now ?? {};
      return [
        statement("INSERT INTO accepted VALUES (?, ?, ?, ?, ?)", content, occurrence, file, line, claim),
      ];
    }
    const { file = 0, line = 0, claim: since = 0 } = was;
    const to = now ?? { file, line };
    const effect = statement(
      "INSERT INTO effects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      ...[
        claim,
        now === undefined ? "removed" : "moved",
        content,
        occurrence,
        to.file,
        to.line,
        file,
        line,
        since,
      ],
    );
    const key = "WHERE content = ? AND occurrence = ?";
    return [
      effect,
      now === undefined
        ? statement(`DELETE FROM accepted ${key}`, content, occurrence)
        : statement(`UPDATE accepted SET file = ?, line = ? ${key}`, now.file, now.line, content, occurrence),
    ];
  });
}

function* newClaim(file: number, rows: number, nowMs: number): Work<number> {
  const [row] = yield* ask(
    "INSERT INTO claims (file, at_ms, rows) VALUES (?, ?, ?) RETURNING claim",
    ...[file, nowMs, rows],
  );
  return numberIn(row, "claim");
}

/**
 * Returns the file and line for which each occurrence counts: the k-th counts for the first file that has k
 * rows. `rows` are in the order of the files and lines.
 */
function occurrencesOf(
  rows: readonly StoredRow[],
): readonly { readonly file: number; readonly line: number }[] {
  const places: { file: number; line: number }[] = [];
  let [file, count] = [-1, 0];
  for (const row of rows) {
    count = numberIn(row, "file") === file ? count + 1 : 1;
    file = numberIn(row, "file");
    if (count > places.length) places.push({ file, line: numberIn(row, "line") });
  }
  return places;
}

function* claimOf(row: StoredRow): Work<Claim> {
  const claim = numberIn(row, "claim");
  const [added = [], effects = [], marks = []] = yield [
    statement(
      `SELECT ${acceptedColumns}, a.line AS line FROM accepted a JOIN contents USING (content)
       JOIN files f ON f.file = a.file WHERE claim = ?`,
      claim,
    ),
    statement(
      `SELECT ${acceptedColumns}, e.line AS line, what FROM effects e JOIN contents USING (content)
       JOIN files f ON f.file = e.file WHERE claim = ?`,
      claim,
    ),
    statement("SELECT * FROM marks WHERE claim = ?", claim),
  ];
  const effect = (what: string) => effects.filter((one) => one.what === what).map(acceptedIn);
  const corrected = effect("corrected");
  return {
    claim,
    root: textIn(row, "root"),
    path: textIn(row, "path"),
    added: added.map(acceptedIn),
    removed: effect("removed"),
    moved: [...effect("moved"), ...corrected],
    corrected,
    marks: marks.map((mark) => ({
      ...markIn(mark),
      price: mark.price === null ? null : textIn(mark, "price"),
      source: textIn(mark, "source"),
    })),
    payload: row.payload === null ? null : textIn(row, "payload"),
    atMs: numberIn(row, "at_ms"),
  };
}

const acceptedColumns = "trade, digest, occurrence, path, rank";

const acceptedIn = (row: StoredRow): AcceptedTrade => ({
  trade: { ...json<Omit<LedgerTrade, "line">>(row, "trade"), line: numberIn(row, "line") },
  digest: textIn(row, "digest"),
  occurrence: numberIn(row, "occurrence"),
  file: fileName(textIn(row, "path")),
  source: sourceOf(textIn(row, "rank"), numberIn(row, "line")),
});

/**
 * Returns the state of each sink that has received a claim. `owed` is the number of the newest claims that
 * have not reached the other store yet.
 */
function* sinkReports(owed: number): Work<JournalReport["sinks"]> {
  const sinks = yield* ask(
    `SELECT s.*, (SELECT count(*) FROM accepted a WHERE a.claim <= s.claim) AS rows,
     (SELECT count(*) FROM accepted a WHERE a.claim <= (SELECT claim FROM claims c WHERE c.claim <= s.claim
      ORDER BY c.claim DESC LIMIT 1 OFFSET ?)) AS mirrored,
     (SELECT at_ms FROM claims c WHERE c.claim > s.claim ORDER BY c.claim LIMIT 1) AS oldest FROM sinks s`,
    owed,
  );
  return sinks.map((row) => ({
    ...sinkIn(row),
    sink: textIn(row, "sink"),
    rows: numberIn(row, "rows"),
    mirrored: numberIn(row, "mirrored"),
    oldestMs: row.oldest === null ? null : numberIn(row, "oldest"),
  }));
}

function* sinkState(sink: string) {
  const [row] = yield* ask("SELECT * FROM sinks WHERE sink = ?", sink);
  return sinkIn(row);
}

const sinkIn = (row: StoredRow | undefined) => ({
  claim: numberIn(row, "claim"),
  failures: numberIn(row, "failures"),
  why: textIn(row, "why"),
});

const markKey = ({ name, kind, day, atUs }: PriceMark): string => JSON.stringify([name, kind, day, atUs]);

const markIn = (row: StoredRow): PriceMark => ({
  name: textIn(row, "name"),
  symbol: textIn(row, "symbol"),
  kind: textIn(row, "kind"),
  day: numberIn(row, "day"),
  price: textIn(row, "price"),
  atUs: numberIn(row, "at_us"),
  line: numberIn(row, "line"),
});

/**
 * Replaces the prices of a file, and claims the marks that change as a result. The latest price of a day
 * counts.
 */
function* setPrices(
  file: number,
  before: readonly PriceMark[],
  marks: readonly PriceMark[],
  nowMs: number,
): Work<void> {
  yield* ask("DELETE FROM prices WHERE file = ?", file);
  yield marks.map(({ line, name, symbol, kind, day, price, atUs }) =>
    statement(
      "INSERT INTO prices VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      file,
      line,
      name,
      symbol,
      kind,
      day,
      price,
      atUs,
    ),
  );
  const keys = new Map(
    [...before, ...marks].map(({ name, kind, day }) => [
      JSON.stringify([name, kind, day]),
      { name, kind, day },
    ]),
  );
  const ids = [...keys.values()];
  const found = yield ids.flatMap(({ name, kind, day }) => [
    statement(
      `SELECT p.*, f.path AS path FROM prices p JOIN files f USING (file)
       WHERE name = ? AND p.kind = ? AND day = ? ORDER BY at_us DESC, f.rank DESC, line DESC`,
      ...[name, kind, day],
    ),
    statement(
      "SELECT * FROM marks WHERE name = ? AND kind = ? AND day = ? ORDER BY claim DESC LIMIT 1",
      ...[name, kind, day],
    ),
  ]);
  const made: StoredValue[][] = [];
  for (const at of ids.keys()) {
    const prices = found[2 * at] ?? [];
    const was = found[2 * at + 1]?.[0];
    const now = prices.find((one) =>
      // Two prices of one moment contradict each other, and neither counts.
      prices.every((other) => other.at_us !== one.at_us || other.price === one.price),
    );
    const row = now ?? was;
    if (
      row === undefined ||
      (was !== undefined && was.price === (now?.price ?? null) && was.at_us === row.at_us)
    )
      continue;
    const { name, kind, day, symbol, atUs, line } = markIn(row);
    const source = now === undefined ? textIn(was, "source") : fileName(textIn(now, "path"));
    made.push([name, kind, day, symbol, now?.price ?? null, atUs, source, line]);
  }
  if (made.length === 0) return;
  const claim = yield* newClaim(file, made.length, nowMs);
  yield made.map((values) =>
    statement("INSERT INTO marks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", ...values, claim),
  );
}

/** Returns the difference between the rows of a file that count and its new rows. */
function* differenceOf(file: number, now: readonly IdentifiedTrade[]): Work<Difference> {
  const before = yield* ask(
    "SELECT digest, line, trade FROM rows JOIN contents USING (content) WHERE file = ? ORDER BY line",
    file,
  );
  const left = new Map<string, StoredRow[]>();
  for (const row of before) {
    const same = left.get(textIn(row, "digest"));
    if (same === undefined) left.set(textIn(row, "digest"), [row]);
    else same.push(row);
  }
  const added = now.filter(({ digest }) => left.get(digest)?.shift() === undefined);
  const removed = [...left.values()].flat();
  const byId = new Map(removed.map((row) => [json<LedgerTrade>(row, "trade").id, row]));
  const rows: ReviewRow[] = [];
  let changed = 0;
  for (const { digest: _, ...is } of added) {
    const row = byId.get(is.id);
    byId.delete(is.id);
    if (row === undefined) rows.push({ what: "added", line: is.line, is });
    else {
      changed += 1;
      rows.push({ what: "changed", line: is.line, was: json(row, "trade"), is });
    }
  }
  const paired = new Set(rows.filter(({ what }) => what === "changed").map(({ was }) => was?.id));
  const gone = removed.filter((row) => {
    const { id } = json<LedgerTrade>(row, "trade");
    return !paired.delete(id);
  });
  for (const row of gone)
    rows.push({ what: "removed", line: numberIn(row, "line"), was: json(row, "trade") });
  return { added: added.length - changed, removed: gone.length, changed, rows };
}

interface NewReview {
  /** Null for the review of a root. */
  readonly file: number | null;
  readonly root: string;
  readonly kind: Review["kind"];
  /** The digest of the content, or the identity of the root, that the person must decide about. */
  readonly digest: string;
  readonly nowMs: number;
}

const openReview = (
  { file, root, kind, digest, nowMs }: NewReview,
  { added, removed, changed, rows }: Difference = noRows,
): Work<unknown> =>
  ask(
    `INSERT INTO reviews (file, root, kind, digest, added, removed, changed, rows, since_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[
      file,
      root,
      kind,
      digest,
      added,
      removed,
      changed,
      JSON.stringify(rows.slice(0, rowsShownMax)),
      nowMs,
    ],
  );

/** Closes reviews: as done if a person's decision is carried out (`isDone`), otherwise as stale. */
const closeReviews = (file: number, kind: Review["kind"], isDone = false): Work<unknown> =>
  ask(
    "UPDATE reviews SET closed = ? WHERE file = ? AND kind = ? AND closed = 0",
    ...[isDone ? done : stale, file, kind],
  );

/** The reasons why a review is closed. */
const [stale, done] = [1, 2];

const reviewIn = (row: StoredRow): Review => ({
  id: numberIn(row, "review"),
  kind: textIn(row, "kind") as Review["kind"],
  root: textIn(row, "root"),
  path: textIn(row, "path"),
  added: numberIn(row, "added"),
  removed: numberIn(row, "removed"),
  changed: numberIn(row, "changed"),
  sinceMs: numberIn(row, "since_ms"),
  decision: decisionIn(row),
  rows: json(row, "rows"),
});

/** Accepts the new identity of a root in place of the old one; an ignored identity stays refused. */
function* decideRoot(review: StoredRow, decision: "apply" | "ignore"): Work<void> {
  if (decision === "apply")
    yield* ask(
      "UPDATE roots SET identity = ? WHERE root = ?",
      textIn(review, "digest"),
      textIn(review, "root"),
    );
  yield* closeReview(numberIn(review, "review"));
}

const closeReview = (review: number): Work<unknown> =>
  ask("UPDATE reviews SET closed = ? WHERE review = ?", done, review);

/** Creates a review that asks a person to change rows of legacy, which stores them by itself. */
function* reviewInLegacy(claim: number, rows: readonly ReviewRow[], nowMs: number): Work<void> {
  const [row] = yield* ask("SELECT file, root FROM claims JOIN files USING (file) WHERE claim = ?", claim);
  const removed = rows.filter(({ what }) => what === "removed").length;
  yield* openReview(
    { file: numberIn(row, "file"), root: textIn(row, "root"), kind: "legacy_rows", digest: "", nowMs },
    { added: 0, removed, changed: rows.length - removed, rows },
  );
}

/** Lets held rows count as separate trades, or refuses them. */
function* decideSimilar(review: StoredRow, decision: "apply" | "ignore", nowMs: number): Work<void> {
  const file = numberIn(review, "file");
  const held = yield* ask(
    `UPDATE contents SET held = ? WHERE held = 'review' AND content IN (SELECT content FROM rows WHERE file = ?)
     RETURNING content`,
    ...[decision === "apply" ? null : "ignored", file],
  );
  yield* closeReviews(file, "similar_row", true);
  const fees = yield* ask("DELETE FROM fees WHERE file = ? RETURNING content, fee", file);
  if (decision === "apply") yield* correctFees(file, fees, nowMs);
  yield* recount(file, new Map(held.map((row) => [numberIn(row, "content"), null])), nowMs);
}

/** Gives trades another fee, and claims them as if they had moved to their present place. */
function* correctFees(file: number, fees: readonly StoredRow[], nowMs: number): Work<void> {
  if (fees.length === 0) return;
  const claim = yield* newClaim(file, fees.length, nowMs);
  yield fees.flatMap(({ content = 0, fee = "" }) => [
    statement("UPDATE contents SET trade = json_set(trade, '$.fee', ?) WHERE content = ?", fee, content),
    statement(
      `INSERT INTO effects SELECT ?, 'corrected', content, occurrence, file, line, file, line, claim
       FROM accepted WHERE content = ?`,
      ...[claim, content],
    ),
  ]);
}
