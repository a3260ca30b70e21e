import type { Side } from "../domain/migration/phase.ts";

/** Whether a condition holds, and why or why not, for a person. */
export interface Answered {
  readonly open: boolean;
  readonly why: string;
}

/** The pair of databases as an operator's moves use it: which store is authoritative, and how that moves. */
export interface DataAuthority {
  /** Whether the authority could move to a side now. Changes nothing. */
  ready(side: Side): Promise<Answered>;
  /** Moves the authority. `open` is whether it is there now. */
  move(side: Side): Promise<Answered>;
  /** The writes that legacy lacks. */
  owedToLegacy(): Promise<{ readonly count: number; readonly oldestMs: number }>;
  /** How many rows wait for a person. */
  quarantined(): Promise<number>;
}
