import { assert } from "../../base/errors.ts";
import { add, type Fraction, formatFraction, parseFigure, subtract } from "../../base/fraction.ts";
import { judgeNumbers } from "../../comparison/index.ts";
import { formatDay, parseDay } from "../../domain/market/trading-day.ts";
import { agrees } from "../../domain/migration/verdict.ts";
import {
  type Describe,
  MarkBook,
  PnlEngine,
  type Statement,
  type StatementDay,
  type StatementOptions,
  statementOf,
  type TradeColumns,
} from "../../engine/index.ts";
import type { ParityReport, ParityRow } from "../../ports/parity-report.ts";
import { pinnedPrices } from "./pnl-run.ts";

/**
 * Causes that need the history, beside those that two values prove by themselves. Each is a rule under which
 * modern is run again.
 */
export const historyCauses = {
  COUNTED_TWICE: "legacy counted rows that stand in two files twice: modern with the same rows doubled gives legacy's figure",
  FILE_REJECTED: "legacy gave up a file at a bad row: modern without the file's later rows gives legacy's figure",
  SPLIT_SYMBOLS: "legacy keeps symbols apart that are one instrument: modern with them kept apart gives legacy's figure",
  NO_MARK: "there is no price of that day: modern says so; modern with a value of 0 in its place gives legacy's figure",
} as const;
type Rule = keyof typeof historyCauses;

/** How the trades of a history are read other than by modern's own rules. */
export interface Reading {
  /** Rows that stand in several files count in each. */
  readonly keepRepeated: boolean;
  /** Files are read up to a row: by index into `files`, how many rows are taken. */
  readonly rowsTaken: ReadonlyMap<number, number>;
  /** Each symbol is an instrument of its own. */
  readonly symbolsApart: boolean;
}

export const ownReading: Reading = { keepRepeated: false, rowsTaken: new Map(), symbolsApart: false };

/** What a reading makes of symbols. */
export const asRead = (describe: Describe, { symbolsApart }: Reading): Describe =>
  symbolsApart ? (symbol, day) => ({ multiplier: "1", currency: "XXX", ...describe(symbol, day), instrument: symbol }) : describe;

/** One history as modern read, matched and valued it, and the way to read it again. */
export interface World {
  /** By `trades.file`. */
  readonly files: readonly string[];
  /** Trades that stand in a later file again. */
  readonly repeated: readonly number[];
  /** Files that legacy gave up: by index into `files`, how many of their rows it had taken. */
  readonly givenUp: ReadonlyMap<number, number>;
  /** By symbol: the one under which modern keeps it. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly engine: PnlEngine;
  readonly statement: Statement;
  readonly valuation: StatementOptions;
  readonly reread: (reading: Reading) => Promise<TradeColumns>;
}

/** The most trades named behind one difference. */
const tradesNamedMax = 20;

/**
 * Names the cause of each row that does not agree, if modern gives legacy's figure when it is run again under that
 * rule, or under several rules where no single one suffices. The trades beside a cause are those that the rule treats
 * otherwise.
 */
export async function explained(report: ParityReport, world: World): Promise<ParityReport> {
  let left = report.rows.filter(isUnexplained);
  const wanted = new Set(left.map((row) => figureName(row.kind, row.key)));
  const own = figuresOf(world.statement, wanted);
  left = left.filter((row) => !reproduces(row, own));
  const found = new Map<ParityRow, ParityRow>();
  const trials = new Trials(world, wanted);
  for (const rules of combinationsOf(applicableRules(world))) {
    if (left.length === 0) break;
    const { trades, figures } = await trials.under(rules);
    const proved = left.filter((row) => reproduces(row, figures));
    if (proved.length === 0) continue;
    const suspects = suspectsOf(rules, world, trades);
    for (const row of proved) found.set(row, withCause(row, rules, suspects.get(homeOf(row.key, world)) ?? []));
    left = left.filter((row) => !found.has(row));
  }
  return { ...report, rows: report.rows.map((row) => found.get(row) ?? row) };
}

/** Rows that disagree and whose two values prove nothing but that. */
const isUnexplained = ({ verdict, cause }: ParityRow): boolean =>
  !agrees(verdict) && (cause === null || /^(MISSING_IN|NO_VALUE_IN)_/.test(cause));

function withCause(row: ParityRow, rules: readonly Rule[], suspects: readonly Suspect[]): ParityRow {
  const day = row.key.tradingDay ?? "9999";
  const trades = suspects.filter((suspect) => suspect.day <= day).slice(0, tradesNamedMax);
  return {
    ...row,
    cause: rules[0] ?? null,
    ...(rules.length > 1 ? { causes: rules } : {}),
    ...(trades.length > 0 ? { trades: trades.map(({ file, line, id }) => ({ file, line, id })) } : {}),
  };
}

function applicableRules({ repeated, givenUp, aliases }: World): readonly Rule[] {
  const applies: Readonly<Record<Rule, boolean>> = {
    COUNTED_TWICE: repeated.length > 0,
    FILE_REJECTED: givenUp.size > 0,
    SPLIT_SYMBOLS: aliases.size > 0,
    NO_MARK: true,
  };
  return (Object.keys(historyCauses) as Rule[]).filter((rule) => applies[rule]);
}

/** Every choice of rules, the smallest first. */
const combinationsOf = (rules: readonly Rule[]): readonly (readonly Rule[])[] =>
  Array.from({ length: 2 ** rules.length - 1 }, (_, index) => rules.filter((_rule, bit) => ((index + 1) >> bit) % 2 === 1)).sort(
    (a, b) => a.length - b.length,
  );

/** Modern's figures by kind, book, symbol and day. */
type Figures = ReadonlyMap<string, Readonly<Record<string, unknown>>>;
interface Trial {
  readonly trades: TradeColumns;
  readonly statement: Statement;
}

/** Runs modern again under altered rules; each reading of the trades once. */
class Trials {
  readonly #world: World;
  readonly #wanted: ReadonlySet<string>;
  readonly #trials = new Map<string, Trial>();
  #valuation: StatementOptions | undefined;

  constructor(world: World, wanted: ReadonlySet<string>) {
    this.#world = world;
    this.#wanted = wanted;
    this.#trials.set(nameOfReading(ownReading), { trades: world.engine.trades, statement: world.statement });
  }

  async under(rules: readonly Rule[]): Promise<{ readonly trades: TradeColumns; readonly figures: Figures }> {
    const reading: Reading = {
      keepRepeated: rules.includes("COUNTED_TWICE"),
      rowsTaken: rules.includes("FILE_REJECTED") ? this.#world.givenUp : ownReading.rowsTaken,
      symbolsApart: rules.includes("SPLIT_SYMBOLS"),
    };
    const name = nameOfReading(reading);
    const trial = this.#trials.get(name) ?? (await this.#run(reading));
    this.#trials.set(name, trial);
    const { trades, statement } = trial;
    return { trades, figures: figuresOf(rules.includes("NO_MARK") ? valuedAtZero(statement) : statement, this.#wanted) };
  }

  async #run(reading: Reading): Promise<Trial> {
    const { engine, valuation, statement } = this.#world;
    this.#valuation ??= { ...valuation, marks: marksOf(this.#world), days: daysOf(statement) };
    const trades = await this.#world.reread(reading);
    const again = new PnlEngine(trades, { method: engine.method, asOfUs: engine.asOfUs });
    again.feed();
    return { trades, statement: statementOf(again, this.#valuation) };
  }
}

const nameOfReading = ({ keepRepeated, rowsTaken, symbolsApart }: Reading): string =>
  JSON.stringify([keepRepeated, rowsTaken.size, symbolsApart]);

/** The prices at which both systems valued the history, whatever other rules make of its last trades. */
function marksOf(world: World): MarkBook {
  const marks = new MarkBook();
  for (const { symbol, tradingDay, price } of pinnedPrices(world)) {
    const [day, value] = [parseDay(tradingDay), parseFigure(price)];
    assert(day !== undefined && value !== undefined, "a pinned price is a number of a day");
    marks.add(symbol, day, { price: value, kind: "close", atUs: 0 });
  }
  return marks;
}

function daysOf({ daily }: Statement): readonly number[] {
  const days = new Set<string>();
  for (const { tradingDay } of daily) days.add(tradingDay);
  return [...days].map((day) => parseDay(day) ?? 0);
}

/** The statement of a system that values what is open at 0 on a day without a price. */
function valuedAtZero({ positions, daily, totals }: Statement): Statement {
  return {
    positions: positions.map((row) => ({ ...row, unrealized: row.unrealized ?? "0" })),
    daily: daysValuedAtZero(daily),
    totals,
  };
}

function* daysValuedAtZero(daily: Iterable<StatementDay>): Generator<StatementDay> {
  const before = new Map<string, string>();
  for (const row of daily) {
    const name = nameOf(keyOf(row));
    const unrealized = row.unrealized ?? "0";
    const change = subtract(numberOf(unrealized), numberOf(before.get(name) ?? "0"));
    yield { ...row, unrealized, total: formatFraction(add(numberOf(row.realized), change)).text };
    before.set(name, unrealized);
  }
}

const numberOf = (figure: string): Fraction => {
  const value = parseFigure(figure);
  assert(value !== undefined, "a figure of a statement is a number");
  return value;
};

/** Those of a statement's figures that are wanted, by their names. */
function figuresOf({ positions, daily }: Statement, wanted: ReadonlySet<string>): Figures {
  const figures = new Map<string, Readonly<Record<string, unknown>>>();
  const put = (kind: ParityRow["kind"], key: ParityRow["key"], row: object): void => {
    const name = figureName(kind, key);
    if (wanted.has(name)) figures.set(name, { ...row });
  };
  for (const row of positions) put("position", keyOf(row), row);
  for (const row of daily) {
    const key = { ...keyOf(row), tradingDay: row.tradingDay };
    put("daily", key, row);
    put("snapshot", key, { ...row, realized: row.realizedToDate });
  }
  return figures;
}

/**
 * Whether modern under altered rules says what legacy says; of a row that one side lacks, whether it has or
 * lacks it likewise.
 */
function reproduces(row: ParityRow, figures: Figures): boolean {
  const ours = figures.get(figureName(row.kind, row.key));
  if (row.cause === "MISSING_IN_LEGACY") return ours === undefined;
  if (ours === undefined) return false;
  if (row.cause !== "MISSING_IN_MODERN") return isSame(ours[row.field], row.legacy, row.tolerance);
  return Object.entries(row.present ?? {}).every(([field, legacy]) => isSame(ours[field], legacy, null));
}

/** Where modern had no value there is no tolerance: then no more than the dust of floats is forgiven. */
const dust = "0.000001";

function isSame(ours: unknown, legacy: string | null, tolerance: string | null): boolean {
  if (typeof ours !== "string" || legacy === null) return (ours ?? null) === legacy;
  const [value, wanted, allowed] = [parseFigure(ours), parseFigure(legacy), parseFigure(tolerance ?? dust)];
  if (value === undefined || wanted === undefined || allowed === undefined) return false;
  return agrees(judgeNumbers(wanted, value, allowed).verdict);
}

interface Suspect {
  readonly day: string;
  readonly file: string;
  readonly line: number;
  readonly id: string;
}

/** The trades that the rules treat otherwise, by the position in which modern has them. */
function suspectsOf(rules: readonly Rule[], world: World, altered: TradeColumns): ReadonlyMap<string, readonly Suspect[]> {
  const suspects = new Map<string, Suspect[]>();
  for (const [trades, trade] of rules.flatMap((rule) => [...treatedOtherwise[rule](world, altered)])) {
    const home = homeOf(keyOf(instrumentAt(trades, trade)), world);
    const ofHome = suspects.get(home) ?? [];
    suspects.set(home, ofHome);
    ofHome.push({
      day: formatDay(trades.day[trade] as number),
      file: world.files[trades.file[trade] as number] as string,
      line: trades.line[trade] as number,
      id: trades.id(trade),
    });
  }
  return suspects;
}

const treatedOtherwise: Readonly<
  Record<Rule, (world: World, altered: TradeColumns) => Iterable<readonly [TradeColumns, number]>>
> = {
  COUNTED_TWICE: ({ engine: { trades }, repeated }) => repeated.map((trade) => [trades, trade]),
  *FILE_REJECTED({ engine: { trades }, givenUp }, altered) {
    const placeOf = (columns: TradeColumns, trade: number): string => `${columns.file[trade]}:${columns.line[trade]}`;
    const taken = new Set<string>();
    for (let trade = 0; trade < altered.length; trade++)
      if (givenUp.has(altered.file[trade] as number)) taken.add(placeOf(altered, trade));
    for (let trade = 0; trade < trades.length; trade++)
      if (givenUp.has(trades.file[trade] as number) && !taken.has(placeOf(trades, trade))) yield [trades, trade];
  },
  *SPLIT_SYMBOLS({ aliases }, altered) {
    for (let trade = 0; trade < altered.length; trade++)
      if (aliases.has(instrumentAt(altered, trade).symbol)) yield [altered, trade];
  },
  NO_MARK: () => [],
};

const instrumentAt = ({ instruments, lane }: TradeColumns, trade: number): TradeColumns["instruments"][number] =>
  instruments[lane[trade] as number] as TradeColumns["instruments"][number];

/** The position in which modern has what a row or a trade calls by some symbol. */
const homeOf = ({ book, symbol }: ParityRow["key"], { aliases }: World): string =>
  nameOf(keyOf({ book, symbol: aliases.get(symbol) ?? symbol }));

const keyOf = ({ book, symbol }: { readonly book?: string | undefined; readonly symbol: string }): ParityRow["key"] => ({
  ...(book === undefined ? {} : { book }),
  symbol,
});

/** One name for a position, or for a day of it. */
const nameOf = ({ book, symbol, tradingDay }: ParityRow["key"]): string => JSON.stringify([book, symbol, tradingDay]);
const figureName = (kind: ParityRow["kind"], key: ParityRow["key"]): string => `${kind} ${nameOf(key)}`;
