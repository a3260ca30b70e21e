/** A desk whose figures a test changes, in the answers of the P&L service's methods. */
import { SystemFailure } from "../../src/domain/migration/system-failure.ts";
import type { JsonValue } from "../../src/ports/system.ts";

export interface Figures {
  /** The quantity and the unrealized P&L of the system's position in TYU5. */
  quantity: string;
  unrealized: string;
  /** The total of the last day in TYU5. */
  dayTotal: string;
  /** Why the system fails; undefined while it answers. */
  failure: string | undefined;
  /** Whether it shows zeros and no rows, as the desk's own dashboard does during an outage. */
  isBlank: boolean;
}

export const figures = (given: Partial<Figures> = {}): Figures => ({
  quantity: "2",
  unrealized: "-1234.5000000001",
  dayTotal: "-234.5",
  failure: undefined,
  isBlank: false,
  ...given,
});

/** Answers as a system that holds these figures now. */
export const systemOf =
  (held: Figures) =>
  (_: string): JsonValue => {
    if (held.failure !== undefined) throw new SystemFailure("DOWN", held.failure);
    if (held.isBlank)
      return {
        totals: { USD: { realized: "$0.00", unrealized: "$0.00", total: "$0.00" } },
        ...{ positions: [], daily: [], trades: [] },
      };
    const { quantity, unrealized, dayTotal } = held;
    const money = { realized: "1000.25", unrealized };
    return {
      totals: { USD: { ...money, total: "-234.2500000001" } },
      positions: [
        {
          ...{ symbol: "TYU5", quantity, averagePrice: "331/3", ...money },
          ...{ mark: "110.015625", markAt: "2025-07-24T15:00:00-05:00" },
        },
        {
          ...{ symbol: "TUU5", quantity: "5", averagePrice: "103.5", realized: "0", unrealized: "0" },
          ...{ mark: "103.5", markAt: "2025-07-24T14:59:00-05:00" },
        },
      ],
      daily: [
        { symbol: "TYU5", tradingDay: "2025-07-23", realized: "0.25", unrealized: "10", total: "10.25" },
        { symbol: "TYU5", tradingDay: "2025-07-24", realized: "1000", unrealized, total: dayTotal },
      ],
      trades: Array.from({ length: 40 }, (__, index) => ({
        ...{
          id: String(40 - index),
          symbol: index % 2 === 0 ? "TYU5" : "TUU5",
          side: index % 3 === 0 ? "S" : "B",
        },
        ...{
          quantity: "3",
          price: `110.${String(index).padStart(3, "0")}5`,
          time: "2025-07-24T10:00:00-05:00",
        },
      })),
    };
  };
