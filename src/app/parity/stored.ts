import { basename } from "node:path";
import { NoteLog } from "../../adapters/csv/note-log.ts";
import {
  type LegacyDatabase,
  type LegacyTable,
  readLegacyDatabase,
  type StoredTrade,
} from "../../adapters/sqlite/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { isZero, parseFigure } from "../../base/fraction.ts";
import type { SnapshotRow, SystemAnswer } from "../../comparison/index.ts";
import type { Config } from "../../config/index.ts";
import {
  parseDay,
  type TradingDayRule,
  type TradingDayRuleName,
  tradingDayRules,
} from "../../domain/market/trading-day.ts";
import {
  type Describe,
  MarkBook,
  type Method,
  PnlEngine,
  type Statement,
  type StatementOptions,
  statementOf,
  type TradeColumns,
  TradeIntake,
  zeroPriceLotsOf,
} from "../../engine/index.ts";
import type { NotCompared, ParityReport } from "../../ports/parity-report.ts";
import type { DailyRow, PositionRow } from "../../ports/pnl-system.ts";
import { describerOf, nameOfSymbol, symbolBridge } from "../symbols/symbols.ts";
import { digestsOf, withEvidence } from "./evidence.ts";
import { asRead, type ExplainedWorld, explained, type HowExplained, type Reading } from "./explain.ts";
import { inputFiles } from "./input-files.ts";
import { isClean, withComputedDays } from "./pnl-run.ts";
import { inNames, multipliersOf, unpricedDays, validatorFor } from "./replay.ts";

interface CompareOptions {
  /** The desk's `pnl_tracker.db`. */
  readonly database: string;
  readonly config: Config;
  /** The file that `config` was read from, to be named in the report. */
  readonly configFile?: string | undefined;
  readonly method?: Method | undefined;
  readonly dayRule?: TradingDayRuleName | undefined;
  readonly explain?: HowExplained | undefined;
  readonly onProgress?: ((text: string) => void) | undefined;
}

interface ComparedDatabase {
  readonly report: ParityReport;
  /**
   * The parts that were not compared: tables and columns that this database lacks, and rows of unsupported
   * kinds.
   */
  readonly notes: readonly string[];
}

/**
 * Compares a desk's own database with the modern engine, for the read-only phase: runs the stored trades
 * through the engine and compares the results with the stored positions, end-of-day P&L and snapshots. Both
 * use the prices that the desk stored with its results. The day rule is the calendar's by default. Every
 * table that exists is compared, even if it is nearly empty. Days after the last one that the desk closed are
 * listed as not compared, and the report is then not ok.
 */
export async function compareStored(options: CompareOptions): Promise<ComparedDatabase> {
  const { config, database: path, onProgress, method = "fifo" } = options;
  onProgress?.(`reading ${path}`);
  const digests = await digestsOf(await inputFiles({ database: path, config: options.configFile }));
  const stored = await readLegacyDatabase(path);
  const lacking = missingParts(stored, path);
  onProgress?.(`matching ${stored.trades.length} trades`);
  const world = storedWorld(path, stored, options);
  const { trades, files, repeated, log, engine, valuation, statement, symbols, lastDay, nameOf, dayRule } =
    world;
  const legacy = inNames(storedAnswer(stored, basename(path), nameOf), nameOf);
  const { answer: modern, notCompared } = modernAnswer(
    { ...statement, dayRule: dayRule.name },
    legacy,
    stored,
  );

  onProgress?.("comparing");
  const asDesk = { ...config, systems: { ...config.systems, legacy: legacyDesk } };
  const report = validatorFor(asDesk, multipliersOf(trades, nameOf), unpricedDays(statement)).compare(
    legacy,
    modern,
  );
  const { quarantine, notes } = log;
  onProgress?.("explaining");
  const explanation = await explained(report, world.explained, options.explain);
  const [accepted, duplicates] = [trades.length, repeated.length];
  const rows = stored.trades.length;
  const compared = {
    ...explanation,
    ok: report.ok && isClean({ quarantine, notes }) && notCompared.length === 0,
    method,
    input: { files: files.length, rows, accepted, duplicates },
    quarantine,
    notes,
    notCompared,
    zeroPriceLots: zeroPriceLotsOf(engine, valuation, statement.totals),
  };
  const fileRows = [{ path, rows, accepted, duplicates, refused: rows - accepted - duplicates }];
  return {
    report: await withEvidence(compared, { digests, fileRows, symbols, trades, day: lastDay }),
    notes: [
      ...lacking.map((what) => `${path} lacks ${what}, which is therefore not compared`),
      ...[...stored.otherSnapshots].map(
        ([type, count]) => `${path} has ${count} position_snapshots of type ${type}, which are not compared`,
      ),
    ],
  };
}

/** The stored trades as modern reads, matches and values them. */
export function storedWorld(
  path: string,
  stored: LegacyDatabase,
  options: Pick<CompareOptions, "method" | "dayRule">,
) {
  const dayRule = tradingDayRules[options.dayRule ?? "calendar"];
  const symbols = symbolBridge(undefined);
  const source = {
    rows: stored.trades,
    file: `${basename(path)}:processed_trades`,
    describe: describerOf(symbols),
    dayRule,
  };
  const read = readStored(source, "own");
  const { trades, aliases, log } = read;
  const engine = new PnlEngine(trades, { method: options.method ?? "fifo" });
  engine.feed();
  const lastDay = lastDayOf(trades, stored);
  const nameOnDay = (symbol: string, day: number): string => nameOfSymbol(symbols, symbol, day);
  const valuation: StatementOptions = {
    marks: marksOf(stored, lastDay, nameOnDay),
    asOfDay: lastDay,
    openedAt: () => false,
  };
  const byInstrument = new Map(
    trades.instruments.map(({ symbol, instrument }) => [instrument ?? symbol, symbol]),
  );
  const nameOf = (symbol: string): string =>
    aliases.get(symbol) ?? byInstrument.get(nameOnDay(symbol, lastDay)) ?? symbol;
  const explained: ExplainedWorld = {
    ...read,
    refused: [],
    notes: log.notes,
    givenUp: new Map(),
    nameOf,
    netBooks: false,
    dayRule: dayRule.name,
    engine,
    valuation,
    reread: async () => readStored(source, "every-row").trades,
  };
  const statement = withComputedDays(statementOf(engine, valuation));
  return { ...read, engine, valuation, statement, symbols, lastDay, nameOf, dayRule, explained };
}

const resultTables = ["positions", "eod_pnl", "pnl_snapshots", "position_snapshots"];
const legacyDesk = { kind: "builtin", name: "legacy-desk", mode: "chained" } as const;

/** Tables and columns that the database lacks. Throws BAD_DATABASE if it has no table of results at all. */
function missingParts({ missing }: LegacyDatabase, path: string): readonly string[] {
  const lacking = missing.map(({ table, columns }) =>
    columns === undefined ? table : `${table} (${columns.join(", ")})`,
  );
  if (
    resultTables.every((table) => missing.some((one) => one.table === table && one.columns === undefined))
  ) {
    throw new BridgeError("BAD_DATABASE", {
      what: `the database holds no results to compare with: it lacks ${lacking.join("; ")}`,
      where: path,
      fix: "name the pnl_tracker.db that the desk writes",
    });
  }
  return lacking;
}

interface StoredSource {
  readonly rows: readonly StoredTrade[];
  /** The name of the table in findings. */
  readonly file: string;
  readonly describe: Describe;
  readonly dayRule: TradingDayRule;
}

/**
 * Reads the stored trades, one source file after the other, each in the order of storing. Refuses rows that
 * cannot be read, with their row number.
 */
function readStored({ rows, file, describe, dayRule }: StoredSource, reading: Reading) {
  const log = new NoteLog();
  let line = 0;
  const intake: TradeIntake = new TradeIntake({
    describe: asRead(describe, reading),
    dayRule,
    onNote: (code, why) => log.note(file, line, code, why),
    capacity: Math.max(16, rows.length),
    ...(reading === "every-row" ? {} : { placeOf: (trade) => `${file}:${intake.trades.line[trade]}` }),
  });
  const bySource = Map.groupBy(rows, ({ sourceFile }) => sourceFile?.trim() ?? "");
  for (const [index, ofSource] of [...bySource.values()].entries())
    for (const row of ofSource) {
      line = Number(row.rowid ?? 0);
      const fields = { ...row, id: row.tradeId, symbol: row.instrumentName, time: row.tradeTimestamp };
      const refusal = intake.take(fields, { file: index, line, fileDay: parseDay(row.tradeDate ?? "") });
      if (refusal === undefined) continue;
      const [code, why] = refusal;
      log.refuse({ file, line, code, text: Object.values(row).join(","), why });
    }
  const { trades, repeated, aliases } = intake;
  return { trades, repeated, aliases, files: [...bySource.keys()].map(() => file), log };
}

/**
 * The stored results as the rows of an answer. The desk deletes the row of a flat position, so such a
 * position is taken from its latest snapshot.
 */
function storedAnswer(
  stored: LegacyDatabase,
  name: string,
  nameOf: (symbol: string) => string,
): SystemAnswer {
  const symbolOf = (row: { readonly instrumentName: string | null }): string =>
    (row.instrumentName ?? "").trim();
  const open = new Set(stored.positions.map(symbolOf));
  const openNames = new Set([...open].map(nameOf));
  const isFlat = (quantity: string | null): boolean => parseFigure(quantity ?? "")?.numerator === 0n;
  const positions: PositionRow[] = stored.positions.map((row) => ({
    symbol: symbolOf(row),
    quantity: row.positionQuantity,
    averagePrice: row.avgCost,
    realized: row.totalRealizedPnl,
    unrealized: row.unrealizedPnl,
  }));
  for (const row of stored.snapshots) {
    const symbol = symbolOf(row);
    // A snapshot with another spelling of an open row's symbol shows the same position and is skipped. If it
    // is flat, it is a separate position: the desk keeps it apart under that spelling.
    if (open.has(symbol) || (openNames.has(nameOf(symbol)) && !isFlat(row.position))) continue;
    positions.push({
      symbol,
      quantity: row.position,
      averagePrice: row.avgCost,
      realized: row.realizedPnl,
      unrealized: row.unrealizedPnl,
    });
  }
  const daily: DailyRow[] = stored.endOfDay.map((row) => ({
    symbol: symbolOf(row),
    tradingDay: dateOf(row.tradeDate),
    realized: row.realizedPnl,
    unrealized: row.unrealizedPnl,
    total: row.totalPnl,
  }));
  const snapshots: SnapshotRow[] = stored.positionSnapshots.map((row) => ({
    symbol: symbolOf(row),
    tradingDay: dateOf(row.snapshotTimestamp),
    quantity: row.positionQuantity,
    averagePrice: row.avgCost,
    realized: row.totalRealizedPnl,
    unrealized: row.unrealizedPnl,
  }));
  return { system: name, dayRule: "calendar", positions, daily, snapshots, errors: [] };
}
/**
 * Modern's answer, limited to the kinds of rows that legacy stores and to the days that legacy has closed.
 * The later days are returned as not compared.
 */
function modernAnswer(
  { positions, daily, dayRule }: Pick<Statement, "positions" | "daily"> & { readonly dayRule: string },
  legacy: SystemAnswer,
  { tables }: LegacyDatabase,
): { readonly answer: SystemAnswer; readonly notCompared: readonly NotCompared[] } {
  const days = [...daily];
  const notCompared: NotCompared[] = [];
  const upToLast = (
    kind: NotCompared["kind"],
    table: LegacyTable,
    rows: readonly { readonly tradingDay: string }[] = [],
  ) => {
    if (!tables.has(table)) return [];
    const last = rows.reduce((latest, { tradingDay }) => (tradingDay > latest ? tradingDay : latest), "");
    const behind = new Set(days.map(({ tradingDay }) => tradingDay).filter((day) => day > last));
    const why = last === "" ? `${table} has no row with a day` : `${table} ends on ${last}`;
    if (behind.size > 0) notCompared.push({ kind, tradingDays: [...behind], why });
    return days.filter(({ tradingDay }) => tradingDay <= last);
  };
  const answer: SystemAnswer = {
    system: "modern-engine",
    dayRule,
    positions: tables.has("positions") || tables.has("pnl_snapshots") ? positions : [],
    daily: upToLast("daily", "eod_pnl", legacy.daily),
    snapshots: upToLast("snapshot", "position_snapshots", legacy.snapshots).map((row) => ({
      ...row,
      realized: row.realizedToDate,
    })),
    errors: [],
  };
  return { answer, notCompared };
}

/**
 * The prices that the desk stored with its results: those of its snapshots by day, and those of its positions
 * for the last day.
 */
function marksOf(
  stored: LegacyDatabase,
  lastDay: number,
  nameOf: (symbol: string, day: number) => string,
): MarkBook {
  const book = new MarkBook();
  const add = (row: StoredResult, price: string | null, day: number | undefined, atUs: number): void => {
    const [value, unrealized] = [parseFigure(price ?? ""), parseFigure(row.unrealizedPnl ?? "")];
    if (row.instrumentName === null || day === undefined || value === undefined) return;
    // The desk writes 0 for a missing price. A real price of 0 comes with an unrealized loss or gain.
    if (isZero(value) && (unrealized === undefined || isZero(unrealized))) return;
    book.add(nameOf(row.instrumentName.trim(), day), day, { price: value, kind: "close", atUs });
  };
  for (const row of stored.positionSnapshots)
    add(row, row.marketPrice, parseDay(dateOf(row.snapshotTimestamp)), 0);
  for (const row of stored.snapshots) add(row, row.marketPrice, lastDay, 1);
  for (const row of stored.positions) add(row, row.lastMarketPrice, lastDay, 2);
  return book;
}

interface StoredResult {
  readonly instrumentName: string | null;
  readonly unrealizedPnl: string | null;
}

function lastDayOf(trades: TradeColumns, stored: LegacyDatabase): number {
  let last = 0;
  for (const day of trades.day.subarray(0, trades.length)) last = Math.max(last, day);
  for (const { snapshotTimestamp } of stored.positionSnapshots)
    last = Math.max(last, parseDay(dateOf(snapshotTimestamp)) ?? 0);
  return last;
}

const dateOf = (timestamp: string | null): string => (timestamp ?? "").trim().slice(0, 10);
