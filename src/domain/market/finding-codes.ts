/** The reasons for refusing a row. docs/errors.md prints them (a test compares). */
export const quarantineCodes = {
  BAD_BOOK: "the book is not text, or is empty",
  BAD_FLAG: "the column that says which price is today's is neither Y, N nor blank",
  BAD_FEE: "the fee is not a number",
  BAD_ID: "the trade id is missing",
  BAD_PRICE: "the price is not a number",
  BAD_QUANTITY: "the quantity is not a number, or is not above zero",
  BAD_QUOTING: "a quoted field does not end where it should, or continues on the next line",
  BAD_SIDE: "the side is neither B nor S",
  BAD_SYMBOL: "the instrument name is missing",
  BAD_TIME: "the time cannot be read, or does not exist in Chicago",
  CONFLICTING_PRICE: "a price file gives one symbol two prices",
  EMPTY_ROW: "every field of the row is empty",
  LINE_TOO_LONG: "the line is longer than any row can be",
  MISSING_COLUMN: "the line has fewer columns than the header",
  MORE: "the number of refused rows that are not listed",
  NO_TRADING_DAY: "the day rule assigns no day to the row",
  NOT_TEXT: "the line contains bytes that are not text",
  SURPLUS_COLUMN: "the line has more columns than the header",
  UNKNOWN_KEY: "a trade of a request has a key that trades do not have",
  UNKNOWN_CONVENTION: "no price notation is declared for this symbol in this file",
  UNKNOWN_SYMBOL: "no product is known for the symbol of a ledger row that the file watcher reads",
} as const;
export type QuarantineCode = keyof typeof quarantineCodes;

/**
 * The number of rows behind a list of findings. The list has a limit, and an entry with `more` stands for
 * that many rows that are not listed.
 */
export const findingCount = (findings: readonly { readonly more?: number }[]): number =>
  findings.reduce((count, { more = 1 }) => count + more, 0);

/** Notes on accepted input. */
export const noteCodes = {
  AFTER_AS_OF: "trades later than the as-of time were left out",
  ALIASED_SYMBOL: "two symbols name one instrument: one position, under the symbol that was seen first",
  AMBIGUOUS_ROOT:
    "a symbol without a month, such as TY, may mean two contracts at the time of the file, " +
    "so its price applies to neither",
  AMBIGUOUS_TIME:
    "the hour occurs twice because daylight time ends; the time is read as the first of the two",
  CONFLICTING_TRADE:
    "an earlier file has a trade with the same id in the same second that differs in one field: " +
    "both count, one may be wrong",
  DUPLICATE_ROW: "an earlier file has the same trade, so the row is dropped",
  EXPIRED_OPEN:
    "a position is still open after its last trading day: no trade at price 0 books the expiry or exercise",
  IGNORED_WINDOW: "the time in the name of a price file lies outside the hours that give marks",
  LATE_TRADE: "the trade is older than a trade of an earlier file; it is matched at its place in time",
  NEGATIVE_PRICE: "the price is negative; the trade counts",
  NO_PRICES_YET: "the as-of time lies in a session that has no price yet, so nothing open has a mark",
  NO_PRICE: "a price file lists symbols without a price",
  REPEATED_PRICE: "a price file gives one symbol the same price twice",
  START_OF_DAY: "a trade at midnight is a start-of-day position; it counts",
  TRADED_AFTER_EXPIRY: "the trade is later than the last trading day of its instrument; it counts",
  TIME_FORM: "the time is not in the ledger's own form, but has only one meaning",
  UNKNOWN_PRODUCT: "no product is known for the symbol: multiplier 1, currency XXX",
  UNPADDED_DATE: "the date lacks its leading zeros, but has only one meaning",
  UNTRANSLATED:
    "the instrument of the symbol is uncertain: it is reported under its own text, " +
    "and only prices with that text apply to it",
  UNUSED_MARK: "a mark names a symbol that was never traded",
  ZERO_PRICE:
    "the price is zero: an expiry or exercise, or a start-of-day position of unknown cost; it counts",
} as const;

/** Notes on translated symbols; each symbol has only one meaning despite its note. */
export const symbolNoteCodes = {
  CASE: "upper and lower case differ from the dialect's",
  CODE_ALIAS: "the code is published, but is not the one that this dialect prints",
  EXPIRY_UNCONFIRMED:
    "a holiday moves this expiry, and no notice says to which day; the business day before is assumed",
  FRONT_CONTRACT:
    "the text is a symbol without a month, such as TY; it is read as the next quarterly contract on that day",
  HOLIDAY_DATE:
    "a holiday moved the expiry, and the text has the nominal day where the dialect writes the actual one, " +
    "or the reverse",
  LAST_DAY_MISMATCH: "the date is not the last trading day of the contract that the letter and year name",
  MISSING_COMDTY: "the text lacks the ending Comdty",
  MONTH_LETTER_MISMATCH: "the month letter contradicts the date; the date counts",
  OLD_FORM: "the text has the form used until 18 July 2025",
  SEVERAL_DIALECTS: "the text is valid in several dialects and means the same in each",
  STANDARD_FRIDAY:
    "the text names a weekly option of the Friday on which the monthly option expires; " +
    "it is read as the monthly option",
  STRIKE_FORM: "the strike has six digits, where the dialect writes five",
  WEEK_DIGIT_MISMATCH: "the number of the week contradicts the date; the date counts",
  WHITESPACE: "the text has extra spaces or tabs",
  YEAR_IN_OTHER_DECADE: "the one-digit year is read as a year of another decade than that of the as-of day",
} as const;
export type SymbolNoteCode = keyof typeof symbolNoteCodes;

/** The reasons for not translating a symbol. */
export const symbolRefusalCodes = {
  AMBIGUOUS: "the text means several instruments",
  BAD_DATE: "the date does not exist, or lies outside the years 2000 to 2099",
  BAD_STRIKE: "the strike is not a multiple of an eighth of a point, or not between 0 and 400",
  CANNOT_CARRY: "the dialect cannot express a part of the instrument",
  DATE_NOT_OF_SERIES: "no option of that series, or no such future, expires on that date",
  EMPTY: "the symbol is empty",
  NOT_ASCII: "the text contains characters that no dialect uses",
  NOT_LISTED: "no such contract is listed: the product does not have that month, week or year",
  NO_KNOWN_CODE: "no source says how the dialect writes the product or the series",
  NO_STRIKE: "the text names an expiry but no strike, so it names no option",
  TOO_LONG: "the text is longer than any symbol",
  UNKNOWN_FORM: "the text does not have the form of any symbol of the dialect",
  UNKNOWN_PRODUCT: "the product is not known to the dialect",
  UNKNOWN_SERIES: "the option series is not known to the dialect",
} as const;
export type SymbolRefusalCode = keyof typeof symbolRefusalCodes;

/** The code of any note above. */
export type NoteCode = keyof typeof noteCodes | SymbolNoteCode;
