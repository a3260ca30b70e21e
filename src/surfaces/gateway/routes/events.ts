import { z } from "zod";
import type { App, RouteContext } from "../context.ts";
import { eventText } from "../event-stream.ts";
import { HttpProblem } from "../problems.ts";

const query = z.object({ comparisons: z.enum(["differing", "all", "none"]).default("differing") });

/** What happens, as it happens: first what holds now, then each change of plan and of freshness, and comparisons. */
export const eventRoutes =
  ({ bridge, control, events, needs, state }: RouteContext) =>
  async (app: App): Promise<void> => {
    app.get(
      "/events",
      {
        onRequest: needs("viewer"),
        schema: {
          summary: "Server-sent events: plan, freshness, comparison, and what fails of the control plane",
          querystring: query,
        },
      },
      (request, reply) => {
        if (events.isFull || state.isClosing)
          throw new HttpProblem(503, "BUSY", state.isClosing ? "the gateway is closing" : "too many clients listen already");
        reply.hijack();
        const { raw } = reply;
        for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
        raw.writeHead(200, {
          "content-type": "text/event-stream",
          "cache-control": "no-store",
          "x-accel-buffering": "no",
          // When it ends, there is nothing more to ask for.
          connection: "close",
        });
        const { epoch, phase, useNewPnlSystem } = bridge.service.plan;
        raw.write(
          `retry: 1000\n\n${eventText("hello", { epoch, phase, useNewPnlSystem, freshness: control?.freshness ?? null })}`,
        );
        events.add(raw, request.query.comparisons);
      },
    );
  };
