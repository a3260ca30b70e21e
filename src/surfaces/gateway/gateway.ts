/**
 * The bridge over HTTP: calls, events, the control plane, health and metrics.
 *
 * Nothing accepted is lost when it closes: first `/readyz` says 503 and every answer says `connection: close`, so that who balances
 * load and who keeps connections goes elsewhere; then no connection is accepted, and what is under way is answered.
 */

import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import swagger from "@fastify/swagger";
import Fastify, { type FastifyReply, type FastifyRequest, type onRequestHookHandler } from "fastify";
import { jsonSchemaTransform, validatorCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import { BridgeError } from "../../base/errors.ts";
import { Access, type AccessOptions, type Caller, type Role } from "./access.ts";
import type { App, CallNote, GatewayBridge, GatewayControl, GatewayLog, GatewayState, RouteContext } from "./context.ts";
import { EventStream, type EventStreamLimits } from "./event-stream.ts";
import { Metrics, Traffic } from "./metrics.ts";
import type { Observations } from "./observations.ts";
import { HttpProblem, type Problem, problemFor, problemSchema } from "./problems.ts";
import { comparisonRoutes } from "./routes/comparisons.ts";
import { eventRoutes } from "./routes/events.ts";
import { healthRoutes } from "./routes/health.ts";
import { migrationRoutes } from "./routes/migration.ts";
import { pnlRoutes } from "./routes/pnl.ts";
import { symbolRoutes } from "./routes/symbols.ts";

export interface GatewayOptions extends Omit<AccessOptions, "host"> {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly bridge: GatewayBridge;
  /** Undefined where no control store is configured: then the plan is the file's, and nobody can change it. */
  readonly control?: GatewayControl | undefined;
  /** What the bridge tells of its comparisons; without it there are no latencies, and no events of comparisons. */
  readonly observations?: Observations | undefined;
  /** Requests a second of one caller; 0: as many as come. */
  readonly rateLimitPerS: number;
  /** Why no call can be answered, where that is so: `/readyz` says it. */
  readonly refuses?: () => string | undefined;
  readonly log?: GatewayLog;
  /** Told of each call that was answered. */
  readonly onCall?: ((call: CallNote) => void) | undefined;
  readonly limits?: Partial<GatewayLimits>;
  readonly env?: NodeJS.ProcessEnv;
}

export interface GatewayLimits {
  readonly bodyBytesMax: number;
  readonly headerBytesMax: number;
  readonly connectionsMax: number;
  /** Until a request has come in whole. */
  readonly requestMsMax: number;
  readonly keepAliveMs: number;
  /** How long closing still answers new requests while it tells everybody to go elsewhere, */
  readonly leaveMs: number;
  /** and how long it then waits for what is under way. */
  readonly closeMsMax: number;
  readonly events: Partial<EventStreamLimits>;
}

export const gatewayLimits: GatewayLimits = Object.freeze({
  bodyBytesMax: 4 * 1_048_576,
  headerBytesMax: 16_384,
  connectionsMax: 1_000,
  requestMsMax: 30_000,
  keepAliveMs: 72_000,
  leaveMs: 250,
  closeMsMax: 10_000,
  events: {},
});

export interface Gateway {
  readonly url: string;
  close(): Promise<void>;
}

const silence: GatewayLog = { info: () => {}, warn: () => {}, error: () => {} };

/** Resolves when it listens. Throws BAD_CONFIG for tokens that are none, and BAD_USAGE where the port is in use. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { host, port, bridge, control, observations, log = silence, env = process.env, refuses } = options;
  const limits = { ...gatewayLimits, ...options.limits };
  const access = new Access(options, env);
  const events = new EventStream(limits.events);
  const traffic = new Traffic();
  const metrics = new Metrics({ bridge, control, observations, traffic, streams: events });
  let phase: "starting" | "open" | "closing" = "starting";
  const state: GatewayState = {
    get isClosing() {
      return phase === "closing";
    },
    get whyNotReady() {
      return phase === "open" ? refuses?.() : `the gateway is ${phase}`;
    },
  };
  const caller = (request: FastifyRequest, needs: Role): Caller => access.caller(request.headers.authorization, needs);
  const needs =
    (role: Role): onRequestHookHandler =>
    (request, _, done) => {
      try {
        caller(request, role);
        done();
      } catch (refused) {
        done(refused as Error);
      }
    };
  const context: RouteContext = { bridge, control, events, needs, caller, log, onCall: options.onCall, state };

  const app = Fastify({
    logger: false,
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestMsMax,
    keepAliveTimeout: limits.keepAliveMs,
    // A request on a connection that was accepted is answered, also while the gateway closes.
    return503OnClosing: false,
    exposeHeadRoutes: false,
    http: { maxHeaderSize: limits.headerBytesMax, headersTimeout: limits.requestMsMax, connectionsCheckingInterval: 1_000 },
    routerOptions: { maxParamLength: 500 },
    frameworkErrors: (failure, _, reply) => void sendProblem(reply, problemFor(failure)),
    clientErrorHandler: refuseBytes,
  }).withTypeProvider<ZodTypeProvider>() as unknown as App;
  watchTraffic(app, traffic, limits.connectionsMax, state);

  app.setValidatorCompiler(validatorCompiler);
  // Answers are made of values that are what they should be; the schemas of answers are for openapi.json.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  app.removeContentTypeParser(["application/json", "text/plain"]);
  app.setErrorHandler((failure, request, reply) => {
    const problem = problemFor(failure);
    if (problem.status >= 500 && problem.code === "INTERNAL")
      log.error({ method: request.method, route: request.routeOptions.url, err: failure }, "a request failed");
    return sendProblem(reply, problem);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      new HttpProblem(404, "BAD_USAGE", `there is no ${request.method} ${request.url.split("?", 1)[0]}`, {
        mend: "openapi.json lists what there is",
      }).problem,
    ),
  );
  app.addHook("onRequest", (request, _, done) => {
    try {
      access.checkOrigin(request.headers);
      done();
    } catch (refused) {
      done(refused as Error);
    }
  });
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    frameguard: { action: "deny" },
    // It speaks HTTP: what ends TLS in front of it says this.
    hsts: false,
  });
  if (options.rateLimitPerS > 0)
    await app.register(rateLimit, {
      max: options.rateLimitPerS,
      timeWindow: 1_000,
      keyGenerator: ({ headers, ip }) => headers.authorization ?? ip,
      errorResponseBuilder: (_, { max }) => Object.assign(new Error(`more than ${max} requests a second`), { statusCode: 429 }),
    });
  await app.register(swagger, { openapi, transform: jsonSchemaTransform });
  app.addHook("onRoute", (route) => {
    const { schema } = route;
    if (schema !== undefined) schema.response = { default: problemSchema, ...(schema.response as object | undefined) };
  });
  app.get("/openapi.json", { schema: { hide: true } as object }, () => app.swagger());
  app.get(
    "/metrics",
    { onRequest: needs("viewer"), schema: { summary: "The signals of this process, as Prometheus reads them" } },
    async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  );
  await app.register(healthRoutes(context));
  await app.register(
    async (api: App) => {
      await api.register(pnlRoutes(context));
      await api.register(eventRoutes(context));
      await api.register(migrationRoutes(context));
      await api.register(comparisonRoutes(context));
      await api.register(symbolRoutes(context));
    },
    { prefix: "/api/v1" },
  );

  if (observations !== undefined) observations.onComparison = events.sendComparison;
  const stopTelling = control?.onEvent((event) => events.send(event.kind, event));
  const end = (): void => {
    stopTelling?.();
    if (observations?.onComparison === events.sendComparison) observations.onComparison = undefined;
    events.close();
    metrics.close();
  };
  try {
    await app.listen({ host, port });
  } catch (failure) {
    end();
    await app.close();
    throw cannotListen(failure as NodeJS.ErrnoException, host, port);
  }
  phase = "open";

  const close = async (): Promise<void> => {
    phase = "closing";
    // Each answer from now on ends its connection; those that have begun end theirs some time later.
    for (const response of traffic.underWay) if (!response.headersSent) response.setHeader("connection", "close");
    await sleep(limits.leaveMs);
    end();
    const cut = setTimeout(() => {
      log.warn({ requests: traffic.underWay.size }, "requests that took too long were cut off");
      app.server.closeAllConnections();
    }, limits.closeMsMax);
    await stopListening(app.server, traffic, limits.leaveMs);
    await app.close();
    clearTimeout(cut);
  };
  let closed: Promise<void> | undefined;
  return {
    url: urlOf(app.server.address() as AddressInfo),
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

const openapi = {
  openapi: "3.1.0",
  info: {
    title: "pnl-bridge",
    description: "Bridged P&L calls, the migration's control plane, and what was compared.",
    version: "1",
  },
  components: { securitySchemes: { token: { type: "http" as const, scheme: "bearer" } } },
  // Without tokens, on this machine, none is asked for.
  security: [{ token: [] }, {}],
};

/** Counts what comes and goes below the routes: also what is cut off in the middle. */
function watchTraffic({ server }: App, traffic: Traffic, connectionsMax: number, state: GatewayState): void {
  server.maxConnections = connectionsMax;
  server.on("drop", () => {
    traffic.connectionsRefused += 1;
  });
  server.on("connection", (socket) => {
    traffic.connections.add(socket);
    socket.on("close", () => {
      traffic.connections.delete(socket);
    });
  });
  server.prependListener("request", (_, response) => {
    traffic.underWay.add(response);
    if (state.isClosing) response.setHeader("connection", "close");
    response.on("close", () => {
      traffic.underWay.delete(response);
      const digit = Math.floor(response.statusCode / 100);
      traffic.byStatus[digit] = (traffic.byStatus[digit] ?? 0) + 1;
    });
  });
}

/**
 * Resolves when all connections have ended. The server's own way would close those at once on which a request is just coming in, so
 * they have some time for it; its answer ends them.
 */
async function stopListening(server: Server, traffic: Traffic, idleMs: number): Promise<void> {
  // Right after connections were accepted: whoever still waits to be would be refused.
  await nextTurn();
  const ended = once(server, "close");
  NetServer.prototype.close.call(server);
  const idle = setTimeout(() => traffic.endIdle(), idleMs);
  await ended;
  clearTimeout(idle);
}

function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const { status } = problem;
  if (status === 503 || status === 429) reply.header("retry-after", "1");
  if (status === 401) reply.header("www-authenticate", "Bearer");
  return reply.code(status).type("application/problem+json").serializer(JSON.stringify).send(problem);
}

/** What is no HTTP, or too much of it: there is no request to answer, only a connection. */
function refuseBytes(failure: NodeJS.ErrnoException, socket: Socket): void {
  if (failure.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, detail] =
    failure.code === "HPE_HEADER_OVERFLOW"
      ? ([431, "the headers are longer than the limit"] as const)
      : failure.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? ([408, "the request did not come in whole in time"] as const)
        : ([400, "this is no HTTP request"] as const);
  const body = JSON.stringify(new HttpProblem(status, status === 408 ? "TIMEOUT" : "BAD_USAGE", detail).problem);
  socket.end(
    `HTTP/1.1 ${status} Refused\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function cannotListen(failure: NodeJS.ErrnoException, host: string, port: number): Error {
  const where = `${host}:${port}`;
  const refused = (what: string, mend: string): BridgeError =>
    new BridgeError("BAD_USAGE", { what, where, mend, cause: failure });
  switch (failure.code) {
    case "EADDRINUSE":
      return refused("another program listens there", "end it, or name another port under gateway.listen");
    case "EACCES":
      return refused("this user may not listen there", "name a port above 1023 under gateway.listen");
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return refused("this machine has no such address", "name one of its addresses under gateway.listen");
    default:
      return failure;
  }
}

const urlOf = ({ address, family, port }: AddressInfo): string =>
  `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
