/** Opens the control store for one command, and what a person can do with it. */
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { BridgeError } from "../../base/errors.ts";
import { sqliteFile, storeForm, storePattern } from "../../base/store-address.ts";
import { type Config, defaultConfig, loadConfig } from "../../config/index.ts";
import { usualFile } from "../../config/usual-file.ts";
import { type AuditReport, auditHead, type By, type Operator } from "../../control/index.ts";
import type { AlertSink } from "../../ports/alerts.ts";
import type { ControlStore } from "../../ports/control-store.ts";
import { type ControlSettings, controlFile, controlStoreOf, openControlStore } from "../stores.ts";
import { alertsOf, noneQuarantined, nothingOwed, operatingSystemUser, operatorOver } from "./operator.ts";
import { type Status, statusOf, verifyStore } from "./status.ts";

/** The store, and what a person can do with it, for one command. */
export interface OperatorSession {
  readonly operator: Operator;
  readonly store: ControlStore;
  readonly alerts: AlertSink & { close(): void };
  status(): Promise<Status>;
  verifyAudit(): Promise<AuditReport>;
  close(): Promise<void>;
}

export async function openOperator(settings: ControlSettings): Promise<OperatorSession> {
  const store = await openNamed(settings);
  const { operator, alerts } = commandOperator(settings, () => store);
  return {
    operator,
    store,
    alerts,
    status: async () => {
      const head = await auditHead(store);
      return statusOf(store, operator, settings, head.seq === 0 ? null : head);
    },
    verifyAudit: () => verifyStore(store, settings),
    close: async () => {
      alerts.close();
      await store.close();
    },
  };
}

/** What a person can do by a command, over a store that may not be open yet. */
export function commandOperator(settings: ControlSettings, store: () => ControlStore | Promise<ControlStore>) {
  const alerts = alertsOf(settings.config, `${hostname()} (command)`);
  return { alerts, operator: operatorOver(store, settings, { alerts, owed: nothingOwed, quarantined: noneQuarantined }) };
}

/** How every command names the store: by a configuration, or directly where there is nothing else. */
export interface StoreOptions {
  readonly config?: string;
  readonly store?: string;
}

export interface ByOptions {
  readonly reason: string;
  readonly actor?: string;
}

/** Throws BAD_USAGE where neither is named and there is no usual file. */
export async function settingsOf({ config: path, store }: StoreOptions): Promise<ControlSettings> {
  const file = path ?? (existsSync(usualFile) ? usualFile : undefined);
  if (file === undefined && store === undefined)
    throw new BridgeError("BAD_USAGE", {
      what: `there is no ${usualFile} here`,
      fix: "name one with --config FILE, or the store alone with --store sqlite:FILE or postgres://…",
    });
  if (store !== undefined && !storePattern.test(store))
    throw new BridgeError("BAD_USAGE", { what: "--store names no store", fix: `write ${storeForm}` });
  const config = file === undefined ? defaultConfig : await loadConfig(file).catch(orDefault(path, store));
  const folder = file === undefined ? process.cwd() : dirname(resolve(file));
  // What is typed is relative to where it is typed.
  const typed = store === undefined ? undefined : sqliteFile(store);
  const control = typed === undefined ? store : `sqlite:${resolve(typed)}`;
  return { config: control === undefined ? config : { ...config, stores: { ...config.stores, control } }, folder };
}

/** With the store named, a file that merely lies here and is broken is no hindrance: it may be what the rollback is for. */
const orDefault =
  (path: string | undefined, store: string | undefined) =>
  (failure: unknown): Config => {
    if (path === undefined && store !== undefined) return defaultConfig;
    if (!(failure instanceof BridgeError) || store !== undefined) throw failure;
    const { code, message, where, fix, cause } = failure;
    const byStore = "or name the control store alone: --store sqlite:FILE or postgres://…";
    throw new BridgeError(code, { what: message, where, fix: fix === "" ? byStore : `${fix}; ${byStore}`, cause });
  };

export const byOf = ({ reason, actor }: ByOptions): By => ({ reason, actor: actor ?? operatingSystemUser() });

/** What a command does with the store: only a change may make one. */
type Does = "looks" | "changes";

/**
 * Throws BAD_CONFIG and NO_INPUT where no store is named, or what is named is none, so that there is no fleet beside it. A store is made
 * by the first process, or by the first change for a configuration that has none yet; never by looking, and never by a typed path.
 */
export function checkNamed(options: StoreOptions, settings: ControlSettings, does: Does): void {
  controlStoreOf(settings);
  const path = controlFile(settings);
  if (path === undefined || existsSync(path) || hadStore(path) || (does === "changes" && options.store === undefined)) return;
  throw new BridgeError("NO_INPUT", {
    what: "there is no control store",
    where: path,
    fix: "the first process of the fleet makes it; look for another path in --config or --store",
  });
}

/** Opens the store for a command. Never makes one where one has been: an empty one would be a plan that nobody made. */
export async function openNamed(settings: ControlSettings): Promise<ControlStore> {
  const path = controlFile(settings);
  if (path !== undefined && !existsSync(path) && hadStore(path))
    throw new BridgeError("SYSTEM_DOWN", {
      what: "the control file is gone",
      where: path,
      fix: "bring it back: the fleet goes by its last plan meanwhile",
    });
  return openControlStore(settings);
}

const hadStore = (path: string): boolean => ["live.db", "snapshots"].some((name) => existsSync(join(dirname(path), name)));

/** Opens the store for one command. */
export async function openFor(options: StoreOptions, settings: ControlSettings, does: Does): Promise<OperatorSession> {
  checkNamed(options, settings, does);
  return openOperator(settings);
}

/** Opens the store for one piece of work. */
export async function withOperator<T>(
  options: StoreOptions,
  does: Does,
  work: (session: OperatorSession, settings: ControlSettings) => Promise<T>,
): Promise<T> {
  const settings = await settingsOf(options);
  const session = await openFor(options, settings, does);
  try {
    return await work(session, settings);
  } finally {
    await session.close();
  }
}
