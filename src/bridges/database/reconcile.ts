/**
 * Compares both stores of the pair, row by row, during writes.
 *
 * The pass fixes a position, the number of the authority's last write, and begins when the mirror has reached
 * it. It reads each table in ranges of keys, each with a short read. Rows that do not agree are read again: a
 * break is a row that still differs and for which no write is owed, neither before nor after the second read.
 * The pass holds one range of rows in memory, and at most `suspectsMax` keys.
 */

import { add, type Fraction, formatFraction, parseFraction, zero } from "../../base/fraction.ts";
import { pause } from "../../base/pause.ts";
import { formatDay, parseDay } from "../../domain/market/chicago-time.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { agrees, type Verdict } from "../../domain/migration/verdict.ts";
import type { Clock } from "../../ports/clock.ts";
import type {
  Cell,
  Cells,
  KeyRange,
  PairReader,
  RangeFilter,
  ReconcileBreak,
  ReconcileFigure,
  ReconcileKind,
  ReconcileReport,
  ReconcileRow,
  StoreReader,
} from "../../ports/reconcile.ts";
import { reconcileKinds } from "../../ports/reconcile.ts";
import type { RowImage } from "../../ports/record-store.ts";
import {
  areAgreed,
  claimOfGroup,
  type Group,
  grouped,
  groupOf,
  type JudgeTools,
  judged,
  kindRules,
  legacyRuleCauses,
  type Tolerances,
  whole,
} from "./reconcile-rules.ts";

export interface ReconcileOptions {
  readonly pair: PairReader;
  readonly clock: Clock;
  readonly kinds?: readonly ReconcileKind[] | undefined;
  /** The first and the last day, YYYY-MM-DD; positions have no day and are always compared. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly tolerances: Tolerances;
  readonly multiplierOf: JudgeTools["multiplierOf"];
  /** The longest time that the mirror may take to catch up with the compared writes. */
  readonly waitMsMax: number;
  /** Receives every figure, agreeing ones too. Without it, ranges may be compared inside the databases. */
  readonly onFigure?: ((figure: ReconcileFigure) => void) | undefined;
  readonly onBreak?: ((found: ReconcileBreak) => void) | undefined;
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** The approximate number of rows of one range on each side. */
const rangeRows = 4_096;
/** The approximate number of rows that one comparison inside the databases compares. */
const filterRows = 20_000;
const suspectsMax = 50_000;
const rowsMax = 10_000;
const lookEveryMs = 50;

export async function reconcile(options: ReconcileOptions): Promise<ReconcileReport> {
  return new Reconcile(options).run();
}

/** A key whose rows did not agree, with the cell by which each side finds its rows. */
interface Suspect {
  readonly id: string;
  readonly keys: Readonly<Record<Side, Cell | undefined>>;
}

class Reconcile {
  readonly #options: ReconcileOptions;
  readonly #counts: Record<Verdict, number> = {
    equal: 0,
    within_tolerance: 0,
    diverged: 0,
    error: 0,
    not_comparable: 0,
  };
  readonly #drift = new Map<string, Fraction>();
  readonly #rows: ReconcileRow[] = [];
  #rowsLeftOut = 0;
  #owed = 0;
  #unexplained = 0;
  #reviewed: Awaited<ReturnType<StoreReader["reviewed"]>> = new Map();
  #position = 0;
  #tools: JudgeTools;

  constructor(options: ReconcileOptions) {
    this.#options = options;
    this.#tools = { ...options, isTradeUnique: true, unstorable: new Map() };
  }

  async run(): Promise<ReconcileReport> {
    const { pair, clock, kinds = reconcileKinds, from, to } = this.#options;
    const at = new Date(clock.nowMs()).toISOString();
    const outbox = await this.#outboxReader();
    await this.#freeze(outbox);
    const isTradeUnique = await pair.legacy.isUnique(
      kindRules.trade.tables.legacy,
      kindRules.trade.pairedBy.legacy,
    );
    this.#tools = { ...this.#tools, isTradeUnique };
    this.#reviewed = await pair.modern.reviewed();
    for (const kind of kinds) await this.#compareKind(kind, outbox);
    const { diverged, error, not_comparable } = this.#counts;
    const isWhole = kinds.length === reconcileKinds.length && from === undefined && to === undefined;
    return {
      ok: diverged + error + not_comparable === 0,
      compared: Object.values(this.#counts).reduce((sum, count) => sum + count, 0),
      verdicts: this.#counts,
      rows: this.#rows,
      rowsLeftOut: this.#rowsLeftOut,
      conversions: conversions.filter(({ kind }) => kinds.includes(kind)),
      dayRules: { legacy: "as stored", modern: "as stored" },
      drift: Object.fromEntries([...this.#drift].map(([field, sum]) => [field, formatFraction(sum).text])),
      invariants: [],
      legacy: { system: "legacy's database", errors: [] },
      modern: { system: "modern's database", errors: [] },
      quarantine: [],
      position: this.#position,
      unexplained: this.#unexplained,
      complete: isWhole && this.#owed === 0,
      at,
    };
  }

  async #outboxReader(): Promise<StoreReader | undefined> {
    const { legacy, modern } = this.#options.pair;
    const authority = (await legacy.authority()) ?? (await modern.authority());
    return authority === null ? undefined : authority === "legacy" ? legacy : modern;
  }

  /** Waits until no write up to the authority's last one is pending, for at most `waitMsMax`. */
  async #freeze(outbox: StoreReader | undefined): Promise<void> {
    if (outbox === undefined) return;
    const { clock, waitMsMax } = this.#options;
    const { last } = await outbox.outbox(null);
    this.#position = last;
    const endMs = clock.monotonicMs() + waitMsMax;
    for (;;) {
      const { entries } = await outbox.outbox(null);
      if (!entries.some(({ seq, isPending }) => isPending && seq <= last)) return;
      if (clock.monotonicMs() >= endMs) return;
      await pause(clock, lookEveryMs);
    }
  }

  async #compareKind(kind: ReconcileKind, outbox: StoreReader | undefined): Promise<void> {
    const { pair, onFigure, from, to } = this.#options;
    const isWhole = kind === "daily" && onFigure === undefined && from === undefined && to === undefined;
    const { tables, pairedBy } = kindRules[kind];
    const filter =
      isWhole && (await pair.legacy.isUnique(tables.legacy, pairedBy.legacy)) ? pair.daily : undefined;
    let suspects: Suspect[] = [];
    const parts = filter === undefined ? [{ after: null, upTo: null } as const] : this.#unequalDays(filter);
    for await (const part of parts)
      for await (const range of this.#rangesOf(kind, part)) {
        suspects.push(...(await this.#compareRange(kind, range)));
        if (suspects.length <= suspectsMax) continue;
        await this.#lookAgain(kind, suspects, outbox);
        suspects = [];
      }
    if (suspects.length > 0) await this.#lookAgain(kind, suspects, outbox);
  }

  /** Counts the days whose rows the databases find equal, and yields the other days. */
  async *#unequalDays(filter: RangeFilter): AsyncGenerator<KeyRange> {
    const { onProgress } = this.#options;
    let days = 1;
    for (let after: string | null = null; ; ) {
      const next: number | undefined = parseDay((await this.#keyAfter("daily", after, 1)) ?? "");
      const upTo: string | null = next === undefined ? null : formatDay(next + days - 1);
      const { rows, areEqual } = await filter.look({ after, upTo });
      if (areEqual) this.#counts.equal += rows * kindRules.daily.fields.length;
      else yield { after, upTo };
      if (upTo === null) return;
      days = Math.max(1, Math.min(2 * days, Math.round((days * filterRows) / Math.max(1, rows))));
      after = upTo;
      onProgress?.(`comparing daily rows up to ${upTo}`);
    }
  }

  /** Cuts a range into ranges of about `rangeRows` rows. */
  async *#rangesOf(kind: ReconcileKind, { after: start, upTo: end }: KeyRange): AsyncGenerator<KeyRange> {
    for (let after = start; ; ) {
      const next: string | null = await this.#keyAfter(kind, after, rangeRows);
      // SQLite turns a text such as 20250804 into a number before it compares it with a DATE column.
      const isLast = next === null || (kind === "daily" && parseDay(next) === undefined);
      const upTo: string | null = isLast ? end : earlier(next, end);
      yield { after, upTo };
      if (upTo === end) return;
      after = upTo;
      this.#options.onProgress?.(`comparing ${kind} rows up to ${after}`);
    }
  }

  /** Returns the smaller of two keys: on each side, the key `count` rows after `after`. */
  async #keyAfter(kind: ReconcileKind, after: string | null, count: number): Promise<string | null> {
    const { pair } = this.#options;
    const { legacy, modern } = kindRules[kind].tables;
    return earlier(
      await pair.legacy.keyAfter(legacy, after, count),
      await pair.modern.keyAfter(modern, after, count),
    );
  }

  /** Judges the rows of a range. Returns the keys whose rows do not agree, and does not count them yet. */
  async #compareRange(kind: ReconcileKind, range: KeyRange): Promise<readonly Suspect[]> {
    const { pair } = this.#options;
    const { tables } = kindRules[kind];
    const legacy = await pair.legacy.rows(tables.legacy, range);
    const modern = await pair.modern.rows(tables.modern, range);
    const suspects: Suspect[] = [];
    const groups = grouped(kind, legacy, modern);
    if (kind === "price") dropOverwritten(groups);
    for (const [id, group] of groups) {
      if (this.#settled(kind, group)) continue;
      suspects.push({ id, keys: keysOf(kind, group) });
    }
    if (kind === "daily")
      for (const { symbol, book } of modern) {
        const multiplier = this.#tools.multiplierOf(String(symbol));
        if (multiplier !== undefined) pair.daily?.learn(String(symbol), String(book), multiplier);
      }
    return suspects;
  }

  /** Counts the figures of a key if all of them agree. Returns whether they do. */
  #settled(kind: ReconcileKind, group: Group): boolean {
    const figures = judged(kind, group, this.#tools);
    if (!areAgreed(figures)) return false;
    for (const figure of figures) this.#count(figure);
    return true;
  }

  /** Reads the rows of suspect keys again, until no write is owed for them or the time is over. */
  async #lookAgain(
    kind: ReconcileKind,
    suspects: readonly Suspect[],
    outbox: StoreReader | undefined,
  ): Promise<void> {
    const { clock, waitMsMax } = this.#options;
    const endMs = clock.monotonicMs() + waitMsMax;
    if (suspects.some(({ keys }) => keys.modern === undefined)) await this.#untilNewRowsAreRead(kind, endMs);
    let left = suspects;
    for (;;) {
      const before = await outbox?.outbox(null);
      const groups = await this.#groupsOf(kind, left);
      const after = before && (await outbox?.outbox(before.mark));
      const moving = new Set<string>();
      const parked = new Map<string, string>();
      for (const look of [before, after])
        for (const { isPending, code, images } of look?.entries ?? [])
          for (const image of images) {
            const id = groupOfImage(kind, image);
            if (id === undefined) continue;
            if (code !== null) parked.set(id, code);
            else if (isPending || look === after) moving.add(id);
          }
      const isLast = clock.monotonicMs() >= endMs;
      const isUnknown = before?.isCut === true || after?.isCut === true;
      const again: Suspect[] = [];
      for (const suspect of left) {
        const group = groups.get(suspect.id);
        // Both rows are gone, or a newer price has replaced one of them.
        if (group === undefined || this.#settled(kind, group)) continue;
        if (!isUnknown && !moving.has(suspect.id)) this.#report(kind, group, parked.get(suspect.id));
        else if (isLast) this.#reportOwed(kind, group);
        else again.push(suspect);
      }
      if (again.length === 0) return;
      left = again;
      await pause(clock, lookEveryMs);
    }
  }

  /**
   * Waits until the search for new rows has read every row that legacy has now and may have copied them.
   */
  async #untilNewRowsAreRead(kind: ReconcileKind, endMs: number): Promise<void> {
    const { pair, clock } = this.#options;
    const { legacy: table } = kindRules[kind].tables;
    const last = await pair.legacy.highestRow(table);
    for (;;) {
      const readTo = await pair.modern.newRowsReadTo(table);
      if (readTo === null || readTo >= last || clock.monotonicMs() >= endMs) return;
      await pause(clock, lookEveryMs);
    }
  }

  async #groupsOf(kind: ReconcileKind, suspects: readonly Suspect[]): Promise<ReadonlyMap<string, Group>> {
    const { pair } = this.#options;
    const { tables } = kindRules[kind];
    const read = (side: Side): Promise<readonly Cells[]> => {
      // A side may now have a row that it lacked before, so each side looks for the other side's keys too.
      const keys = new Set(
        suspects.flatMap(({ keys }) => [keys.legacy, keys.modern].filter((key) => key !== undefined)),
      );
      return pair[side].rowsOf(tables[side], [...keys]);
    };
    const groups = grouped(kind, await read("legacy"), await read("modern"));
    if (kind === "price") dropOverwritten(groups);
    if (kind === "trade") this.#tools = { ...this.#tools, unstorable: await this.#unstorable() };
    return groups;
  }

  async #unstorable(): Promise<JudgeTools["unstorable"]> {
    const { legacy } = this.#options.pair;
    if ((await legacy.authority()) === null) return new Map();
    const table = { table: "pnlb_unstorable", key: "aggregate", columns: ["aggregate", "cause"] };
    const rows = await legacy.rows(table, { after: null, upTo: null });
    return new Map(rows.map(({ aggregate, cause }) => [JSON.parse(String(aggregate))[1], String(cause)]));
  }

  #report(kind: ReconcileKind, group: Group, parkedFor: string | undefined): void {
    const reviewed = this.#reviewed.get(claimOfGroup(kind, group) ?? "");
    const figures = judged(kind, group, this.#tools).map((figure) => {
      const { row } = figure;
      if (agrees(row.verdict)) return figure;
      if (reviewed !== undefined && row.verdict === "diverged") {
        const { code, isAccepted } = reviewed;
        const cause = kind === "trade" && code === "ALREADY_STORED" ? "LEGACY_DOUBLE_COUNT" : code;
        return { ...figure, isAccepted, row: { ...row, verdict: "not_comparable", cause } as const };
      }
      return { ...figure, row: { ...row, cause: parkedFor ?? row.cause } };
    });
    this.#break(kind, group, figures);
  }

  /** Reports a key whose last write the mirror may lack, so that its rows cannot be judged. */
  #reportOwed(kind: ReconcileKind, group: Group): void {
    this.#owed += 1;
    this.#break(kind, group, [whole(kind, group, "not_comparable", "OWED")]);
  }

  #break(kind: ReconcileKind, { legacy, modern }: Group, figures: readonly ReconcileFigure[]): void {
    for (const figure of figures) this.#count(figure);
    const { onBreak } = this.#options;
    const worst = figures.filter(({ row, date }) => !agrees(row.verdict) && this.#isAsked(date));
    const [first] = worst;
    if (onBreak === undefined || first === undefined) return;
    const causes = [...new Set(worst.map(({ row }) => row.cause ?? row.field))];
    onBreak({ kind, key: first.row.key, verdict: first.row.verdict, causes, legacy, modern });
  }

  #isAsked(date: string): boolean {
    const { from, to } = this.#options;
    return date === "" || ((from === undefined || date >= from) && (to === undefined || date <= to));
  }

  #count(figure: ReconcileFigure): void {
    if (!this.#isAsked(figure.date)) return;
    const { row } = figure;
    this.#counts[row.verdict] += 1;
    const hasReason =
      row.verdict === "not_comparable" &&
      (figure.isAccepted === true || legacyRuleCauses.has(row.cause ?? ""));
    if (!agrees(row.verdict) && !hasReason) this.#unexplained += 1;
    this.#options.onFigure?.(figure);
    if (row.verdict === "within_tolerance") {
      const sum = this.#drift.get(row.field) ?? zero;
      this.#drift.set(row.field, add(sum, parseFraction(row.difference ?? "") ?? zero));
    }
    if (agrees(row.verdict)) return;
    if (this.#rows.length < rowsMax) this.#rows.push(row);
    else this.#rowsLeftOut += 1;
  }
}

const conversions = (["position", "daily"] as const).flatMap((kind) =>
  kindRules[kind].fields
    .filter(({ how }) => how === "points")
    .map(({ field }) => ({ kind, system: "legacy" as const, field, rule: "points × multiplier" })),
);

/**
 * Removes rows of legacy that hold older prices, which modern has overwritten: only the newest price of a
 * symbol and day is compared.
 */
function dropOverwritten(groups: Map<string, Group>): void {
  const newest = new Map<string, string>();
  const placeOf = (row: Cells, symbol: string, time: string): [place: string, time: string] => {
    const text = String(row[time]).replace("T", " ");
    return [`${text.slice(0, 10)} ${row[symbol]}`, text.slice(0, 19)];
  };
  for (const { modern } of groups.values())
    for (const row of modern) {
      const [place, time] = placeOf(row, "symbol", "at");
      if (time > (newest.get(place) ?? "")) newest.set(place, time);
    }
  for (const [id, { legacy, modern }] of groups) {
    if (modern.length > 0) continue;
    const isOverwritten = legacy.every((row) => {
      const [place, time] = placeOf(row, "bloomberg", "upload_timestamp");
      return time < (newest.get(place) ?? "");
    });
    if (isOverwritten) groups.delete(id);
  }
}

/** Returns the smaller of two keys in order of bytes; null means the end. */
function earlier(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return compareBytes(a, b) <= 0 ? a : b;
}

/** Compares by the order of UTF-8, which is the order of code points and not that of UTF-16. */
function compareBytes(a: string, b: string): number {
  for (let at = 0; at < a.length && at < b.length; ) {
    const [x, y] = [a.codePointAt(at) ?? 0, b.codePointAt(at) ?? 0];
    if (x !== y) return x - y;
    at += x > 0xffff ? 2 : 1;
  }
  return a.length - b.length;
}

function keysOf(kind: ReconcileKind, { legacy, modern }: Group): Suspect["keys"] {
  const { tables } = kindRules[kind];
  return { legacy: legacy[0]?.[tables.legacy.key], modern: modern[0]?.[tables.modern.key] };
}

const kindOfRecord: Readonly<Record<string, ReconcileKind>> = {
  trade: "trade",
  position: "position",
  price: "price",
  daily_pnl: "daily",
};

/** Returns the key of a canonical row of the outbox; undefined for a row of another kind. */
function groupOfImage(kind: ReconcileKind, image: RowImage): string | undefined {
  return kindOfRecord[image.kind] === kind ? groupOf(kind, "modern", image.values) : undefined;
}
