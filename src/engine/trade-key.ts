/** The identity of a trade from any source: a caller, a file, or a row of legacy's database. */
export interface TradeIdentity {
  readonly id: string;
  /** The canonical name, or the symbol itself if it is not translated. */
  readonly instrument: string;
  readonly book: string;
  readonly instantUs: number;
  readonly side: "B" | "S";
  /** Canonical decimal text, as `formatDecimal` writes it. */
  readonly quantity: string;
  readonly price: string;
  /** 1 for the first of equal rows in a source file, 2 for the second, and so on. */
  readonly occurrence: number;
}

/**
 * The text whose SHA-256 is a trade's key. The fee is not part of it. Two trades have the same text if and
 * only if all fields are equal.
 */
export const tradeKeyText = (trade: TradeIdentity): string =>
  JSON.stringify([
    trade.id,
    trade.instrument,
    trade.book,
    String(trade.instantUs),
    trade.side,
    trade.quantity,
    trade.price,
    String(trade.occurrence),
  ]);
