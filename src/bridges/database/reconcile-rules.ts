/**
 * The description of both stores' tables for reconcile, and the rules by which it judges two rows. They share
 * nothing with the code that writes the stores, so that they find the mistakes of that code.
 */
import { formatDecimal, parseDecimal } from "../../base/decimal.ts";
import {
  add,
  divide,
  type Fraction,
  formatFraction,
  multiply,
  parseFigure,
  zero,
} from "../../base/fraction.ts";
import { nearestDouble } from "../../base/nearest-double.ts";
import { judgeNumbers, relationOf } from "../../comparison/index.ts";
import { dayUs, formatDay, readInstant } from "../../domain/market/chicago-time.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { agrees, type Verdict } from "../../domain/migration/verdict.ts";
import type {
  Cell,
  Cells,
  ReadTable,
  ReconcileFigure,
  ReconcileKind,
  ReconcileRow,
} from "../../ports/reconcile.ts";

/** The ways in which a column of legacy follows from columns of modern. */
type How =
  /** The same text. */
  | "text"
  /** The same number: legacy's double prints as modern's decimal. */
  | "exact"
  /** The double nearest to modern's number; 0 if modern has none. */
  | "nearest"
  /** The double nearest to modern's money in points; 0 if modern has none. Several columns are summed. */
  | "points"
  /** Chicago wall time of modern's instant. */
  | "wall"
  /** The day in the name of modern's file, else the day of its instant in Chicago. */
  | "day";

interface FieldRule {
  readonly field: string;
  readonly legacy: string;
  readonly modern: readonly string[];
  readonly how: How;
}

interface KindRule {
  readonly tables: Readonly<Record<Side, ReadTable>>;
  /** The parts of the key by which rows are paired, in the same order on both sides. */
  readonly pairedBy: Readonly<Record<Side, readonly string[]>>;
  /** Whether the last part of the key is a time, which legacy holds as wall time. */
  readonly endsWithTime?: true;
  readonly fields: readonly FieldRule[];
}

const field = (name: string, legacy: string, modern: string | readonly string[], how: How): FieldRule => ({
  field: name,
  legacy,
  modern: typeof modern === "string" ? [modern] : modern,
  how,
});

export const kindRules: Readonly<Record<ReconcileKind, KindRule>> = {
  trade: kindRule({
    tables: { legacy: ["processed_trades", "trade_id"], modern: ["trades", "trade_id"] },
    pairedBy: { legacy: ["trade_id", "source_file"], modern: ["trade_id", "source_file"] },
    more: ["trade_key", "book", "instrument", "occurrence"],
    fields: [
      field("symbol", "instrument_name", "symbol", "text"),
      field("side", "side", "side", "text"),
      field("quantity", "quantity", "quantity", "exact"),
      field("price", "price", "price", "exact"),
      field("time", "trade_timestamp", "traded_at", "wall"),
      field("date", "trade_date", ["source_file", "traded_at"], "day"),
    ],
  }),
  position: kindRule({
    tables: { legacy: ["positions", "instrument_name"], modern: ["positions", "symbol"] },
    pairedBy: { legacy: ["instrument_name"], modern: ["symbol"] },
    more: ["book", "instrument"],
    fields: [
      field("quantity", "position_quantity", "quantity", "exact"),
      field("averagePrice", "avg_cost", "average_price", "nearest"),
      field("realized", "total_realized_pnl", "realized", "points"),
      field("unrealized", "unrealized_pnl", "unrealized", "points"),
      field("mark", "last_market_price", "mark", "exact"),
      field("asOf", "last_updated", "as_of", "wall"),
    ],
  }),
  daily: kindRule({
    tables: { legacy: ["eod_pnl", "trade_date"], modern: ["daily", "trading_day"] },
    pairedBy: { legacy: ["trade_date", "instrument_name"], modern: ["trading_day", "symbol"] },
    more: ["book", "instrument"],
    fields: [
      field("quantity", "closing_position", "quantity", "exact"),
      field("realized", "realized_pnl", "realized", "points"),
      field("unrealized", "unrealized_pnl", "unrealized", "points"),
      field("total", "total_pnl", ["realized", "unrealized"], "points"),
    ],
  }),
  price: kindRule({
    tables: { legacy: ["market_prices", "bloomberg"], modern: ["marks", "symbol"] },
    pairedBy: { legacy: ["bloomberg", "upload_timestamp"], modern: ["symbol", "at"] },
    endsWithTime: true,
    more: ["instrument", "mark_kind", "trading_day", "source"],
    fields: [field("settle", "px_settle", "price", "exact"), field("last", "px_last", "price", "exact")],
  }),
};

function kindRule({
  tables,
  pairedBy,
  more,
  fields,
  ...rest
}: Omit<KindRule, "tables"> & {
  readonly tables: Readonly<Record<Side, readonly [table: string, key: string]>>;
  /** Columns of modern that reports and repairs need. */
  readonly more: readonly string[];
}): KindRule {
  const table = (side: Side): ReadTable => ({
    table: tables[side][0],
    key: tables[side][1],
    columns: [
      ...new Set([
        ...pairedBy[side],
        ...fields.flatMap(({ legacy, modern }) => (side === "legacy" ? [legacy] : modern)),
        ...(side === "modern" ? more : []),
      ]),
    ],
  });
  return { tables: { legacy: table("legacy"), modern: table("modern") }, pairedBy, fields, ...rest };
}

/** Rows of both sides with one key. */
export interface Group {
  readonly legacy: Cells[];
  readonly modern: Cells[];
}

/** Groups the rows of both sides by key. A cell that is not text never has the same key as a text. */
export function grouped(
  kind: ReconcileKind,
  legacy: readonly Cells[],
  modern: readonly Cells[],
): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const [side, rows] of [
    ["legacy", legacy],
    ["modern", modern],
  ] as const)
    for (const row of rows) {
      const id = groupOf(kind, side, row);
      let group = groups.get(id);
      if (group === undefined) {
        group = { legacy: [], modern: [] };
        groups.set(id, group);
      }
      group[side].push(row);
    }
  return groups;
}

/** Returns the key of a row as text; it is the same for the rows of both sides that belong together. */
export function groupOf(kind: ReconcileKind, side: Side, row: Cells): string {
  const { pairedBy, endsWithTime } = kindRules[kind];
  const parts = pairedBy[side].map((column, index) => {
    const cell = row[column] ?? null;
    const isTime = endsWithTime === true && index === pairedBy[side].length - 1;
    const wallUs = isTime && typeof cell === "string" ? readInstant(cell)?.wallUs : undefined;
    return wallUs ?? (typeof cell === "string" ? cell : [typeof cell, shown(cell)]);
  });
  return JSON.stringify(parts);
}

/** The difference up to which two values of one figure count as equal. */
export interface Tolerances {
  /** For quantities and prices. */
  readonly position: Fraction;
  /** For money. */
  readonly pnl: Fraction;
}

export interface JudgeTools {
  readonly tolerances: Tolerances;
  /** Money per point, decimal text; undefined for an unknown symbol. */
  readonly multiplierOf: (symbol: string) => string | undefined;
  /** Whether legacy's table of trades forbids a second row with the same id and file. */
  readonly isTradeUnique: boolean;
  /** By trade key, the reason why legacy's own tables cannot hold the trade. */
  readonly unstorable: ReadonlyMap<Cell, string>;
}

/**
 * Judges the rows of one key: a figure for each compared field, or one figure for a row that has no partner.
 */
export function judged(kind: ReconcileKind, group: Group, tools: JudgeTools): readonly ReconcileFigure[] {
  if (kind === "trade") return judgedTrades(group, tools);
  const { legacy, modern } = group;
  const [legacyRow, modernRow] = [legacy[0], modern[0]];
  if (legacy.length > 1) return [whole(kind, group, "error", "DUPLICATE_KEY")];
  if (modern.length > 1) {
    const books = new Set(modern.map(({ book }) => book));
    const isOfBooks = kind !== "price" && books.size === modern.length;
    return [
      isOfBooks
        ? whole(kind, group, "not_comparable", "BOOK_NOT_IN_LEGACY")
        : whole(kind, group, "error", "DUPLICATE_KEY"),
    ];
  }
  if (legacyRow !== undefined && modernRow !== undefined)
    return judgedPair(kind, legacyRow, modernRow, tools);
  if (modernRow === undefined) return [whole(kind, group, "diverged", "MISSING_IN_MODERN")];
  // Legacy deletes the row of a flat position, and modern keeps it.
  const isFlat = kind === "position" && figureOf(modernRow.quantity ?? null)?.numerator === 0n;
  return [isFlat ? whole(kind, group, "equal", null) : whole(kind, group, "diverged", "MISSING_IN_LEGACY")];
}

/**
 * Judges the trades with one id in one file. Trades in `pnlb_unstorable` have no partner. Of the other
 * trades, equal rows are paired first, each once, and then the remaining rows in their order. If legacy's
 * unique key allows only one such row, further rows of modern cannot be in legacy.
 */
function judgedTrades(group: Group, tools: JudgeTools): readonly ReconcileFigure[] {
  const figures: ReconcileFigure[] = [];
  const left: Cells[] = [];
  for (const row of group.modern) {
    const cause = tools.unstorable.get(row.trade_key ?? null);
    if (cause === undefined) left.push(row);
    else {
      const figure = whole("trade", { legacy: [], modern: [row] }, "not_comparable", cause);
      figures.push({ ...figure, isAccepted: true });
    }
  }
  const unmatched: Cells[] = [];
  for (const row of group.legacy) {
    const at = left.findIndex((other) => areEqual(judgedPair("trade", row, other, tools)));
    if (at < 0) unmatched.push(row);
    else figures.push(...judgedPair("trade", row, left.splice(at, 1)[0] ?? row, tools));
  }
  const isBeyondUnique = tools.isTradeUnique && group.legacy.length > 0;
  for (const row of unmatched) {
    const other = left.shift();
    figures.push(
      ...(other === undefined
        ? [whole("trade", { legacy: [row], modern: [] }, "diverged", "MISSING_IN_MODERN")]
        : judgedPair("trade", row, other, tools)),
    );
  }
  for (const [index, row] of left.entries()) {
    const cannotBe = isBeyondUnique || (tools.isTradeUnique && index > 0);
    figures.push(
      cannotBe
        ? whole("trade", { legacy: [], modern: [row] }, "not_comparable", "LEGACY_UNIQUE")
        : whole("trade", { legacy: [], modern: [row] }, "diverged", "MISSING_IN_LEGACY"),
    );
  }
  return figures;
}

const areEqual = (figures: readonly ReconcileFigure[]): boolean =>
  figures.every(({ row }) => row.verdict === "equal");

export const areAgreed = (figures: readonly ReconcileFigure[]): boolean =>
  figures.every(({ row }) => agrees(row.verdict));

/** Returns the one figure of a key whose fields are not compared. Its values are counts of rows. */
export function whole(
  kind: ReconcileKind,
  { legacy, modern }: Group,
  verdict: Verdict,
  cause: string | null,
): ReconcileFigure {
  const [legacyRow, modernRow] = [legacy[0], modern[0]];
  const duplicatedIn = (["legacy", "modern"] as const).filter(
    (side) => ({ legacy, modern })[side].length > 1,
  );
  const only = legacyRow === undefined ? modernRow : modernRow === undefined ? legacyRow : undefined;
  const side = legacyRow === undefined ? "modern" : "legacy";
  return {
    date: dateOf(kind, legacyRow, modernRow),
    row: {
      kind,
      key: keyOf(kind, legacyRow, modernRow),
      field: "row",
      legacy: String(legacy.length),
      modern: String(modern.length),
      difference: String(modern.length - legacy.length),
      tolerance: "0",
      verdict,
      cause,
      ...(only !== undefined && { present: presentIn(kind, side, only) }),
      ...(duplicatedIn.length > 0 && { duplicatedIn }),
    },
  };
}

const presentIn = (kind: ReconcileKind, side: Side, row: Cells): Readonly<Record<string, string | null>> =>
  Object.fromEntries(
    kindRules[kind].fields.map((rule) => {
      const cell = row[side === "legacy" ? rule.legacy : (rule.modern[0] ?? "")] ?? null;
      return [rule.field, cell === null ? null : shown(cell)];
    }),
  );

function judgedPair(
  kind: ReconcileKind,
  legacy: Cells,
  modern: Cells,
  tools: JudgeTools,
): readonly ReconcileFigure[] {
  const key = keyOf(kind, legacy, modern);
  const date = dateOf(kind, legacy, modern);
  const multiplier = parseFigure(tools.multiplierOf(String(modern.symbol)) ?? "");
  return kindRules[kind].fields.map((rule) => {
    const judgement = judgedField(rule, legacy, modern, { ...tools, multiplier });
    const ownRule = agrees(judgement.verdict) ? undefined : ownRuleOf(kind, rule, legacy);
    const row = { kind, key, field: rule.field, ...judgement };
    return {
      date,
      row: ownRule === undefined ? row : { ...row, difference: null, tolerance: null, ...ownRule },
    };
  });
}

/**
 * Returns the reason why a figure cannot be compared if legacy fills its column by a rule of its own: a total
 * that is not the sum of its parts, or a settlement price that is not the last price. Undefined otherwise.
 */
function ownRuleOf(
  kind: ReconcileKind,
  { field }: FieldRule,
  legacy: Cells,
): Pick<Judged, "verdict" | "cause"> | undefined {
  if (kind === "daily" && field === "total") {
    const [total, ...parts] = ["total_pnl", "realized_pnl", "unrealized_pnl"].map((column) =>
      figureOf(legacy[column] ?? null),
    );
    const [realized, unrealized] = parts;
    const isSum =
      total !== undefined &&
      realized !== undefined &&
      unrealized !== undefined &&
      isNearest(legacy.total_pnl ?? null, add(realized, unrealized));
    if (!isSum) return { verdict: "not_comparable", cause: "LEGACY_TOTAL" };
  }
  if (kind === "price" && field === "settle" && legacy.px_settle !== legacy.px_last)
    return { verdict: "not_comparable", cause: "LEGACY_SETTLE" };
  return undefined;
}

/** The causes that lie in legacy alone: its own rules for a column or for a unique key. */
export const legacyRuleCauses: ReadonlySet<string> = new Set([
  "LEGACY_TOTAL",
  "LEGACY_SETTLE",
  "LEGACY_UNIQUE",
]);

/** Returns the claim on a group's row in legacy: its table and key. */
export const claimOfGroup = (kind: ReconcileKind, { legacy: [row] }: Group): string | undefined =>
  row === undefined
    ? undefined
    : JSON.stringify(
        [
          kindRules[kind].tables.legacy.table,
          ...kindRules[kind].pairedBy.legacy.map((column) => row[column]),
        ],
        (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value),
      );

type Judged = Pick<ReconcileRow, "legacy" | "modern" | "difference" | "tolerance" | "verdict" | "cause">;

function judgedField(
  { legacy, modern, how }: FieldRule,
  legacyRow: Cells,
  modernRow: Cells,
  { tolerances, multiplier }: JudgeTools & { readonly multiplier: Fraction | undefined },
): Judged {
  const cell = legacyRow[legacy] ?? null;
  const cells = modern.map((column) => modernRow[column] ?? null);
  const [first = null] = cells;
  switch (how) {
    case "text":
      return judgedTexts(cell, first, cell === first);
    case "wall": {
      const [a, b] = [instantOf(cell), instantOf(first)];
      return judgedTexts(cell, first, a !== undefined && a === b);
    }
    case "day": {
      const day = dayOf(first, cells[1] ?? null);
      return judgedTexts(cell, day, cell === day);
    }
    case "exact":
      return judgedFigures(readAs(cell), readAs(first), { allowed: tolerances.position, isMoney: false });
    case "nearest": {
      const modern = readAs(first);
      const legacy = legacyRead(cell, first === null ? zero : modern.value, modern);
      return judgedFigures(legacy, modern, { allowed: tolerances.position, isMoney: false });
    }
    case "points": {
      const isNone = cells.every((one) => one === null);
      const money = cells.reduce<Fraction | undefined>((sum, one) => {
        const value = one === null ? zero : figureOf(one);
        return sum && value && add(sum, value);
      }, zero);
      if (money === undefined) return notComparable(cell, first, "NOT_A_NUMBER");
      if (multiplier === undefined) return notComparable(cell, first, "NO_MULTIPLIER");
      const modern = isNone ? readAs(null) : { cell: first, value: money };
      const points = figureOf(cell);
      const legacy =
        points !== undefined && isNearest(cell, divide(money, multiplier))
          ? modern
          : { cell, value: points && multiply(points, multiplier) };
      return judgedFigures(legacy, modern, { allowed: tolerances.pnl, isMoney: true });
    }
  }
}

/** A cell, and the number that it represents. */
interface ReadCell {
  readonly cell: Cell;
  readonly value: Fraction | undefined;
}

const readAs = (cell: Cell): ReadCell => ({ cell, value: figureOf(cell) });

/** Reads legacy's cell: it represents modern's number if it holds the double nearest to that number. */
const legacyRead = (cell: Cell, expected: Fraction | undefined, modern: ReadCell): ReadCell =>
  expected !== undefined && isNearest(cell, expected) ? modern : readAs(cell);

const isNearest = (cell: Cell, value: Fraction): boolean =>
  typeof cell === "number" ? cell === nearestDouble(value) : sameWhole(cell, value);

const sameWhole = (cell: Cell, value: Fraction): boolean =>
  typeof cell === "bigint" && value.denominator === 1n && value.numerator === cell;

function judgedTexts(legacy: Cell, modern: Cell, isEqual: boolean): Judged {
  const both = { legacy: textOf(legacy), modern: textOf(modern), difference: null, tolerance: null };
  if (isEqual) return { ...both, verdict: "equal", cause: null };
  const isOneSided = (legacy === null) !== (modern === null);
  return isOneSided
    ? {
        ...both,
        verdict: "not_comparable",
        cause: legacy === null ? "NO_VALUE_IN_LEGACY" : "NO_VALUE_IN_MODERN",
      }
    : { ...both, verdict: "diverged", cause: null };
}

/**
 * Judges two figures. They are not comparable if a cell is neither null nor a number, or if exactly one is
 * null.
 */
function judgedFigures(
  legacy: ReadCell,
  modern: ReadCell,
  { allowed, isMoney }: { readonly allowed: Fraction; readonly isMoney: boolean },
): Judged {
  if (legacy.cell === null && modern.cell === null)
    return { legacy: null, modern: null, difference: null, tolerance: null, verdict: "equal", cause: null };
  if (legacy.value !== undefined && modern.value !== undefined) {
    const { verdict, difference } = judgeNumbers(legacy.value, modern.value, allowed);
    return {
      legacy: formatFraction(legacy.value).text,
      modern: formatFraction(modern.value).text,
      difference: formatFraction(difference).text,
      tolerance: formatFraction(allowed).text,
      verdict,
      cause: verdict === "diverged" ? relationOf(legacy.value, modern.value, isMoney) : null,
    };
  }
  const isText = [legacy, modern].some(({ cell, value }) => value === undefined && cell !== null);
  return {
    ...notComparable(legacy.cell, modern.cell, isText ? "NOT_A_NUMBER" : noValue(legacy.cell)),
    ...(legacy.value !== undefined && { legacy: formatFraction(legacy.value).text }),
    ...(modern.value !== undefined && { modern: formatFraction(modern.value).text }),
  };
}

const noValue = (legacy: Cell): string => (legacy === null ? "NO_VALUE_IN_LEGACY" : "NO_VALUE_IN_MODERN");

const notComparable = (legacy: Cell, modern: Cell, cause: string): Judged => ({
  legacy: textOf(legacy),
  modern: textOf(modern),
  difference: null,
  tolerance: null,
  verdict: "not_comparable",
  cause,
});

/**
 * Returns the number in a cell. Only modern holds decimals as text; legacy's column types convert text to
 * numbers.
 */
function figureOf(cell: Cell): Fraction | undefined {
  if (typeof cell === "bigint") return { numerator: cell, denominator: 1n };
  if (typeof cell === "number") return Number.isFinite(cell) ? parseFigure(String(cell)) : undefined;
  return typeof cell === "string" ? parseFigure(cell) : undefined;
}

const instantOf = (cell: Cell): number | undefined =>
  typeof cell === "string" ? readInstant(cell)?.instantUs : undefined;

function dayOf(file: Cell, time: Cell): Cell {
  const [, year, month, date] = /(\d{4})(\d{2})(\d{2})/.exec(typeof file === "string" ? file : "") ?? [];
  if (year !== undefined) return `${year}-${month}-${date}`;
  const wallUs = typeof time === "string" ? readInstant(time)?.wallUs : undefined;
  return wallUs === undefined ? null : formatDay(Math.floor(wallUs / dayUs));
}

const textOf = (cell: Cell): string | null => (cell === null ? null : shown(cell));

/** Returns a cell's value as reports show it. */
function shown(cell: Cell): string {
  if (typeof cell === "number") {
    const decimal = parseDecimal(String(cell));
    return decimal === undefined ? String(cell) : formatDecimal(decimal);
  }
  if (cell instanceof Uint8Array)
    return `x'${[...cell].map((byte) => byte.toString(16).padStart(2, "0")).join("")}'`;
  return cell === null ? "NULL" : String(cell);
}

function keyOf(
  kind: ReconcileKind,
  legacy: Cells | undefined,
  modern: Cells | undefined,
): Readonly<Record<string, string>> {
  const { pairedBy } = kindRules[kind];
  const of = (index: number): string => {
    const cell =
      modern === undefined ? legacy?.[pairedBy.legacy[index] ?? ""] : modern[pairedBy.modern[index] ?? ""];
    return shown(cell ?? null);
  };
  const book = modern?.book;
  const inBook = typeof book === "string" && book !== "" ? { book } : {};
  switch (kind) {
    case "trade":
      return {
        id: of(0),
        file: of(1),
        symbol: shown(modern?.symbol ?? legacy?.instrument_name ?? null),
        occurrence: shown(modern?.occurrence ?? "1"),
      };
    case "position":
      return { ...inBook, symbol: of(0) };
    case "daily":
      return { ...inBook, symbol: of(1), tradingDay: of(0) };
    case "price":
      return {
        symbol: of(0),
        tradingDay: shown(modern?.trading_day ?? legacy?.upload_timestamp ?? null).slice(0, 10),
      };
  }
}

/**
 * Returns the day that decides whether a row is in a range of days; empty for a position, which has no day.
 */
function dateOf(kind: ReconcileKind, legacy: Cells | undefined, modern: Cells | undefined): string {
  switch (kind) {
    case "trade":
      return shown(legacy?.trade_date ?? dayOf(modern?.source_file ?? null, modern?.traded_at ?? null));
    case "position":
      return "";
    case "daily":
      return shown(legacy?.trade_date ?? modern?.trading_day ?? null);
    case "price":
      return shown(legacy?.upload_timestamp ?? modern?.at ?? null).slice(0, 10);
  }
}
