export {
  type CalendarColumn,
  type CalendarFinding,
  type CalendarFindingCode,
  type CalendarRow,
  calendarColumns,
  calendarFindingCodes,
  calendarSeverities,
  checkCalendar,
  overridesOf,
  parseCalendarMoment,
} from "./calendar-check.ts";
export { productOfLedgerSymbol } from "./dialects/actant-trades.ts";
export {
  type DialectName,
  dialectAliases,
  dialectNamed,
  dialectNames,
  dialects,
} from "./dialects/index.ts";
export {
  ExpiryCalendar,
  type ExpiryOverrides,
  firstYear,
  lastYear,
  type OptionSeries,
} from "./expiry-calendar.ts";
export {
  compareInstruments,
  type Instrument,
  type InstrumentFacts,
  instrumentFacts,
  type OptionInstrument,
  optionOf,
  productOfInstrument,
  titleOf,
} from "./instrument.ts";
export { type LegacyView, legacyViews } from "./legacy-views.ts";
export { nearestSymbols } from "./nearest-symbols.ts";
export { type Product, productOfRoot, products } from "./products.ts";
export type {
  Dialect,
  DialectForm,
  Printing,
  Read,
  Reading,
  Refused,
  SymbolContext,
  SymbolNote,
} from "./reading.ts";
export {
  bloombergCodes,
  brokerCodes,
  cmeCodes,
  type Family,
  families,
  type SeriesCode,
} from "./series-codes.ts";
export { tableVersion } from "./table-version.ts";
export {
  type Detected,
  printSymbol,
  readAs,
  readSymbol,
  type Source,
  symbolLengthMax,
} from "./translator.ts";
export { yearOfDigit } from "./years.ts";
