import { dayInName } from "../../adapters/csv/ledger-lines.ts";
import { findLedgers, type LedgerInput, readLedgers } from "../../adapters/csv/ledger-reader.ts";
import { NoteLog } from "../../adapters/csv/note-log.ts";
import { findPriceFiles, type PriceInput, readPriceFiles } from "../../adapters/csv/price-files.ts";
import { BridgeError, messageOf } from "../../base/errors.ts";
import { fromDecimal } from "../../base/fraction.ts";
import type { SymbolTranslationBridge } from "../../bridges/symbols/index.ts";
import {
  formatInstant,
  parseDay,
  type ReadInstant,
  wallOfInstant,
} from "../../domain/market/chicago-time.ts";
import {
  defaultTradingDayRule,
  formatDay,
  type TradingDayRuleName,
  tradingDayRules,
} from "../../domain/market/trading-day.ts";
import {
  ambiguousTime,
  closesOf,
  expiryNotes,
  MarkBook,
  type Method,
  PnlEngine,
  readAsOf,
  type Statement,
  type StatementOptions,
  statementOf,
  zeroPriceLotsOf,
} from "../../engine/index.ts";
import type { InputCounts, Note, Quarantined } from "../../ports/ledger.ts";
import type { Close } from "../../ports/pnl-system.ts";
import type { ExpiryOverrides } from "../../symbols/index.ts";
import { describerOf, nameOfSymbol, symbolBridge } from "../symbols/symbols.ts";
import { type GivenMark, namedMarks, readMarksFile } from "./marks-file.ts";

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
  /** Expiries of the desk's own calendar. */
  readonly overrides?: ExpiryOverrides | undefined;
  /** Matches lots across books. Default false. */
  readonly netBooks?: boolean | undefined;
  /** Called with each piece of a file that is read, in order. */
  readonly onBytes?: ((path: string, bytes: Uint8Array) => void) | undefined;
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** One run of the modern engine over a desk's files. */
export interface PnlRun {
  readonly method: Method;
  readonly dayRule: TradingDayRuleName;
  /** Null if no as-of time is given and there is neither a trade nor a price. */
  readonly asOfUs: number | null;
  /** The ledger files, in the order in which they were read. */
  readonly ledgers: readonly string[];
  readonly fileRows: readonly FileRows[];
  readonly input: LedgerInput;
  /** The translator of the symbols, with its counters and quarantine. */
  readonly symbols: SymbolTranslationBridge;
  /** Every price of the files up to the as-of time, in order of reading. */
  readonly prices: PriceInput["prices"];
  readonly engine: PnlEngine;
  readonly statement: Statement;
  readonly valuation: StatementOptions;
  readonly quarantine: readonly Quarantined[];
  readonly notes: readonly Note[];
}

/** Counts of the rows of one file of trades or prices. */
export interface FileRows {
  readonly path: string;
  readonly rows: number;
  readonly accepted: number;
  readonly duplicates?: number;
  readonly refused: number;
}

/**
 * Reads ledgers and prices, matches the trades and values the positions. Throws BridgeError if the run as a
 * whole is impossible.
 */
export async function runPnl(options: PnlRunOptions): Promise<PnlRun> {
  const method = options.method ?? "fifo";
  const ruleName = options.dayRule ?? defaultTradingDayRule;
  const dayRule = tradingDayRules[ruleName];
  const asOfRead = asOfOf(options.asOf);
  const asOfGiven = asOfRead?.instantUs;
  const ledgers = await findLedgers(options.trades);
  const marksGiven = options.marks === undefined ? undefined : await readMarksFile(options.marks);
  const asOfGivenDay =
    asOfGiven === undefined ? undefined : dayRule.dayOf(wallOfInstant(asOfGiven), undefined);
  const symbols = symbolBridge(
    asOfGivenDay ?? ledgers.map(dayInName).findLast((day) => day !== undefined),
    options.overrides,
  );
  const priceFiles = options.prices === undefined ? undefined : await findPriceFiles(options.prices);
  const priced =
    priceFiles &&
    (await readPriceFiles(priceFiles, {
      dayRule,
      onBytes: options.onBytes,
      translate: (symbol, day) => symbols.canonical(symbol, "auto", day),
    }));
  const input = await readLedgers(ledgers, {
    dayRule,
    describe: describerOf(symbols),
    netBooks: options.netBooks === true,
    onBytes: options.onBytes,
    onProgress: ({ bytes, bytesTotal, rows }) =>
      options.onProgress?.(
        `reading ledgers: ${rows} rows, ${Math.floor((100 * bytes) / (bytesTotal || 1))} %`,
      ),
  });
  options.onProgress?.(`matching ${input.accepted} trades`);
  const engine = new PnlEngine(input.trades, {
    method,
    ...(asOfGiven === undefined ? {} : { asOfUs: asOfGiven }),
  });
  engine.feed();
  const notes = new NoteLog();
  if (asOfRead?.reading === "ambiguous") notes.note("", 0, "AMBIGUOUS_TIME", `--as-of: ${ambiguousTime}`);
  noteLate(input, engine.asOfUs, notes);

  const { trades } = input;
  const prices = (priced?.prices ?? []).filter(({ atUs }) => atUs <= engine.asOfUs);
  const asOfUs =
    asOfGiven ??
    latest(
      engine,
      (trade) => trades.timeAt(trade),
      prices,
      ({ atUs }) => atUs,
    );
  const latestDay =
    latest(
      engine,
      (trade) => trades.dayAt(trade),
      prices,
      (price) => price.day,
    ) ?? 0;
  const asOfDay = asOfGivenDay ?? latestDay;
  for (const { code, why, trade } of expiryNotes(engine, asOfDay))
    notes.note(input.files[input.trades.file[trade] ?? -1] ?? "", input.trades.line[trade] ?? 0, code, why);
  const given =
    marksGiven === undefined
      ? undefined
      : namedMarks(options.marks ?? "", marksGiven, (symbol) => nameOfSymbol(symbols, symbol, asOfDay));
  if (
    priced !== undefined &&
    given === undefined &&
    asOfDay > prices.reduce((last, price) => Math.max(last, price.day), 0)
  ) {
    const why =
      `${formatDay(asOfDay)}, the trading day of the as-of time, has no price yet: ` +
      "open positions have no mark";
    notes.note("", 0, "NO_PRICES_YET", why);
  }
  const book = given === undefined && priced === undefined ? undefined : new MarkBook();
  for (const { instrument, symbol, price, kind, atUs, day: on } of prices) {
    book?.add(instrument ?? symbol, on, { price: fromDecimal(price), kind, atUs });
  }
  for (const [name, { price }] of given ?? [])
    book?.add(name, asOfDay, { price: fromDecimal(price), kind: "given", atUs: asOfUs ?? 0 });
  const valuation: StatementOptions = { marks: book ?? "last_trade", asOfDay, openedAt: () => true };
  return {
    method,
    dayRule: ruleName,
    asOfUs: asOfUs ?? null,
    ledgers,
    fileRows: [
      ...rowsOfLedgers(ledgers, input),
      ...(priceFiles ?? []).map((path, file) => rowsOfPrices(path, priced, file)),
    ],
    input,
    symbols,
    prices,
    engine,
    statement: statementOf(engine, valuation),
    valuation,
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

/**
 * Values a run again with other marks for its as-of day, by symbol in any dialect. Symbols without such a
 * mark keep their price from the price files, if any. Throws BAD_MARKS for two marks of one instrument.
 */
export function valuedAt(run: PnlRun, marks: readonly GivenMark[]): PnlRun {
  const { symbols, engine, asOfUs } = run;
  const { marks: known, asOfDay } = run.valuation;
  const book = new MarkBook(typeof known === "string" ? undefined : known);
  for (const [name, { price }] of namedMarks("marks", marks, (symbol) =>
    nameOfSymbol(symbols, symbol, asOfDay),
  ))
    book.add(name, asOfDay, { price: fromDecimal(price), kind: "given", atUs: asOfUs ?? 0 });
  const valuation: StatementOptions = { ...run.valuation, marks: book };
  return { ...run, valuation, statement: statementOf(engine, valuation) };
}

/** The price of each symbol on each day. An instrument with several symbols has a row for each of them. */
export function pinnedPrices({
  engine,
  valuation,
  aliases,
}: Pick<PnlRun, "engine" | "valuation"> & Pick<LedgerInput, "aliases">): readonly Close[] {
  const others = Map.groupBy([...aliases], ([, first]) => first);
  return [...closesOf(engine, valuation)].flatMap((close) => [
    close,
    ...(others.get(close.symbol) ?? []).map(([symbol]) => ({ ...close, symbol })),
  ]);
}

/** What a run refused: rows in quarantine, and trades whose records contradict each other. */
export const refusedOf = ({
  quarantine,
  notes,
}: Pick<PnlRun, "quarantine" | "notes">): readonly (Quarantined | Note)[] => [
  ...quarantine,
  ...notes.filter(({ code }) => code === "CONFLICTING_TRADE"),
];

/** Whether no row was refused and no trade has contradicting records. */
export const isClean = (run: Pick<PnlRun, "quarantine" | "notes">): boolean => refusedOf(run).length === 0;

/** The counts of the input, for reports. */
export const inputCounts = ({ files, rows, accepted, duplicates }: LedgerInput): InputCounts => ({
  files: files.length,
  rows,
  accepted,
  duplicates,
});

const rowsOfLedgers = (ledgers: readonly string[], { ends }: LedgerInput): readonly FileRows[] =>
  ledgers.map((path, file) => {
    const [before, after] = [ends[file - 1], ends[file]];
    const grown = (count: "rows" | "trades" | "repeated"): number =>
      (after?.[count] ?? 0) - (before?.[count] ?? 0);
    const [rows, accepted, duplicates] = [grown("rows"), grown("trades"), grown("repeated")];
    return { path, rows, accepted, duplicates, refused: rows - accepted - duplicates };
  });

function rowsOfPrices(path: string, priced: PriceInput | undefined, file: number): FileRows {
  const ofFile = (found: readonly { readonly file: string }[] = []): number =>
    found.filter((one) => one.file === priced?.files[file]).length;
  return {
    path,
    rows: priced?.rows[file] ?? 0,
    accepted: ofFile(priced?.prices),
    refused: ofFile(priced?.quarantine),
  };
}

/** The document of `pnl --json`. */
export function pnlDocument(run: PnlRun) {
  const { method, dayRule, asOfUs, engine, valuation, statement, input, quarantine, notes } = run;
  const zeroPriceLots = zeroPriceLotsOf(engine, valuation, statement.totals);
  return {
    method,
    asOf: asOfUs === null ? null : formatInstant(asOfUs),
    dayRule,
    positions: statement.positions,
    daily: statement.daily,
    totals: statement.totals,
    ...(zeroPriceLots.positions.length > 0 && { zeroPriceLots }),
    quarantine,
    notes,
    input: inputCounts(input),
  };
}

/**
 * Notes each trade that is older than a trade of its lane in an earlier file. If the files arrived one by
 * one, such a trade was late.
 */
function noteLate({ trades, files, ends }: LedgerInput, asOfUs: number, notes: NoteLog): void {
  const newest = new Map<number, number>();
  let from = 0;
  for (const { trades: end } of ends) {
    const ofFile = new Map<number, number>();
    for (let trade = from; trade < end; trade++) {
      if (trades.timeAt(trade) > asOfUs) continue;
      const lane = trades.laneAt(trade);
      const before = newest.get(lane);
      if (before !== undefined && trades.isBefore(trade, before)) {
        const symbol = trades.instruments[lane]?.symbol;
        const why = `the trade is older than a trade of ${symbol} in an earlier file, and is matched before it`;
        const { file, line } = trades.placeOf(trade);
        notes.note(files[file] ?? "", line, "LATE_TRADE", why);
      }
      const inFile = ofFile.get(lane);
      if (inFile === undefined || trades.isBefore(inFile, trade)) ofFile.set(lane, trade);
    }
    for (const [lane, trade] of ofFile) {
      const before = newest.get(lane);
      if (before === undefined || trades.isBefore(before, trade)) newest.set(lane, trade);
    }
    from = end;
  }
}

function asOfOf(text: string | undefined): ReadInstant | undefined {
  if (text === undefined) return undefined;
  try {
    return readAsOf(text);
  } catch (cause) {
    throw new BridgeError("BAD_USAGE", {
      what: `--as-of ${messageOf(cause)}`,
      fix:
        parseDay(text) === undefined
          ? "write 2025-07-24T15:00:00-05:00, or Chicago time without the offset"
          : `write a time too, such as ${text}T16:00:00`,
    });
  }
}

/** The largest value among the trades up to the as-of time and the prices; undefined if there are neither. */
function latest<T>(
  engine: PnlEngine,
  ofTrade: (trade: number) => number,
  prices: readonly T[],
  of: (price: T) => number,
): number | undefined {
  const { trades, asOfUs } = engine;
  let largest = Number.NEGATIVE_INFINITY;
  for (let trade = 0; trade < trades.length; trade++)
    if (trades.timeAt(trade) <= asOfUs) largest = Math.max(largest, ofTrade(trade));
  for (const price of prices) largest = Math.max(largest, of(price));
  return largest === Number.NEGATIVE_INFINITY ? undefined : largest;
}

/** Notes for marks of symbols that were never traded, which are probably misspelt. */
function unusedMarks(
  given: ReadonlyMap<string, GivenMark> | undefined,
  { trades }: LedgerInput,
): readonly Note[] {
  const known = new Set(trades.instruments.flatMap(({ symbol, instrument }) => [symbol, instrument]));
  return [...(given ?? [])]
    .filter(([name]) => !known.has(name))
    .map(([, { symbol }]) => ({
      file: "",
      line: 0,
      code: "UNUSED_MARK",
      why: `the mark of ${symbol} matches no traded symbol`,
    }));
}

function leftOut({ afterAsOf }: PnlEngine, asOf: string | undefined): readonly Note[] {
  return afterAsOf === 0
    ? []
    : [
        {
          file: "",
          line: 0,
          code: "AFTER_AS_OF",
          why: `${afterAsOf} trades are later than ${asOf} and were left out`,
        },
      ];
}

/** A statement whose days are computed once, for callers that read them repeatedly. */
export const withComputedDays = (statement: Statement): Statement => ({
  ...statement,
  daily: [...statement.daily],
});
