import rateLimit, { normalizeIP } from "@fastify/rate-limit";
import { errorOf } from "../../base/errors.ts";
import type { Access, Caller } from "./access.ts";
import type { App } from "./context.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The holder of the request's token; undefined without a valid one. */
    tokenHolder: Caller | undefined;
  }
}

/** Routes that orchestrators probe often, without a rate limit. */
const probes: ReadonlySet<string | undefined> = new Set(["/healthz", "/readyz"]);

/**
 * Identifies the caller of each request, limits its rate, and refuses requests that web pages of another
 * origin send, before any route runs.
 */
export async function guardRequests(
  app: App,
  access: Access,
  rate: { readonly max: number; readonly timeWindow: number },
): Promise<void> {
  app.decorateRequest("tokenHolder", undefined);
  app.addHook("onRequest", (request, _, done) => {
    request.tokenHolder = access.holderOf(request.headers.authorization);
    done();
  });
  if (rate.max > 0) {
    await app.register(rateLimit, {
      // A hook for all requests: a limit per route would run after authentication, and never for unknown
      // routes.
      global: false,
      ...rate,
      keyGenerator: ({ tokenHolder, ip }) =>
        tokenHolder === undefined ? `address ${normalizeIP(ip)}` : `token of ${tokenHolder.actor}`,
      allowList: ({ routeOptions }) => probes.has(routeOptions.url),
      errorResponseBuilder: (_, { max }) =>
        Object.assign(new Error(`the caller sent more than ${max} requests in a second`), {
          statusCode: 429,
        }),
    });
    app.addHook("onRequest", app.rateLimit());
  }
  app.addHook("onRequest", (request, _, done) => {
    try {
      access.checkOrigin(request.headers);
      done();
    } catch (refused) {
      done(errorOf(refused));
    }
  });
}
