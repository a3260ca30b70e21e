import { messageOf } from "../../base/errors.ts";
import { oneAtATime } from "../../base/one-at-a-time.ts";
import { pause } from "../../base/pause.ts";
import { at as itemAt } from "../../base/present.ts";
import type { DueFile, FileKind, FileState, KnownFile } from "../../ports/file-journal.ts";
import type { RootLook, SeenFile } from "../../ports/watched-files.ts";
import { askForLease, type LeaseHolder } from "../core/lease.ts";
import { DueFiles } from "./due-files.ts";
import { LedgerTurns } from "./ledger-turn.ts";
import { PriceTurns } from "./price-turn.ts";
import type { FileTools, Turn } from "./tools.ts";

/** Carries claims to the stores. */
export interface Sink {
  readonly name: string;
  /**
   * Carries the journal's claims under this epoch, until no more can be carried now or, between two claims,
   * `isEnding` returns true.
   */
  run(epoch: number, isEnding: () => boolean): Promise<void>;
  /** The approximate number of claims that wait; the watcher adds those that it creates. */
  pending: number;
}

interface WatcherOptions extends FileTools {
  /** Returns the kind of a file of a root; undefined for a file that must not be read. */
  readonly kindOf: (root: string, path: string) => FileKind | undefined;
  /** Returns a file's `DueFile.rank`. */
  readonly rankOf: (path: string) => string;
  readonly sinks: readonly Sink[];
  readonly scanMs: number;
  readonly lease: LeaseHolder;
  readonly onEvent: (event: WatcherEvent) => void;
}

export type WatcherEvent =
  | { readonly kind: "standing_by"; readonly holder: string }
  | { readonly kind: "root_lost"; readonly root: string; readonly code: string; readonly why: string }
  | { readonly kind: "root_back"; readonly root: string }
  /** A piece of a file was read, up to the byte `offset`. */
  | { readonly kind: "read"; readonly path: string; readonly offset: number }
  /** The state of a file, or the number of its rows, is another one now. */
  | {
      readonly kind: "file";
      readonly root: string;
      readonly path: string;
      readonly state: FileState;
      readonly rows: number;
    }
  | { readonly kind: "vanished"; readonly root: string; readonly path: string }
  | { readonly kind: "watch_failed"; readonly why: string };

/** The time between two looks at everything. Recent files are looked at in each look. */
const allMs = 5_000;
/** The largest number of turns in one pass, so that a look that is due does not wait for a backlog. */
const turnsMax = 50;
/** The shortest pause between two looks while no file may be read because the sinks are behind. */
const waitMinMs = 20;
/**
 * If more claims than this wait for the sinks, only the newest files are read, so that a new row waits for
 * these claims only.
 */
const claimsMax = 2;

/**
 * Carries ledgers and price files to the sinks, so that each row has its effect once.
 *
 * Each look finds the files that changed, each turn reads a piece of one, and the journal turns pieces into
 * claims, which the sinks take in order. The files of the newest day are read first, whatever else waits. One
 * process watches at a time: the holder of the journal's lease.
 */
export class FileWatcher {
  readonly #options: WatcherOptions;
  readonly #held = { epoch: -1 };
  readonly #ledgers: LedgerTurns;
  readonly #prices: PriceTurns;
  readonly #due: DueFiles;
  /** Carries claims until the sinks can take no more of them now. */
  readonly carry: () => Promise<void>;
  readonly #lost = new Map<string, string>();
  /**
   * The files whose next turn follows at once: their state before the first of these turns, and their present
   * state.
   */
  readonly #underWay = new Map<number, { readonly before: KnownFile; readonly now: KnownFile }>();
  readonly #reportedRoots = new Set<string>();
  /** The files of a folder that is at a root's path and is not accepted as this root. */
  readonly #heldBack = new Map<string, { readonly identity: string; readonly files: readonly SeenFile[] }>();
  #renewMs = Number.NEGATIVE_INFINITY;
  #allMs = Number.NEGATIVE_INFINITY;
  /** The monotonic time at which the next look is due; a hint makes it due at once. */
  #lookMs = Number.NEGATIVE_INFINITY;
  #isHinted = false;
  #wake = (): void => {};
  #isClosed = false;
  #running: Promise<void> | undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#ledgers = new LedgerTurns(options, this.#held);
    this.#prices = new PriceTurns(options, this.#held);
    this.#due = new DueFiles(options.clock);
    this.carry = oneAtATime(async () => {
      await Promise.all(options.sinks.map((sink) => sink.run(this.#held.epoch, () => this.#isClosed)));
    });
  }

  /** Starts the next look at once, because a file may have changed. */
  hint(): void {
    this.#isHinted = true;
    this.#wake();
  }

  /** Watches until `close`. */
  start(): void {
    this.#running ??= this.#watch();
  }

  /**
   * Reads all files, until each is settled and the sinks have its rows, or until `timeoutMs` is over. Returns
   * whether this process held the lease.
   */
  async once(timeoutMs: number): Promise<boolean> {
    const { clock } = this.#options;
    let endMs = Number.POSITIVE_INFINITY;
    this.hint();
    do {
      if (!(await this.pass(false))) return false;
      await this.carry();
      // The time limit begins after the first pass, because opening the folders takes time.
      endMs = Math.min(endMs, clock.monotonicMs() + timeoutMs);
      if (this.#next() !== undefined) continue;
      if (this.#due.nextMs() > endMs && this.#options.sinks.every(({ pending }) => pending === 0))
        return true;
      await pause(clock, Math.max(1, Math.min(100, this.#due.nextMs() - clock.monotonicMs())));
    } while (clock.monotonicMs() < endMs || this.#next() !== undefined);
    return true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    await this.#running;
    // The next process carries the remaining claims.
    await this.carry().catch(() => {});
    const { journal, finder, lease } = this.#options;
    await journal.call("release", { holder: lease.name }).catch(() => {});
    await finder.close();
    await journal.close();
  }

  /**
   * Makes some turns, and before them one look, unless it is not due and `looks` is false. Returns whether
   * this process holds the lease.
   */
  async pass(looks = true): Promise<boolean> {
    if (!(await this.#hold())) return false;
    if (looks || this.#isHinted || this.#options.clock.monotonicMs() >= this.#lookMs) await this.#look();
    for (let turns = 0; turns < turnsMax; turns += 1) {
      const due = this.#next();
      if (due === undefined) break;
      await this.#take(due);
      // Claims are carried while the next piece is read.
      void this.carry().catch((failure) => this.#failed(failure));
    }
    return true;
  }

  /** Makes a pass and reports its failure as an event; the next pass then begins from the journal's state. */
  async attempt(looks = true): Promise<boolean> {
    try {
      return await this.pass(looks);
    } catch (failure) {
      this.#failed(failure);
      return false;
    }
  }

  async #watch(): Promise<void> {
    const { clock, scanMs } = this.#options;
    while (!this.#isClosed) {
      const isHolder = await this.attempt(false);
      if (isHolder && this.#next() !== undefined) continue;
      const waitMs = isHolder ? Math.min(this.#lookMs, this.#due.nextMs()) - clock.monotonicMs() : scanMs;
      if (!this.#isHinted) await this.#sleep(Math.max(waitMinMs, waitMs));
      if (!isHolder) this.#isHinted = false;
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#options.clock.every(ms, () => this.#wake(), true);
      this.#wake = () => {
        stop();
        this.#wake = () => {};
        resolve();
      };
      if (this.#isClosed) this.#wake();
    });
  }

  #failed(failure: unknown): void {
    // The state of the files in memory may be incomplete, so it is read from the journal again.
    this.#held.epoch = -1;
    this.#renewMs = Number.NEGATIVE_INFINITY;
    this.#options.onEvent({ kind: "watch_failed", why: messageOf(failure) });
  }

  /** Takes the lease, or renews it when a third of its time is over. */
  async #hold(): Promise<boolean> {
    const { journal, clock, lease, onEvent } = this.#options;
    const monotonicMs = clock.monotonicMs();
    if (this.#held.epoch >= 0 && monotonicMs < this.#renewMs) return true;
    const answer = await askForLease((given) => journal.call("lease", given), this.#options);
    if ("holder" in answer) {
      if (this.#held.epoch >= 0 || this.#renewMs === Number.NEGATIVE_INFINITY)
        onEvent({ kind: "standing_by", holder: answer.holder });
      this.#held.epoch = -1;
      this.#renewMs = monotonicMs;
      return false;
    }
    this.#renewMs = monotonicMs + lease.lastsMs / 3;
    if (answer.epoch === this.#held.epoch) return true;
    this.#held.epoch = answer.epoch;
    this.#allMs = Number.NEGATIVE_INFINITY;
    this.#lookMs = Number.NEGATIVE_INFINITY;
    this.#underWay.clear();
    this.#due.add(await journal.call("waiting", { all: true }));
    return true;
  }

  async #look(): Promise<void> {
    const { finder, journal, clock, roots, scanMs } = this.#options;
    const beganMs = clock.monotonicMs();
    this.#isHinted = false;
    const isAll = beganMs >= this.#allMs;
    const looks = await finder.look(isAll ? "all" : "recent");
    for (const [at, look] of looks.entries()) await this.#lookAt(itemAt(roots, at), at, look);
    this.#due.add(await journal.call("waiting", { all: false }));
    const endedMs = clock.monotonicMs();
    // Looks that take long leave four fifths of the time for reading.
    const nextMs = (everyMs: number): number =>
      Math.max(beganMs + everyMs, endedMs + 4 * (endedMs - beganMs));
    if (isAll) this.#allMs = nextMs(allMs);
    this.#lookMs = isAll ? endedMs + scanMs : nextMs(scanMs);
  }

  async #lookAt(root: string, at: number, look: RootLook): Promise<void> {
    const { finder, journal, clock, rankOf, kindOf, onEvent } = this.#options;
    const common = { epoch: this.#held.epoch, root, nowMs: clock.nowMs() };
    const mode = itemAt(finder.modes, at);
    const isOk = await journal.call("root", {
      ...common,
      mode,
      look: look.ok ? { identity: look.identity, files: look.changed } : { code: look.code, why: look.why },
    });
    this.#noteRoot(root, look, isOk);
    if (!look.ok) return;
    const before = this.#heldBack.get(root);
    const held = before?.identity === look.identity ? before.files : [];
    if (!isOk) {
      // The finder does not report them again, and a person may accept the folder later.
      this.#heldBack.set(root, { identity: look.identity, files: [...held, ...look.changed] });
      return;
    }
    this.#heldBack.delete(root);
    if (look.gone.length > 0) {
      await journal.call("gone", { ...common, paths: look.gone });
      for (const path of look.gone) onEvent({ kind: "vanished", root, path });
    }
    const changed = [...held, ...look.changed];
    // The finder reports every file in its first look, and later only those that changed.
    const all = this.#reportedRoots.has(root);
    this.#reportedRoots.add(root);
    if (!all) await journal.call("gone", { ...common, allBut: changed.map(({ path }) => path) });
    const files = changed.map((file) => ({ ...file, rank: rankOf(file.path) }));
    for (const [kind, ofKind] of Map.groupBy(files, ({ path }) => kindOf(root, path)))
      if (kind !== undefined)
        this.#due.add(await journal.call("seen", { ...common, kind, all, files: ofKind }));
  }

  #noteRoot(root: string, look: RootLook, isOk: boolean): void {
    const code = look.ok ? (isOk ? "" : "ROOT_REPLACED") : look.code;
    if ((this.#lost.get(root) ?? "") === code) return;
    this.#lost.set(root, code);
    const why = look.ok ? "another folder is at this path" : look.why;
    this.#options.onEvent(code === "" ? { kind: "root_back", root } : { kind: "root_lost", root, code, why });
  }

  /** Returns the file whose turn is next: a file of the newest day, or else the first in order. */
  #next(): DueFile | undefined {
    const { sinks, today, dayInName } = this.#options;
    const newest = this.#due.newest();
    if (newest !== undefined && (dayInName(newest.path) ?? 0) >= today() - 1) return newest;
    return sinks.some(({ pending }) => pending > claimsMax) ? undefined : this.#due.first();
  }

  async #take(due: DueFile): Promise<void> {
    const { journal, onEvent } = this.#options;
    const earlier = this.#underWay.get(due.file);
    const file = earlier?.now ?? (await journal.call("known", { file: due.file }));
    const turn: Turn = await (due.kind === "ledger" ? this.#ledgers : this.#prices).turn(file);
    this.#due.settle(due, turn);
    const now = await journal.call("known", { file: due.file });
    const { root, path, state, rows, place } = now;
    onEvent({ kind: "read", path, offset: place.offset });
    if (rows !== file.rows) for (const sink of this.#options.sinks) sink.pending += 1;
    const before = earlier?.before ?? file;
    if (turn.next === "now") {
      this.#underWay.set(due.file, { before, now });
      return;
    }
    this.#underWay.delete(due.file);
    if (state !== before.state || rows !== before.rows) onEvent({ kind: "file", root, path, state, rows });
  }
}
