/** Both systems' figures beside each other, with the exact difference and the gateway's verdict. */
import { formatFraction, parseFigure, subtract } from "../../../src/base/fraction.ts";
import type { Dashboard, Panels } from "../wire.ts";

type Comparison = NonNullable<NonNullable<Dashboard["other"]>["comparison"]>;
export type Verdict = Comparison["verdict"];

/** One figure of both systems; undefined where a system has no such row. */
export interface Pair {
  readonly legacy: string | null | undefined;
  readonly modern: string | null | undefined;
}

/** Modern minus legacy as exact text; null unless both are numbers. */
export function differenceOf({ legacy, modern }: Pair): string | null {
  const [from, to] = [numberOf(legacy), numberOf(modern)];
  return from === undefined || to === undefined ? null : formatFraction(subtract(to, from)).text;
}

const numberOf = (text: string | null | undefined) =>
  text === null || text === undefined ? undefined : parseFigure(text);

/** The panels of both systems in one answer; undefined if the other system was not asked for. */
export function sidesOf({
  source,
  value,
  other,
}: Pick<Dashboard, "source" | "value" | "other">): SideBySide | undefined {
  if (other === undefined) return undefined;
  const panels = source === "legacy" ? [value, other.value] : [other.value, value];
  const [legacy = value, modern = value] = panels;
  return new SideBySide(legacy, modern, other.comparison);
}

/** The data that a panel of the P&L view shows. */
export interface PanelProps {
  readonly answer: Dashboard;
  /** Undefined if the other system was not asked for. */
  readonly sides: SideBySide | undefined;
}

/** The worst verdict first. */
const order: readonly Verdict[] = ["error", "diverged", "not_comparable", "within_tolerance", "equal"];

/** The worst of some verdicts. An undefined verdict does not count. */
export const worstOf = (verdicts: readonly (Verdict | undefined)[]): Verdict | undefined =>
  order.find((verdict) => verdicts.includes(verdict));

export class SideBySide {
  readonly legacy: Panels;
  readonly modern: Panels;
  /** Undefined if one of the two systems could not answer. */
  readonly verdict: Verdict | undefined;
  /** The number of differences that the gateway counts and does not list. */
  readonly more: number;
  readonly #fields: ReadonlyMap<string, Verdict>;

  constructor(legacy: Panels, modern: Panels, comparison: Comparison | undefined) {
    this.legacy = legacy;
    this.modern = modern;
    this.verdict = comparison?.verdict;
    this.more = comparison?.more ?? 0;
    this.#fields = new Map(
      comparison?.fields.map(({ path, entry, verdict }) => [placeOf(path, entry ?? ""), verdict]),
    );
  }

  /**
   * The verdict on a figure, such as `positions[].realized` of the entry `UST TYU5`. The gateway lists what
   * is not equal, and names a whole row or panel that only one system has or that cannot be compared.
   * Undefined if the gateway has not compared the systems, or if the figure may be among the differences that
   * it only counts.
   */
  verdictOf(path: string, entry = ""): Verdict | undefined {
    if (this.verdict === undefined) return undefined;
    for (let whole = path; whole !== ""; whole = whole.replace(/(?:\[\]|\.?\w+)$/, "")) {
      const found =
        this.#fields.get(placeOf(whole, entry)) ??
        (whole.includes("[]") ? undefined : this.#fields.get(placeOf(whole, "")));
      if (found !== undefined) return found;
    }
    return this.more > 0 ? undefined : "equal";
  }

  /** The worst verdict on the figures of a panel. */
  verdictOn(panel: string): Verdict | undefined {
    if (this.verdict === undefined) return undefined;
    const found = [...this.#fields].filter(([place]) => /^\w+/.exec(place)?.[0] === panel);
    return worstOf([this.more > 0 ? undefined : "equal", ...found.map(([, verdict]) => verdict)]);
  }
}

const placeOf = (path: string, entry: string): string => `${path}\n${entry}`;

/** The rows of both systems by their key, in the order of legacy; rows of modern alone follow. */
export function pairedRows<Row>(
  legacy: readonly Row[] | null | undefined,
  modern: readonly Row[] | null | undefined,
  keyOf: (row: Row) => string,
): readonly PairedRow<Row>[] {
  const rest = Map.groupBy(modern ?? [], keyOf);
  const seen = new Map<string, number>();
  const named = (key: string): string => {
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    return count === 1 ? key : `${key} #${count}`;
  };
  const rows = (legacy ?? []).map((row) => {
    const key = keyOf(row);
    return { key: named(key), entry: key, legacy: row, modern: rest.get(key)?.shift() };
  });
  const alone = [...rest].flatMap(([key, left]) =>
    left.map((row) => ({ key: named(key), entry: key, legacy: undefined, modern: row })),
  );
  return [...rows, ...alone];
}

export interface PairedRow<Row> {
  /** Unique among the rows. */
  readonly key: string;
  /** The gateway's name for the row, which rows with equal keys share. */
  readonly entry: string;
  readonly legacy: Row | undefined;
  readonly modern: Row | undefined;
}
