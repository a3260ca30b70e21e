import type { ControlRecord } from "./control-store.ts";

/** The last record that a process obeyed, on its own disk: what it goes by while the store is away. */
export interface PlanSnapshot {
  readonly record: ControlRecord;
  /** The head of the audit chain as this process knew it: shows that a tail was cut off. */
  readonly auditHead: { readonly seq: number; readonly hash: string };
  /** ISO 8601. */
  readonly savedAt: string;
}

export interface PlanSnapshots {
  /** On disk when it resolves; replaces what this process saved before, whole or not at all. */
  save(snapshot: PlanSnapshot): Promise<void>;
  /** The one of the highest epoch that any process left here, and what was found that is not to be trusted. Never throws. */
  latest(): Promise<{
    readonly snapshot: PlanSnapshot | undefined;
    readonly refused: readonly { readonly file: string; readonly why: string }[];
  }>;
}

/** A file whose being there is the kill switch of every process beside it, for when even the store is down. */
export interface SwitchFile {
  readonly path: string;
  /** Never throws: a switch that cannot be read counts as not set, unless it was. */
  isSet(): Promise<boolean>;
  /** On disk when it resolves. */
  set(reason: string, actor: string): Promise<void>;
}
