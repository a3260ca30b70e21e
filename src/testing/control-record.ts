import type { ControlRecord } from "../ports/control-store.ts";

/** A record in which every phase is granted and nobody has said anything. */
export const recordWith = (
  given: Partial<ControlRecord> = {},
  overrides: Partial<ControlRecord["overrides"]> = {},
): ControlRecord => ({
  epoch: 7,
  published: null,
  grantedPhase: "cleanup",
  grantedEpoch: 1,
  latched: null,
  ramp: null,
  legacyWindow: "open",
  cacheGeneration: 0,
  updatedAt: "2025-08-01T14:30:00.000Z",
  updatedBy: "amy",
  ...given,
  overrides: {
    useNewPnlSystem: null,
    migrationMode: null,
    phase: null,
    newSystemPercentage: null,
    userWhitelist: null,
    ...overrides,
  },
});
