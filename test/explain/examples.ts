/**
 * One small history for each cause of the catalogue, in which explain names only that cause;
 * docs/explain.md shows these histories.
 */
import type { Variant } from "../../src/explain/catalogue.ts";
import type { Explanation } from "../../src/ports/explanation.ts";
import type { ParityReport, ParityRow } from "../../src/ports/parity-report.ts";
import {
  casesOf,
  changesOfOneTrade,
  deskOf,
  explained,
  type LedgerRow,
  reportWith,
  switchesOf,
} from "./cases.ts";

/** A code of the catalogue. */
export type CauseCode = Variant["code"];

interface Example {
  /**
   * The rows of each file: id, day of July 2025, time, side, quantity, price, and optionally a symbol and a
   * book.
   */
  readonly files: readonly (readonly string[])[];
  /** Prices by day of July 2025, and further prices of that day. */
  readonly closes?: Readonly<Record<number, readonly [string, ...string[]]>>;
}

const names: Readonly<Record<string, string>> = {
  ZN: "XCMEFFDPSX20250919U0ZN",
  ZT: "XCMEFFDPSX20250930U0ZT",
  OPT: "XCMEOPADPS20250725Q0OZN/110.5",
  OPT0: "XCMEOPADPS20250725Q0OZN/110.50",
  W3: "XCMEOPADPS20250718N0ZN3/110.75",
  W4: "XCMEOPADPS20250725N0ZN4/110.75",
};

const lots = ["1 21 09:00 B 1 110", "2 21 09:01 B 1 112", "3 21 09:02 S 1 112"];
const roundTrip = ["1 21 09:00 B 1 110", "2 21 09:01 S 1 111"];
const held = [["1 21 09:00 B 1 110"], ["2 22 09:00 B 1 110"]];
const closes = { 21: ["111"], 22: ["113"] } as const;

const examples: Readonly<Record<CauseCode, Example>> = {
  DAY_RULE: { files: [["1 21 09:00 B 1 110", "2 21 17:30 S 1 111"]] },
  NO_CARRY: { files: [["1 21 09:00 B 1 110"], ["2 22 09:00 S 1 111"]] },
  LOT_TEXT: {
    files: [
      [
        ...["1", "2", "3", "4", "5", "6", "7", "8", "9"].map((id) => `${id} 21 09:0${id} B 1 110`),
        "10 21 09:10 B 1 111",
        "11 21 09:11 B 1 113",
        "12 21 09:12 S 2 112",
      ],
    ],
  },
  LIFO: { files: [lots] },
  AVERAGE: { files: [lots] },
  RESTART_AVERAGE: {
    files: [
      ["1 21 09:00 B 1 110", "2 21 09:01 B 1 111", "3 21 09:02 B 1 115", "4 21 09:03 S 1 115"],
      ["5 22 09:00 S 1 115"],
    ],
  },
  FILE_ORDER: {
    files: [
      [
        ...["1 21 10:00 S 1 110", "2 21 11:00 B 2 113", "3 21 11:00 S 1 112", "4 21 10:00 S 1 114"],
        "5 21 10:00 B 2 114",
      ],
    ],
  },
  TIES: {
    files: [["1 21 09:00 B 1 110", "2 21 09:00 B 1 111", "3 21 09:30 B 1 113", "4 21 10:00 S 1 112"]],
  },
  MULTIPLIER: { files: [roundTrip] },
  TU_MULTIPLIER: { files: [roundTrip.map((row) => `${row} ZT`)] },
  COUNTED_TWICE: { files: [["1 21 09:00 B 1 110"], ["1 21 09:00 B 1 110", "2 22 09:00 S 1 111"]] },
  RELOADED: { files: [["1 21 09:00 B 1 110"]] },
  DEDUPED: { files: [["1 21 09:00 B 1 110", "1 21 09:01 B 2 111"]] },
  ID_REUSE: { files: [["1 21 09:00 B 1 110", "1 21 09:01 B 2 111"]] },
  FILE_REJECTED: { files: [["1 21 09:00 B 1 110", "2 21 09:01 BUY 1 111", "3 21 09:02 B 1 112"]] },
  BAD_SIDE: { files: [["1 21 09:00 B 2 110", "2 21 09:01 SELL 1 111"]] },
  NEGATIVE_QTY: { files: [["1 21 09:00 B 2 110", "2 21 09:01 B -1 111"]] },
  ZERO_QTY: { files: [roundTrip, ["3 22 09:00 B 0 110"]] },
  NEGATIVE_PRICE: { files: [["1 21 09:00 B 1 110", "2 21 09:01 B 1 -1", "3 21 09:02 B 1 111"]] },
  TIME_FORMAT: { files: [["1 21 09:00 B 1 110", "2 21T09:01 B 1 111", "3 21 09:02 B 1 112"]] },
  EXPIRY_DROPPED: { files: [["1 21 09:00 B 1 0.5 OPT", "2 21 15:00 S 1 0 OPT"]] },
  SOD_EXCLUDED: { files: [["1 21 00:00 B 1 110", "2 21 09:00 B 1 111"]] },
  LATE_TRADE: {
    files: [
      ["1 21 09:00 B 1 110", "2 21 11:00 B 1 111"],
      ["3 21 10:00 S 1 112", "4 22 09:00 B 1 113"],
    ],
  },
  TAIL_NOT_READ: { files: [["1 21 09:00 B 1 110", "2 21 09:01 B 2 111"]] },
  UNREADABLE_SYMBOL: { files: [["1 21 09:00 B 1 0.5 W3", "2 21 09:01 S 1 0.75 W3"]] },
  SYMBOL_MERGE: { files: [["1 21 09:00 B 1 0.5 W3", "2 21 09:01 S 1 0.75 W4"]] },
  SYMBOL_SPLIT: { files: [["1 21 09:00 B 1 0.5 OPT", "2 21 09:01 S 1 0.75 OPT0"]] },
  NAME_ONLY: { files: [["1 21 09:00 B 1 110"]] },
  BOOK_NETTING: { files: [["1 21 09:00 B 1 110 ZN east", "2 21 09:01 S 1 111 ZN west"]] },
  NO_MARK: { files: [["1 21 09:00 B 1 110", "2 21 09:01 B 1 111"]] },
  ZERO_MARK: { files: [["1 21 09:00 B 1 110"]], closes: { 21: ["0"] } },
  LAST_TRADE_MARK: { files: [["1 21 09:00 B 1 110", "2 21 09:01 B 1 111"]] },
  PRICE_NOTATION: { files: held, closes: { 21: ["110.515625"], 22: ["111.5"] } },
  PRICE_CHOICE: { files: [[...roundTrip, "3 21 09:02 B 1 110"]], closes: { 21: ["111", "111.25"] } },
  STALE_MARK: { files: held, closes },
  SINCE_SOD: { files: held, closes },
  OVERLAPPING_DAYS: { files: held, closes },
  MTM_REBASE: { files: [["1 21 09:00 B 1 110"], ["2 22 09:00 S 1 112"]], closes },
  DAILY_DEFINITION: { files: held, closes },
  SIGN_FLIP: { files: [roundTrip] },
  REALIZED_LOST: { files: [roundTrip] },
  TRUNCATED_QTY: { files: [["1 21 09:00 B 1.5 110"]] },
  FLOAT_DUST: { files: [["1 21 09:00 B 0.1 110", "2 21 09:01 B 0.2 110", "3 21 09:02 S 0.3 111"]] },
  ROUNDING: { files: [[...roundTrip, "3 22 09:00 B 1 110", "4 22 09:01 S 1 110.015625"]] },
  ONE_TRADE: {
    files: [["1 21 09:00 B 1 110", "2 21 09:01 B 2 111", "3 21 09:02 S 1 113", "4 21 09:03 S 1 114"]],
  },
};

function rowOf(text: string): LedgerRow {
  const [, id = "", day, separator, clock, rest = ""] = /^(\S+) (\d\d)([ T])(\S+) (.*)$/.exec(text) ?? [];
  const [side = "", quantity = "", price = "", symbol = "ZN", book] = rest.split(" ");
  return {
    id,
    symbol: names[symbol] ?? symbol,
    time: `2025-07-${day}${separator}${clock}:00`,
    side,
    quantity,
    price,
    ...(book === undefined ? {} : { book }),
  };
}

interface ShownExample {
  /** Ledgers and prices in the form of the page. */
  readonly lines: readonly string[];
  /** A text that names the difference and the rule that causes it. */
  readonly outcome: string;
  readonly explanation: Explanation;
}

/**
 * Returns the example of a cause with the result of explain for a system that follows one of its rules.
 * Throws if there is no rule for which explain names this cause alone.
 */
export function exampleOf(code: CauseCode): ShownExample {
  const { files, closes: prices = {} } = examples[code];
  const ledgers = files.map((rows) => rows.map(rowOf));
  const symbol = ledgers[0]?.[0]?.symbol ?? "";
  const priced = Object.entries(prices).flatMap(([day, all]) =>
    all.map((price, at) => ({ symbol, tradingDay: `2025-07-${day}`, price, isFirst: at === 0 })),
  );
  const [first, further] = [true, false].map((isFirst) => priced.filter((one) => one.isFirst === isFirst));
  const desk = deskOf(ledgers, first ?? [], further ?? []);
  for (const given of casesOf(desk))
    for (const variant of code === "ONE_TRADE" ? changesOfOneTrade(given) : switchesOf(given)) {
      if (variant.code !== code) continue;
      const report = reportWith(desk, given.component, variant.apply(given.base));
      const [found, ...others] = explained(desk, report);
      const causes = found?.explanation.causes.map((cause) => cause.code).join(" ");
      if (found === undefined || others.length > 0 || causes !== code) continue;
      return {
        lines: [
          ...ledgers.flatMap((rows, file) => [`# ${desk.history.files[file]}`, ...rows.map(lineOf)]),
          ...priced.map(({ tradingDay, price }) => `# price of ${tradingDay}: ${price}`),
        ],
        outcome: `${outcomeOf(report, found.explanation)} Legacy's rule: ${variant.rule}.`,
        explanation: found.explanation,
      };
    }
  throw new Error(`no rule of the example of ${code} makes explain name only ${code}`);
}

const lineOf = ({ id, symbol, time, side, quantity, price, book }: LedgerRow): string =>
  [id, symbol, time, side, quantity, price, ...(book === undefined ? [] : [book])].join(",");

const figures: Readonly<Record<string, string>> = {
  averagePrice: "average price",
  realized: "realized P&L",
  unrealized: "unrealized P&L",
  total: "total P&L",
};

function outcomeOf({ rows }: ParityReport, { first }: Explanation): string {
  const isFirst = ({ kind, field, key }: ParityRow): boolean =>
    kind === first.kind && field === first.field && JSON.stringify(key) === JSON.stringify(first.key);
  const { legacy, modern } = rows.find(isFirst) ?? { legacy: null, modern: null };
  const place = first.kind === "position" ? "of the position" : `of ${first.tradingDay}`;
  if (first.field === "row") {
    const [some, other] = legacy === "0" ? ["modern", "legacy"] : ["legacy", "modern"];
    return `Only ${some} has a row ${place} of ${first.key.symbol}; ${other} has none.`;
  }
  const figure = figures[first.field] ?? first.field;
  return `The ${figure} ${place} is ${legacy ?? "missing"} in legacy and ${modern ?? "missing"} in modern.`;
}
