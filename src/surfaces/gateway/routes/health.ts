import type { App, RouteContext } from "../context.ts";
import { operation } from "../openapi.ts";
import { alive, ready } from "../wire/health.ts";

const tag = "health";

/** Health checks for orchestrators and load balancers: open to everybody, without confidential data. */
export const healthRoutes =
  ({ bridge, control, state }: RouteContext) =>
  async (app: App): Promise<void> => {
    app.get(
      "/healthz",
      { schema: { ...operation(tag, "getHealth", "Whether the process runs"), response: { 200: alive } } },
      () => ({ alive: true as const }),
    );
    app.get(
      "/readyz",
      {
        schema: {
          ...operation(tag, "getReadiness", "Whether calls may be sent to this process"),
          response: { 200: ready, 503: ready },
        },
      },
      (_, reply) => {
        const why = state.whyNotReady ?? null;
        const { epoch, phase } = bridge.service.plan;
        reply.header("cache-control", "no-store");
        if (why !== null) reply.header("retry-after", "1");
        void reply
          .code(why === null ? 200 : 503)
          .send({ ready: why === null, why, epoch, phase, freshness: control?.freshness ?? null });
      },
    );
  };
