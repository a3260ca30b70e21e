import { type Fraction, formatFraction, isZero, multiply, parseFraction } from "../../../base/fraction.ts";
import type { ConvertAnswer } from "../../../bridges/service/index.ts";
import { SystemFailure } from "../../../domain/migration/system-failure.ts";
import type { CalculatePnlRequest, PnlMethod } from "../../../ports/pnl-service.ts";
import type { JsonValue } from "../../../ports/system.ts";
import { describeSymbol } from "../../symbols/symbols.ts";
import { totalsOf } from "./modern-service.ts";

/** The conversion rules, as reports and documents name them. */
export const pointsRules = [
  "realized, unrealized, total: points × multiplier",
  "averagePrice: 0 counts as no value if the position is flat",
  "unrealized of calculatePnl: 0 counts as no value if the request has no mark for the open position",
  "totals: added up from the positions beside them, by currency",
  "P&L that cannot be converted, such as totals without positions: the answer is refused (GARBLED)",
] as const;

/**
 * Converts the answers of a system that reports P&L in points, such as the legacy desk, into money. This
 * happens once, when an answer arrives. A symbol with an unknown multiplier keeps its points, so that the
 * comparison shows the difference instead of hiding it behind a guess. Throws GARBLED for P&L that cannot be
 * converted.
 */
export const answerInMoney: ConvertAnswer = (method, answer, request) => {
  if (method === "tradeHistory") return answer;
  if (!isRow(answer)) return refusingPoints(method, answer);
  const { instruments, marks }: Partial<CalculatePnlRequest> = isRow(request) ? request : {};
  const known = new Map<string, { readonly multiplier: string; readonly currency: string }>();
  const facts = (symbol: string) => {
    const found = known.get(symbol) ?? factsOf(symbol, instruments ?? {});
    known.set(symbol, found);
    return found;
  };
  const marked = method === "calculatePnl" ? new Set(Object.keys(marks ?? {})) : undefined;
  const money = (value: JsonValue): JsonValue => (isRow(value) ? moneyRow(value, facts) : value);
  const position = (value: JsonValue): JsonValue =>
    isRow(value)
      ? withoutFillers({ currency: facts(textOf(value.symbol)).currency, ...moneyRow(value, facts) }, marked)
      : value;
  const positions = listOf(answer.positions)?.map(position);
  const matches = listOf(answer.matches)?.map(money);
  const daily = listOf(answer.daily)?.map(money);
  const converted = convertedParts(method, answer);
  for (const [name, part] of Object.entries(answer))
    if (!converted.includes(name)) refusingPoints(method, part, name);
  switch (method) {
    case "calculatePnl":
      if (positions === undefined) return { ...answer, ...(matches && { matches }) };
      return { ...answer, ...(matches && { matches }), positions, totals: totalsIn(positions) };
    case "openPositions":
      return positions === undefined ? answer : { ...answer, positions };
    case "totals":
      return positions === undefined ? answer : { totals: totalsIn(positions) };
    case "dailyPnl":
      return { ...answer, ...(daily && { daily }) };
    case "positionDetail":
      return { ...answer, ...(isRow(answer.position) && { position: position(answer.position) }) };
    default:
      return answer;
  }
};

/**
 * The parts of an answer that can be converted: rows that name their symbols, and totals with their positions
 * beside them.
 */
function convertedParts(method: PnlMethod, { positions, matches, daily, position }: Row): readonly string[] {
  const lists = { positions, matches, daily };
  const rows = (["positions", "matches", "daily"] as const).filter((name) =>
    listOf(lists[name])?.every(isRow),
  );
  const of = (...names: readonly string[]): readonly string[] =>
    names.filter((name) => rows.some((row) => row === name));
  switch (method) {
    case "calculatePnl":
      return [...of("positions", "matches"), ...(rows.includes("positions") ? ["totals"] : [])];
    case "totals":
      return rows.includes("positions") ? ["positions", "totals"] : [];
    case "openPositions":
      return of("positions");
    case "dailyPnl":
      return of("daily");
    default:
      return isRow(position) ? ["position"] : [];
  }
}

/**
 * Returns the part unchanged if it holds no P&L other than 0. Otherwise throws, because points that cannot be
 * converted would count as money.
 */
function refusingPoints(method: PnlMethod, part: JsonValue, name = ""): JsonValue {
  if (!holdsPoints(part, name)) return part;
  throw new SystemFailure(
    "GARBLED",
    `${method} answers ${name === "" ? "" : `${name} with `}P&L in points that cannot become money: ` +
      "return rows that name their symbols, and totals together with their positions; " +
      "or return money, and remove pnl_in from the configuration",
    { code: "POINTS_NOT_CONVERTED" },
  );
}

/** Whether a value contains P&L other than 0, which is the same in points and in money. */
function holdsPoints(value: JsonValue, name: string): boolean {
  if (typeof value === "object" && value !== null)
    return Object.entries<JsonValue>(value).some(([key, inside]) =>
      holdsPoints(inside, Array.isArray(value) ? name : key),
    );
  const figure = inPoints.includes(name) ? numberOf(value) : undefined;
  return figure !== undefined && !isZero(figure);
}

type Row = Readonly<Record<string, JsonValue>>;
/** `pnl` belongs to matches, which are not compared. */
const inPoints = ["realized", "unrealized", "total", "pnl"];

const isRow = (value: JsonValue | undefined): value is Row =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const listOf = (value: JsonValue | undefined): readonly JsonValue[] | undefined =>
  Array.isArray(value) ? value : undefined;
/** A number of an answer as text. Small whole numbers arrive as numbers, all others as text. */
const textOf = (value: JsonValue | undefined): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "";
const numberOf = (value: JsonValue | undefined): Fraction | undefined => parseFraction(textOf(value));

function moneyRow(row: Row, facts: (symbol: string) => { readonly multiplier: string }): Row {
  const multiplier = numberOf(facts(textOf(row.symbol)).multiplier);
  const converted: Record<string, JsonValue> = { ...row };
  for (const field of inPoints) {
    const value = numberOf(row[field]);
    if (value !== undefined && multiplier !== undefined)
      converted[field] = formatFraction(multiply(value, multiplier)).text;
  }
  return converted;
}

/**
 * Replaces zeros that stand for a missing value by null. `marked` holds the symbols with a mark; undefined if
 * that is unknown.
 */
function withoutFillers(position: Row, marked: ReadonlySet<string> | undefined): Row {
  const isNothing = (field: string): boolean => {
    const value = numberOf(position[field]);
    return value !== undefined && isZero(value);
  };
  const flat = isNothing("quantity");
  const unmarked = marked !== undefined && !marked.has(textOf(position.symbol));
  return {
    ...position,
    ...(flat && isNothing("averagePrice") && { averagePrice: null }),
    ...(!flat && unmarked && isNothing("unrealized") && { unrealized: null }),
  };
}

function factsOf(
  symbol: string,
  instruments: NonNullable<CalculatePnlRequest["instruments"]>,
): { readonly multiplier: string; readonly currency: string } {
  const described = describeSymbol(symbol, undefined);
  const own = Object.hasOwn(instruments, symbol) ? instruments[symbol] : undefined;
  return {
    multiplier: own?.multiplier ?? described?.multiplier ?? "1",
    currency: own?.currency ?? described?.currency ?? "XXX",
  };
}

/** The totals of positions. Values that are not numbers count as 0, as a missing mark does. */
const totalsIn = (positions: readonly JsonValue[]): JsonValue =>
  totalsOf(
    positions.filter(isRow).map(({ currency, realized, unrealized }) => ({
      currency: textOf(currency),
      realized: textOf(realized),
      unrealized: textOf(unrealized),
    })),
  ) as JsonValue;
