/** What `pnl-bridge/engine` exports: the engine alone, with the instrument table as the default of multipliers. */
import * as engine from "../engine/index.ts";
import { dayOfTime, describeSymbol } from "./symbols/symbols.ts";

export type { MatchRow, Method, PnlRequest, PnlResult, RejectedTrade, StatementPosition, TradeInput } from "../engine/index.ts";
export { formatPrice, isPriceNotation, type PriceNotation, parsePrice, priceNotations } from "./symbols/price-text.ts";

/**
 * As the engine's own, with what the instrument table says of a symbol that the request does not describe. One-digit years of
 * symbols are read by the as-of time, else by the time of the last trade that has one.
 */
export function computePnl(request: engine.PnlRequest): engine.PnlResult {
  const asOf = dayOfTime(request.asOf ?? request.trades.findLast((trade) => typeof trade?.time === "string")?.time);
  const known = new Map<string, ReturnType<typeof describeSymbol>>();
  return engine.computePnl(request, (symbol) => {
    if (!known.has(symbol)) known.set(symbol, describeSymbol(symbol, asOf));
    return known.get(symbol);
  });
}
