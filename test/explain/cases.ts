/** Small random desks, and reports about them from a system that follows hidden rules. */
import { join } from "node:path";
import { historyOf } from "../../src/app/parity/explain.ts";
import { explainedWorld } from "../../src/app/parity/explained-world.ts";
import { runPnl } from "../../src/app/parity/pnl-run.ts";
import { describerOf, symbolBridge } from "../../src/app/symbols/symbols.ts";
import { parseFraction } from "../../src/base/fraction.ts";
import { PnLComparisonValidator } from "../../src/comparison/index.ts";
import { tradingDayRules } from "../../src/domain/market/trading-day.ts";
import { MarkBook, PnlEngine, statementOf, TradeIntake } from "../../src/engine/index.ts";
import {
  baseRules,
  type Case,
  cutsOf,
  singleTrades,
  type Variant,
  variantsOf,
} from "../../src/explain/catalogue.ts";
import { laneName } from "../../src/explain/expected.ts";
import { type Component, componentsOf, type History, type RefusedRow } from "../../src/explain/history.ts";
import { explain } from "../../src/explain/index.ts";
import { figuresUnder, type LaneFigures, type Rules } from "../../src/explain/reference.ts";
import type { ParityReport } from "../../src/ports/parity-report.ts";
import type { Close, DailyRow, HistoryRows, PositionRow } from "../../src/ports/pnl-system.ts";
import { sharedData } from "../shared-data.ts";

const symbols = symbolBridge(undefined);
const describeSymbol = describerOf(symbols);
const dayRule = tradingDayRules["chicago-17"];

/** Returns a generator of random numbers from 0 to 1, whose sequence follows from the seed. */
export function randomFrom(seed: number): () => number {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export interface LedgerRow {
  readonly id: string;
  readonly symbol: string;
  readonly time: string;
  readonly side: string;
  readonly quantity: string;
  readonly price: string;
  readonly book?: string;
}

export interface Desk {
  readonly history: History;
  readonly modern: HistoryRows;
}

const ZN = "XCMEFFDPSX20250919U0ZN";
const ZT = "XCMEFFDPSX20250930U0ZT";
const option = "XCMEOPADPS20250725Q0OZN/110.5";
const otherSpelling = `${option}0`;
const weekly = (week: string, day: string) => `XCMEOPADPS202507${day}N0ZN${week}/110.75`;
const days = ["2025-07-21", "2025-07-22", "2025-07-23", "2025-07-24", "2025-07-25"];

/** A property that a desk must have before a rare cause changes any row. */
export type Trait = "ties" | "flat" | "tenths" | "zero-day" | "more-prices";

/** Returns a random desk of a few days whose trades may include a case of any cause. */
export function randomDesk(seed: number, size: number, trait?: Trait): Desk {
  const random = randomFrom(seed);
  const int = (below: number) => Math.floor(random() * below);
  const pick = <T>(items: readonly T[]): T => items[int(items.length)] as T;
  const traded = pick([
    [ZN],
    [ZN],
    [ZT, ZN],
    [option, otherSpelling],
    [weekly("3", "18"), weekly("4", "25")],
  ]);
  const books = random() < 0.25 ? ["east", "west"] : [undefined];
  const halves = random() < 0.3;
  const dayCount = 2 + int(4);
  const files: LedgerRow[][] = [];
  let id = 1;
  for (let day = 0; day < dayCount; day++) {
    const rows: LedgerRow[] = [];
    const count = Math.max(1, Math.round((size / dayCount) * (0.5 + random())));
    for (let at = 0; at < count; at++) {
      const evening = random() < 0.15;
      const date = evening ? (days[Math.max(0, day - 1)] as string) : (days[day] as string);
      const hour = evening ? 17 + int(5) : pick([8, 9, 9, 10, 11, 13, 14, 14, 15, 16]);
      const [minute, second] = [int(random() < 0.5 ? 60 : 3), int(random() < 0.5 ? 60 : 4)];
      const two = (value: number) => String(value).padStart(2, "0");
      const midnight = random() < 0.05;
      const clock = midnight ? "00:00:00" : `${two(hour)}:${two(minute)}:${two(second)}.${two(int(100))}0`;
      const separator = random() < 0.02 ? "T" : " ";
      const book = pick(books);
      const odd = random();
      rows.push({
        id: String(random() < 0.06 ? Math.max(1, id - 1 - int(4)) : id++),
        symbol: pick(traded),
        time: `${date}${separator}${clock}`,
        side: odd < 0.02 ? "BUY" : random() < 0.5 ? "B" : "S",
        quantity:
          odd > 0.98
            ? String(-1 - int(5))
            : odd > 0.965
              ? "0"
              : halves
                ? `${1 + int(5)}.5`
                : String(1 + int(9)),
        price: random() < 0.05 ? "0" : random() < 0.02 ? "-1" : String(110 + int(128) / 64),
        ...(book === undefined ? {} : { book }),
      });
    }
    const before = files.at(-1);
    if (before !== undefined && random() < 0.4) rows.unshift(...before.slice(-1 - int(2)).filter(isAccepted));
    files.push(rows);
  }
  const closes: Close[] = [];
  for (const symbol of traded)
    for (const tradingDay of days.slice(0, dayCount)) {
      const chance = random();
      const first = closes.find((close) => symbol === otherSpelling && close.tradingDay === tradingDay);
      if (first !== undefined) closes.push({ ...first, symbol });
      if (chance < 0.15 || symbol === otherSpelling) continue;
      closes.push({ symbol, tradingDay, price: chance < 0.2 ? "0" : String(110 + int(256) / 128) });
    }
  const otherPrices = trait !== "more-prices" ? [] : closes.map(raised);
  return deskOf(trait === undefined ? files : withTrait(files, trait, random), closes, otherPrices);
}

const raised = (close: Close): Close => ({ ...close, price: String(Number(close.price) + 0.25) });

function withTrait(files: readonly LedgerRow[][], trait: Trait, random: () => number): LedgerRow[][] {
  const last = files.length - 1;
  switch (trait) {
    case "ties":
      return files.map((rows) =>
        rows.map((row, at) => (random() < 0.6 ? { ...row, time: rows[at - 1]?.time ?? row.time } : row)),
      );
    case "flat":
    case "tenths": {
      const sized = files.map((rows, file) =>
        rows.filter(isAccepted).map((row, at) => ({
          ...row,
          id: `${file}-${at}`,
          ...(trait === "tenths" && { quantity: `0.${1 + Math.floor(random() * 9)}` }),
        })),
      );
      const closing = sized.flat().map((row, at) => ({
        ...row,
        id: `closing-${at}`,
        side: row.side === "B" ? "S" : "B",
        time: `${days[last]} 16:30:00.000`,
      }));
      return sized.map((rows, file) => (file === last ? [...rows, ...closing] : rows));
    }
    case "zero-day": {
      const row = files[0]?.[0];
      const day = days[files.length];
      if (row === undefined || day === undefined) return [...files];
      return [...files, [{ ...row, id: "zero", time: `${day} 09:00:00.000`, side: "B", quantity: "0" }]];
    }
    case "more-prices":
      return [...files];
  }
}

const isAccepted = ({ side, quantity }: LedgerRow): boolean => side.length === 1 && Number(quantity) > 0;

/** Reads ledgers like the bridge, and runs modern over them. */
export function deskOf(
  files: readonly (readonly LedgerRow[])[],
  closes: readonly Close[],
  otherPrices: readonly Close[],
): Desk {
  const names = files.map((_, file) => `trades_${(days[file] ?? "").replaceAll("-", "")}.csv`);
  const fileDays = files.map((_, file) => Date.parse(days[file] ?? "") / 86_400_000);
  const refused: RefusedRow[] = [];
  const read = (everyRow: boolean) => {
    const intake: TradeIntake = new TradeIntake({
      describe: everyRow
        ? (symbol, day) => ({
            multiplier: "1",
            currency: "XXX",
            ...describeSymbol(symbol, day),
            instrument: symbol,
          })
        : describeSymbol,
      dayRule,
      onNote: () => undefined,
      ...(everyRow ? {} : { placeOf: (trade) => `${intake.trades.line[trade]}` }),
    });
    const accepted: boolean[] = [];
    for (const [file, rows] of files.entries())
      for (const [index, row] of rows.entries()) {
        const before = intake.trades.length;
        const refusal = intake.take(row, { file, line: index + 2, fileDay: fileDays[file] });
        if (refusal !== undefined && everyRow)
          refused.push({ ...row, file, line: index + 2, code: refusal[0] });
        if (refusal === undefined) accepted.push(intake.trades.length > before);
      }
    return { intake, accepted };
  };
  const [own, all] = [read(false), read(true)];
  const repeats = new Map<number, number>();
  const places: number[] = [];
  let dropped = 0;
  for (const [row, isOwn] of own.accepted.entries()) {
    if (isOwn) places.push(row);
    else repeats.set(row, places[own.intake.repeated[dropped++] ?? -1] ?? -1);
  }
  const { trades } = own.intake;
  const asOfDay = Math.max(...fileDays, ...trades.day.subarray(0, trades.length));
  const engine = new PnlEngine(trades, { method: "fifo" });
  engine.feed();
  const marks = new MarkBook();
  for (const { symbol, tradingDay, price } of closes) {
    const value = parseFraction(price);
    const day = Date.parse(tradingDay) / 86_400_000;
    if (value !== undefined) marks.add(symbol, day, { price: value, kind: "close", atUs: 0 });
  }
  const statement = statementOf(engine, { marks, asOfDay, openedAt: () => true });
  return {
    history: {
      files: names,
      fileDays,
      dayRule,
      trades: all.intake.trades,
      repeats,
      refused,
      oddTimes: new Set(
        files.flatMap((rows, file) =>
          rows.flatMap(({ time }, index) => (time.includes("T") ? [`${file}:${index + 2}`] : [])),
        ),
      ),
      rowsTaken: new Map(),
      asOfUs: Number.POSITIVE_INFINITY,
      asOfDay,
      closes,
      otherPrices,
      nameOf: (symbol) => (symbol === otherSpelling ? option : symbol),
      netBooks: false,
    },
    modern: { positions: statement.positions, daily: [...statement.daily], errors: [] },
  };
}

/** Returns the desk of the published ledgers and prices. */
export async function publishedDesk(): Promise<Desk> {
  const [trades, prices] = [[join(sharedData, "ledgers")], [join(sharedData, "prices")]];
  const world = await runPnl({ trades, prices, dayRule: dayRule.name });
  const { positions, daily } = world.statement;
  return {
    history: await historyOf(explainedWorld(world, { legacy: { errors: [] }, netBooks: false })),
    modern: { positions, daily: [...daily], errors: [] },
  };
}

const validator = new PnLComparisonValidator();
const nothing: HistoryRows = { positions: [], daily: [], errors: [] };

const reportOf = (legacy: HistoryRows, modern: HistoryRows): ParityReport =>
  validator.compare(
    { ...legacy, system: "legacy", dayRule: dayRule.name },
    { ...modern, system: "modern", dayRule: dayRule.name },
  );

/**
 * Returns the components of a desk, as if every row differed, each with the data from which its possible
 * rules are made.
 */
export function casesOf({ history, modern }: Desk): readonly Case[] {
  const base = baseRules(history, "fifo", dayRule.name);
  const cuts = cutsOf(history);
  return componentsOf(reportOf(nothing, modern), history).map((component) => ({
    component,
    history,
    base,
    cuts,
  }));
}

/** Returns every rule that a test may hide in a component. */
export function switchesOf(given: Case): readonly Variant[] {
  const [lane] = given.component.world.lanes.values();
  const variants = variantsOf(given);
  if (lane === undefined) return variants;
  const other = laneName(lane.book, "NAME OF ANOTHER SYSTEM");
  const rename = (rules: Rules): Rules => ({
    ...rules,
    laneOf: (row) => (row.lane === lane.name ? other : row.lane),
  });
  return [...variants, { code: "NAME_ONLY", rule: "another name", apply: rename }];
}

export const changesOfOneTrade = (given: Case): readonly Variant[] => [
  ...singleTrades(given, Number.POSITIVE_INFINITY),
];

const valueText = (value: number | null): string | null =>
  value === null ? null : String(Number(value.toFixed(9)));

/** Returns the rows that a system with other rules reports about a component. */
export function rowsUnder(component: Component, rules: Rules): HistoryRows {
  const positions: PositionRow[] = [];
  const daily: DailyRow[] = [];
  const own = [...component.world.rows].flatMap((row) => rules.dayOf(row) ?? []);
  const calendar = [...new Set([...component.days.modern, ...own])].sort((a, b) => a - b);
  const { lanes } = figuresUnder({ ...component.world, days: calendar }, rules);
  for (const [name, figures] of lanes) rowsOfLane(name, figures, positions, daily);
  return { positions, daily, errors: [] };
}

function rowsOfLane(
  name: string,
  { position, days: ofDays }: LaneFigures,
  positions: PositionRow[],
  daily: DailyRow[],
) {
  const [symbol = "", book] = JSON.parse(name) as [string, string?];
  const key = { symbol, ...(book === undefined ? {} : { book }) };
  if (position !== undefined)
    positions.push({
      ...key,
      quantity: valueText(position.quantity),
      averagePrice: valueText(position.averagePrice),
      realized: valueText(position.realized),
      unrealized: valueText(position.unrealized),
    });
  for (const [day, { realized, unrealized, total }] of ofDays)
    daily.push({
      ...key,
      tradingDay: new Date(day * 86_400_000).toISOString().slice(0, 10),
      realized: valueText(realized),
      unrealized: valueText(unrealized),
      total: valueText(total),
    });
}

/** Returns the report of a desk in which one component follows other rules on one side. */
export function reportWith(
  desk: Desk,
  component: Component,
  rules: Rules,
  side: "legacy" | "modern" = "legacy",
) {
  const own = new Set(component.rows.map(({ key }) => JSON.stringify([key.symbol, key.book])));
  const isOther = ({ symbol, book }: { symbol: string; book?: string | undefined }) =>
    !own.has(JSON.stringify([symbol, book]));
  const changed = rowsUnder(component, rules);
  const { modern } = desk;
  const deviating: HistoryRows = {
    positions: [...modern.positions.filter(isOther), ...changed.positions],
    daily: [...modern.daily.filter(isOther), ...changed.daily],
    errors: [],
  };
  return side === "legacy" ? reportOf(deviating, modern) : reportOf(modern, deviating);
}

export const explained = (desk: Desk, report: ParityReport) => explain(report, desk.history);
