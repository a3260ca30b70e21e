import { dirname, resolve } from "node:path";
import {
  flatHasNoAveragePrice,
  PnLComparisonValidator,
  pointsToMoney,
  type SystemAnswer,
  tolerancesFrom,
  unpricedDayHasNoValue,
} from "../../comparison/index.ts";
import { type Config, ownMethodNames, type SystemConfig } from "../../config/index.ts";
import { isTradingDayRule } from "../../domain/market/trading-day.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { type Statement, type TradeColumns, zeroPriceLotsOf } from "../../engine/index.ts";
import { checkNew, makeFolder, unwritable } from "../../platform/output.ts";
import type { ParityReport } from "../../ports/parity-report.ts";
import type { HistoryRows } from "../../ports/pnl-system.ts";
import { builtinDesk, dayRulesOf, figuresOf, netsBooks } from "../builtin-systems.ts";
import { legacySymbolsOf } from "../symbols/legacy-symbols.ts";
import { bytesRead, digestsOf, withEvidence } from "./evidence.ts";
import { explained, type HowExplained } from "./explain.ts";
import { explainedWorld, nameIn } from "./explained-world.ts";
import { inputFiles } from "./input-files.ts";
import {
  inputCounts,
  isClean,
  type PnlRun,
  type PnlRunOptions,
  pinnedPrices,
  runPnl,
  withComputedDays,
} from "./pnl-run.ts";
import { askedRows, recordedRows } from "./recorded.ts";

export interface ReplayOptions extends PnlRunOptions {
  readonly config: Config;
  /** The file of `config` and the calendar of `overrides`, which the report names. */
  readonly configFile?: string | undefined;
  readonly calendar?: string | undefined;
  /** A new file, into which the legacy desk writes its `pnl_tracker.db`. Absent: it writes none. */
  readonly legacyDatabase?: string | undefined;
  /** Files with the answer of a system's `history`, which is then not run. */
  readonly legacyRows?: string | undefined;
  readonly modernRows?: string | undefined;
  readonly explain?: HowExplained | undefined;
  /** Receives the engine's run over the files and the systems that are compared. */
  readonly onWorld?: ((world: PnlRun, systems: Config["systems"]) => void) | undefined;
  /** Receives the time that a foreign system took for the whole history; not called for recorded rows. */
  readonly onTimed?: ((side: Side, ms: number) => void) | undefined;
}

/**
 * Runs one trading history through both systems and compares the results row by row. Both get the same ledger
 * files and, for each symbol and day, the same price (from the price files, the given marks, or the last
 * trade). Modern follows legacy's day rule unless `dayRule` or its own configuration names another. Throws
 * BridgeError, as `runPnl` does, and UNWRITABLE.
 */
export async function replay(options: ReplayOptions): Promise<ParityReport> {
  const recorded: Readonly<Record<Side, SystemAnswer | undefined>> = {
    legacy: options.legacyRows === undefined ? undefined : await recordedRows(options.legacyRows),
    modern: options.modernRows === undefined ? undefined : await recordedRows(options.modernRows),
  };
  const systems = {
    legacy: withRows(options.config.systems.legacy, recorded.legacy),
    modern: withRows(options.config.systems.modern, recorded.modern),
  };
  const config = { ...options.config, systems };
  // An existing file could be the desk's real database.
  if (options.legacyDatabase !== undefined) await checkNew(options.legacyDatabase);
  const rules = dayRulesOf(systems, options.dayRule);
  const netBooks = netsBooks(systems);
  const digests = await digestsOf(await inputFiles({ ...options, config: options.configFile }));
  const world = runWithComputedDays(
    await runPnl({ ...options, dayRule: rules.legacy, netBooks, onBytes: bytesRead(digests) }),
  );
  options.onWorld?.(world, systems);
  const closes = pinnedPrices({ ...world, ...world.input });
  let other: PnlRun | undefined;
  const answer = async (side: Side): Promise<SystemAnswer> => {
    const system = systems[side];
    const rule = rules[side];
    const rows = recorded[side];
    if (rows !== undefined) return rows;
    options.onProgress?.(`running ${system.name}`);
    if (system.kind !== "builtin") {
      const folder = options.configFile === undefined ? process.cwd() : dirname(resolve(options.configFile));
      const ledgers = world.ledgers.map((path) => resolve(path));
      return askedRows(system, { ledgers, closes }, folder);
    }
    const database = side === "legacy" ? options.legacyDatabase : undefined;
    const desk = builtinDesk(system, database);
    if (desk !== undefined) {
      try {
        if (database !== undefined) await makeFolder(dirname(database));
        return {
          system: system.name,
          dayRule: desk.dayRule,
          ...(await desk.history({ ledgers: world.ledgers, closes })),
        };
      } catch (cause) {
        throw database === undefined ? cause : unwritable(database, cause);
      }
    }
    const run = rule === world.dayRule ? world : await runPnl({ ...options, dayRule: rule, netBooks });
    if (run !== world) other = run;
    return { system: system.name, dayRule: rule, ...rowsOf(run.statement) };
  };
  const timed = async (side: Side): Promise<SystemAnswer> => {
    const startedMs = performance.now();
    const rows = await answer(side);
    if (systems[side].kind !== "builtin" && recorded[side] === undefined)
      options.onTimed?.(side, performance.now() - startedMs);
    return rows;
  };
  const [legacy, modern] = [await timed("legacy"), await timed("modern")];
  options.onProgress?.("comparing");
  const { input, quarantine, notes, method, engine, valuation, statement } = world;
  const nameOf = nameIn(world);
  const multiplierOf = multipliersOf(input.trades, nameOf);
  const validator = validatorFor(config, multiplierOf, unpricedDays(statement));
  const report = validator.compare(inNames(legacy, nameOf), inNames(modern, nameOf));
  const netted = netBooks && input.books ? [bookNetting] : [];
  options.onProgress?.("explaining");
  const explanation = await explained(
    report,
    explainedWorld(world, { legacy, netBooks, other }),
    options.explain,
  );
  const compared = {
    ...explanation,
    ok: report.ok && isClean(world),
    conversions: [...report.conversions, ...netted],
    method,
    input: inputCounts(input),
    quarantine,
    notes,
    zeroPriceLots: zeroPriceLotsOf(engine, valuation, statement.totals),
    legacySymbols: legacySymbolsOf(world.symbols, symbolsOf(world)),
  };
  return withEvidence(compared, { ...world, digests, trades: input.trades, day: valuation.asOfDay });
}

/** Every traded symbol, including aliases of another symbol of the same instrument. */
const symbolsOf = ({ input }: PnlRun): readonly string[] => [
  ...new Set([...input.trades.instruments.map(({ symbol }) => symbol), ...input.aliases.keys()]),
];

export const bookNetting = {
  system: "modern",
  field: "book",
  rule: "positions are netted over all books, because the legacy desk has no books",
} as const;

/** A validator with the configured thresholds, and the conversions that the configured systems need. */
export function validatorFor(
  config: Config,
  multiplierOf: (symbol: string) => string | undefined,
  isUnpriced: (symbol: string, tradingDay: string) => boolean,
): PnLComparisonValidator {
  const conversions = (["legacy", "modern"] as const)
    .filter((side) => figuresOf(config.systems[side]).pnlIn === "points")
    .flatMap((side) =>
      [...pointsToMoney(multiplierOf), flatHasNoAveragePrice, unpricedDayHasNoValue(isUnpriced)].map(
        (conversion) => ({
          ...conversion,
          system: side,
        }),
      ),
    );
  const { positionThreshold, comparisonThreshold } = config.validation;
  return new PnLComparisonValidator({
    conversions,
    tolerances: tolerancesFrom({ position: positionThreshold, pnl: comparisonThreshold }),
  });
}

/** Whether a symbol had open lots and no price at the end of a day. */
export function unpricedDays({ daily }: Statement): (symbol: string, tradingDay: string) => boolean {
  const unpriced = new Set<string>();
  for (const { symbol, tradingDay, unrealized } of daily)
    if (unrealized === null) unpriced.add(`${tradingDay} ${symbol}`);
  return (symbol, tradingDay) => unpriced.has(`${tradingDay} ${symbol}`);
}

const runWithComputedDays = (run: PnlRun): PnlRun => ({ ...run, statement: withComputedDays(run.statement) });

/** The rows of the modern engine in the form of a comparison. */
const rowsOf = ({ positions, daily }: Pick<Statement, "positions" | "daily">): HistoryRows => ({
  positions,
  daily: [...daily],
  errors: [],
});

/**
 * Returns the configuration of a system whose rows are recorded. It has the day rule of the rows. In place
 * of a built-in system it describes a foreign one, whose P&L is in money.
 */
function withRows(configured: SystemConfig, rows: SystemAnswer | undefined): SystemConfig {
  if (rows === undefined) return configured;
  const dayRule = isTradingDayRule(rows.dayRule) ? rows.dayRule : undefined;
  if (configured.kind !== "builtin") return { ...configured, dayRule };
  return {
    kind: "command",
    name: rows.system,
    command: [],
    cwd: undefined,
    env: [],
    methods: ownMethodNames,
    timeoutMs: undefined,
    build: undefined,
    dayRule,
    pnlIn: "money",
  };
}

/** Multipliers by symbol; `nameOf` returns the symbol under which modern keeps the instrument. */
export const multipliersOf = (
  { instruments }: TradeColumns,
  nameOf: (symbol: string) => string,
): ((symbol: string) => string | undefined) => {
  const bySymbol = new Map(instruments.map(({ symbol, multiplier }) => [symbol, multiplier]));
  return (symbol) => bySymbol.get(nameOf(symbol));
};

/**
 * Renames the symbols of an answer to those of modern's positions. If a system has several spellings of one
 * instrument among rows of one kind, it keeps them apart, and they keep their names here.
 */
export function inNames(answer: SystemAnswer, nameOf: (symbol: string) => string): SystemAnswer {
  const renamed = <Row extends { readonly symbol: string }>(rows: readonly Row[]): readonly Row[] => {
    const spellings = Map.groupBy(new Set(rows.map(({ symbol }) => symbol.trim())), nameOf);
    return rows.map((row) => {
      const symbol = row.symbol.trim();
      const name = nameOf(symbol);
      return { ...row, symbol: spellings.get(name)?.length === 1 ? name : symbol };
    });
  };
  const { positions, daily, snapshots = [] } = answer;
  return { ...answer, positions: renamed(positions), daily: renamed(daily), snapshots: renamed(snapshots) };
}
