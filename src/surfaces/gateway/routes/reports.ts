import type { App, RouteContext } from "../context.ts";
import { headerText, namesOfCall } from "../names-of-call.ts";
import { operation } from "../openapi.ts";
import { HttpProblem } from "../problems.ts";
import { handedReport, reportParams } from "../wire/reports.ts";

/** The desk's daily Excel report, from the system that the plan gives the user. */
export const reportRoutes =
  ({ reports, needs }: RouteContext) =>
  async (app: App): Promise<void> => {
    app.get(
      "/reports/:date",
      {
        onRequest: needs("viewer"),
        schema: {
          ...operation("pnl", "getDailyReport", "Writes the Excel report of a day, and returns its path"),
          headers: namesOfCall.pick({ "x-pnl-user": true }),
          params: reportParams,
          response: { 200: handedReport },
        },
      },
      async (request, reply) => {
        if (reports === undefined)
          throw new HttpProblem(409, "REFUSED", "this process hands out no reports", {
            fix: "start it with pnl-bridge serve --config FILE, and set watch.trade_ledger",
          });
        const { actor, role } = request.tokenHolder ?? {};
        // A token that belongs to a role, and not to a person, names no user.
        const given = request.headers["x-pnl-user"];
        const user = given ? headerText("x-pnl-user", given) : actor === role ? undefined : actor;
        reply.header("cache-control", "no-store");
        return reports.generateDailyPnl(request.params.date, user);
      },
    );
  };
