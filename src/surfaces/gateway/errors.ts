/** Every refusal and failure of the gateway as a problem document, also of what is no HTTP request. */
import type { Socket } from "node:net";
import type { FastifyReply } from "fastify";
import { jsonText } from "../../base/plain-text.ts";
import type { App } from "./context.ts";
import { HttpProblem, problemFor } from "./problems.ts";
import type { Problem } from "./wire/problem.ts";

/** Answers what routes and hooks throw, and requests without a route. A bug is logged and not told to the caller. */
export function answerErrors(app: App): void {
  app.setErrorHandler((failure, request, reply) => {
    const problem = problemFor(failure);
    if (problem.code === "INTERNAL")
      request.log.error({ method: request.method, route: request.routeOptions.url, err: failure }, "a request failed");
    return sendProblem(reply, problem);
  });
  app.setNotFoundHandler(({ method, url }, reply) => {
    const detail = `there is no ${method} ${url.split("?", 1)[0]}`;
    return sendProblem(reply, new HttpProblem(404, "BAD_USAGE", detail, { fix: "openapi.json lists the routes" }).problem);
  });
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const { status } = problem;
  if (status === 503 || status === 429) reply.header("retry-after", "1");
  if (status === 401) reply.header("www-authenticate", "Bearer");
  return reply.code(status).type("application/problem+json").serializer(jsonText).send(problem);
}

/** Time for a peer to read the refusal. Then its connection is reset: a closed one would stay in FIN-WAIT-2. */
const lingerMs = 1_000;
const refusals: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, "the headers are longer than the limit"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request did not come in whole in time"],
};

/** Refuses bytes that are no HTTP request, and ends the connection even if the peer never closes its side. */
export function refuseBytes(failure: NodeJS.ErrnoException, socket: Socket): void {
  if (failure.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, detail] = refusals[failure.code ?? ""] ?? [400, "this is no HTTP request"];
  const body = JSON.stringify(new HttpProblem(status, status === 408 ? "TIMEOUT" : "BAD_USAGE", detail).problem);
  const head = [
    `HTTP/1.1 ${status} Refused`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
  setTimeout(() => socket.destroyed || socket.resetAndDestroy(), lingerMs).unref();
}
