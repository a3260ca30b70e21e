import { notCsv } from "../../adapters/csv/not-csv.ts";
import { readPriceFile } from "../../adapters/csv/price-files.ts";
import { formatDecimal } from "../../base/decimal.ts";
import { BridgeError } from "../../base/errors.ts";
import type { PriceRows } from "../../bridges/files/index.ts";
import type { TradingDayRule } from "../../domain/market/trading-day.ts";
import { symbolBridge } from "../symbols/symbols.ts";

/** Reads price files of every known family into marks, as `replay` does. */
export const priceRows = (dayRule: TradingDayRule): PriceRows => ({
  read: (name, bytes) => {
    const symbols = symbolBridge(undefined);
    try {
      const { prices, quarantine } = readPriceFile(name, bytes, {
        dayRule,
        translate: (symbol, day) => symbols.canonical(symbol, "auto", day),
      });
      return {
        marks: prices.map(({ instrument, symbol, price, kind, atUs, day, line }) => ({
          ...{ name: instrument ?? symbol, symbol, kind, day, atUs, line },
          price: formatDecimal(price),
        })),
        refused: quarantine,
      };
    } catch (failure) {
      if (!(failure instanceof BridgeError)) throw failure;
      const { code, message: why, fix } = failure;
      return { refusal: { code: notCsv(bytes)?.code ?? code, why, fix } };
    }
  },
});
