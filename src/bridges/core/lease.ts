import type { Clock } from "../../ports/clock.ts";

/** The identity of this process for other processes that want the same lease. */
export interface LeaseHolder {
  readonly name: string;
  readonly lastsMs: number;
  /** Whether a holder is certainly dead, such as a process of this host that has ended. */
  readonly isDead: (holder: string) => boolean;
}

interface LeaseGiven {
  readonly holder: string;
  readonly nowMs: number;
  readonly lastsMs: number;
  readonly deadHolder?: string;
}

/**
 * Takes or renews a lease. The lease of a dead holder is taken at once. `ask` returns a `holder` if another
 * process has the lease.
 */
export async function askForLease<Answer extends object>(
  ask: (given: LeaseGiven) => Promise<Answer>,
  { clock, lease }: { readonly clock: Clock; readonly lease: LeaseHolder },
): Promise<Answer> {
  const given = { holder: lease.name, nowMs: clock.nowMs(), lastsMs: lease.lastsMs };
  const answer = await ask(given);
  const isTaken = "holder" in answer && typeof answer.holder === "string";
  if (!isTaken || !lease.isDead(String(answer.holder))) return answer;
  return ask({ ...given, deadHolder: String(answer.holder) });
}
