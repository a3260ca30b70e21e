import { type Phase, positionOf } from "../domain/migration/phase.ts";
import type { TriggerLimits } from "../domain/migration/trigger-limits.ts";

/** What a process has counted since it began, and what stands now. */
export interface Signals {
  readonly modernAsked: number;
  readonly modernFailed: number;
  readonly servedMismatches: number;
  /** Null where nobody can say. */
  readonly quarantined: number | null;
  readonly owedOldestMs: number;
}

export interface Firing {
  readonly trigger: string;
  readonly why: string;
  readonly evidence: Readonly<Record<string, number | string>>;
}

/**
 * Watches signals, a sample a second, in every state, and says when one is beyond its limit. Counts are taken since the plan was last
 * taken back into use, so that what has led to a rollback cannot lead to the next one: that needs failures of its own.
 */
export class Triggers {
  readonly #samples: { readonly atMs: number; readonly signals: Signals }[] = [];

  /** Forgets what was seen: modern has been taken back into use. */
  reset(): void {
    this.#samples.length = 0;
  }

  observe(signals: Signals, phase: Phase, limits: TriggerLimits, nowMs: number): Firing | undefined {
    this.#samples.push({ atMs: nowMs, signals });
    // The oldest that is kept is the one from which the window is counted.
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? nowMs) <= nowMs - limits.windowS * 1_000) this.#samples.shift();
    const since = this.#samples[0]?.signals ?? signals;
    return (
      errorRate(since, signals, limits) ??
      servedMismatch(since, signals, limits) ??
      (positionOf(phase) >= positionOf("dual_write") ? (quarantine(signals, limits) ?? owedAge(signals, limits)) : undefined)
    );
  }
}

function errorRate(
  since: Signals,
  now: Signals,
  { errorRate: limit, errorCallsMin, windowS }: TriggerLimits,
): Firing | undefined {
  const asked = now.modernAsked - since.modernAsked;
  const failed = now.modernFailed - since.modernFailed;
  if (asked < errorCallsMin || failed < limit * asked) return undefined;
  return {
    trigger: "error_rate",
    why: `modern failed ${failed} of ${asked} calls within ${windowS} s`,
    evidence: { asked, failed, limit },
  };
}

function servedMismatch(since: Signals, now: Signals, { servedMismatch: counts }: TriggerLimits): Firing | undefined {
  const mismatches = now.servedMismatches - since.servedMismatches;
  if (!counts || mismatches === 0) return undefined;
  const why = `${mismatches} of modern's answers to callers differed from legacy's beyond tolerance`;
  return { trigger: "served_mismatch", why, evidence: { mismatches } };
}

function quarantine({ quarantined }: Signals, { quarantine: counts }: TriggerLimits): Firing | undefined {
  if (!counts || quarantined === null || quarantined === 0) return undefined;
  return { trigger: "quarantine", why: `${quarantined} wait in quarantine`, evidence: { quarantined } };
}

function owedAge({ owedOldestMs }: Signals, { owedAgeS }: TriggerLimits): Firing | undefined {
  if (owedOldestMs <= owedAgeS * 1_000) return undefined;
  const why = `a write has been owed to legacy for ${Math.round(owedOldestMs / 1_000)} s`;
  return { trigger: "owed_age", why, evidence: { owedOldestMs, limitMs: owedAgeS * 1_000 } };
}
