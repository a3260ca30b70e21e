/**
 * An HTTP server before a gateway. It passes requests on, except those that a test answers itself: a scripted
 * event stream, or a status.
 */
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Front extends AsyncDisposable {
  readonly url: string;
  /** The requests in their order, each as its method and path. */
  readonly asked: readonly string[];
  /** Answers a request and returns true, or returns false to pass it on. Tests replace it. */
  answer: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export async function openFront(target: string): Promise<Front> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (front.answer(request, response)) return;
    const behind = httpRequest(
      `${target}${request.url}`,
      { method: request.method ?? "GET", headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    behind.on("error", () => response.destroy());
    response.on("close", () => behind.destroy());
    request.pipe(behind);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const front: Front = {
    url: `http://127.0.0.1:${port}`,
    asked,
    answer: () => false,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
  return front;
}

/** An event stream that a test writes, with a beat from time to time. */
class ScriptedStream {
  readonly #response: ServerResponse;
  /** By how much the clock of the gateway is behind that of the browser. */
  readonly #behindMs: number;
  #seq = 0;

  constructor(response: ServerResponse, { behindMs = 0 } = {}) {
    this.#response = response;
    this.#behindMs = behindMs;
    const beats = setInterval(() => this.beat(), 300);
    response.on("close", () => clearInterval(beats));
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    this.send("hello", {
      now: new Date(Date.now() - this.#behindMs).toISOString(),
      epoch: 1,
      phase: "shadow_mode",
      useNewPnlSystem: true,
    });
  }

  /** Sends an event with the next number, or with the given one. */
  send(event: string, data: object, seq = this.#seq + 1): void {
    this.#seq = Math.max(this.#seq, seq);
    this.#response.write(`event: ${event}\ndata: ${JSON.stringify({ seq, ...data })}\n\n`);
  }

  beat(seq?: number): void {
    this.send("beat", { now: new Date(Date.now() - this.#behindMs).toISOString(), epoch: 1 }, seq);
  }
}

/** Answers requests for events with scripted streams; returns the newest one. */
export function scriptEvents(front: Front, options?: { readonly behindMs: number }): () => ScriptedStream {
  const streams: ScriptedStream[] = [];
  front.answer = ({ url }, response) => {
    if (url?.startsWith("/api/v1/events") !== true) return false;
    streams.push(new ScriptedStream(response, options));
    return true;
  };
  return () => {
    const stream = streams.at(-1);
    if (stream === undefined) throw new Error("the page has asked for no stream yet");
    return stream;
  };
}
