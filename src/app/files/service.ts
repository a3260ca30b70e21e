/** The file watcher in a process that must start and continue even if its journal fails. */
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError, messageOf } from "../../base/errors.ts";
import { oneAtATime } from "../../base/one-at-a-time.ts";
import { pause } from "../../base/pause.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import type { Decision, FileJournalCalls, Review } from "../../ports/file-journal.ts";
import type { DatabaseService } from "../database/service.ts";
import type { ControlSettings } from "../stores.ts";
import { type FileEvent, type OpenedFiles, openFileWatcher, watchedRoots } from "./open.ts";
import { carriedOut, openReview } from "./reviews.ts";
import {
  type FileStatus,
  type FilesStatus,
  type FilesSummary,
  fileStatus,
  filesStatus,
  filesSummary,
} from "./status.ts";

export type FileServiceEvent =
  | FileEvent
  | { readonly kind: "unopened"; readonly why: string }
  | { readonly kind: "reviews"; readonly count: number };

interface FileServiceOptions {
  readonly settings: ControlSettings;
  readonly database: Pick<DatabaseService, "write" | "latest">;
  readonly plan: () => MigrationPlan;
  readonly log?: (line: string) => void;
}

const openAgainMs = 1_000;
/** The time between two reads of the journal's totals. */
const lookMs = 5_000;
/** The longest wait for an offered file to be read. After that, the present state is returned. */
const offerMsMax = 2_000;
/** The longest wait until a decision about a review is carried out. */
const decideMsMax = 5_000;

export class FileService {
  readonly #options: FileServiceOptions;
  readonly #listeners = new Set<(event: FileServiceEvent) => void>();
  #files: OpenedFiles | undefined;
  #opening: Promise<void>;
  #why = "it is being opened";
  #isClosed = false;
  #latest: FilesSummary | undefined;
  #stopTimer = (): void => {};

  constructor(options: FileServiceOptions) {
    this.#options = options;
    watchedRoots(options.settings);
    this.#opening = this.#open();
  }

  /** The counts that were read last; undefined while they are not known. */
  get latest(): FilesSummary | undefined {
    return this.#latest;
  }

  /** Registers a listener. Returns a function that removes it. */
  onEvent(listener: (event: FileServiceEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Looks at a file now, and returns its state; undefined if it does not exist, or its name is not watched.
   * A relative path starts in the configuration's folder. Throws BAD_USAGE for a path outside of the folders,
   * and SYSTEM_DOWN.
   */
  async offer(path: string): Promise<FileStatus | undefined> {
    const { settings } = this.#options;
    const full = resolve(settings.folder, path);
    const root = watchedRoots(settings).find((one) => isInside(one, full));
    if (root === undefined)
      throw new BridgeError("BAD_USAGE", {
        what: "the file is in none of the watched folders",
        where: path,
        fix: "put it into one of them, or add its folder under watch",
      });
    const files = this.#mustBeOpen();
    const only = { root, path: relative(root, full).replaceAll(sep, "/") };
    const read = Promise.withResolvers<void>();
    const stop = this.onEvent((event) => {
      if (event.kind === "read" && event.path === only.path) read.resolve();
    });
    files.watcher.hint();
    await Promise.race([read.promise, pause(systemClock, offerMsMax)]);
    stop();
    const [found] = (await files.journal.call("report", { owed: 0, only })).files;
    return found && fileStatus(found, systemClock.nowMs());
  }

  /** Throws SYSTEM_DOWN until the watcher is open, as the functions below do. */
  async status(): Promise<FilesStatus> {
    const { settings, database, plan } = this.#options;
    const { journal } = this.#mustBeOpen();
    return filesStatus({ journal, settings, plan: plan(), owed: database.latest?.owed });
  }

  /** Returns an open review. Throws NO_INPUT, and REFUSED for a stale one. */
  async review(id: number): Promise<Review> {
    return openReview(this.#mustBeOpen().journal, id);
  }

  /** Decides a review, and waits for a while until the watcher has carried the decision out. */
  async decide(review: number, decision: Decision): Promise<"done" | "waits"> {
    const { journal, watcher } = this.#mustBeOpen();
    await openReview(journal, review);
    await journal.call("decide", { review, decision, nowMs: systemClock.nowMs() });
    watcher.hint();
    return carriedOut(journal, review, decideMsMax);
  }

  /** Returns the refused rows of files, at most `limit`. */
  async quarantine(limit: number): Promise<ReturnType<FileJournalCalls["quarantine"]>> {
    return this.#mustBeOpen().journal.call("quarantine", { limit });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer();
    await this.#opening;
    await this.#files?.close();
  }

  #mustBeOpen(): OpenedFiles {
    if (this.#files !== undefined) return this.#files;
    throw new BridgeError("SYSTEM_DOWN", { what: `the file watcher is not open: ${this.#why}` });
  }

  #tell(event: FileServiceEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  async #open(): Promise<void> {
    const { settings, database, plan, log } = this.#options;
    try {
      const files = await openFileWatcher(settings, {
        write: (...given) => database.write(...given),
        plan,
        onEvent: (event) => this.#tell(event),
        log,
      });
      this.#files = files;
      files.watcher.start();
      const look = oneAtATime(() => this.#look(files).catch(() => {}));
      await look();
      this.#stopTimer = systemClock.every(lookMs, () => void look());
    } catch (failure) {
      this.#why = messageOf(failure);
      this.#tell({ kind: "unopened", why: this.#why });
      if (this.#isClosed) return;
      const stop = systemClock.every(openAgainMs, () => {
        stop();
        this.#opening = this.#open();
      });
      this.#stopTimer = stop;
    }
  }

  async #look({ journal }: OpenedFiles): Promise<void> {
    const { settings, database, plan } = this.#options;
    const before = this.#latest?.reviews ?? 0;
    const sources = { journal, settings, plan: plan(), owed: database.latest?.owed };
    this.#latest = await filesSummary(sources);
    const { reviews } = this.#latest;
    if (reviews > before) this.#tell({ kind: "reviews", count: reviews });
  }
}

const isInside = (folder: string, path: string): boolean => {
  const way = relative(folder, path);
  return way !== "" && !isAbsolute(way) && way !== ".." && !way.startsWith(join("..", "/"));
};
