export {
  describeLedgerSymbol,
  futureOfPriceSymbol,
  type InstrumentFacts,
  ledgerInstrumentName,
  monthLetters,
  type Product,
  productOfRoot,
  products,
} from "./products.ts";
