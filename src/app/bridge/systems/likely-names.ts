/**
 * Names that desks use for the fields and methods of the bridge. `doctor` bases its proposals on them; they
 * never decide what is called or converted. Names are compared without case and punctuation: `avg_price`
 * equals `avgPrice`.
 */
import { nearest } from "../../../base/nearest.ts";
import type { PnlMethod } from "../../../ports/pnl-service.ts";

/** Other names of each field, in lower case without punctuation. */
export const fieldNames: Readonly<Record<string, readonly string[]>> = {
  symbol: ["instrument", "instrumentname", "ticker", "security", "contract", "bloombergsymbol"],
  quantity: [
    "qty",
    "position",
    "positionquantity",
    "netquantity",
    "netposition",
    "openposition",
    "signedquantity",
    "size",
  ],
  averagePrice: ["avgprice", "avgcost", "averagecost", "averageentryprice", "entryprice", "cost"],
  realized: ["realizedpnl", "totalrealizedpnl", "realised", "realisedpnl", "dailyrealized"],
  unrealized: ["unrealizedpnl", "totalunrealizedpnl", "unrealised", "unrealisedpnl", "openpnl"],
  total: ["totalpnl", "totaldailypnl", "dailypnl", "netpnl", "pnl"],
  tradingDay: ["date", "tradedate", "pnldate", "snapshotdate", "day"],
  id: ["tradeid", "transactionid", "executionid", "tradenumber"],
  side: ["buysell", "direction", "action"],
  price: ["tradeprice", "executionprice", "px"],
  time: ["markettradetime", "timestamp", "tradetimestamp", "tradetime", "executiontime", "datetime"],
  book: ["account", "portfolio", "tradingbook"],
  positions: ["openpositions", "rows", "data"],
  trades: ["tradehistory", "history", "rows", "data"],
  daily: ["dailypnl", "days", "history", "rows", "data"],
  position: ["detail", "data"],
  totals: ["totalpnl", "summary", "data"],
};

const methods: Readonly<Record<PnlMethod, readonly string[]>> = {
  calculatePnl: ["computepnl", "getpnl", "calcpnl", "pnl"],
  openPositions: ["getopenpositions", "getpositions", "listpositions", "positions"],
  tradeHistory: ["gettradehistory", "gettrades", "listtrades", "trades"],
  dailyPnl: ["getdailypnlhistory", "getdailypnl", "dailypnlhistory", "getpnlhistory"],
  totals: ["gettotals", "gettotalhistoricpnl", "gettotalpnl", "totalpnl", "gettodayspnl"],
  positionDetail: [
    "getpositionswithlots",
    "getpositiondetail",
    "getpositiondetails",
    "getposition",
    "positionwithlots",
  ],
};

/** The field that most likely corresponds to the bridge's field `wanted`; undefined if none does. */
export const likelyField = (wanted: string, available: readonly string[]): string | undefined =>
  likely(wanted, fieldNames[wanted] ?? [], available) ?? nearest(wanted, available);

/** The method that most likely corresponds to the bridge's method `wanted`; undefined if none does. */
export const likelyMethod = (wanted: PnlMethod, available: readonly string[]): string | undefined =>
  likely(wanted, methods[wanted], available);

/**
 * The bridge's name of a desk's field of a trade, such as `side` for `buySell`; undefined if the bridge has
 * none or uses the same name.
 */
export const bridgeFieldOf = (theirs: string): string | undefined =>
  Object.keys(fieldNames).find(
    (ours) => ours !== theirs && likely(ours, fieldNames[ours] ?? [], [theirs]) !== undefined,
  );

function likely(wanted: string, names: readonly string[], available: readonly string[]): string | undefined {
  for (const name of [plainName(wanted), ...names]) {
    const found = available.find((one) => plainName(one) === name);
    if (found !== undefined) return found;
  }
  return undefined;
}

const plainName = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

const writing =
  "add|apply|archive|backfill|book|clear|close|commit|connect|create|delete|drop|execute|import|init|" +
  "insert|load|migrate|process|publish|purge|rebuild|record|register|remove|reset|rollback|run|save|" +
  "send|set|start|stop|store|submit|sync|truncate|update|upsert|watch|write";
const writer = new RegExp(`^(?:${writing})(?=$|[_A-Z])`);

/** Whether the name of a method suggests that it changes something, as `rebuild_database` does. */
export const soundsLikeWriting = (name: string): boolean => writer.test(name);
