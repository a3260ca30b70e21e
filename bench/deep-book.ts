import { PnlEngine, TradeColumns } from "../src/engine/index.ts";
import { toNumber } from "./exact.ts";
import { interleaved, ratio, type Times } from "./measure.ts";
import { type BenchResult, type BenchRow, milliseconds } from "./report.ts";

const shallow = 20_000;
const deep = 200_000;
const repetitions = 7;
/**
 * The small book is matched this often, so that both books need the same work and enough time to be measured.
 */
const rounds = deep / shallow;
const naiveMaxMs = 3_000;

/**
 * Measures a book of n open lots that are closed one by one. Ten times the lots should take ten times as
 * long, not a hundred.
 */
export async function deepBook(): Promise<BenchResult> {
  const books = { shallow: bookOf(shallow), deep: bookOf(deep) };
  const times = {
    fifo: await timesOfMethod(books, "fifo"),
    lifo: await timesOfMethod(books, "lifo"),
  };
  const rows = Object.entries(times).flatMap(([method, { tenShallow, deepOnce }]): BenchRow[] => [
    { case: `${method}, ${shallow} lots`, measured: milliseconds(tenShallow.medianMs / rounds) },
    {
      case: `${method}, ${deep} lots`,
      measured: milliseconds(deepOnce.medianMs),
      ratio: ratio(deepOnce, tenShallow) * rounds,
      against: `${method}, ${shallow} lots`,
      target: { atMost: 15 },
    },
  ]);
  const naive = { shallow: shiftAll(shallow), deep: shiftAll(deep) };
  rows.push({ case: `naive Array.shift(), ${shallow} lots`, measured: milliseconds(naive.shallow.ms) });
  const part = naive.deep.closed === deep ? "" : ` (stopped after ${naive.deep.closed} lots)`;
  const perLot = naive.deep.ms / naive.deep.closed / (times.fifo.deepOnce.medianMs / deep);
  rows.push({
    case: `naive Array.shift(), ${deep} lots${part}`,
    measured: milliseconds(naive.deep.ms),
    ratio: perLot,
    against: `fifo, ${deep} lots, per lot`,
  });
  return { name: "deep-book", what: `open n lots, close them one by one, median of ${repetitions}`, rows };
}

interface Books {
  readonly shallow: TradeColumns;
  readonly deep: TradeColumns;
}

const timesOfMethod = (
  books: Books,
  method: "fifo" | "lifo",
): Promise<Record<"tenShallow" | "deepOnce", Times>> =>
  interleaved(
    {
      tenShallow: {
        run: () => {
          for (let round = 0; round < rounds; round++) closeAll(books.shallow, method, shallow);
        },
      },
      deepOnce: { run: () => closeAll(books.deep, method, deep) },
    },
    repetitions,
  );

function bookOf(lots: number): TradeColumns {
  const columns = new TradeColumns(lots * 2);
  columns.laneOf({ symbol: "DEEP", instrument: null, multiplier: "1", currency: "USD" });
  for (let trade = 0; trade < lots * 2; trade++) {
    const index = columns.next();
    columns.side[index] = trade < lots ? 1 : -1;
    columns.quantity.set(index, { coefficient: 1n, scale: 0 });
    columns.price.set(index, { coefficient: BigInt(100 + (trade % 64)), scale: 0 });
    columns.timeUs[index] = trade;
    columns.commit();
  }
  return columns;
}

function closeAll(columns: TradeColumns, method: "fifo" | "lifo", lots: number): void {
  const engine = new PnlEngine(columns, { method });
  engine.feed();
  const { matcher } = engine.lanes[0] ?? {};
  if (matcher?.matches.length !== lots || toNumber(matcher.standing().quantity) !== 0)
    throw new Error(`the book of ${lots} lots was not closed one by one`);
}

/** The usual loop, whose `shift()` moves every remaining lot. It stops after `naiveMaxMs`. */
function shiftAll(lots: number): { ms: number; closed: number } {
  const startedMs = performance.now();
  const open: { quantity: number; price: number }[] = [];
  for (let lot = 0; lot < lots; lot++) open.push({ quantity: 1, price: 100 + (lot % 64) });
  let realized = 0;
  let closed = 0;
  while (open.length > 0 && (closed % 512 !== 0 || performance.now() - startedMs < naiveMaxMs)) {
    const lot = open[0] as { quantity: number; price: number };
    realized += 100 + (closed % 64) - lot.price;
    lot.quantity -= 1;
    if (lot.quantity === 0) open.shift();
    closed += 1;
  }
  if (!Number.isFinite(realized)) throw new Error("the naive loop computed no finite P&L");
  return { ms: performance.now() - startedMs, closed };
}
