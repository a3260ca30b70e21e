import { fingerprint } from "../../base/fingerprint.ts";
import type { Clock } from "../../ports/clock.ts";
import {
  type EvidenceStore,
  type NewComparison,
  type RequestState,
  requestsPerDayDefault,
  requestTextMax,
} from "../../ports/evidence.ts";
import type { ComparisonDraft } from "./call.ts";
import type { EvidenceTally } from "./evidence-tally.ts";

interface EvidenceBufferOptions {
  /** The largest number of waiting comparisons; further ones are dropped and counted. Default 10 000. */
  readonly waitingMax: number;
  /** The time between two batches, in milliseconds. Default 250. */
  readonly flushMs: number;
  /** Comparisons in a batch. Preparing a batch blocks the event loop, so it must be small. Default 250. */
  readonly batchMax: number;
  /** The longest time that closing waits for the store. Default 10 000. */
  readonly closeMsMax: number;
  /** The largest number of requests that are kept for each UTC day. Default 200. */
  readonly requestsPerDay: number;
  /**
   * The longest time between two writes that show in the gates' evidence that this process is alive. Default
   * 30 000.
   */
  readonly aliveMs: number;
}

const evidenceBufferDefaults: EvidenceBufferOptions = Object.freeze({
  waitingMax: 10_000,
  flushMs: 250,
  batchMax: 250,
  closeMsMax: 10_000,
  requestsPerDay: requestsPerDayDefault,
  aliveMs: 30_000,
});

/** A comparison whose request and answers are text, because the systems may change their answers later. */
type Waiting = Omit<ComparisonDraft, "answers"> & Pick<NewComparison, "request" | "requestText">;

/**
 * Takes comparisons from calls without waiting, and writes them to the evidence store in batches. A failed
 * batch is tried again. Comparisons beyond `waitingMax` are dropped and counted; a call is never delayed.
 */
export class EvidenceBuffer {
  readonly #store: EvidenceStore;
  readonly #options: EvidenceBufferOptions;
  readonly #clock: Clock;
  readonly #stop: () => void;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  /** Comparisons that the store has received and not confirmed. */
  #unanswered = 0;
  #closed = false;
  /** The number of requests that were kept on the latest day. */
  #kept = { day: "", requests: 0 };
  /** Numbers of requests whose answers diverge: those kept, and those not kept, by reason. */
  readonly requests: Record<RequestState, number> = { kept: 0, too_large: 0, daily_limit: 0, not_json: 0 };
  readonly #tally: EvidenceTally | undefined;
  #wroteMs = Number.NEGATIVE_INFINITY;
  #tookMs = Number.NEGATIVE_INFINITY;
  /** Comparisons that were not kept. */
  dropped = 0;
  /** Batches that the store refused. */
  failures = 0;

  constructor(
    store: EvidenceStore,
    clock: Clock,
    {
      tally,
      ...options
    }: Partial<EvidenceBufferOptions> & { readonly tally?: EvidenceTally | undefined } = {},
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#tally = tally;
    this.#options = { ...evidenceBufferDefaults, ...options };
    this.#stop = clock.every(this.#options.flushMs, () => void this.#write());
  }

  keep(draft: ComparisonDraft): void {
    if (this.#closed || this.#waiting.length >= this.#options.waitingMax) {
      this.dropped += 1;
      this.#tally?.lost(draft.method, draft.seen.served ? "served" : "live", "dropped", undefined);
      return;
    }
    this.#waiting.push(this.#withRequest(draft));
    this.#tally?.add(draft);
  }

  /**
   * Adds the text of a request whose answers diverge. Making the text takes a few milliseconds at most.
   * Beyond the daily limit no text is made. The store applies the limit again, to the requests of all
   * processes.
   */
  #withRequest({ answers, ...draft }: ComparisonDraft): Waiting {
    if (answers === undefined) return { ...draft, request: null };
    const day = draft.at.slice(0, 10);
    if (day !== this.#kept.day) this.#kept = { day, requests: 0 };
    const isFull = this.#kept.requests >= this.#options.requestsPerDay;
    const text = isFull ? "" : jsonOf({ request: draft.input[0], ...answers });
    const request = isFull
      ? "daily_limit"
      : text === undefined
        ? "not_json"
        : text.length > requestTextMax
          ? "too_large"
          : "kept";
    this.requests[request] += 1;
    if (request !== "kept" || text === undefined) return { ...draft, request };
    this.#kept.requests += 1;
    return { ...draft, request, requestText: text };
  }

  /** Writes the waiting comparisons now. */
  async flush(): Promise<void> {
    await this.#write();
    await this.#write();
  }

  /** Writes the waiting comparisons. Those that the store refuses again or confirms too late are dropped. */
  async close(): Promise<void> {
    this.#stop();
    const tooLate = Promise.withResolvers<void>();
    const stop = this.#clock.every(this.#options.closeMsMax, tooLate.resolve, true);
    // The first `#write` may be one that already runs. The second writes again what failed in the first.
    await Promise.race([
      this.#write()
        .then(() => this.#write())
        .then(() => this.#append([], true)),
      tooLate.promise,
    ]);
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
      const isWritten = await this.#append(batch, false, this.#waiting.length > 0);
      this.#unanswered = 0;
      if (isWritten) continue;
      if (!this.#closed) this.#putBack(batch);
      return;
    }
    if (this.#clock.monotonicMs() - this.#wroteMs >= this.#options.aliveMs) await this.#append([], false);
  }

  /**
   * Writes comparisons with the evidence that was counted since the last write. If more comparisons wait, the
   * evidence goes with a later batch, at most `flushMs` later. Never throws.
   */
  async #append(batch: readonly Waiting[], ended: boolean, moreWaits = false): Promise<boolean> {
    const isDue = !moreWaits || this.#clock.monotonicMs() - this.#tookMs >= this.#options.flushMs;
    const delta =
      isDue && this.#tally !== undefined && this.#tally.key !== "" ? this.#tally.take(ended) : undefined;
    if (delta !== undefined) this.#tookMs = this.#clock.monotonicMs();
    if (batch.length === 0 && delta === undefined) return true;
    try {
      await this.#store.append(batch.map(recordOf), delta);
      this.#wroteMs = this.#clock.monotonicMs();
      return true;
    } catch {
      this.failures += 1;
      if (delta !== undefined) this.#tally?.restore(delta);
      return false;
    }
  }

  #putBack(batch: readonly Waiting[]): void {
    const room = Math.max(0, this.#options.waitingMax - this.#waiting.length);
    this.dropped += Math.max(0, batch.length - room);
    this.#waiting.unshift(...batch.slice(0, room));
  }
}

function recordOf({ input, seen: _, ...draft }: Waiting): NewComparison {
  return { ...draft, fingerprint: fingerprint(textOf(input)) };
}

/**
 * Returns the text of a request; "" if JSON cannot express it even with bigints as text. Such requests share
 * one fingerprint, so the count of distinct requests is never too high.
 */
function textOf(input: readonly unknown[]): string {
  // A replacer costs several times as much, and nearly no request needs one.
  return jsonOf(input) ?? textWithBigints(input);
}

/** Returns the JSON of a value; undefined if JSON cannot express it. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

function textWithBigints(input: readonly unknown[]): string {
  try {
    return JSON.stringify(input, (_, value) => (typeof value === "bigint" ? `${value}n` : value)) ?? "";
  } catch {
    return "";
  }
}
