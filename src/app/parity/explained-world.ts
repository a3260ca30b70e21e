/** Makes the input of an explanation from a run over a desk's ledgers. */
import { readLedgers } from "../../adapters/csv/ledger-reader.ts";
import { formatDecimal } from "../../base/decimal.ts";
import type { SystemAnswer } from "../../comparison/index.ts";
import { formatDay, tradingDayRules } from "../../domain/market/trading-day.ts";
import type { Close } from "../../ports/pnl-system.ts";
import { describerOf } from "../symbols/symbols.ts";
import { asRead, type ExplainedWorld, refusedRows } from "./explain.ts";
import { type PnlRun, pinnedPrices } from "./pnl-run.ts";

/** The name under which modern reports a symbol. */
export const nameIn =
  ({ input }: PnlRun) =>
  (symbol: string): string =>
    input.aliases.get(symbol) ?? symbol;

/** The input of an explanation of a run. */
export function explainedWorld(
  world: PnlRun,
  {
    legacy,
    netBooks,
    other,
  }: {
    readonly legacy: Pick<SystemAnswer, "errors">;
    readonly netBooks: boolean;
    /** Modern's own run, if it follows another day rule. */
    readonly other?: PnlRun | undefined;
  },
): ExplainedWorld {
  const { input, quarantine, notes, dayRule, engine, valuation, ledgers, symbols } = world;
  return {
    files: input.files,
    repeated: input.repeated,
    refused: refusedRows(quarantine, input.files),
    notes,
    givenUp: givenUp(legacy, world),
    aliases: input.aliases,
    nameOf: nameIn(world),
    netBooks,
    dayRule,
    engine,
    valuation,
    filePrices: filePricesOf(world),
    otherCloses: other === undefined ? [] : pinnedPrices({ ...other, ...other.input }),
    reread: async () => {
      const describe = asRead(describerOf(symbols), "every-row");
      const rule = tradingDayRules[dayRule];
      return (await readLedgers(ledgers, { keepRepeated: true, describe, dayRule: rule, netBooks })).trades;
    },
  };
}

/** The prices of the files for each traded symbol, in order of reading. */
function filePricesOf({ prices, input }: PnlRun): readonly Close[] {
  const byName = Map.groupBy(prices, ({ instrument, symbol }) => instrument ?? symbol);
  return input.trades.instruments.flatMap(({ instrument, symbol }) =>
    [...new Set([instrument ?? symbol, symbol])].flatMap((name) =>
      (byName.get(name) ?? []).map(({ day, price }) => ({
        symbol,
        tradingDay: formatDay(day),
        price: formatDecimal(price),
      })),
    ),
  );
}

/**
 * Files that legacy stopped reading at a bad row: the number of rows that it had taken, by the file's place
 * in reading order.
 */
const givenUp = (
  { errors }: Pick<SystemAnswer, "errors">,
  { ledgers }: PnlRun,
): ReadonlyMap<number, number> =>
  new Map(
    errors.flatMap(({ file, rowsTaken }) =>
      file === undefined || rowsTaken === undefined ? [] : [[ledgers.indexOf(file), rowsTaken]],
    ),
  );
