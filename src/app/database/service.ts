/** The database bridge in a process that must start and continue even if the databases fail. */
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError, messageOf } from "../../base/errors.ts";
import { oneAtATime } from "../../base/one-at-a-time.ts";
import type { WriteAnswer, WriteOptions } from "../../bridges/database/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import type { Answered, DataAuthority } from "../../ports/data-authority.ts";
import type { BridgeRecord } from "../../ports/records.ts";
import { answeredBy, lackingInLegacy, waitingRows } from "./authority.ts";
import { directionOf, type OpenedDatabase, openDatabase, type PairEvent } from "./open.ts";
import { looking, type PairSettings, withPair } from "./pair.ts";
import { type QuarantineEntry, settleRow } from "./quarantine.ts";
import { type DatabaseStatus, databaseStatus } from "./status.ts";

export type DatabaseEvent = PairEvent | { readonly kind: "unopened"; readonly why: string };

interface ServiceOptions {
  readonly settings: PairSettings;
  readonly plan: () => MigrationPlan;
  /** Whether the plan is certainly the one in force. Default: always. */
  readonly isFresh?: () => boolean;
  readonly onEvent?: (event: DatabaseEvent) => void;
}

const openAgainMs = 1_000;
/** The time between two reads of the status. */
const lookMs = 1_000;

/**
 * Opens the pair in the background and tries again each second. Until it is open, writes are refused, and
 * legacy counts as behind if modern is authoritative.
 */
export class DatabaseService implements DataAuthority {
  readonly #options: ServiceOptions;
  readonly #sinceMs = systemClock.monotonicMs();
  #opened: OpenedDatabase | undefined;
  #opening: Promise<void>;
  #why = "it is being opened";
  /** Whether modern was authoritative when the pair could not be opened. */
  #isBehind = false;
  #isClosed = false;
  #latest: DatabaseStatus | undefined;
  #stopTimer = (): void => {};

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#opening = this.#open();
  }

  /** Resolves after the first attempt to open the pair, whether it succeeded or not. */
  get started(): Promise<void> {
    return this.#opening;
  }

  /** Rejects with CLOSED after `close`, and never before. */
  async write(records: readonly BridgeRecord[], options: WriteOptions): Promise<WriteAnswer> {
    if (this.#isClosed) throw new BridgeError("CLOSED", { what: "the database bridge is closed" });
    return (
      this.#opened?.bridge.write(records, options) ?? {
        kind: "refused",
        code: "SYSTEM_DOWN",
        because: `the databases are not open: ${this.#why}`,
      }
    );
  }

  /**
   * Returns the writes owed to legacy: those that were last read from the store, plus this process's writes
   * since then. Never waits. Until the pair is open, it reports one owed write if modern is or should be
   * authoritative, else none.
   */
  owed(): { readonly count: number; readonly oldestMs: number } {
    if (this.#opened !== undefined) return this.#opened.bridge.owedToLegacy();
    return this.#isBehind || directionOf(this.#options.plan())?.authority === "modern"
      ? { count: 1, oldestMs: Math.round(systemClock.monotonicMs() - this.#sinceMs) }
      : { count: 0, oldestMs: 0 };
  }

  /** Rejects with SYSTEM_DOWN until the pair is open. */
  status(): Promise<DatabaseStatus> {
    const plan = this.#options.plan();
    const { pair, olderCopy } = this.#mustBeOpen();
    return databaseStatus(pair, {
      direction: directionOf(plan),
      mode: plan.migrationMode,
      olderCopy,
    });
  }

  /** The status that was read last; undefined while it is not known. */
  get latest(): DatabaseStatus | undefined {
    return this.#latest;
  }

  async drain(options: { readonly timeoutMs: number }): Promise<{ drained: boolean; owed: number }> {
    return this.#mustBeOpen().bridge.drain(options);
  }

  async owedToLegacy(): Promise<{ readonly count: number; readonly oldestMs: number }> {
    const { pair, olderCopy } = this.#mustBeOpen();
    return lackingInLegacy(pair, olderCopy());
  }

  async quarantined(): Promise<number> {
    return waitingRows(this.#mustBeOpen().pair);
  }

  /** Returns the rows that wait for a person, of both stores, at most `limit` of each. */
  async waiting(limit: number): Promise<readonly QuarantineEntry[]> {
    const { modern, legacy } = this.#mustBeOpen().pair;
    const asked = [modern, legacy].map((store) => store.call("quarantine", { after: null, limit }));
    return (await Promise.all(asked)).flat();
  }

  /** Accepts a row that waits for a person as it is. Returns whether it was waiting. */
  settle(row: Pick<QuarantineEntry, "table" | "key">): Promise<boolean> {
    return settleRow(this.#mustBeOpen().pair, row);
  }

  async ready(side: Side): Promise<Answered> {
    return this.#mustBeOpen().ready(side);
  }

  async move(side: Side): Promise<Answered> {
    return answeredBy(await this.#mustBeOpen().cutover(side), side);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer();
    await this.#opening;
    await this.#opened?.close();
  }

  #mustBeOpen(): OpenedDatabase {
    if (this.#opened !== undefined) return this.#opened;
    throw new BridgeError("SYSTEM_DOWN", { what: `the databases are not open: ${this.#why}` });
  }

  async #open(): Promise<void> {
    const { settings, plan, isFresh, onEvent = () => {} } = this.#options;
    const direction = () => directionOf(plan());
    try {
      this.#opened = await openDatabase(settings, {
        direction,
        writes: true,
        onEvent,
        ...(isFresh && { isFresh }),
      });
      const look = oneAtATime(async () => {
        this.#latest = await this.status().catch(() => undefined);
      });
      await look();
      this.#stopTimer = systemClock.every(lookMs, () => void look());
    } catch (failure) {
      this.#why = messageOf(failure);
      this.#isBehind = await withPair(settings, looking, ({ legacy }) => legacy.call("fence", null)).then(
        ({ authority }) => authority === "modern",
        () => this.#isBehind,
      );
      onEvent({ kind: "unopened", why: this.#why });
      if (this.#isClosed) return;
      const stop = systemClock.every(openAgainMs, () => {
        stop();
        this.#opening = this.#open();
      });
      this.#stopTimer = stop;
    }
  }
}
