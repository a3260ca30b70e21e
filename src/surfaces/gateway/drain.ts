/**
 * Tracks the server's connections and requests, and closes the server without losing a call: first every
 * answer has `connection: close`, so that callers move to another process; then no connection is accepted,
 * and requests in progress are answered.
 */
import { once } from "node:events";
import type { Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";

export interface DrainLimits {
  /** How long a closing gateway still answers new requests with `connection: close`. */
  readonly leaveMs: number;
  /** The time for which a closing gateway then waits for requests in progress. */
  readonly closeMsMax: number;
}

/** Counts requests on the level of the server, so that interrupted requests count too. */
export class Traffic {
  /** Number of answers by the first digit of their status. */
  readonly byStatus = new Float64Array(6);
  readonly underWay = new Set<ServerResponse>();
  readonly connections = new Set<Socket>();
  connectionsRefused = 0;
  readonly #server: Server;
  #isLeaving = false;

  constructor(server: Server, connectionsMax: number) {
    this.#server = server;
    server.maxConnections = connectionsMax;
    server.on("drop", () => {
      this.connectionsRefused += 1;
    });
    server.on("connection", (socket) => {
      this.connections.add(socket);
      socket.on("close", () => {
        this.connections.delete(socket);
      });
    });
    server.prependListener("request", (_, response) => {
      this.underWay.add(response);
      if (this.#isLeaving) response.setHeader("connection", "close");
      response.on("close", () => {
        this.underWay.delete(response);
        const digit = Math.floor(response.statusCode / 100);
        this.byStatus[digit] = (this.byStatus[digit] ?? 0) + 1;
      });
    });
  }

  /** Asks callers to leave; resolves when they have had time to do so. */
  async leave({ leaveMs }: DrainLimits): Promise<void> {
    this.#isLeaving = true;
    // From now on each answer ends its connection; the connection of an answer that has begun ends later.
    for (const response of this.underWay)
      if (!response.headersSent) response.setHeader("connection", "close");
    await sleep(leaveMs);
  }

  /**
   * Accepts no more connections. Resolves when all have ended; after `closeMsMax` they are cut off, and
   * `onCut` receives the number of requests. Node's own close would at once end a connection on which a
   * request is arriving. Here the request has `leaveMs` to arrive, and its answer ends the connection.
   */
  async stopListening(
    { leaveMs, closeMsMax }: DrainLimits,
    onCut: (requests: number) => void,
  ): Promise<void> {
    const cut = setTimeout(() => {
      onCut(this.underWay.size);
      this.#server.closeAllConnections();
    }, closeMsMax);
    // Closing refuses the connections that still wait to be accepted, so it begins right after a turn in
    // which Node has accepted them.
    await nextTurn();
    const ended = once(this.#server, "close");
    NetServer.prototype.close.call(this.#server);
    const idle = setTimeout(() => this.#endIdle(), leaveMs);
    await ended;
    clearTimeout(idle);
    clearTimeout(cut);
  }

  /**
   * Ends connections without a request in progress, also those that never had one, which Node would keep
   * open.
   */
  #endIdle(): void {
    const busy = new Set([...this.underWay].map(({ req }) => req.socket));
    for (const socket of this.connections) if (!busy.has(socket)) socket.destroy();
  }
}
