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

/** Routes that orchestrators probe often; no limit applies to them. */
const probes: ReadonlySet<string | undefined> = new Set(["/healthz", "/readyz"]);

/** Recognises the caller of each request, limits its rate, and refuses foreign pages, before any route is asked. */
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
      // Not route by route, where it would come after authentication, and never to requests without a route.
      global: false,
      ...rate,
      keyGenerator: ({ tokenHolder, ip }) =>
        tokenHolder === undefined ? `address ${normalizeIP(ip)}` : `token of ${tokenHolder.actor}`,
      allowList: ({ routeOptions }) => probes.has(routeOptions.url),
      errorResponseBuilder: (_, { max }) => Object.assign(new Error(`more than ${max} requests a second`), { statusCode: 429 }),
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
