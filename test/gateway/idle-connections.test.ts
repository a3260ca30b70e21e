import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { until } from "../../src/testing/until.ts";
import { ask, desk } from "./desk.ts";

/** A peer that never closes its side of the connection. */
async function stubborn(url: string, send: string): Promise<Socket> {
  const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  await once(socket, "connect");
  if (send !== "") socket.write(send);
  socket.resume();
  return socket;
}

const openConnections = async (url: string): Promise<number> => {
  const { text } = await ask(`${url}/metrics`, "GET", undefined, { connection: "close" });
  return Number(/^pnl_bridge_http_connections (\d+)$/m.exec(text)?.[1]);
};

describe("a connection that its peer never closes", () => {
  it.each([
    ["sends nothing", ""],
    ["sends garbage", "\u0016\u0003\u0001hello\r\n\r\n"],
    ["sends half of a head", "GET /healthz HTTP/1.1\r\nhost: 127"],
    [
      "sends half of a body",
      "POST /api/v1/pnl/totals HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{",
    ],
    ["sends headers without end", `GET /healthz HTTP/1.1\r\nx-long: ${"x".repeat(20_000)}`],
    ["has its answer and sends no further request", "GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"],
  ])("is destroyed at the deadline if it %s, so that others can connect", async (_, send) => {
    const { url } = await desk({ limits: { requestMsMax: 300, keepAliveMs: 300, connectionsMax: 55 } });
    const held = await Promise.all(Array.from({ length: 50 }, () => stubborn(url, send)));
    // The metrics request itself uses one connection.
    await until(async () => (await openConnections(url)) <= 1);
    for (const socket of held) socket.destroy();
    expect((await ask(`${url}/healthz`)).status).toBe(200);
  });
});
