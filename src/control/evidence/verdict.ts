import type { Phase } from "../../domain/migration/phase.ts";
import type { JsonValue } from "../../ports/system.ts";
import type { EvidenceFacts } from "./facts.ts";
import type { State } from "./statistics.ts";

/**
 * The steps that gates guard: the move to a phase, a rise of modern's traffic, and the end of the window to
 * legacy.
 */
export type Guarded = Phase | "ramp" | "window";

/** The evidence that is missing until a gate can open. */
export interface Needs {
  /** Further trials without an event. */
  readonly clean?: number;
  /** Further trials if one more of them is an event. */
  readonly withOneBreak?: number;
  /** Trading days until the gate can open, at the present pace; null if there is no pace yet. */
  readonly days?: number | null;
  /** Names of what has not been seen, or not often enough. */
  readonly missing?: readonly string[];
}

export interface EvidenceVerdict {
  readonly state: State;
  /** One line for people: the numbers, the limit and the cheapest step towards an open gate, if they exist. */
  readonly why: string;
  readonly evidence?: JsonValue;
  readonly needs?: Needs;
}

export interface EvidenceGate {
  readonly name: string;
  readonly title: string;
  readonly before: readonly Guarded[];
  /** Whether two people may waive it. */
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

/** The probability of a false opening: one in a hundred where modern takes over, else one in twenty. */
export const alphaBefore = (before: Guarded): number =>
  before === "primary_switch" || before === "cleanup" || before === "window" ? 0.01 : 0.05;

export const percent = (share: number): string =>
  share >= 1 ? "100 %" : `${Number((share * 100).toPrecision(3))} %`;
export const dollars = (amount: number): string => `$${Number(amount.toFixed(2))}`;
export const many = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : plural}`;
