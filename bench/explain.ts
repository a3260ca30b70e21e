import { PnLComparisonValidator, type SystemAnswer } from "../src/comparison/index.ts";
import { dayUs } from "../src/domain/market/chicago-time.ts";
import { tradingDayRules } from "../src/domain/market/trading-day.ts";
import { PnlEngine, statementOf, TradeColumns } from "../src/engine/index.ts";
import { explain, type History } from "../src/explain/index.ts";
import { interleaved, ratio } from "./measure.ts";
import { type BenchResult, type BenchRow, milliseconds } from "./report.ts";

const trades = 1_000_000;
const repetitions = 3;
const day = 20_293;
const budget = { runsMax: 10_000, tradesMax: 200_000_000, reportTradesMax: 200_000_000 };

/** Explains one lane that closes its newest lot first, among a million trades. */
export async function explainLanes(): Promise<BenchResult> {
  const rows: BenchRow[] = [];
  for (const [lanes, atMost] of [
    [1_000, 3],
    [1, 30],
  ] as const) {
    const columns = columnsOf(lanes);
    const { report, history } = brokenLane(columns);
    let runs = 0;
    const times = await interleaved(
      {
        engine: { run: () => void new PnlEngine(columns, { method: "fifo" }).feed() },
        explain: {
          run: () => {
            const [found] = explain(report, history, budget);
            const codes = found?.explanation.causes.map(({ code }) => code).join(" ");
            if (codes !== "LIFO") throw new Error(`explain found ${codes}`);
            runs = found?.explanation.budget.runs ?? 0;
          },
        },
      },
      repetitions,
    );
    const name = `${trades} trades, one broken lane of ${trades / lanes}`;
    rows.push(
      { case: `one run of the engine over ${lanes} lanes`, measured: milliseconds(times.engine.medianMs) },
      {
        case: `explain, ${name}, ${runs} runs`,
        measured: milliseconds(times.explain.medianMs),
        ratio: ratio(times.explain, times.engine),
        against: `one run of the engine over ${lanes} lanes`,
        target: { atMost },
      },
    );
  }
  return { name: "explain", what: `name a hidden rule, median of ${repetitions}`, rows };
}

function columnsOf(lanes: number): TradeColumns {
  const columns = new TradeColumns(trades);
  const numbers = Array.from({ length: lanes }, (_, lane) =>
    columns.laneOf({ symbol: `L${lane}`, instrument: null, multiplier: "1000", currency: "USD" }),
  );
  let seed = 7;
  for (let trade = 0; trade < trades; trade++) {
    const at = columns.next();
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    columns.setNumericId(at, trade + 1);
    columns.lane[at] = numbers[trade % lanes] ?? 0;
    columns.side[at] = Math.floor(trade / lanes) % 2 === 0 ? 1 : -1;
    columns.quantity.set(at, { coefficient: BigInt(1 + (seed % 3)), scale: 0 });
    columns.price.set(at, { coefficient: BigInt(110_000 + (seed % 997)), scale: 3 });
    columns.timeUs[at] = day * dayUs + 50_000_000_000 + trade * 10_000;
    columns.day[at] = day;
    columns.line[at] = trade + 2;
    columns.commit();
  }
  return columns;
}

function brokenLane(columns: TradeColumns) {
  const answer = (method: "fifo" | "lifo"): SystemAnswer => {
    const engine = new PnlEngine(columns, { method });
    engine.feed();
    const statement = statementOf(engine, { marks: "none", asOfDay: day, openedAt: () => false });
    return {
      system: method,
      dayRule: "calendar",
      positions: statement.positions,
      daily: [...statement.daily],
      errors: [],
    };
  };
  const [own, other] = [answer("fifo"), answer("lifo")];
  const isBroken = ({ symbol }: { readonly symbol: string }): boolean => symbol === "L0";
  const legacy: SystemAnswer = {
    ...own,
    positions: [...own.positions.filter((row) => !isBroken(row)), ...other.positions.filter(isBroken)],
    daily: [...own.daily.filter((row) => !isBroken(row)), ...other.daily.filter(isBroken)],
  };
  const history: History = {
    files: ["trades_20250724.csv"],
    fileDays: [day],
    dayRule: tradingDayRules.calendar,
    trades: columns,
    repeats: new Map(),
    refused: [],
    oddTimes: new Set(),
    rowsTaken: new Map(),
    asOfUs: Number.POSITIVE_INFINITY,
    asOfDay: day,
    closes: [],
    otherPrices: [],
    nameOf: (symbol) => symbol,
    netBooks: false,
  };
  return { report: { ...new PnLComparisonValidator().compare(legacy, own), method: "fifo" }, history };
}
