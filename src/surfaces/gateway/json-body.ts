import { isUtf8 } from "node:buffer";
import type { FastifyRequest, onRequestHookHandler } from "fastify";
import { errorOf } from "../../base/errors.ts";
import { parseExact } from "../../base/exact-json.ts";
import type { App } from "./context.ts";
import { HttpProblem } from "./problems.ts";

/**
 * Reads the JSON bodies of all routes in a scope. `parse` receives the text of a body. Bytes that are not
 * UTF-8 are refused and never replaced, because a replacement could make two different names equal. A byte
 * order mark is skipped.
 */
export function readJsonBodies(app: App, parse: (text: string) => unknown): void {
  app.addContentTypeParser<Buffer>("application/json", { parseAs: "buffer" }, (request, bytes, done) => {
    try {
      done(null, parse(textOf(request, bytes)));
    } catch (failure) {
      done(errorOf(failure));
    }
  });
}

/**
 * Parses JSON with JavaScript numbers. An empty body is an empty object, so that the message names the first
 * missing key.
 */
export function numberJson(text: string): unknown {
  if (text === "") return {};
  // Refuses a repeated key in an object; JSON.parse would silently take the last one.
  parseExact(text);
  return JSON.parse(text);
}

/** A web page cannot send this content type without a preflight request, which the gateway never permits. */
export const isJson: onRequestHookHandler = ({ headers }, _, done) => {
  if (/^application\/json\b/i.test(headers["content-type"] ?? "")) done();
  else
    done(
      new HttpProblem(415, "BAD_USAGE", "a change must be JSON", {
        fix: "send content-type: application/json",
      }),
    );
};

function textOf({ headers }: FastifyRequest, bytes: Buffer): string {
  const { "content-type": type = "", "content-encoding": coding = "identity" } = headers;
  const charset = /;\s*charset\s*=\s*"?([^\s";]*)/i.exec(type)?.[1] ?? "utf-8";
  if (!/^utf-?8$/i.test(charset)) throw unsupported(`the charset ${JSON.stringify(charset)}`);
  if (coding !== "identity") throw unsupported(`the content encoding ${JSON.stringify(coding)}`);
  if (!isUtf8(bytes))
    throw new HttpProblem(400, "BAD_USAGE", "body: the bytes are not UTF-8", {
      fix: "encode the body as UTF-8",
    });
  const text = bytes.toString();
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

const unsupported = (what: string): HttpProblem =>
  new HttpProblem(415, "BAD_USAGE", `the body must be plain JSON in UTF-8, without ${what}`, {
    fix: "send content-type: application/json and no content-encoding",
  });
