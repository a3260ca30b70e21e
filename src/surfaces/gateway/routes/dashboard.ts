import { personName } from "../../../base/person-name.ts";
import { shownMs } from "../../../base/shown-ms.ts";
import type { App, RouteContext } from "../context.ts";
import { namesOfCall, userOf } from "../names-of-call.ts";
import { operation } from "../openapi.ts";
import { HttpProblem } from "../problems.ts";
import { dashboardAnswer, dashboardQuery } from "../wire/dashboard.ts";

/** The content of the desk's dashboards, from the system that the plan gives the user. */
export const dashboardRoutes =
  ({ bridge, caller, needs, onCall }: RouteContext) =>
  async (app: App): Promise<void> => {
    app.get(
      "/dashboard",
      {
        onRequest: needs("viewer"),
        schema: {
          ...operation("pnl", "getDashboard", "Positions, P&L and trades as a dashboard shows them"),
          headers: namesOfCall.pick({ "x-pnl-user": true }),
          querystring: dashboardQuery,
          response: { 200: dashboardAnswer },
        },
      },
      async (request, reply) => {
        const { dashboard } = bridge;
        if (dashboard === undefined)
          throw new HttpProblem(409, "REFUSED", "this process answers no dashboards", {
            fix: "start it with pnl-bridge serve",
          });
        const { beside, book, date, limit, cursor, view } = request.query;
        const user = userOf(request);
        const isWanted = beside === "true";
        const isListed = user !== undefined && dashboard.plan.userWhitelist.has(personName(user));
        if (isWanted && !isListed) caller(request, "operator");
        reply.header("cache-control", "no-store");
        const startedMs = performance.now();
        const names = { ...(user !== undefined && { user }), ...(book !== undefined && { book }) };
        const answer = await dashboard.getPnlData({
          ...{ ...names, view, beside: isWanted },
          ...(date !== undefined && { date }),
          ...(limit !== undefined && { limit }),
          ...(cursor !== undefined && { cursor }),
        });
        const { source, epoch, stale, fellBack } = answer;
        const ms = shownMs(performance.now() - startedMs);
        onCall?.({
          ...{ method: "dashboard", ...names, source, epoch, stale, ms },
          ...(fellBack !== undefined && { fellBack }),
        });
        return answer;
      },
    );
  };
