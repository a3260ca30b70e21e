/** The bridge over HTTP: calls, events, the control plane, health and metrics. */
import type { AddressInfo } from "node:net";
import helmet from "@fastify/helmet";
import Fastify, { type FastifyBaseLogger, LogController } from "fastify";
import { validatorCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import { assert, BridgeError, codeOf, errorOf } from "../../base/errors.ts";
import { jsonText } from "../../base/plain-text.ts";
import { Access, type AccessOptions } from "./access.ts";
import { ChangeFeed } from "./change-feed.ts";
import type {
  App,
  CallNote,
  GatewayBridge,
  GatewayControl,
  GatewayFiles,
  GatewayReports,
  GatewayState,
  RouteContext,
} from "./context.ts";
import { type DrainLimits, Traffic } from "./drain.ts";
import { answerErrors, refuseBytes, sendProblem } from "./errors.ts";
import { EventStream, type EventStreamLimits } from "./event-stream.ts";
import { guardRequests } from "./guard.ts";
import { metricRoute } from "./metrics.ts";
import type { Observations } from "./observations.ts";
import { describeRoutes } from "./openapi.ts";
import { problemFor } from "./problems.ts";
import { comparisonRoutes } from "./routes/comparisons.ts";
import { dashboardRoutes } from "./routes/dashboard.ts";
import { eventRoutes } from "./routes/events.ts";
import { fileRoutes } from "./routes/files.ts";
import { healthRoutes } from "./routes/health.ts";
import { migrationRoutes } from "./routes/migration.ts";
import { pageRoutes } from "./routes/page.ts";
import { pnlRoutes } from "./routes/pnl.ts";
import { quarantineRoutes } from "./routes/quarantine.ts";
import { recordRoutes } from "./routes/records.ts";
import { reportRoutes } from "./routes/reports.ts";
import { sessionRoutes } from "./routes/session.ts";
import { symbolRoutes } from "./routes/symbols.ts";
import { validateRoutes } from "./routes/validate.ts";

export interface GatewayOptions extends AccessOptions {
  /** The port; 0 chooses a free one. */
  readonly port: number;
  readonly bridge: GatewayBridge;
  /**
   * Undefined without a control store: then the configuration file decides the plan, and HTTP cannot change
   * it.
   */
  readonly control?: GatewayControl | undefined;
  /** Absent: no folder is watched. */
  readonly files?: GatewayFiles | undefined;
  /** Absent: the process hands out no reports. */
  readonly reports?: GatewayReports | undefined;
  /** The source of latencies and of comparison events; both are absent without it. */
  readonly observations?: Observations | undefined;
  /** Requests per second of one caller; 0 means no limit. */
  readonly rateLimitPerS: number;
  /** Returns why no call can be answered, or undefined; `/readyz` reports it. */
  readonly refuses?: () => string | undefined;
  readonly log?: FastifyBaseLogger;
  /** Called for each answered call. */
  readonly onCall?: ((call: CallNote) => void) | undefined;
  readonly limits?: Partial<GatewayLimits>;
  /** The folder of the built page. Default: where a build puts it. */
  readonly page?: string;
  readonly env?: NodeJS.ProcessEnv;
}

interface GatewayLimits extends DrainLimits {
  readonly bodyBytesMax: number;
  readonly headerBytesMax: number;
  readonly connectionsMax: number;
  /** How long a request may take to arrive completely; also limits a connection that sends nothing. */
  readonly requestMsMax: number;
  readonly keepAliveMs: number;
  /** Duration of the rate limit's window. Default one second; tests use longer ones. */
  readonly rateWindowMs: number;
  readonly events: Partial<EventStreamLimits>;
  /** The time between two checks of screens and databases for changes. */
  readonly lookMs: number;
}

const gatewayLimits: GatewayLimits = Object.freeze({
  bodyBytesMax: 4 * 1_048_576,
  headerBytesMax: 16_384,
  connectionsMax: 1_000,
  requestMsMax: 30_000,
  keepAliveMs: 72_000,
  rateWindowMs: 1_000,
  leaveMs: 250,
  closeMsMax: 10_000,
  events: {},
  lookMs: 100,
});

export interface Gateway {
  readonly url: string;
  /**
   * Answers the requests in progress, cuts off those that take longer than `closeMsMax`, and resolves when
   * every connection has ended.
   */
  close(): Promise<void>;
}

/**
 * Starts a gateway; resolves when it listens. Throws BAD_CONFIG for unusable tokens, and BAD_USAGE if it
 * cannot listen.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const limits = { ...gatewayLimits, ...options.limits };
  const access = new Access(options, options.env ?? process.env);
  const app = newApp(limits, options.log);
  const traffic = new Traffic(app.server, limits.connectionsMax);
  const events = new EventStream(() => options.bridge.service.plan.epoch, limits.events);
  const state = new State(options.refuses);
  await addRoutes(app, options, { access, traffic, events, state, limits });
  const unsubscribe = subscribe(
    { events, feed: new ChangeFeed(options.bridge, events, limits.lookMs) },
    options,
  );
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (failure) {
    unsubscribe();
    await app.close();
    throw cannotListen(failure, options);
  }
  state.phase = "open";

  const close = async (): Promise<void> => {
    state.phase = "closing";
    await traffic.leave(limits);
    unsubscribe();
    await traffic.stopListening(limits, (requests) =>
      app.log.warn({ requests }, "requests that took too long were cut off"),
    );
    await app.close();
  };
  let closed: Promise<void> | undefined;
  return {
    url: urlOf(app.server.address()),
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

class State implements GatewayState {
  phase: "starting" | "open" | "closing" = "starting";
  readonly #refuses: (() => string | undefined) | undefined;

  constructor(refuses: (() => string | undefined) | undefined) {
    this.#refuses = refuses;
  }

  get isClosing(): boolean {
    return this.phase === "closing";
  }

  get whyNotReady(): string | undefined {
    return this.phase === "open" ? this.#refuses?.() : `the gateway is ${this.phase}`;
  }
}

function newApp(limits: GatewayLimits, log: FastifyBaseLogger | undefined): App {
  const app = Fastify({
    // Fastify's own messages about listening and closed streams are logged at debug level.
    ...(log === undefined ? { logger: false } : { loggerInstance: log.child({}, { level: "warn" }) }),
    logController: new LogController({ disableRequestLogging: true }),
    // All requests share one logger, because a child logger would add cost to every call.
    childLoggerFactory: (logger) => logger,
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestMsMax,
    keepAliveTimeout: limits.keepAliveMs,
    // A request on an accepted connection is answered even while the gateway closes.
    return503OnClosing: false,
    http: {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.requestMsMax,
      connectionsCheckingInterval: 1_000,
    },
    routerOptions: { maxParamLength: 500 },
    frameworkErrors: (failure, _, reply) => void sendProblem(reply, problemFor(failure)),
    clientErrorHandler: refuseBytes,
  }).withTypeProvider<ZodTypeProvider>() as unknown as App;
  app.setValidatorCompiler(validatorCompiler);
  // The compiler checks the types of answers; their schemas only serve openapi.json.
  app.setSerializerCompiler(() => jsonText);
  app.removeContentTypeParser(["application/json", "text/plain"]);
  return app;
}

interface Parts extends Pick<RouteContext, "events" | "state"> {
  readonly access: Access;
  readonly traffic: Traffic;
  readonly limits: GatewayLimits;
}

async function addRoutes(
  app: App,
  options: GatewayOptions,
  { access, traffic, events, state, limits }: Parts,
): Promise<void> {
  const { bridge, control, files, reports, observations, onCall, log = app.log } = options;
  const context: RouteContext = {
    bridge,
    control,
    files,
    reports,
    events,
    state,
    onCall,
    log,
    caller: (request, role) => access.caller(request, role),
    needs: (role) => (request, _, done) => {
      try {
        access.caller(request, role);
        done();
      } catch (refused) {
        done(errorOf(refused));
      }
    },
  };
  answerErrors(app);
  await guardRequests(app, access, { max: options.rateLimitPerS, timeWindow: limits.rateWindowMs });
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    frameguard: { action: "deny" },
    // The gateway uses plain HTTP; a proxy that terminates TLS sends this header.
    hsts: false,
  });
  await describeRoutes(app);
  metricRoute(app, { ...context, observations, traffic });
  await app.register(healthRoutes(context));
  await app.register(pageRoutes(options.page));
  for (const routes of [
    pnlRoutes,
    eventRoutes,
    migrationRoutes,
    comparisonRoutes,
    symbolRoutes,
    validateRoutes,
    recordRoutes,
    fileRoutes,
    quarantineRoutes,
    dashboardRoutes,
    reportRoutes,
    sessionRoutes,
  ])
    await app.register(routes(context), { prefix: "/api/v1" });
}

/** Feeds the event stream; returns a function that stops it. */
function subscribe(
  { events, feed }: { readonly events: EventStream; readonly feed: ChangeFeed },
  { control, files, reports, observations }: GatewayOptions,
): () => void {
  if (observations !== undefined) observations.onComparison = events.sendComparison;
  const unsubscribeControl = control?.onEvent((event) => events.report(event.kind, event));
  const unsubscribeFiles = files?.onEvent((event) => {
    if (event.kind !== "read") events.report("files", event);
  });
  const unsubscribeReports = reports?.onReport(({ date, side, because, version, contentHash, diff }) => {
    const compared =
      diff &&
      ("error" in diff ? diff : { ok: diff.ok, counts: diff.counts, failedTotals: diff.failedTotals });
    events.report("reports", { date, side, because, version, contentHash, diff: compared });
  });
  return () => {
    feed.close();
    unsubscribeReports?.();
    unsubscribeControl?.();
    unsubscribeFiles?.();
    if (observations?.onComparison === events.sendComparison) observations.onComparison = undefined;
    events.close();
  };
}

const listenFailures: Readonly<Record<string, readonly [what: string, fix: string]>> = {
  EADDRINUSE: ["another program listens there", "end it, or name another port under gateway.listen"],
  EACCES: ["this user may not listen there", "set gateway.listen to a port above 1023"],
  EADDRNOTAVAIL: ["this machine has no such address", "set gateway.listen to one of its addresses"],
  ENOTFOUND: ["this machine has no such address", "set gateway.listen to one of its addresses"],
};

function cannotListen(failure: unknown, { host, port }: GatewayOptions): Error {
  const known = listenFailures[codeOf(failure)];
  if (known === undefined) return errorOf(failure);
  const [what, fix] = known;
  return new BridgeError("BAD_USAGE", { what, where: `${host}:${port}`, fix, cause: failure });
}

function urlOf(listening: AddressInfo | string | null): string {
  assert(typeof listening === "object" && listening !== null, "the gateway listens on a port");
  const { address, family, port } = listening;
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
