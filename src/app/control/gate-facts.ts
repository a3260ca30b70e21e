/** Reads the facts of the evidence gates: the evidence store, the audit and the configuration. */
import { systemClock } from "../../adapters/host/index.ts";
import { lineOf } from "../../base/errors.ts";
import {
  type EvidenceFacts,
  type EvidenceRecord,
  type ReadFacts,
  trialsOf,
  type Waiver,
} from "../../control/index.ts";
import { wallOfInstant } from "../../domain/market/chicago-time.ts";
import { defaultTradingDayRule, formatDay, tradingDayRules } from "../../domain/market/trading-day.ts";
import type { AuditRow, ControlStore } from "../../ports/control-store.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import { dayRulesOf } from "../builtin-systems.ts";
import { evidenceKey, programBuild } from "../evidence-key.ts";
import { type ControlSettings, isPairConfigured } from "../stores.ts";

/** The actions of audit rows that gates read. */
export const auditActions = {
  evidence: "evidence",
  waive: "waive",
  unwaive: "unwaive",
  drill: "drill",
  reconcile: "reconcile",
} as const;

interface Reading {
  readonly store: () => ControlStore | Promise<ControlStore>;
  /** Undefined while the evidence store cannot be opened. */
  readonly evidence: () => EvidenceStore | undefined | Promise<EvidenceStore | undefined>;
}

/** The facts may be this old, because a page asks for them again and again. */
const keptMs = 1_000;
const auditPage = 1_000;

/** Returns the reader of the facts; undefined in the profile `trial`. */
export function factsReader(settings: ControlSettings, { store, evidence }: Reading): ReadFacts | undefined {
  const { config } = settings;
  if (config.gates.profile === "trial") return undefined;
  const register = new AuditRegister();
  let last: { readonly atMs: number; readonly facts: EvidenceFacts } | undefined;
  return async (seen) => {
    if (last !== undefined && systemClock.monotonicMs() - last.atMs < keptMs)
      return { ...last.facts, ...aroundOf(seen) };
    try {
      const opened = await evidence();
      if (opened === undefined) return "no evidence store can be opened";
      const { position, pnl } = seen.tolerances ?? {
        position: config.validation.positionThreshold,
        pnl: config.validation.comparisonThreshold,
      };
      const key = evidenceKey(settings, { position, pnl });
      const nowMs = systemClock.nowMs();
      const [stored, attempt] = [await opened.evidence(key), await opened.attempt(key, true)];
      await register.read(await store());
      const today = tradingDay(settings, nowMs);
      const facts: EvidenceFacts = {
        ...{ key, ...attempt, stored, nowMs, today, date: systemClock.today(), build: programBuild() },
        trials: trialsOf(stored, { today, nowMs }),
        limits: { accuracy: config.gates.accuracy, days: config.gates.days },
        records: register.records,
        waivers: register.waivers(),
        causes: register.causes(),
        exclusions: config.exclusions,
        isNoiseMeasured: config.shadow.controlPercentage > 0,
        hasAlertUrl: config.monitoring.alertUrl !== null,
        hasPair: isPairConfigured(config),
        ...aroundOf(seen),
      };
      last = { atMs: systemClock.monotonicMs(), facts };
      return facts;
    } catch (failure) {
      return lineOf(failure);
    }
  };
}

const aroundOf = ({ instances, owed, quarantined }: Parameters<ReadFacts>[0]) => ({
  instances,
  owed,
  quarantined,
});

/** The running trading day under legacy's day rule. */
function tradingDay({ config }: ControlSettings, nowMs: number): string {
  const wall = wallOfInstant(nowMs * 1_000);
  const rule = tradingDayRules[dayRulesOf(config.systems).legacy];
  const day = rule.dayOf(wall, undefined) ?? tradingDayRules[defaultTradingDayRule].dayOf(wall, undefined);
  return formatDay(day ?? 0);
}

/**
 * What people and programs have recorded in the audit. Reads only the rows that are new since the last time.
 */
class AuditRegister {
  readonly records: EvidenceRecord[] = [];
  readonly #waived = new Map<string, { actor: string; reason: string; until: string }[]>();
  readonly #causes = new Map<string, EvidenceFacts["causes"][number]>();
  #seq = 0;

  async read(store: ControlStore): Promise<void> {
    for (;;) {
      const rows = await store.audit(this.#seq, auditPage);
      for (const row of rows) this.#add(row);
      this.#seq = rows.at(-1)?.seq ?? this.#seq;
      if (rows.length < auditPage) return;
    }
  }

  waivers(): readonly Waiver[] {
    return [...this.#waived].flatMap(([gate, given]) => {
      const [first] = given;
      if (first === undefined) return [];
      const until = given.reduce(
        (earliest, one) => (one.until < earliest ? one.until : earliest),
        first.until,
      );
      return [{ gate, actors: given.map(({ actor }) => actor), reason: first.reason, until }];
    });
  }

  causes(): EvidenceFacts["causes"] {
    return [...this.#causes.values()];
  }

  #add({ seq, at, actor, action, reason, evidence }: AuditRow): void {
    const content = evidence === null ? {} : JSON.parse(evidence);
    const record = (kind: string): void => {
      const build = typeof content.build === "string" ? content.build : null;
      this.records.push({ kind, atMs: Date.parse(content.at ?? at), actor, build, content });
    };
    switch (action) {
      case auditActions.evidence:
        record(String(content.kind));
        return;
      case auditActions.drill:
      case auditActions.reconcile:
        record(action);
        return;
      case "sign-off":
        if (content.gate === "team_trained") record("training");
        return;
      case auditActions.waive: {
        const others = (this.#waived.get(content.gate) ?? []).filter((one) => one.actor !== actor);
        this.#waived.set(content.gate, [...others, { actor, reason, until: content.until }]);
        return;
      }
      case auditActions.unwaive:
        this.#waived.delete(content.gate);
        return;
      case "accept-cause":
        this.#causes.set(String(seq), content);
        return;
      case "revoke-cause":
        this.#causes.delete(content.id);
    }
  }
}
