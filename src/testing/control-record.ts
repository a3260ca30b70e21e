import { initialRecord } from "../domain/migration/record-columns.ts";
import type { ControlRecord } from "../ports/control-store.ts";

/** A record in which every phase is granted and nothing is overridden. */
export const recordWith = (
  given: Partial<ControlRecord> = {},
  overrides: Partial<ControlRecord["overrides"]> = {},
): ControlRecord => ({
  ...initialRecord,
  epoch: 7,
  grantedPhase: "cleanup",
  updatedAt: "2025-08-01T14:30:00.000Z",
  updatedBy: "amy",
  ...given,
  overrides: { ...initialRecord.overrides, ...overrides },
});
