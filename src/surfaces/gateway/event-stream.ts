import type { ServerResponse } from "node:http";
import type { CallComparison } from "../../app/index.ts";
import { jsonText } from "../../base/plain-text.ts";
import type { ComparisonChoice, EventData } from "./wire/events.ts";

export interface EventStreamLimits {
  readonly clientsMax: number;
  /** Largest number of unsent bytes for one client; a client with more is cut off. */
  readonly waitingBytesMax: number;
  readonly beatMs: number;
  /** How long events wait for others, because a write of several costs hardly more than that of one. */
  readonly gatherMs: number;
  /** Most comparisons between two beats; the beat counts the others. */
  readonly comparisonsMax: number;
}

const eventStreamLimits: EventStreamLimits = Object.freeze({
  clientsMax: 100,
  waitingBytesMax: 1_048_576,
  beatMs: 1_000,
  gatherMs: 50,
  comparisonsMax: 100,
});

/** The largest size of events that wait for others. */
const gatheredMax = 65_536;

interface Client {
  readonly response: ServerResponse;
  readonly comparisons: ComparisonChoice;
  /** The number of the last event. */
  seq: number;
  /** The events that are not written yet. */
  text: string;
}

/**
 * Sends server-sent events to connected clients. Nothing is kept for a disconnected client: it receives the
 * current state when it connects again. A client that reads too slowly is cut off and counted, and reconnects
 * by itself. Others never wait for it.
 *
 * Each event has `seq`. The numbers of one stream begin with that of `hello` and have no gap, so a client
 * that sees a gap has lost an event.
 */
export class EventStream {
  readonly #limits: EventStreamLimits;
  readonly #clients = new Set<Client>();
  readonly #timer: NodeJS.Timeout;
  readonly #epoch: () => number;
  #gathering: NodeJS.Timeout | undefined;
  #gathered = 0;
  #wantsEqual = 0;
  /** The number of events of this process; new streams begin there. */
  #seq = 0;
  #comparisons = 0;
  /** Number of clients that were cut off because they read too slowly. */
  dropped = 0;

  constructor(epoch: () => number, limits: Partial<EventStreamLimits> = {}) {
    this.#epoch = epoch;
    this.#limits = { ...eventStreamLimits, ...limits };
    this.#timer = setInterval(() => this.#beat(), this.#limits.beatMs);
    this.#timer.unref();
  }

  get size(): number {
    return this.#clients.size;
  }

  get isFull(): boolean {
    return this.#clients.size >= this.#limits.clientsMax;
  }

  /** Adds a client by its response, whose head has been written, until it disconnects. */
  add(response: ServerResponse, comparisons: ComparisonChoice, hello: EventData["hello"]): void {
    const client: Client = { response, comparisons, seq: this.#seq, text: "" };
    response.write(`retry: 1000\n\n${eventText("hello", withSeq(client.seq, jsonText(hello)))}`);
    this.#clients.add(client);
    if (comparisons === "all") this.#wantsEqual += 1;
    response.on("error", () => {}); // The client has disconnected: `close` follows.
    response.on("close", () => this.#forget(client));
  }

  /** Sends an event of the page. */
  send<Name extends keyof EventData>(event: Name, data: EventData[Name]): void {
    this.report(event, data);
  }

  /** Sends what another part of the program reports, in its own form. */
  report(event: string, data: object): void {
    if (this.#clients.size > 0) this.#write(event, data, () => true);
  }

  readonly sendComparison = (comparison: CallComparison): void => {
    const isEqual = comparison.verdict === "equal";
    if (this.#clients.size === 0 || (isEqual && this.#wantsEqual === 0)) return;
    this.#comparisons += 1;
    if (this.#comparisons > this.#limits.comparisonsMax) return;
    this.#write(
      "comparison",
      comparison,
      ({ comparisons }) => comparisons === "all" || (comparisons === "differing" && !isEqual),
    );
  };

  /** Ends all streams: their clients may connect to another process. */
  close(): void {
    clearInterval(this.#timer);
    this.#flush();
    for (const { response } of [...this.#clients]) response.end();
  }

  #beat(): void {
    const skipped = this.#comparisons - this.#limits.comparisonsMax;
    this.#comparisons = 0;
    this.send("beat", {
      now: new Date().toISOString(),
      epoch: this.#epoch(),
      ...(skipped > 0 && { skipped }),
    });
  }

  #write(event: string, data: object, isFor: (client: Client) => boolean): void {
    this.#seq += 1;
    const json = jsonText(data);
    for (const client of [...this.#clients]) {
      if (!isFor(client)) continue;
      client.seq += 1;
      client.text += eventText(event, withSeq(client.seq, json));
      if (client.response.writableLength + client.text.length <= this.#limits.waitingBytesMax) continue;
      this.dropped += 1;
      this.#forget(client);
      client.response.destroy();
    }
    this.#gathered += json.length;
    if (this.#gathered > gatheredMax) this.#flush();
    else this.#gathering ??= setTimeout(() => this.#flush(), this.#limits.gatherMs);
  }

  #flush(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#gathered = 0;
    for (const client of this.#clients) {
      if (client.text !== "") client.response.write(client.text);
      client.text = "";
    }
  }

  #forget(client: Client): void {
    if (this.#clients.delete(client) && client.comparisons === "all") this.#wantsEqual -= 1;
  }
}

/** The text of one event. JSON without line ends makes it one line of data. */
const eventText = (event: string, json: string): string => `event: ${event}\ndata: ${json}\n\n`;

/** Puts the number into the JSON of an object, which was written once for all clients. */
const withSeq = (seq: number, json: string): string =>
  `{"seq":${seq}${json === "{}" ? "" : ","}${json.slice(1)}`;
