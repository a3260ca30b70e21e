import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, onRequestHookHandler } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { PnlBridge } from "../../app/bridge/pnl-bridge.ts";
import type { ControlPlane } from "../../app/control/control-plane.ts";
import type { FileService } from "../../app/files/service.ts";
import type { ReportService } from "../../app/reports/service.ts";
import type { Caller, Role } from "./access.ts";
import type { EventStream } from "./event-stream.ts";

export type GatewayBridge = Pick<PnlBridge, "service" | "evidence"> &
  Partial<Pick<PnlBridge, "database" | "dashboard" | "explainer">>;

/** The part of the control plane that the gateway uses. */
export interface GatewayControl
  extends Pick<
    ControlPlane,
    "operator" | "store" | "freshness" | "drift" | "status" | "verifyAudit" | "onEvent"
  > {
  readonly follower: { readonly record: Pick<ControlPlane["follower"]["record"], "latched"> };
}

/** The part of the file watcher that the gateway uses. */
export type GatewayFiles = Pick<
  FileService,
  "latest" | "offer" | "onEvent" | "status" | "review" | "decide" | "quarantine"
>;

/** The part of the reports that the gateway uses. */
export type GatewayReports = Pick<ReportService, "generateDailyPnl" | "onReport">;

/** One bridged call, for the log of all calls. */
export interface CallNote {
  readonly method: string;
  readonly user?: string;
  readonly book?: string;
  readonly source: "legacy" | "modern";
  readonly epoch: number;
  readonly stale: boolean;
  readonly fellBack?: string;
  readonly ms: number;
}

/** The dependencies of routes. */
export interface RouteContext {
  readonly bridge: GatewayBridge;
  readonly control: GatewayControl | undefined;
  /** Undefined if no folder is watched. */
  readonly files: GatewayFiles | undefined;
  /** Undefined if the process hands out no reports. */
  readonly reports: GatewayReports | undefined;
  readonly events: EventStream;
  /** Guards a route: refuses a caller without the role before the body of the request is read. */
  readonly needs: (role: Role) => onRequestHookHandler;
  /** The caller of a guarded route, for the audit. */
  readonly caller: (request: FastifyRequest, needs: Role) => Caller;
  readonly log: FastifyBaseLogger;
  readonly onCall: ((call: CallNote) => void) | undefined;
  readonly state: GatewayState;
}

export interface GatewayState {
  readonly isClosing: boolean;
  /** Why calls must not be sent to this process; undefined if they may. */
  readonly whyNotReady: string | undefined;
}

export type App = FastifyInstance<
  Server,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;
