/** What makes a trade the same trade, wherever it is read: by a caller, from a file, or from a row of legacy's database. */
export interface TradeIdentity {
  readonly id: string;
  /** The canonical name, or the symbol itself where it is not translated. */
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
 * The text whose SHA-256 is a trade's key. The fee is an attribute and no part of it. Two trades have one text if and only
 * if all fields are equal.
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
