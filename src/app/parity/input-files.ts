import { findLedgers } from "../../adapters/csv/ledger-reader.ts";
import { findPriceFiles } from "../../adapters/csv/price-files.ts";

/** What a run reads, as it is asked for: files, and folders of trades and prices. */
interface Inputs {
  readonly trades?: readonly string[] | undefined;
  readonly prices?: readonly string[] | undefined;
  readonly marks?: string | undefined;
  readonly calendar?: string | undefined;
  readonly config?: string | undefined;
  readonly database?: string | undefined;
}

/** Every file that a run reads, so that its output can keep off them. Throws BridgeError NO_INPUT, UNREADABLE. */
export async function inputFiles({ trades, prices, marks, calendar, config, database }: Inputs): Promise<readonly string[]> {
  return [
    ...(trades === undefined ? [] : await findLedgers(trades)),
    ...(prices === undefined ? [] : await findPriceFiles(prices)),
    ...[marks, calendar, config, database].filter((path) => path !== undefined),
  ];
}
