/**
 * What desks call the things that the bridge has names for. `doctor` proposes from it; nothing is ever called or converted because
 * of it. Names are compared without case and punctuation: `avg_price` and `avgPrice` are one.
 */
import { nearest } from "../../../base/nearest.ts";
import type { PnlMethod } from "../../../ports/pnl-service.ts";

/** In small letters, without punctuation. */
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

/** The field that most likely holds what the bridge calls `wanted`; undefined where none looks like it. */
export const likelyField = (wanted: string, there: readonly string[]): string | undefined =>
  likely(wanted, fieldNames[wanted] ?? [], there) ?? nearest(wanted, there);

/** The method that most likely does what the bridge calls `wanted`; undefined where none looks like it. */
export const likelyMethod = (wanted: PnlMethod, there: readonly string[]): string | undefined =>
  likely(wanted, methods[wanted], there);

/** What the bridge calls a trade's field of the desk, such as `side` for `buySell`; undefined where it has no name for it. */
export const bridgeFieldOf = (theirs: string): string | undefined =>
  Object.keys(fieldNames).find(
    (ours) => ours !== theirs && likely(ours, fieldNames[ours] ?? [], [theirs]) !== undefined,
  );

function likely(wanted: string, names: readonly string[], there: readonly string[]): string | undefined {
  for (const name of [plainName(wanted), ...names]) {
    const found = there.find((one) => plainName(one) === name);
    if (found !== undefined) return found;
  }
  return undefined;
}

const plainName = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

const writing =
  "add|apply|archive|backfill|book|clear|close|commit|connect|create|delete|drop|execute|import|init|insert|load|migrate|process|publish|" +
  "purge|rebuild|record|register|remove|reset|rollback|run|save|send|set|start|stop|store|submit|sync|truncate|update|upsert|watch|write";
const writer = new RegExp(`^(?:${writing})(?=$|[_A-Z])`);

/** Whether the name of a method says that it changes something, as `rebuild_database` does. */
export const soundsLikeWriting = (name: string): boolean => writer.test(name);
