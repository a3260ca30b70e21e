import type { BridgeRecord, TradeRecord } from "../ports/records.ts";

const zn = "XCMEFFDPSX20250919U0ZN";

/** A trade whose every field follows from its number. */
export const tradeRecord = (id: number): TradeRecord => ({
  kind: "trade",
  id: String(id),
  symbol: zn,
  side: id % 2 === 0 ? "S" : "B",
  quantity: "2",
  price: "110.515625",
  time: "2025-07-15T13:08:35.561-05:00",
  file: "trades_20250715.csv",
  line: id,
});

/** The position of one instrument, at one moment. */
export const positionRecord = (quantity: string): BridgeRecord => ({
  kind: "position",
  symbol: zn,
  quantity,
  averagePrice: quantity === "0" ? null : "1327/12",
  realized: "593.75",
  unrealized: "0",
  asOf: "2025-07-15T16:00:00-05:00",
});
