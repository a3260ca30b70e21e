import { BridgeError, codeOf, messageOf } from "../../base/errors.ts";
import { oneAtATime } from "../../base/one-at-a-time.ts";
import { pause } from "../../base/pause.ts";
import { at as itemAt } from "../../base/present.ts";
import { storable } from "../../base/storable-text.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { imagesText } from "../../durable/row-images.ts";
import type { OwedWrites } from "../../ports/owed-writes.ts";
import type { RecordStore, RowWrite, StoreAnswer, StoreWrite } from "../../ports/record-store.ts";
import type { BridgeRecord } from "../../ports/records.ts";
import { findOlderCopy, type OlderCopy } from "./older-copy.ts";
import { preparedRow, type RowRefusal } from "./prepared.ts";
import { type IntakeTools, type Row, takeRecords } from "./record-intake.ts";
import { Relay, type RelayOptions } from "./relay.ts";

/** The use that the plan makes of the pair of databases. */
export interface Direction {
  /** The store that should be authoritative. */
  readonly authority: Side;
  /** Whether the other store gets the writes now; otherwise they are owed to it. */
  readonly mirrors: boolean;
}

export interface DatabaseBridgeOptions extends Omit<RelayOptions, "isWanted" | "afterRun"> {
  readonly tools: IntakeTools;
  /** Returns undefined while the plan is not known; no write is taken or carried during that time. */
  readonly direction: () => Direction | undefined;
  /** Whether legacy's database may lack writes that it had, because it is an older copy. Default: never. */
  readonly isLegacyOlder?: () => boolean;
}

export interface WriteOptions {
  readonly idempotencyKey: string;
  /**
   * Whether two kinds of writes are accepted that are otherwise refused: of a trade that only
   * `pnlb_unstorable` of legacy's store can hold, and of a trade that the backfill has copied. Default: no.
   */
  readonly keepsUnstorable?: boolean;
  /**
   * Whether legacy's own programs store the rows, so that the write only reaches modern. Refused with
   * AUTHORITY_DIFFERS while modern is authoritative. Default: no.
   */
  readonly legacyHasOwn?: boolean;
}

export type WriteAnswer =
  | { readonly kind: "acknowledged"; readonly version: number; readonly mirror: "pending" | "applied" }
  | ({ readonly kind: "refused" } & RowRefusal)
  /**
   * The commit's outcome is unknown. Sending the same write under the same key again settles it.
   */
  | { readonly kind: "unresolved"; readonly because: string };

export interface Drained {
  /** Whether the other store has every acknowledged write. */
  readonly drained: boolean;
  /** The number of writes that it lacks. */
  readonly owed: number;
  /** Why the drain has ended, if a database is an older copy of itself. */
  readonly why?: string;
}

/** A write with its rows in the form that each store takes. */
interface PreparedWrite extends Omit<StoreWrite, "rows"> {
  readonly rows: readonly Readonly<Record<Side, RowWrite>>[];
}

interface Authority {
  readonly store: RecordStore;
  readonly epoch: number;
}

interface Waiting {
  readonly write: PreparedWrite;
  readonly settle: (answer: WriteAnswer) => void;
}

/** The most writes that share one commit. */
const groupMax = 64;
/**
 * The owed writes are counted after each run of the relay. A count reads all of them, so while there are more
 * than `owedFewMax`, they are counted at most once in `countAgainMs`.
 */
const [owedFewMax, countAgainMs] = [1_000, 500];
/**
 * An epoch that no fence has. Under this epoch a store acknowledges the writes that it already has, and
 * refuses all others.
 */
const noEpoch = -1;

/**
 * Writes records to the authoritative store and carries each acknowledged write to the other one.
 *
 * A write is one transaction in the authoritative store: rows, idempotency key, versions and one outbox
 * entry. Writes that come while a commit is under way share the next one. The relay applies whole writes in
 * their order. If it applies a write a second time, nothing changes. A record that legacy cannot hold is
 * refused before it is written, unless `keepsUnstorable` is set.
 */
export class DatabaseBridge implements OwedWrites {
  readonly #options: DatabaseBridgeOptions;
  readonly #relay: Relay;
  readonly #waiting: Waiting[] = [];
  readonly #commit: () => Promise<void>;
  /**
   * The number of writes that legacy lacks, and the time since which it lacks the oldest one. If the number
   * is 0, `sinceMs` is the time of the last count.
   */
  #owed: { readonly count: number; readonly sinceMs: number };
  #countedMs = Number.NEGATIVE_INFINITY;
  /** The number of writes that modern has taken from this process, or may have taken. */
  #toModern = 0;
  /** The authority of the last group, if it is legacy. */
  #seen: Authority | undefined;
  #isClosed = false;

  constructor(options: DatabaseBridgeOptions) {
    this.#options = options;
    this.#commit = oneAtATime(() => this.#commitWaiting());
    this.#owed = { count: 0, sinceMs: options.clock.monotonicMs() };
    this.#relay = new Relay({
      ...options,
      isWanted: () => options.direction()?.mirrors ?? false,
      afterRun: async () => {
        const isDue = options.clock.monotonicMs() - this.#countedMs >= countAgainMs;
        if (isDue || this.#owed.count <= owedFewMax) await this.countOwed();
      },
    });
  }

  /** Never rejects before `close`; afterwards it rejects with CLOSED. A refused write is in neither store. */
  async write(
    records: readonly BridgeRecord[],
    { idempotencyKey, keepsUnstorable = false, legacyHasOwn = false }: WriteOptions,
  ): Promise<WriteAnswer> {
    this.#mustBeOpen();
    if (!isKey(idempotencyKey))
      return {
        kind: "refused",
        code: "BAD_RECORD",
        because: "an idempotency key must be 1 to 200 well-formed characters without NUL",
      };
    const taken = takeRecords(records, this.#options.tools);
    if ("refusal" in taken) return { kind: "refused", ...taken.refusal };
    const write = this.#prepared(taken.rows, { idempotencyKey, keepsUnstorable, legacyHasOwn });
    if ("code" in write) return { kind: "refused", ...write };
    return new Promise((settle) => {
      this.#waiting.push({ write, settle });
      void this.#commit();
    });
  }

  /**
   * Offers parked writes again, and waits until the other store has every acknowledged write, only parked
   * writes are left, a restored database needs a repair, or the time is over.
   */
  async drain({ timeoutMs }: { readonly timeoutMs: number }): Promise<Drained> {
    this.#mustBeOpen();
    const { clock, stores } = this.#options;
    const endMs = clock.monotonicMs() + timeoutMs;
    await (await this.#authority()).store.call("unpark", null);
    let older: OlderCopy | undefined;
    for (let isFirst = true; ; isFirst = false) {
      await this.#relay.run();
      const { store } = await this.#authority();
      const { count, parked } = await store.call("owed", { nowMs: clock.nowMs() });
      const isLate = clock.monotonicMs() >= endMs;
      const isEnd = count === parked || isLate;
      // Nothing is known about a database that is unreachable.
      if (isFirst || isEnd || older !== undefined) older = await findOlderCopy(stores).catch(() => undefined);
      const refusing = isLate || older?.isSentAgain === false ? older : undefined;
      if (refusing !== undefined || (older === undefined && isEnd)) {
        await this.countOwed();
        if (refusing !== undefined) return { drained: false, owed: count, why: refusing.why };
        return { drained: count === 0, owed: count };
      }
      await pause(clock, 10);
    }
  }

  /**
   * Returns the writes that legacy lacked at the last count, plus those of this process since then. Returns
   * at least one while the number is unknown: modern is authoritative and does not answer, or legacy's
   * database is an older copy of itself.
   */
  owedToLegacy(): { readonly count: number; readonly oldestMs: number } {
    const { isLegacyOlder = () => false } = this.#options;
    const { count: counted, sinceMs } = this.#owed;
    const count = Math.max(counted, isLegacyOlder() ? 1 : 0);
    return { count, oldestMs: count === 0 ? 0 : Math.round(this.#options.clock.monotonicMs() - sinceMs) };
  }

  /** Counts the writes that legacy lacks. Never rejects. */
  async countOwed(): Promise<void> {
    const { clock } = this.#options;
    const [atMs, before] = [clock.monotonicMs(), this.#toModern];
    const authority = await this.#authority().catch(() => undefined);
    // While legacy's fence cannot be read, the last count stays.
    if (authority === undefined) return;
    const { store } = authority;
    const none = { count: 0, oldestMs: 0 };
    const found =
      store.side === "legacy"
        ? none
        : await store.call("owed", { nowMs: clock.nowMs() }).catch(() => undefined);
    this.#countedMs = atMs;
    if (found === undefined) this.#owed = { ...this.#owed, count: Math.max(1, this.#owed.count) };
    // A write that came after the beginning of the count may be missing from it.
    else this.#owed = { count: found.count + this.#toModern - before, sinceMs: atMs - found.oldestMs };
  }

  /** Ends the relay and closes both stores. Writes that the other store lacks stay in the outbox. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#commit();
    await this.#relay.end();
    await Promise.all(Object.values(this.#options.stores).map((store) => store.close()));
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new BridgeError("CLOSED", { what: "the database bridge is closed" });
  }

  async #authority(): Promise<Authority> {
    const { stores } = this.#options;
    const { authority, epoch } = await stores.legacy.call("fence", null);
    return { store: stores[authority], epoch };
  }

  /** Returns the write with its rows in the form of each store. */
  #prepared(rows: readonly Row[], options: Required<WriteOptions>): PreparedWrite | RowRefusal {
    const prepared: PreparedWrite["rows"][number][] = [];
    for (const row of rows) {
      const both = preparedRow(row, { isKept: options.keepsUnstorable });
      if ("code" in both) return both;
      prepared.push(both);
    }
    const images = imagesText(rows);
    const digest = this.#options.tools.digest(images);
    return { ...options, images, digest, rows: prepared };
  }

  async #commitWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, groupMax);
      const answers = await this.#written(group.map(({ write }) => write));
      // `#seen` is defined if legacy has taken the group.
      if (this.#seen === undefined) this.#addOwed(answers.filter(({ kind }) => kind !== "refused").length);
      for (const [at, { settle }] of group.entries()) settle(itemAt(answers, at));
      void this.#relay.run();
    }
  }

  #addOwed(added: number): void {
    if (added === 0) return;
    const { count, sinceMs } = this.#owed;
    this.#toModern += added;
    this.#owed = {
      count: count + added,
      sinceMs: count === 0 ? this.#options.clock.monotonicMs() : sinceMs,
    };
  }

  /** Never rejects. */
  async #written(writes: readonly PreparedWrite[]): Promise<readonly WriteAnswer[]> {
    try {
      return (await this.#sent(writes)).map(answerOf);
    } catch (failure) {
      if (writes.length === 1) return [await this.#resolved(itemAt(writes, 0), failure)];
      // A part of the group may be committed, so each write is sent again alone; its key ensures that it has
      // its effect once.
      const answers: WriteAnswer[] = [];
      for (const write of writes) answers.push(...(await this.#written([write])));
      return answers;
    }
  }

  /**
   * Sends a group to the authority. Legacy checks its own fence in the transaction of the write, so this
   * process reads the fence again only after a refusal. Modern does not have legacy's fence, so it is read
   * before each write to modern.
   */
  async #sent(writes: readonly PreparedWrite[]): Promise<readonly StoreAnswer[]> {
    const seen = this.#seen;
    const { store, epoch } = seen ?? (await this.#authority());
    const isWanted = store.side === this.#options.direction()?.authority;
    const answers = await store.call("write", {
      writes: writes.map((write) => ({ ...write, rows: write.rows.map((row) => row[store.side]) })),
      epoch: isWanted ? epoch : noEpoch,
      nowMs: this.#options.clock.nowMs(),
    });
    const isMoved = answers.some((answer) => answer.kind === "refused" && answer.code === "DRAINING");
    this.#seen = store.side === "legacy" && !isMoved ? { store, epoch } : undefined;
    return isMoved && seen !== undefined ? this.#sent(writes) : answers;
  }

  /** Returns the outcome of a write after a failure: asks on a new connection whether the write is stored. */
  async #resolved({ idempotencyKey }: PreparedWrite, failure: unknown): Promise<WriteAnswer> {
    const unresolved = { kind: "unresolved", because: messageOf(failure) } as const;
    // A server that was lost during a commit may still finish it, so its present answer proves nothing.
    if (codeOf(failure) === "SYSTEM_DOWN") return unresolved;
    try {
      const { store } = await this.#authority();
      const version = await store.call("known", { idempotencyKey });
      if (version !== null) return { kind: "acknowledged", version, mirror: "pending" };
      return { kind: "refused", code: codeOf(failure), because: messageOf(failure) };
    } catch {
      return unresolved;
    }
  }
}

const isKey = (key: unknown): boolean =>
  typeof key === "string" && key.length > 0 && key.length <= 200 && storable(key) === key;

const answerOf = (answer: StoreAnswer): WriteAnswer =>
  answer.kind === "refused" ? answer : { ...answer, mirror: "pending" };
