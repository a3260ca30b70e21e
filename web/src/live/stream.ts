/**
 * Reads the gateway's event stream, and reconnects until the stream is closed. It uses `fetch` and not
 * `EventSource`, because `fetch` can send a token and returns the HTTP status. A stream that is silent for
 * two and a half seconds counts as lost, because a half-open connection never ends by itself.
 */
import { backOffMs } from "../../../src/base/back-off.ts";
import { ApiError, apiUrl, authorization, refusalOf } from "../api.ts";
import { type Moment, moment, sinceMs } from "../clock.ts";
import { sessionToken } from "../session.ts";
import { eventReader, type StreamEvent } from "./event-reader.ts";

export type Link =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  /** This computer was asleep. The stream is opened again. */
  | { readonly state: "waking" }
  | { readonly state: "lost"; readonly why: string }
  /** The gateway refuses this caller. No further attempt is made. */
  | { readonly state: "refused"; readonly why: string };

export interface StreamListener {
  onEvent(event: StreamEvent): void;
  onLink(link: Link): void;
}

export interface Stream {
  close(): void;
  /** Ends a pause between two attempts. */
  retry(): void;
}

/** The gateway sends a `beat` event at least this often. */
const beatMs = 1_000;
export const silentMsMax = 2.5 * beatMs;
export const connectMsMax = 10_000;
const watchMs = 250;
/** After a timer that is this late, events may still wait to be read. */
const lateMsMax = 1_500;
/** A timer that is this late shows that the computer slept. */
const sleptMs = 5_000;

/** Pauses between attempts after a lost connection, and after a refusal such as 503. */
const afterLoss = { firstMs: 250, lastMs: 3_000 };
const afterRefusal = { firstMs: 1_000, lastMs: 30_000 };

export function openStream({ onEvent, onLink }: StreamListener): Stream {
  const closed = new AbortController();
  let endPause = (): void => {};

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const run = async (): Promise<void> => {
    onLink({ state: "connecting" });
    for (let failures = 0; !closed.signal.aborted; ) {
      const watch = new Watch(closed.signal);
      let loss: Link = { state: "lost", why: "the gateway ended the stream" };
      let pauses = afterLoss;
      try {
        for await (const event of eventsOf(watch)) {
          if (event.name === "hello") onLink({ state: "live" });
          failures = 0;
          onEvent(event);
        }
      } catch (failure) {
        if (failure instanceof ApiError) {
          if (failure.status === 401 || failure.status === 403) {
            onLink({ state: "refused", why: failure.message });
            return;
          }
          pauses = afterRefusal;
          loss = { state: "lost", why: failure.message };
        } else if (failure instanceof SyntaxError)
          loss = { state: "lost", why: "the gateway sent an event that cannot be read" };
        else loss = watch.loss ?? { state: "lost", why: "the gateway cannot be reached" };
      } finally {
        watch.end();
      }
      if (closed.signal.aborted) return;
      onLink(loss);
      if (loss.state === "waking") continue;
      failures += 1;
      await pause(backOffMs(pauses, failures, Math.random()));
    }
  };
  void run();
  return {
    close: () => {
      closed.abort();
      endPause();
    },
    retry: () => endPause(),
  };
}

async function* eventsOf(watch: Watch): AsyncGenerator<StreamEvent> {
  const token = sessionToken();
  const response = await fetch(apiUrl("events"), {
    headers: authorization(token),
    signal: watch.signal,
    cache: "no-store",
  });
  if (!response.ok) throw await refusalOf(response, token);
  if (response.body === null) return;
  const read = eventReader();
  const bytes = response.body.getReader();
  const text = new TextDecoder();
  for (;;) {
    const { done, value } = await bytes.read();
    if (done) return;
    watch.onBytes();
    yield* read(text.decode(value, { stream: true }));
  }
}

/** Aborts one attempt if the gateway is silent for too long, and notes why. */
class Watch {
  /** Why the attempt was aborted. */
  loss: Link | undefined;
  readonly signal: AbortSignal;
  readonly #silent = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  #limitMs = connectMsMax;
  #lastBytesAt: Moment = moment();
  #tickedAt: Moment = moment();
  #slept = false;

  constructor(closed: AbortSignal) {
    this.signal = AbortSignal.any([closed, this.#silent.signal]);
    this.#timer = setInterval(() => this.#check(), watchMs);
  }

  /** Notes that the gateway has sent something. */
  onBytes(): void {
    this.#lastBytesAt = moment();
    this.#limitMs = silentMsMax;
    this.#slept = false;
  }

  end(): void {
    clearInterval(this.#timer);
    this.#silent.abort();
  }

  #check(): void {
    const lateMs = sinceMs(this.#tickedAt) - watchMs;
    this.#tickedAt = moment();
    if (lateMs > sleptMs) this.#slept = true;
    const silentMs = sinceMs(this.#lastBytesAt);
    if (silentMs <= this.#limitMs || lateMs > lateMsMax) return;
    this.loss = this.#slept
      ? { state: "waking" }
      : { state: "lost", why: `the gateway has sent nothing for ${(silentMs / 1_000).toFixed(1)} s` };
    this.#silent.abort();
  }
}
