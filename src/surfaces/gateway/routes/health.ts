import { z } from "zod";
import type { App, RouteContext } from "../context.ts";

const ready = z.object({
  ready: z.boolean(),
  why: z.string().nullable(),
  epoch: z.int(),
  phase: z.string(),
  freshness: z.string().nullable().describe("how well the plan is known; null where no control store is configured"),
});

/** For who restarts processes and who balances load: open to everybody, and without a word that is not everybody's. */
export const healthRoutes =
  ({ bridge, control, state }: RouteContext) =>
  async (app: App): Promise<void> => {
    app.get(
      "/healthz",
      { schema: { summary: "The process lives", response: { 200: z.object({ alive: z.literal(true) }) } } },
      () => ({
        alive: true as const,
      }),
    );
    app.get(
      "/readyz",
      { schema: { summary: "Whether calls may be sent here", response: { 200: ready, 503: ready } } },
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
