/** Explains a stored comparison of a call: the causes of its differences, and the trades that show them. */

import { resolve } from "node:path";
import { BridgeError } from "../../base/errors.ts";
import { type JsonValue, parseExact } from "../../base/exact-json.ts";
import { PnLComparisonValidator, type SystemAnswer, tolerancesFrom } from "../../comparison/index.ts";
import type { Config } from "../../config/index.ts";
import { parseDay } from "../../domain/market/chicago-time.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { methods, noDayRule, type PnlRequest, runRequest } from "../../engine/index.ts";
import { type ExplainOptions, explain, type History } from "../../explain/index.ts";
import type { StoredComparison } from "../../ports/evidence.ts";
import type { Explanation } from "../../ports/explanation.ts";
import { pnlMethods } from "../../ports/pnl-service.ts";
import type { DailyRow, PositionRow } from "../../ports/pnl-system.ts";
import { LedgerWorld } from "../bridge/systems/ledger-world.ts";
import { givenMarks } from "../bridge/systems/modern-service.ts";
import { dayRulesOf, netsBooks } from "../builtin-systems.ts";
import { requestDescriber } from "../symbols/symbols.ts";
import { asRead, byDifference, historyOf } from "./explain.ts";
import { explainedWorld } from "./explained-world.ts";
import { pinnedPrices } from "./pnl-run.ts";

/** The parts of a configuration that an explanation needs, and the folder where its relative paths start. */
export interface ExplainSettings {
  readonly config: Pick<Config, "systems" | "watch" | "validation" | "exclusions">;
  readonly folder: string;
}

/** A comparison whose request is kept. */
export interface KeptComparison {
  readonly stored: StoredComparison;
  /** The JSON text of the request and both answers. */
  readonly text: string;
}

/**
 * Explains a kept comparison, the largest difference first. The rows are those of the two answers.
 * The trades are those of the request, or the ledgers of the configuration up to the as-of time of the
 * request, as the files are now. Throws the errors of reading the ledgers.
 */
export async function explainComparison(
  { stored, text }: KeptComparison,
  settings: ExplainSettings,
  options: ExplainOptions,
): Promise<readonly Explanation[]> {
  const { request = null, ...answers } = fieldsOf(parseExact(text));
  const given = fieldsOf(request);
  const { config } = settings;
  const isOfRequest = stored.method === "calculatePnl";
  const rules = isOfRequest ? { legacy: noDayRule.name, modern: noDayRule.name } : dayRulesOf(config.systems);
  const { positionThreshold: position, comparisonThreshold: pnl } = config.validation;
  const validator = new PnLComparisonValidator({ tolerances: tolerancesFrom({ position, pnl }) });
  const answerOf = (side: Side): SystemAnswer => ({
    system: config.systems[side].name,
    dayRule: rules[side],
    ...rowsOf(fieldsOf(answers[side])),
    errors: [],
  });
  const report = validator.compare(answerOf("legacy"), answerOf("modern"));
  const excluded = excludedFields(settings, stored);
  const compared = {
    ...report,
    method: methods.find((name) => name === given.method) ?? "fifo",
    rows: report.rows.filter(({ field }) => !excluded.has(field)),
  };
  const history = isOfRequest ? requestHistory(given) : await ledgerHistory(given, settings);
  const filtered: History = {
    ...history,
    onlyOpen: stored.method === "openPositions",
    firstDay: typeof given.from === "string" ? parseDay(given.from) : undefined,
  };
  return explain(compared, filtered, options)
    .map(({ explanation }) => explanation)
    .sort(byDifference);
}

type Fields = { readonly [name: string]: JsonValue };

const isFields = (value: JsonValue | undefined): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const fieldsOf = (value: JsonValue | undefined): Fields => (isFields(value) ? value : {});

/** The rows of an answer of any method. */
function rowsOf({ positions, daily, position }: Fields): Pick<SystemAnswer, "positions" | "daily"> {
  const list = (rows: JsonValue | undefined): readonly Fields[] =>
    Array.isArray(rows) ? rows.filter(isFields) : [];
  const figure = (row: Fields, name: string): string | null => {
    const value = row[name] ?? null;
    return typeof value === "string" || typeof value === "number" ? String(value) : null;
  };
  const key = (row: Fields) => ({
    symbol: String(row.symbol ?? ""),
    ...(typeof row.book === "string" && { book: row.book }),
  });
  return {
    positions: [...list(positions), ...list([position ?? null])].map(
      (row): PositionRow => ({
        ...key(row),
        quantity: figure(row, "quantity"),
        averagePrice: figure(row, "averagePrice"),
        realized: figure(row, "realized"),
        unrealized: figure(row, "unrealized"),
      }),
    ),
    daily: list(daily).map(
      (row): DailyRow => ({
        ...key(row),
        tradingDay: String(row.tradingDay ?? ""),
        realized: figure(row, "realized"),
        unrealized: figure(row, "unrealized"),
        total: figure(row, "total"),
      }),
    ),
  };
}

/** The fields that an exclusion left out of the comparison. */
function excludedFields({ config }: ExplainSettings, { method, at }: StoredComparison): ReadonlySet<string> {
  const others = pnlMethods.filter((name) => name !== method);
  return new Set(
    config.exclusions
      .filter(({ path, until }) => until >= at.slice(0, 10) && !others.some((name) => path.startsWith(name)))
      .map(({ path }) => path.slice(path.lastIndexOf(".") + 1)),
  );
}

/**
 * The name of the file under which the trades of a request are shown; a line is a place in its list, from 1.
 */
const requestFile = "request";

function requestHistory(request: Fields): History {
  // The systems have answered the request, so it has the form of one.
  const given = request as unknown as PnlRequest;
  const describe = requestDescriber(given);
  const { engine, valuation, aliases, rejected } = runRequest(given, describe);
  const trades =
    aliases.size === 0 ? engine.trades : runRequest(given, asRead(describe, "every-row")).engine.trades;
  const text = (value: unknown): string => (value === undefined || value === null ? "" : String(value));
  return {
    files: [requestFile],
    fileDays: [undefined],
    dayRule: noDayRule,
    trades,
    repeats: new Map(),
    refused: rejected.map(({ index, code }) => {
      const { id, symbol, book, time, side, quantity, price } = given.trades[index] ?? {};
      return {
        ...{ file: 0, line: index + 1, code, id: text(id), symbol: text(symbol), side: text(side) },
        ...{ time: text(time), quantity: text(quantity), price: text(price) },
        ...(typeof book === "string" && { book }),
      };
    }),
    oddTimes: new Set(),
    rowsTaken: new Map(),
    asOfUs: engine.asOfUs,
    asOfDay: valuation.asOfDay,
    closes: pinnedPrices({ engine, valuation, aliases }),
    otherPrices: [],
    nameOf: (symbol) => aliases.get(symbol) ?? symbol,
    netBooks: false,
  };
}

async function ledgerHistory(request: Fields, { config, folder }: ExplainSettings): Promise<History> {
  const { tradeLedger, marketPrices } = config.watch;
  if (tradeLedger === null)
    throw new BridgeError("REFUSED", {
      what: "the trades behind the comparison are not known: no ledgers are configured",
      fix: "name their folder: watch: { trade_ledger: ./data/trade_ledger }",
    });
  const rules = dayRulesOf(config.systems);
  const netBooks = netsBooks(config.systems);
  const { asOf, marks } = request;
  const run = (side: Side) =>
    new LedgerWorld({
      trades: [resolve(folder, tradeLedger)],
      ...(marketPrices.length > 0 && { prices: marketPrices.map((path) => resolve(folder, path)) }),
      dayRule: rules[side],
      netBooks,
    }).run({
      method: methods.find((name) => name === request.method) ?? "fifo",
      asOf: typeof asOf === "string" ? asOf : undefined,
      marks: marks === undefined ? undefined : givenMarks(marks),
    });
  const world = await run("legacy");
  const other = rules.modern === rules.legacy ? undefined : await run("modern");
  return historyOf(explainedWorld(world, { legacy: { errors: [] }, netBooks, ...(other && { other }) }));
}
