/** Opens the file watcher of a configuration. */
import { hash } from "node:crypto";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { dayInName, ledgerRank } from "../../adapters/csv/ledger-lines.ts";
import { ledgerRows } from "../../adapters/csv/ledger-rows.ts";
import { systemClock } from "../../adapters/host/index.ts";
import { openFileJournal } from "../../adapters/sqlite/file-journal.ts";
import { openFileFinder } from "../../adapters/watch/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { sqliteFile } from "../../base/store-address.ts";
import type { WriteOptions } from "../../bridges/database/index.ts";
import {
  FileWatcher,
  type RecordWriter,
  type SinkEvent,
  StoreSink,
  type WatcherEvent,
} from "../../bridges/files/index.ts";
import type { Config } from "../../config/index.ts";
import { dayUs, wallOfInstant } from "../../domain/market/chicago-time.ts";
import { tradingDayRules } from "../../domain/market/trading-day.ts";
import { phasePolicies } from "../../domain/migration/phase.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import type { Clock } from "../../ports/clock.ts";
import type { FileJournal, FileKind, JournalReport } from "../../ports/file-journal.ts";
import type { BridgeRecord } from "../../ports/records.ts";
import type { FileFinder } from "../../ports/watched-files.ts";
import { builtinDesk, dayRulesOf } from "../builtin-systems.ts";
import { thisHolder } from "../database/pair.ts";
import { type ControlSettings, isPairConfigured, stateFolder } from "../stores.ts";
import { describeSymbol } from "../symbols/symbols.ts";
import { OwnEntrySink } from "./own-entry.ts";
import { priceRows } from "./price-rows.ts";

export type FileEvent = WatcherEvent | SinkEvent;

export interface FileWatcherOptions {
  /** Writes to both stores; `DatabaseBridge` or `DatabaseService`. */
  readonly write: (
    records: readonly BridgeRecord[],
    options: WriteOptions,
  ) => ReturnType<RecordWriter["write"]>;
  readonly plan: () => MigrationPlan;
  readonly onEvent: (event: FileEvent) => void;
  readonly log?: ((line: string) => void) | undefined;
  /** Default: the clock of this machine. */
  readonly clock?: Clock;
}

export interface OpenedFiles {
  readonly watcher: FileWatcher;
  readonly journal: FileJournal;
  readonly finder: FileFinder;
  /** Ends the watcher and closes its journal. */
  close(): Promise<void>;
}

/** The sinks by name, as the journal keeps their receipts. */
export const sinkNames = { stores: "stores", calculated: "calculated", own: "own_entry" } as const;

/** Whether `serve` watches files: the configuration names a folder and both stores. */
export const isWatching = (config: Config): boolean =>
  (config.watch.tradeLedger !== null || config.watch.marketPrices.length > 0) && isPairConfigured(config);

export const journalFile = (settings: ControlSettings): string => join(stateFolder(settings), "files.db");

/**
 * Returns the watched folders as absolute paths, ledgers first. Throws BAD_CONFIG if the configuration names
 * none.
 */
export function watchedRoots({ config, folder }: ControlSettings): readonly string[] {
  const { tradeLedger, marketPrices } = config.watch;
  const named = [...(tradeLedger === null ? [] : [tradeLedger]), ...marketPrices];
  if (named.length === 0)
    throw new BridgeError("BAD_CONFIG", {
      what: "the configuration names no folder to watch",
      fix: "name one: watch: { trade_ledger: ./data/trade_ledger }",
    });
  return [...new Set(named.map((path) => resolve(folder, path)))];
}

/** Returns the living process that watches; undefined if there is none. */
export function livingHolder({ holder }: Pick<JournalReport, "holder">): string | undefined {
  if (holder === null || holder.untilMs <= systemClock.nowMs()) return undefined;
  return thisHolder(0).isDead(holder.holder) ? undefined : holder.holder;
}

/** Returns the way in which rows of files enter legacy under a plan. */
export const legacyWay = ({ watch }: Config, { phase }: MigrationPlan): Config["watch"]["legacySink"] =>
  phasePolicies[phase].files.legacy === "as-configured" ? watch.legacySink : "records";

/**
 * Opens the journal in the state folder and the watcher of the configured folders, which does nothing before
 * `start` or `once`. Throws BAD_CONFIG, BAD_DATABASE and UNWRITABLE.
 */
export async function openFileWatcher(
  settings: ControlSettings,
  { write, plan, onEvent, log, clock = systemClock }: FileWatcherOptions,
): Promise<OpenedFiles> {
  const { config } = settings;
  const { mode, include, scanMs, settleMs, republished, leaseMs } = config.watch;
  const roots = watchedRoots(settings);
  const own = config.watch.legacySink === "own_entry" ? await OwnEntrySink.entryOf(settings, log) : undefined;
  const journal = await openFileJournal(journalFile(settings));
  const files = () => phasePolicies[plan().phase].files;
  const writer: RecordWriter = {
    write: (records, given) => {
      const legacyHasOwn = legacyWay(config, plan()) !== "records";
      return write(records, { ...given, keepsUnstorable: true, ...(legacyHasOwn && { legacyHasOwn }) });
    },
  };
  const shared = { journal, clock, draw: Math.random, onEvent };
  const figures = { ...shared, describe: describeSymbol, method: "fifo" } as const;
  const sinks = [
    new StoreSink({ ...figures, name: sinkNames.stores, writer }),
    new StoreSink({
      ...{ ...figures, name: sinkNames.calculated, writer: null },
      isWanted: () => files().modern === "calculates",
    }),
    ...(own === undefined
      ? []
      : [
          new OwnEntrySink(own, {
            ...{ ...shared, name: sinkNames.own },
            isWanted: () => legacyWay(config, plan()) === "own_entry",
          }),
        ]),
  ];
  const dayRule = tradingDayRules[dayRulesOf(config.systems).modern];
  const finder = openFileFinder({ roots, include, mode, onHint: () => watcher.hint() });
  const watcher: FileWatcher = new FileWatcher({
    ...{ ...shared, roots, finder, sinks, scanMs, settleMs, republished, dayInName },
    kindOf: kindsOf(settings),
    rankOf: ledgerRank,
    ledgers: ledgerRows({ describe: describeSymbol, dayRule }),
    prices: priceRows(dayRule),
    digest: (before, bytes) =>
      hash(
        "sha256",
        typeof bytes === "string" ? before + bytes : Buffer.concat([Buffer.from(before), bytes]),
      ),
    today: () => {
      const wallUs = wallOfInstant(clock.nowMs() * 1_000);
      // The day rule that uses file names gives no day without a file.
      return dayRule.dayOf(wallUs, undefined) ?? Math.floor(wallUs / dayUs);
    },
    lease: thisHolder(leaseMs),
  });
  const close = async (): Promise<void> => {
    await watcher.close();
    await own?.close();
  };
  return { watcher, journal, finder, close };
}

/**
 * Returns a function that decides the kind of a file from its name and place, because the folders of ledgers
 * and prices may be the same, or one inside the other.
 */
function kindsOf({ config, folder }: ControlSettings): (root: string, path: string) => FileKind | undefined {
  const { tradeLedger, marketPrices } = config.watch;
  const within = (folders: readonly string[]) => {
    const begins = folders.map((one) => join(resolve(folder, one), "/"));
    return (path: string): boolean => begins.some((begin) => path.startsWith(begin));
  };
  const isOf = {
    ledger: within(tradeLedger === null ? [] : [tradeLedger]),
    prices: within(marketPrices),
  };
  return (root, path) => {
    const kind = /(?:^|\/)(?:Futures|Options|market_prices)_[^/]*$/i.test(path) ? "prices" : "ledger";
    return isOf[kind](join(root, path)) ? kind : undefined;
  };
}

/**
 * Creates legacy's database if it does not exist and the built-in desk is legacy. Other desks create their
 * own database.
 */
export async function createLegacy({ config, folder }: ControlSettings): Promise<void> {
  const { legacy } = config.systems;
  const file = sqliteFile(config.stores.legacy ?? "");
  if (legacy.kind !== "builtin" || file === undefined || existsSync(resolve(folder, file))) return;
  await builtinDesk(legacy, resolve(folder, file))?.history({ ledgers: [] });
}
