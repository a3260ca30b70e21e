/** Opens the control store for one command. */
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { BridgeError } from "../../base/errors.ts";
import { sqliteFile, storeForm, storePattern } from "../../base/store-address.ts";
import { type Config, defaultConfig, loadConfig } from "../../config/index.ts";
import { usualFile } from "../../config/usual-file.ts";
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
import { type Status, statusOf, verifyStore } from "./status.ts";

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

/** The options by which every command finds its store: a configuration file, or the store itself. */
export interface StoreOptions {
  readonly config?: string;
  readonly store?: string;
}

export interface ByOptions {
  readonly reason: string;
  readonly actor?: string;
}

/**
 * Reads a command's settings. Throws BAD_USAGE if nothing is named and the usual file is missing, or if
 * `store` is not the address of a store, and BAD_CONFIG or UNREADABLE for a file that cannot be used.
 */
export async function settingsOf({ config: path, store }: StoreOptions): Promise<ControlSettings> {
  const file = path ?? (existsSync(usualFile) ? usualFile : undefined);
  if (file === undefined && store === undefined)
    throw new BridgeError("BAD_USAGE", {
      what: `there is no ${usualFile} here`,
      fix: "name one with --config FILE, or the store alone with --store sqlite:FILE or postgres://…",
    });
  if (store !== undefined && !storePattern.test(store))
    throw new BridgeError("BAD_USAGE", {
      what: "the value of --store is not the address of a store",
      fix: `write ${storeForm}`,
    });
  const config = file === undefined ? defaultConfig : await loadConfig(file).catch(orDefault(path, store));
  const folder = file === undefined ? process.cwd() : dirname(resolve(file));
  // A path in --store is relative to the current folder.
  const typed = store === undefined ? undefined : sqliteFile(store);
  const control = typed === undefined ? store : `sqlite:${resolve(typed)}`;
  return {
    config: control === undefined ? config : { ...config, stores: { ...config.stores, control } },
    folder,
  };
}

/**
 * Returns the built-in configuration if --store is given and the usual file is broken, so that a broken file
 * cannot prevent a rollback. Otherwise rethrows the failure; without --store, its fix names that option.
 */
const orDefault =
  (path: string | undefined, store: string | undefined) =>
  (failure: unknown): Config => {
    if (path === undefined && store !== undefined) return defaultConfig;
    if (!(failure instanceof BridgeError) || store !== undefined) throw failure;
    const { code, message, where, fix, cause } = failure;
    const byStore = "or name the control store alone: --store sqlite:FILE or postgres://…";
    throw new BridgeError(code, {
      what: message,
      where,
      fix: fix === "" ? byStore : `${fix}; ${byStore}`,
      cause,
    });
  };

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
