/**
 * Computes the content that both stores must hold, from the content of the files alone. It shares no code
 * with the watcher: it parses by splitting, counts the equal rows of each file, and matches lots with the
 * independent oracle.
 */
import { type OracleTrade, oracle } from "../../../src/testing/slow-oracle.ts";

export interface ModelTrade extends OracleTrade {
  readonly id: string;
  readonly symbol: string;
  readonly time: string;
}

interface Placed {
  readonly trade: ModelTrade;
  readonly file: string;
  readonly line: number;
}

export const header = "tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n";

export const rowOf = ({ id, symbol, time, side, quantity, price }: ModelTrade): string =>
  `${id},${symbol},${time},${side},${quantity},${price}\n`;

/** Returns the good rows of a file; a last row without a newline counts if the day is over. */
function placed(file: string, content: string, isOver: boolean): readonly Placed[] {
  const lines = content.split("\n");
  if (!isOver || lines.at(-1) === "") lines.pop();
  return lines.slice(1).flatMap((line, at) => {
    const [id = "", symbol = "", time = "", side, quantity = "", price = "", ...more] = line.split(",");
    const isGood =
      more.length === 0 &&
      /^\d+$/.test(id) &&
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(time) &&
      (side === "B" || side === "S") &&
      Number(quantity) > 0 &&
      /^\d+(\.\d*)?$/.test(price) &&
      knownSymbols.has(symbol);
    if (!isGood) return [];
    const trade = { id, symbol, time, side, quantity, price } as const;
    return [{ trade, file, line: at + 2 }];
  });
}

export const symbols = ["XCMEFFDPSX20250919U0ZN", "XCMEFFDPSX20250930U0ZF"] as const;
const knownSymbols: ReadonlySet<string> = new Set(symbols);

export interface Expected {
  /** The content and the occurrence of each trade. */
  readonly trades: readonly string[];
  readonly positions: ReadonlyMap<string, { readonly quantity: string; readonly points: string }>;
}

/**
 * Returns the expected content of the stores. `files` maps names to contents, in any order; `replay` reads
 * files in the order of their names.
 */
export function expected(
  files: ReadonlyMap<string, string>,
  isOver: (file: string, content: string) => boolean,
): Expected {
  const byContent = new Map<string, Map<string, Placed[]>>();
  for (const file of [...files.keys()].sort())
    for (const row of placed(file, files.get(file) ?? "", isOver(file, files.get(file) ?? ""))) {
      const { id, symbol, side, quantity, price, time } = row.trade;
      const content = JSON.stringify([id, symbol, side, canonical(quantity), canonical(price), time]);
      const ofFile = byContent.get(content) ?? new Map<string, Placed[]>();
      byContent.set(content, ofFile);
      ofFile.set(file, [...(ofFile.get(file) ?? []), row]);
    }
  const counted: Placed[] = [];
  const trades: string[] = [];
  for (const [content, ofFile] of byContent) {
    const most = Math.max(...[...ofFile.values()].map(({ length }) => length));
    for (let occurrence = 1; occurrence <= most; occurrence += 1) {
      const rows = [...ofFile.values()].find(({ length }) => length >= occurrence) ?? [];
      const row = rows[occurrence - 1];
      if (row !== undefined) counted.push(row);
      trades.push(`${content} ${occurrence}`);
    }
  }
  const inOrder = counted.toSorted(
    (a, b) => compare(a.trade.time, b.trade.time) || compare(a.file, b.file) || a.line - b.line,
  );
  const positions = new Map<string, { quantity: string; points: string }>();
  for (const symbol of symbols) {
    const ofSymbol = inOrder.map(({ trade }) => trade).filter((trade) => trade.symbol === symbol);
    if (ofSymbol.length === 0) continue;
    const { quantity, realized } = oracle("fifo", ofSymbol, "0");
    positions.set(symbol, { quantity: quantity.join("/"), points: realized.join("/") });
  }
  return { trades: trades.sort(), positions };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const canonical = (decimal: string): string =>
  decimal.includes(".") ? decimal.replace(/0+$/, "").replace(/\.$/, "") : decimal;
