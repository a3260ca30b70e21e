/** When modern is taken out of use without asking anybody. */
export interface TriggerLimits {
  /** Above 0, up to 1: share of the calls that modern should have answered and failed, within the window. */
  readonly errorRate: number;
  /** Fewer calls prove nothing. */
  readonly errorCallsMin: number;
  readonly windowS: number;
  /** Whether one divergence in what modern answered is enough. */
  readonly servedMismatch: boolean;
  /** Whether anything in quarantine is, from dual_write on. */
  readonly quarantine: boolean;
  /** How long a write may be owed to legacy. */
  readonly owedAgeS: number;
}

export const triggerDefaults: TriggerLimits = Object.freeze({
  errorRate: 0.5,
  errorCallsMin: 20,
  windowS: 10,
  servedMismatch: true,
  quarantine: true,
  owedAgeS: 30,
});
