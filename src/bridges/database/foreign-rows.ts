import { messageOf } from "../../base/errors.ts";
import { oneAtATime } from "../../base/one-at-a-time.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Backfill, BackfillReport } from "./backfill.ts";

export interface ForeignRowsOptions {
  readonly backfill: Pick<Backfill, "run">;
  readonly clock: Clock;
  /** Whether other processes may write to legacy beside the bridge in the present phase. */
  readonly isWanted: () => boolean;
  /** The time between two searches for new rows. */
  readonly everyMs: number;
  /** The time between two comparisons of all rows, which find changed and deleted ones. */
  readonly compareEveryMs: number;
  readonly onEvent: (event: ForeignRowsEvent) => void;
}

export type ForeignRowsEvent =
  | ({ readonly kind: "looked" } & BackfillReport)
  | { readonly kind: "look_failed"; readonly why: string };

/**
 * Searches legacy for rows of other processes while both stores are in use. New rows are copied into modern.
 * Changed and deleted rows, and rows in whose place modern has a different row, wait for a person. A row that
 * the bridge wrote itself has a version in legacy, so it never counts as a foreign row. The search begins
 * after the backfill is complete.
 */
export class ForeignRows {
  readonly #options: ForeignRowsOptions;
  readonly #run: () => Promise<void>;
  readonly #end = new AbortController();
  readonly #stopTimer: () => void;
  #comparedMs: number;

  constructor(options: ForeignRowsOptions) {
    this.#options = options;
    this.#comparedMs = options.clock.monotonicMs();
    this.#run = oneAtATime(() => this.#look());
    this.#stopTimer = options.clock.every(options.everyMs, () => void this.#run());
  }

  /** Ends after the chunk that is under way. */
  async end(): Promise<void> {
    this.#stopTimer();
    this.#end.abort();
    await this.#run();
  }

  async #look(): Promise<void> {
    const { backfill, clock, isWanted, compareEveryMs, onEvent } = this.#options;
    const { signal } = this.#end;
    if (!isWanted() || signal.aborted) return;
    const isDue = clock.monotonicMs() - this.#comparedMs >= compareEveryMs;
    try {
      const report = await backfill.run({ pass: "new_rows", signal });
      if (Object.keys(report.tables).length > 0) onEvent({ kind: "looked", ...report });
      if (!isDue || signal.aborted) return;
      const compared = await backfill.run({ pass: "all_rows", signal });
      if (compared.finished) this.#comparedMs = clock.monotonicMs();
      onEvent({ kind: "looked", ...compared });
    } catch (failure) {
      onEvent({ kind: "look_failed", why: messageOf(failure) });
    }
  }
}
