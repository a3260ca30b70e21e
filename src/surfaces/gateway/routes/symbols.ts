import { z } from "zod";
import { dialectOption, openSymbols, type SymbolRun, variantsOf } from "../../../app/symbols/commands.ts";
import { BridgeError } from "../../../base/errors.ts";
import type { App, RouteContext } from "../context.ts";
import { HttpProblem } from "../problems.ts";

const params = z.object({ symbol: z.string().min(1).max(300) });
const query = z.object({
  from: z.string().max(50).default("auto").describe("the symbol's dialect, or auto to find it out"),
  asOf: z
    .string()
    .max(10)
    .optional()
    .describe("the day by which one-digit years are read; today in Chicago where it is not named"),
  legacy: z.enum(["true", "false"]).default("false").describe("also what the desk's old translators would have said"),
});

/** What a symbol is called in every dialect. */
export const symbolRoutes =
  ({ needs }: RouteContext) =>
  async (app: App): Promise<void> => {
    /** The last day that was asked for: nearly always today. */
    let known: SymbolRun | undefined;
    app.get(
      "/symbols/:symbol",
      {
        onRequest: needs("viewer"),
        schema: { summary: "What one symbol is called in every dialect", params, querystring: query },
      },
      async (request) => {
        const { from, asOf, legacy } = request.query;
        const opened = await openSymbols(asOf === undefined ? {} : { asOf }).catch(asOfQuery);
        if (known?.asOf !== opened.asOf) known = opened;
        const found = variantsOf(known, request.params.symbol, sourceOf(from), legacy === "true");
        if (found.ok) return found;
        const { code, why, ...more } = found.error;
        throw new HttpProblem(404, "BAD_USAGE", `${code}: ${why}`, { symbolError: { code, why, ...more } });
      },
    );
  };

function sourceOf(from: string): ReturnType<typeof dialectOption> | "auto" {
  try {
    return dialectOption("--from", from, "auto");
  } catch (failure) {
    return asOfQuery(failure);
  }
}

/** The same complaint as of the command, which calls the query's names options. */
function asOfQuery(failure: unknown): never {
  if (!(failure instanceof BridgeError) || failure.code !== "BAD_USAGE") throw failure;
  const detail = failure.message.replace("--as-of", "querystring.asOf:").replace("--from", "querystring.from:");
  throw new HttpProblem(400, "BAD_USAGE", detail, { mend: failure.mend });
}
