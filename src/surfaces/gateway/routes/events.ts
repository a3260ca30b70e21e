import type { App, RouteContext } from "../context.ts";
import { operation } from "../openapi.ts";
import { HttpProblem } from "../problems.ts";
import { eventQuery, eventStream } from "../wire/events.ts";

/** The stream of server-sent events: first the state, then beats and changes. */
export const eventRoutes =
  ({ bridge, control, events, needs, state }: RouteContext) =>
  async (app: App): Promise<void> => {
    app.get(
      "/events",
      {
        onRequest: needs("viewer"),
        schema: {
          ...operation(
            "migration",
            "streamEvents",
            "Server-sent events: a beat each second, and every change that a page shows",
          ),
          querystring: eventQuery,
          response: {
            200: {
              description: eventStream.description,
              content: { "text/event-stream": { schema: eventStream } },
            },
          },
        },
      },
      (request, reply) => {
        if (events.isFull || state.isClosing)
          throw new HttpProblem(
            503,
            "BUSY",
            state.isClosing ? "the gateway is closing" : "the event stream has the maximum number of clients",
          );
        const { raw } = reply.hijack();
        for (const [name, value] of Object.entries(reply.getHeaders()))
          if (value !== undefined) raw.setHeader(name, value);
        raw.writeHead(200, {
          "content-type": "text/event-stream",
          // A proxy that compresses would hold events back.
          "cache-control": "no-store, no-transform",
          "x-accel-buffering": "no",
          // The connection is of no further use after the stream.
          connection: "close",
        });
        if (request.method === "HEAD") {
          raw.end();
          return;
        }
        const { epoch, phase, useNewPnlSystem } = bridge.service.plan;
        events.add(raw, request.query.comparisons, {
          now: new Date().toISOString(),
          epoch,
          phase,
          useNewPnlSystem,
          freshness: control?.freshness ?? null,
        });
      },
    );
  };
