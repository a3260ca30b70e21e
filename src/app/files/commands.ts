/** The commands `watch`. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import { openFileJournal } from "../../adapters/sqlite/file-journal.ts";
import { BridgeError } from "../../base/errors.ts";
import { present } from "../../base/present.ts";
import { usualFile } from "../../config/usual-file.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import { keepHeapSmall } from "../../platform/small-heap.ts";
import type { Decision, FileJournal, Review } from "../../ports/file-journal.ts";
import { createPnlBridge } from "../bridge/pnl-bridge.ts";
import { settingsOf } from "../control/session.ts";
import { planOfFleet } from "../database/command-session.ts";
import { readStatus } from "../database/commands.ts";
import { directionOf, type OpenedDatabase, openDatabase } from "../database/open.ts";
import { pairOf } from "../database/pair.ts";
import { databaseStatus } from "../database/status.ts";
import type { ControlSettings } from "../stores.ts";
import {
  createLegacy,
  type FileEvent,
  journalFile,
  legacyWay,
  livingHolder,
  type OpenedFiles,
  openFileWatcher,
  watchedRoots,
} from "./open.ts";
import { carriedOut, noReview, openReview } from "./reviews.ts";
import { FileService, type FileServiceEvent } from "./service.ts";
import { attentionOf, type FilesStatus, filesStatus } from "./status.ts";

export interface WatchOptions {
  readonly config?: string;
}

interface Session extends OpenedFiles {
  readonly database: OpenedDatabase;
  readonly settings: ControlSettings;
  readonly plan: MigrationPlan;
}

/** The longest time that `watch --once` waits until the other store has the rows. */
const drainMsMax = 30_000;
/** The longest time to wait until another process that watches carries out a decision. */
const decisionMsMax = 15_000;

/**
 * Reads all watched files and applies their rows. Throws REFUSED, UNREADABLE or SYSTEM_DOWN if it could not.
 */
export async function watchOnce(
  options: WatchOptions & { readonly onEvent: (event: FileEvent) => void },
): Promise<FilesStatus> {
  // This is checked before the databases are opened, because another process that watches is writing to them.
  await withJournal(await settingsOf(options), async (journal) => {
    const holder = livingHolder(await journal.call("report", null));
    if (holder !== undefined) throw isWatchedBy(holder);
  });
  return withWatcher(options, async (session) => {
    await onlyOnce(session);
    const status = await statusIn(session);
    const { failures } = attentionOf(status);
    if (failures.length === 0) return status;
    throw new BridgeError(status.roots.every(({ ok }) => ok) ? "SYSTEM_DOWN" : "UNREADABLE", {
      what: failures.join("; "),
      fix: "pnl-bridge watch status shows everything",
    });
  });
}

async function onlyOnce({ watcher, journal, database, settings, plan }: Session): Promise<void> {
  if (!(await watcher.once(10 * settings.config.watch.settleMs))) {
    const { holder } = await journal.call("report", null);
    throw isWatchedBy(holder?.holder);
  }
  if (directionOf(plan)?.mirrors !== true) return;
  await database.bridge.drain({ timeoutMs: drainMsMax });
  // Pairs the rows that legacy stored by itself, and finds those that it counts twice.
  if (legacyWay(settings.config, plan) !== "records") await database.backfill.run({ pass: "new_rows" });
}

const isWatchedBy = (holder: string | undefined): BridgeError =>
  new BridgeError("REFUSED", {
    what: `another process watches these folders: ${holder}`,
    fix: "let it do the work, or end it first",
  });

/** Watches until the signal, under the plan that is in force at each moment, as `serve` does. */
export async function watchUntil(
  options: WatchOptions & {
    readonly onEvent: (event: FileServiceEvent) => void;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const settings = await settingsOf(options);
  pairOf(settings);
  watchedRoots(settings);
  await createLegacy(settings);
  const bridge = await createPnlBridge({ config: options.config ?? usualFile });
  const database = present(bridge.database, "both databases are configured");
  const files = new FileService({ settings, database, plan: () => bridge.plan });
  files.onEvent(options.onEvent);
  try {
    if (!options.signal.aborted) await once(options.signal, "abort");
  } finally {
    await files.close();
    await bridge.close();
  }
}

/** Reads the status for `watch status`, whether a watcher runs or not. */
export async function watchStatus(options: WatchOptions): Promise<FilesStatus> {
  const settings = await settingsOf(options);
  const [plan, databases] = await Promise.all([
    planOfFleet(settings),
    // Before the first watcher runs, there may be no pair of databases yet.
    readStatus(options).catch(() => undefined),
  ]);
  watchedRoots(settings);
  return withJournal(settings, (journal) => filesStatus({ journal, settings, plan, owed: databases?.owed }));
}

export const listReviews = async (options: WatchOptions): Promise<readonly Review[]> =>
  withJournal(await settingsOf(options), (journal) => journal.call("reviews", null));

/** Returns a review by its number, or the review of a root by its path. Throws NO_INPUT. */
export async function showReview(options: WatchOptions & { readonly review: string }): Promise<Review> {
  const settings = await settingsOf(options);
  return withJournal(settings, (journal) => namedReview(journal, settings, options.review));
}

export interface DecidedReview {
  readonly review: Review;
  /** `waits`: the next process that watches carries the decision out. */
  readonly outcome: "done" | "waits";
}

/**
 * Decides a review. The process that watches carries the decision out; if there is none, this process does.
 * Throws REFUSED (STALE_REVIEW) if the file no longer has the content that the review shows.
 */
export async function decideReview(
  options: WatchOptions & { readonly review: string; readonly decision: Decision },
): Promise<DecidedReview> {
  const settings = await settingsOf(options);
  return withJournal(settings, async (journal) => {
    const review = await namedReview(journal, settings, options.review);
    await journal.call("decide", {
      ...{ review: review.id, decision: options.decision, nowMs: systemClock.nowMs() },
    });
    const holder = livingHolder(await journal.call("report", null));
    if (holder === undefined)
      await withWatcher({ ...options, onEvent: () => {} }, onlyOnce).catch((failure) => {
        // The folders or a store may be unreachable. The decision stays in the journal and is carried out
        // later.
        if (!(failure instanceof BridgeError)) throw failure;
      });
    return {
      review,
      outcome: await carriedOut(journal, review.id, holder === undefined ? 0 : decisionMsMax),
    };
  });
}

async function namedReview(journal: FileJournal, { folder }: ControlSettings, name: string): Promise<Review> {
  const open = await journal.call("reviews", null);
  const paths = [resolve(name), resolve(folder, name)];
  const found = open.find(
    ({ id, kind, root }) => String(id) === name || (kind === "root" && paths.includes(root)),
  );
  if (found !== undefined) return found;
  if (/^\d{1,9}$/.test(name)) return openReview(journal, Number(name));
  throw noReview(name, false);
}

async function withJournal<T>(
  settings: ControlSettings,
  work: (journal: FileJournal) => Promise<T>,
): Promise<T> {
  const path = journalFile(settings);
  // A command that only reads creates nothing.
  const journal = await openFileJournal(existsSync(path) ? path : ":memory:");
  try {
    return await work(journal);
  } finally {
    await journal.close();
  }
}

async function withWatcher<T>(
  options: WatchOptions & { readonly onEvent: (event: FileEvent) => void },
  work: (session: Session) => Promise<T>,
): Promise<T> {
  keepHeapSmall();
  const settings = await settingsOf(options);
  const plan = await planOfFleet(settings);
  const pair = pairOf(settings);
  watchedRoots(settings);
  await createLegacy(settings);
  // The plan may change while the command runs, so it never moves the authority back by itself.
  const database = await openDatabase(pair, {
    ...{ direction: () => directionOf(plan), writes: true, isFresh: () => false },
  });
  try {
    const files = await openFileWatcher(settings, {
      write: (...given) => database.bridge.write(...given),
      plan: () => plan,
      onEvent: options.onEvent,
    });
    try {
      return await work({ ...files, database, settings, plan });
    } finally {
      await files.close();
    }
  } finally {
    await database.close();
  }
}

async function statusIn({ journal, settings, plan, database }: Session): Promise<FilesStatus> {
  const direction = directionOf(plan);
  const { owed } = await databaseStatus(database.pair, { direction, mode: plan.migrationMode });
  return filesStatus({ journal, settings, plan, owed });
}
