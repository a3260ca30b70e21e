import { errorCatalogue } from "../../src/base/errors.ts";
import { noteCodes, quarantineCodes, symbolRefusalCodes } from "../../src/domain/market/finding-codes.ts";
import { recordCodes } from "../../src/domain/migration/record-codes.ts";
import { failureClasses } from "../../src/domain/migration/system-failure.ts";
import { ownCodes } from "../../src/surfaces/gateway/problems.ts";
import { type Blocks, code, table } from "./markdown.ts";

/** The remedy for each code of a catalogue. A code without a remedy does not compile. */
type Fixes<Catalogue> = Readonly<Record<keyof Catalogue, string>>;

const failures: Fixes<typeof errorCatalogue> = {
  BAD_USAGE:
    "Correct the command or the request; `--help` and [cli.md](cli.md) list every command and option.",
  BAD_CONFIG: "Correct the file at the line and column that are named; `config validate` checks it again.",
  BAD_MARKS: "Write one JSON object of symbols and prices.",
  BAD_LEDGER: "Export the ledger again as CSV with the header that [guide.md](guide.md#trade-ledgers) shows.",
  BAD_PRICE_FILE:
    "Give a price file as the desk's feeds write it, under its original name: [guide.md](guide.md#prices-and-marks).",
  BAD_WORKBOOK: "Save the workbook again as .xlsx, without a password and without macros.",
  BAD_CALENDAR: "Run `symbols check FILE`, which lists every row to correct.",
  NO_INPUT: "Give the path of a file or folder that holds what the command reads.",
  UNREADABLE: "Give the process the right to read the file, or name another file.",
  UNWRITABLE: "Name a place that exists, can be written and has free space.",
  BAD_DATABASE:
    "Name the right database; [RUNBOOK.md](../RUNBOOK.md) shows how to restore a damaged control store.",
  FILE_REPLACED: "End every process that uses the database, then start them again.",
  DATABASE_BUSY: "End the transaction or program that the message names, or run the command again later.",
  REFUSED: "Do first what the message names: open the gates, clear the latch, or wait.",
  CONFLICT:
    "Do what the message says; usually read the status, and repeat the request if it is still wanted.",
  CLOSED: "Open again what is closed; a program should close a bridge only after its last call.",
  SYSTEM_DOWN: "Start the system that is named, and run `doctor --system SIDE`.",
  INTERNAL: "Run the command again with `--verbose` and report what it prints.",
};

const systems: Fixes<typeof failureClasses> = {
  REFUSED: "Correct the request, or look into the log of the system.",
  TIMEOUT: "Find out why the system is slow, or raise its `timeout_ms`.",
  DOWN: "Start the system, and check its address or its command.",
  TOO_LARGE: "Request less in one call.",
  GARBLED: "Correct the system's answer; `doctor --system SIDE` shows what is wrong with it.",
  BUSY: "Call again a moment later.",
};

const gateway: Fixes<typeof ownCodes> = {
  DRAINING: "Send the write again when `status` shows that nothing is owed to legacy.",
  FENCED: "Make the control store reachable, and send the write again.",
};

const record = "Correct the record that is named.";
const records: Readonly<Record<keyof typeof recordCodes, string>> = {
  BAD_RECORD: record,
  BAD_TEXT: record,
  BAD_NUMBER: record,
  BAD_TIME: record,
  UNKNOWN_SYMBOL: "Correct the symbol; `symbols variants` shows how it is read.",
  NOT_REPRESENTABLE: "While legacy is still written, send only values that a double holds exactly.",
  AMBIGUOUS_IN_LEGACY: "Book the row by hand in both systems, or wait until legacy is not written any more.",
  KEY_REUSED: "Give each write a key of its own, and use that key again only to repeat the write.",
  ALREADY_STORED: "Do nothing: the trade is already stored.",
  CONFLICT: "Look at the row that is named, and correct the record.",
  BOOK_NOT_IN_LEGACY: "Net the books, or wait until legacy is not written any more.",
  DRAINING: "Send the same write again after a second.",
  UNRESOLVED: "Send the same write with the same key again.",
};

/**
 * The codes of `./run` and of the program's first file, which are not TypeScript and cannot share a
 * catalogue.
 */
const scripts: readonly (readonly [code: string, meaning: string, fix: string])[] = [
  [
    "NODE_UNFIT",
    "the machine has no Node that is new enough",
    "Install Node 24, or let `./run` download it.",
  ],
  [
    "INSTALL_FAILED",
    "npm could not install the packages",
    "Make the npm registry reachable; `./run` tries again.",
  ],
  [
    "BUILD_FAILED",
    "the sources do not compile",
    "Correct the errors that the compiler prints; `dist/` is unchanged.",
  ],
  ["CHECKOUT_READ_ONLY", "`./run` cannot write into the checkout", "Give the user the right to write there."],
  [
    "CHECKOUT_BUSY",
    "another `./run` holds the lock of the checkout",
    "Wait for it; if none runs, remove the lock that is named.",
  ],
];

const row = "Correct the row in its file.";
const quarantine: Fixes<typeof quarantineCodes> = {
  BAD_BOOK:
    "Write the book of the trade as a text, or leave `book` out. (Only a trade in a request gets this code; " +
    "an empty `book` of a ledger row counts as no book.)",
  BAD_FLAG: "Write Y, N or nothing.",
  BAD_FEE: row,
  BAD_ID: "Give the trade an id.",
  BAD_PRICE: row,
  BAD_QUANTITY: "Write a quantity above zero; the side says whether it was bought or sold.",
  BAD_QUOTING: "Close the quotes on the line on which the field begins.",
  BAD_SIDE: "Write B or S.",
  BAD_SYMBOL: "Fill in the name of the instrument.",
  BAD_TIME: "Write `YYYY-MM-DD HH:MM:SS` in Chicago time, or add the offset.",
  CONFLICTING_PRICE: "Keep one of the two prices.",
  EMPTY_ROW: "Remove the row.",
  LINE_TOO_LONG: "Check whether the file is a ledger, and whether a line end is missing.",
  MISSING_COLUMN: row,
  MORE: "Correct the listed rows first; then the others are listed.",
  NO_TRADING_DAY: "Choose another `--day-rule`, or give the file a name with its day.",
  NOT_TEXT: "Save the file as UTF-8.",
  SURPLUS_COLUMN: row,
  UNKNOWN_KEY: "Remove the key, or write it as the message proposes.",
  UNKNOWN_SYMBOL: "Correct the symbol, or see why it is unknown with `symbols translate`.",
  UNKNOWN_CONVENTION: "Give the price in a file for which the price notation of the symbol is known.",
};

const none = "Nothing.";
const look = "Check whether it is intended.";
const notes: Fixes<typeof noteCodes> = {
  AFTER_AS_OF: none,
  ALIASED_SYMBOL: none,
  AMBIGUOUS_ROOT: "Write the symbol with its month and year.",
  AMBIGUOUS_TIME: "Add the offset to the time.",
  CONFLICTING_TRADE: "Find out which of the two rows is right, and remove the other.",
  DUPLICATE_ROW: none,
  EXPIRED_OPEN: "Book the expiry or the exercise as a trade at price 0.",
  IGNORED_WINDOW: none,
  LATE_TRADE: none,
  NEGATIVE_PRICE: look,
  NO_PRICES_YET: "Choose a time at which the session has prices.",
  NO_PRICE: "Add the price, if the position needs it.",
  REPEATED_PRICE: none,
  START_OF_DAY: none,
  TRADED_AFTER_EXPIRY: look,
  TIME_FORM: none,
  UNKNOWN_PRODUCT: "Check the symbol; its P&L is in points.",
  UNPADDED_DATE: none,
  UNTRANSLATED: "Check the symbol with `symbols variants`.",
  UNUSED_MARK: look,
  ZERO_PRICE: "Give a start-of-day position its cost.",
};

const symbols: Fixes<typeof symbolRefusalCodes> = {
  AMBIGUOUS: "Write one of the instruments that are proposed.",
  BAD_DATE: "Correct the date.",
  BAD_STRIKE: "Correct the strike.",
  CANNOT_CARRY: "Choose another dialect for the output.",
  DATE_NOT_OF_SERIES: "Correct the date or the series.",
  EMPTY: "Give a symbol.",
  NOT_ASCII: "Write the symbol in the characters of its dialect.",
  NOT_LISTED: "Correct the month, the week or the year.",
  NO_KNOWN_CODE: "Choose another dialect for the output.",
  NO_STRIKE: "Add the strike.",
  TOO_LONG: "Give one symbol at a time.",
  UNKNOWN_FORM: "Name the right dialect with `--from`; `symbols dialects` shows the forms.",
  UNKNOWN_PRODUCT: "Correct the product.",
  UNKNOWN_SERIES: "Correct the series.",
};

const catalogue = <Catalogue extends Readonly<Record<string, string>>>(
  meanings: Catalogue,
  fixes: Fixes<Catalogue>,
): string =>
  rows(Object.entries(meanings).map(([name, meaning]) => [name, meaning, fixes[name as keyof Catalogue]]));

const rows = (found: readonly (readonly [code: string, meaning: string, fix: string])[]): string =>
  table(
    ["code", "meaning", "what to do"],
    found.map(([name, meaning, fix]) => [code(name), meaning, fix]),
  );

export const blocks: Blocks = {
  failures: () => catalogue(errorCatalogue, failures),
  scripts: () => rows(scripts),
  systems: () => catalogue(failureClasses, systems),
  gateway: () => catalogue(ownCodes, gateway),
  records: () =>
    rows(
      Object.entries(recordCodes).map(([name, { meaning }]) => [
        name,
        meaning,
        records[name as keyof typeof recordCodes],
      ]),
    ),
  quarantine: () => catalogue(quarantineCodes, quarantine),
  notes: () => catalogue(noteCodes, notes),
  symbols: () => catalogue(symbolRefusalCodes, symbols),
};
