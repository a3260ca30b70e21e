import type { ControlRecord } from "./control-store.ts";

/**
 * The last record that a process obeyed, on its own disk; it follows this record while the store is
 * unreachable.
 */
export interface PlanSnapshot {
  readonly record: ControlRecord;
  /** The last known head of the audit chain; it reveals a removed tail. */
  readonly auditHead: { readonly seq: number; readonly hash: string };
  /** ISO 8601. */
  readonly savedAt: string;
}

export interface PlanSnapshots {
  /** Replaces the snapshot of this process atomically. It is on disk when the promise resolves. */
  save(snapshot: PlanSnapshot): Promise<void>;
  /**
   * The snapshot with the highest epoch of any process here, and the files that cannot be trusted. Never
   * throws.
   */
  latest(): Promise<{
    readonly snapshot: PlanSnapshot | undefined;
    readonly refused: readonly { readonly file: string; readonly why: string }[];
  }>;
}

/**
 * A file whose existence is the kill switch of every process whose state is in its folder. It works even
 * while the store is down.
 */
export interface SwitchFile {
  readonly path: string;
  /** Never throws: a switch that cannot be read keeps its last known state, which is at first "not set". */
  isSet(): Promise<boolean>;
  /** Sets the switch; it is on disk when the promise resolves. */
  set(reason: string, actor: string): Promise<void>;
}
