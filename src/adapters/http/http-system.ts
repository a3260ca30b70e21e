import * as http from "node:http";
import * as https from "node:https";
import { type FailureClass, SystemFailure } from "../../domain/migration/system-failure.ts";
import type { BridgedSystem, JsonValue, SystemCall } from "../../ports/system.ts";
import { Exchange } from "./exchange.ts";
import { authorization, checkedUrl, type HttpSystemOptions, httpDefaults } from "./options.ts";
import { Redaction } from "./redaction.ts";

/**
 * A service over HTTP: `POST {url}/{method}` with the request as JSON; 2xx is the answer, read exactly; 408, 429, 502, 503 and 504 mean
 * that the service is not well (TIMEOUT, BUSY or DOWN); anything else is REFUSED with the `code` of its problem document. Connections
 * are the system's own and are kept between calls.
 *
 * Deliberately absent: redirects, cookies, compression, and repeating a call. Where a kept connection dies under a call, the call fails
 * DOWN, since the other side may have done it already.
 */
export class HttpSystem implements BridgedSystem {
  readonly kind = "http";
  readonly name: string;
  /** It does not say. */
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

  /** Throws BridgeError BAD_CONFIG where the options cannot be. */
  constructor(options: HttpSystemOptions) {
    const { name, url, answerBytesMax, connectionsMax, inFlightMax, idleMs } = { ...httpDefaults, ...options };
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
    const connections = { keepAlive: true, maxSockets: connectionsMax, maxFreeSockets: connectionsMax, timeout: idleMs };
    if (checked.protocol === "https:") {
      this.#request = https.request;
      this.#agent = new https.Agent({
        ...connections,
        // Said out loud, so that NODE_TLS_REJECT_UNAUTHORIZED cannot turn it off.
        rejectUnauthorized: options.insecureAcceptAnyCertificate !== true,
        ...(options.ca !== undefined && { ca: options.ca }),
        ...(options.serverName !== undefined && { servername: options.serverName }),
      });
    } else {
      this.#request = http.request;
      this.#agent = new http.Agent(connections);
    }
  }

  async invoke(method: string, request: JsonValue, call: SystemCall): Promise<JsonValue> {
    if (this.#closed) throw this.#failure("DOWN", "is closed");
    if (!methodPattern.test(method)) throw this.#failure("REFUSED", `there is no method ${JSON.stringify(method)}`);
    if (this.#exchanges.size >= this.#inFlightMax) throw this.#failure("BUSY", `${this.#inFlightMax} calls are under way`);
    if (call.signal?.aborted) throw this.#failure("TIMEOUT", "nobody waits for the answer any longer");
    const body = Buffer.from(JSON.stringify(request));
    const exchange: Exchange = new Exchange(
      this.#request(`${this.#base}/${method}`, {
        method: "POST",
        agent: this.#agent,
        headers: {
          ...this.#headers,
          "content-length": body.length,
          ...(Number.isFinite(call.deadlineMs) && { "x-pnl-deadline-ms": Math.max(1, Math.floor(call.deadlineMs)) }),
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
    for (const exchange of this.#exchanges) exchange.fail("DOWN", "was closed");
    this.#agent.destroy();
  }

  #failure(failure: FailureClass, why: string): SystemFailure {
    return new SystemFailure(failure, `${this.name}: ${this.#redaction.apply(why)}`);
  }
}

/** Nothing that could lead to another path. */
const methodPattern = /^[A-Za-z_$][\w$-]{0,199}(\.[\w$-]{1,200}){0,9}$/;
