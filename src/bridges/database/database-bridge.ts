import { backOffMs } from "../../base/back-off.ts";
import { BridgeError, messageOf } from "../../base/errors.ts";
import { oneAtATime } from "../../base/one-at-a-time.ts";
import { pause } from "../../base/pause.ts";
import { at as itemAt } from "../../base/present.ts";
import { storable } from "../../base/storable-text.ts";
import { otherSide, type Side } from "../../domain/migration/phase.ts";
import type { Clock } from "../../ports/clock.ts";
import type {
  MirrorWrite,
  OutboxEntry,
  RecordStore,
  RowChange,
  RowWrite,
  StoreAnswer,
} from "../../ports/record-store.ts";
import type { BridgeRecord } from "../../ports/records.ts";
import { toLegacy } from "./legacy-rows.ts";
import { toModern } from "./modern-rows.ts";
import { type IntakeTools, type Row, takeRecords } from "./record-intake.ts";

export interface DatabaseBridgeOptions {
  readonly stores: Readonly<Record<Side, RecordStore>>;
  readonly tools: IntakeTools;
  readonly clock: Clock;
  /** From 0 up to, and without, 1: scatters the relay's pauses. */
  readonly draw: () => number;
  readonly onEvent?: (event: DatabaseEvent) => void;
}

export type DatabaseEvent =
  | { readonly kind: "relay_failed"; readonly why: string; readonly failures: number }
  | { readonly kind: "parked"; readonly seq: number; readonly code: string; readonly why: string };

export type WriteAnswer =
  | { readonly kind: "acknowledged"; readonly version: number; readonly mirror: "pending" | "applied" }
  | { readonly kind: "refused"; readonly code: string; readonly because: string }
  /** The commit's outcome is unknown. The same write under the same key may be sent again, and resolves it. */
  | { readonly kind: "unresolved"; readonly because: string };

/** A write as each store takes it. */
interface PreparedWrite {
  readonly idempotencyKey: string;
  readonly digest: string;
  readonly rows: Readonly<Record<Side, readonly RowWrite[]>>;
}

interface Refusal {
  readonly code: string;
  readonly because: string;
}

interface Waiting {
  readonly write: PreparedWrite;
  readonly settle: (answer: WriteAnswer) => void;
}

/** Writes that share one commit at most; entries that the relay carries at a time. */
const groupMax = 64;
const relayMax = 200;
const relayPauses = { firstMs: 50, lastMs: 5_000 };
const sides: readonly Side[] = ["legacy", "modern"];
const mapped: Readonly<Record<Side, (row: Row) => RowChange | Refusal>> = {
  legacy: (row) => {
    const legacy = toLegacy(row);
    return "change" in legacy ? legacy.change : legacy;
  },
  modern: toModern,
};

/**
 * Writes records to the authoritative store and carries each acknowledged write to the other one.
 *
 * A write is one transaction in the authoritative store: rows, idempotency key, versions and one outbox entry. Writes that
 * come while a commit is under way share the next one. The relay applies whole writes in their order; a write that was
 * applied twice has its effect once. Both stores must be able to hold a record, else it is refused before it is written.
 */
export class DatabaseBridge {
  readonly #options: DatabaseBridgeOptions;
  readonly #waiting: Waiting[] = [];
  readonly #commit: () => Promise<void>;
  readonly #relay: () => Promise<void>;
  #failures = 0;
  #stopTimer = (): void => {};
  #isClosed = false;

  constructor(options: DatabaseBridgeOptions) {
    this.#options = options;
    this.#commit = oneAtATime(() => this.#commitWaiting());
    this.#relay = oneAtATime(() => this.#relayPending());
    void this.#relay();
  }

  /** Never rejects before `close`; afterwards it throws CLOSED. A refused write is in neither store. */
  async write(
    records: readonly BridgeRecord[],
    { idempotencyKey }: { readonly idempotencyKey: string },
  ): Promise<WriteAnswer> {
    if (this.#isClosed) throw new BridgeError("CLOSED", { what: "the database bridge is closed" });
    if (!isKey(idempotencyKey))
      return {
        kind: "refused",
        code: "BAD_RECORD",
        because: "an idempotency key must be 1 to 200 well-formed characters without NUL",
      };
    const taken = takeRecords(records, this.#options.tools);
    if ("refusal" in taken) return { kind: "refused", ...taken.refusal };
    const write = this.#prepared(taken.rows, idempotencyKey);
    if ("code" in write) return { kind: "refused", ...write };
    return new Promise((settle) => {
      this.#waiting.push({ write, settle });
      void this.#commit();
    });
  }

  /** Waits until the other store has every acknowledged write, or the time is over. */
  async drain({
    timeoutMs,
  }: {
    readonly timeoutMs: number;
  }): Promise<{ readonly drained: boolean; readonly owed: number }> {
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      const { count } = await (await this.#authority()).store.owed();
      if (count === 0) return { drained: true, owed: 0 };
      if (clock.monotonicMs() >= endMs) return { drained: false, owed: count };
      await this.#relay();
      await pause(clock, 10);
    }
  }

  /** Ends the relay and closes both stores. What the other store lacks stays in the outbox. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopTimer();
    await this.#commit();
    await this.#relay();
    await Promise.all(Object.values(this.#options.stores).map((store) => store.close()));
  }

  async #authority(): Promise<{
    readonly store: RecordStore;
    readonly mirror: RecordStore;
    readonly epoch: number;
  }> {
    const { stores } = this.#options;
    const { authority, epoch } = await stores.legacy.fence();
    return { store: stores[authority], mirror: stores[otherSide(authority)], epoch };
  }

  /** The write as both stores take it; a refusal where one of them cannot hold it. */
  #prepared(rows: readonly Row[], idempotencyKey: string): PreparedWrite | Refusal {
    const taken: Record<Side, RowWrite[]> = { legacy: [], modern: [] };
    for (const row of rows) {
      const common = { aggregate: row.aggregate, isFinal: row.kind === "trade", image: JSON.stringify(row) };
      for (const side of sides) {
        const change = mapped[side](row);
        if ("code" in change) return change;
        taken[side].push({ ...common, change });
      }
    }
    const digest = this.#options.tools.digest(
      JSON.stringify(rows.map(({ aggregate, values }) => [aggregate, values])),
    );
    return { idempotencyKey, digest, rows: taken };
  }

  async #commitWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, groupMax);
      try {
        const { store, epoch } = await this.#authority();
        const answers = await store.write(
          group.map(({ write }) => ({ ...write, rows: write.rows[store.side] })),
          epoch,
        );
        for (const [at, { settle }] of group.entries()) settle(answerOf(itemAt(answers, at)));
        void this.#relay();
      } catch (failure) {
        // Some writes of the group may be committed all the same; each is resolved under its own key.
        for (const { settle } of group) settle({ kind: "unresolved", because: messageOf(failure) });
      }
    }
  }

  async #relayPending(): Promise<void> {
    try {
      for (;;) {
        const { store, mirror } = await this.#authority();
        const entries = await store.pending(relayMax);
        if (entries.length === 0) break;
        const answers = await mirror.apply(entries.map((entry) => mirrorWriteOf(entry, mirror.side)));
        for (const [at, answer] of answers.entries()) {
          const { seq } = itemAt(entries, at);
          if (answer.kind === "applied") continue;
          await store.park(seq, answer.code, answer.because);
          this.#options.onEvent?.({ kind: "parked", seq, code: answer.code, why: answer.because });
        }
        await store.confirm(
          entries.flatMap(({ seq }, at) => (itemAt(answers, at).kind === "applied" ? [seq] : [])),
        );
      }
      this.#failures = 0;
    } catch (failure) {
      this.#failures += 1;
      this.#options.onEvent?.({ kind: "relay_failed", why: messageOf(failure), failures: this.#failures });
      if (!this.#isClosed) this.#relayLater(backOffMs(relayPauses, this.#failures, this.#options.draw()));
    }
  }

  #relayLater(afterMs: number): void {
    this.#stopTimer();
    this.#stopTimer = this.#options.clock.every(afterMs, () => {
      this.#stopTimer();
      void this.#relay();
    });
  }
}

const isKey = (key: unknown): boolean =>
  typeof key === "string" && key.length > 0 && key.length <= 200 && storable(key) === key;

const answerOf = (answer: StoreAnswer): WriteAnswer =>
  answer.kind === "refused" ? answer : { ...answer, mirror: "pending" };

function mirrorWriteOf({ seq, rows }: OutboxEntry, side: Side): MirrorWrite {
  return {
    seq,
    rows: rows.map(({ aggregate, version, image }) => {
      const change = mapped[side](JSON.parse(image));
      // It was mapped before it was written, so only another release of this program can refuse it now.
      if ("code" in change) throw new BridgeError("INTERNAL", { what: `${aggregate}: ${change.because}` });
      return { aggregate, version, change };
    }),
  };
}
