import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { type JsonValue, parseExact } from "../../../base/exact-json.ts";
import type { App, RouteContext } from "../context.ts";
import { HttpProblem } from "../problems.ts";

const names = z.object({ method: z.string() });
const answer = z.object({
  value: z.unknown(),
  source: z.enum(["legacy", "modern"]),
  epoch: z.int(),
  stale: z.boolean().describe("legacy answered, and has not got all writes yet"),
  staleMs: z.number().optional(),
  fellBack: z.string().optional().describe("why legacy answered a call that modern should have"),
});

type PnlRequest = FastifyRequest<{ Params: { method: string } }>;
type Call = RouteContext["bridge"]["service"]["call"];

/**
 * Bridged calls. Numbers of a request are read from their source text, and answers hold decimal text: no money is ever a float here.
 * This is the hot path: the request goes to the bridge as it is read, and the answer is written in one piece.
 */
export const pnlRoutes =
  ({ bridge, needs, onCall }: RouteContext) =>
  async (app: App): Promise<void> => {
    app.addContentTypeParser("application/json", { parseAs: "string" }, (_, text, done) => {
      try {
        done(null, parseExact(text as string));
      } catch (failure) {
        done(failure as Error);
      }
    });
    app.route({
      method: "POST",
      url: "/pnl/:method",
      onRequest: needs("viewer"),
      // Headers for pages: an answer in JSON is none.
      ...({ helmet: false } as object),
      schema: {
        summary: "A bridged call of the P&L service",
        description:
          "The body is the method's request. Headers x-pnl-user and x-pnl-book say whose call it is: by them it is routed.",
        params: names,
        body: z.record(z.string(), z.unknown()),
        response: { 200: answer },
      },
      validatorCompiler: () => () => true,
      handler: async (request, reply) => {
        const { params, body, headers } = request as PnlRequest;
        if (typeof body !== "object" || body === null || Array.isArray(body))
          throw new HttpProblem(400, "BAD_USAGE", "body: a request is an object", {
            mend: "send {} where there is nothing to say",
          });
        const { "x-pnl-user": user, "x-pnl-book": book } = headers;
        const key = { ...(user && { user: headerText(user) }), ...(book && { book: headerText(book) }) };
        const startedMs = onCall === undefined ? 0 : performance.now();
        const answered = await (bridge.service.call as (...args: unknown[]) => ReturnType<Call>).call(
          bridge.service,
          params.method,
          body as JsonValue,
          key,
        );
        if (onCall !== undefined) {
          const { value: _, ...facts } = answered;
          onCall({ method: params.method, ...key, ...facts, ms: performance.now() - startedMs });
        }
        reply.header("content-type", "application/json; charset=utf-8");
        reply.header("cache-control", "no-store");
        reply.header("x-content-type-options", "nosniff");
        // As text, and not by a serializer: it is the whole answer already.
        return reply.send(JSON.stringify(answered) as never);
      },
    });
  };

/** Headers come a byte a character; names in them are UTF-8, as everywhere. */
const headerText = (header: string | readonly string[]): string => {
  const text = String(header);
  return /[\x80-\xff]/.test(text) ? Buffer.from(text, "latin1").toString() : text;
};
