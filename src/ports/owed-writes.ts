/** Writes that were acknowledged and have not reached legacy yet. */
export interface OwedWrites {
  /** Asked with each call, so it must be at hand. `oldestMs` is the age of the oldest; 0 where there are none. */
  owedToLegacy(): { readonly count: number; readonly oldestMs: number };
}
