/**
 * Simulates a legacy desk that keeps writing: `node writer.ts DB LEDGER... [--count=N] [--seconds=S]
 * [--pause-ms=M] [--wal]`.
 *
 * Writes the ledgers' trades repeatedly to DB (created if missing): one small transaction per trade, without
 * busy timeout or retry, so that every lock is noticed. Stops after N attempted transactions (default 1000),
 * after S seconds (default 10) or on SIGTERM, whichever is first, and prints one JSON line:
 * {"transactions":…,"busy":…,"seconds":…} – committed, refused with SQLITE_BUSY, and the duration.
 */
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { insertTrade, instant, openDatabase } from "./database.ts";
import { readLedger } from "./ledger-file.ts";

interface WriterLimits {
  readonly countMax: number;
  readonly secondsMax: number;
  readonly pauseMs: number;
  readonly journal: "rollback" | "wal";
}

interface WriterTally {
  readonly transactions: number;
  readonly busy: number;
  readonly seconds: number;
}

/** The write loop. Each pass adds a suffix to the trade ids, because UNIQUE would ignore repeated ids. */
async function keepWriting(
  path: string,
  ledgers: readonly string[],
  { countMax, secondsMax, pauseMs, journal }: WriterLimits,
  stop: AbortSignal,
): Promise<WriterTally> {
  const rows = ledgers.map(readLedger).flatMap((file) => [...file.rows()].map((trade) => ({ trade, file })));
  if (rows.length === 0) throw new Error("the ledgers contain no trades");
  const database = openDatabase(path, { journal, busyTimeoutMs: 5_000 });
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  let transactions = 0;
  let busy = 0;
  try {
    const insert = insertTrade(database);
    const revalue =
      database.prepare(`INSERT INTO positions (instrument_name, position_quantity, avg_cost, last_updated)
      VALUES (@symbol, @quantity, @price, @at) ON CONFLICT (instrument_name) DO UPDATE
      SET position_quantity = position_quantity + excluded.position_quantity, last_updated = excluded.last_updated`);
    const write = database.transaction((index: number) => {
      const { trade, file } = rows[index % rows.length] as (typeof rows)[number];
      const at = instant(new Date());
      insert({ ...trade, id: `${trade.id}-${Math.floor(index / rows.length)}` }, file, at);
      const quantity = trade.side === "B" ? trade.quantity : -trade.quantity;
      revalue.run({ symbol: trade.symbol, quantity, price: trade.price, at });
    });
    database.pragma("busy_timeout = 0"); // Only the creation of the tables may wait for a lock.
    for (let index = 0; index < countMax && seconds() < secondsMax && !stop.aborted; index++) {
      try {
        write(index);
        transactions += 1;
      } catch (error) {
        if (!isBusy(error)) throw error;
        busy += 1;
      }
      await sleep(pauseMs);
    }
  } finally {
    database.close();
  }
  return { transactions, busy, seconds: seconds() };
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error &&
  "code" in error &&
  typeof error.code === "string" &&
  error.code.startsWith("SQLITE_BUSY");

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      count: { type: "string", default: "1000" },
      seconds: { type: "string", default: "10" },
      "pause-ms": { type: "string", default: "0" },
      wal: { type: "boolean", default: false },
    },
  });
  const [path, ...ledgers] = positionals;
  const limits: WriterLimits = {
    countMax: Number(values.count),
    secondsMax: Number(values.seconds),
    pauseMs: Number(values["pause-ms"]),
    journal: values.wal ? "wal" : "rollback",
  };
  if (
    path === undefined ||
    ledgers.length === 0 ||
    ![limits.countMax, limits.secondsMax, limits.pauseMs].every((n) => n >= 0)
  ) {
    process.stderr.write("usage: writer.ts DB LEDGER... [--count=N] [--seconds=S] [--pause-ms=M] [--wal]\n");
    process.exitCode = 2;
    return;
  }
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  process.stdout.write(`${JSON.stringify(await keepWriting(path, ledgers, limits, stop.signal))}\n`);
}

// Not import.meta.main: the oldest supported Node may lack it.
if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url))
  await main();
