import type { Clock } from "../../ports/clock.ts";
import type { LeaseAnswer, RecordStore } from "../../ports/record-store.ts";

/** How this process is known to the others that open the same pair. */
export interface LeaseHolder {
  readonly name: string;
  readonly lastsMs: number;
  /** Whether a holder is certainly dead, such as a process of this host that has ended. */
  readonly isDead: (holder: string) => boolean;
}

/** Takes or keeps a lease in a store; the lease of a dead holder is taken over at once. */
export async function takeLease(
  store: RecordStore,
  name: string,
  { clock, lease }: { readonly clock: Clock; readonly lease: LeaseHolder },
): Promise<LeaseAnswer> {
  const given = { name, holder: lease.name, nowMs: clock.nowMs(), lastsMs: lease.lastsMs };
  const answer = await store.call("lease", given);
  if (answer.kind === "held" || !lease.isDead(answer.holder)) return answer;
  return store.call("lease", { ...given, deadHolder: answer.holder });
}
