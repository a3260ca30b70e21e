/** The phases of a migration, in order. Compare their positions in this list, never their names. */
export const phases = ["read_only", "shadow_mode", "dual_write", "primary_switch", "cleanup"] as const;
export type Phase = (typeof phases)[number];

/** The position of a phase in the order; for comparisons, not for display. */
export const positionOf = (phase: Phase): number => phases.indexOf(phase);

export const isLater = (phase: Phase, than: Phase): boolean => positionOf(phase) > positionOf(than);

/** The preceding phase; undefined for the first. */
export const phaseBefore = (phase: Phase): Phase | undefined => phases[positionOf(phase) - 1];

export const phaseAfter = (phase: Phase): Phase | undefined => phases[positionOf(phase) + 1];

export type Side = "legacy" | "modern";

export const otherSide = (side: Side): Side => (side === "legacy" ? "modern" : "legacy");

/**
 * The capabilities with separate migration flags: which side calculates, which stores, whose reports are
 * delivered.
 */
export const capabilities = ["calculator", "storage", "reports"] as const;
export type Capability = (typeof capabilities)[number];

/** The meaning of a phase. Other code reads this table and never decides by the name of a phase. */
interface PhasePolicy {
  /**
   * The side whose answer the caller gets; `by-route` is legacy, or modern for callers that the plan
   * includes.
   */
  readonly answers: Side | "by-route";
  /** Whether the other side is called in the shadow and compared. */
  readonly compares: boolean;
  /**
   * The sides that must receive writes in this phase, authoritative first: if that one fails, the write fails
   * and no other side is written. `writesOf` adds legacy to `cleanup` while its window is open.
   */
  readonly writes: readonly [Side, ...Side[]];
  /**
   * The use of the rows of watched files. Legacy gets them as `watch.legacy_sink` says, or always by the
   * database bridge. Modern ignores them, calculates with them, or stores them.
   */
  readonly files: {
    readonly legacy: "as-configured" | "by-bridge";
    readonly modern: "nothing" | "calculates" | "stores";
  };
  /** The flags that the phase requires. */
  readonly requires: readonly Capability[];
}

export const phasePolicies: Readonly<Record<Phase, PhasePolicy>> = {
  read_only: {
    answers: "legacy",
    compares: false,
    writes: ["legacy"],
    files: { legacy: "as-configured", modern: "nothing" },
    requires: [],
  },
  shadow_mode: {
    answers: "legacy",
    compares: true,
    writes: ["legacy"],
    files: { legacy: "as-configured", modern: "calculates" },
    requires: [],
  },
  dual_write: {
    answers: "by-route",
    compares: true,
    writes: ["legacy", "modern"],
    files: { legacy: "as-configured", modern: "stores" },
    requires: ["storage"],
  },
  primary_switch: {
    answers: "modern",
    compares: true,
    writes: ["modern", "legacy"],
    files: { legacy: "by-bridge", modern: "stores" },
    requires: ["calculator", "storage"],
  },
  cleanup: {
    answers: "modern",
    compares: false,
    writes: ["modern"],
    files: { legacy: "by-bridge", modern: "stores" },
    requires: ["calculator", "storage", "reports"],
  },
};
