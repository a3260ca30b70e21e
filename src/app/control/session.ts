/** Opens the control store for one command. */
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { BridgeError } from "../../base/errors.ts";
import {
  type AuditReport,
  auditHead,
  type By,
  type Operator,
  type Overview,
  type ReadFacts,
} from "../../control/index.ts";
import type { AlertSink } from "../../ports/alerts.ts";
import type { ControlStore } from "../../ports/control-store.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import { commandAuthority } from "../database/authority.ts";
import {
  type ControlSettings,
  controlFile,
  controlStoreOf,
  openControlStore,
  openEvidenceStore,
} from "../stores.ts";
import { alertsOf, noneQuarantined, nothingOwed, operatingSystemUser, operatorOver } from "./operator.ts";
import { type StoreOptions, settingsOf } from "./settings.ts";
import { type Status, statusOf, verifyStore } from "./status.ts";

export { type StoreOptions, settingsOf } from "./settings.ts";

/** The store of one command, and the operator that works on it. */
export interface OperatorSession {
  readonly operator: Operator;
  readonly store: ControlStore;
  readonly alerts: AlertSink & { close(): void };
  /** The status that an overview shows; by default a new overview. */
  status(overview?: Overview): Promise<Status>;
  verifyAudit(): Promise<AuditReport>;
  close(): Promise<void>;
}

export async function openOperator(settings: ControlSettings): Promise<OperatorSession> {
  const store = await openNamed(settings);
  const { operator, alerts, close } = commandOperator(settings, () => store);
  return {
    operator,
    store,
    alerts,
    status: async (overview) => {
      const head = await auditHead(store);
      return statusOf(store, operator, settings, {
        auditHead: head.seq === 0 ? null : head,
        seen: overview,
      });
    },
    verifyAudit: () => verifyStore(store, settings),
    close: async () => {
      await close();
      await store.close();
    },
  };
}

/** Creates the operator of a command. Its store may be opened later, on first use. */
export function commandOperator(
  settings: ControlSettings,
  store: () => ControlStore | Promise<ControlStore>,
) {
  const alerts = alertsOf(settings.config, `${hostname()} (command)`);
  const authority = commandAuthority(settings);
  let evidence: Promise<EvidenceStore | undefined> | undefined;
  let reader: Promise<ReadFacts> | undefined;
  // The reader loads much code that most commands do not need.
  const facts: ReadFacts = async (seen) => {
    reader ??= import("./gate-facts.ts").then(({ factsReader }) =>
      factsReader(settings, { store, evidence: () => (evidence ??= openEvidenceStore(settings)) }),
    );
    return (await reader)(seen);
  };
  return {
    alerts,
    close: async () => {
      alerts.close();
      const opened = await evidence?.catch(() => undefined);
      await opened?.close();
    },
    operator: operatorOver(store, settings, {
      alerts,
      facts,
      owed: nothingOwed,
      quarantined: () => authority?.quarantined() ?? noneQuarantined(),
      authority,
    }),
  };
}

export interface ByOptions {
  readonly reason: string;
  readonly actor?: string | undefined;
}

export const byOf = ({ reason, actor }: ByOptions): By => ({ reason, actor: actor ?? operatingSystemUser() });

/** How a command uses the store. Only a change may create one. */
type Access = "reads" | "changes";

/**
 * Throws BAD_CONFIG if no store is named, and NO_INPUT if the named store does not exist. A store is created
 * by the first process, or by the first change through a configuration whose store has never existed; never
 * by a command that reads, and never by a path in --store.
 */
export function checkNamed(options: StoreOptions, settings: ControlSettings, access: Access): void {
  controlStoreOf(settings);
  const path = controlFile(settings);
  if (
    path === undefined ||
    existsSync(path) ||
    hadStore(path) ||
    (access === "changes" && options.store === undefined)
  )
    return;
  throw new BridgeError("NO_INPUT", {
    what: "there is no control store",
    where: path,
    fix: "the first process of the fleet creates it; check the path in --config or --store",
  });
}

/** Opens the store for a command. Throws SYSTEM_DOWN if the control file has existed and is missing now. */
export async function openNamed(settings: ControlSettings): Promise<ControlStore> {
  const path = controlFile(settings);
  if (path !== undefined && !existsSync(path) && hadStore(path))
    throw new BridgeError("SYSTEM_DOWN", {
      what: "the control file is gone",
      where: path,
      fix: "restore it from a backup; the fleet follows its last plan meanwhile",
    });
  return openControlStore(settings);
}

const hadStore = (path: string): boolean =>
  ["live.db", "snapshots"].some((name) => existsSync(join(dirname(path), name)));

/** Checks that the command may use the store, and opens it. */
export async function openFor(
  options: StoreOptions,
  settings: ControlSettings,
  access: Access,
): Promise<OperatorSession> {
  checkNamed(options, settings, access);
  return openOperator(settings);
}

/** Opens the store, runs `work`, and closes the store. */
export async function withOperator<T>(
  options: StoreOptions,
  access: Access,
  work: (session: OperatorSession, settings: ControlSettings) => Promise<T>,
): Promise<T> {
  const settings = await settingsOf(options);
  const session = await openFor(options, settings, access);
  try {
    return await work(session, settings);
  } finally {
    await session.close();
  }
}
