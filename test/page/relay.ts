/**
 * A TCP relay in front of a gateway. It can cut connections, and swallow bytes without closing anything, as a
 * half-open connection does.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Relay extends AsyncDisposable {
  readonly url: string;
  /** Ends all connections abruptly. New ones are accepted. */
  cut(): void;
  /** Swallows all bytes in both directions until `heal`. */
  stall(): void;
  /** Refuses new connections and ends the others, as if the gateway were gone, until `heal`. */
  down(): void;
  heal(): void;
  /**
   * Passes the next request whose first line begins with `request` to the gateway, and only the head of its
   * answer to the client. Then ends the client's connection and resolves. Without the head, a browser would
   * repeat the request by itself.
   */
  cutAnswerTo(request: string): Promise<void>;
  /** The address to which the relay passes bytes. A gateway that starts again has another one. */
  target: string;
}

export async function openRelay(target = ""): Promise<Relay> {
  const sockets = new Set<Socket>();
  const state = { isStalled: false, isDown: false, target };
  let unanswered: { readonly request: string; readonly onCut: () => void } | undefined;
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const pass = (from: Socket, to: Socket): void => {
    from.on("data", (bytes) => {
      if (!state.isStalled) to.write(bytes);
    });
    from.on("end", () => state.isStalled || to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => {
      sockets.delete(from);
      if (!state.isStalled) to.destroy();
    });
  };
  const server = createServer((client) => {
    sockets.add(client);
    if (state.isDown || state.target === "") {
      client.resetAndDestroy();
      return;
    }
    const { hostname, port } = new URL(state.target);
    const behind = connect(Number(port), hostname);
    sockets.add(behind);
    client.on("data", (bytes: Buffer) => {
      if (unanswered === undefined || !bytes.includes(unanswered.request)) return;
      const { onCut } = unanswered;
      unanswered = undefined;
      behind.removeAllListeners("data");
      behind.once("data", (answer: Buffer) => {
        client.end(answer.subarray(0, answer.indexOf("\r\n\r\n") + 4));
        onCut();
      });
    });
    pass(client, behind);
    pass(behind, client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    get target() {
      return state.target;
    },
    set target(next) {
      state.target = next;
    },
    cut,
    stall: () => {
      state.isStalled = true;
    },
    down: () => {
      state.isDown = true;
      cut();
    },
    heal: () => {
      // What was swallowed is lost, so the connections that lost bytes cannot go on.
      if (state.isStalled) cut();
      Object.assign(state, { isStalled: false, isDown: false });
      unanswered = undefined;
    },
    cutAnswerTo: (request) =>
      new Promise((onCut) => {
        unanswered = { request, onCut };
      }),
    [Symbol.asyncDispose]: async () => {
      server.close();
      cut();
      await once(server, "close");
    },
  };
}
