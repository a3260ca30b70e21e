import { parseFigure } from "../../base/fraction.ts";
import { judgeNumbers } from "../../comparison/index.ts";
import { parseDay } from "../../domain/market/trading-day.ts";
import { agrees } from "../../domain/migration/verdict.ts";
import {
  type Describe,
  MarkBook,
  PnlEngine,
  type Statement,
  type StatementOptions,
  statementOf,
  type TradeColumns,
} from "../../engine/index.ts";
import type { ParityReport, ParityRow } from "../../ports/parity-report.ts";
import { pinnedPrices } from "./pnl-run.ts";

/**
 * Causes that can only be proved from the history, unlike those that the two values prove by themselves. Each
 * is a rule under which modern is run again.
 */
export const historyCauses = {
  COUNTED_TWICE:
    "legacy counted rows twice that appear in two files: " +
    "modern with these rows doubled gives legacy's figure",
  FILE_REJECTED:
    "legacy stopped reading a file at a bad row: modern without the later rows gives legacy's figure",
  SPLIT_SYMBOLS:
    "legacy keeps several symbols of one instrument apart: modern gives legacy's figure if it does so too",
  NO_MARK:
    "the day has no price, and modern reports no value: with a value of 0 instead it gives legacy's figure",
} as const;
type Rule = keyof typeof historyCauses;

/** The ways in which a reading of the trades departs from modern's own rules. */
export interface Reading {
  /** Rows that appear in several files count once for each file. */
  readonly keepRepeated: boolean;
  /** The number of rows after which a file is no longer read, by its index in `files`. */
  readonly rowsTaken: ReadonlyMap<number, number>;
  /** Each symbol counts as a separate instrument. */
  readonly symbolsApart: boolean;
}

export const ownReading: Reading = { keepRepeated: false, rowsTaken: new Map(), symbolsApart: false };

/** The description of symbols under a reading. */
export const asRead = (describe: Describe, { symbolsApart }: Reading): Describe =>
  symbolsApart
    ? (symbol, day) => ({ multiplier: "1", currency: "XXX", ...describe(symbol, day), instrument: symbol })
    : describe;

/** One history as modern read, matched and valued it, with a function to read it again. */
interface World {
  /** Paths of the files, indexed by `trades.file`. */
  readonly files: readonly string[];
  /** Trades that a later file repeats. */
  readonly repeated: readonly number[];
  /** Files that legacy stopped reading: the number of rows that it had taken, by index in `files`. */
  readonly givenUp: ReadonlyMap<number, number>;
  /** For each alias, the symbol under which modern keeps its instrument. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly engine: PnlEngine;
  readonly statement: Statement;
  readonly valuation: StatementOptions;
  readonly reread: (reading: Reading) => Promise<TradeColumns>;
}

/** The maximum number of trades named for one difference. */
const tradesNamedMax = 20;

/**
 * Finds causes of the rows that do not agree. A rule is the cause of a row if modern, run again under that
 * rule, gives legacy's figure; several rules together are the cause if no single one suffices. Each cause
 * names the trades that its rules treat differently.
 */
export async function explained(report: ParityReport, world: World): Promise<ParityReport> {
  let left = report.rows.filter(isUnexplained);
  if (left.length === 0) return report;
  const wanted = new Set(left.map(figureName));
  const { days, marks } = pinned(world);
  const found = new Map<ParityRow, ParityRow>();
  for (const rules of combinationsOf(applicableRules(world))) {
    const engine = await engineUnder(rules, world);
    const unmarkedAtZero = rules.includes("NO_MARK");
    const valuation = { ...world.valuation, days, marks, unmarkedAtZero };
    const figures = figuresOf(rules.length === 0 ? world.statement : statementOf(engine, valuation), wanted);
    const proved = new Set(left.filter((row) => reproduces(row, figures)));
    left = left.filter((row) => !proved.has(row));
    // If modern's own rules give legacy's figure on legacy's days, no other rule is the cause.
    const suspects =
      rules.length === 0 || proved.size === 0 ? undefined : suspectsOf(rules, world, engine.trades);
    for (const row of suspects === undefined ? [] : proved) {
      const day = dayOf(row.key.tradingDay) ?? Infinity;
      const ofHome =
        suspects?.get(positionKeyOf(row.key, world))?.filter((suspect) => suspect.day <= day) ?? [];
      const trades = ofHome.slice(0, tradesNamedMax).map(({ file, line, id }) => ({ file, line, id }));
      const causes = rules.length > 1 ? { causes: rules } : {};
      found.set(row, { ...row, cause: rules[0] ?? null, ...causes, ...(trades.length > 0 && { trades }) });
    }
    if (left.length === 0) break;
  }
  return { ...report, rows: report.rows.map((row) => found.get(row) ?? row) };
}

/** Rows that disagree and whose values alone do not prove a cause. */
const isUnexplained = ({ verdict, cause }: ParityRow): boolean =>
  !agrees(verdict) && (cause === null || /^(MISSING_IN|NO_VALUE_IN)_/.test(cause));

function applicableRules({ repeated, givenUp, aliases }: World): readonly Rule[] {
  const applies: Readonly<Record<Rule, boolean>> = {
    COUNTED_TWICE: repeated.length > 0,
    FILE_REJECTED: givenUp.size > 0,
    SPLIT_SYMBOLS: aliases.size > 0,
    NO_MARK: true,
  };
  return (Object.keys(historyCauses) as Rule[]).filter((rule) => applies[rule]);
}

/** All combinations of rules, the smallest first: none, each alone, and so on. */
const combinationsOf = (rules: readonly Rule[]): readonly (readonly Rule[])[] =>
  Array.from({ length: 2 ** rules.length }, (_, index) =>
    rules.filter((_rule, bit) => (index >> bit) % 2 === 1),
  ).sort((a, b) => a.length - b.length);

/** Runs modern over the trades as these rules read them. */
async function engineUnder(rules: readonly Rule[], { engine, givenUp, reread }: World): Promise<PnlEngine> {
  if (rules.every((rule) => rule === "NO_MARK")) return engine;
  const trades = await reread({
    keepRepeated: rules.includes("COUNTED_TWICE"),
    rowsTaken: rules.includes("FILE_REJECTED") ? givenUp : ownReading.rowsTaken,
    symbolsApart: rules.includes("SPLIT_SYMBOLS"),
  });
  const again = new PnlEngine(trades, { method: engine.method, asOfUs: engine.asOfUs });
  again.feed();
  return again;
}

/**
 * The days of a history and the prices at which both systems valued it, which stay the same when other rules
 * change its last trades.
 */
function pinned(world: World): { readonly days: readonly number[]; readonly marks: MarkBook } {
  const marks = new MarkBook();
  for (const { symbol, tradingDay, price } of pinnedPrices(world)) {
    const [day, value] = [dayOf(tradingDay), parseFigure(price)];
    if (day !== undefined && value !== undefined)
      marks.add(symbol, day, { price: value, kind: "close", atUs: 0 });
  }
  const days = new Set<string>();
  for (const { tradingDay } of world.statement.daily) days.add(tradingDay);
  return { days: [...days].flatMap((day) => dayOf(day) ?? []), marks };
}

const dayOf = (text: string | undefined): number | undefined => parseDay(text ?? "");

/** Modern's figures by kind, book, symbol and day. */
type Figures = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** The wanted figures of a statement, by name. */
function figuresOf({ positions, daily }: Statement, wanted: ReadonlySet<string>): Figures {
  const figures = new Map<string, Readonly<Record<string, unknown>>>();
  const put = (kind: ParityRow["kind"], key: ParityRow["key"], row: object): void => {
    const name = figureName({ kind, key });
    if (wanted.has(name)) figures.set(name, { ...row });
  };
  for (const row of positions) put("position", row, row);
  for (const row of daily) {
    put("daily", row, row);
    put("snapshot", row, { ...row, realized: row.realizedToDate });
  }
  return figures;
}

/**
 * Whether modern under other rules gives legacy's value. For a row that one side lacks: whether modern then
 * has or lacks the row as legacy does.
 */
function reproduces(row: ParityRow, figures: Figures): boolean {
  const ours = figures.get(figureName(row));
  if (row.cause === "MISSING_IN_LEGACY") return ours === undefined;
  if (ours === undefined) return false;
  if (row.cause !== "MISSING_IN_MODERN") return isSame(ours[row.field], row.legacy, row.tolerance);
  return Object.entries(row.present ?? {}).every(([field, legacy]) => isSame(ours[field], legacy, null));
}

/** Tolerance of a row that has none because modern had no value. It covers only rounding errors of floats. */
const dust = "0.000001";

function isSame(ours: unknown, legacy: string | null, tolerance: string | null): boolean {
  if (typeof ours !== "string" || legacy === null) return (ours ?? null) === legacy;
  const [value, wanted, allowed] = [parseFigure(ours), parseFigure(legacy), parseFigure(tolerance ?? dust)];
  if (value === undefined || wanted === undefined || allowed === undefined) return false;
  return agrees(judgeNumbers(wanted, value, allowed).verdict);
}

type Suspect = NonNullable<ParityRow["trades"]>[number] & { readonly day: number };

/** The trades that the rules treat differently, by modern's position. */
function suspectsOf(
  rules: readonly Rule[],
  world: World,
  altered: TradeColumns,
): ReadonlyMap<string, readonly Suspect[]> {
  const suspects = new Map<string, Suspect[]>();
  for (const [trades, trade] of rules.flatMap((rule) => [...affectedTrades[rule](world, altered)])) {
    const home = positionKeyOf(trades.instrumentAt(trade), world);
    const ofHome = suspects.get(home) ?? [];
    suspects.set(home, ofHome);
    const { file, line } = trades.placeOf(trade);
    ofHome.push({ file: world.files[file] ?? "", line, id: trades.id(trade), day: trades.day[trade] ?? 0 });
  }
  return suspects;
}

const affectedTrades: Readonly<
  Record<Rule, (world: World, altered: TradeColumns) => Iterable<readonly [TradeColumns, number]>>
> = {
  COUNTED_TWICE: ({ engine: { trades }, repeated }) => repeated.map((trade) => [trades, trade]),
  *FILE_REJECTED({ engine: { trades }, givenUp }, altered) {
    const lastTaken = new Map([...givenUp.keys()].map((file) => [file, 0]));
    for (let trade = 0; trade < altered.length; trade++) {
      const { file, line } = altered.placeOf(trade);
      if (lastTaken.has(file)) lastTaken.set(file, line);
    }
    for (let trade = 0; trade < trades.length; trade++) {
      const { file, line } = trades.placeOf(trade);
      if (line > (lastTaken.get(file) ?? Infinity)) yield [trades, trade];
    }
  },
  *SPLIT_SYMBOLS({ aliases }, altered) {
    for (let trade = 0; trade < altered.length; trade++)
      if (aliases.has(altered.instrumentAt(trade).symbol)) yield [altered, trade];
  },
  NO_MARK: () => [],
};

/** Modern's position for the symbol of a row or trade. */
const positionKeyOf = (
  { book, symbol }: Pick<ParityRow["key"], "book" | "symbol">,
  { aliases }: World,
): string => JSON.stringify([book, aliases.get(symbol) ?? symbol]);

const figureName = ({ kind, key }: Pick<ParityRow, "kind" | "key">): string =>
  JSON.stringify([kind, key.book, key.symbol, key.tradingDay]);
