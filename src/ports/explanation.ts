import type { Side } from "../domain/migration/phase.ts";

/**
 * The certainty of a cause. `proved`: with it, the reference engine gives every row of the component on both
 * sides. `reduces`: it gives some of the rows that differ and breaks none. `fits`: the figures agree with it,
 * but several such causes fit or no run can show it.
 */
export type CauseLevel = "proved" | "reduces" | "fits";

/**
 * The explanation of one component: the rows of instruments whose trades influence each other. Amounts are
 * exact decimal text or `p/q`, modern - legacy, and belong to the row `first`. The causes' amounts and
 * `unexplained` add up to `difference`.
 */
export interface Explanation {
  readonly id: string;
  readonly component: {
    readonly lanes: readonly { readonly book?: string; readonly symbol: string }[];
    readonly files: readonly string[];
  };
  /** The first row that differs and has two numbers; without one, the first row that differs. */
  readonly first: {
    readonly kind: "position" | "daily" | "snapshot";
    readonly key: { readonly book?: string; readonly symbol: string; readonly tradingDay?: string };
    readonly tradingDay?: string;
    readonly field: string;
  };
  /** Null if no row that differs has two numbers. */
  readonly difference: string | null;
  readonly causes: readonly ExplainedCause[];
  readonly unexplained: string | null;
  /** Other sets of causes that give the same rows, so that the data cannot tell them apart. */
  readonly alternatives: readonly (readonly string[])[];
  /** The entries of the register under which the difference counts as accepted; absent if it does not. */
  readonly accepted?: readonly AcceptedUnder[];
  /** Null if no cause is proved. */
  readonly witness: Witness | null;
  /** The causes that were tried alone, and the number of rows that still differ with each of them. */
  readonly tried: readonly { readonly code: string; readonly rowsLeft: number }[];
  readonly budget: {
    readonly runs: number;
    readonly runsMax: number;
    /** Trades evaluated by all runs. */
    readonly trades: number;
    readonly tradesMax: number;
    readonly exhausted: boolean;
  };
}

/**
 * The explanation of a stored comparison of a call. Its own fields describe the component with the largest
 * difference, and `others` has the other components. If the comparison cannot be explained, `first` is null
 * and `unexplained` is the reason in words.
 */
export interface ComparisonExplanation extends Omit<Explanation, "first"> {
  /** The id of the comparison. */
  readonly comparison: string;
  readonly first: Explanation["first"] | null;
  readonly others: readonly Explanation[];
}

/** An entry of the register of accepted causes. */
export interface AcceptedUnder {
  readonly id: string;
  readonly code: string;
  readonly owner: string;
  /** The last day on which the cause is accepted, ISO. */
  readonly until: string;
}

interface ExplainedCause {
  readonly code: string;
  readonly level: CauseLevel;
  /** The exact Shapley share of the difference; null where `difference` is null. */
  readonly amount: string | null;
  /** The change by this cause alone, and its change after all other causes. */
  readonly alone: string | null;
  readonly last: string | null;
  /** The rows of the component that agree with the reference under all causes, and all of its rows. */
  readonly rowsReproduced: number;
  readonly rowsTotal: number;
  /** The side that departs from the reference. */
  readonly side: Side;
  /** The departure in words. */
  readonly rule: string;
}

/** The few trades that, as fresh ledgers, show the same difference. */
interface Witness {
  readonly trades: readonly WitnessTrade[];
  /** Whether the difference disappears as soon as any one of the trades is left out. */
  readonly minimal: boolean;
  readonly runs: number;
}

export interface WitnessTrade {
  readonly file: string;
  readonly line: number;
  readonly id: string;
  readonly book?: string;
  readonly symbol: string;
  readonly side: string;
  readonly quantity: string;
  readonly price: string;
  /** Chicago wall time as in a ledger. */
  readonly time: string;
  /**
   * Set for a lot that was open before the first day that differs; its quantity is the part that was still
   * open.
   */
  readonly opening?: true;
  /** The code of the refusal of a row that no figure of modern includes. */
  readonly refused?: string;
}
