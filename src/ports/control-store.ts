import type { Phase } from "../domain/migration/phase.ts";
import type { MigrationMode } from "../domain/migration/plan.ts";
import type { Ramp } from "../domain/migration/record-columns.ts";
import type { JsonValue } from "./system.ts";

/**
 * The store of the record that the whole fleet follows, of the fleet's processes, and of the audit. One
 * contract suite tests every adapter (src/testing/control-store-contract.ts). Every method rejects with a
 * BridgeError (SYSTEM_DOWN, DATABASE_BUSY, BAD_DATABASE or UNWRITABLE) and ends within the adapter's deadline
 * (default 5 s).
 *
 * Data that changes seldom (the record, the audit, sign-offs) is separate from data that changes often
 * (instances, seals): on SQLite they are in two files, so that an operator's SQL statement never waits for
 * the lock of a heartbeat.
 */
export interface ControlStore {
  /** The address of the store for people, without a password. */
  readonly where: string;

  /** Reads the record consistently. A new store has epoch 1, phase `read_only` granted, and nothing else. */
  read(): Promise<ControlRecord>;
  /**
   * Calls `changed` soon after any change, including one by this handle, and when the store is reachable
   * again after a failure; it may also call without a change. Returns a function that ends the watch. Never
   * throws; keeps trying while the store is down.
   */
  watch(changed: () => void): () => void;
  /**
   * Changes the record and adds the audit row, under the next epoch and in one transaction. Resolves with the
   * new record, or with `null` and without a change if the record is no longer at `expectedEpoch`.
   */
  change(change: ControlChange): Promise<ControlRecord | null>;

  /** Adds an audit row without changing the plan, for example for a refused move or a drill. */
  note(note: AuditNote): Promise<void>;
  signOff(signOff: SignOffGiven): Promise<void>;
  /** Returns all sign-offs that have not expired, oldest first. */
  signOffs(): Promise<readonly SignOff[]>;

  /**
   * Returns audit rows with a seq greater than `after`, in order, at most `limit`. Numbers begin at 1 and
   * have no gaps.
   */
  audit(after: number, limit: number): Promise<readonly AuditRow[]>;
  /** Returns seals with a seq greater than `after`, in order, at most `limit`. */
  seals(after: number, limit: number): Promise<readonly AuditSeal[]>;
  /**
   * Adds seals, which must follow the last one. Resolves with `false`, and adds none, if another process was
   * faster.
   */
  seal(seals: readonly AuditSeal[]): Promise<boolean>;

  /** Adds the process to the fleet, or renews its heartbeat and report. Times come from the store's clock. */
  heartbeat(instance: InstanceReport): Promise<void>;
  instances(): Promise<readonly Instance[]>;
  /** Removes a process that ends, or that somebody found to be gone. */
  leave(id: string): Promise<void>;

  close(): Promise<void>;
}

/** The single row that determines the plan; `domain/migration/record-columns.ts` lists its columns. */
export interface ControlRecord {
  /** Grows by one with every change. */
  readonly epoch: number;
  readonly overrides: Overrides;
  /** The `migration:` section that the fleet follows; null until one is published. */
  readonly published: Published | null;
  /**
   * The last phase for which a verdict of the gates is recorded. A request for a later phase is held; a
   * request for an earlier one makes the store lower this value.
   */
  readonly grantedPhase: Phase;
  /** The epoch of the last change of `grantedPhase`; earlier sign-offs no longer count. */
  readonly grantedEpoch: number;
  /**
   * The reason for which a trigger took modern out of use; null if no trigger has done so since a person last
   * cleared it.
   */
  readonly latched: string | null;
  /** The running ramp: a stepwise change of the percentage that continues by itself. */
  readonly ramp: Ramp | null;
  readonly legacyWindow: "open" | "closed";
  /** Raised by `DELETE FROM new_pnl_cache`; cached answers of modern with a lower generation are void. */
  readonly cacheGeneration: number;
  /** ISO 8601, from the store's clock. */
  readonly updatedAt: string;
  readonly updatedBy: string;
}

/** The operator's columns; null means that the published section decides. */
export interface Overrides {
  readonly useNewPnlSystem: boolean | null;
  readonly migrationMode: MigrationMode | null;
  readonly phase: Phase | null;
  /** 0 to 100, three decimals. */
  readonly newSystemPercentage: number | null;
  readonly userWhitelist: readonly string[] | null;
  readonly userDenylist: readonly string[] | null;
}

export interface Published {
  /** The section as canonical JSON. */
  readonly text: string;
  /** SHA-256 of `text`, hexadecimal. */
  readonly hash: string;
  /** The phase in the section; the store lowers `grantedPhase` to it. */
  readonly phase: Phase;
}

export interface ControlChange extends AuditNote {
  /** The new values; columns that are not named stay the same. */
  readonly set: Partial<Overrides> & {
    readonly published?: Published;
    readonly grantedPhase?: Phase;
    readonly latched?: string | null;
    readonly ramp?: Ramp | null;
    readonly legacyWindow?: "open" | "closed";
    readonly voidCache?: true;
  };
  /** The epoch that the record must have; omitted if any epoch will do, as for moves towards legacy. */
  readonly expectedEpoch?: number;
}

export interface AuditNote {
  readonly actor: string;
  /**
   * `phase`, `traffic`, `whitelist`, `denylist`, `rollback`, `trigger`, `publish`, `grant`, `sign-off`,
   * `drill`, `accept-cause`, `refused`, …; only the store itself writes `sql`.
   */
  readonly action: string;
  readonly reason: string;
  /** The basis of the decision: verdicts of gates, numbers of a signal. */
  readonly evidence?: JsonValue;
}

export interface AuditRow {
  readonly seq: number;
  /** ISO 8601, from the store's clock. */
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly reason: string;
  /** The epoch of the record after the change. */
  readonly epoch: number;
  /** The record's columns before and after, as JSON text; null if the plan did not change. */
  readonly before: string | null;
  readonly after: string | null;
  /** JSON text, or null. */
  readonly evidence: string | null;
}

/** The place of an audit row in the hash chain (src/control/audit-chain.ts). */
export interface AuditSeal {
  readonly seq: number;
  /** The hash of the row before; 64 zeros for the first. */
  readonly previousHash: string;
  readonly hash: string;
}

export interface SignOffGiven {
  readonly gate: string;
  /** The phase that is signed off. */
  readonly phase: Phase;
  readonly actor: string;
  readonly note: string;
  readonly expiresAfterMs: number;
}

export interface SignOff extends Omit<SignOffGiven, "expiresAfterMs"> {
  readonly at: string;
  readonly expiresAt: string;
  /** The record's `grantedEpoch` at the time of the sign-off, which counts only while that is unchanged. */
  readonly grantedEpoch: number;
}

export interface InstanceReport {
  /** Unique for each start of a process. */
  readonly id: string;
  /** A name for people: host, program, process id. */
  readonly name: string;
  /** Every new call uses this epoch or a later one. */
  readonly seenEpoch: number;
  /** No call of an earlier epoch still runs. */
  readonly drainedEpoch: number;
  /** Further facts about the process: freshness, drift, counters, memory. */
  readonly report: JsonValue;
}

export interface Instance extends InstanceReport {
  readonly startedAt: string;
  /** Time since its last heartbeat, by the store's clock. */
  readonly ageMs: number;
  /** Grows by one with each heartbeat, so that an observer without a clock sees that the process is alive. */
  readonly beats: number;
}
