import type { AnswerOptions } from "../../comparison/index.ts";
import { parseInstant } from "../../domain/market/chicago-time.ts";
import { comparedFields as compared, type PnlMethod } from "../../ports/pnl-service.ts";

type Row = Readonly<Record<string, unknown>>;

/** The part of a P&L answer that is compared, and the keys that pair its rows. */
interface Projection {
  readonly compare: Pick<AnswerOptions, "keys" | "kinds">;
  readonly project: (answer: unknown) => unknown;
  /** Returns the rows of a compared part that name book and symbol. Absent if there are none. */
  readonly rows?: (compared: unknown) => readonly unknown[];
}

/**
 * Lots, matches, marks and additional fields are left out, because not every system has them. Trades are
 * paired by their content, because trades of one moment have no order; whether the newest comes first is
 * compared separately. Totals are compared by currency; their lists of symbols without a mark or translation
 * are left out.
 */
export const projections: Readonly<Record<PnlMethod, Projection>> = {
  calculatePnl: {
    compare: { keys: { positions: ["book", "symbol"] }, kinds: { "rejected[].index": "number" } },
    project: (answer) => ({
      positions: rows(answer, "positions", compared.calculatePnl["positions[]"]),
      totals: moneyOf(field(answer, "totals")),
      rejected: rows(answer, "rejected", compared.calculatePnl["rejected[]"]),
    }),
    rows: listed("positions"),
  },
  openPositions: {
    compare: { keys: { positions: ["book", "symbol"] } },
    project: (answer) => ({ positions: rows(answer, "positions", compared.openPositions["positions[]"]) }),
    rows: listed("positions"),
  },
  tradeHistory: {
    compare: {
      keys: { trades: ["id", "symbol", "side", "quantity", "price"] },
      kinds: { "trades[].time": "time" },
    },
    project: (answer) => ({
      trades: rows(answer, "trades", compared.tradeHistory["trades[]"]),
      newestFirst: areNewestFirst(field(answer, "trades")),
    }),
    rows: listed("trades"),
  },
  dailyPnl: {
    compare: { keys: { daily: ["book", "symbol", "tradingDay"] } },
    project: (answer) => ({ daily: rows(answer, "daily", compared.dailyPnl["daily[]"]) }),
    rows: listed("daily"),
  },
  totals: { compare: {}, project: (answer) => ({ totals: moneyOf(field(answer, "totals")) }) },
  positionDetail: {
    compare: {},
    project: (answer) => {
      const position = field(answer, "position");
      return { position: isRow(position) ? picked(position, compared.positionDetail.position) : position };
    },
    rows: (part) => [field(part, "position")],
  },
};

function listed(name: string): (part: unknown) => readonly unknown[] {
  return (part) => {
    const list = field(part, name);
    return Array.isArray(list) ? list : [];
  };
}

const isRow = (value: unknown): value is Row => typeof value === "object" && value !== null;

const field = (answer: unknown, name: string): unknown => (isRow(answer) ? answer[name] : undefined);

/** Returns the rows of a list with the given fields. Other values stay, so that the comparison shows them. */
function rows(answer: unknown, list: string, fields: readonly string[]): unknown {
  const given = field(answer, list);
  return Array.isArray(given) ? given.map((row) => (isRow(row) ? picked(row, fields) : row)) : given;
}

/** Whether no trade is followed by a newer one. A time that cannot be parsed is ignored. */
function areNewestFirst(trades: unknown): boolean {
  if (!Array.isArray(trades)) return true;
  let lastUs = Number.POSITIVE_INFINITY;
  let lastTime: unknown;
  for (const trade of trades) {
    const time = isRow(trade) ? trade.time : undefined;
    if (typeof time !== "string" || time === lastTime) continue;
    lastTime = time;
    const us = parseInstant(time);
    if (us === undefined) continue;
    if (us > lastUs) return false;
    lastUs = us;
  }
  return true;
}

function picked(row: Row, fields: readonly string[]): Row {
  const found: Record<string, unknown> = {};
  for (const name of fields) if (row[name] !== undefined) found[name] = row[name];
  return found;
}

function moneyOf(totals: unknown): unknown {
  if (!isRow(totals)) return totals;
  return Object.fromEntries(
    Object.entries(totals).flatMap(([currency, total]) =>
      isRow(total) && !Array.isArray(total) ? [[currency, picked(total, compared.totals["totals.*"])]] : [],
    ),
  );
}
