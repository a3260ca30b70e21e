import type { ServerResponse } from "node:http";
import type { CallComparison } from "../../app/index.ts";
import { jsonText } from "../../base/plain-text.ts";
import type { ComparisonWish } from "./wire/events.ts";

export interface EventStreamLimits {
  readonly clientsMax: number;
  /** Bytes that may wait for one client; a client with more is cut off. */
  readonly waitingBytesMax: number;
  readonly heartbeatMs: number;
}

const eventStreamLimits: EventStreamLimits = Object.freeze({
  clientsMax: 100,
  waitingBytesMax: 1_048_576,
  heartbeatMs: 15_000,
});

interface Client {
  readonly response: ServerResponse;
  readonly comparisons: ComparisonWish;
}

/**
 * Server-sent events to connected clients. Nothing is kept for a client that is away: it gets the state anew when it connects
 * again. A client that reads too slowly is cut off and counted, and connects again by itself. Others never wait for it.
 */
export class EventStream {
  readonly #limits: EventStreamLimits;
  readonly #clients = new Set<Client>();
  readonly #timer: NodeJS.Timeout;
  #wantsEqual = 0;
  /** Clients that were cut off for being slow. */
  dropped = 0;

  constructor(limits: Partial<EventStreamLimits> = {}) {
    this.#limits = { ...eventStreamLimits, ...limits };
    this.#timer = setInterval(() => this.#write(": heartbeat\n\n", () => true), this.#limits.heartbeatMs);
    this.#timer.unref();
  }

  get size(): number {
    return this.#clients.size;
  }

  get isFull(): boolean {
    return this.#clients.size >= this.#limits.clientsMax;
  }

  /** Takes a response whose head has been written, until its client goes away. */
  add(response: ServerResponse, comparisons: ComparisonWish): void {
    const client = { response, comparisons };
    this.#clients.add(client);
    if (comparisons === "all") this.#wantsEqual += 1;
    response.on("error", () => {}); // The client has gone: `close` follows.
    response.on("close", () => this.#forget(client));
  }

  send(event: string, data: object): void {
    if (this.#clients.size > 0) this.#write(eventText(event, data), () => true);
  }

  readonly sendComparison = (comparison: CallComparison): void => {
    const isEqual = comparison.verdict === "equal";
    if (this.#clients.size === 0 || (isEqual && this.#wantsEqual === 0)) return;
    this.#write(
      eventText("comparison", comparison),
      ({ comparisons }) => comparisons === "all" || (comparisons === "differing" && !isEqual),
    );
  };

  /** Ends all streams: their clients may connect to another process. */
  close(): void {
    clearInterval(this.#timer);
    for (const { response } of [...this.#clients]) response.end();
  }

  #write(text: string, isFor: (client: Client) => boolean): void {
    for (const client of [...this.#clients]) {
      if (!isFor(client)) continue;
      const { response } = client;
      if (response.writableLength + text.length <= this.#limits.waitingBytesMax) response.write(text);
      else {
        this.dropped += 1;
        this.#forget(client);
        response.destroy();
      }
    }
  }

  #forget(client: Client): void {
    if (this.#clients.delete(client) && client.comparisons === "all") this.#wantsEqual -= 1;
  }
}

/** JSON has no line ends, so that one event is one line of data. */
export const eventText = (event: string, data: object): string => `event: ${event}\ndata: ${jsonText(data)}\n\n`;
