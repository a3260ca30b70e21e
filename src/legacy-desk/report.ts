/**
 * The legacy desk's own daily workbook, as its report module writes it: five sheets of plain values, without
 * formats, formulas, frozen rows or widths. Comments that begin with "Quirk" describe its defects.
 */
import type { Close, SystemError } from "../ports/pnl-system.ts";
import { Calculator, type DayFigures, dateOf, type PositionFigures, type Trade } from "./calculator.ts";
import { loadFile } from "./run.ts";

export interface LegacyReportRequest {
  /** Ledger files, in trading order. */
  readonly ledgers: readonly string[];
  /** The prices of each symbol and day. */
  readonly closes: readonly Close[];
  /** The day of the report, YYYY-MM-DD; later trades and prices are left out. */
  readonly date: string;
}

type Value = string | number;
type Row = readonly Value[];

/** Returns the bytes of the workbook, and an error for each file that the desk rejects, wholly or in part. */
export async function legacyReport(
  request: LegacyReportRequest,
): Promise<{ readonly bytes: Uint8Array; readonly rejected: readonly SystemError[] }> {
  const world = calculated(request);
  const sheets = Object.entries(sheetsOf(world, request));
  // Loaded here, because most commands of the desk write no workbook.
  const { writeXlsx } = await import("hucre/xlsx");
  const bytes = await writeXlsx({
    sheets: sheets.map(([name, rows]) => ({ name, rows: rows.map((row) => row.map(asWritten)) })),
    properties: { creator: "openpyxl", created: new Date(0), modified: new Date(0) },
  });
  return { bytes, rejected: world.rejected };
}

/** Quirk: NaN is written as an empty text, and infinity as `inf` or `-inf`. */
const asWritten = (value: Value): Value =>
  typeof value === "string" || Number.isFinite(value)
    ? value
    : Number.isNaN(value)
      ? ""
      : value > 0
        ? "inf"
        : "-inf";

/** Quirk: every product counts 1000 dollars a point, the two-year note too. */
const dollarsPerPoint = 1_000;
const awaiting = "awaiting data";

interface World {
  readonly trades: readonly (readonly [trade: Trade, realized: number])[];
  readonly positions: readonly PositionFigures[];
  readonly day: ReadonlyMap<string, DayFigures>;
  readonly lots: ReadonlyMap<string, readonly { readonly quantity: number; readonly price: number }[]>;
  readonly rejected: readonly SystemError[];
}

function calculated({ ledgers, closes, date }: LegacyReportRequest): World {
  const calculator = new Calculator();
  const rejected = ledgers.flatMap((path) => {
    const { error } = loadFile(path, calculator, (trade) => dateOf(trade) <= date);
    return error === null ? [] : [error];
  });
  for (const { symbol, tradingDay, price } of closes)
    if (tradingDay <= date) calculator.close(symbol, tradingDay, Number(price));
  const trades: [Trade, number][] = [];
  const lots = new Map<string, World["lots"] extends ReadonlyMap<string, infer Lots> ? Lots : never>();
  const { positions, daily } = calculator.calculate({
    trade: (trade, realized) => trades.push([trade, realized]),
    openLots: (symbol, open) => lots.set(symbol, open),
  });
  const day = new Map(daily.flatMap((row) => (row.date === date ? [[row.symbol, row]] : [])));
  return { trades, positions, day, lots, rejected };
}

function sheetsOf(world: World, request: LegacyReportRequest): Readonly<Record<string, readonly Row[]>> {
  const positions = positionsOf(world, request);
  return {
    Summary: summary(world, positions),
    Positions: [positionColumns, ...positions.map(({ row }) => row)],
    Trades: trades(world),
    Risk_Matrix: riskMatrix(positions),
    Position_Breakdown: breakdown(world, positions),
  };
}

const positionColumns = [
  ...["Symbol", "Type", "Net_Quantity", "Closed_Quantity", "Avg_Entry_Price", "Avg_Entry_Price_32nds"],
  ...["Prior_Close", "Current_Price", "Prior_Present_Value", "Current_Present_Value", "Unrealized_PNL"],
  ...["Unrealized_PNL_Current", "Unrealized_PNL_Flash", "Unrealized_PNL_Close", "Realized_PNL"],
  ...["Daily_PNL", "Total_PNL"],
];

interface OpenPosition {
  readonly symbol: string;
  readonly name: string;
  readonly type: string;
  readonly quantity: number;
  readonly current: number | undefined;
  readonly unrealized: Value;
  readonly realized: number;
  readonly daily: Value;
  readonly averageCost: number;
  readonly row: Row;
}

/** Quirk: a symbol that is flat has no row, so only the trades show its realized P&L. */
function positionsOf(
  { positions, day }: World,
  { closes, date }: LegacyReportRequest,
): readonly OpenPosition[] {
  const priceOn = (symbol: string, isWanted: (on: string) => boolean): number | undefined => {
    const found = closes.findLast((close) => close.symbol === symbol && isWanted(close.tradingDay));
    return found && Number(found.price);
  };
  return positions.flatMap(({ symbol, position, averageCost, realized: points, closedQuantity }) => {
    if (position === 0) return [];
    const current = priceOn(symbol, (on) => on === date);
    const prior = priceOn(symbol, (on) => on < date);
    const worth = (price: number | undefined): Value =>
      price === undefined ? awaiting : price * position * dollarsPerPoint;
    const unrealized =
      current === undefined ? awaiting : (current - averageCost) * position * dollarsPerPoint;
    const realized = points * dollarsPerPoint;
    const today = day.get(symbol);
    const daily = today === undefined ? awaiting : today.total * dollarsPerPoint;
    const total = typeof unrealized === "number" ? realized + unrealized : realized;
    const { name, type } = reported(symbol);
    const row: Row = [
      ...[name, type, position, closedQuantity, averageCost, in32nds(averageCost)],
      ...[prior ?? awaiting, current ?? awaiting, worth(prior), worth(current), unrealized],
      ...[unrealized, awaiting, unrealized, realized],
      ...[daily, total],
    ];
    return [
      { symbol, name, type, quantity: position, current, unrealized, realized, daily, averageCost, row },
    ];
  });
}

/** Quirk: an option loses its strike, so that two strikes of one series share a name. */
function reported(symbol: string): { readonly name: string; readonly type: string } {
  const type = typeOf(symbol);
  return type === "FUT"
    ? { name: symbol, type }
    : { name: symbol.split("/")[0] ?? symbol, type: type.slice(0, 1) };
}

const typeOf = (symbol: string): "FUT" | "CALL" | "PUT" =>
  symbol.startsWith("XCMEOC") ? "CALL" : symbol.startsWith("XCMEOP") ? "PUT" : "FUT";

/** Quirk: parts of a 32nd are cut off. */
function in32nds(price: number): string {
  const handle = Math.floor(price);
  return `${handle}-${String(Math.floor((price - handle) * 32)).padStart(2, "0")}`;
}

const sum = (values: readonly Value[]): number =>
  values.reduce<number>((total, value) => (typeof value === "number" ? total + value : total), 0);

function summary({ trades: all, day }: World, positions: readonly OpenPosition[]): readonly Row[] {
  const realized = sum(all.map(([, points]) => points * dollarsPerPoint));
  // Quirk: without any price the total is the realized P&L alone.
  const unrealized = sum(positions.map((one) => one.unrealized));
  return [
    ["Metric", "Value", "Details"],
    ["Total PNL", realized + unrealized, "Realized + Unrealized"],
    ["Daily PNL", sum([...day.values()].map(({ total }) => total * dollarsPerPoint)), "P&L of the day"],
    ["Realized PNL", realized, "All trades"],
    ["Unrealized PNL", unrealized, "Open positions"],
    ["Active Positions", positions.length, "Open positions"],
    ["Total Trades", all.length, "All trades"],
  ];
}

const trades = ({ trades: all }: World): readonly Row[] => [
  [
    ...[
      "Trade_ID",
      "DateTime",
      "Symbol",
      "Action",
      "Quantity",
      "Price_Decimal",
      "Price_32nds",
      "Fees",
      "Type",
    ],
    ...["Realized_PNL", "Counterparty"],
  ],
  ...all.map(([{ id, time, symbol, side, quantity, price }, points]) => [
    ...[id, time, symbol, side === "B" ? "BUY" : "SELL", quantity, price, in32nds(price), 0, typeOf(symbol)],
    ...[points * dollarsPerPoint, ""],
  ]),
];

const steps = Array.from({ length: 13 }, (_, at) => at / 2 - 3);

/** Quirks: a scenario's P&L is a running total within its step, and an option counts 0. */
function riskMatrix(positions: readonly OpenPosition[]): readonly Row[] {
  const rows = steps.flatMap((step) => {
    let running = 0;
    return positions.map(({ name, type, quantity, current, averageCost }): Row => {
      running += type === "FUT" ? step * quantity * dollarsPerPoint : 0;
      const price = (current ?? averageCost) + step;
      return [positionId(name, 0), price, in32nds(price), step, running];
    });
  });
  return [["Position_ID", "TYU5_Price", "TYU5_Price_32nds", "Price_Change", "Scenario_PNL"], ...rows];
}

const positionId = (name: string, at: number): string => `POS_${name}_${String(at + 1).padStart(3, "0")}`;

function breakdown({ lots }: World, positions: readonly OpenPosition[]): readonly Row[] {
  const columns = [
    "Symbol",
    "Label",
    "Description",
    "Quantity",
    "Price",
    "Daily_PNL",
    "Type",
    "Inception_PNL",
    "Notes",
  ];
  const rows = positions.flatMap(
    ({ symbol, name, type, quantity, averageCost, daily, unrealized, realized }): Row[] => {
      const inception = typeof unrealized === "number" ? realized + unrealized : realized;
      const open = lots.get(symbol) ?? [];
      return [
        [
          name,
          "SUMMARY",
          "SUMMARY",
          quantity,
          averageCost,
          daily,
          type,
          inception,
          `${open.length} open lots`,
        ],
        ...open.map(
          ({ quantity: left, price }, at): Row => [
            ...[name, "OPEN_POSITION", positionId(name, at), left, in32nds(price), "", type, "", ""],
          ],
        ),
      ];
    },
  );
  return [columns, ...rows];
}
