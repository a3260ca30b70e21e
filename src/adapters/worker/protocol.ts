/**
 * The worker protocol, version 1: JSON-RPC 2.0, one message a line of UTF-8, requests on the worker's stdin,
 * responses on its stdout, in any order. Any other output of a worker goes to its stderr. The bridge sends
 * `initialize` first and waits for its answer.
 *
 * → once
 *   {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":1,"readOnly":true,
 *    "client":"pnl-bridge","answerBytesMax":33554432,"methods":["calculatePnl"]}}
 * ←
 *   {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":1,"name":"desk","methods":["calculatePnl"],
 *    "concurrency":4}}
 * → for each call
 *   {"jsonrpc":"2.0","id":7,"method":"call",
 *    "params":{"method":"calculatePnl","deadlineMs":250,"request":{…}}}
 * ← the answer
 *   {"jsonrpc":"2.0","id":7,"result":…}
 * ← or the error
 *   {"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"no price",
 *    "data":{"class":"KeyError","code":"NO_PRICE"}}}
 *
 * `methods` in the request: the only methods that the worker offers; absent: all public ones. `found` in the
 * answer is optional: a list of `{"name","parameters":["limit=100"],"leftOut":"it is private"}`, one entry
 * for each method of the object, for `doctor`.
 *
 * `readOnly`: the worker must change nothing. `answerBytesMax`: a longer line is not read. `methods` absent
 * or null in the answer: the methods are unknown. `concurrency`: the maximum number of calls sent to the
 * worker at a time, the others wait in the bridge; absent: the bridge's own limit. `deadlineMs` counts from
 * the sending of the message; an answer after it has no effect, and a worker that stays silent beyond it is
 * killed. `message`, `data.class` and `data.code` are optional. At the end of its stdin the worker must end.
 *
 * A response has its id at the beginning (after "jsonrpc", before "result" or "error") or at the end, so that
 * even an answer that is too long or broken can be assigned to its call. Numbers are read from their text,
 * never through a float (`src/base/exact-json.ts`).
 */
import { type JsonValue, parseExact } from "../../base/exact-json.ts";
import { plain } from "../../base/plain-text.ts";
import { type FailureClass, SystemFailure } from "../../domain/migration/system-failure.ts";
import type { FoundMethod } from "../../ports/system.ts";

const protocolVersion = 1;
export const initializeId = 0;

/** The meaning of the protocol's error codes; every other code is a refusal of the system itself. */
export const workerErrors: Readonly<
  Record<string, { readonly failure: FailureClass; readonly code?: string; readonly means: string }>
> = {
  "-32601": { failure: "REFUSED", code: "UNKNOWN_METHOD", means: "there is no such method" },
  "-32602": { failure: "REFUSED", code: "BAD_REQUEST", means: "the request does not fit the method" },
  "-32000": { failure: "REFUSED", means: "the method failed; data.class and data.code say how" },
  "-32001": { failure: "TIMEOUT", means: "the deadline was over before the method could begin" },
  "-32002": {
    failure: "TOO_LARGE",
    means: "the answer, or the request, is longer than the worker may write or read",
  },
  "-32003": { failure: "BUSY", means: "too many calls wait in the worker" },
  "-32004": {
    failure: "REFUSED",
    code: "READ_ONLY",
    means: "the method writes, and the bridge asked for reading only",
  },
  "-32005": { failure: "GARBLED", means: "the answer of the method cannot be written as JSON" },
};

export const initializeLine = (params: {
  readonly readOnly: boolean;
  readonly client: string;
  readonly answerBytesMax: number;
  readonly methods: readonly string[] | undefined;
}): string =>
  `${JSON.stringify({
    jsonrpc: "2.0",
    id: initializeId,
    method: "initialize",
    params: { protocolVersion, ...params },
  })}\n`;

/** `request` is JSON text, inserted as it is. */
export const callLine = (id: number, method: string, deadlineMs: number, request: string): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"call","params":{"method":${JSON.stringify(method)},` +
  `"deadlineMs":${deadlineMs},"request":${request}}}\n`;

export type WorkerMessage =
  | { readonly kind: "answer"; readonly id: number; readonly result: JsonValue }
  | { readonly kind: "failure"; readonly id: number; readonly failure: SystemFailure }
  /** A response to this call that is neither a result nor an error. */
  | { readonly kind: "broken"; readonly id: number; readonly why: string }
  /** Not a message of the protocol, such as a print to stdout. */
  | { readonly kind: "garbage"; readonly why: string };

/** Reads one line of a worker's stdout. */
export function readMessage(line: Buffer): WorkerMessage {
  let at = 0;
  while (line[at] === 0x20 || line[at] === 0x09) at += 1;
  if (line[at] !== 0x7b) return { kind: "garbage", why: "it is not a JSON object" };
  let message: JsonValue;
  try {
    message = parseExact(utf8.decode(line));
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message : "it is not UTF-8";
    const id = idOfPieces(line.subarray(0, pieceBytes), line.subarray(-pieceBytes));
    return id === undefined ? { kind: "garbage", why } : { kind: "broken", id, why };
  }
  if (!isObject(message)) return { kind: "garbage", why: "it is not a JSON object" };
  const { jsonrpc, id, method, result, error } = message;
  if (jsonrpc !== "2.0") return { kind: "garbage", why: "it is not JSON-RPC 2.0" };
  if (method !== undefined) return { kind: "garbage", why: "it is a request, not an answer" };
  if (typeof id !== "number") return { kind: "garbage", why: "its id is not a number" };
  // Some libraries write both fields and set one of them to null.
  const failed = error !== undefined && error !== null;
  if (!failed && result !== undefined) return { kind: "answer", id, result };
  if (failed && (result === undefined || result === null))
    return { kind: "failure", id, failure: failureOf(error) };
  return {
    kind: "broken",
    id,
    why: failed ? "it has a result and an error" : "it has neither a result nor an error",
  };
}

/** How many bytes of the beginning and the end of a line are searched for the id of its call. */
export const pieceBytes = 256;

/** The id of the call that a line answers, from its beginning and end; undefined if they do not show it. */
export function idOfPieces(head: Buffer, tail: Buffer): number | undefined {
  const start = head.toString("latin1");
  const [, first] = idFirst.exec(start) ?? [];
  if (first !== undefined) return Number(first);
  if (!idElsewhere.test(start)) return undefined;
  const [, last] = idLast.exec(tail.toString("latin1")) ?? [];
  return last === undefined ? undefined : Number(last);
}

const version = String.raw`"jsonrpc"\s*:\s*"2\.0"\s*,\s*`;
const outcome = String.raw`"(?:result|error)"\s*:`;
const idFirst = new RegExp(
  String.raw`^\s*\{\s*(?:${version})?"id"\s*:\s*(\d{1,15})\s*,\s*(?:${version})?${outcome}`,
);
const idElsewhere = new RegExp(String.raw`^\s*\{\s*${version}${outcome}`);
const idLast = /,\s*"id"\s*:\s*(\d{1,15})\s*\}\s*$/;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function failureOf(error: JsonValue): SystemFailure {
  const { code, message, data }: JsonObject = isObject(error) ? error : {};
  const more = isObject(data) ? data : {};
  const known = Object.hasOwn(workerErrors, String(code)) ? workerErrors[String(code)] : undefined;
  const what =
    typeof message === "string" && message !== "" ? message : (known?.means ?? "an error without a message");
  const own = [more.code, more.class, known?.code].find(
    (name): name is string => typeof name === "string" && name !== "",
  );
  const named = own ?? (known === undefined ? String(code) : undefined);
  return new SystemFailure(
    known?.failure ?? "REFUSED",
    shortened(what),
    named === undefined ? {} : { code: shortened(named, 100) },
  );
}

type JsonObject = { readonly [key: string]: JsonValue };

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A text of a worker, without control characters, on one line of bounded length. */
export function shortened(text: string, lengthMax = 500): string {
  const harmless = plain(text.slice(0, lengthMax));
  return text.length > lengthMax || harmless.length > 2 * lengthMax
    ? `${harmless.slice(0, 2 * lengthMax)}…`
    : harmless;
}

/** The worker's introduction of itself. */
interface Introduction {
  readonly name: string;
  readonly methods: ReadonlySet<string> | undefined;
  readonly concurrency: number | undefined;
  readonly found: readonly FoundMethod[] | undefined;
}

const methodsMax = 10_000;

/** Reads the answer to `initialize`; returns a text that describes the error if it is not valid. */
export function readIntroduction(result: JsonValue): Introduction | string {
  if (!isObject(result)) return "its answer to initialize is not an object";
  const { protocolVersion: spoken, name, methods, concurrency, found } = result;
  if (spoken !== protocolVersion)
    return (
      `it uses version ${shortened(JSON.stringify(spoken) ?? "(none)", 40)} of the worker protocol, ` +
      `and this bridge uses version ${protocolVersion}`
    );
  const listed: readonly JsonValue[] | undefined = Array.isArray(methods) ? methods : undefined;
  const named = listed?.filter((method) => typeof method === "string");
  if (methods !== undefined && methods !== null && (named === undefined || named.length !== listed?.length))
    return "the methods in its answer to initialize are not a list of names";
  if (named !== undefined && named.length > methodsMax) return `it has more than ${methodsMax} methods`;
  if (concurrency !== undefined && !(typeof concurrency === "number" && concurrency >= 1))
    return "the concurrency in its answer to initialize is not a whole number of 1 or more";
  return {
    name: typeof name === "string" ? shortened(name, 100) : "",
    methods: named && new Set(named),
    concurrency,
    found: Array.isArray(found) ? found.slice(0, methodsMax).flatMap(foundMethod) : undefined,
  };
}

/**
 * The description of a method, or nothing if it is not valid; it is informative only, no call depends on it.
 */
function foundMethod(given: JsonValue): readonly FoundMethod[] {
  if (!isObject(given) || typeof given.name !== "string") return [];
  const { name, parameters, leftOut } = given;
  const listed: readonly JsonValue[] | undefined = Array.isArray(parameters) ? parameters : undefined;
  return [
    {
      name: shortened(name, 100),
      parameters: listed?.filter((one) => typeof one === "string").map((one) => shortened(one, 100)),
      ...(typeof leftOut === "string" && { leftOut: shortened(leftOut, 200) }),
    },
  ];
}
