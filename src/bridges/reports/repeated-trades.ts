import {
  add,
  compare,
  divide,
  type Fraction,
  fraction,
  isZero,
  multiply,
  negate,
  subtract,
  zero,
} from "../../base/fraction.ts";
import type { Workbook } from "../../ports/workbook.ts";
import { product, type Row, rowsOf, sum } from "./report-rows.ts";
import { keyOf, keyText } from "./sheet-table.ts";

/** The dollars per point that legacy's report counts for every product. */
const dollarsPerPoint = fraction(1_000n);

interface Lot {
  readonly symbol: string;
  /** Negative for a sale. */
  readonly quantity: Fraction;
  readonly price: Fraction;
  /** The price as legacy's report shows it. */
  readonly price32nds: string;
}

/** The trades that legacy's report has more often than modern's, which has each of them at least once. */
export class RepeatedTrades {
  /** For each trade that is repeated, the number of repetitions. */
  readonly #repetitions: ReadonlyMap<string, number>;
  readonly #lots: ReadonlyMap<string, readonly Lot[]>;
  readonly #openInLegacy: ReadonlyMap<string, OpenLots>;
  readonly #openInModern: ReadonlyMap<string, OpenLots>;
  readonly #positions: (symbol: string) => Row;

  /** `positions` returns modern's position of a symbol. Linear in the rows of both reports. */
  constructor(legacy: Workbook, modern: Workbook, positions: (symbol: string) => Row) {
    const [own, others] = [rowsOf(legacy, "Trades"), rowsOf(modern, "Trades")];
    // Without more rows on legacy's side, the keys of a hundred thousand trades need not be built.
    this.#repetitions = own.length > others.length ? repetitionsOf(own, others) : new Map();
    this.#lots = Map.groupBy(this.among(own).map(lotOf), ({ symbol }) => symbol);
    this.#openInLegacy = openLotsOf(legacy);
    this.#openInModern = openLotsOf(modern);
    this.#positions = positions;
  }

  /** Returns those rows of legacy's sheet Trades that repeat a trade: one for each repetition. */
  among(trades: readonly Row[]): readonly Row[] {
    if (this.#repetitions.size === 0) return [];
    const left = new Map(this.#repetitions);
    return trades.filter((trade) => {
      const key = identityOf(trade);
      const count = left.get(key) ?? 0;
      left.set(key, count - 1);
      return count > 0;
    });
  }

  /**
   * Returns what the repetitions add to a figure of modern's report, if their lots are open; undefined if the
   * figure does not depend on them.
   */
  addedTo(name: string, symbol: string, modern: Row): Fraction | undefined {
    if (name === "Summary.Value") return this.#addedToSummary(modern.text("Metric"));
    const lots = this.#lots.get(symbol);
    return lots && added[name]?.(totalOf(lots), this.#positions(symbol), modern);
  }

  #addedToSummary(metric: string): Fraction | undefined {
    const count = [...this.#repetitions.values()].reduce((a, b) => a + b, 0);
    if (metric === "Total Trades") return fraction(BigInt(count));
    if (metric !== "Total PNL" && metric !== "Unrealized PNL") return undefined;
    const profits = [...this.#lots].flatMap(([symbol, lots]) => {
      const position = this.#positions(symbol);
      // Without a mark, legacy's sum leaves out the position too.
      return position.figure("Unrealized_PNL") === undefined
        ? []
        : [profitOf(totalOf(lots), position, position)];
    });
    return sum(zero, ...profits);
  }

  /** Whether legacy counts one more open lot of a symbol for each repeated trade of it. */
  isInCountOf(symbol: string, legacy: string, modern: string): boolean {
    const [own, others] = [legacy, modern].map((text) => /^(\d+) open lots$/.exec(text)?.[1]);
    return Number(own) - Number(others) === this.#lots.get(symbol)?.length;
  }

  /**
   * Whether legacy's open lots of a symbol are modern's lots, in their order, and lots of repeated trades. A
   * lot of a repeated trade changes the number of each lot that follows it in legacy's report.
   */
  isInLotsOf(symbol: string): boolean {
    const [own, others] = [this.#openInLegacy.get(symbol), this.#openInModern.get(symbol)];
    const repeated = this.#lots.get(symbol);
    if (repeated === undefined || own?.positions !== 1 || others?.positions !== 1) return false;
    let [next, nextRepeated] = [0, 0];
    for (const lot of own.lots) {
      const [other, repetition] = [others.lots[next], repeated[nextRepeated]];
      if (other !== undefined && areSameLot(lot, other)) next += 1;
      else if (repetition !== undefined && isLotOf(repetition, lot)) nextRepeated += 1;
      else return false;
    }
    return next === others.lots.length;
  }
}

/** A trade equals its repetition in these columns. */
const identity = ["Trade_ID", "DateTime", "Symbol", "Action", "Quantity", "Price_Decimal"];

const identityOf = (trade: Row): string =>
  keyOf(identity.map((name) => keyText(trade.text(name), trade.figure(name) !== undefined, false)));

function repetitionsOf(legacy: readonly Row[], modern: readonly Row[]): ReadonlyMap<string, number> {
  const surplus = new Map<string, number>();
  for (const trade of modern) {
    const key = identityOf(trade);
    surplus.set(key, (surplus.get(key) ?? 0) - 1);
  }
  for (const trade of legacy) {
    const key = identityOf(trade);
    const count = surplus.get(key);
    if (count !== undefined) surplus.set(key, count + 1);
  }
  return new Map([...surplus].filter(([, count]) => count > 0));
}

function lotOf(trade: Row): Lot {
  const quantity = trade.figure("Quantity") ?? zero;
  return {
    symbol: trade.text("Symbol"),
    quantity: trade.text("Action") === "SELL" ? negate(quantity) : quantity,
    price: trade.figure("Price_Decimal") ?? zero,
    price32nds: trade.text("Price_32nds"),
  };
}

interface OpenLots {
  /** The number of positions that the report shows under this symbol. */
  positions: number;
  readonly lots: Row[];
}

/** The open lots of the sheet Position_Breakdown by symbol. */
function openLotsOf(workbook: Workbook): ReadonlyMap<string, OpenLots> {
  const open = new Map<string, OpenLots>();
  for (const row of rowsOf(workbook, "Position_Breakdown")) {
    const symbol = row.text("Symbol");
    const known = open.get(symbol) ?? { positions: 0, lots: [] };
    open.set(symbol, known);
    if (isLot(row)) known.lots.push(row);
    else known.positions += 1;
  }
  return open;
}

/** Whether a row of Position_Breakdown is an open lot, not the summary of a position. */
export const isLot = (row: Row): boolean => row.text("Label") === "OPEN_POSITION";

const areEqual = (a: Fraction | undefined, b: Fraction | undefined): boolean =>
  a !== undefined && b !== undefined && compare(a, b) === 0;

const areSameLot = (legacy: Row, modern: Row): boolean =>
  areEqual(legacy.figure("Quantity"), modern.figure("Quantity")) &&
  (legacy.text("Price") === modern.text("Price") || is32ndsCut(legacy.text("Price"), modern.text("Price")));

const isLotOf = ({ quantity, price32nds }: Lot, lot: Row): boolean =>
  areEqual(lot.figure("Quantity"), quantity) && lot.text("Price") === price32nds;

/** Whether legacy's text of a price is modern's without the parts of a 32nd. */
export const is32ndsCut = (legacy: string, modern: string): boolean =>
  modern.startsWith(`${legacy}.`) && /^-?\d+-\d\d\.\d+$/.test(modern);

/** What lots add to a position. */
interface Total {
  readonly quantity: Fraction;
  /** The sum of quantity × price. */
  readonly cost: Fraction;
}

function totalOf(lots: readonly Lot[]): Total {
  let [quantity, cost] = [zero, zero];
  for (const lot of lots) {
    quantity = add(quantity, lot.quantity);
    cost = add(cost, multiply(lot.quantity, lot.price));
  }
  return { quantity, cost };
}

type Addition = (total: Total, position: Row, modern: Row) => Fraction | undefined;

const quantityOf: Addition = ({ quantity }) => quantity;
const worthAt =
  (price: string): Addition =>
  ({ quantity }, position) =>
    product(position.figure(price), quantity, dollarsPerPoint);
const profitOf: Addition = ({ quantity, cost }, position) =>
  product(sum(product(position.figure("Current_Price"), quantity), negate(cost)), dollarsPerPoint);
const averageChange: Addition = ({ quantity, cost }, position) => {
  const [average, net] = [position.figure("Avg_Entry_Price"), position.figure("Net_Quantity")];
  const [whole, paid] = [sum(net, quantity), sum(product(average, net), cost)];
  if (average === undefined || whole === undefined || paid === undefined || isZero(whole)) return undefined;
  return subtract(divide(paid, whole), average);
};

/** What the lots of repeated trades add to each figure that depends on them. */
const added: Readonly<Record<string, Addition>> = {
  "Positions.Net_Quantity": quantityOf,
  "Positions.Avg_Entry_Price": averageChange,
  "Positions.Prior_Present_Value": worthAt("Prior_Close"),
  "Positions.Current_Present_Value": worthAt("Current_Price"),
  "Positions.Unrealized_PNL": profitOf,
  "Positions.Unrealized_PNL_Current": profitOf,
  "Positions.Unrealized_PNL_Close": profitOf,
  "Positions.Total_PNL": profitOf,
  "Risk_Matrix.Scenario_PNL": ({ quantity }, _, modern) =>
    product(modern.figure("Price_Change"), quantity, dollarsPerPoint),
  "Position_Breakdown.Quantity": quantityOf,
  "Position_Breakdown.Price": averageChange,
  "Position_Breakdown.Inception_PNL": profitOf,
};
