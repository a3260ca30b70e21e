/** What `pnl-bridge/engine` exports: the engine alone, with the instrument table as the default of multipliers. */
import * as engine from "../engine/index.ts";
import { describeLedgerSymbol } from "../symbols/index.ts";

export type { MatchRow, Method, PnlRequest, PnlResult, RejectedTrade, StatementPosition, TradeInput } from "../engine/index.ts";
export { formatPrice, isPriceNotation, type PriceNotation, parsePrice, priceNotations } from "./price-text.ts";

/** As the engine's own, with what the instrument table says of a symbol that the request does not describe. */
export const computePnl = (request: engine.PnlRequest): engine.PnlResult => engine.computePnl(request, describeLedgerSymbol);
