import type { TradeColumns } from "./trade-columns.ts";

/**
 * Trades of one trading day, copied from a table lane by lane in matching order, so that matching reads
 * memory sequentially instead of jumping from trade to trade. A run is a scratch buffer: it is filled,
 * matched and filled again.
 */
export class Run {
  readonly trade: Int32Array;
  readonly side: Int8Array;
  readonly quantity: Float64Array;
  readonly quantityScale: Uint8Array;
  readonly price: Float64Array;
  readonly priceScale: Uint8Array;

  constructor(capacity: number) {
    this.trade = new Int32Array(capacity);
    this.side = new Int8Array(capacity);
    this.quantity = new Float64Array(capacity);
    this.quantityScale = new Uint8Array(capacity);
    this.price = new Float64Array(capacity);
    this.priceScale = new Uint8Array(capacity);
  }

  /**
   * Copies the trades of `order` in sequence or, if `next` gives the first place of each lane, lane by lane.
   */
  fill(trades: TradeColumns, order: Int32Array, next?: Int32Array): void {
    const { lane, side, quantity, price } = trades;
    for (let at = 0; at < order.length; at++) {
      const trade = order[at] as number;
      let place = at;
      if (next !== undefined) {
        const itsLane = lane[trade] as number;
        place = next[itsLane] as number;
        next[itsLane] = place + 1;
      }
      this.trade[place] = trade;
      this.side[place] = side[trade] as number;
      this.quantity[place] = quantity.coefficient[trade] as number;
      this.quantityScale[place] = quantity.scale[trade] as number;
      this.price[place] = price.coefficient[trade] as number;
      this.priceScale[place] = price.scale[trade] as number;
    }
  }
}

/** The end of the trading day of the trade `order[from]`, at most `until`. `order` must be sorted by day. */
export function endOfDay({ day }: TradeColumns, order: Int32Array, from: number, until: number): number {
  const itsDay = day[order[from] as number];
  if (day[order[until - 1] as number] === itsDay) return until;
  let end = from + 1;
  while (day[order[end] as number] === itsDay) end += 1;
  return end;
}
