import { BridgeError, messageOf } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";
import { otherSide, type Side } from "../../domain/migration/phase.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Fence, HeldStore, OutboxEntry, RecordStore } from "../../ports/record-store.ts";
import { isAbandoned, takeBack } from "./abandon.ts";
import { type LeaseHolder, takeLease } from "./lease.ts";
import { findOlderCopy, mayLackWrites, sideBehind } from "./older-copy.ts";
import { mirrorWriteOf, preparedEntryRow } from "./prepared.ts";

export interface CutoverOptions {
  readonly stores: Readonly<Record<Side, RecordStore>>;
  /** Opens legacy a second time and holds its write lock, for at most the given time. */
  readonly holdLegacy: (lastsMs: number) => Promise<HeldStore>;
  readonly clock: Clock;
  readonly lease: LeaseHolder;
  /**
   * The longest time for which a move to modern holds legacy's lock. A move to legacy that takes longer to
   * carry the last writes fails and is undone.
   */
  readonly budgetMs: number;
  /** The longest time that the mirror may take to catch up before writes are held back. */
  readonly drainMsMax: number;
  /**
   * The last reconciliation of all rows; null if there was none. `position` is the last number that the
   * outbox had at that time.
   */
  readonly lastReconcile: () => Promise<ReconcileMark | null>;
  /**
   * Copies into modern the rows that legacy's own programs have written. Returns the number of rows that wait
   * for a person's decision.
   */
  readonly importForeign: (legacy: RecordStore) => Promise<number>;
  /** Called as each rung of the ladder begins. */
  readonly onRung: (rung: Rung) => void;
}

interface ReconcileMark {
  readonly atMs: number;
  readonly ok: boolean;
  readonly position: number;
}

const rungs = ["recover", "rehearse", "drain", "hold", "carry", "compare", "flip"] as const;
export type Rung = (typeof rungs)[number];

export interface CutoverReport {
  readonly moved: boolean;
  readonly authority: Side;
  readonly epoch: number;
  /**
   * The rung that failed, with the reason; null if none failed. Unless `moved` is set, everything is as
   * before.
   */
  readonly failed: { readonly rung: Rung; readonly why: string } | null;
  /** The time for which writes were held back. */
  readonly heldMs: number;
}

const reconcileAgeMsMax = 15 * 60_000;
const pageMax = 200;

/**
 * Moves the authority to a store, rung by rung. If a rung fails, everything returns to its former state.
 *
 * Legacy's fence decides which store is authoritative, and modern's fence is moved first. So a process that
 * dies between the two moves leaves a state that the next process undoes (`recover`). At each moment at most
 * one store accepts writes.
 */
export class Cutover {
  readonly #options: CutoverOptions;
  #rung: Rung = "recover";
  #heldSinceMs = 0;

  constructor(options: CutoverOptions) {
    this.#options = options;
  }

  /** Throws REFUSED while another process moves the authority. */
  to(side: Side): Promise<CutoverReport> {
    return this.#alone(() => this.#climb(side));
  }

  /**
   * Undoes the unfinished cut-over of a dead process. Throws REFUSED while a live one moves the authority.
   */
  recover(): Promise<Fence> {
    return this.#alone(() => recoverFences(this.#options.stores, this.#options.clock.nowMs()));
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const { stores, clock, lease } = this.#options;
    const given = { name: "cutover", holder: lease.name, nowMs: clock.nowMs(), lastsMs: leaseMs };
    let taken = await stores.legacy.call("lease", given);
    if (taken.kind === "taken" && lease.isDead(taken.holder))
      taken = await stores.legacy.call("lease", { ...given, deadHolder: taken.holder });
    if (taken.kind === "taken")
      throw new BridgeError("REFUSED", {
        what: `another process moves the authority: ${taken.holder}`,
        fix: "wait until it has finished",
      });
    try {
      return await work();
    } finally {
      await stores.legacy.call("release", { name: "cutover", holder: lease.name }).catch(() => {});
    }
  }

  /**
   * Returns the reason why the authority cannot move to a side now: the side's database is an older copy, a
   * fence lacks a move, writes are parked or, towards modern, no reconciliation without breaks was made in
   * the last 15 minutes. Returns undefined otherwise; a rung can still fail.
   */
  async whyNot(side: Side): Promise<string | undefined> {
    const { stores, clock } = this.#options;
    const older = await findOlderCopy(stores);
    if (mayLackWrites(older, side)) return older.why;
    const { authority } = await stores.legacy.call("fence", null);
    if (authority === side) return undefined;
    const { parked } = await stores[authority].call("owed", { nowMs: clock.nowMs() });
    if (parked > 0) return `${parked} writes are parked: look at them with \`pnl-bridge db status\``;
    return side === "modern" ? this.#whyNotReconciled() : undefined;
  }

  async #whyNotReconciled(): Promise<string | undefined> {
    const mark = await this.#options.lastReconcile();
    const isOld = mark !== null && this.#options.clock.nowMs() - mark.atMs > reconcileAgeMsMax;
    const why =
      mark === null
        ? "the databases were never reconciled"
        : !mark.ok
          ? "the last reconciliation found breaks"
          : isOld
            ? "the last reconciliation is older than 15 minutes"
            : undefined;
    return why && `${why}: run \`pnl-bridge db reconcile\``;
  }

  async #climb(side: Side): Promise<CutoverReport> {
    const { stores, clock } = this.#options;
    this.#heldSinceMs = Number.POSITIVE_INFINITY;
    let fence: Fence | undefined;
    const report = (moved: Fence, failed: CutoverReport["failed"]): CutoverReport => ({
      moved: moved.authority === side,
      authority: moved.authority,
      epoch: moved.epoch,
      failed,
      heldMs: Math.max(0, Math.round(clock.monotonicMs() - this.#heldSinceMs)),
    });
    try {
      this.#begin("recover");
      fence = await recoverFences(stores, clock.nowMs());
      if (fence.authority === side) return report(fence, null);
      const older = await findOlderCopy(stores);
      if (older?.side === side) throw new Error(older.why);
      await this.#rehearse(side);
      await this.#drain(fence.authority);
      return report(side === "modern" ? await this.#toModern(fence) : await this.#toLegacy(fence), null);
    } catch (failure) {
      const failed = { rung: this.#rung, why: messageOf(failure) };
      const reader = { name: "backfill", holder: this.#options.lease.name };
      await stores.modern.call("release", reader).catch(() => {});
      fence = await recoverFences(stores, clock.nowMs());
      return report(fence, failed);
    }
  }

  #begin(rung: Rung): void {
    this.#rung = rung;
    this.#options.onRung(rung);
  }

  /**
   * Proves that the present authority can take writes as the mirror: deletes, writes and reads back the rows
   * of its last entry, and undoes that. Then sets the step `to SIDE` in both fences.
   */
  async #rehearse(side: Side): Promise<void> {
    this.#begin("rehearse");
    const { stores } = this.#options;
    const mirror = stores[otherSide(side)];
    const { last } = await stores[otherSide(side)].call("progress", null);
    const [entry] = await mirror.call("entriesAfter", { seq: Math.max(0, last - 1), limit: 1 });
    const rows = entry === undefined ? [] : rowsOf(entry, mirror.side);
    for (const { aggregate, change, claim } of rows.filter(({ does }) => does === undefined)) {
      const why = await mirror.call("rehearse", { row: { aggregate, change, claim } });
      if (why !== null) throw new Error(`a write cannot come back to ${mirror.side}: ${why}`);
    }
    for (const store of Object.values(stores)) {
      const fence = await store.call("fence", null);
      await store.call("moveFence", { from: fence, to: { ...fence, step: `to ${side}` } });
    }
  }

  /** Waits until fewer than 200 writes are owed; `#carry` brings the rest while writes are held back. */
  async #drain(from: Side): Promise<void> {
    this.#begin("drain");
    const { stores, clock, drainMsMax } = this.#options;
    const endMs = clock.monotonicMs() + drainMsMax;
    for (;;) {
      const { count, parked } = await stores[from].call("owed", { nowMs: clock.nowMs() });
      if (parked > 0)
        throw new Error(`${parked} writes are parked: look at them with \`pnl-bridge db status\``);
      if (count < pageMax) return;
      if (clock.monotonicMs() >= endMs) throw new Error(`${count} writes are still owed`);
      await pause(clock, 10);
    }
  }

  async #toModern(fence: Fence): Promise<Fence> {
    const { stores, clock, budgetMs, lastReconcile } = this.#options;
    const why = await this.#whyNotReconciled();
    if (why !== undefined) throw new Error(why);
    const position = (await lastReconcile())?.position ?? 0;
    await this.#stopReaders();
    this.#begin("hold");
    const held = await this.#options.holdLegacy(budgetMs);
    this.#heldSinceMs = clock.monotonicMs();
    try {
      this.#begin("carry");
      await this.#carry(held, stores.modern);
      const inReview = await this.#options.importForeign(held);
      if (inReview > 0) throw new Error(`${inReview} rows of legacy's own programs wait for a decision`);
      this.#begin("compare");
      await this.#compare(held, position);
      this.#begin("flip");
      const to = { epoch: fence.epoch + 1, authority: "modern", step: "" } as const;
      // The step marks the move as unfinished. If modern's fence is ahead and has no step, legacy's database
      // is an older copy.
      await this.#move(stores.modern, { ...to, step: "to modern" });
      await this.#move(held, to);
      await held.letGo("commit");
      await this.#move(stores.modern, to);
      return { ...fence, ...to };
    } catch (failure) {
      await held.letGo("rollback").catch(() => {});
      throw failure;
    } finally {
      await held.close();
    }
  }

  /**
   * Takes the lease of the passes over legacy's rows. A pass releases it when it reads the step in the
   * fences, and `importForeign` reads the last rows under the same holder.
   */
  async #stopReaders(): Promise<void> {
    const { stores, clock, drainMsMax } = this.#options;
    const endMs = clock.monotonicMs() + drainMsMax;
    for (;;) {
      const answer = await takeLease(stores.modern, "backfill", this.#options);
      if (answer.kind === "held") return;
      if (clock.monotonicMs() >= endMs) throw new Error(`${answer.holder} is reading legacy's rows`);
      await pause(clock, 10);
    }
  }

  /**
   * Moves modern's fence first, so that it takes no more writes; legacy's fence moves when legacy has all of
   * them.
   */
  async #toLegacy(fence: Fence): Promise<Fence> {
    const { stores, clock, budgetMs } = this.#options;
    this.#begin("hold");
    const to = { epoch: fence.epoch + 1, authority: "legacy", step: "" } as const;
    this.#heldSinceMs = clock.monotonicMs();
    await this.#move(stores.modern, { ...to, step: "returning" });
    this.#begin("carry");
    await this.#carry(stores.modern, stores.legacy);
    if (clock.monotonicMs() - this.#heldSinceMs > budgetMs)
      throw new Error("the last writes did not reach legacy within the budget");
    this.#begin("flip");
    await this.#move(stores.legacy, to);
    await this.#move(stores.modern, to);
    return { ...fence, ...to };
  }

  async #move(store: RecordStore, to: Pick<Fence, "epoch" | "authority" | "step">): Promise<void> {
    const from = await store.call("fence", null);
    if (!(await store.call("moveFence", { from, to })))
      throw new Error(`the fence of ${store.side}'s database was moved by somebody else`);
  }

  /**
   * Carries the pending entries while no write can arrive. Takes the relay's lease from any other process.
   */
  async #carry(store: RecordStore, mirror: RecordStore): Promise<void> {
    const { clock, lease } = this.#options;
    const { incarnation } = await store.call("fence", null);
    const { token: mirrorToken } = await mirror.call("applied", { source: incarnation });
    const given = {
      name: "relay",
      mirrorToken,
      holder: `${lease.name} (cut-over)`,
      nowMs: clock.nowMs(),
      lastsMs: lease.lastsMs,
    };
    let answer = await store.call("lease", given);
    if (answer.kind === "taken") answer = await store.call("lease", { ...given, deadHolder: answer.holder });
    if (answer.kind === "taken") throw new Error(`the lease of the relay is held by ${answer.holder}`);
    for (;;) {
      const entries = await store.call("pending", { limit: pageMax });
      if (entries.length === 0) break;
      const answers = await mirror.call("apply", {
        entries: entries.map((entry) => mirrorWriteOf(entry, mirror.side)),
        source: incarnation,
        token: answer.token,
      });
      const settled = entries.map(({ seq }, at) => ({ seq, answer: answers[at] ?? missing }));
      await store.call("settle", { answers: settled, nowMs: clock.nowMs() });
      const parked = settled.find(({ answer }) => answer.kind === "parked");
      if (parked?.answer.kind === "parked") throw new Error(parked.answer.because);
    }
    await store.call("release", given);
  }

  /** Compares the rows that were written since the last reconciliation, on both sides. */
  async #compare(held: HeldStore, position: number): Promise<void> {
    const { modern } = this.#options.stores;
    for (let after = position; ; ) {
      const entries = await held.call("entriesAfter", { seq: after, limit: pageMax });
      const last = entries.at(-1);
      if (last === undefined) return;
      after = last.seq;
      const rows = (side: Side) => entries.flatMap((entry) => rowsOf(entry, side));
      const [mine, theirs] = await Promise.all([
        held.call("standings", { rows: rows("legacy") }),
        modern.call("standings", { rows: rows("modern") }),
      ]);
      for (const [at, { aggregate }] of rows("legacy").entries()) {
        const [legacy, other] = [mine[at], theirs[at]];
        if (!legacy?.isAsWritten || !other?.isAsWritten || legacy.version !== other.version)
          throw new Error(`the two stores differ in ${aggregate}: run \`pnl-bridge db reconcile\``);
      }
    }
  }
}

/** The lease lasts longer than a whole cut-over. The lease of a dead process can be taken at once. */
const leaseMs = 120_000;

const missing = { kind: "parked", code: "INTERNAL", because: "the mirror did not answer" } as const;

function rowsOf({ rows }: OutboxEntry, side: Side) {
  return rows.map((row) => preparedEntryRow(row)[side]);
}

/** Whether no cut-over is under way, and no dead process has left one unfinished. */
export async function areFencesAtRest({ legacy, modern }: CutoverOptions["stores"]): Promise<boolean> {
  const [deciding, following] = [await legacy.call("fence", null), await modern.call("fence", null)];
  const isSame = deciding.epoch === following.epoch && deciding.authority === following.authority;
  return isSame && deciding.step === "" && following.step === "";
}

/**
 * Undoes the unfinished cut-over of a dead process: modern's fence becomes equal to legacy's, which decides.
 * Only the holder of the lease `cutover` may do so. The writes that an abandoned store owes go to the
 * quarantine first. Returns the fence in force. Throws CONFLICT if one fence is ahead and no unfinished move
 * explains that, because one of the two files is then an older copy of itself.
 */
export async function recoverFences(
  stores: Readonly<Record<Side, RecordStore>>,
  nowMs: number,
): Promise<Fence> {
  const { legacy, modern } = stores;
  const [deciding, following] = [await legacy.call("fence", null), await modern.call("fence", null)];
  if (sideBehind({ legacy: deciding, modern: following }) !== undefined)
    throw new BridgeError("CONFLICT", {
      what: (await findOlderCopy(stores))?.why ?? "the fences have moved",
    });
  if (isAbandoned(deciding, following)) {
    await takeBack(stores, nowMs);
    return legacy.call("fence", null);
  }
  const { epoch, authority } = deciding;
  const to = { epoch, authority, step: "" };
  for (const [store, from] of [[modern, following] as const, [legacy, deciding] as const])
    if (from.epoch !== epoch || from.authority !== authority || from.step !== "")
      await store.call("moveFence", { from, to });
  return { ...deciding, step: "" };
}
