/**
 * Connections to a real PostgreSQL for tests: a direct one, and a proxy that breaks connections on demand.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { Client } from "pg";

export async function connected(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** A proxy between clients and the server that breaks connections on demand. */
export class Wire {
  readonly #server: Server;
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  /** The message of the next commit (its request or its answer) that is lost together with the connection. */
  breakAtCommit: "nothing" | "request" | "answer" = "nothing";
  /** The number of bytes of the lost message that arrive. */
  breakAfter = 0;
  broken = 0;
  /** Called when the server has received bytes of a client. */
  onReceived: () => void = () => {};
  /** Accepts connections and ends them at once. */
  away = false;
  /** Keeps connections open and forwards nothing; bytes sent meanwhile are lost. */
  silent = false;
  /** Becomes silent when a client sends this text, which is lost too. */
  silentFrom: string | undefined;

  /** Starts a proxy; `url` is the address of the server. */
  static async to(url: string): Promise<Wire> {
    const wire = new Wire(new URL(url));
    await new Promise<void>((listening) => wire.#server.listen(0, "127.0.0.1", listening));
    return wire;
  }

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((client) => {
      if (this.away) {
        client.destroy();
        return;
      }
      const server = connect(Number(target.port), target.hostname);
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => this.#sockets.delete(socket));
      }
      client.on("data", (bytes) => this.#forward(bytes, client, server));
      server.on("data", (bytes) => {
        if (!this.silent) client.write(bytes);
      });
      client.on("close", () => server.destroy());
      server.on("close", () => client.destroy());
    });
  }

  /** The address of the server through this proxy. */
  get url(): string {
    const [address, url] = [this.#server.address(), new URL(this.#target)];
    url.port = String(typeof address === "object" ? address?.port : "");
    return url.href;
  }

  #forward(bytes: Buffer, client: Socket, server: Socket): void {
    if (this.silentFrom !== undefined && bytes.includes(this.silentFrom)) this.silent = true;
    if (this.silent) return;
    const lost = bytes.includes("COMMIT\0") ? this.breakAtCommit : "nothing";
    if (lost === "nothing") {
      server.write(bytes, () => this.onReceived());
      return;
    }
    this.breakAtCommit = "nothing";
    this.broken += 1;
    server.removeAllListeners("data");
    if (lost === "request") {
      server.write(bytes.subarray(0, this.breakAfter), () => client.destroy());
      return;
    }
    let left = this.breakAfter;
    server.on("data", (answer) => {
      const arrives = answer.subarray(0, left);
      left -= arrives.length;
      client.write(arrives, () => {
        if (left === 0) client.destroy();
      });
    });
    server.write(bytes);
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): Promise<void> {
    this.cut();
    return new Promise((closed) => this.#server.close(() => closed()));
  }
}
