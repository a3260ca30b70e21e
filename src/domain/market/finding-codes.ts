/** Why a row was refused. docs/guide.md prints the tables of rows, docs/symbols.md those of symbols (tests compare). */
export const quarantineCodes = {
  BAD_BOOK: "the book is no text, or empty",
  BAD_FLAG: "the column that says which price is today's is neither Y, N nor blank",
  BAD_FEE: "the fee is no number",
  BAD_ID: "there is no trade id",
  BAD_PRICE: "the price is no number",
  BAD_QUANTITY: "the quantity is no number, or not above zero",
  BAD_QUOTING: "a quoted field does not end where it should, or goes on over several lines",
  BAD_SIDE: "the side is neither B nor S",
  BAD_SYMBOL: "there is no instrument name",
  BAD_TIME: "the time does not read, or does not exist in Chicago",
  CONFLICTING_PRICE: "a price file gives one symbol two prices",
  EMPTY_ROW: "every field of the row is empty",
  LINE_TOO_LONG: "the line is longer than any row can be",
  MISSING_COLUMN: "the line has fewer columns than the header",
  MORE: "how many more rows were refused than are listed",
  NO_TRADING_DAY: "the day rule gives the row no day",
  NOT_TEXT: "the line holds bytes that are no text",
  SURPLUS_COLUMN: "the line has more columns than the header",
  UNKNOWN_KEY: "a trade of a request has a key that trades do not have",
  UNKNOWN_CONVENTION: "nobody has said how this file writes the price of this symbol",
} as const;
export type QuarantineCode = keyof typeof quarantineCodes;

/** How many rows a list of findings speaks of: a list has a limit, and its last entries say how many more there are. */
export const findingCount = (findings: readonly { readonly more?: number }[]): number =>
  findings.reduce((count, { more = 1 }) => count + more, 0);

/** What a person may want to know of accepted input. */
export const noteCodes = {
  AFTER_AS_OF: "trades later than the as-of time were left out",
  ALIASED_SYMBOL: "another symbol of the same instrument: one position, under the symbol that was seen first",
  AMBIGUOUS_ROOT: "a bare root means two contracts at that time, so its price joins none",
  AMBIGUOUS_TIME: "the hour occurs twice as daylight time ends; taken as the first",
  CONFLICTING_TRADE:
    "an earlier file has a trade of the same id and second that differs in one thing: both count, one may be wrong",
  DUPLICATE_ROW: "dropped: an earlier file has the same trade",
  EXPIRED_OPEN: "open after its last trading day: no trade at price 0 books its expiry or exercise",
  IGNORED_WINDOW: "a price file of an hour that gives no mark",
  LATE_TRADE: "older than a trade of an earlier file; its lane was matched again from there",
  NEGATIVE_PRICE: "a negative price; kept",
  NO_PRICES_YET: "the as-of time lies in a session that has no price yet, so nothing open has a mark",
  NO_PRICE: "symbols of a price file without a price",
  REPEATED_PRICE: "a price file gives one symbol the same price twice",
  START_OF_DAY: "a trade at midnight is a start-of-day position; kept",
  TRADED_AFTER_EXPIRY: "traded after its last trading day; kept",
  TIME_FORM: "a time that is not in the ledger's own form but reads in one way only",
  UNKNOWN_PRODUCT: "no product is known for the symbol: multiplier 1, currency XXX",
  UNPADDED_DATE: "a date without its zeros, which reads in one way only",
  UNTRANSLATED: "the symbol names no instrument for certain: it stays under its own text, and prices join it by that text only",
  UNUSED_MARK: "a mark of something that was never traded",
  ZERO_PRICE: "a price of zero: an expiry or exercise, or a start-of-day position of unknown cost; kept",
} as const;

/** What a person may want to know of a symbol that was translated all the same: it reads in one way only. */
export const symbolNoteCodes = {
  CASE: "written in other letters, small or capital, than the dialect's",
  CODE_ALIAS: "a published code that is not the one this dialect prints",
  EXPIRY_UNCONFIRMED: "a holiday moves this expiry, and no notice says to which day: taken as the business day before",
  FRONT_CONTRACT: "a bare root: the next quarterly contract of that day",
  HOLIDAY_DATE:
    "the date is the other one of a holiday-moved expiry: the nominal day where the dialect writes the real one, or the reverse",
  LAST_DAY_MISMATCH: "the date is not the last trading day of the contract that letter and year name",
  MISSING_COMDTY: "written without its Comdty",
  MONTH_LETTER_MISMATCH: "the month letter contradicts the date; the date counts",
  OLD_FORM: "the form that was in use until 18 July 2025",
  SEVERAL_DIALECTS: "the text is of several dialects, and means the same in each",
  STANDARD_FRIDAY: "named as the weekly option of the Friday on which the monthly option expires: it is the monthly option",
  STRIKE_FORM: "a strike of six digits, where the dialect writes five",
  WEEK_DIGIT_MISMATCH: "the number of the week contradicts the date; the date counts",
  WHITESPACE: "spaces or tabs that do not belong there",
  YEAR_IN_OTHER_DECADE: "one digit of a year, read as one of another decade than the as-of date's",
} as const;
export type SymbolNoteCode = keyof typeof symbolNoteCodes;

/** Why a symbol was not translated. */
export const symbolRefusalCodes = {
  AMBIGUOUS: "the text means several instruments",
  BAD_DATE: "the date does not exist, or lies outside the years 2000 to 2099",
  BAD_STRIKE: "the strike is no multiple of an eighth of a point, or not between 0 and 400",
  CANNOT_CARRY: "the dialect has no room for a part of what the instrument is",
  DATE_NOT_OF_SERIES: "no option of that series, or no such future, ends on that date",
  EMPTY: "there is no symbol",
  NOT_ASCII: "the text holds characters that no dialect has",
  NOT_LISTED: "no such contract is listed: a month, week or year that the product has not",
  NO_KNOWN_CODE: "no source says what the dialect calls it",
  NO_STRIKE: "the text names an expiry but no strike, so no option",
  TOO_LONG: "longer than any symbol",
  UNKNOWN_FORM: "the text has the form of no symbol of the dialect",
  UNKNOWN_PRODUCT: "the product is not known to the dialect",
  UNKNOWN_SERIES: "the option series is not known to the dialect",
} as const;
export type SymbolRefusalCode = keyof typeof symbolRefusalCodes;

/** Any of the notes above. */
export type NoteCode = keyof typeof noteCodes | SymbolNoteCode;
