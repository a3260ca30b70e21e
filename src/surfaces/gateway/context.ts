import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, onRequestHookHandler } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { PnlBridge } from "../../app/bridge/pnl-bridge.ts";
import type { ControlPlane } from "../../app/control/control-plane.ts";
import type { Caller, Role } from "./access.ts";
import type { EventStream } from "./event-stream.ts";

export type GatewayBridge = Pick<PnlBridge, "service" | "evidence">;
/** What of the control plane is reached over HTTP. */
export type GatewayControl = Pick<ControlPlane, "operator" | "store" | "freshness" | "status" | "onEvent">;

export interface GatewayLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** One bridged call, for who keeps a log of all. */
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

/** What routes are made with. */
export interface RouteContext {
  readonly bridge: GatewayBridge;
  readonly control: GatewayControl | undefined;
  readonly events: EventStream;
  /** Stands before each route that is not open to everybody: nothing is read of a request that may not be made. */
  readonly needs: (role: Role) => onRequestHookHandler;
  /** Who asks, for the audit. */
  readonly caller: (request: FastifyRequest, needs: Role) => Caller;
  readonly log: GatewayLog;
  readonly onCall: ((call: CallNote) => void) | undefined;
  readonly state: GatewayState;
}

export interface GatewayState {
  readonly isClosing: boolean;
  /** Why it is not ready; undefined where it is. */
  readonly whyNotReady: string | undefined;
}

export type App = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>;
