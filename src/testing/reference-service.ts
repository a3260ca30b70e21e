/**
 * The service that the contract of bridged systems (system-contract.ts) calls. It imports no test framework,
 * so that every host can import it: a module in this process or in a thread, an HTTP server, a child process.
 * A host in another language implements the same table. Each method takes one JSON value and returns, or
 * promises, one:
 *
 * | method    | request              | answer                                                              |
 * |-----------|----------------------|---------------------------------------------------------------------|
 * | echo      | anything             | the request                                                         |
 * | add       | { a, b } whole, text | { sum } as text                                                     |
 * | slow      | { ms, tag }          | { tag }, after that many milliseconds; other calls run meanwhile    |
 * | fail      | { message, code? }   | an error with that message and, if given, that code                 |
 * | huge      | { bytes }            | { text } with that many characters "x"                              |
 * | numbers   | null                 | the JSON text `numbersText`, digit by digit                         |
 * | garbled   | null                 | an invalid answer: broken JSON, or in memory a function             |
 * | scribble  | { items: [] }        | modifies its request, then answers { items: their original number } |
 * | remember  | anything             | { seen: [...] }: all requests so far; all answers share the list    |
 * | hang      | null                 | never answers                                                       |
 * | burn      | { ms }               | null, after keeping its processor busy for that long                |
 * | vanish    | null                 | never answers: the service ends during the call, as in a crash      |
 *
 * The host supplies `vanish` (exit the process, cut the connections) and omits methods that it cannot offer.
 */
import type { JsonValue } from "../ports/system.ts";

export type ReferenceMethod = (request: never) => unknown;
export type ReferenceService = Readonly<Record<string, ReferenceMethod>>;

/**
 * The answer of `numbers`: two numbers that a float cannot represent, one in exponent form, and a small whole
 * one.
 */
export const numbersText = '{"tenth":0.1,"long":12345678901234567890.123,"tiny":1e-7,"whole":42}';

/** The answer of `garbled` for hosts whose answers are text. */
export const garbledText = '{"sum": 12,, oops';

/** An answer that a host sends as this text; all others are sent through `JSON.stringify`. */
export class RawText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The service for a host that exchanges JSON text; see `referenceReply`. */
export function referenceService(vanish: () => unknown): ReferenceService {
  const seen: JsonValue[] = [];
  return {
    echo: (request: JsonValue) => request,
    add: ({ a, b }: { a: string; b: string }) => ({ sum: String(BigInt(a) + BigInt(b)) }),
    slow: ({ ms, tag }: { ms: number; tag: string }) =>
      new Promise((resolve) => setTimeout(resolve, ms, { tag })),
    fail: ({ message, code }: { message: string; code?: string }) => {
      throw Object.assign(new Error(message), code === undefined ? {} : { code });
    },
    huge: ({ bytes }: { bytes: number }) => ({ text: "x".repeat(bytes) }),
    numbers: () => new RawText(numbersText),
    garbled: () => new RawText(garbledText),
    scribble: (request: { items: unknown[]; touched?: boolean }) => {
      const items = request.items.length;
      try {
        request.items.push("scribbled");
        request.touched = true;
      } catch {
        // The request is frozen, which is fine.
      }
      return { items };
    },
    remember: (request: JsonValue) => {
      seen.push(request);
      return { seen };
    },
    hang: () => new Promise(() => {}),
    burn: ({ ms }: { ms: number }) => {
      for (const until = performance.now() + ms; performance.now() < until; );
      return null;
    },
    vanish: () => {
      vanish();
      return new Promise(() => {});
    },
  };
}

/** The service for a module in this process; its answers are values in memory. It cannot vanish. */
export function moduleReference(): ReferenceService {
  const { vanish: _, ...service } = referenceService(() => {});
  return { ...service, numbers: () => JSON.parse(numbersText), garbled: () => ({ sum: () => 12 }) };
}

/** The service for a module in a thread of its own, which `vanish` ends. */
export function threadReference(): ReferenceService {
  return { ...referenceService(() => process.exit(1)), ...moduleReference() };
}

export type ReferenceReply =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly code: string | undefined; readonly message: string };

/** The reply of a JSON text host to a call: the answer's text, or the failure. Stays pending for `hang`. */
export async function referenceReply(
  service: ReferenceService,
  method: string,
  request: JsonValue,
): Promise<ReferenceReply> {
  const called = Object.hasOwn(service, method) ? service[method] : undefined;
  if (called === undefined) return { ok: false, code: "UNKNOWN_METHOD", message: `no method ${method}` };
  try {
    const answer = await called(request as never);
    return { ok: true, text: answer instanceof RawText ? answer.text : JSON.stringify(answer) };
  } catch (failure) {
    const { code, message } = failure as { readonly code?: string; readonly message: string };
    return { ok: false, code, message };
  }
}
