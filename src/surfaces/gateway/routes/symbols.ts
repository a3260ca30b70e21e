import { dialectOption, openSymbols, type SymbolRun, variantsOf } from "../../../app/symbols/commands.ts";
import { BridgeError } from "../../../base/errors.ts";
import type { App, RouteContext } from "../context.ts";
import { operation } from "../openapi.ts";
import { HttpProblem } from "../problems.ts";
import { symbolParams, symbolQuery, symbolVariants } from "../wire/symbols.ts";

/** The names of an instrument in every dialect. */
export const symbolRoutes =
  ({ needs }: RouteContext) =>
  async (app: App): Promise<void> => {
    /** The translator of the last requested day, which is nearly always today. */
    let known: SymbolRun | undefined;
    app.get(
      "/symbols/:symbol",
      {
        onRequest: needs("viewer"),
        schema: {
          ...operation("symbols", "getSymbol", "The names of one instrument in every dialect"),
          params: symbolParams,
          querystring: symbolQuery,
          response: { 200: symbolVariants },
        },
      },
      async (request) => {
        const { from, asOf, legacy } = request.query;
        const opened = await openSymbols(asOf === undefined ? {} : { asOf }).catch(throwAboutQuery);
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
    return throwAboutQuery(failure);
  }
}

/** Rethrows an error about options of the command as an error about the keys of the query. */
function throwAboutQuery(failure: unknown): never {
  if (!(failure instanceof BridgeError) || failure.code !== "BAD_USAGE") throw failure;
  const detail = failure.message
    .replace("--as-of", "querystring.asOf:")
    .replace("--from", "querystring.from:");
  throw new HttpProblem(400, "BAD_USAGE", detail, { fix: failure.fix });
}
