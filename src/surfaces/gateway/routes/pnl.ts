import type { FastifyRequest, FastifySchema } from "fastify";
import { type JsonValue, parseExact } from "../../../base/exact-json.ts";
import { shownMs } from "../../../base/shown-ms.ts";
import type { App, RouteContext } from "../context.ts";
import { readJsonBodies } from "../json-body.ts";
import { headerText, namesOfCall } from "../names-of-call.ts";
import { operation } from "../openapi.ts";
import { HttpProblem } from "../problems.ts";
import { answerOf, pnlMethods } from "../wire/pnl.ts";

/**
 * The routes of bridged calls. Numbers of a request are read from their source text, and answers contain
 * decimal text: money is never a float here. This is the hot path: the bridge receives the parsed request
 * without a copy, and the answer is written at once.
 */
export const pnlRoutes =
  ({ bridge, needs, onCall }: RouteContext) =>
  async (app: App): Promise<void> => {
    readJsonBodies(app, parseExact);
    const call: Call = (...given) => (bridge.service.call as unknown as Call).apply(bridge.service, given);
    const answerTo = async (method: string, { body, headers }: FastifyRequest): Promise<string> => {
      if (typeof body !== "object" || body === null || Array.isArray(body))
        throw new HttpProblem(400, "BAD_USAGE", "body: the request must be an object", {
          fix: "send {} for an empty request",
        });
      const { "x-pnl-user": user, "x-pnl-book": book } = headers;
      const key = {
        ...(user && { user: headerText("x-pnl-user", user) }),
        ...(book && { book: headerText("x-pnl-book", book) }),
      };
      const startedMs = onCall === undefined ? 0 : performance.now();
      const answered = await call(method, body as JsonValue, key);
      if (onCall !== undefined) {
        const { value: _, ...facts } = answered;
        onCall({ method, ...key, ...facts, ms: shownMs(performance.now() - startedMs) });
      }
      return JSON.stringify(answered);
    };
    const route = (
      url: string,
      methodOf: (request: FastifyRequest) => string,
      schema: FastifySchema,
    ): void => {
      app.route({
        method: "POST",
        url,
        onRequest: needs("viewer"),
        // Helmet's headers protect pages, and this route answers with JSON.
        helmet: false,
        schema,
        // The bridge checks the request; the schema only describes it.
        validatorCompiler: () => () => true,
        handler: async (request, reply) => {
          const answer = await answerTo(methodOf(request), request);
          reply.header("content-type", "application/json; charset=utf-8");
          reply.header("cache-control", "no-store");
          reply.header("x-content-type-options", "nosniff");
          // Fastify sends a text unchanged, without a serializer.
          return reply.send(answer);
        },
      });
    };
    for (const [method, { summary, request, value }] of Object.entries(pnlMethods))
      route(`/pnl/${method}`, () => method, {
        ...operation("pnl", method, summary),
        description: "Numbers may be JSON numbers or decimal text. Answers contain decimal text.",
        headers: namesOfCall,
        body: request,
        response: { 200: answerOf(value).describe(summary) },
      });
    // The bridge refuses any other name, and suggests the nearest one.
    route("/pnl/:method", ({ params }) => (params as { readonly method: string }).method, { hide: true });
  };

type Answer = Awaited<ReturnType<RouteContext["bridge"]["service"]["call"]>>;
/** A call of a method that is known only by name. */
type Call = (
  method: string,
  request: JsonValue,
  key: { readonly user?: string; readonly book?: string },
) => Promise<Answer>;
