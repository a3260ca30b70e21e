import type { App, RouteContext } from "../context.ts";
import { namesOfCall, userOf } from "../names-of-call.ts";
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
        reply.header("cache-control", "no-store");
        return reports.generateDailyPnl(request.params.date, userOf(request));
      },
    );
  };
