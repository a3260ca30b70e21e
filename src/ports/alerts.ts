import type { JsonValue } from "./system.ts";

/** An event that a person must learn about. */
export interface Alert {
  /** `rollback`, `trigger`, `sql_change` or `divergence`. */
  readonly kind: string;
  readonly title: string;
  readonly details: JsonValue;
}

/** Sends alerts. Never throws and never blocks: failed deliveries are retried for a while, then counted. */
export interface AlertSink {
  send(alert: Alert): void;
  /**
   * Resolves when every alert is delivered or given up, at the latest after `withinMs`, with the number of
   * alerts that are not delivered.
   */
  settled(withinMs: number): Promise<number>;
}
