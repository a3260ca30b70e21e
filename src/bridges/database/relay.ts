import { backOffMs } from "../../base/back-off.ts";
import { BridgeError, codeOf, messageOf } from "../../base/errors.ts";
import { oneAtATime } from "../../base/one-at-a-time.ts";
import { at as itemAt } from "../../base/present.ts";
import { otherSide, type Side } from "../../domain/migration/phase.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Fence, MirrorWrite, OutboxEntry, RecordStore } from "../../ports/record-store.ts";
import { abandonedStep } from "./abandon.ts";
import { type LeaseHolder, takeLease } from "./lease.ts";
import { findOlderCopy } from "./older-copy.ts";
import { mirrorWriteOf } from "./prepared.ts";

export interface RelayOptions {
  readonly stores: Readonly<Record<Side, RecordStore>>;
  readonly clock: Clock;
  /** A random number of 0 or more and less than 1, which varies the pauses. */
  readonly draw: () => number;
  /** Whether both stores get the writes under the present plan. */
  readonly isWanted: () => boolean;
  readonly lease: LeaseHolder;
  /** The time for which an entry is kept after the mirror has it. */
  readonly keepsMs: number;
  readonly onEvent: (event: RelayEvent) => void;
  /** Called after each run, even after one that failed. It must not reject. */
  readonly afterRun?: () => Promise<void>;
}

export type RelayEvent =
  | { readonly kind: "relay_failed"; readonly why: string; readonly failures: number }
  | { readonly kind: "parked"; readonly seq: number; readonly code: string; readonly why: string }
  /** The mirror is an older copy of itself; what it lacks is sent again. */
  | { readonly kind: "mirror_restored"; readonly sentAgain: number };

/** The largest number of entries that one read returns, and that one transaction of the mirror applies. */
const [pageMax, applyMax] = [800, 200];
/**
 * The approximate number of rows on a page. The rows of one page decide the number of entries on the next.
 */
const rowsMax = 2_000;
const pauses = { firstMs: 50, lastMs: 5_000 };
/** The time between two searches of the outbox for entries of other processes. */
const lookMs = 500;

/** Returns the entries of one transaction in the form that the mirror takes. */
const mapped = (entries: readonly OutboxEntry[], from: number, side: Side): readonly MirrorWrite[] =>
  entries.slice(from, from + applyMax).map((entry) => mirrorWriteOf(entry, side));

/**
 * Carries the entries of the authority's outbox to the mirror, whole and in their order. One process at a
 * time carries entries: the holder of the lease `relay` in the authority's store. The mirror refuses a former
 * holder.
 */
export class Relay {
  readonly #options: RelayOptions;
  /** Carries the pending entries. Only one run is under way at a time. */
  readonly run: () => Promise<void>;
  #failures = 0;
  #stopTimer = (): void => {};
  #isEnded = false;
  /** The incarnation of the authority for which `#catchUp` has run since this process took the lease. */
  #checked = "";
  /** The number of entries on the next page. */
  #limit = 20;
  /** The lease, and the time at which it is renewed; undefined while this process does not hold it. */
  #held: { readonly store: RecordStore; readonly token: number; readonly renewMs: number } | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.run = oneAtATime(() => this.#run());
    void this.run();
  }

  /** Carries the pending entries once more, and releases the lease. */
  async end(): Promise<void> {
    this.#isEnded = true;
    await this.run();
    this.#stopTimer();
    const { stores, lease } = this.#options;
    for (const store of Object.values(stores))
      await store.call("release", { name: "relay", holder: lease.name }).catch(() => {});
  }

  async #run(): Promise<void> {
    const { isWanted, draw, onEvent } = this.#options;
    this.#stopTimer();
    let nextMs = lookMs;
    try {
      while (isWanted() && (await this.#carryPage()));
      this.#failures = 0;
    } catch (failure) {
      this.#failures += 1;
      this.#held = undefined;
      this.#checked = "";
      // The first CONFLICT is not reported: another process may have held the lease for a while.
      if (this.#failures > 1 || codeOf(failure) !== "CONFLICT")
        onEvent({ kind: "relay_failed", why: messageOf(failure), failures: this.#failures });
      nextMs = backOffMs(pauses, this.#failures, draw());
    }
    await this.#options.afterRun?.();
    if (this.#isEnded) return;
    const stop = this.#options.clock.every(nextMs, () => {
      stop();
      void this.run();
    });
    this.#stopTimer = stop;
  }

  /** Carries one page of entries. Returns whether there may be more. */
  async #carryPage(): Promise<boolean> {
    const { stores, clock, onEvent } = this.#options;
    const fence = await stores.legacy.call("fence", null);
    if (fence.step === abandonedStep) return false;
    const store = stores[fence.authority];
    const mirror = stores[otherSide(fence.authority)];
    const limit = this.#limit;
    const entries = await store.call("pending", { limit });
    const rows = entries.reduce((sum, entry) => sum + entry.rows.length, 0);
    this.#limit = Math.max(1, Math.min(pageMax, Math.floor((entries.length * rowsMax) / Math.max(1, rows))));
    if (entries.length === 0 && this.#checked !== "") return false;
    const source = fence.authority === "legacy" ? fence : await store.call("fence", null);
    const token = await this.#lease(store, mirror, source);
    if (token === undefined) return false;
    if (await this.#catchUp(store, mirror, source)) return true;
    if (entries.length === 0) return false;
    const settling: Promise<unknown>[] = [];
    try {
      for (let at = 0, next = mapped(entries, at, mirror.side); next.length > 0; at += applyMax) {
        const applying = mirror.call("apply", { entries: next, source: source.incarnation, token });
        // The code below awaits the answer, unless the mapping throws before that.
        applying.catch(() => {});
        // While the mirror applies these entries, the next ones are mapped and the previous ones settled.
        const given = next;
        next = mapped(entries, at + applyMax, mirror.side);
        const answers = await applying;
        const settled = answers.map((answer, place) => ({ seq: itemAt(given, place).seq, answer }));
        settling.push(store.call("settle", { answers: settled, nowMs: clock.nowMs() }));
        for (const { seq, answer } of settled)
          if (answer.kind === "parked")
            onEvent({ kind: "parked", seq, code: answer.code, why: answer.because });
      }
    } finally {
      await Promise.all(settling);
    }
    return entries.length === limit;
  }

  /**
   * Returns the token of the lease, which is renewed when a third of its time is over; undefined while
   * another process holds the lease.
   */
  async #lease(store: RecordStore, mirror: RecordStore, { incarnation }: Fence): Promise<number | undefined> {
    const { clock, lease } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#held?.store === store && nowMs < this.#held.renewMs) return this.#held.token;
    const { token: mirrorToken } = await mirror.call("applied", { source: incarnation });
    const answer = await takeLease(store, "relay", { ...this.#options, mirrorToken });
    this.#held =
      answer.kind === "held" ? { store, token: answer.token, renewMs: nowMs + lease.lastsMs / 3 } : undefined;
    if (this.#held === undefined) this.#checked = "";
    return this.#held?.token;
  }

  /**
   * Compares the mirror's progress with the authority's record of it, once after the lease is taken.
   * A mirror that was restored from an older copy gets the missing entries again; if a restored database
   * needs a repair, this throws. Also deletes old entries. Returns whether entries are offered again.
   */
  async #catchUp(store: RecordStore, mirror: RecordStore, source: Fence): Promise<boolean> {
    const { incarnation } = source;
    if (this.#checked === incarnation) return false;
    const { stores, clock, keepsMs, onEvent } = this.#options;
    const older = await findOlderCopy(stores);
    if (older !== undefined && !older.isSentAgain) throw new BridgeError("REFUSED", { what: older.why });
    const [progress, applied] = [
      await store.call("progress", null),
      await mirror.call("applied", { source: incarnation }),
    ];
    const sentAgain =
      applied.place < progress.done ? await store.call("resend", { after: applied.place }) : 0;
    if (sentAgain > 0) onEvent({ kind: "mirror_restored", sentAgain });
    await store.call("forget", { beforeMs: clock.nowMs() - keepsMs });
    await mirror.call("prune", { source: incarnation, below: progress.forgotten });
    this.#checked = incarnation;
    return sentAgain > 0;
  }
}
