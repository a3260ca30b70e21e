import type { JsonValue } from "./system.ts";

/** Something that a person must hear of. */
export interface Alert {
  /** `rollback`, `trigger`, `sql_change`, `divergence`, `store_lost`, … */
  readonly kind: string;
  readonly title: string;
  readonly details: JsonValue;
}

/** Never throws, never waits: what cannot be delivered is tried again for a while, then counted. */
export interface AlertSink {
  send(alert: Alert): void;
  /** Resolves when all that was sent is delivered or given up, at the latest after so long; with how many were not delivered. */
  settled(withinMs: number): Promise<number>;
}
