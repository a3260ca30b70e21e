import { findLedgers } from "../../adapters/csv/ledger-reader.ts";
import { findPriceFiles } from "../../adapters/csv/price-files.ts";
import type { InputFile } from "../../ports/parity-report.ts";

/** The inputs of a run as the caller names them: files, and folders of trades and prices. */
interface Inputs {
  readonly trades?: readonly string[] | undefined;
  readonly prices?: readonly string[] | undefined;
  readonly marks?: string | undefined;
  readonly calendar?: string | undefined;
  readonly config?: string | undefined;
  readonly database?: string | undefined;
}

export type ReadFile = Pick<InputFile, "kind" | "path">;

/** Every file that a run reads, in reading order. Throws BridgeError NO_INPUT, UNREADABLE. */
export async function inputFiles({ trades, prices, ...single }: Inputs): Promise<readonly ReadFile[]> {
  const found = {
    trades: trades === undefined ? [] : await findLedgers(trades),
    prices: prices === undefined ? [] : await findPriceFiles(prices),
  };
  const kinds = ["marks", "calendar", "config", "database"] as const;
  return [
    ...found.trades.map((path) => ({ kind: "trades" as const, path })),
    ...found.prices.map((path) => ({ kind: "prices" as const, path })),
    ...kinds.flatMap((kind) => (single[kind] === undefined ? [] : [{ kind, path: single[kind] }])),
  ];
}
