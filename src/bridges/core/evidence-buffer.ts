import { fingerprint } from "../../base/fingerprint.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ComparisonRecord, EvidenceStore } from "../../ports/evidence.ts";
import type { ComparisonDraft } from "./call.ts";

interface EvidenceBufferOptions {
  /** The largest number of waiting comparisons; further ones are dropped and counted. Default 10 000. */
  readonly waitingMax: number;
  /** Default 250. */
  readonly flushMs: number;
  /** Comparisons in a batch. Preparing a batch blocks the event loop, so it must be small. Default 250. */
  readonly batchMax: number;
  /** The longest time that closing waits for the store. Default 10 000. */
  readonly closeMsMax: number;
}

const evidenceBufferDefaults: EvidenceBufferOptions = Object.freeze({
  waitingMax: 10_000,
  flushMs: 250,
  batchMax: 250,
  closeMsMax: 10_000,
});

/**
 * Takes comparisons from calls without waiting, and writes them to the evidence store in batches. A failed
 * batch is tried again. Comparisons beyond `waitingMax` are dropped and counted; a call is never delayed.
 */
export class EvidenceBuffer {
  readonly #store: EvidenceStore;
  readonly #options: EvidenceBufferOptions;
  readonly #clock: Clock;
  readonly #stop: () => void;
  #waiting: ComparisonDraft[] = [];
  #writing: Promise<void> | undefined;
  /** Comparisons that the store has received and not confirmed. */
  #unanswered = 0;
  #closed = false;
  /** Comparisons that were not kept. */
  dropped = 0;
  /** Batches that the store refused. */
  failures = 0;

  constructor(store: EvidenceStore, clock: Clock, options: Partial<EvidenceBufferOptions> = {}) {
    this.#store = store;
    this.#clock = clock;
    this.#options = { ...evidenceBufferDefaults, ...options };
    this.#stop = clock.every(this.#options.flushMs, () => void this.#write());
  }

  keep(draft: ComparisonDraft): void {
    if (this.#closed || this.#waiting.length >= this.#options.waitingMax) this.dropped += 1;
    else this.#waiting.push(draft);
  }

  /** Writes the waiting comparisons. Those that the store refuses again or confirms too late are dropped. */
  async close(): Promise<void> {
    this.#stop();
    const tooLate = Promise.withResolvers<void>();
    const stop = this.#clock.every(this.#options.closeMsMax, tooLate.resolve, true);
    // The first `#write` may be one that already runs. The second writes again what failed in the first.
    await Promise.race([this.#write().then(() => this.#write()), tooLate.promise]);
    stop();
    this.#closed = true;
    this.dropped += this.#waiting.length + this.#unanswered;
    this.#waiting = [];
    this.#unanswered = 0;
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeBatches().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeBatches(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#options.batchMax);
      this.#unanswered = batch.length;
      try {
        await this.#store.append(batch.map(recordOf));
      } catch {
        this.failures += 1;
        if (!this.#closed) this.#putBack(batch);
        return;
      } finally {
        this.#unanswered = 0;
      }
    }
  }

  #putBack(batch: readonly ComparisonDraft[]): void {
    const room = Math.max(0, this.#options.waitingMax - this.#waiting.length);
    this.dropped += Math.max(0, batch.length - room);
    this.#waiting.unshift(...batch.slice(0, room));
  }
}

function recordOf({ input, ...draft }: ComparisonDraft): ComparisonRecord {
  return { ...draft, fingerprint: fingerprint(textOf(input)) };
}

/**
 * Requests that JSON cannot express share one fingerprint, so the count of distinct requests is never too
 * high.
 */
function textOf(input: readonly unknown[]): string {
  try {
    // A replacer costs several times as much, and nearly no request needs one.
    return JSON.stringify(input) ?? "";
  } catch {
    return textWithBigints(input);
  }
}

function textWithBigints(input: readonly unknown[]): string {
  try {
    return JSON.stringify(input, (_, value) => (typeof value === "bigint" ? `${value}n` : value)) ?? "";
  } catch {
    return "";
  }
}
