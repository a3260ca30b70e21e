/** Creates an `Operator` from a configuration: its store, section reader, gates and alerts. */
import { userInfo } from "node:os";
import { sha256, systemClock } from "../../adapters/host/index.ts";
import { WebhookAlerts } from "../../adapters/http/index.ts";
import {
  type Config,
  type MigrationSection,
  migrationSection,
  readMigrationSection,
} from "../../config/index.ts";
import {
  Operator,
  type ReadFacts,
  type Section,
  type SettledDays,
  simpleGates,
} from "../../control/index.ts";
import type { AlertSink } from "../../ports/alerts.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ControlStore, Published } from "../../ports/control-store.ts";
import type { DataAuthority } from "../../ports/data-authority.ts";
import type { OwedWrites } from "../../ports/owed-writes.ts";
import { type ControlSettings, switchFileOf } from "../stores.ts";

/** The owed writes of a bridge without dual writes: none. */
export const nothingOwed: OwedWrites = { owedToLegacy: () => ({ count: 0, oldestMs: 0 }) };
/** The quarantine of a bridge that watches no files: empty. */
export const noneQuarantined = (): number => 0;

/** Returns the section of a configuration in the form that is published for the whole fleet. */
export function publishedOf(config: Config): Published {
  const text = migrationSection(config);
  return { text, hash: sha256(text), phase: config.plan.phase };
}

/** The default actor in the audit. */
export function operatingSystemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}

export const readSection = (text: string): Section => {
  const { plan, twoPerson, triggers, validation }: MigrationSection = readMigrationSection(text);
  const tolerances = { position: validation.positionThreshold, pnl: validation.comparisonThreshold };
  return { plan, twoPerson, triggers, tolerances };
};

export function operatorOver(
  store: () => ControlStore | Promise<ControlStore>,
  settings: ControlSettings,
  around: {
    readonly alerts: AlertSink;
    readonly owed: OwedWrites;
    readonly quarantined: () => Promise<number | null> | number | null;
    readonly authority: DataAuthority | undefined;
    readonly facts: ReadFacts;
    readonly settled?: (() => SettledDays | undefined) | undefined;
    readonly clock?: Clock | undefined;
  },
): Operator {
  const { leaseMs } = settings.config.control;
  const isTrial = settings.config.gates.profile === "trial";
  return new Operator({
    store,
    switchFile: switchFileOf(settings),
    readSection,
    gates: simpleGates,
    leaseMs,
    isTrial,
    ...around,
    clock: around.clock ?? systemClock,
  });
}

const silence: AlertSink & { close(): void } = { send: () => {}, settled: async () => 0, close: () => {} };

export const alertsOf = ({ monitoring }: Config, from: string): AlertSink & { close(): void } =>
  monitoring.alertUrl === null ? silence : new WebhookAlerts(monitoring.alertUrl, from);
