/**
 * Answers every refusal and failure of the gateway with a problem document, also for bytes that are not an
 * HTTP request.
 */
import type { Socket } from "node:net";
import type { FastifyReply } from "fastify";
import { jsonText } from "../../base/plain-text.ts";
import type { App } from "./context.ts";
import { HttpProblem, problemFor } from "./problems.ts";
import type { Problem } from "./wire/problem.ts";

/**
 * Answers the errors of routes and hooks, and requests without a route. The details of a bug are logged and
 * not sent.
 */
export function answerErrors(app: App): void {
  app.setErrorHandler((failure, request, reply) => {
    const problem = problemFor(failure);
    if (problem.code === "INTERNAL")
      request.log.error(
        { method: request.method, route: request.routeOptions.url, err: failure },
        "a request failed",
      );
    return sendProblem(reply, problem);
  });
  app.setNotFoundHandler(({ method, url }, reply) => {
    const detail = `the route ${method} ${url.split("?", 1)[0]} does not exist`;
    return sendProblem(
      reply,
      new HttpProblem(404, "BAD_USAGE", detail, { fix: "openapi.json lists the routes" }).problem,
    );
  });
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const { status } = problem;
  if (status === 503 || status === 429) reply.header("retry-after", "1");
  if (status === 401) reply.header("www-authenticate", "Bearer");
  return reply.code(status).type("application/problem+json").serializer(jsonText).send(problem);
}

/**
 * How long a peer may read the refusal before its connection is reset: a merely closed one would stay in
 * FIN-WAIT-2.
 */
const lingerMs = 1_000;
const refusals: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, "the headers are longer than the limit"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request did not arrive completely in time"],
};

/**
 * Refuses bytes that are not an HTTP request, and ends the connection even if the peer never closes its side.
 */
export function refuseBytes(failure: NodeJS.ErrnoException, socket: Socket): void {
  if (failure.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, detail] = refusals[failure.code ?? ""] ?? [400, "this is not an HTTP request"];
  const body = JSON.stringify(
    new HttpProblem(status, status === 408 ? "TIMEOUT" : "BAD_USAGE", detail).problem,
  );
  const head = [
    `HTTP/1.1 ${status} Refused`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
  setTimeout(() => socket.destroyed || socket.resetAndDestroy(), lingerMs).unref();
}
