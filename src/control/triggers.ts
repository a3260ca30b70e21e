/**
 * The triggers: each takes modern out of use automatically when a signal passes a limit. A row of `triggers`
 * defines one completely: its name, the keys of its limits in the configuration (`migration.triggers`), and
 * its judgement. The schema, the defaults and the types of the keys are derived from the rows.
 */
import { type Camel, camel } from "../base/camel.ts";
import { type Phase, positionOf } from "../domain/migration/phase.ts";

/** The figures of one process that triggers judge: counts since its start, and current values. */
export interface Signals {
  /** Calls that modern should have answered; bad requests do not count. */
  readonly modernAsked: number;
  readonly modernFailed: number;
  /** Calls that modern should have answered and legacy answered instead. */
  readonly modernFellBack: number;
  /** Answers that modern gave to callers and that diverge from legacy's. */
  readonly servedMismatches: number;
  /** The newest such answer whose fields are known. */
  readonly servedMismatch: ServedMismatch | null;
  /** Null if unknown. */
  readonly quarantined: number | null;
  readonly owedOldestMs: number;
  /** The reason why the evidence of the gates proves that modern does harm; null if it does not. */
  readonly provedHarm: string | null;
}

export interface ServedMismatch {
  readonly method: string;
  readonly field: string;
  /** Null if there is no value. */
  readonly legacy: string | null;
  readonly modern: string | null;
}

export const noSignals: Signals = Object.freeze({
  modernAsked: 0,
  modernFailed: 0,
  modernFellBack: 0,
  servedMismatches: 0,
  servedMismatch: null,
  quarantined: 0,
  owedOldestMs: 0,
  provedHarm: null,
});

type LimitKind =
  /** A number above 0, up to 1. */
  | { readonly type: "share" }
  | { readonly type: "flag" }
  | { readonly type: "whole"; readonly unit: string; readonly least: number; readonly most: number };

/** One key below `migration.triggers`. A default of null means that the trigger is off. */
interface LimitKey {
  readonly key: string;
  readonly kind: LimitKind;
  readonly default: number | boolean | null;
  readonly meaning: string;
}

type LimitsOf<Key extends LimitKey> = {
  readonly [Row in Key as Camel<Row["key"]>]:
    | (Row["kind"]["type"] extends "flag" ? boolean : number)
    | (null extends Row["default"] ? null : never);
};

const share = { type: "share" } as const;
const flag = { type: "flag" } as const;
const whole = (unit: string, least: number, most: number) => ({ type: "whole", unit, least, most }) as const;

/** The limits that several triggers share. */
const sharedKeys = [
  {
    key: "error_calls_min",
    kind: whole("calls", 1, 1_000_000),
    default: 20,
    meaning: "The smallest number of calls for which a rate is judged",
  },
  {
    key: "window_s",
    kind: whole("seconds", 1, 3_600),
    default: 10,
    meaning: "The period over which calls are counted",
  },
] as const satisfies readonly LimitKey[];

interface Seen {
  /** The signals at the beginning of the window. */
  readonly since: Signals;
  readonly now: Signals;
}

interface Finding {
  readonly why: string;
  readonly evidence: Readonly<Record<string, number | string | null>>;
}

interface Trigger<Key extends LimitKey> {
  readonly name: string;
  readonly keys: readonly Key[];
  /** The earliest phase in which the trigger fires. Absent: the first phase. */
  readonly from?: Phase;
  /** Returns the reason and the evidence if the trigger fires, else undefined. */
  judge(limits: LimitsOf<Key | (typeof sharedKeys)[number]>, seen: Seen): Finding | undefined;
}

const trigger = <const Key extends LimitKey>(row: Trigger<Key>): Trigger<Key> => row;

/** In order of precedence: if several fire in one second, the first is reported. */
const triggers = [
  trigger({
    name: "error_rate",
    keys: [
      {
        key: "error_rate",
        kind: share,
        default: 0.5,
        meaning: "Modern is taken out of use when this share of its calls fails",
      },
    ],
    judge({ errorRate, errorCallsMin, windowS }, { since, now }) {
      const asked = now.modernAsked - since.modernAsked;
      const failed = now.modernFailed - since.modernFailed;
      if (asked < errorCallsMin || failed < errorRate * asked) return undefined;
      const why = `modern failed ${failed} of ${asked} calls within ${windowS} s`;
      return { why, evidence: { asked, failed, limit: errorRate } };
    },
  }),
  trigger({
    name: "fallback_rate",
    keys: [
      {
        key: "fallback_rate",
        kind: share,
        default: null,
        meaning:
          "Modern is taken out of use when legacy answers this share of the calls meant for modern; null: never",
      },
    ],
    judge({ fallbackRate, errorCallsMin, windowS }, { since, now }) {
      const asked = now.modernAsked - since.modernAsked;
      const fellBack = now.modernFellBack - since.modernFellBack;
      if (fallbackRate === null || asked < errorCallsMin || fellBack < fallbackRate * asked) return undefined;
      const why = `within ${windowS} s legacy answered ${fellBack} of the ${asked} calls that modern should have answered`;
      return { why, evidence: { asked, fellBack, limit: fallbackRate } };
    },
  }),
  trigger({
    name: "served_mismatch",
    keys: [
      {
        key: "served_mismatch",
        kind: flag,
        default: true,
        meaning: "Modern is taken out of use when one of its answers to callers diverges from legacy's",
      },
    ],
    judge({ servedMismatch: isOn }, { since, now }) {
      const mismatches = now.servedMismatches - since.servedMismatches;
      if (!isOn || mismatches === 0) return undefined;
      const why = `${mismatches} of modern's answers to callers differed from legacy's beyond tolerance`;
      const { servedMismatch: example } = now;
      if (example === null) return { why, evidence: { mismatches } };
      const { method, field, legacy, modern } = example;
      const where = field === "" ? method : `${method} ${field}`;
      return {
        why: `${why}, such as ${where}: legacy ${legacy ?? "nothing"}, modern ${modern ?? "nothing"}`,
        evidence: { mismatches, ...example },
      };
    },
  }),
  trigger({
    name: "proved_harm",
    keys: [
      {
        key: "proved_harm",
        kind: flag,
        default: true,
        meaning:
          "Modern is taken out of use when closed trading days prove that it shows more wrong figures than " +
          "gates.accuracy.served permits, or one that is off by a material amount",
      },
    ],
    judge({ provedHarm: isOn }, { now: { provedHarm } }) {
      return isOn && provedHarm !== null ? { why: provedHarm, evidence: {} } : undefined;
    },
  }),
  trigger({
    name: "quarantine",
    keys: [
      {
        key: "quarantine",
        kind: flag,
        default: true,
        meaning: "Modern is taken out of use when anything is in quarantine, from dual_write on",
      },
    ],
    from: "dual_write",
    judge({ quarantine: isOn }, { now: { quarantined } }) {
      if (!isOn || quarantined === null || quarantined === 0) return undefined;
      return { why: `rows wait in the quarantine: ${quarantined}`, evidence: { quarantined } };
    },
  }),
  trigger({
    name: "owed_age",
    keys: [
      {
        key: "owed_age_s",
        kind: whole("seconds", 1, 86_400),
        default: 30,
        meaning:
          "Modern is taken out of use when legacy has lacked a write for longer than this, from dual_write on",
      },
    ],
    from: "dual_write",
    judge({ owedAgeS }, { now: { owedOldestMs } }) {
      if (owedOldestMs <= owedAgeS * 1_000) return undefined;
      const why = `a write has been owed to legacy for ${Math.round(owedOldestMs / 1_000)} s`;
      return { why, evidence: { owedOldestMs, limitMs: owedAgeS * 1_000 } };
    },
  }),
] as const;

export type TriggerKey = (typeof sharedKeys)[number] | (typeof triggers)[number]["keys"][number];

/** The keys below `migration.triggers`. */
export const triggerKeys: readonly TriggerKey[] = [
  ...triggers.flatMap<TriggerKey>(({ keys }) => keys),
  ...sharedKeys,
];

/** The limits of all triggers. */
export type TriggerLimits = LimitsOf<TriggerKey>;

export const triggerDefaults: TriggerLimits = Object.freeze(
  Object.fromEntries(triggerKeys.map((row) => [camel(row.key), row.default])) as unknown as TriggerLimits,
);

interface Firing extends Finding {
  readonly trigger: string;
}

/**
 * Samples the signals once a second and reports the trigger that fires. Counts start at the last reset, so
 * the failures that led to one rollback never lead to the next.
 */
export class Triggers {
  readonly #samples: { readonly atMs: number; readonly signals: Signals }[] = [];

  /** Forgets all samples, because modern was taken back into use. */
  reset(): void {
    this.#samples.length = 0;
  }

  observe(now: Signals, phase: Phase, limits: TriggerLimits, nowMs: number): Firing | undefined {
    this.#samples.push({ atMs: nowMs, signals: now });
    // The oldest kept sample is the beginning of the window.
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? nowMs) <= nowMs - limits.windowS * 1_000)
      this.#samples.shift();
    const since = this.#samples[0]?.signals ?? now;
    for (const { name, from = "read_only", judge } of triggers) {
      if (positionOf(phase) < positionOf(from)) continue;
      const finding = judge(limits, { since, now });
      if (finding !== undefined) return { trigger: name, ...finding };
    }
    return undefined;
  }
}
