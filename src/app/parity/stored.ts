import { basename } from "node:path";
import { type LegacyDatabase, readLegacyDatabase, type StoredTrade } from "../../adapters/sqlite/index.ts";
import { parseDecimal } from "../../base/decimal.ts";
import { BridgeError } from "../../base/errors.ts";
import { isZero, parseFraction } from "../../base/fraction.ts";
import type { SymbolTranslationBridge } from "../../bridges/symbols/index.ts";
import type { SnapshotRow, SystemAnswer } from "../../comparison/index.ts";
import type { Config } from "../../config/index.ts";
import { parseInstant, wallOfInstant } from "../../domain/market/chicago-time.ts";
import type { QuarantineCode } from "../../domain/market/finding-codes.ts";
import { parseDay, type TradingDayRule, type TradingDayRuleName, tradingDayRules } from "../../domain/market/trading-day.ts";
import {
  instrumentOf,
  MarkBook,
  type Method,
  PnlEngine,
  type Statement,
  type StatementOptions,
  statementOf,
  TradeColumns,
} from "../../engine/index.ts";
import type { Quarantined } from "../../ports/ledger.ts";
import type { ParityReport } from "../../ports/parity-report.ts";
import type { DailyRow, PositionRow } from "../../ports/pnl-system.ts";
import { describerOf, nameOfSymbol, symbolBridge } from "../symbols/symbols.ts";
import { explained } from "./explain.ts";
import { inHand, multipliersOf, rowsOf, unpricedDays, validatorFor } from "./replay.ts";

export interface CompareOptions {
  /** The desk's `pnl_tracker.db`. */
  readonly database: string;
  readonly config: Config;
  readonly method?: Method | undefined;
  readonly dayRule?: TradingDayRuleName | undefined;
  readonly onProgress?: ((text: string) => void) | undefined;
}

export interface StoredComparison {
  readonly report: ParityReport;
  /** Tables and columns that this database lacks, and what therefore was not compared. */
  readonly notes: readonly string[];
}

/**
 * The read-only phase on a desk's own database: its stored trades through the modern engine, compared with the positions,
 * end-of-day P&L and snapshots that it stored. Prices are those that the desk stored with its results, so that both value
 * alike. Its day rule is the calendar's. Days after the last one that the desk closed are left out: it has said nothing of them.
 */
export async function compareStored(options: CompareOptions): Promise<StoredComparison> {
  const { config, database: path } = options;
  options.onProgress?.(`reading ${path}`);
  const stored = await readLegacyDatabase(path);
  const lacking = stored.missing.map(({ table, columns }) =>
    columns === undefined ? table : `${table} (${columns.join(", ")})`,
  );
  if (resultTables.every((table) => stored.missing.some((missing) => missing.table === table && missing.columns === undefined))) {
    throw new BridgeError("BAD_DATABASE", {
      what: `the database holds no results to compare with: it lacks ${lacking.join("; ")}`,
      where: path,
      mend: "name the pnl_tracker.db that the desk writes",
    });
  }
  const dayRule = tradingDayRules[options.dayRule ?? "calendar"];
  const symbols = symbolBridge(undefined);
  const { trades, quarantine, aliases } = columnsOf(stored.trades, dayRule, `${basename(path)}:processed_trades`, symbols);
  options.onProgress?.(`matching ${trades.length} trades`);
  const engine = new PnlEngine(trades, { method: options.method ?? "fifo" });
  engine.feed();

  const legacy = storedAnswer(stored, basename(path));
  const lastDay = lastDayOf(trades, stored);
  const valuation: StatementOptions = { marks: marksOf(stored, lastDay, symbols), asOfDay: lastDay, openedAt: () => false };
  const statement = inHand(statementOf(engine, valuation));
  const modern = modernAnswer(statement, dayRule.name, legacy);
  options.onProgress?.("comparing");
  const asDesk = { ...config, systems: { ...config.systems, legacy: legacyDesk } };
  const report = validatorFor(asDesk, multipliersOf(trades, aliases), unpricedDays(statement)).compare(legacy, modern);
  const files = [`${basename(path)}:processed_trades`];
  return {
    report: {
      ...explained(report, { trades, files, repeated: [], givenUp: new Map(), aliases, engine, statement, valuation }),
      ok: report.ok && quarantine.length === 0,
      quarantine,
    },
    notes: lacking.map((what) => `${path} lacks ${what}: not compared`),
  };
}

const resultTables = ["positions", "eod_pnl", "pnl_snapshots", "position_snapshots"];
const legacyDesk = { kind: "builtin", name: "legacy-desk", mode: "chained" } as const;

/** Stored trades as columns, in the order of storing; what does not read is refused with its row number. */
function columnsOf(
  rows: readonly StoredTrade[],
  dayRule: TradingDayRule,
  file: string,
  symbols: SymbolTranslationBridge,
): {
  readonly trades: TradeColumns;
  readonly quarantine: readonly Quarantined[];
  /** By symbol: the first symbol of the same instrument. */
  readonly aliases: ReadonlyMap<string, string>;
} {
  const aliases = new Map<string, string>();
  const trades = new TradeColumns(Math.max(16, rows.length));
  const quarantine: Quarantined[] = [];
  for (const row of rows) {
    const line = Number(row.rowid ?? 0);
    const refusal = append(trades, row, dayRule, line, symbols);
    if (refusal !== undefined)
      quarantine.push({ file, line, code: refusal[0], text: Object.values(row).join(","), why: refusal[1] });
    else {
      const symbol = (row.instrumentName ?? "").trim();
      const first = trades.instruments[trades.lane[trades.length - 1] as number]?.symbol ?? symbol;
      if (first !== symbol) aliases.set(symbol, first);
    }
  }
  return { trades, quarantine, aliases };
}

function append(
  trades: TradeColumns,
  row: StoredTrade,
  dayRule: TradingDayRule,
  line: number,
  symbols: SymbolTranslationBridge,
): readonly [QuarantineCode, string] | undefined {
  const at = trades.next();
  const symbol = (row.instrumentName ?? "").trim();
  const quantity = parseDecimal(row.quantity ?? "");
  const price = parseDecimal(row.price ?? "");
  const timeUs = parseInstant(row.tradeTimestamp ?? "");
  if (symbol === "") return ["BAD_SYMBOL", "there is no instrument name"];
  if (row.tradeId === null || row.tradeId === "") return ["BAD_ID", "there is no trade id"];
  if (row.side !== "B" && row.side !== "S") return ["BAD_SIDE", `the side must be B or S, not ${JSON.stringify(row.side)}`];
  if (quantity === undefined || quantity.coefficient <= 0n)
    return ["BAD_QUANTITY", `the quantity must be a number above zero, not ${JSON.stringify(row.quantity)}`];
  if (price === undefined) return ["BAD_PRICE", `the price ${JSON.stringify(row.price)} is no number`];
  if (timeUs === undefined)
    return ["BAD_TIME", `the time ${JSON.stringify(row.tradeTimestamp)} does not read as YYYY-MM-DD HH:MM:SS`];
  const day = dayRule.dayOf(wallOfInstant(timeUs), parseDay(row.tradeDate ?? ""));
  if (day === undefined) return ["NO_TRADING_DAY", `the day rule ${dayRule.name} gives this row no day`];
  trades.setId(at, row.tradeId);
  trades.side[at] = row.side === "B" ? 1 : -1;
  trades.quantity.set(at, quantity);
  trades.price.set(at, price);
  trades.timeUs[at] = timeUs;
  trades.day[at] = day;
  trades.line[at] = line;
  trades.lane[at] = trades.laneOf(instrumentOf(symbol, describerOf(symbols)(symbol, day)));
  trades.commit();
  return undefined;
}

/** What the desk stored, as rows. A flat position, whose row the desk deletes, is taken from its latest snapshot. */
function storedAnswer(stored: LegacyDatabase, name: string): SystemAnswer {
  const open = new Set(stored.positions.map(({ instrumentName }) => instrumentName));
  const positions: PositionRow[] = stored.positions.map((row) => ({
    symbol: row.instrumentName ?? "",
    quantity: row.positionQuantity,
    averagePrice: row.avgCost,
    realized: row.totalRealizedPnl,
    unrealized: row.unrealizedPnl,
  }));
  for (const row of stored.snapshots) {
    if (open.has(row.instrumentName)) continue;
    positions.push({
      symbol: row.instrumentName ?? "",
      quantity: row.position,
      averagePrice: row.avgCost,
      realized: row.realizedPnl,
      unrealized: row.unrealizedPnl,
    });
  }
  const daily: DailyRow[] = stored.endOfDay.map((row) => ({
    symbol: row.instrumentName ?? "",
    tradingDay: row.tradeDate ?? "",
    realized: row.realizedPnl,
    unrealized: row.unrealizedPnl,
    total: row.totalPnl,
  }));
  const snapshots: SnapshotRow[] = stored.positionSnapshots.map((row) => ({
    symbol: row.instrumentName ?? "",
    tradingDay: dateOf(row.snapshotTimestamp),
    quantity: row.positionQuantity,
    averagePrice: row.avgCost,
    realized: row.totalRealizedPnl,
    unrealized: row.unrealizedPnl,
  }));
  return { system: name, dayRule: "calendar", positions, daily, snapshots, errors: [] };
}

/** Modern's rows for what legacy has stored: kinds that it stores nothing of, and days after its last one, are left out. */
function modernAnswer(statement: Statement, dayRule: string, legacy: SystemAnswer): SystemAnswer {
  const { positions, daily } = rowsOf(statement);
  const lastOf = (rows: readonly { readonly tradingDay: string }[] = []): string =>
    rows.reduce((last, { tradingDay }) => (tradingDay > last ? tradingDay : last), "");
  const lastDaily = lastOf(legacy.daily);
  const lastSnapshot = lastOf(legacy.snapshots);
  return {
    system: "modern-engine",
    dayRule,
    positions: legacy.positions.length === 0 ? [] : positions,
    daily: daily.filter(({ tradingDay }) => tradingDay <= lastDaily),
    snapshots: [...statement.daily]
      .filter(({ tradingDay }) => tradingDay <= lastSnapshot)
      .map(({ symbol, tradingDay, quantity, averagePrice, realizedToDate, unrealized }) => ({
        symbol,
        tradingDay,
        quantity,
        averagePrice,
        realized: realizedToDate,
        unrealized,
      })),
    errors: [],
  };
}

/** The prices that the desk stored beside its results: by day those of its snapshots, at last those of its positions. */
function marksOf(stored: LegacyDatabase, lastDay: number, symbols: SymbolTranslationBridge): MarkBook {
  const book = new MarkBook();
  const add = (
    symbol: string | null,
    day: number | undefined,
    price: string | null,
    unrealized: string | null,
    atUs: number,
  ): void => {
    const value = parseFraction(price ?? "");
    if (symbol === null || day === undefined || value === undefined) return;
    // The desk writes 0 where it has no price. A real price of 0 leaves an unrealized loss or gain beside it.
    if (isZero(value) && isZero(parseFraction(unrealized ?? "") ?? value)) return;
    book.add(nameOfSymbol(symbols, symbol, day), day, { price: value, kind: "close", atUs });
  };
  for (const row of stored.positionSnapshots)
    add(row.instrumentName, parseDay(dateOf(row.snapshotTimestamp)), row.marketPrice, row.unrealizedPnl, 0);
  for (const row of stored.snapshots) add(row.instrumentName, lastDay, row.marketPrice, row.unrealizedPnl, 1);
  for (const row of stored.positions) add(row.instrumentName, lastDay, row.lastMarketPrice, row.unrealizedPnl, 2);
  return book;
}

function lastDayOf(trades: TradeColumns, stored: LegacyDatabase): number {
  let last = 0;
  for (const day of trades.day.subarray(0, trades.length)) last = Math.max(last, day);
  for (const { snapshotTimestamp } of stored.positionSnapshots) last = Math.max(last, parseDay(dateOf(snapshotTimestamp)) ?? 0);
  return last;
}

const dateOf = (timestamp: string | null): string => (timestamp ?? "").slice(0, 10);
