import type { ControlRecord } from "./control-store.ts";

/**
 * The last control record that a process obeyed, on its own disk. The process obeys it while the store is
 * unreachable.
 */
export interface PlanSnapshot {
  readonly record: ControlRecord;
  /** The last known head of the audit chain; it shows if the newest rows of the audit were removed. */
  readonly auditHead: { readonly seq: number; readonly hash: string };
  /** ISO 8601. */
  readonly savedAt: string;
}

export interface PlanSnapshots {
  /** Replaces the snapshot of this process atomically. It is on disk when the promise resolves. */
  save(snapshot: PlanSnapshot): Promise<void>;
  /**
   * Returns the snapshot with the highest epoch of all processes with the same folder, and the files that
   * cannot be trusted. Never throws.
   */
  latest(): Promise<{
    readonly snapshot: PlanSnapshot | undefined;
    readonly refused: readonly { readonly file: string; readonly why: string }[];
  }>;
}

/**
 * A file whose existence is the kill switch of every process whose own files are in the same folder. It works
 * even while the store is down.
 */
export interface SwitchFile {
  readonly path: string;
  /** Never throws: a switch that cannot be read keeps its last known state, which is at first "not set". */
  isSet(): Promise<boolean>;
  /** Sets the switch; it is on disk when the promise resolves. */
  set(reason: string, actor: string): Promise<void>;
}
