import * as app from "../../src/app/index.ts";
import { symbolNoteCodes, symbolRefusalCodes } from "../../src/domain/market/finding-codes.ts";
import { formatDay } from "../../src/domain/market/trading-day.ts";
import {
  bloombergCodes,
  brokerCodes,
  type CalendarFindingCode,
  calendarFindingCodes,
  calendarSeverities,
  cmeCodes,
  type DialectName,
  dialectAliases,
  dialectNames,
  dialects,
  ExpiryCalendar,
  type Family,
  families,
  legacyViews,
  type Product,
  products,
  type SeriesCode,
} from "../../src/symbols/index.ts";
import { type Blocks, code, meanings, table } from "./markdown.ts";

/** The examples of the page are read as of this day. */
const symbols = new app.SymbolTranslationBridge({ asOf: "2025-07-24" });

const weekdayNames: Readonly<Record<Family, string>> = {
  mon: "Monday",
  tue: "Tuesday",
  wed: "Wednesday",
  thu: "Thursday",
  fri: "Friday",
  standard: "quarterly, serial",
};
const lastDays = {
  last: "last business day of the contract month",
  "seventh-before-last": "seventh business day before the month's last one",
} as const;
const withOptions = products.filter(({ optionTick }) => optionTick !== null);
const tenYear = products.find((product) => product.code === "ZN") as Product;

/** Returns a table of codes. An empty cell means that no source for the code is known. */
const codeTable = (codes: readonly SeriesCode[]): string =>
  table(
    ["product", ...families.map((family) => weekdayNames[family])],
    withOptions.map((product) => [
      code(product.code),
      ...families.map((family) => codesOf(codes, product, family)),
    ]),
  );

const codesOf = (codes: readonly SeriesCode[], product: Product, family: Family): string =>
  codes
    .filter((row) => row.product === product && row.family === family)
    .map((row) => `${code(row.code)}${row.alias === true ? " (read only)" : ""}`)
    .join(", ");

const sourceTable = (codes: readonly SeriesCode[]): string =>
  table(
    ["codes", "from", "source"],
    [...Map.groupBy(codes, ({ from, source }) => `${from} ${source}`).values()].map((rows) => [
      rows.map((row) => code(row.code)).join(" "),
      formatDay((rows[0] as SeriesCode).from),
      (rows[0] as SeriesCode).source,
    ]),
  );

const formTable = (name: DialectName): string =>
  table(
    ["what", "form", "example", "means"],
    dialects[name].forms.map(({ what, form, example }) => [
      what,
      code(form),
      code(example),
      meaningOf(example, name),
    ]),
  );

function meaningOf(text: string, source: DialectName | "auto"): string {
  const reading = symbols.canonical(text, source);
  return reading.ok ? code(reading.instrument.name) : `refused: ${code(reading.code)}`;
}

/**
 * Returns the row of a family's first series that a holiday moves. The search begins in July 2025: by then
 * all families are listed.
 */
function movedRow(family: Family): readonly string[] {
  const calendar = new ExpiryCalendar();
  for (let year = 2025; year < 2040; year++)
    for (let month = year === 2025 ? 7 : 1; month <= 12; month++)
      for (const series of calendar.seriesExpiringIn(tenYear, year, month))
        if (series.family === family && series.expiry !== series.nominal)
          return [
            weekdayNames[family],
            code(series.name),
            formatDay(series.nominal),
            `${formatDay(series.expiry)}, the business day ${series.expiry > series.nominal ? "after" : "before"}`,
            series.confirmed ? "yes" : `no: ${code("EXPIRY_UNCONFIRMED")}`,
          ];
  throw new Error(`no holiday moves ${family}`);
}

export const blocks: Blocks = {
  products: () =>
    table(
      [
        "product",
        "CME",
        "Bloomberg",
        "exchange",
        "a point is",
        "tick",
        "tick of options",
        "last trading day",
      ],
      products.map(
        ({ name, code: own, bloomberg, exchange, multiplier, currency, tick, optionTick, lastDay }) => [
          name,
          exchange === "XCBT" ? code(own) : "",
          code(bloomberg),
          exchange,
          `${multiplier} ${currency}`,
          tick,
          optionTick ?? "",
          lastDay === null ? "not known" : lastDays[lastDay],
        ],
      ),
    ),
  "cme-codes": () => codeTable(cmeCodes),
  "cme-sources": () => sourceTable(cmeCodes),
  "bloomberg-codes": () => codeTable(bloombergCodes),
  "bloomberg-sources": () => sourceTable(bloombergCodes),
  "broker-codes": () => codeTable(brokerCodes),
  "broker-sources": () => sourceTable(brokerCodes),
  "holiday-moves": () =>
    table(
      ["options of", "example", "day by the rule", "expires", "a source says so"],
      families.map(movedRow),
    ),
  dialects: () =>
    table(
      ["dialect", "also called", "what it is"],
      dialectNames.map((name) => [
        code(name),
        Object.entries(dialectAliases)
          .filter(([, of]) => of === name)
          .map(([alias]) => code(alias))
          .join(", "),
        dialects[name].describes,
      ]),
    ),
  ...Object.fromEntries(dialectNames.map((name) => [`forms ${name}`, () => formTable(name)])),
  notes: () => meanings("code", symbolNoteCodes),
  refusals: () => meanings("code", symbolRefusalCodes),
  findings: () =>
    table(
      ["code", "severity", "meaning"],
      Object.entries(calendarFindingCodes).map(([name, meaning]) => [
        code(name),
        code(calendarSeverities[name as CalendarFindingCode]),
        meaning,
      ]),
    ),
  "legacy-views": () =>
    table(
      ["view", "reads", "what it was"],
      legacyViews.map(({ name, reads, describes }) => [code(name), code(reads), describes]),
    ),
};
