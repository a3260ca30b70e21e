import { fingerprint } from "../../domain/fingerprint.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ComparisonRecord, EvidenceStore } from "../../ports/evidence.ts";
import type { ComparisonDraft } from "./call-runner.ts";

export interface EvidenceBufferOptions {
  /** Comparisons that wait to be written; beyond them new ones are dropped and counted. Default 10 000. */
  readonly waitingMax: number;
  /** Default 250. */
  readonly flushMs: number;
}

export const evidenceBufferDefaults: EvidenceBufferOptions = Object.freeze({ waitingMax: 10_000, flushMs: 250 });

/**
 * Between the calls and the store: takes comparisons without waiting, writes them in batches. A store that fails is tried again with
 * the next batch; what does not fit any longer is dropped and counted, never a call delayed.
 */
export class EvidenceBuffer {
  readonly #store: EvidenceStore;
  readonly #options: EvidenceBufferOptions;
  readonly #stop: () => void;
  #waiting: ComparisonDraft[] = [];
  #writing: Promise<void> | undefined;
  /** Comparisons that were not kept. */
  dropped = 0;
  /** Batches that the store refused. */
  failures = 0;

  constructor(store: EvidenceStore, clock: Clock, options: EvidenceBufferOptions = evidenceBufferDefaults) {
    this.#store = store;
    this.#options = options;
    this.#stop = clock.every(options.flushMs, () => void this.#write());
  }

  keep(draft: ComparisonDraft): void {
    if (this.#waiting.length >= this.#options.waitingMax) this.dropped += 1;
    else this.#waiting.push(draft);
  }

  /** Writes what waits. What the store still refuses is dropped, since nobody comes after. */
  async close(): Promise<void> {
    this.#stop();
    await this.#write();
    await this.#write();
    this.dropped += this.#waiting.length;
    this.#waiting = [];
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeBatch().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeBatch(): Promise<void> {
    const batch = this.#waiting;
    if (batch.length === 0) return;
    this.#waiting = [];
    try {
      await this.#store.append(batch.map(recordOf));
    } catch {
      this.failures += 1;
      const room = this.#options.waitingMax - this.#waiting.length;
      this.dropped += Math.max(0, batch.length - room);
      this.#waiting = [...batch.slice(0, Math.max(0, room)), ...this.#waiting];
    }
  }
}

function recordOf({ input, ...draft }: ComparisonDraft): ComparisonRecord {
  return { ...draft, fingerprint: fingerprint(textOf(input)) };
}

/** Requests that cannot be written as JSON have one fingerprint: they are never told apart, which counts too few and not too many. */
function textOf(input: readonly unknown[]): string {
  try {
    return JSON.stringify(input, (_, value) => (typeof value === "bigint" ? `${value}n` : value)) ?? "";
  } catch {
    return "";
  }
}
