import type { z } from "zod";
import {
  findAmong,
  findComparisons,
  keptEvidence,
  type ListedComparison,
  listed,
} from "../../../app/control/comparisons.ts";
import type { App, GatewayBridge, RouteContext } from "../context.ts";
import { operation } from "../openapi.ts";
import { HttpProblem } from "../problems.ts";
import {
  comparison,
  comparisonExplanation,
  comparisonId,
  comparisonList,
  comparisonQuery,
} from "../wire/comparisons.ts";

const tag = "comparisons";

const missing = (id: string): HttpProblem =>
  new HttpProblem(404, "BAD_USAGE", `the comparison ${JSON.stringify(id)} does not exist`);

type Wanted = Pick<z.output<typeof comparisonQuery>, "method" | "verdict">;

/**
 * Counts the comparisons with this method and verdict, pruned ones included. An absent method or verdict
 * matches all.
 */
async function countOf({ evidence }: GatewayBridge, wanted: Wanted): Promise<number> {
  const counts = await keptEvidence(evidence).counts();
  return counts
    .filter(
      ({ method, verdict }) =>
        (wanted.method ?? method) === method && (wanted.verdict ?? verdict) === verdict,
    )
    .reduce((sum, { count }) => sum + count, 0);
}

/** The name under which comparisons without a known cause are found. */
const unexplained = "unexplained";

/** The comparisons in the evidence store. */
export const comparisonRoutes =
  ({ bridge, needs }: RouteContext) =>
  async (app: App): Promise<void> => {
    const causes = (): ReadonlyMap<string, readonly string[]> => bridge.explainer?.causes ?? new Map();
    const namesOf = (codes: readonly string[]) => (codes.length === 0 ? [unexplained] : codes);
    const withCauses = (row: ListedComparison) => ({ ...row, causes: causes().get(row.id) ?? null });
    const explainedBy = (cause: string): readonly string[] =>
      [...causes()].filter(([, codes]) => namesOf(codes).includes(cause)).map(([id]) => id);
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
        const { cause, unit } = query;
        const [comparisons, total] = await Promise.all([
          cause === undefined
            ? findComparisons(bridge.evidence, query)
            : findAmong(bridge.evidence, explainedBy(cause), query),
          // The evidence has no counts by unit or cause.
          unit === undefined && cause === undefined ? countOf(bridge, query) : null,
        ]);
        const counts = new Map<string, number>();
        for (const codes of causes().values())
          for (const code of namesOf(codes)) counts.set(code, (counts.get(code) ?? 0) + 1);
        return {
          comparisons: comparisons.map(withCauses),
          total,
          causes: [...counts].map(([code, count]) => ({ code, count })),
        };
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
        if (found !== undefined) return withCauses(listed(found));
        throw missing(id);
      },
    );
    app.get(
      "/comparisons/:id/explanation",
      {
        onRequest,
        schema: {
          ...operation(tag, "explainComparison", "The causes of the differences of one comparison"),
          params: comparisonId,
          response: { 200: comparisonExplanation },
        },
      },
      async (request) => {
        const { id } = request.params;
        const { explainer } = bridge;
        if (explainer === undefined)
          throw new HttpProblem(409, "REFUSED", "this process explains no comparisons", {
            fix: "start it with pnl-bridge serve",
          });
        const explanation = await explainer.explain(id);
        if (explanation !== undefined) return explanation;
        throw missing(id);
      },
    );
  };
