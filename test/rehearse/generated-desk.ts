/** Ledgers of an invented desk, without oddities: on these, both built-in systems agree. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runPnl } from "../../src/app/parity/pnl-run.ts";
import { dayNumber, formatDay, nextBusinessDay } from "../../src/domain/market/trading-day.ts";
import type { DailyRow } from "../../src/ports/pnl-system.ts";

const roots = ["ZN", "ZB", "ZF", "TN", "UB"] as const;
const quarters = [
  ["20270319", "H"],
  ["20270618", "M"],
  ["20270917", "U"],
  ["20271217", "Z"],
] as const;

/** Twenty futures. */
export const symbols: readonly string[] = roots.flatMap((root) =>
  quarters.map(([day, month]) => `XCMEFFDPSX${day}${month}0${root}`),
);

export const daysFrom = (count: number): readonly string[] => {
  const days = [dayNumber(2024, 1, 2)];
  while (days.length < count) days.push(nextBusinessDay(days.at(-1) ?? 0));
  return days.map(formatDay);
};

/**
 * Writes one ledger for each day into a new folder and returns it. Each day each instrument of `lanes` has
 * one trade, with quantity 2: buys and sales take turns, and half of the instruments begin with a sale. The
 * days in `without` have no file.
 */
export function writeDesk(
  folder: string,
  days: readonly string[],
  { without = [], lanes = symbols }: { without?: readonly string[]; lanes?: readonly string[] } = {},
): string {
  const ledgers = join(folder, "trade_ledger");
  mkdirSync(ledgers, { recursive: true });
  let id = 0;
  for (const [index, day] of days.entries()) {
    const rows = lanes.map((symbol, lane) => {
      id += 1;
      const price = 110 + ((index * 7 + lane * 3) % 64) / 64;
      const time = `${day} 09:${String(10 + lane).padStart(2, "0")}:00.000`;
      return `${id},${symbol},${time},${(index + lane) % 2 === 0 ? "B" : "S"},2.0,${price}`;
    });
    if (without.includes(day)) continue;
    const text = ["tradeId,instrumentName,marketTradeTime,buySell,quantity,price", ...rows, ""].join("\n");
    writeFileSync(join(ledgers, `trades_${day.replaceAll("-", "")}.csv`), text);
  }
  return ledgers;
}

/**
 * Writes modern's rows of a history to `path`, changed by `change`, in the form in which the method `history`
 * answers them.
 */
export async function modernRows(
  trades: string,
  path: string,
  change: (row: DailyRow) => Partial<DailyRow>,
): Promise<string> {
  const { statement } = await runPnl({ trades: [trades], dayRule: "calendar", netBooks: true });
  const daily = Array.from(statement.daily, ({ symbol, tradingDay, realized, unrealized, total }) => {
    const row = { symbol, tradingDay, realized, unrealized, total };
    return { ...row, ...change(row) };
  });
  const positions = statement.positions.map(({ symbol, quantity, averagePrice, realized, unrealized }) => ({
    ...{ symbol, quantity, averagePrice, realized, unrealized },
  }));
  writeFileSync(path, JSON.stringify({ dayRule: "calendar", positions, daily, errors: [] }));
  return path;
}
