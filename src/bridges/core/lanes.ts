import type { RowDifference } from "../../comparison/index.ts";

/** The result of one comparison for one lane (a book's trades in one instrument). */
export interface LaneSeen {
  /** Empty if neither the row nor the call has one. */
  readonly book: string;
  readonly symbol: string;
  /** The sum of |quantity × price|. */
  weight: number;
  /** The first compared field that differs beyond tolerance; null if none does. */
  apart: string | null;
  /** The largest difference of money; null if unknown. */
  money: number | null;
  /** The sum of the differences of money, modern - legacy. */
  signed: number;
  /** Whether a quantity differs beyond tolerance. */
  quantityApart: boolean;
  /** False if a value could not be compared, so that the comparison is no evidence about the lane. */
  isCompared: boolean;
}

/** The facts of a comparison that its stored record does not have, for the gates' evidence. */
export interface ComparisonSeen {
  /** `lost`: the answers could not be compared, which lowers the coverage. */
  readonly outcome: "compared" | "modern_failed" | "both_failed" | "lost";
  /** Undefined if the method's answers have no lanes. */
  readonly lanes: readonly LaneSeen[] | undefined;
  /** What differs in an answer without lanes. */
  readonly whole?: Pick<LaneSeen, "money" | "quantityApart"> | undefined;
  /** The number of compared values. */
  readonly values: number;
  /** Whether modern answered the caller, or should have. */
  readonly served: boolean;
  /** Why legacy answered instead of modern. */
  readonly fellBack: string | undefined;
  readonly user: string;
  readonly book: string;
}

/** Lists the lanes of an answer's rows with the differences found in them. `book` is that of the call. */
export function lanesOf(
  rows: Iterable<unknown>,
  differences: readonly RowDifference[],
  book: string,
): readonly LaneSeen[] {
  const lanes = new Map<string, LaneSeen>();
  const laneOf = (row: unknown): LaneSeen | undefined => {
    const symbol = textOf(row, "symbol");
    if (symbol === undefined) return undefined;
    const inBook = textOf(row, "book") ?? book;
    const id = `${inBook}\n${symbol}`;
    let lane = lanes.get(id);
    if (lane === undefined) {
      lane = { ...emptyLane, book: inBook, symbol };
      lanes.set(id, lane);
    }
    return lane;
  };
  for (const row of rows) {
    const lane = laneOf(row);
    if (lane !== undefined) lane.weight += weightOfRow(row);
  }
  const elsewhere: RowDifference[] = [];
  for (const difference of differences) {
    const lane = laneOf(difference.row);
    if (lane === undefined) elsewhere.push(difference);
    else addDifference(lane, difference);
  }
  const found = [...lanes.values()];
  // Totals follow from their rows. A total that diverges counts against every lane if no row diverges or if
  // there is one lane only.
  if (found.length === 1 || found.every(({ apart }) => apart === null))
    for (const lane of found) for (const difference of elsewhere) addDifference(lane, difference);
  return found;
}

const emptyLane = {
  weight: 0,
  apart: null,
  money: 0,
  signed: 0,
  quantityApart: false,
  isCompared: true,
};

function addDifference(
  lane: LaneSeen,
  { verdict, field, money, signed, quantityApart }: RowDifference,
): void {
  lane.signed += signed;
  if (verdict === "not_comparable") lane.isCompared = false;
  if (verdict !== "diverged") return;
  lane.apart ??= field;
  lane.quantityApart ||= quantityApart;
  lane.money = lane.money === null || money === null ? null : Math.max(lane.money, money);
}

/** What differs in an answer as a whole. */
export function wholeOf(differences: readonly RowDifference[]): NonNullable<ComparisonSeen["whole"]> {
  const whole: LaneSeen = { ...emptyLane, book: "", symbol: "" };
  for (const difference of differences) addDifference(whole, difference);
  const { money, quantityApart } = whole;
  return { money, quantityApart };
}

/** The |quantity × price| of a position, a trade or a request's trade. */
export function weightOfRow(row: unknown): number {
  const price = textOf(row, "mark") ?? textOf(row, "averagePrice") ?? textOf(row, "price");
  const weight = Math.abs(Number(textOf(row, "quantity") ?? 0) * Number(price ?? 0));
  return Number.isFinite(weight) ? weight : 0;
}

/** The text or number under a name; undefined if there is neither. */
export function textOf(object: unknown, name: string): string | undefined {
  if (typeof object !== "object" || object === null) return undefined;
  // `Reflect.get` takes several times as long.
  const value = (object as Record<string, unknown>)[name];
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;
}
