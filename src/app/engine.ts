/** What `pnl-bridge/engine` exports: the engine alone, with the instrument table as the default of multipliers. */
import * as engine from "../engine/index.ts";
import { dayOfTime, describeSymbol } from "./symbols/symbols.ts";

export type {
  MatchRow,
  Method,
  PnlRequest,
  PnlResult,
  RejectedTrade,
  StatementPosition,
  TradeInput,
} from "../engine/index.ts";
export {
  formatPrice,
  isPriceNotation,
  type PriceNotation,
  parsePrice,
  priceNotations,
} from "./symbols/price-text.ts";

/**
 * As the engine's own, with what the instrument table says of a symbol that the request does not describe. One-digit years of
 * symbols are read by the time of their trade; where it has none, and in marks, by the as-of time, else by the last time that
 * a trade has.
 */
export function computePnl(request: engine.PnlRequest): engine.PnlResult {
  let fallback: ReturnType<typeof dayOfTime>;
  return engine.computePnl(request, (symbol, day) => {
    if (day !== undefined) return describeSymbol(symbol, day);
    fallback ??= dayOfTime(
      request.asOf ?? request.trades.findLast((trade) => typeof trade?.time === "string")?.time,
    );
    return describeSymbol(symbol, fallback);
  });
}
