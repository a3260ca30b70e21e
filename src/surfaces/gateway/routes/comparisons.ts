import { z } from "zod";
import type { App, RouteContext } from "../context.ts";
import { HttpProblem } from "../problems.ts";

const query = z.object({
  method: z.string().max(200).optional(),
  verdict: z.enum(["equal", "within_tolerance", "diverged", "error", "not_comparable"]).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});
const id = z.object({ id: z.string().min(1).max(200) });

/** What was compared, as the evidence store keeps it. */
export const comparisonRoutes =
  ({ bridge, needs }: RouteContext) =>
  async (app: App): Promise<void> => {
    const viewer = needs("viewer");
    const evidence = () => {
      if (bridge.evidence !== undefined) return bridge.evidence;
      throw new HttpProblem(409, "REFUSED", "no comparisons are kept: no control store is configured", {
        mend: "name one: stores: { control: sqlite:./.pnl-bridge/control.db }",
      });
    };
    app.get(
      "/comparisons",
      { onRequest: viewer, schema: { summary: "Comparisons, newest first", querystring: query } },
      async (request) => {
        const { method, verdict, limit } = request.query;
        const asked = { limit, ...(method !== undefined && { method }), ...(verdict !== undefined && { verdict }) };
        return { comparisons: await evidence().find(asked) };
      },
    );
    app.get("/comparisons/:id", { onRequest: viewer, schema: { summary: "One comparison", params: id } }, async (request) => {
      const found = await evidence().get(request.params.id);
      if (found === undefined)
        throw new HttpProblem(404, "BAD_USAGE", `there is no comparison ${JSON.stringify(request.params.id)}`);
      return found;
    });
  };
