/**
 * Plans the repair of a pair: an action for each aggregate that a reconciliation has found unequal or whose
 * write the mirror has refused. Reads only. A person reads the plan, and may choose another action where the
 * plan offers one.
 */
import { messageOf } from "../../base/errors.ts";
import { present } from "../../base/present.ts";
import { dayUs, readInstant } from "../../domain/market/chicago-time.ts";
import { otherSide, type Side } from "../../domain/migration/phase.ts";
import { isUnstorable } from "../../durable/legacy-places.ts";
import { holds } from "../../durable/row-access.ts";
import type { ReconcileBreak, ReconcileKind } from "../../ports/reconcile.ts";
import type { Fence, OutboxEntry, RecordStore, StoredRow } from "../../ports/record-store.ts";
import type { RecordKind } from "../../ports/records.ts";
import type { RowPlace, RowRepair, RowState } from "../../ports/repair-calls.ts";
import { fromLegacy, type LegacyTable, legacyPlace, type ReadingTools } from "./legacy-reading.ts";
import { modernPlace } from "./modern-rows.ts";
import { findOlderCopy, inForce, readFences } from "./older-copy.ts";
import { preparedRow } from "./prepared.ts";
import { kindRules } from "./reconcile-rules.ts";
import { keyColumns, type Row } from "./record-intake.ts";

/**
 * `take_legacy` and `take_modern` give both stores the row of that side, `import` gives modern a row that
 * legacy's own programs have written, and `leave` changes nothing.
 */
export const repairVerbs = ["take_legacy", "take_modern", "import", "leave"] as const;
export type RepairVerb = (typeof repairVerbs)[number];

export interface RepairAction {
  /** The action of `db repair`. A person may write any of `mayDo` here. */
  readonly do: RepairVerb;
  readonly mayDo: readonly RepairVerb[];
  readonly why: string;
  readonly leavesAlone: string;
  readonly kind: ReconcileKind;
  readonly key: Readonly<Record<string, string>>;
  readonly causes: readonly string[];
  readonly aggregate: string;
  /** The row of legacy, as in a claim. */
  readonly claim: string;
  /** The row's state in both stores when the plan was made. */
  readonly seen: Readonly<Record<Side, RowState>>;
  /** The row that each store gets under `take_legacy` and `take_modern`; empty for an import. */
  readonly wants: {
    readonly [Verb in RepairVerb]?: Readonly<Record<Side, RowRepair>> | undefined;
  };
}

export interface RepairPlan {
  readonly format: "pnl-bridge repair plan 1";
  readonly howToRead: readonly string[];
  readonly at: string;
  /** The authority and the epoch in force. Both fences get them, after all rows are repaired. */
  readonly authority: Side;
  readonly epoch: number;
  readonly fences: Readonly<Record<Side, Omit<Fence, "incarnation">>>;
  /**
   * The store that was restored from an older copy; until the repair has ended, the relay carries nothing.
   * Null if there is none, or if the relay sends it all writes that it lacks.
   */
  readonly restored: Side | null;
  /** The incarnation of the restored store, else of the authority. */
  readonly incarnation: string;
  /** The place up to which the entries of the other store count as applied by the restored one. */
  readonly place: number;
  /** Whether the plan has looked at every row that differs; false if there were too many. */
  readonly complete: boolean;
  readonly actions: readonly RepairAction[];
}

export interface PlanOptions {
  readonly stores: Readonly<Record<Side, RecordStore>>;
  readonly tools: ReadingTools;
  readonly breaks: readonly ReconcileBreak[];
  readonly nowMs: number;
}

const howToRead = [
  "Each action names a row, how both databases have it (seen), what db repair does (do), and why.",
  "do may be changed to any word in mayDo. take_legacy and take_modern give both databases the row of that side, as wants shows it.",
  "import gives modern a row that one of legacy's own programs has written. leave changes nothing.",
  "db repair changes a row only if both databases still have it as seen shows it; other rows are skipped and named.",
];

const entriesMax = 10_000;
const pageMax = 1_000;
export const actionsMax = 10_000;

const recordKinds: Readonly<Record<ReconcileKind, RecordKind>> = {
  trade: "trade",
  position: "position",
  daily: "daily_pnl",
  price: "price",
};
/** A text that sorts after every aggregate, since those begin with `[`. */
const lastName = "]";

/** Returns the kind and the key of an aggregate for a reader. */
function namesOf(aggregate: string): Pick<Subject, "kind" | "key"> {
  const [kind, ...values]: [RecordKind, ...string[]] = JSON.parse(aggregate);
  const key = keyColumns[kind].map((column, at) => [column, values[at] ?? ""]);
  return { kind: reconcileKindOf(kind), key: Object.fromEntries(key) };
}

const pointOf = ({ epoch, authority, step }: Fence) => ({ epoch, authority, step });

const reconcileKindOf = (kind: RecordKind): ReconcileKind => (kind === "daily_pnl" ? "daily" : kind);

type EntryRow = OutboxEntry["rows"][number];

/** The known facts about an aggregate before its rows are read. */
interface Subject extends Pick<RepairAction, "kind" | "key" | "causes"> {
  /** The row of legacy, as in a claim; undefined if it is not known yet. */
  readonly claim: string | undefined;
}

export async function planRepair(options: PlanOptions): Promise<RepairPlan> {
  return new Planner(options).plan();
}

class Planner {
  readonly #options: PlanOptions;
  readonly #subjects = new Map<string, Subject>();
  /** The rows of legacy that belong to no aggregate. */
  readonly #foreign = new Map<string, Subject>();
  /** The last write of an aggregate that an outbox still has. */
  readonly #images = new Map<string, { readonly version: number; readonly image: Row }>();
  /** The aggregates that have a write on its way to the mirror. */
  readonly #moving = new Set<string>();
  /**
   * If the authority was restored from an older copy: for each aggregate, the version of the first write in
   * its outbox that is not settled.
   */
  readonly #lost = new Map<string, number>();

  #books: readonly string[] = [];

  constructor(options: PlanOptions) {
    this.#options = options;
  }

  async plan(): Promise<RepairPlan> {
    const { stores, breaks, nowMs } = this.#options;
    const older = await findOlderCopy(stores);
    const fences = await readFences(stores);
    const { authority, epoch } = inForce(fences);
    const [store, mirror] = [stores[authority], stores[otherSide(authority)]];
    const source = fences[authority].incarnation;
    const unsettled = await store.call("unsettled", { limit: entriesMax });
    const reused = await mirror.call("reusedNumbers", { source, entries: unsettled });
    const isCaughtUp = older === undefined || older.isSentAgain;
    const restored = isCaughtUp ? (reused > 0 ? authority : null) : older.side;
    for (const found of breaks.slice(0, actionsMax)) await this.#addBreak(found);
    for (const { rows, code } of unsettled)
      for (const row of rows) {
        const { aggregate, version } = row;
        if (restored === authority && !this.#lost.has(aggregate)) this.#lost.set(aggregate, version);
        if (code !== null || restored !== null) this.#addParked(row, code);
        else this.#moving.add(aggregate);
      }
    if (restored !== null) {
      await this.#addApart(stores[otherSide(restored)], stores[restored]);
      await this.#readImages(mirror);
    }
    await this.#readImages(store);
    if (this.#subjects.size > 0) this.#books = await stores.modern.call("books", null);
    const actions: RepairAction[] = [];
    for (const [aggregate, subject] of this.#subjects) {
      const action = await this.#action(aggregate, subject, authority);
      if (action !== undefined) actions.push(action);
    }
    for (const [claim, subject] of this.#foreign) actions.push(await this.#foreignAction(claim, subject));
    return {
      format: "pnl-bridge repair plan 1",
      howToRead,
      at: new Date(nowMs).toISOString(),
      authority,
      epoch,
      fences: { legacy: pointOf(fences.legacy), modern: pointOf(fences.modern) },
      restored,
      incarnation: fences[restored ?? authority].incarnation,
      place: restored === null ? 0 : (await stores[otherSide(restored)].call("progress", null)).done,
      complete: this.#subjects.size < actionsMax && unsettled.length < entriesMax,
      actions,
    };
  }

  async #addBreak({ kind, key, causes, legacy, modern }: ReconcileBreak): Promise<void> {
    const { stores } = this.#options;
    const { tables, pairedBy } = kindRules[kind];
    const claims = legacy.map((row) =>
      JSON.stringify([tables.legacy.table, ...pairedBy.legacy.map((column) => plain(row[column]))]),
    );
    const columns = keyColumns[recordKinds[kind]];
    const aggregates = new Set(
      modern.map((row) =>
        JSON.stringify([recordKinds[kind], ...columns.map((column) => plain(row[column]))]),
      ),
    );
    const owners = [
      await stores.legacy.call("owners", { claims }),
      await stores.modern.call("owners", { claims }),
    ];
    const [claim] = claims;
    const subject = { kind, key, causes, claim };
    for (const owner of owners.flat()) if (owner !== null) aggregates.add(owner);
    for (const aggregate of aggregates) this.#subjects.set(aggregate, subject);
    if (aggregates.size === 0 && claim !== undefined) this.#foreign.set(claim, subject);
  }

  #addParked({ aggregate, image: row, isUnstorable: isPlaceTaken }: EntryRow, code: string | null): void {
    if (this.#subjects.has(aggregate)) return;
    const prepared = preparedRow(row, { isKept: true, isPlaceTaken });
    const key = keyColumns[row.kind].map((column) => [column, row.values[column] ?? ""]);
    this.#subjects.set(aggregate, {
      kind: reconcileKindOf(row.kind),
      key: Object.fromEntries(key),
      causes: [code ?? "OWED"],
      claim: "code" in prepared ? undefined : prepared.legacy.claim,
    });
  }

  /**
   * Adds the aggregates whose versions differ, even if their rows are equal: otherwise the restored store
   * would give its next write a version that the other store has given to an earlier write.
   */
  async #addApart(store: RecordStore, restored: RecordStore): Promise<void> {
    for (let after = ""; this.#subjects.size < actionsMax; ) {
      const page = await store.call("versionsAfter", { after, upTo: lastName, limit: pageMax });
      const upTo = page.at(-1)?.aggregate;
      if (upTo === undefined) return;
      const range = { after, upTo, limit: Number.MAX_SAFE_INTEGER };
      const others = await restored.call("versionsAfter", range);
      const versionOf = new Map(others.map(({ aggregate, version }) => [aggregate, version]));
      for (const { aggregate, version } of page)
        if (versionOf.get(aggregate) !== version && !this.#subjects.has(aggregate))
          this.#subjects.set(aggregate, { ...namesOf(aggregate), causes: ["RESTORED"], claim: undefined });
      after = upTo;
    }
  }

  async #readImages(store: RecordStore): Promise<void> {
    if (this.#subjects.size === 0) return;
    for (let seq = 0; ; ) {
      const page: readonly OutboxEntry[] = await store.call("entriesAfter", { seq, limit: pageMax });
      for (const { rows } of page)
        for (const { aggregate, version, image } of rows)
          if (this.#subjects.has(aggregate) && version >= (this.#images.get(aggregate)?.version ?? 0))
            this.#images.set(aggregate, { version, image });
      seq = page.at(-1)?.seq ?? seq;
      if (page.length < pageMax) return;
    }
  }

  /**
   * Returns the action for an aggregate; undefined if both stores meanwhile have the same row at the same
   * version, or if it is not known which row of legacy belongs to the aggregate.
   */
  async #action(aggregate: string, subject: Subject, authority: Side): Promise<RepairAction | undefined> {
    const { stores } = this.#options;
    const inModern = modernPlace(aggregate);
    const [modern] = await stores.modern.call("rowStates", { places: [inModern] });
    const [versions] = await stores.legacy.call("rowStates", { places: [inModern].map(noRow) });
    const claims = { legacy: versions?.claim, modern: modern?.claim };
    const claim =
      claims[authority] ?? claims[otherSide(authority)] ?? subject.claim ?? this.#claimOf(aggregate);
    if (claim === undefined || modern === undefined) return undefined;
    const inLegacy = legacyPlace(aggregate, claim);
    const [legacy] = await stores.legacy.call("rowStates", { places: [inLegacy] });
    const seen = { legacy: present(legacy, "a store answers each place"), modern };
    const found: Found = { aggregate, claim, seen, places: { legacy: inLegacy, modern: inModern } };
    const mirror = otherSide(authority);
    const taken = { legacy: this.#taken("legacy", found), modern: this.#taken("modern", found) };
    const [own, others] = [taken[authority], taken[mirror]];
    if (typeof own !== "string" && seen[authority].version !== null && areWanted(seen, own)) return undefined;
    const choices = (["legacy", "modern"] as const).filter((side) => typeof taken[side] !== "string");
    const { verb, why } = this.#decided(found, authority, { own, others });
    const isPoorer = verb === "take_legacy" && subject.kind === "trade" && modern.rows.length === 0;
    return {
      do: verb,
      mayDo: [...choices.map((side) => `take_${side}` as const), "leave"],
      why: isPoorer ? `${why}; legacy keeps no fee and no line of a trade, see wants` : why,
      leavesAlone: "every other row, and every column that is not named in wants",
      ...subject,
      aggregate,
      claim,
      seen,
      wants: Object.fromEntries(choices.map((side) => [`take_${side}`, taken[side]])),
    };
  }

  #decided(
    { aggregate, seen }: Found,
    authority: Side,
    { own, others }: Readonly<Record<"own" | "others", Taken>>,
  ): { readonly verb: RepairVerb; readonly why: string } {
    const leave = (why: string) => ({ verb: "leave" as const, why });
    const take = (side: Side, why: string) => ({ verb: `take_${side}` as const, why });
    const mirror = otherSide(authority);
    const [mine, theirs] = [seen[authority], seen[mirror]];
    const numbers = `${authority} has version ${mine.version ?? "none"}, ${mirror} has version ${theirs.version ?? "none"}`;
    if (this.#moving.has(aggregate)) return leave("a write of this row is on its way; make a new plan later");
    if ((theirs.version ?? -1) > (mine.version ?? -1)) {
      if (typeof others === "string") return leave(`${numbers}, and ${others}`);
      return take(mirror, `${authority}, which is authoritative, has lost writes of this row: ${numbers}`);
    }
    if (mine.version === null) return leave(`the bridge has never written this row: ${numbers}`);
    if (typeof own === "string") return leave(own);
    if (!isAsWritten(mine))
      return leave(
        `the row in ${authority} is not the one that the bridge wrote; it is not clear which one is right`,
      );
    if ((this.#lost.get(aggregate) ?? Number.POSITIVE_INFINITY) <= (theirs.version ?? 0))
      return leave(`both stores have a write of version ${mine.version}, and they are two different writes`);
    return take(
      authority,
      isAsWritten(theirs)
        ? `${authority} is authoritative and still has the row as the bridge wrote it: ${numbers}`
        : `the row in ${mirror} is not the one that the bridge wrote, and ${authority} is authoritative: ${numbers}`,
    );
  }

  /**
   * Returns the rows that both stores get if the row of one side is taken; a text with the reason if that is
   * impossible.
   */
  #taken(side: Side, found: Found): Taken {
    const { aggregate, claim, seen, places } = found;
    const [mine, theirs] = [seen[side], seen[otherSide(side)]];
    if (Object.values(seen).some(({ rows }) => rows.length > 1))
      return "legacy has several rows with this key";
    if (!Object.values(seen).every(isPlain)) return "a row holds a value that a plan cannot show";
    if (mine.version === null) {
      if (mine.rows.length > 0) return `the bridge has never written ${side}'s row`;
      const none = { aggregate, claim: null, version: null };
      const drop = ({ table, key }: RowPlace) => ({
        ...none,
        change: { table, key, set: null, initial: {} },
      });
      return { legacy: drop(places.legacy), modern: drop(places.modern) };
    }
    if (mine.version < (theirs.version ?? 0) && theirs.version !== null && mine.rows.length === 0)
      return `${side} has no row`;
    try {
      const row = this.#canonical(side, found);
      if (typeof row === "string") return row;
      const prepared = preparedRow(row, formOf(claim));
      if ("code" in prepared) return `${prepared.code}: ${prepared.because}`;
      if (prepared.legacy.claim !== claim) return "legacy would keep this row under another key";
      const { version } = mine;
      const of = (one: Side): RowRepair => {
        const { change } = prepared[one];
        const isSource = one === side;
        const columns = Object.keys(mine.written ?? change.set ?? {});
        const [stored] = mine.rows;
        // The source keeps its row; only the bridge's record of what it wrote is set to that row.
        const set = !isSource ? change.set : stored === undefined ? null : picked(stored, columns);
        return {
          aggregate,
          change: { ...change, set },
          claim: isSource ? mine.claim : set === null ? null : claim,
          version,
        };
      };
      return { legacy: of("legacy"), modern: of("modern") };
    } catch (failure) {
      return `${side}'s row cannot be read: ${messageOf(failure)}`;
    }
  }

  /** Returns the canonical row that a side's row represents; a text with the reason if there is none. */
  #canonical(side: Side, { aggregate, claim, seen }: Found): Row | string {
    const { version, rows } = seen[side];
    const [stored] = rows;
    const written = this.#images.get(aggregate);
    if (written !== undefined && written.version === version) {
      const row = written.image;
      const prepared = preparedRow(row, formOf(claim));
      if (!("code" in prepared) && holds(stored, prepared[side].change.set)) return row;
    }
    if (side === "legacy" && stored !== undefined && isUnstorable(claim))
      return this.#fromUnstorable(aggregate, stored);
    if (stored === undefined) return `${side} has no row, and no longer keeps the write that removed it`;
    return side === "modern"
      ? this.#fromModern(aggregate, stored)
      : this.#fromLegacy({ aggregate, claim, stored, modern: seen.modern.rows[0] });
  }

  #fromModern(aggregate: string, { version, ...columns }: StoredRow): Row | string {
    const [kind]: [RecordKind] = JSON.parse(aggregate);
    const values = Object.fromEntries(
      Object.entries(columns).map(([column, value]) => [column, value === null ? null : String(value)]),
    );
    const moment = readInstant(values.traded_at ?? values.as_of ?? values.trading_day ?? "");
    const described = this.#options.tools.describe(
      values.symbol ?? "",
      moment && Math.floor(moment.wallUs / dayUs),
    );
    if (described === undefined) return `no product is known for the symbol ${values.symbol}`;
    return { kind, aggregate, values, multiplier: described.multiplier };
  }

  /** Returns the row of a trade in `pnlb_unstorable`, which has every column of modern. */
  #fromUnstorable(aggregate: string, stored: StoredRow): Row | string {
    return this.#fromModern(aggregate, JSON.parse(String(stored.row)));
  }

  #fromLegacy({ aggregate, claim, stored, modern }: LegacyFound): Row | string {
    const [table]: [LegacyTable] = JSON.parse(claim);
    const [kind, ...key]: [RecordKind, ...string[]] = JSON.parse(aggregate);
    const named = kind === "position" ? key[0] : kind === "daily_pnl" ? key[1] : modern?.book;
    // The key of a trade is a digest that includes its book, so only the right book gives this aggregate.
    const books = named === undefined ? ["", ...this.#books] : [String(named)];
    const occurrence = Number(modern?.occurrence ?? 1);
    const reads = books.map((book) =>
      fromLegacy(table, legacyRow(stored), { ...this.#options.tools, book }, occurrence),
    );
    const read = present(
      reads.find((one) => "row" in one && one.row.aggregate === aggregate) ?? reads[0],
      "there is one book at least",
    );
    if ("code" in read) return `${read.code}: ${read.because}`;
    let { row } = read;
    if (kind === "price" && read.lost.length === 0 && key[0] === row.values.instrument)
      row = {
        ...row,
        aggregate,
        values: { ...row.values, mark_kind: key[1] ?? null, trading_day: key[2] ?? null },
      };
    if (row.aggregate !== aggregate) return "legacy's row belongs to another record than modern's row";
    return modern === undefined ? row : keptFigures(row, modern);
  }

  #claimOf(aggregate: string): string | undefined {
    const written = this.#images.get(aggregate);
    const prepared = written && preparedRow(written.image, { isKept: true });
    return prepared === undefined || "code" in prepared ? undefined : prepared.legacy.claim;
  }

  /** Returns the action for a row of legacy that the bridge does not know. */
  async #foreignAction(claim: string, subject: Subject): Promise<RepairAction> {
    const place = legacyPlace("", claim);
    const [legacy] = await this.#options.stores.legacy.call("rowStates", { places: [place] });
    const seen = present(legacy, "a store answers each place");
    const [stored] = seen.rows;
    const read = stored && fromLegacy(tableOf(claim), legacyRow(stored), this.#options.tools, 1);
    const refusal =
      stored === undefined || seen.rows.length > 1 || !isPlain(seen)
        ? "legacy has no such row, several rows with this key, or a value that a plan cannot show"
        : read !== undefined && "code" in read
          ? `modern cannot hold the row: ${read.code}: ${read.because}`
          : undefined;
    const can = refusal === undefined;
    return {
      do: can ? "import" : "leave",
      mayDo: can ? ["import", "leave"] : ["leave"],
      why: refusal ?? "one of legacy's own programs has written the row, and modern lacks it",
      leavesAlone: "legacy's row; a row that modern has in its place",
      ...subject,
      aggregate: "",
      claim,
      seen: { legacy: seen, modern: { version: null, claim: null, written: null, rows: [] } },
      wants: {},
    };
  }
}

type Taken = Readonly<Record<Side, RowRepair>> | string;

interface Found {
  readonly aggregate: string;
  readonly claim: string;
  readonly seen: Readonly<Record<Side, RowState>>;
  readonly places: Readonly<Record<Side, RowPlace>>;
}

interface LegacyFound extends Pick<Found, "aggregate" | "claim"> {
  readonly stored: StoredRow;
  readonly modern: StoredRow | undefined;
}

/** The columns of modern that legacy does not have, or holds as the nearest double only. */
const finerColumns = ["fee", "source_line", "average_price", "realized", "unrealized"] as const;

/** Keeps modern's value of a column if legacy's row would be the same with that value. */
function keptFigures(row: Row, modern: StoredRow): Row {
  let kept = row;
  for (const column of finerColumns) {
    const value = modern[column];
    if (!(column in row.values) || value === undefined || value === kept.values[column]) continue;
    const finer = { ...kept, values: { ...kept.values, [column]: value === null ? null : String(value) } };
    const [a, b] = [preparedRow(finer), preparedRow(kept)];
    if (!("code" in a) && !("code" in b) && isSame(a.legacy.change, b.legacy.change)) kept = finer;
  }
  return kept;
}

const formOf = (claim: string) => ({ isKept: true, isPlaceTaken: isUnstorable(claim) });

const tableOf = (claim: string): LegacyTable => JSON.parse(claim)[0];

/** Returns a stored row in the form that `fromLegacy` reads. */
const legacyRow = (stored: StoredRow) => ({ id: Number(stored.id ?? 0), cells: stored });

/**
 * Returns a place for an aggregate whose row's place is unknown, so that only its version is read. No row has
 * a NULL key, so no row is found.
 */
const noRow = ({ aggregate }: RowPlace): RowPlace => ({
  aggregate,
  table: "positions",
  key: { instrument_name: null },
});

const isAsWritten = ({ written, rows }: RowState): boolean => holds(rows[0], written);

const areWanted = (
  seen: Readonly<Record<Side, RowState>>,
  wanted: Readonly<Record<Side, RowRepair>>,
): boolean =>
  (["legacy", "modern"] as const).every((side) => {
    const { version, rows, written } = seen[side];
    const { set } = wanted[side].change;
    return version === wanted[side].version && holds(rows[0], set) && isAsWritten({ ...seen[side], written });
  });

const picked = (row: StoredRow, columns: readonly string[]): StoredRow =>
  Object.fromEntries(columns.map((column) => [column, row[column] ?? null]));

/** Whether JSON shows every value of the rows exactly. */
const isPlain = ({ rows }: RowState): boolean =>
  rows.every((row) =>
    Object.values(row).every((value) => (typeof value !== "object" && !isEndless(value)) || value === null),
  );

const isEndless = (value: unknown): boolean => typeof value === "number" && !Number.isFinite(value);

const plain = (cell: unknown): unknown =>
  typeof cell === "bigint" ? Number(cell) : cell instanceof Uint8Array ? "" : (cell ?? null);

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
