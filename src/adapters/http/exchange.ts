import type { ClientRequest, IncomingMessage } from "node:http";
import { parseExact } from "../../base/exact-json.ts";
import {
  type FailureClass,
  type FailureDetails,
  SystemFailure,
} from "../../domain/migration/system-failure.ts";
import { Pending } from "../../platform/pending.ts";
import type { JsonValue, SystemCall } from "../../ports/system.ts";
import type { Redaction } from "./redaction.ts";

interface ExchangeOptions {
  /** System and method, for messages: "desk.totals". */
  readonly what: string;
  readonly answerBytesMax: number;
  readonly redaction: Redaction;
  /** Called once, when the exchange has settled. */
  readonly over: () => void;
}

/** The number of bytes to read of a refusal, of which only the code and the message are used. */
const refusalBytesMax = 64 * 2 ** 10;
type Details = Pick<FailureDetails, "code" | "blamesRequest">;

/**
 * One request and its answer. It settles once: with the answer, or with the first failure, which also ends
 * the connection, since later bytes on it would belong to no call. Failures carry only text: Node's errors
 * keep references to sockets and to received bytes.
 */
export class Exchange {
  readonly #request: ClientRequest;
  readonly #options: ExchangeOptions;
  readonly #pending: Pending<JsonValue>;

  /** Sends the body. The signal must not be aborted yet. */
  constructor(
    request: ClientRequest,
    body: Buffer,
    { deadlineMs, signal }: SystemCall,
    options: ExchangeOptions,
  ) {
    this.#request = request;
    this.#options = options;
    // The deadline covers waiting for a connection, connecting, headers and body.
    this.#pending = new Pending({
      deadlineMs,
      signal,
      givenUp: (why) =>
        this.#failure(
          "TIMEOUT",
          why === "abort"
            ? "the caller no longer waits for the answer"
            : `the service did not answer within ${deadlineMs} ms`,
        ),
      onSettled: (isGivenUp) => {
        options.over();
        if (isGivenUp) request.destroy();
      },
    });
    request.on("error", (failure) => this.#onConnectionError(failure));
    request.on("close", () => this.fail("DOWN", "the connection ended without an answer"));
    request.on("response", (response) => this.#respond(response));
    request.end(body);
  }

  get promise(): Promise<JsonValue> {
    return this.#pending.promise;
  }

  fail(failure: FailureClass, why: string, details: Details = {}): void {
    if (this.#pending.fail(this.#failure(failure, why, details))) this.#request.destroy();
  }

  #failure(failure: FailureClass, why: string, { code, ...details }: Details = {}): SystemFailure {
    const { what, redaction } = this.#options;
    const known =
      code === undefined ? details : { ...details, code: redaction.apply(code).slice(0, codeLengthMax) };
    return new SystemFailure(failure, `${what}: ${redaction.apply(why)}`, known);
  }

  #respond(response: IncomingMessage): void {
    const { statusCode: status = 0 } = response;
    response.on("error", (failure) => this.#onConnectionError(failure));
    response.on("close", () => this.fail("DOWN", "the connection ended during the answer"));
    if (status >= 400) {
      const refused = (body: Buffer): void => this.#refused(status, body);
      this.#read(response, refusalBytesMax, refused, () => refused(Buffer.alloc(0)));
    } else if (status >= 300)
      this.fail("REFUSED", `the answer is a redirect (${status}), which is not followed`, {
        code: codeOf(status),
      });
    else this.#readAnswer(response);
  }

  #readAnswer(response: IncomingMessage): void {
    const { "content-encoding": encoding = "identity", "content-length": length } = response.headers;
    const { answerBytesMax } = this.#options;
    const tooLarge = (): void => this.fail("TOO_LARGE", `the answer has more than ${answerBytesMax} bytes`);
    if (encoding !== "identity")
      this.fail("GARBLED", "the answer has a content encoding that was not requested");
    else if (Number(length) > answerBytesMax) tooLarge();
    else
      this.#read(
        response,
        answerBytesMax,
        (body) => this.#settleAnswer(response.statusCode === 204 ? emptyBody : body),
        tooLarge,
      );
  }

  #read(
    response: IncomingMessage,
    bytesMax: number,
    onComplete: (body: Buffer) => void,
    tooLarge: () => void,
  ): void {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bytesMax) chunks.push(chunk);
      else tooLarge();
    });
    response.on("end", () => {
      if (response.complete && !this.#pending.isSettled) onComplete(Buffer.concat(chunks));
    });
  }

  #settleAnswer(body: Buffer): void {
    let answer: JsonValue;
    try {
      answer = parseExact(utf8.decode(body));
    } catch (failure) {
      const why = failure instanceof SyntaxError ? failure.message : "it is not UTF-8";
      this.fail("GARBLED", `the answer is not JSON: ${why}`);
      return;
    }
    this.#pending.answer(answer);
  }

  #refused(status: number, body: Buffer): void {
    const { code, message = `the service answered with status ${status}` } = problemOf(body);
    const unavailable = unavailableStatuses[status];
    // With such a status the code may come from a proxy and not from the service.
    if (unavailable !== undefined) this.fail(unavailable, message, { code: codeOf(status) });
    else
      this.fail("REFUSED", message, {
        code: code ?? codeOf(status),
        ...(requestStatuses.has(status) && { blamesRequest: true }),
      });
  }

  #onConnectionError(failure: NodeJS.ErrnoException): void {
    const { code = "", message } = failure;
    if (code === "HPE_HEADER_OVERFLOW") this.fail("TOO_LARGE", "the headers of the answer are too large");
    else if (code.startsWith("HPE_")) this.fail("GARBLED", `the answer is not HTTP: ${code}`);
    else this.fail("DOWN", message === "" ? code : message);
  }
}

/**
 * Statuses with which a service, or a proxy before it, reports that it cannot work now. All others from 400
 * on are refusals.
 */
const unavailableStatuses: Readonly<Record<number, FailureClass>> = {
  408: "TIMEOUT",
  429: "BUSY",
  502: "DOWN",
  503: "BUSY",
  504: "TIMEOUT",
};
/** Statuses of a refusal that blame the request. */
const requestStatuses: ReadonlySet<number> = new Set([400, 413, 415, 422]);

/** The service's own code and message from a problem document (RFC 9457), as far as present. */
function problemOf(body: Buffer): {
  readonly code: string | undefined;
  readonly message: string | undefined;
} {
  try {
    const { code, detail, message, title }: Readonly<Record<string, unknown>> = JSON.parse(body.toString());
    return { code: textOf(code), message: textOf(detail) ?? textOf(message) ?? textOf(title) };
  } catch {
    return { code: undefined, message: undefined };
  }
}

/** The body of a 204 answer, which has no content. */
const emptyBody = Buffer.from("null");
const codeLengthMax = 100;
const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;
const codeOf = (status: number): string => `HTTP_${status}`;
const utf8 = new TextDecoder("utf-8", { fatal: true });
