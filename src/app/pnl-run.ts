import { findLedgers, type LedgerInput, readLedgers } from "../adapters/csv/ledger-reader.ts";
import { NoteLog } from "../adapters/csv/note-log.ts";
import { findPriceFiles, readPriceFiles } from "../adapters/csv/price-files.ts";
import { formatInstant, parseInstant, wallOfInstant } from "../domain/chicago-time.ts";
import { BridgeError } from "../domain/errors.ts";
import { fromScaled, parseFraction } from "../domain/fraction.ts";
import { defaultTradingDayRule, type TradingDayRuleName, tradingDayRules } from "../domain/trading-day.ts";
import { MarkBook, type Method, PnlEngine, type Statement, statementOf } from "../engine/index.ts";
import type { Note, Quarantined } from "../ports/ledger.ts";
import { describeLedgerSymbol } from "../symbols/index.ts";
import { readMarksFile } from "./marks-file.ts";

export interface PnlRunOptions {
  /** Ledger files and folders. */
  readonly trades: readonly string[];
  /** Price files and folders. */
  readonly prices?: readonly string[] | undefined;
  /** A file of given marks. */
  readonly marks?: string | undefined;
  readonly method?: Method | undefined;
  /** ISO 8601. */
  readonly asOf?: string | undefined;
  readonly dayRule?: TradingDayRuleName | undefined;
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** One run of the modern engine over a desk's files. */
export interface PnlRun {
  readonly method: Method;
  readonly dayRule: TradingDayRuleName;
  /** Null where there is neither a trade nor a price. */
  readonly asOfUs: number | null;
  /** The ledger files, in the order in which they were read. */
  readonly ledgers: readonly string[];
  readonly input: LedgerInput;
  readonly engine: PnlEngine;
  readonly statement: Statement;
  readonly quarantine: readonly Quarantined[];
  readonly notes: readonly Note[];
}

/** Reads ledgers and prices, matches, values. Throws BridgeError where the run as a whole cannot be done. */
export async function runPnl(options: PnlRunOptions): Promise<PnlRun> {
  const method = options.method ?? "fifo";
  const ruleName = options.dayRule ?? defaultTradingDayRule;
  const dayRule = tradingDayRules[ruleName];
  const asOfGiven = readAsOf(options.asOf);
  const ledgers = await findLedgers(options.trades);
  const given = options.marks === undefined ? undefined : await readMarksFile(options.marks);
  const priced =
    options.prices === undefined ? undefined : await readPriceFiles(await findPriceFiles(options.prices), { dayRule });
  const input = await readLedgers(ledgers, {
    dayRule,
    describe: describeLedgerSymbol,
    onProgress: ({ bytes, bytesTotal, rows }) =>
      options.onProgress?.(`reading ledgers: ${rows} rows, ${Math.floor((100 * bytes) / (bytesTotal || 1))} %`),
  });
  options.onProgress?.(`matching ${input.accepted} trades`);
  const engine = new PnlEngine(input.trades, { method, ...(asOfGiven === undefined ? {} : { asOfUs: asOfGiven }) });
  const notes = new NoteLog();
  feedByFile(engine, input, notes);

  const { timeUs, day, length } = input.trades;
  const prices = (priced?.prices ?? []).filter(({ atUs }) => asOfGiven === undefined || atUs <= asOfGiven);
  const asOfUs = asOfGiven ?? latest(timeUs.subarray(0, length), prices, ({ atUs }) => atUs);
  const latestDay = latest(day.subarray(0, length), prices, (price) => price.day) ?? 0;
  const asOfDay = asOfGiven === undefined ? latestDay : (dayRule.dayOf(wallOfInstant(asOfGiven), undefined) ?? latestDay);
  const book = given === undefined && priced === undefined ? undefined : new MarkBook();
  for (const { instrument, symbol, price, kind, atUs, day: on } of prices) {
    book?.add(instrument ?? symbol, on, { price: fromScaled(price.coefficient, price.scale), kind, atUs });
  }
  for (const [symbol, text] of given ?? []) {
    const price = parseFraction(text);
    if (price)
      book?.add(describeLedgerSymbol(symbol)?.instrument ?? symbol, asOfDay, { price, kind: "given", atUs: asOfUs ?? 0 });
  }
  const statement = statementOf(engine, { marks: book ?? "last_trade", asOfDay, openedAt: true });
  return {
    method,
    dayRule: ruleName,
    asOfUs: asOfUs ?? null,
    ledgers,
    input,
    engine,
    statement,
    quarantine: [...input.quarantine, ...(priced?.quarantine ?? [])],
    notes: [
      ...input.notes,
      ...(priced?.notes ?? []),
      ...notes.notes,
      ...unusedMarks(given, input),
      ...leftOut(engine, options.asOf),
    ],
  };
}

/** The document of `pnl --json`. */
export function pnlDocument(run: PnlRun) {
  const { method, dayRule, asOfUs, statement, input, quarantine, notes } = run;
  return {
    method,
    asOf: asOfUs === null ? null : formatInstant(asOfUs),
    dayRule,
    positions: statement.positions,
    daily: statement.daily,
    totals: statement.totals,
    quarantine,
    notes,
    input: {
      files: input.files.length,
      rows: input.rows,
      accepted: input.accepted,
      duplicates: input.duplicates,
    },
  };
}

/** A file at a time, as a desk receives them: what an earlier file should have had is noted as late. */
function feedByFile(engine: PnlEngine, { trades, files, ends }: LedgerInput, notes: NoteLog): void {
  for (const end of ends) {
    for (const trade of engine.feed(end)) {
      const symbol = trades.instruments[trades.lane[trade] as number]?.symbol;
      const why = `older than a trade of an earlier file; ${symbol} was matched again from there`;
      notes.note(files[trades.file[trade] as number] as string, trades.line[trade] as number, "LATE_TRADE", why);
    }
  }
}

function readAsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const instant = parseInstant(text);
  if (instant === undefined) {
    throw new BridgeError("BAD_USAGE", {
      what: `--as-of does not read as a time: ${JSON.stringify(text)}`,
      mend: "write 2025-07-24T15:00:00-05:00, or Chicago time without the offset",
    });
  }
  return instant;
}

/** The largest of a column and of the prices; undefined where both are empty. */
function latest<T>(column: Float64Array | Int32Array, prices: readonly T[], of: (price: T) => number): number | undefined {
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of column) if (value > largest) largest = value;
  for (const price of prices) largest = Math.max(largest, of(price));
  return largest === Number.NEGATIVE_INFINITY ? undefined : largest;
}

/** A mark for something that was never traded is probably a misspelt one. */
function unusedMarks(given: ReadonlyMap<string, string> | undefined, { trades }: LedgerInput): readonly Note[] {
  const known = new Set(trades.instruments.flatMap(({ symbol, instrument }) => [symbol, instrument]));
  return [...(given?.keys() ?? [])]
    .filter((symbol) => !known.has(symbol) && !known.has(describeLedgerSymbol(symbol)?.instrument ?? symbol))
    .map((symbol) => ({
      file: "",
      line: 0,
      code: "UNUSED_MARK",
      why: `the mark of ${symbol} belongs to nothing that was traded`,
    }));
}

function leftOut({ afterAsOf }: PnlEngine, asOf: string | undefined): readonly Note[] {
  return afterAsOf === 0
    ? []
    : [{ file: "", line: 0, code: "AFTER_AS_OF", why: `${afterAsOf} trades are later than ${asOf} and were left out` }];
}
