export {
  describeLedgerSymbol,
  futureOfPriceSymbol,
  type InstrumentFacts,
  monthLetters,
  type Product,
  productOfRoot,
  products,
} from "./products.ts";
