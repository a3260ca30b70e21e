import type { App, RouteContext } from "../context.ts";
import { HttpProblem } from "../problems.ts";
import { comparison, comparisonId, comparisonList, comparisonQuery } from "../wire/comparisons.ts";

const tags = ["comparisons"];

/** What was compared, as the evidence store keeps it. */
export const comparisonRoutes =
  ({ bridge, needs }: RouteContext) =>
  async (app: App): Promise<void> => {
    const onRequest = needs("viewer");
    const evidence = () => {
      if (bridge.evidence !== undefined) return bridge.evidence;
      throw new HttpProblem(409, "REFUSED", "no comparisons are kept: no control store is configured", {
        mend: "name one: stores: { control: sqlite:./.pnl-bridge/control.db }",
      });
    };
    app.get(
      "/comparisons",
      {
        onRequest,
        schema: {
          operationId: "listComparisons",
          tags,
          summary: "Comparisons, newest first",
          querystring: comparisonQuery,
          response: { 200: comparisonList },
        },
      },
      async (request) => {
        const { method, verdict, limit } = request.query;
        const asked = { limit, ...(method !== undefined && { method }), ...(verdict !== undefined && { verdict }) };
        return { comparisons: await evidence().find(asked) };
      },
    );
    app.get(
      "/comparisons/:id",
      {
        onRequest,
        schema: {
          operationId: "getComparison",
          tags,
          summary: "One comparison",
          params: comparisonId,
          response: { 200: comparison },
        },
      },
      async (request) => {
        const { id } = request.params;
        const found = await evidence().get(id);
        if (found !== undefined) return found;
        throw new HttpProblem(404, "BAD_USAGE", `there is no comparison ${JSON.stringify(id)}`);
      },
    );
  };
