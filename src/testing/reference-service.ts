/**
 * The service that the contract of bridged systems (system-contract.ts) calls. It knows no test framework, so that whoever hosts it
 * may import it: a module in this process or in a thread, an HTTP server, a child process. A host in another language builds the
 * same table. Each method takes one JSON value and gives, or promises, one:
 *
 * | method    | request              | answer                                                                                |
 * |-----------|----------------------|---------------------------------------------------------------------------------------|
 * | echo      | anything             | the request                                                                           |
 * | add       | { a, b } whole, text | { sum } as text                                                                       |
 * | slow      | { ms, tag }          | { tag }, after so many milliseconds, while other calls go on                          |
 * | fail      | { message, code? }   | an error of its own with that message and, where given, that code                     |
 * | huge      | { bytes }            | { text } of so many characters "x"                                                    |
 * | numbers   | null                 | the JSON text `numbersText` as it stands, digit by digit                              |
 * | garbled   | null                 | what is no answer: broken JSON, or in memory a function                               |
 * | scribble  | { items: [] }        | changes its request as it likes, then answers { items: how many there were }          |
 * | remember  | anything             | { seen: [...] }: all requests so far, always the same list of the service's own       |
 * | hang      | null                 | nothing, ever                                                                         |
 * | burn      | { ms }               | null, after keeping its processor busy for so long                                    |
 * | vanish    | null                 | nothing: the whole service goes away in the middle of the call, as if it had crashed  |
 *
 * The host supplies `vanish` (exit the process, cut the connections) and leaves a method out that it cannot offer.
 */
import type { JsonValue } from "../ports/system.ts";

export type ReferenceMethod = (request: never) => unknown;
export type ReferenceService = Readonly<Record<string, ReferenceMethod>>;

/** What `numbers` answers: two numbers that no float holds, one in exponent form, and a small whole one. */
export const numbersText = '{"tenth":0.1,"long":12345678901234567890.123,"tiny":1e-7,"whole":42}';

/** What `garbled` answers where answers are text. */
export const garbledText = '{"sum": 12,, oops';

/** Answer text that a host sends as it stands, where everything else goes through `JSON.stringify`. */
export class RawText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The service for a host that speaks JSON text; see `referenceReply`. */
export function referenceService(vanish: () => unknown): ReferenceService {
  const seen: JsonValue[] = [];
  return {
    echo: (request: JsonValue) => request,
    add: ({ a, b }: { a: string; b: string }) => ({ sum: String(BigInt(a) + BigInt(b)) }),
    slow: ({ ms, tag }: { ms: number; tag: string }) => new Promise((resolve) => setTimeout(resolve, ms, { tag })),
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
        // Frozen: so much the better.
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

/** The service as an object whose answers are values in memory: for a module in this process. It cannot vanish. */
export function moduleReference(): ReferenceService {
  const { vanish: _, ...service } = referenceService(() => {});
  return { ...service, numbers: () => JSON.parse(numbersText), garbled: () => ({ sum: () => 12 }) };
}

/** The same for a module in a thread of its own, where leaving ends the thread. */
export function threadReference(): ReferenceService {
  return { ...referenceService(() => process.exit(1)), ...moduleReference() };
}

export type ReferenceReply =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly code: string | undefined; readonly message: string };

/** What a host that speaks JSON text has to send for a call: the answer's text, or the failure. Pending for ever for `hang`. */
export async function referenceReply(service: ReferenceService, method: string, request: JsonValue): Promise<ReferenceReply> {
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
