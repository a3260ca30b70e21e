/**
 * A gateway on loopback over two scripted systems and a control store in memory, with functions to call it.
 */
import { type Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { pino } from "pino";
import { afterEach, expect } from "vitest";
import { sha256, systemClock } from "../../src/adapters/host/index.ts";
import { statusOf } from "../../src/app/control/status.ts";
import { DashboardDataBridge, type ScreenSource, serviceScreen } from "../../src/bridges/dashboard/index.ts";
import { PnLServiceBridge } from "../../src/bridges/service/index.ts";
import { defaultConfig } from "../../src/config/index.ts";
import { Operator, type ReadFacts, simpleGates, verifyAudit } from "../../src/control/index.ts";
import type { PlanInput } from "../../src/domain/migration/plan.ts";
import type { ControlStore } from "../../src/ports/control-store.ts";
import type { BridgedSystem, JsonValue } from "../../src/ports/system.ts";
import {
  type Gateway,
  type GatewayControl,
  type GatewayOptions,
  Observations,
  startGateway,
} from "../../src/surfaces/gateway/index.ts";
import { allFlags, Disk, publishedSection, readSection, switchFileOn } from "../../src/testing/fleet.ts";
import { MemoryControlPlace } from "../../src/testing/memory-control-store.ts";
import { MemoryEvidence } from "../../src/testing/memory-evidence-store.ts";

type Answerer = (method: string, request: JsonValue) => JsonValue | Promise<JsonValue>;
type ControlListener = Parameters<GatewayControl["onEvent"]>[0];

/** Everything that a test has opened; closed after the test in reverse order. */
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

const system = (name: string, answer: Answerer): BridgedSystem => ({
  name,
  kind: "module",
  methods: undefined,
  invoke: async (method, request) => answer(method, request),
  close: async () => {},
});

export interface Desk {
  readonly gateway: Gateway;
  readonly url: string;
  readonly service: PnLServiceBridge;
  readonly dashboard: DashboardDataBridge;
  readonly place: MemoryControlPlace;
  readonly store: ControlStore;
  /** The disk of the gateway's machine, which holds the switch file. */
  readonly machine: Disk;
  readonly emit: ControlListener;
  readonly evidence: ReturnType<MemoryEvidence["open"]>;
  readonly logged: { readonly facts: object; readonly message: string }[];
}

interface DeskOptions extends Partial<Omit<GatewayOptions, "bridge" | "control" | "observations">> {
  readonly legacy?: Answerer;
  readonly modern?: Answerer;
  readonly plan?: PlanInput;
  readonly withControl?: boolean;
  readonly database?: GatewayOptions["bridge"]["database"];
  readonly explainer?: GatewayOptions["bridge"]["explainer"];
  /** Reads the facts of the evidence gates. Absent: only the simple gates are judged. */
  readonly facts?: ReadFacts;
  /** The state that the control plane of the process reports; tests may change it. */
  readonly state?: { readonly drift: boolean; readonly latched: string | null };
}

export async function desk({
  legacy = () => ({ totals: {} }),
  modern = legacy,
  plan = { phase: "shadow_mode" },
  withControl = true,
  state = { drift: false, latched: null },
  database,
  explainer,
  facts,
  ...given
}: DeskOptions = {}): Promise<Desk> {
  const evidence = new MemoryEvidence().open();
  const observations = new Observations();
  const service = new PnLServiceBridge(
    {
      legacy: system("legacy", legacy),
      modern: system("modern", modern),
      plan,
      evidence,
      onComparison: observations.compared,
    },
    { clock: systemClock, load: { overload: () => undefined }, draw: () => 0 },
  );
  opened.push(service);
  const sourceOf = (side: "legacy" | "modern"): ScreenSource => ({
    dayRule: "calendar",
    allBooks: undefined,
    read: (request) =>
      serviceScreen(
        (method, asked) => service.ask(side, method, asked),
        request,
        () => "USD",
      ),
  });
  const dashboard = new DashboardDataBridge({
    core: service.core,
    legacy: { ...sourceOf("legacy"), hasTrades: async () => undefined },
    modern: sourceOf("modern"),
    pin: () => service.pin(),
    generation: () => 0,
    doubt: () => undefined,
    clock: systemClock,
    intervalMs: 100,
  });
  const place = new MemoryControlPlace(systemClock);
  const store = place.open();
  const listeners = new Set<ControlListener>();
  const machine = new Disk();
  const operator = new Operator({
    store: () => store,
    switchFile: switchFileOn(machine),
    readSection,
    gates: simpleGates,
    facts,
    owed: { owedToLegacy: () => ({ count: 0, oldestMs: 0 }) },
    quarantined: () => 0,
    alerts: { send: () => {}, settled: async () => 0 },
    clock: systemClock,
    leaseMs: 60_000,
  });
  await operator.publish(publishedSection({ plan: { phase: "read_only", flags: allFlags } }), {
    actor: "amy",
    reason: "first",
  });
  const control: GatewayControl = {
    operator,
    store,
    freshness: "fresh",
    get drift() {
      return state.drift;
    },
    follower: { record: state },
    status: () => statusOf(store, operator, { config: defaultConfig, folder: "." }, { auditHead: null }),
    verifyAudit: () => verifyAudit(store, [], sha256),
    onEvent: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const logged: { facts: object; message: string }[] = [];
  const write = (line: string): void => {
    const { msg: message, ...facts } = JSON.parse(line);
    logged.push({ facts, message });
  };
  const gateway = await startGateway({
    host: "127.0.0.1",
    port: 0,
    tokens: [],
    allowedHosts: [],
    localActor: "amy",
    rateLimitPerS: 0,
    log: pino({}, { write }),
    ...given,
    limits: { leaveMs: 0, ...given.limits },
    bridge: { service, evidence, dashboard, ...(database && { database }), ...(explainer && { explainer }) },
    control: withControl ? control : undefined,
    observations,
  });
  opened.push(gateway);
  const emit: ControlListener = (event) => {
    for (const listener of listeners) listener(event);
  };
  return { gateway, url: gateway.url, service, dashboard, place, store, machine, emit, evidence, logged };
}

/** Reads events like a page. */
export async function listen(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Listener> {
  const gone = new AbortController();
  const answer = await fetch(url, { signal: gone.signal, headers });
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  const events: { event: string; data: Record<string, unknown> }[] = [];
  const ended = (async () => {
    let text = "";
    for await (const piece of answer.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(piece).toString();
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const [, event = "", data = ""] = /^event: (.*)\ndata: (.*)$/s.exec(block) ?? [];
        if (event !== "") events.push({ event, data: JSON.parse(data) });
      }
    }
  })().catch(() => {});
  return { events, ended, close: () => gone.abort() };
}

interface Listener {
  readonly events: readonly { readonly event: string; readonly data: Record<string, unknown> }[];
  readonly ended: Promise<void>;
  close(): void;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read its members
  readonly body: any;
  readonly text: string;
}

export async function ask(
  url: string,
  method = "GET",
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const json = body === undefined ? {} : { "content-type": "application/json" };
  const answer = await fetch(url, {
    method,
    headers: { ...json, ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = /json/.test(answer.headers.get("content-type") ?? "");
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
  };
}

/** Sends a request with exactly the given headers, without those that fetch adds. */
export const raw = (
  url: string,
  headers: Readonly<Record<string, string>>,
  { method = "GET", body = "", agent }: { method?: string; body?: string; agent?: Agent } = {},
): Promise<{ status: number; body: string; connection: string | undefined }> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest(
      url,
      { method, headers, ...(agent === undefined ? {} : { agent }) },
      async (answer: IncomingMessage) => {
        let text = "";
        for await (const piece of answer) text += piece;
        resolve({ status: answer.statusCode ?? 0, body: text, connection: answer.headers.connection });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
