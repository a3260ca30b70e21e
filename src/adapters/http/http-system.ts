import type http from "node:http";
import { type FailureClass, SystemFailure } from "../../domain/migration/system-failure.ts";
import type { BridgedSystem, JsonValue, SystemCall } from "../../ports/system.ts";
import { Exchange } from "./exchange.ts";
import { authorization, checkedUrl, type HttpSystemOptions, httpDefaults } from "./options.ts";
import { Redaction } from "./redaction.ts";

/**
 * Node's modules without their ES facades. Importing `node:http` reads each of its exports, and one of them
 * loads Node's WebSocket: about 80 ms of processor time in each process, even if no system uses HTTP.
 */
const [plain, secure] = [process.getBuiltinModule("node:http"), process.getBuiltinModule("node:https")];

/**
 * A service over HTTP: `POST {url}/{method}` with the request as JSON. A 2xx answer is read exactly; 408,
 * 429, 502, 503 and 504 mean that the service cannot work now (TIMEOUT, BUSY or DOWN); any other status is
 * REFUSED with the `code` of its problem document. The system has connections of its own and keeps them
 * between calls.
 *
 * Deliberately absent: redirects, cookies, compression, and repeating a call. If a reused connection breaks
 * during a call, the call fails DOWN, since the service may already have executed it.
 */
export class HttpSystem implements BridgedSystem {
  readonly kind = "http";
  readonly name: string;
  /** Unknown, since the protocol does not list them. */
  readonly methods = undefined;
  readonly #base: string;
  readonly #agent: http.Agent;
  readonly #request: typeof http.request;
  readonly #headers: http.OutgoingHttpHeaders;
  readonly #redaction: Redaction;
  readonly #answerBytesMax: number;
  readonly #inFlightMax: number;
  readonly #exchanges = new Set<Exchange>();
  #closed = false;

  /** Throws BridgeError BAD_CONFIG for invalid options. */
  constructor(options: HttpSystemOptions) {
    const { name, url, answerBytesMax, connectionsMax, inFlightMax, idleMs } = {
      ...httpDefaults,
      ...options,
    };
    const checked = checkedUrl(name, url);
    const secret = authorization(options);
    this.name = name;
    this.#base = checked.origin + checked.pathname.replace(/\/+$/, "");
    this.#redaction = new Redaction(secret);
    this.#answerBytesMax = answerBytesMax;
    this.#inFlightMax = inFlightMax;
    this.#headers = {
      "content-type": "application/json",
      accept: "application/json",
      "accept-encoding": "identity",
      ...(secret !== undefined && { authorization: secret }),
    };
    const connections = {
      keepAlive: true,
      maxSockets: connectionsMax,
      maxFreeSockets: connectionsMax,
      timeout: idleMs,
    };
    if (checked.protocol === "https:") {
      this.#request = secure.request;
      this.#agent = new secure.Agent({
        ...connections,
        // Set explicitly, so that NODE_TLS_REJECT_UNAUTHORIZED cannot turn it off.
        rejectUnauthorized: options.insecureAcceptAnyCertificate !== true,
        ...(options.ca !== undefined && { ca: options.ca }),
        ...(options.serverName !== undefined && { servername: options.serverName }),
      });
    } else {
      this.#request = plain.request;
      this.#agent = new plain.Agent(connections);
    }
  }

  async invoke(method: string, request: JsonValue, call: SystemCall): Promise<JsonValue> {
    if (this.#closed) throw this.#failure("DOWN", "the system is closed");
    if (!methodPattern.test(method))
      throw this.#failure("REFUSED", `${JSON.stringify(method)} is not a valid method name`);
    if (this.#exchanges.size >= this.#inFlightMax)
      throw this.#failure("BUSY", `${this.#inFlightMax} calls are under way, which is the limit`);
    if (call.signal?.aborted) throw this.#failure("TIMEOUT", "the caller no longer waits for the answer");
    const body = Buffer.from(JSON.stringify(request));
    const exchange: Exchange = new Exchange(
      this.#request(`${this.#base}/${method}`, {
        method: "POST",
        agent: this.#agent,
        headers: {
          ...this.#headers,
          "content-length": body.length,
          ...(Number.isFinite(call.deadlineMs) && {
            "x-pnl-deadline-ms": Math.max(1, Math.floor(call.deadlineMs)),
          }),
        },
      }),
      body,
      call,
      {
        what: `${this.name}.${method}`,
        answerBytesMax: this.#answerBytesMax,
        redaction: this.#redaction,
        over: () => this.#exchanges.delete(exchange),
      },
    );
    this.#exchanges.add(exchange);
    return exchange.promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const exchange of this.#exchanges) exchange.fail("DOWN", "the system was closed during the call");
    this.#agent.destroy();
  }

  #failure(failure: FailureClass, why: string): SystemFailure {
    return new SystemFailure(failure, `${this.name}: ${this.#redaction.apply(why)}`);
  }
}

/** Excludes every name that could lead to another path. */
const methodPattern = /^[A-Za-z_$][\w$-]{0,199}(\.[\w$-]{1,200}){0,9}$/;
