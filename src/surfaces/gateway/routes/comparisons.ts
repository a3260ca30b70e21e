import { findComparisons, keptEvidence, listed } from "../../../app/control/comparisons.ts";
import type { App, RouteContext } from "../context.ts";
import { operation } from "../openapi.ts";
import { HttpProblem } from "../problems.ts";
import { comparison, comparisonId, comparisonList, comparisonQuery } from "../wire/comparisons.ts";

const tag = "comparisons";

/** The comparisons in the evidence store. */
export const comparisonRoutes =
  ({ bridge, needs }: RouteContext) =>
  async (app: App): Promise<void> => {
    const onRequest = needs("viewer");
    app.get(
      "/comparisons",
      {
        onRequest,
        schema: {
          ...operation(tag, "listComparisons", "Comparisons, newest first"),
          querystring: comparisonQuery,
          response: { 200: comparisonList },
        },
      },
      async ({ query }) => {
        const [comparisons, counts] = await Promise.all([
          findComparisons(bridge.evidence, query),
          keptEvidence(bridge.evidence).counts(),
        ]);
        const wanted = counts.filter(
          ({ method, verdict }) =>
            (query.method ?? method) === method && (query.verdict ?? verdict) === verdict,
        );
        const total = wanted.reduce((sum, { count }) => sum + count, 0);
        return { comparisons, total: query.unit === undefined ? total : null };
      },
    );
    app.get(
      "/comparisons/:id",
      {
        onRequest,
        schema: {
          ...operation(tag, "getComparison", "One comparison"),
          params: comparisonId,
          response: { 200: comparison },
        },
      },
      async (request) => {
        const { id } = request.params;
        const found = await keptEvidence(bridge.evidence).get(id);
        if (found !== undefined) return listed(found);
        throw new HttpProblem(404, "BAD_USAGE", `the comparison ${JSON.stringify(id)} does not exist`);
      },
    );
  };
