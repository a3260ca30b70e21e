/** Why a row was refused. docs/guide.md prints the three tables of this file (a test compares). */
export const quarantineCodes = {
  BAD_FLAG: "the column that says which price is today's is neither Y, N nor blank",
  BAD_FEE: "the fee is no number",
  BAD_ID: "there is no trade id",
  BAD_PRICE: "the price is no number",
  BAD_QUANTITY: "the quantity is no number, or not above zero",
  BAD_QUOTING: "a quoted field does not end where it should",
  BAD_SIDE: "the side is neither B nor S",
  BAD_SYMBOL: "there is no instrument name",
  BAD_TIME: "the time does not read, or does not exist in Chicago",
  CONFLICTING_PRICE: "a price file gives one symbol two prices",
  LINE_TOO_LONG: "the line is longer than any row can be",
  MISSING_COLUMN: "the line has fewer columns than the header",
  MORE: "how many more rows were refused than are listed",
  NO_TRADING_DAY: "the day rule gives the row no day",
  NOT_TEXT: "the line holds bytes that are no text",
  SURPLUS_COLUMN: "the line has more columns than the header",
  UNKNOWN_CONVENTION: "nobody has said how this file writes the price of this symbol",
} as const;
export type QuarantineCode = keyof typeof quarantineCodes;

/** What a person may want to know of accepted input. */
export const noteCodes = {
  AFTER_AS_OF: "trades later than the as-of time were left out",
  ALIASED_SYMBOL: "another symbol of the same instrument: one position, under the symbol that was seen first",
  AMBIGUOUS_ROOT: "a bare root means two contracts at that time, so its price joins none",
  AMBIGUOUS_TIME: "the hour occurs twice as daylight time ends; taken as the first",
  DUPLICATE_ROW: "dropped: the row stands in an earlier file too",
  IGNORED_WINDOW: "a price file of an hour that gives no mark",
  LATE_TRADE: "older than a trade of an earlier file; its lane was matched again from there",
  NEGATIVE_PRICE: "a negative price; kept",
  NO_PRICES_YET: "the as-of time lies in a session that has no price yet, so nothing open has a mark",
  NO_PRICE: "symbols of a price file without a price",
  REPEATED_PRICE: "a price file gives one symbol the same price twice",
  START_OF_DAY: "a trade at midnight is a start-of-day position; kept",
  TIME_FORM: "a time that is not in the ledger's own form but reads in one way only",
  UNKNOWN_PRODUCT: "no product is known for the symbol: multiplier 1, currency XXX",
  UNPADDED_DATE: "a date without its zeros, which reads in one way only",
  UNUSED_MARK: "a mark of something that was never traded",
  ZERO_PRICE: "a price of zero: an expiry or exercise, or a start-of-day position of unknown cost; kept",
} as const;
export type NoteCode = keyof typeof noteCodes;
