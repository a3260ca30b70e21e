import type { ConvertAnswer } from "../../bridges/service/index.ts";
import { formatFraction, isZero, multiply, parseFraction } from "../../domain/fraction.ts";
import type { CalculatePnlRequest } from "../../ports/pnl-service.ts";
import type { JsonValue } from "../../ports/system.ts";
import { describeSymbol } from "../symbols.ts";
import { totalsOf } from "./modern-service.ts";

/** The rules, as reports and documents name them. */
export const pointsRules = [
  "realized, unrealized, total: points × multiplier",
  "averagePrice: 0 of a flat position is none",
  "unrealized: 0 of an open position without a mark in the request is none",
  "totals: added up from positions, by currency",
] as const;

/**
 * For a system that answers P&L in points, as the legacy desk does: makes money of it, once, where the answer comes in. A symbol
 * whose multiplier nobody knows keeps its points, so that the comparison shows it rather than a guess.
 */
export const pointsToMoney: ConvertAnswer = (method, answer, request) => {
  const given = answer as Readonly<Record<string, JsonValue>>;
  const { instruments = {}, marks } = request as unknown as Partial<CalculatePnlRequest>;
  const known = new Map<string, { readonly multiplier: string; readonly currency: string }>();
  const facts = (symbol: string) => {
    const found = known.get(symbol) ?? factsOf(symbol, instruments);
    known.set(symbol, found);
    return found;
  };
  const row = (value: JsonValue): Row => moneyRow(value as Row, facts);
  const position = (value: JsonValue): Row => {
    const converted = { ...row(value), currency: facts(String((value as Row).symbol)).currency };
    return withoutFillers(converted, method === "calculatePnl" ? Object.keys(marks ?? {}) : undefined);
  };
  const positions = (given.positions as readonly JsonValue[] | undefined)?.map(position);
  switch (method) {
    case "calculatePnl":
      return { ...given, positions: positions ?? [], totals: totalsOf(forTotals(positions ?? [])) as JsonValue };
    case "openPositions":
      return { ...given, positions: positions ?? [] };
    case "totals":
      return { totals: totalsOf(forTotals(positions ?? [])) as JsonValue };
    case "dailyPnl":
      return { ...given, daily: ((given.daily ?? []) as readonly JsonValue[]).map(row) };
    case "positionDetail":
      return { ...given, position: given.position === null ? null : position(given.position as JsonValue) };
    default:
      return answer;
  }
};

type Row = Readonly<Record<string, JsonValue>>;
const inPoints = ["realized", "unrealized", "total"];

function moneyRow(row: Row, facts: (symbol: string) => { readonly multiplier: string }): Row {
  const multiplier = parseFraction(facts(String(row.symbol)).multiplier);
  const converted: Record<string, JsonValue> = { ...row };
  for (const field of inPoints) {
    const value = typeof row[field] === "string" ? parseFraction(row[field]) : undefined;
    if (value !== undefined && multiplier !== undefined) converted[field] = formatFraction(multiply(value, multiplier)).text;
  }
  return converted;
}

/** Zeros that stand for nothing. `marked` lists the symbols that have a mark; undefined where that is not known. */
function withoutFillers(position: Row, marked: readonly string[] | undefined): Row {
  const isNothing = (field: string): boolean => {
    const value = parseFraction(String(position[field] ?? ""));
    return value !== undefined && isZero(value);
  };
  const flat = isNothing("quantity");
  return {
    ...position,
    averagePrice: flat && isNothing("averagePrice") ? null : (position.averagePrice ?? null),
    unrealized:
      !flat && isNothing("unrealized") && marked !== undefined && !marked.includes(String(position.symbol))
        ? null
        : (position.unrealized ?? null),
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

const forTotals = (positions: readonly Row[]) =>
  positions as unknown as readonly { readonly currency: string; readonly realized: string; readonly unrealized: string | null }[];
