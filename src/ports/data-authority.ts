import type { Side } from "../domain/migration/phase.ts";

/** The answer to a question of an operator: whether a condition holds, with the reason in words. */
export interface Answered {
  readonly open: boolean;
  readonly why: string;
}

/** The authority over a pair of databases, as the moves of an operator use it. */
export interface DataAuthority {
  /** Returns whether the authority could move to a side now. Changes nothing. */
  ready(side: Side): Promise<Answered>;
  /** Moves the authority to a side. `open` says whether the side has it afterwards. */
  move(side: Side): Promise<Answered>;
  /** Returns the number of writes that legacy lacks, and the age of the oldest. */
  owedToLegacy(): Promise<{ readonly count: number; readonly oldestMs: number }>;
  /** Returns the number of quarantined rows. */
  quarantined(): Promise<number>;
}
