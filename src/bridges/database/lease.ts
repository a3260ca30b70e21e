import type { Clock } from "../../ports/clock.ts";
import type { LeaseAnswer, RecordStore } from "../../ports/record-store.ts";
import { askForLease, type LeaseHolder } from "../core/lease.ts";

export type { LeaseHolder } from "../core/lease.ts";

/** Takes or renews a lease in a store. The lease of a dead holder is taken at once. */
export const takeLease = (
  store: RecordStore,
  name: string,
  options: { readonly clock: Clock; readonly lease: LeaseHolder; readonly mirrorToken?: number },
): Promise<LeaseAnswer> => {
  const { mirrorToken = 0 } = options;
  return askForLease((given) => store.call("lease", { name, mirrorToken, ...given }), options);
};
