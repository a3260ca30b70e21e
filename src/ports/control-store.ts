import type { Phase } from "../domain/migration/phase.ts";
import type { MigrationMode } from "../domain/migration/plan.ts";
import type { Ramp } from "../domain/migration/record-columns.ts";
import type { JsonValue } from "./system.ts";

/**
 * What the whole fleet goes by, who is in it, and who changed what. One contract suite for every adapter
 * (src/testing/control-store-contract.ts). Everything rejects with a BridgeError: SYSTEM_DOWN, DATABASE_BUSY, BAD_DATABASE or
 * UNWRITABLE; nothing waits longer than the adapter's deadline (default 5 s).
 *
 * What changes seldom (the record, the audit, sign-offs) is apart from what changes often (instances, seals): on SQLite in another
 * file, so that an operator's raw statement never meets a lock of a process that merely lives.
 */
export interface ControlStore {
  /** For people: without a password. */
  readonly where: string;

  /** The record, in one consistent reading. A new store has epoch 1, phase `read_only` granted, and nothing else. */
  read(): Promise<ControlRecord>;
  /**
   * Calls back soon after a change by anybody, this handle included, perhaps also without one; and again after it could not look for
   * a while. Returns what ends it. Never throws; while the store is down it goes on trying.
   */
  watch(changed: () => void): () => void;
  /**
   * Changes the record under the next epoch, with its audit row, in one transaction. Resolves with the record as it was then written.
   * `null` where the record has moved on from `expectedEpoch`: nothing was changed then.
   */
  change(change: ControlChange): Promise<ControlRecord | null>;

  /** Adds an audit row that changes no plan: a refused move, a drill. */
  note(note: AuditNote): Promise<void>;
  signOff(signOff: SignOffGiven): Promise<void>;
  /** All that have not expired, oldest first. */
  signOffs(): Promise<readonly SignOff[]>;

  /** From seq `after` on, in order, at most `limit`. Numbers begin at 1 and have no gaps. */
  audit(after: number, limit: number): Promise<readonly AuditRow[]>;
  /** In order of seq; those after `after`, at most `limit`. */
  seals(after: number, limit: number): Promise<readonly AuditSeal[]>;
  /** Adds seals, which must follow the last one; `false` where somebody else was faster: nothing was added then. */
  seal(seals: readonly AuditSeal[]): Promise<boolean>;

  /** Adds the process to the fleet, or says that it lives and what it has seen. Times are the store's. */
  heartbeat(instance: InstanceReport): Promise<void>;
  instances(): Promise<readonly Instance[]>;
  /** A process that ends by itself; also removes what somebody found to be gone. */
  leave(id: string): Promise<void>;

  close(): Promise<void>;
}

/** The one row that everything is decided from; its columns are listed in `domain/migration/record-columns.ts`. */
export interface ControlRecord {
  /** Grows by one with every change, by whomever. */
  readonly epoch: number;
  readonly overrides: Overrides;
  /** The `migration:` section that the fleet goes by; null until one was published. */
  readonly published: Published | null;
  /** The last phase whose gates' verdict was recorded: a later one that is asked for is held. Lowered by the store itself when an earlier one is asked for. */
  readonly grantedPhase: Phase;
  /** The epoch under which `grantedPhase` last changed: sign-offs of before count no more. */
  readonly grantedEpoch: number;
  /** Why a trigger took modern out of use; null where none has since a person last cleared it. */
  readonly latched: string | null;
  /** A change of the percentage that goes on by itself. */
  readonly ramp: Ramp | null;
  readonly legacyWindow: "open" | "closed";
  /** Raised by `DELETE FROM new_pnl_cache`: cached answers of modern with a lower one are void. */
  readonly cacheGeneration: number;
  /** ISO 8601, the store's time. */
  readonly updatedAt: string;
  readonly updatedBy: string;
}

/** The operator's columns: null means that the published file decides. */
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
  /** The section as canonical JSON: the text that `hash` is of. */
  readonly text: string;
  /** SHA-256, hex. */
  readonly hash: string;
  /** The phase in it, by which the store lowers `grantedPhase`. */
  readonly phase: Phase;
}

export interface ControlChange extends AuditNote {
  /** What is not named stays. */
  readonly set: Partial<Overrides> & {
    readonly published?: Published;
    readonly grantedPhase?: Phase;
    readonly latched?: string | null;
    readonly ramp?: Ramp | null;
    readonly legacyWindow?: "open" | "closed";
    readonly voidCache?: true;
  };
  /** Omitted: whatever the record is. For going towards legacy. */
  readonly expectedEpoch?: number;
}

export interface AuditNote {
  readonly actor: string;
  /** `phase`, `traffic`, `whitelist`, `denylist`, `rollback`, `trigger`, `publish`, `grant`, `sign-off`, `drill`, `refused`, …; `sql` is the store's own. */
  readonly action: string;
  readonly reason: string;
  /** What it was decided from: gates' verdicts, a signal's numbers. */
  readonly evidence?: JsonValue;
}

export interface AuditRow {
  readonly seq: number;
  /** ISO 8601, the store's time. */
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly reason: string;
  /** That the record has after it. */
  readonly epoch: number;
  /** The record's columns before and after, as JSON text; null where it changed no plan. */
  readonly before: string | null;
  readonly after: string | null;
  /** JSON text, or null. */
  readonly evidence: string | null;
}

/** The row's place in the hash chain (src/control/audit-chain.ts). */
export interface AuditSeal {
  readonly seq: number;
  /** Of the row before; 64 zeros for the first. */
  readonly previousHash: string;
  readonly hash: string;
}

export interface SignOffGiven {
  readonly gate: string;
  /** The phase that it is for. */
  readonly phase: Phase;
  readonly actor: string;
  readonly note: string;
  readonly expiresAfterMs: number;
}

export interface SignOff extends Omit<SignOffGiven, "expiresAfterMs"> {
  readonly at: string;
  readonly expiresAt: string;
  /** `grantedEpoch` of the record when it was given: it counts only while that is the same. */
  readonly grantedEpoch: number;
}

export interface InstanceReport {
  /** Unlike any other's, of this start of the process. */
  readonly id: string;
  /** For people: host, program, process id. */
  readonly name: string;
  /** Every call that begins is under it, or a later one. */
  readonly seenEpoch: number;
  /** No call of an earlier one still runs. */
  readonly drainedEpoch: number;
  /** What else it says of itself: freshness, drift, counters, memory. */
  readonly report: JsonValue;
}

export interface Instance extends InstanceReport {
  readonly startedAt: string;
  /** Since its last heartbeat, by the store's clock. */
  readonly ageMs: number;
  /** Grows by one with each heartbeat: who watches it needs no clock to see that the process lives. */
  readonly beats: number;
}
