/** Acknowledged writes that have not reached legacy yet. */
export interface OwedWrites {
  /**
   * Returns the number of these writes. It is called with each request, so it must be immediate. `oldestMs`
   * is the age of the oldest write; 0 if none is owed.
   */
  owedToLegacy(): { readonly count: number; readonly oldestMs: number };
}
