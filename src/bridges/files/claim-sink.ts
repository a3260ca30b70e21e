import { backOffMs } from "../../base/back-off.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Claim, FileJournal, ReviewRow } from "../../ports/file-journal.ts";
import type { Sink } from "./file-watcher.ts";

export interface ClaimSinkOptions {
  readonly name: string;
  readonly journal: FileJournal;
  readonly clock: Clock;
  readonly draw: () => number;
  /** Whether the sink takes claims now; otherwise the claims wait. Default: always. */
  readonly isWanted?: () => boolean;
  readonly onEvent: (event: SinkEvent) => void;
}

export type SinkEvent =
  | { readonly kind: "sink_failed"; readonly sink: string; readonly why: string; readonly failures: number }
  /** A record that the stores refuse for its content, other than a new trade: a position, a price, … */
  | { readonly kind: "figure_refused"; readonly code: string; readonly why: string };

const claimsAtOnce = 16;
const pauses = { firstMs: 50, lastMs: 5_000 };

/** Carries claims in their order, records a receipt for each, and tries again after a failure. */
export abstract class ClaimSink implements Sink {
  readonly name: string;
  pending = 0;
  readonly #options: ClaimSinkOptions;
  /** Whether the journal deletes the records that it keeps for a claim when this sink gives its receipt. */
  protected readonly forgets: boolean = false;
  #failures = 0;
  #againMs = Number.NEGATIVE_INFINITY;

  constructor(options: ClaimSinkOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /**
   * Carries a claim. Returns the reason if it cannot be carried now, otherwise undefined. `later` are the
   * next claims.
   */
  protected abstract carry(claim: Claim, epoch: number, later: readonly Claim[]): Promise<string | undefined>;

  /** The part of a claim that a person must change in legacy. */
  protected legacyRows(_claim: Claim): readonly ReviewRow[] {
    return [];
  }

  async run(epoch: number, isEnding: () => boolean): Promise<void> {
    const { journal, clock, draw, onEvent, isWanted = () => true } = this.#options;
    if (!isWanted()) this.pending = 0;
    while (!isEnding() && isWanted() && clock.monotonicMs() >= this.#againMs) {
      const claims = await journal.call("claims", { sink: this.name, limit: claimsAtOnce });
      this.pending = claims.length;
      if (claims.length === 0) return;
      for (const [at, claim] of claims.entries()) {
        if (isEnding()) return;
        const failure = await this.carry(claim, epoch, claims.slice(at + 1));
        await journal.call("receipt", {
          ...{ epoch, sink: this.name, claim: claim.claim },
          ...(failure === undefined
            ? { forgets: this.forgets, legacyRows: this.legacyRows(claim) }
            : { failure }),
          nowMs: clock.nowMs(),
        });
        if (failure !== undefined) {
          this.#failures += 1;
          this.#againMs = clock.monotonicMs() + backOffMs(pauses, this.#failures, draw());
          onEvent({ kind: "sink_failed", sink: this.name, why: failure, failures: this.#failures });
          return;
        }
        this.#failures = 0;
        this.pending -= 1;
      }
    }
  }
}
