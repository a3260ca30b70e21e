/** The phases of a migration, in order. Positions in this list are compared, never the names. */
export const phases = ["read_only", "shadow_mode", "dual_write", "primary_switch", "cleanup"] as const;
export type Phase = (typeof phases)[number];

/** Where a phase stands in the order: for comparing, never for showing. */
export const positionOf = (phase: Phase): number => phases.indexOf(phase);

export const isLater = (phase: Phase, than: Phase): boolean => positionOf(phase) > positionOf(than);

/** The phase before it; undefined before the first. */
export const phaseBefore = (phase: Phase): Phase | undefined => phases[positionOf(phase) - 1];

export const phaseAfter = (phase: Phase): Phase | undefined => phases[positionOf(phase) + 1];

export type Side = "legacy" | "modern";

export const otherSide = (side: Side): Side => (side === "legacy" ? "modern" : "legacy");

/** What is migrated under a flag of its own: who calculates, who stores, whose report is handed out. */
export const capabilities = ["calculator", "storage", "reports"] as const;
export type Capability = (typeof capabilities)[number];

/** What a phase means. This table is the design: nobody else decides by the name of a phase. */
interface PhasePolicy {
  /** Whose answer the caller gets; `by-route` is legacy, or modern for whom the plan lets in. */
  readonly answers: Side | "by-route";
  /** Whether who did not answer is asked in the shadow and compared. */
  readonly compares: boolean;
  /** Authoritative first: if it fails the write fails, and nobody else is written. */
  readonly writes: readonly [Side, ...Side[]];
  /** Flags without which the phase makes no sense. */
  readonly requires: readonly Capability[];
}

export const phasePolicies: Readonly<Record<Phase, PhasePolicy>> = {
  read_only: { answers: "legacy", compares: false, writes: ["legacy"], requires: [] },
  shadow_mode: { answers: "legacy", compares: true, writes: ["legacy"], requires: [] },
  dual_write: { answers: "by-route", compares: true, writes: ["legacy", "modern"], requires: ["storage"] },
  primary_switch: { answers: "modern", compares: true, writes: ["modern", "legacy"], requires: ["calculator", "storage"] },
  cleanup: { answers: "modern", compares: false, writes: ["modern"], requires: ["calculator", "storage", "reports"] },
};
