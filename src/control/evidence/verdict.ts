import type { Phase } from "../../domain/migration/phase.ts";
import type { JsonValue } from "../../ports/system.ts";
import type { EvidenceFacts } from "./facts.ts";
import type { State } from "./statistics.ts";

/**
 * What gates guard: the move to a phase, a rise of modern's share of the traffic (`ramp`), and the end of the
 * time in which legacy is still written (`window`).
 */
export type Guarded = Phase | "ramp" | "window";

/** The evidence that is missing until a gate can open. */
export interface Needs {
  /**
   * The number of further trials that is needed if none of them is an event. In a verdict of the gate `days`,
   * the number of further trading days.
   */
  readonly clean?: number;
  /** The number of further trials that is needed if one of them is an event. */
  readonly withOneBreak?: number;
  /** About how many trading days `clean` trials take; null if their class or book has had no trial yet. */
  readonly days?: number | null;
  /** The classes, books, kinds of days, edge features or methods that have too little evidence. */
  readonly missing?: readonly string[];
}

export interface EvidenceVerdict {
  readonly state: State;
  /**
   * One line for people: the numbers and the limit. Most gates that are not open also name the cheapest step
   * that helps to open them.
   */
  readonly why: string;
  readonly evidence?: JsonValue;
  readonly needs?: Needs;
}

export interface EvidenceGate {
  readonly name: string;
  readonly title: string;
  readonly before: readonly Guarded[];
  /** Whether two people may waive the gate. */
  readonly isWaivable: boolean;
  judge(facts: EvidenceFacts, context: { readonly before: Guarded; readonly alpha: number }): EvidenceVerdict;
}

export const open = (why: string, evidence?: JsonValue): EvidenceVerdict => verdict("open", why, evidence);
export const closed = (why: string, evidence?: JsonValue): EvidenceVerdict =>
  verdict("closed", why, evidence);
export const inconclusive = (why: string, evidence?: JsonValue, needs?: Needs): EvidenceVerdict => ({
  ...verdict("inconclusive", why, evidence),
  ...(needs !== undefined && { needs }),
});

const verdict = (state: State, why: string, evidence?: JsonValue): EvidenceVerdict => ({
  state,
  why,
  ...(evidence !== undefined && { evidence }),
});

/** The accepted probability that a gate opens although its true rate is at the limit. */
export const alphaBefore = (before: Guarded): number =>
  before === "primary_switch" || before === "cleanup" || before === "window" ? 0.01 : 0.05;

export const percent = (share: number): string =>
  share >= 1 ? "100 %" : `${Number((share * 100).toPrecision(3))} %`;
export const dollars = (amount: number): string => `$${Number(amount.toFixed(2))}`;
export const many = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : plural}`;
