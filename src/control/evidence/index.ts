/** The gates that need evidence: the facts that they judge, the table of all gates, and the judgement. */
import { kindsOfDay } from "./day-kinds.ts";
import type { EvidenceFacts } from "./facts.ts";
import { figureGates } from "./figure-gates.ts";
import { edgeFeatures, recordGates } from "./record-gates.ts";
import type { Trial } from "./trials.ts";
import { alphaBefore, type EvidenceVerdict, type Guarded } from "./verdict.ts";

export type { EvidenceFacts, EvidenceRecord, JudgedReport, Waiver } from "./facts.ts";
export { isMarkOf } from "./facts.ts";
export { provedHarm } from "./harm.ts";
export { gateMeanings } from "./meanings.ts";
export { metricsOf } from "./metrics.ts";
export { trialsOf } from "./trials.ts";
export type { Guarded } from "./verdict.ts";

/** Returns the names of the edge features of a history; `trials` has each instrument-day of the history. */
export const featuresOf = (trials: readonly Trial[]): readonly string[] =>
  Object.entries(edgeFeatures).flatMap(([feature, shows]) =>
    trials.some((trial) => shows(trial, kindsOfDay(trial.day))) ? [feature] : [],
  );

export const evidenceGates = [...recordGates, ...figureGates];

export type JudgedGate = EvidenceVerdict & {
  readonly name: string;
  readonly title: string;
  /** Whether the gate lets the move pass: its state is `open`, or two people waive the gate. */
  readonly open: boolean;
};

/**
 * Judges the evidence gates before a move. If `facts` is a text, that is the reason why the facts cannot be
 * read; then all gates are inconclusive for that reason.
 */
export function judgeEvidence(before: Guarded, facts: EvidenceFacts | string): readonly JudgedGate[] {
  return evidenceGates
    .filter((gate) => gate.before.includes(before))
    .map((gate) => {
      const { name, title, isWaivable } = gate;
      if (typeof facts === "string")
        return {
          name,
          title,
          state: "inconclusive",
          open: false,
          why: `the evidence cannot be read: ${facts}`,
        };
      const found = gate.judge(facts, { before, alpha: alphaBefore(before) });
      const waiver = facts.waivers.find((one) => one.gate === name && facts.date <= one.until);
      if (found.state === "open" || waiver === undefined || !isWaivable)
        return { name, title, ...found, open: found.state === "open" };
      const [first, second] = waiver.actors;
      if (second === undefined)
        return {
          name,
          title,
          ...found,
          open: false,
          why: `${found.why}; ${first} waives the gate, and a second person must waive it too`,
        };
      const why = `${found.why}; waived until ${waiver.until} by ${waiver.actors.join(" and ")}: ${waiver.reason}`;
      return { name, title, ...found, open: true, why };
    });
}
