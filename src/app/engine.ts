/**
 * The exports of `pnl-bridge/engine`: the engine alone, with multipliers from the instrument table by
 * default.
 */
import * as engine from "../engine/index.ts";
import { requestDescriber } from "./symbols/symbols.ts";

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
 * The engine's `computePnl`, which also looks up symbols that the request does not describe in the instrument
 * table. A one-digit year in a symbol is read by the time of its trade. For trades without a time and for
 * marks, it is read by the as-of time, or else by the time of the last trade that has one.
 */
export const computePnl = (request: engine.PnlRequest): engine.PnlResult =>
  engine.computePnl(request, requestDescriber(request));
