import type { Side } from "../domain/migration/phase.ts";

/** Whether a condition holds, and why or why not, for a person. */
export interface Answered {
  readonly open: boolean;
  readonly why: string;
}

/** The authority over a pair of databases, as the moves of an operator use it. */
export interface DataAuthority {
  /** Whether the authority could move to a side now. Changes nothing. */
  ready(side: Side): Promise<Answered>;
  /** Moves the authority to a side. `open` says whether the side has it afterwards. */
  move(side: Side): Promise<Answered>;
  /** The writes that legacy lacks. */
  owedToLegacy(): Promise<{ readonly count: number; readonly oldestMs: number }>;
  /** The number of quarantined rows. */
  quarantined(): Promise<number>;
}
