/**
 * What goes on between callers and the server, and how the server ends without losing a call: first every answer says
 * `connection: close`, so that callers go elsewhere; then no connection is accepted, and requests under way are answered.
 */
import { once } from "node:events";
import type { Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";

export interface DrainLimits {
  /** How long closing still answers new requests while it tells callers to go elsewhere. */
  readonly leaveMs: number;
  /** How long it then waits for requests under way. */
  readonly closeMsMax: number;
}

/** Counts below the routes, so that requests which are cut off in the middle count too. */
export class Traffic {
  /** Answers by the first digit of their status. */
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

  /** Resolves when callers have had time to go elsewhere. */
  async leave({ leaveMs }: DrainLimits): Promise<void> {
    this.#isLeaving = true;
    // Each answer from now on ends its connection; answers that have begun end theirs some time later.
    for (const response of this.underWay) if (!response.headersSent) response.setHeader("connection", "close");
    await sleep(leaveMs);
  }

  /**
   * Accepts no more connections. Resolves when all have ended; after `closeMsMax` they are cut off, and `onCut` gets the
   * number of requests. The server's own way would at once close connections on which a request is just coming in, so
   * these get `leaveMs` for it; its answer ends them.
   */
  async stopListening({ leaveMs, closeMsMax }: DrainLimits, onCut: (requests: number) => void): Promise<void> {
    const cut = setTimeout(() => {
      onCut(this.underWay.size);
      this.#server.closeAllConnections();
    }, closeMsMax);
    // Right after connections were accepted: those that still wait to be accepted would be refused.
    await nextTurn();
    const ended = once(this.#server, "close");
    NetServer.prototype.close.call(this.#server);
    const idle = setTimeout(() => this.#endIdle(), leaveMs);
    await ended;
    clearTimeout(idle);
    clearTimeout(cut);
  }

  /** Ends connections without a request under way; also those that never had one, which the server itself would leave. */
  #endIdle(): void {
    const busy = new Set([...this.underWay].map(({ req }) => req.socket));
    for (const socket of this.connections) if (!busy.has(socket)) socket.destroy();
  }
}
