import { codeOf, messageOf } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";
import { at as itemAt } from "../../base/present.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { mayWait } from "../../durable/backfill-calls.ts";
import { holds } from "../../durable/row-access.ts";
import type {
  AdoptAnswer,
  AdoptedRow,
  ChunkRecord,
  LegacyRow,
  PassName,
  PassState,
  QuarantinedRow,
} from "../../ports/backfill-calls.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Answer, Fence, RecordStore, StoredRow } from "../../ports/record-store.ts";
import { type LeaseHolder, takeLease } from "./lease.ts";
import {
  columnsOf,
  fromLegacy,
  imageOfLegacy,
  keyOfLegacy,
  type LegacyTable,
  legacyShapes,
  type ReadingTools,
  type ReadRow,
} from "./legacy-reading.ts";
import { toModern } from "./modern-rows.ts";

export interface BackfillOptions {
  readonly stores: Readonly<Record<Side, RecordStore>>;
  readonly tools: ReadingTools;
  readonly clock: Clock;
  readonly lease: LeaseHolder;
  /**
   * `cto_trades` holds the trades of `processed_trades` once more, so at most one of the two belongs here.
   */
  readonly tables: readonly LegacyTable[];
  readonly limits: BackfillLimits;
  /**
   * Returns the reason why the backfill must wait now, such as the file STOP_BACKFILL; undefined if it may
   * continue.
   */
  readonly held: () => string | undefined;
  /**
   * Whether the mirror gets writes in the present phase. If not, owed writes do not make the backfill wait.
   * Default: yes.
   */
  readonly isMirrored?: () => boolean;
  readonly onEvent: (event: BackfillEvent) => void;
}

export interface BackfillLimits {
  /** The time that one chunk should take; it decides the number of rows in a chunk. */
  readonly chunkMs: number;
  /** The backfill waits while a write has been owed to the mirror for longer than this. */
  readonly lagMsMax: number;
  /**
   * If a chunk took longer than this in both stores together, the backfill pauses for as long as the chunk
   * took.
   */
  readonly latencyMsMax: number;
}

export const backfillTables: readonly LegacyTable[] = [
  "processed_trades",
  "positions",
  "eod_pnl",
  "market_prices",
];
export const backfillLimits: BackfillLimits = Object.freeze({
  chunkMs: 100,
  lagMsMax: 5_000,
  latencyMsMax: 500,
});

export type BackfillEvent =
  | ({ readonly kind: "progress" } & PassState)
  | { readonly kind: "waiting"; readonly why: string };

export interface BackfillRun {
  readonly pass: PassName;
  /** Reads and maps every row, and changes nothing. */
  readonly dryRun?: boolean;
  /**
   * Makes the run wait neither for a cut-over nor for `held` nor for owed writes. Set by the cut-over's own
   * run, which holds all writes back, and by `db archive`.
   */
  readonly isUrgent?: boolean;
  /** Ends the run after the chunks that are under way, two at most. The next run continues from there. */
  readonly signal?: AbortSignal;
}

export interface BackfillReport {
  /**
   * False if `signal` ended the run. A search for new rows also ends, unfinished, if another pass or a
   * cut-over is under way.
   */
  readonly finished: boolean;
  readonly tables: Readonly<Record<string, TableReport>>;
}

/** The result of one run for one table. */
interface TableReport {
  readonly rows: number;
  readonly imported: number;
  /** Prices that a later price of the same day has replaced. */
  readonly superseded: number;
  /** The number of rows that wait for a person, by code. */
  readonly quarantined: Readonly<Record<string, number>>;
  /** By column: the number of rows whose value in it modern does not keep. */
  readonly lost: Readonly<Record<string, number>>;
}

/** A row of legacy that has a canonical form. */
interface TakenRow extends ReadRow {
  readonly table: LegacyTable;
  readonly legacy: LegacyRow;
  readonly modern: AdoptedRow;
}

/**
 * By the id of a row: which of the equal rows it is (`occurrence`), and which of the rows with its key
 * (`place`), counted from 1; absent if both are 1.
 */
type Repeats = ReadonlyMap<number, { readonly occurrence: number; readonly place: number }>;

interface Chunk {
  readonly rows: readonly TakenRow[];
  readonly quarantined: readonly QuarantinedRow[];
}

/** A chunk with the answers of both stores. */
interface Entered {
  /** The rows that need no person. */
  readonly settled: readonly TakenRow[];
  /** The rows that wait for a person. */
  readonly quarantined: readonly QuarantinedRow[];
  readonly imported: number;
  readonly superseded: number;
  /** The id of the first row that was changed since it was read. */
  readonly movedId: number | undefined;
}

type Answers = ReadonlyMap<TakenRow, AdoptAnswer>;

/** Rows of legacy that follow each other; fewer than the limit if no more follow. */
interface Page {
  readonly limit: number;
  readonly rows: readonly LegacyRow[];
}

/** A chunk whose rows modern does not have yet. */
interface Taken extends Chunk {
  readonly page: readonly LegacyRow[];
  /** The highest id that the chunk covers. */
  readonly last: number;
  /** The answers of legacy, if it is authoritative: it gets the rows first then. */
  readonly claimed: Answers | undefined;
}

/** One pass of a run over one table. */
interface TablePass {
  readonly run: BackfillRun;
  readonly table: LegacyTable;
  readonly upper: number;
  readonly repeats: Repeats;
  readonly report: Report;
}

const nothing = Promise.resolve(undefined);

const rowsMax = 1_000;
const waitMs = 100;

/**
 * Copies into modern the rows of legacy that the bridge has not written.
 *
 * A row that both stores get at version 0 belongs to the bridge from then on. Legacy's own tables are read in
 * short pages and never changed; its table of versions gets an entry for each row, so that a later write
 * detects a change by somebody else, and so that modern's writes can be mirrored to the row. The
 * authoritative store takes a row first, because that store accepts or refuses concurrent writes of the row.
 *
 * Each chunk is recorded in modern when both stores have it. If legacy has the rows already and modern takes
 * all of them, the transaction that stores them also records the chunk. While modern takes a chunk, the next
 * one is read and mapped, and legacy takes it if it is authoritative. A run that dies is resumed after the
 * last recorded chunk; rows that the unrecorded chunks had already copied are `known` and do not change. The
 * highest id is fixed at the beginning of a pass. A row that a write has touched is left to the relay, even
 * if the write deleted it. If modern cannot hold a row, or if another program has changed it, the row waits
 * for a person, with its values in both stores.
 */
export class Backfill {
  readonly #options: BackfillOptions;
  /** Rows in the next chunk. */
  #size = 100;
  /** The monotonic time at which the lease is renewed. */
  #renewMs = Number.NEGATIVE_INFINITY;
  /** Never rejects; undefined while nothing runs. */
  #running: Promise<void> | undefined;

  constructor(options: BackfillOptions) {
    this.#options = options;
  }

  /**
   * Runs or resumes one pass over all tables. Two runs of one process would hold the same lease, so a later
   * run waits for the earlier one; a later search for new rows returns at once.
   */
  async run(run: BackfillRun): Promise<BackfillReport> {
    if (run.dryRun === true) return this.#run(run);
    while (this.#running !== undefined) {
      if (run.pass === "new_rows") return { finished: false, tables: {} };
      await this.#running;
    }
    const report = this.#run(run);
    this.#running = report.then(
      () => {},
      () => {},
    );
    try {
      return await report;
    } finally {
      this.#running = undefined;
    }
  }

  async #run(run: BackfillRun): Promise<BackfillReport> {
    const { stores, tables } = this.#options;
    if (run.dryRun !== true && !(await this.#takeLease(run))) return { finished: false, tables: {} };
    const reports: Record<string, TableReport> = {};
    try {
      const states = await stores.modern.call("passes", null);
      for (const table of tables) {
        const state = await this.#begin(run, table, states);
        if (state === undefined) continue;
        const report = new Report();
        reports[table] = report;
        if (!(await this.#pass(run, state, report))) return { finished: false, tables: reports };
      }
      if (run.pass === "all_rows" && run.dryRun !== true) await this.#reviewMissing(run);
      return { finished: run.signal?.aborted !== true, tables: reports };
    } finally {
      if (run.dryRun !== true) await this.#release().catch(() => {});
    }
  }

  /**
   * Copies one row of legacy into modern. Returns `changed` if the row is no longer as `seen`, and `waits` if
   * modern has another row in its place, so that a person must decide.
   */
  async importRow(table: LegacyTable, seen: StoredRow): Promise<"done" | "changed" | "waits"> {
    const { stores } = this.#options;
    const { key, set, kind } = legacyShapes[table];
    const columns = columnsOf(legacyShapes[table]);
    const id = Number(seen.id);
    const page = await stores.legacy.call("rowsAfter", { table, columns, after: id - 1, upTo: id, limit: 1 });
    const repeated =
      kind === "trade" ? await stores.legacy.call("repeats", { table, key, columns: set }) : [];
    const chunk = this.#read(table, page, new Map(repeated.map(({ id, ...place }) => [id, place])));
    const [row] = chunk.rows;
    if (row === undefined || !holds(seen, { ...row.stored.key, ...row.stored.set })) return "changed";
    const { authority } = await stores.legacy.call("fence", null);
    const claimed = authority === "legacy" ? await this.#claim(chunk.rows) : undefined;
    const { settled, movedId } = await this.#enter(chunk, claimed, (entered) => ({
      pass: null,
      quarantined: entered.movedId === undefined ? entered.quarantined : [],
    }));
    if (movedId !== undefined) return "changed";
    return settled.length > 0 ? "done" : "waits";
  }

  /** Returns the state with which the pass over a table begins; undefined if there is nothing to read. */
  async #begin(
    { pass, dryRun }: BackfillRun,
    table: LegacyTable,
    states: readonly PassState[],
  ): Promise<(PassState & { readonly table: LegacyTable }) | undefined> {
    const upper = await this.#options.stores.legacy.call("upperMark", { table });
    if (upper === null) return undefined;
    const fresh = { pass, table, upper, next: 0, done: 0, imported: 0, quarantined: 0 };
    if (dryRun === true) return fresh;
    const find = (name: PassName) => states.find((state) => state.table === table && state.pass === name);
    const before = find(pass);
    if (pass !== "new_rows")
      return before !== undefined && before.next < before.upper ? { ...before, table } : fresh;
    const filled = find("backfill");
    if (before === undefined && (filled === undefined || filled.next < filled.upper)) return undefined;
    const next = Math.max(before?.next ?? 0, filled?.upper ?? 0);
    // The highest id falls only if the table was created again; then all of its rows are new.
    return upper === next ? undefined : { ...(before ?? fresh), table, upper, next: upper < next ? 0 : next };
  }

  /** Returns whether the pass is complete. */
  async #pass(
    run: BackfillRun,
    begin: PassState & { readonly table: LegacyTable },
    report: Report,
  ): Promise<boolean> {
    const { stores, clock, limits, onEvent } = this.#options;
    // The pass over an empty table is recorded too, because the search for new rows continues from that
    // record.
    if (begin.upper === 0 && run.dryRun !== true)
      await stores.modern.call("recordChunk", {
        pass: begin,
        quarantined: [],
        imported: [],
        nowMs: clock.nowMs(),
      });
    const shape = legacyShapes[begin.table];
    const repeats = new Map(
      (shape.kind === "trade"
        ? await stores.legacy.call("repeats", { table: begin.table, key: shape.key, columns: shape.set })
        : []
      ).map(({ id, ...place }) => [id, place]),
    );
    const pass = { run, table: begin.table, upper: begin.upper, repeats, report };
    // The next chunk is read and claimed while modern adopts the last one.
    let ahead: Promise<Taken | undefined> = nothing;
    for (let state: PassState = begin; state.next < state.upper; ) {
      const begunMs = clock.monotonicMs();
      let taken: Taken | undefined;
      try {
        taken = await ahead;
        if (taken === undefined) {
          const fence = await this.#mayGoOn(run);
          if (fence === undefined) return false;
          taken = await this.#take(pass, fence, await this.#pageAfter(pass, state.next));
        }
        ahead = taken.last < state.upper ? this.#takeAhead(pass, taken.last) : nothing;
        // A failure of this chunk is handled when the loop awaits the chunk.
        ahead.catch(() => {});
        state = await this.#bring(pass, state, taken);
      } catch (failure) {
        await ahead.catch(() => {});
        ahead = nothing;
        if (!passing.has(codeOf(failure))) throw failure;
        onEvent({ kind: "waiting", why: messageOf(failure) });
        this.#size = Math.max(1, this.#size >> 1);
        await pause(clock, waitMs);
        continue;
      }
      if (state.next !== taken.last) {
        await ahead.catch(() => {});
        ahead = nothing;
      }
      const tookMs = clock.monotonicMs() - begunMs;
      this.#size = Math.min(
        rowsMax,
        Math.max(
          1,
          tookMs > limits.chunkMs
            ? this.#size >> 1
            : tookMs * 2 < limits.chunkMs
              ? this.#size * 2
              : this.#size,
        ),
      );
      onEvent({ kind: "progress", ...state });
      if (tookMs > limits.latencyMsMax) await pause(clock, tookMs);
    }
    return true;
  }

  /**
   * Waits while there is a reason to wait. Returns the fence, or undefined if the run ends. A run that a
   * cut-over stops releases its lease, because the cut-over reads the new rows itself.
   */
  async #mayGoOn(run: BackfillRun): Promise<Fence | undefined> {
    const { clock, onEvent } = this.#options;
    for (let said = ""; run.signal?.aborted !== true; await pause(clock, waitMs)) {
      const { fence, isHeldUp, why } = await this.#look(run);
      if (run.dryRun !== true && isHeldUp) {
        await this.#release();
        if (run.pass === "new_rows") return undefined;
      } else if (this.#isLeaseDue(run) && !(await this.#takeLease(run))) return undefined;
      if (why === undefined) return fence;
      if (why !== said) onEvent({ kind: "waiting", why });
      said = why;
    }
    return undefined;
  }

  /** The fence, and why the run must wait now. */
  async #look({ isUrgent = false }: BackfillRun) {
    const fence = await this.#options.stores.legacy.call("fence", null);
    const isHeldUp = fence.step !== "" && !isUrgent;
    const why = isHeldUp
      ? `a cut-over is under way: ${fence.step}`
      : isUrgent
        ? undefined
        : (this.#options.held() ?? (await this.#lag(fence)));
    return { fence, isHeldUp, why };
  }

  readonly #isLeaseDue = ({ dryRun }: BackfillRun): boolean =>
    dryRun !== true && this.#options.clock.monotonicMs() >= this.#renewMs;

  async #lag({ authority }: Fence): Promise<string | undefined> {
    const { stores, clock, limits, isMirrored = () => true } = this.#options;
    if (!isMirrored()) return undefined;
    const { oldestMs, parked, count } = await stores[authority].call("owed", { nowMs: clock.nowMs() });
    return count > parked && oldestMs > limits.lagMsMax
      ? `a write has been owed to the mirror for ${oldestMs} ms`
      : undefined;
  }

  async #release(): Promise<void> {
    const { stores, lease } = this.#options;
    this.#renewMs = Number.NEGATIVE_INFINITY;
    await stores.modern.call("release", { name: "backfill", holder: lease.name });
  }

  /**
   * Takes the lease. Returns false if the run ends, or if it is a search for new rows and another process has
   * the lease.
   */
  async #takeLease({ pass, signal }: BackfillRun): Promise<boolean> {
    const { stores, clock, lease, onEvent } = this.#options;
    let said = false;
    for (;;) {
      const answer = await takeLease(stores.modern, "backfill", this.#options);
      if (answer.kind === "held") {
        this.#renewMs = clock.monotonicMs() + lease.lastsMs / 3;
        return true;
      }
      if (pass === "new_rows" || signal?.aborted === true) return false;
      if (!said) onEvent({ kind: "waiting", why: `${answer.holder} is reading legacy's rows` });
      said = true;
      await pause(clock, waitMs);
    }
  }

  /** Takes a chunk if there is nothing to wait for. */
  async #takeAhead(pass: TablePass, after: number): Promise<Taken | undefined> {
    if (pass.run.signal?.aborted === true || this.#isLeaseDue(pass.run)) return undefined;
    // Both calls reach the thread of legacy together, so only one answer is waited for.
    const [{ fence, why }, page] = await Promise.all([this.#look(pass.run), this.#pageAfter(pass, after)]);
    return why === undefined ? this.#take(pass, fence, page) : undefined;
  }

  async #pageAfter({ table, upper }: TablePass, after: number): Promise<Page> {
    // The size may change during the call.
    const limit = this.#size;
    const columns = columnsOf(legacyShapes[table]);
    const given = { table, columns, after, upTo: upper, limit };
    return { limit, rows: await this.#options.stores.legacy.call("rowsAfter", given) };
  }

  /** Maps the rows of a page, and claims them if legacy is authoritative. */
  async #take(
    { run, table, upper, repeats }: TablePass,
    fence: Fence,
    { limit, rows: page }: Page,
  ): Promise<Taken> {
    const chunk = this.#read(table, page, repeats);
    const last = page.length < limit ? upper : itemAt(page, page.length - 1).id;
    const isLegacyFirst = fence.authority === "legacy" && run.dryRun !== true;
    return { ...chunk, page, last, claimed: isLegacyFirst ? await this.#claim(chunk.rows) : undefined };
  }

  /** Brings a chunk into modern and records it. */
  async #bring({ run, report }: TablePass, state: PassState, taken: Taken): Promise<PassState> {
    const { page } = taken;
    if (run.dryRun === true) {
      report.count(page.length, taken, { imported: taken.rows.length, superseded: 0 });
      return { ...state, next: taken.last };
    }
    const afterwards = ({ quarantined, imported, movedId }: Entered): PassState => {
      const next = movedId === undefined ? taken.last : movedId - 1;
      return {
        ...state,
        next,
        done: state.done + page.filter(({ id }) => id <= next).length,
        imported: state.imported + imported,
        quarantined: state.quarantined + quarantined.length,
      };
    };
    const entered = await this.#enter(taken, taken.claimed, (entered) => ({
      pass: afterwards(entered),
      quarantined: entered.quarantined,
    }));
    const after = afterwards(entered);
    report.count(after.done - state.done, { ...taken, ...entered }, entered);
    return after;
  }

  #read(table: LegacyTable, page: readonly LegacyRow[], repeats: Repeats): Chunk {
    const rows: TakenRow[] = [];
    const quarantined: QuarantinedRow[] = [];
    for (const legacy of page) {
      const { occurrence, place } = repeats.get(legacy.id) ?? { occurrence: 1, place: 1 };
      const read = fromLegacy(table, legacy, this.#options.tools, occurrence);
      if ("code" in read) quarantined.push(waitingRow({ kind: "row", table, legacy, has: null, ...read }));
      else
        rows.push({
          ...read,
          table,
          legacy,
          modern: {
            aggregate: read.row.aggregate,
            change: toModern(read.row),
            claim: place === 1 ? read.claim : null,
            isReplaceable: read.row.kind === "price",
          },
        });
    }
    return { rows, quarantined };
  }

  async #claim(
    rows: readonly TakenRow[],
    mayClaim: (row: TakenRow) => boolean = () => true,
  ): Promise<Answers> {
    const claims = rows.map((row) => ({
      ...row.modern,
      change: row.stored,
      id: row.legacy.id,
      mayClaim: mayClaim(row),
    }));
    return byRow(rows, await this.#options.stores.legacy.call("claimRows", { rows: claims }));
  }

  async #adopt(rows: readonly TakenRow[], chunk?: ChunkRecord): Promise<Answers> {
    const adopted = await this.#options.stores.modern.call("adopt", {
      rows: rows.map(({ modern }) => modern),
      ...(chunk && { chunk }),
    });
    return byRow(rows, adopted);
  }

  /**
   * Gives the rows of a chunk to modern, and to legacy afterwards if it has not claimed them, and records the
   * chunk in modern: in the same transaction, if legacy has claimed the rows and modern takes all of them.
   */
  async #enter(
    chunk: Chunk,
    claimed: Answers | undefined,
    recordOf: (entered: Entered) => Pick<ChunkRecord, "pass" | "quarantined">,
  ): Promise<Entered> {
    const { stores, clock } = this.#options;
    const { rows } = chunk;
    const complete = (entered: Entered): ChunkRecord => ({
      ...recordOf(entered),
      imported: entered.settled.map(({ claim }) => claim),
      nowMs: clock.nowMs(),
    });
    const inModern =
      claimed === undefined
        ? await this.#adopt(rows)
        : await this.#adopt(
            rows.filter((row) => isEntered(claimed.get(row))),
            complete(enteredOf(chunk, claimed, new Map())),
          );
    const inLegacy = claimed ?? (await this.#claim(rows, (row) => isEntered(inModern.get(row))));
    const entered = enteredOf(chunk, inLegacy, inModern);
    const isRecorded = claimed !== undefined && ![...inModern.values()].some(mayWait);
    if (!isRecorded) await stores.modern.call("recordChunk", complete(entered));
    return entered;
  }

  /** Quarantines rows that the bridge knows and that somebody else has deleted from legacy. */
  async #reviewMissing({ signal }: BackfillRun): Promise<void> {
    const { stores, clock, tables } = this.#options;
    const keys = Object.fromEntries(tables.map((table) => [table, legacyShapes[table].key]));
    for (let after: string | null = ""; after !== null && signal?.aborted !== true; ) {
      const found: Answer<"missingRows"> = await stores.legacy.call("missingRows", {
        keys,
        after,
        limit: rowsMax,
      });
      const quarantined = found.missing.map(({ claim, written }): QuarantinedRow => {
        const [table] = JSON.parse(claim);
        const because = "somebody else has deleted the row from legacy";
        return {
          kind: "review",
          table,
          key: claim,
          code: "FOREIGN_DELETE",
          because,
          legacy: null,
          modern: JSON.stringify(written),
        };
      });
      if (quarantined.length > 0)
        await stores.modern.call("recordChunk", {
          pass: null,
          quarantined,
          imported: [],
          nowMs: clock.nowMs(),
        });
      after = found.next;
    }
  }
}

/** The codes of failures that can end without a person's help, so that the pass tries again. */
const passing = new Set(["DATABASE_BUSY", "SYSTEM_DOWN"]);

const byRow = (rows: readonly TakenRow[], answers: readonly AdoptAnswer[]): Answers =>
  new Map(rows.map((row, index) => [row, itemAt(answers, index)]));

const isEntered = (answer: AdoptAnswer | undefined): boolean =>
  answer?.kind === "adopted" || answer?.kind === "known";

/** Divides the rows of a chunk by these answers of both stores: rows that need no person, and others. */
function enteredOf(chunk: Chunk, inLegacy: Answers, inModern: Answers): Entered {
  const settled: TakenRow[] = [];
  const quarantined = [...chunk.quarantined];
  let [imported, superseded] = [0, 0];
  let movedId: number | undefined;
  for (const row of chunk.rows) {
    const [legacy, modern] = [inLegacy.get(row), inModern.get(row)];
    if (legacy?.kind === "moved") movedId ??= row.legacy.id;
    if (modern?.kind === "adopted") imported += 1;
    const why = conflictOf(legacy, modern);
    if (why === undefined) {
      if (isEntered(legacy) || legacy?.kind === "written") settled.push(row);
    } else if (why.code === "ALREADY_STORED" && row.row.kind === "price") superseded += 1;
    else quarantined.push(waitingRow({ table: row.table, legacy: row.legacy, ...why }));
  }
  return { settled, quarantined, imported, superseded, movedId };
}

interface Conflict {
  readonly kind: QuarantinedRow["kind"];
  readonly code: string;
  readonly because: string;
  readonly has: AdoptAnswer["has"];
}

/**
 * Returns the reason why a row waits for a person, from the answers of both stores; undefined if it does not
 * wait.
 */
function conflictOf(legacy: AdoptAnswer | undefined, modern: AdoptAnswer | undefined): Conflict | undefined {
  const repeated =
    legacy?.kind === "repeated" ? legacy : isEntered(legacy) && modern?.kind === "repeated" && modern;
  if (repeated)
    return {
      kind: "row",
      code: "ALREADY_STORED",
      because: "another row of legacy is the same record; it counts once",
      has: repeated.has,
    };
  if (legacy?.kind === "differs")
    return {
      kind: "review",
      code: "FOREIGN_CHANGE",
      because: "somebody else has changed the row of legacy since the bridge read or wrote it",
      has: legacy.has,
    };
  const isUnknown = legacy?.kind === "unclaimed" || (isEntered(legacy) && modern?.kind === "differs");
  if (!isUnknown) return undefined;
  return {
    kind: "review",
    code: "FOREIGN_ROW",
    because: "somebody else has put the row into legacy, and modern has a different row under the same key",
    has: modern?.has ?? null,
  };
}

const waitingRow = ({
  kind,
  table,
  legacy,
  code,
  because,
  has,
}: Conflict & { readonly table: LegacyTable; readonly legacy: LegacyRow }): QuarantinedRow => ({
  kind,
  table,
  key: keyOfLegacy(table, legacy),
  code,
  because,
  legacy: imageOfLegacy(legacy),
  modern: has === null ? null : JSON.stringify(has),
});

class Report implements TableReport {
  rows = 0;
  imported = 0;
  superseded = 0;
  readonly quarantined: Record<string, number> = {};
  readonly lost: Record<string, number> = {};

  count(
    rows: number,
    chunk: Chunk,
    { imported, superseded }: Pick<Entered, "imported" | "superseded">,
  ): void {
    this.rows += rows;
    this.imported += imported;
    this.superseded += superseded;
    for (const { code } of chunk.quarantined) this.quarantined[code] = (this.quarantined[code] ?? 0) + 1;
    for (const { lost } of chunk.rows)
      for (const column of lost) this.lost[column] = (this.lost[column] ?? 0) + 1;
  }
}
