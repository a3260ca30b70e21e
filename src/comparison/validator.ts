import { unreachable } from "../base/errors.ts";
import type { Fraction } from "../base/fraction.ts";
import { add, formatFraction, parseFigure, zero } from "../base/fraction.ts";
import type { Side } from "../domain/migration/phase.ts";
import { agrees, type Verdict } from "../domain/migration/verdict.ts";
import type { ParityInvariant } from "../ports/parity-report.ts";
import type { DailyRow, PositionRow } from "../ports/pnl-system.ts";
import { areScaled, judgeNumbers, relationOf } from "./judgement.ts";
import type { ComparisonOptions, Conversion, ResolvedOptions } from "./options.ts";
import { resolveComparisonOptions } from "./options.ts";
import type {
  Cause,
  ComparisonReport,
  ComparisonRow,
  Field,
  Kind,
  SnapshotRow,
  SystemAnswer,
} from "./report.ts";
import { fields, fieldsOf } from "./report.ts";

/**
 * Compares two systems' answers about the same history, row by row and field by field. Pure, exact, and
 * linear in the rows except for sorting the report. The same rows in another order give the same report.
 * Swapping the sides keeps every verdict if there are no conversions, which apply to one side.
 *
 * Deliberately strict: a missing row is a divergence even if the other side is flat and zero, text never
 * equals text, and rows with duplicated keys are not paired.
 */
export class PnLComparisonValidator {
  readonly #options: ResolvedOptions;

  /** Throws BAD_CONFIG for unknown names and unreadable tolerances. */
  constructor(options: Partial<ComparisonOptions> = {}) {
    this.#options = resolveComparisonOptions(options);
  }

  compare(legacy: SystemAnswer, modern: SystemAnswer): ComparisonReport {
    const comparison: Comparison = {
      options: this.#options,
      applied: new Set(),
      sameDays: legacy.dayRule === modern.dayRule,
      lotOrder: new Set(),
      rows: [],
      invariants: [],
      counts: { equal: 0, within_tolerance: 0, diverged: 0, error: 0, not_comparable: 0 },
      drift: new Map(),
    };
    // Positions come first: a lot order that they suggest is then suggested for their daily rows, too.
    for (const paired of pair(legacy.positions, modern.positions))
      comparePaired(comparison, "position", paired);
    for (const paired of pair(legacy.daily, modern.daily)) comparePaired(comparison, "daily", paired);
    for (const paired of pair(legacy.snapshots ?? [], modern.snapshots ?? []))
      comparePaired(comparison, "snapshot", paired);

    const { counts, rows } = comparison;
    const refused = legacy.errors.length + modern.errors.length;
    return {
      ok: rows.length > 0 && counts.diverged + counts.error + counts.not_comparable + refused === 0,
      compared: rows.length,
      verdicts: counts,
      rows,
      conversions: this.#options.conversions
        .filter((conversion) => comparison.applied.has(conversion))
        .map(({ system, field, rule }) => ({ system, field, rule })),
      dayRules: { legacy: legacy.dayRule, modern: modern.dayRule },
      drift: Object.fromEntries(
        fields.map((field) => [field, text(comparison.drift.get(field) ?? zero)]),
      ) as Record<Field, string>,
      invariants: comparison.invariants,
      legacy: { system: legacy.system, errors: legacy.errors },
      modern: { system: modern.system, errors: modern.errors },
    };
  }
}

/** The state of one comparison. */
interface Comparison {
  readonly options: ResolvedOptions;
  readonly applied: Set<Conversion>;
  readonly sameDays: boolean;
  /** Book and symbol of the positions whose divergence suggests another lot order. */
  readonly lotOrder: Set<string>;
  readonly rows: ComparisonRow[];
  readonly invariants: ParityInvariant[];
  readonly counts: Record<Verdict, number>;
  readonly drift: Map<Field, Fraction>;
}

type Key = ComparisonRow["key"];
type AnswerRow = PositionRow | DailyRow | SnapshotRow;

interface Paired {
  readonly key: Key;
  readonly legacy: AnswerRow[];
  readonly modern: AnswerRow[];
}

/**
 * The rows of both sides by key, in key order. Several rows of one side with one key stay together, and are
 * reported as one row with the verdict `error`.
 */
function pair(legacy: readonly AnswerRow[], modern: readonly AnswerRow[]): readonly Paired[] {
  const byKey = new Map<string, Paired>();
  const put = (side: Side, row: AnswerRow): void => {
    const key = keyOf(row);
    const id = identify(key);
    const paired = byKey.get(id) ?? { key, legacy: [], modern: [] };
    paired[side].push(row);
    byKey.set(id, paired);
  };
  for (const row of legacy) put("legacy", row);
  for (const row of modern) put("modern", row);
  return [...byKey.values()].sort((a, b) => compareKeys(a.key, b.key));
}

const keyOf = (row: AnswerRow): Key => ({
  ...(row.book === undefined ? {} : { book: row.book }),
  symbol: row.symbol,
  ...("tradingDay" in row ? { tradingDay: row.tradingDay } : {}),
});

/**
 * A key as JSON, so that no symbol can make two keys equal. A row without a book differs from a row of the
 * empty book.
 */
const identify = (key: Key): string => JSON.stringify([key.book, key.symbol, key.tradingDay]);

const compareKeys = (a: Key, b: Key): number =>
  compareTexts(a.book, b.book) ||
  compareTexts(a.symbol, b.symbol) ||
  compareTexts(a.tradingDay, b.tradingDay);

/** Compares by code unit, the same on every machine; undefined comes first. */
function compareTexts(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
  return a < b ? -1 : 1;
}

function comparePaired(comparison: Comparison, kind: Kind, { key, legacy, modern }: Paired): void {
  const [legacyRow, modernRow] = [legacy[0], modern[0]];
  if (legacyRow === undefined || modernRow === undefined || legacy.length > 1 || modern.length > 1) {
    record(comparison, wholeRow(comparison, kind, { key, legacy, modern }));
    return;
  }
  const compared = fieldsOf[kind].map((field) => compareField(comparison, field, legacyRow, modernRow));
  const lotOrder =
    kind === "position"
      ? judgePosition(comparison, key, compared)
      : explainedByPosition(comparison, key, compared);
  for (const one of compared) {
    const numbers = one.difference && one.allowed;
    const printed = [one.legacy, one.modern].map(print);
    const difference = numbers ? formatFraction(one.difference) : undefined;
    const tolerance = numbers ? formatFraction(one.allowed) : undefined;
    record(comparison, {
      kind,
      key,
      field: one.field,
      legacy: printed[0]?.text ?? null,
      modern: printed[1]?.text ?? null,
      difference: difference?.text ?? null,
      tolerance: tolerance?.text ?? null,
      verdict: one.verdict,
      cause: one.cause ?? (one.verdict === "diverged" ? suggestedCause(one, lotOrder) : null),
      ...([...printed, difference, tolerance].some((figure) => figure?.rounded)
        ? { rounded: true as const }
        : {}),
    });
    if (one.verdict === "within_tolerance" && one.difference)
      comparison.drift.set(one.field, add(comparison.drift.get(one.field) ?? zero, one.difference));
  }
}

function record(comparison: Comparison, row: ComparisonRow): void {
  comparison.rows.push(row);
  comparison.counts[row.verdict] += 1;
}

/** The single report row for a key that is missing or duplicated on a side; its fields are not compared. */
function wholeRow(comparison: Comparison, kind: Kind, { key, legacy, modern }: Paired): ComparisonRow {
  const counted = {
    kind,
    key,
    field: "row",
    legacy: String(legacy.length),
    modern: String(modern.length),
    difference: String(modern.length - legacy.length),
    tolerance: "0",
  } as const;
  const duplicatedIn = (["legacy", "modern"] as const).filter(
    (side) => ({ legacy, modern })[side].length > 1,
  );
  if (duplicatedIn.length > 0) return { ...counted, verdict: "error", cause: "DUPLICATE_KEY", duplicatedIn };
  const side: Side = legacy.length === 0 ? "modern" : "legacy";
  const present: Record<string, string | null> = {};
  for (const row of side === "legacy" ? legacy : modern)
    for (const field of fieldsOf[kind])
      present[field] = print(read(comparison, side, field, row))?.text ?? null;
  return {
    ...counted,
    verdict: "diverged",
    cause: side === "modern" ? "MISSING_IN_LEGACY" : "MISSING_IN_MODERN",
    present,
  };
}

/** One field of one row as a system answered it. */
type Reading =
  | { readonly is: "number"; readonly value: Fraction }
  /** A number whose unit could not be converted. */
  | { readonly is: "unconverted"; readonly value: Fraction }
  | { readonly is: "text"; readonly text: string }
  | { readonly is: "none" };

interface FieldComparison {
  readonly field: Field;
  readonly legacy: Reading;
  readonly modern: Reading;
  readonly verdict: Verdict;
  readonly cause: Cause | null;
  /** modern - legacy, and the allowed difference. Present only for two numbers. */
  readonly difference?: Fraction;
  readonly allowed?: Fraction;
}

function compareField(
  comparison: Comparison,
  field: Field,
  legacyRow: AnswerRow,
  modernRow: AnswerRow,
): FieldComparison {
  const legacy = read(comparison, "legacy", field, legacyRow);
  const modern = read(comparison, "modern", field, modernRow);
  const both = { field, legacy, modern };
  if (legacy.is === "number" && modern.is === "number") {
    const allowed = comparison.options.allowed(field, legacyRow.symbol, legacy.value, modern.value);
    return { ...both, ...judgeNumbers(legacy.value, modern.value, allowed), allowed, cause: null };
  }
  if (legacy.is === "none" && modern.is === "none") return { ...both, verdict: "equal", cause: null };
  return { ...both, verdict: "not_comparable", cause: obstacle(legacy, modern) };
}

/**
 * The reason why two readings cannot be compared; of several reasons, the one that is hardest to fix. Not for
 * two numbers or two missing values, which can be compared.
 */
function obstacle(legacy: Reading, modern: Reading): Cause {
  if (legacy.is === "text" || modern.is === "text") return "NOT_A_NUMBER";
  if (legacy.is === "unconverted" || modern.is === "unconverted") return "NO_MULTIPLIER";
  return legacy.is === "none" ? "NO_VALUE_IN_LEGACY" : "NO_VALUE_IN_MODERN";
}

function read(comparison: Comparison, side: Side, field: Field, row: AnswerRow): Reading {
  const given = (row as Partial<Record<Field, string | null>>)[field];
  if (given === null || given === undefined) return { is: "none" };
  let value = parseFigure(given);
  if (value === undefined) return { is: "text", text: given };
  for (const conversion of comparison.options.conversions) {
    if (conversion.system !== side || conversion.field !== field) continue;
    const converted = conversion.apply(value, row);
    if (converted === undefined) return { is: "unconverted", value };
    if (converted !== value) comparison.applied.add(conversion);
    if (converted === null) return { is: "none" };
    value = converted;
  }
  return { is: "number", value };
}

function print(reading: Reading): { readonly text: string; readonly rounded: boolean } | undefined {
  switch (reading.is) {
    case "number":
    case "unconverted":
      return formatFraction(reading.value);
    case "text":
      return { text: reading.text, rounded: false };
    case "none":
      return undefined;
    default:
      return unreachable(reading);
  }
}

const text = (value: Fraction): string => formatFraction(value).text;

const numberOf = (compared: readonly FieldComparison[], field: Field, side: Side): Fraction | undefined => {
  const reading = compared.find((one) => one.field === field)?.[side];
  return reading?.is === "number" ? reading.value : undefined;
};

const verdictOf = (compared: readonly FieldComparison[], field: Field): Verdict | undefined =>
  compared.find((one) => one.field === field)?.verdict;

/**
 * Records the invariant of one position if all four figures are numbers. Returns whether the figures suggest
 * another lot order: total P&L is cash flow + quantity × mark, whichever lots were closed, so a different lot
 * order changes the realized part and neither the quantity nor the total. Figures that are exactly a
 * multiplier apart do not suggest it.
 */
function judgePosition(comparison: Comparison, key: Key, compared: readonly FieldComparison[]): boolean {
  const sum = (side: Side): Fraction | undefined => {
    const [realized, unrealized] = [
      numberOf(compared, "realized", side),
      numberOf(compared, "unrealized", side),
    ];
    return realized && unrealized && add(realized, unrealized);
  };
  const [legacy, modern] = [sum("legacy"), sum("modern")];
  if (legacy === undefined || modern === undefined) return false;
  const allowed = comparison.options.allowed("total", key.symbol, legacy, modern);
  const holds = agrees(judgeNumbers(legacy, modern, allowed).verdict);
  comparison.invariants.push({
    ...key,
    name: "realized_plus_unrealized",
    legacy: text(legacy),
    modern: text(modern),
    holds,
  });

  const scaled = compared.filter((one) => isMoney(one.field)).every(isScaled);
  if (
    !holds ||
    scaled ||
    !agrees(verdictOf(compared, "quantity")) ||
    verdictOf(compared, "realized") !== "diverged"
  )
    return false;
  comparison.lotOrder.add(identify(key));
  return true;
}

/**
 * Whether lot order may explain a day's split: the position suggests it, the day's total agrees, and both
 * sides use the same day rule.
 */
function explainedByPosition(
  comparison: Comparison,
  key: Key,
  compared: readonly FieldComparison[],
): boolean {
  const { tradingDay: _, ...position } = key;
  return (
    comparison.sameDays && comparison.lotOrder.has(identify(position)) && agrees(verdictOf(compared, "total"))
  );
}

const splitByLotOrder: ReadonlySet<Field> = new Set<Field>(["averagePrice", "realized", "unrealized"]);

/**
 * The cause that two diverged numbers suggest: lot order, or an exact relation between them; otherwise null.
 */
function suggestedCause(one: FieldComparison, lotOrder: boolean): Cause | null {
  if (lotOrder && splitByLotOrder.has(one.field)) return "LOT_ORDER";
  if (one.legacy.is !== "number" || one.modern.is !== "number") return null;
  return relationOf(one.legacy.value, one.modern.value, isMoney(one.field));
}

const isMoney = (field: Field): boolean =>
  field === "realized" || field === "unrealized" || field === "total";

const isScaled = ({ legacy, modern }: FieldComparison): boolean =>
  legacy.is === "number" && modern.is === "number" && areScaled(legacy.value, modern.value);
