import type { ServerResponse } from "node:http";
import type { CallComparison } from "../../app/index.ts";
import { jsonText } from "../../base/plain-text.ts";
import type { ComparisonChoice } from "./wire/events.ts";

export interface EventStreamLimits {
  readonly clientsMax: number;
  /** Largest number of unsent bytes for one client; a client with more is cut off. */
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
  readonly comparisons: ComparisonChoice;
}

/**
 * Sends server-sent events to connected clients. Nothing is kept for a disconnected client: it receives the
 * current state when it connects again. A client that reads too slowly is cut off and counted, and reconnects
 * by itself. Others never wait for it.
 */
export class EventStream {
  readonly #limits: EventStreamLimits;
  readonly #clients = new Set<Client>();
  readonly #timer: NodeJS.Timeout;
  #wantsEqual = 0;
  /** Number of clients that were cut off because they read too slowly. */
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

  /** Adds a client by its response, whose head has been written, until it disconnects. */
  add(response: ServerResponse, comparisons: ComparisonChoice): void {
    const client = { response, comparisons };
    this.#clients.add(client);
    if (comparisons === "all") this.#wantsEqual += 1;
    response.on("error", () => {}); // The client has disconnected: `close` follows.
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

/** The text of one event. JSON without line ends makes it one line of data. */
export const eventText = (event: string, data: object): string =>
  `event: ${event}\ndata: ${jsonText(data)}\n\n`;
