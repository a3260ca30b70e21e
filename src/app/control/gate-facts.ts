/** Reads the facts of the evidence gates: the evidence store, the audit and the configuration. */
import { systemClock } from "../../adapters/host/index.ts";
import { lineOf } from "../../base/errors.ts";
import type { PnlTolerances } from "../../bridges/core/tolerances.ts";
import {
  type EvidenceFacts,
  type EvidenceRecord,
  isMarkOf,
  type ReadFacts,
  trialsOf,
  type Waiver,
  whyOutOfUse,
} from "../../control/index.ts";
import { formatDay, tradingDayAt } from "../../domain/market/trading-day.ts";
import { recordFrom } from "../../domain/migration/record-columns.ts";
import type { AcceptedTerms } from "../../explain/index.ts";
import type { Clock } from "../../ports/clock.ts";
import type { AuditRow, ControlStore } from "../../ports/control-store.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import { assumedCause, idsIn, type LaneDay, type StoredEvidence } from "../../ports/tallies.ts";
import { dayRulesOf } from "../builtin-systems.ts";
import { evidenceKey, programBuild, unseenBuilds } from "../evidence-key.ts";
import { addReportRow, lastReportBefore, type ReportRegisters } from "../reports/register.ts";
import { type ControlSettings, isPairConfigured } from "../stores.ts";
import { applyCause, auditActions, auditRows } from "./audit-rows.ts";

interface Reading {
  readonly store: () => ControlStore | Promise<ControlStore>;
  /** Undefined while the evidence store cannot be opened. */
  readonly evidence: () => EvidenceStore | undefined | Promise<EvidenceStore | undefined>;
  /** Default: the clock of this machine. */
  readonly clock?: Clock | undefined;
  /** The edge features that the history has; if undefined, the gates require all known ones. */
  readonly features?: readonly string[] | undefined;
}

/** The largest age of facts that are used again; a page requests them often. */
const keptMs = 1_000;

/** The facts that are read from the stores and the configuration. */
type Stored = Omit<EvidenceFacts, "owed" | "quarantined" | "usesReports">;

/** Facts that were read, or are being read. */
interface Kept {
  readonly key: string;
  readonly facts: Promise<Stored | string>;
  /** The monotonic time until which the facts are used; infinite while they are being read. */
  untilMs: number;
}

/** Returns the reader of the facts. Calls at the same time share one reading. */
export function factsReader(
  settings: ControlSettings,
  { store, evidence, clock = systemClock, features }: Reading,
): ReadFacts {
  const { config } = settings;
  const register = new AuditRegister();
  let kept: Kept | undefined;

  const read = async (key: string, isLook: boolean, before: Kept | undefined): Promise<Stored | string> => {
    // The register of the audit allows one reading at a time.
    await before?.facts.catch(() => {});
    const opened = await evidence();
    if (opened === undefined) return "no evidence store can be opened";
    const nowMs = clock.nowMs();
    const [found, attempt] = [await opened.evidence(key), await opened.attempt(key, isLook)];
    await register.read(await store());
    const stored = withoutRevoked(found, register.causes());
    const [today, date] = [tradingDay(settings, nowMs), clock.today()];
    const lastReport = lastReportBefore(register.reports, today);
    const unseen = unseenBuilds(settings);
    return {
      ...{ key, ...attempt, stored, nowMs, today, date, build: programBuild() },
      trials: trialsOf(stored, { today, nowMs }),
      ...(register.backInUseMs !== undefined && { backInUseMs: register.backInUseMs }),
      limits: { accuracy: config.gates.accuracy, days: config.gates.days },
      records: register.records,
      waivers: register.waivers(date),
      causes: register.causes(),
      exclusions: config.exclusions,
      isNoiseMeasured: config.shadow.controlPercentage > 0,
      hasAlertUrl: config.monitoring.alertUrl !== null,
      hasPair: isPairConfigured(config),
      ...(unseen.length > 0 && { unseen }),
      ...(lastReport !== undefined && { lastReport }),
      ...(features !== undefined && { features }),
    };
  };

  /** Reads facts and keeps them for a while, unless the reading fails. */
  const begin = (key: string, isLook: boolean): Kept => {
    const begun: Kept = { key, facts: read(key, isLook, kept), untilMs: Number.POSITIVE_INFINITY };
    begun.facts.then(
      () => {
        begun.untilMs = clock.monotonicMs() + keptMs;
      },
      () => {
        begun.untilMs = 0;
      },
    );
    return begun;
  };

  return async (seen) => {
    try {
      const { tolerances, isLook, ...around } = seen;
      const key = evidenceKey(settings, tolerancesOf(settings, tolerances));
      if (kept?.key !== key || clock.monotonicMs() >= kept.untilMs) kept = begin(key, isLook);
      const facts = await kept.facts;
      return typeof facts === "string" ? facts : { ...facts, ...around };
    } catch (failure) {
      return lineOf(failure);
    }
  };
}

/** The evidence without the marks of causes that are accepted no longer. */
export function withoutRevoked(found: StoredEvidence, causes: EvidenceFacts["causes"]): StoredEvidence {
  const isAccepted = (mark: string): boolean =>
    mark === assumedCause || causes.some((one) => isMarkOf(mark, one));
  const isRevoked = (laneDay: LaneDay): boolean => !idsIn(laneDay).every(isAccepted);
  return {
    ...found,
    laneDays: found.laneDays.map((one) => (isRevoked(one) ? { ...one, accepted: null } : one)),
  };
}

type Seen = Parameters<ReadFacts>[0];

/** The tolerances that are in force: those of the configuration, if none are published. */
const tolerancesOf = (
  { config: { validation } }: ControlSettings,
  tolerances: Seen["tolerances"],
): PnlTolerances =>
  tolerances ?? { position: validation.positionThreshold, pnl: validation.comparisonThreshold };

/** The running trading day under legacy's day rule. */
export function tradingDay({ config }: Pick<ControlSettings, "config">, nowMs: number): string {
  return formatDay(tradingDayAt(dayRulesOf(config.systems).legacy, nowMs * 1_000));
}

const judgedActions: ReadonlySet<string> = new Set(Object.values(auditActions));

/** Whether modern is out of use under the columns that a row of the audit has. */
const isOutOfUseIn = (columns: Readonly<Record<string, unknown>>): boolean =>
  whyOutOfUse(recordFrom(({ column, initial }) => columns[column] ?? initial)) !== undefined;

/** The results that people and programs have recorded in the audit. Each reading reads only the new rows. */
class AuditRegister {
  readonly records: EvidenceRecord[] = [];
  readonly reports: ReportRegisters = new Map();
  readonly #waived = new Map<string, { actor: string; reason: string; until: string }[]>();
  readonly #causes = new Map<string, AcceptedTerms>();
  #seq = 0;
  #wasOutOfUse = false;
  /** The time at which modern was taken back into use last. */
  backInUseMs: number | undefined;

  async read(store: ControlStore): Promise<void> {
    for await (const row of auditRows(store, this.#seq)) {
      this.#seq = row.seq;
      this.#add(row);
    }
  }

  /** The waivers that have not ended before a day. */
  waivers(date: string): readonly Waiver[] {
    return [...this.#waived].flatMap(([gate, all]) => {
      const given = all.filter(({ until }) => until >= date);
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

  #add(row: AuditRow): void {
    const { at, actor, action, reason, evidence, after } = row;
    if (after !== null) {
      const isOutOfUse = isOutOfUseIn(JSON.parse(after));
      if (this.#wasOutOfUse && !isOutOfUse) this.backInUseMs = Date.parse(at);
      this.#wasOutOfUse = isOutOfUse;
    }
    if (!judgedActions.has(action)) return;
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
      case auditActions.signOff:
        if (content.gate === "team_trained") record("training");
        return;
      case auditActions.handOutReport:
      case auditActions.acceptReport:
      case auditActions.compareReports:
        addReportRow(this.reports, row);
        return;
      case auditActions.waive: {
        const others = (this.#waived.get(content.gate) ?? []).filter((one) => one.actor !== actor);
        this.#waived.set(content.gate, [...others, { actor, reason, until: content.until }]);
        return;
      }
      case auditActions.unwaive:
        this.#waived.delete(content.gate);
        return;
      default:
        applyCause(this.#causes, row);
    }
  }
}
