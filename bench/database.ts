import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import Database from "better-sqlite3";
import { modernTables } from "../src/adapters/sqlite/record-schema.ts";
import { type OpenedDatabase, openDatabase as openPair } from "../src/app/database/open.ts";
import type { Direction } from "../src/bridges/database/index.ts";
import { defaultConfig } from "../src/config/index.ts";
import { openDatabase } from "../src/legacy-desk/database.ts";
import type { BridgeRecord } from "../src/ports/records.ts";
import { type Candidate, interleaved, ratio } from "./measure.ts";
import type { BenchResult } from "./report.ts";

/** The rows of one transaction, and the transactions of one repetition. */
const shapes = [
  { rows: 1, writes: 300, atMost: 1.3 },
  { rows: 10, writes: 150, atMost: 1.4 },
  { rows: 200, writes: 20, atMost: 2.8 },
  // Shows that the time is linear in the rows.
  { rows: 1_000, writes: 6, atMost: undefined },
] as const;
/** The number of callers; each waits for its answer before it writes again. */
const callers = 16;
const symbols = 1_000;
const relayWrites = 2_000;
const [ageWrites, ageEveryMs] = [3_000, 1];
const backfillRows = 20_000;
const repetitions = 5;
const symbolOf = (place: number): string => `XCMEOPADPS20250919U0ZN/${50 + (place % symbols) / 4}`;

/** Writes through the bridge, the relay and the backfill, each against bare SQL on the same tables. */
export async function databaseBench(): Promise<BenchResult> {
  const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-bench-"));
  const opened: { close(): unknown }[] = [];
  try {
    // Runs first, because a process counts the memory of its parent at its start as its own.
    const peakMb = await peakOfOnePair();
    const carrier = await bridged(folder, "relay");
    opened.push(carrier);
    await loaded(carrier);
    const ages = await mirrorAges(carrier);
    const age = (part: number) => `${(ages[Math.floor(ages.length * part)] ?? 0).toFixed(0)} ms`;
    const candidates: Record<string, Candidate> = {};
    for (const { rows, writes } of shapes) {
      const bare = bareLegacy(folder, `bare-${rows}`);
      const twice = [bareLegacy(folder, `first-${rows}`), bareLegacy(folder, `second-${rows}`)];
      const bridge = await bridged(folder, `bridged-${rows}`);
      opened.push(bare, ...twice, bridge);
      candidates[`bare ${rows}`] = { run: () => repeat(writes, (write) => bare.write(batch(write, rows))) };
      candidates[`twice ${rows}`] = {
        run: () => repeat(writes, (write) => twice.forEach((one) => void one.write(batch(write, rows)))),
      };
      candidates[`bridge ${rows}`] = { run: () => throughBridge(bridge, { writes, rows }, 1) };
      candidates[`callers ${rows}`] = { run: () => throughBridge(bridge, { writes, rows }, callers) };
    }
    candidates["bare upserts"] = { run: () => bareUpserts(folder) };
    candidates.relay = { run: () => relayed(carrier) };
    candidates["bare copy"] = { run: () => bareCopy(folder) };
    candidates.backfill = { run: () => backfilled(folder) };
    const times = await interleaved(candidates, repetitions);
    const of = (name: string) => times[name] ?? { medianMs: Number.NaN, timesMs: [] };
    const against = (title: string, name: string, { rows, writes }: (typeof shapes)[number]) => ({
      case: `${title}, ${rows} a transaction`,
      measured: rate(rows * writes, of(`${name} ${rows}`).medianMs),
      ratio: ratio(of(`${name} ${rows}`), of(`bare ${rows}`)),
      against: "time of the bare write",
    });
    return {
      name: "database",
      what:
        `SQLite to SQLite, positions that legacy has already, each commit on disk, no checkpoints, median of ${repetitions}; ` +
        `one caller waits for each answer, as the bare program does`,
      rows: [
        ...shapes.flatMap((shape) => {
          const { rows, writes, atMost } = shape;
          return [
            {
              case: `bare, ${rows} a transaction`,
              measured: rate(rows * writes, of(`bare ${rows}`).medianMs),
            },
            against("two commits", "twice", shape),
            { ...against("through the bridge", "bridge", shape), ...(atMost && { target: { atMost } }) },
            against(`through the bridge, ${callers} callers`, "callers", shape),
          ];
        }),
        { case: "bare batched upserts", measured: rate(relayWrites, of("bare upserts").medianMs) },
        {
          case: "relay",
          measured: rate(relayWrites, of("relay").medianMs),
          ratio: ratio(of("bare upserts"), of("relay")),
          against: "rows/s of the bare upserts",
          target: { atLeast: 0.25 },
        },
        { case: "bare copy", measured: rate(backfillRows, of("bare copy").medianMs) },
        {
          case: "backfill",
          measured: rate(backfillRows, of("backfill").medianMs),
          ratio: ratio(of("bare copy"), of("backfill")),
          against: "rows/s of the bare copy",
          target: { atLeast: 0.3 },
        },
        { case: "age of the mirror at 1,000 writes/s", measured: `p50 ${age(0.5)}, p99 ${age(0.99)}` },
        {
          case: "peak memory of a process with one pair, its callers and the relay",
          measured: `${peakMb} MB`,
          ...{ ratio: peakMb / 250, against: "250 MB", target: { atMost: 1 } },
        },
      ],
    };
  } finally {
    for (const one of opened) await one.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

let turn = 0;

/** Returns the peak memory, in MB, of a process of its own that loads no other benchmark. */
async function peakOfOnePair(): Promise<number> {
  const program = fileURLToPath(new URL("database-memory.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program]);
  return Number(stdout);
}

/** Opens one pair in the folder, puts the load on it whose memory is measured, and closes it. */
export async function loadedPair(folder: string): Promise<void> {
  const pair = await bridged(folder, "one");
  await loaded(pair);
  await pair.close();
}

/** Writes 200 rows at a time by all callers, then lets the relay carry single rows. */
async function loaded(pair: Bridged): Promise<void> {
  await throughBridge(pair, { writes: 100, rows: 200 }, callers);
  await relayed(pair);
}

/** The places of one write's positions. The writes take the symbols in turn, again and again. */
const batch = (write: number, rows: number): readonly number[] =>
  Array.from({ length: rows }, (_, row) => write * rows + row);

const positionOf = (place: number): BridgeRecord => ({
  kind: "position",
  symbol: symbolOf(place),
  quantity: String((place % 90) + 1),
  averagePrice: "110.515625",
  realized: String(place % 1_000),
  unrealized: "31.25",
  asOf: "2025-07-15T16:00:00-05:00",
});

function repeat(times: number, work: (index: number) => void): void {
  turn += 1;
  for (let index = 0; index < times; index++) work(turn * times + index);
}

function bareLegacy(folder: string, name: string) {
  const database = openDatabase(join(folder, `${name}.db`), { journal: "wal", busyTimeoutMs: 5_000 });
  database.pragma("synchronous = FULL");
  // The bridge sets the same value on legacy's file.
  database.pragma("wal_autocheckpoint = 0");
  const upsert = database.prepare(`INSERT INTO positions
    (instrument_name, position_quantity, avg_cost, total_realized_pnl, unrealized_pnl, last_market_price, last_updated)
    VALUES (?, ?, ?, ?, ?, NULL, ?) ON CONFLICT (instrument_name) DO UPDATE SET
    position_quantity = excluded.position_quantity, avg_cost = excluded.avg_cost,
    total_realized_pnl = excluded.total_realized_pnl, unrealized_pnl = excluded.unrealized_pnl,
    last_updated = excluded.last_updated`);
  const write = database.transaction((places: readonly number[]) => {
    for (const place of places)
      upsert.run(symbolOf(place), (place % 90) + 1, 110.515625, place % 1_000, 31.25, "2025-07-15 16:00:00");
  });
  write.immediate(batch(0, symbols));
  return { write: (places: readonly number[]) => write.immediate(places), close: () => database.close() };
}

interface Bridged extends OpenedDatabase {
  /** The relay carries writes to modern while `mirrors` is true. */
  readonly plan: { mirrors: boolean };
}

/** A pair whose legacy store has a position of each symbol. */
async function bridged(folder: string, name: string): Promise<Bridged> {
  const plan = { mirrors: false };
  const opened = await openedPair(folder, name, () => ({ authority: "legacy", ...plan }));
  const bridge = { ...opened, plan };
  await throughBridge(bridge, { writes: 1, rows: symbols }, 1);
  return bridge;
}

function openedPair(folder: string, name: string, direction: () => Direction): Promise<OpenedDatabase> {
  const legacy = join(folder, `${name}.legacy.db`);
  openDatabase(legacy, { journal: "wal", busyTimeoutMs: 5_000 }).close();
  return openPair(
    {
      addresses: { legacy: `sqlite:${legacy}`, modern: `sqlite:${join(folder, `${name}.modern.db`)}` },
      folder,
      database: defaultConfig.database,
    },
    { direction },
  );
}

async function throughBridge(
  { bridge }: OpenedDatabase,
  { writes, rows }: { readonly writes: number; readonly rows: number },
  callers: number,
): Promise<void> {
  const now = ++turn;
  let next = 0;
  const caller = async (): Promise<void> => {
    for (let index = next++; index < writes; index = next++) {
      const records = batch(now * writes + index, rows).map(positionOf);
      const answer = await bridge.write(records, { idempotencyKey: `${now} ${index}` });
      if (answer.kind !== "acknowledged") throw new Error(JSON.stringify(answer));
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

function bareUpserts(folder: string): number {
  const database = new Database(join(folder, "upserts.db"));
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.exec(modernTables);
  const upsert = database.prepare(`INSERT INTO newpnl_positions
    VALUES ('', ?, ?, ?, ?, ?, ?, NULL, ?, 1) ON CONFLICT (book, symbol) DO UPDATE SET quantity = excluded.quantity,
    realized = excluded.realized, as_of = excluded.as_of, version = newpnl_positions.version + 1`);
  const write = database.transaction((first: number) => {
    for (let place = first; place < first + 200; place++)
      upsert.run(
        symbolOf(place),
        symbolOf(place),
        String((place % 90) + 1),
        "110.515625",
        String(place % 1_000),
        "31.25",
        "2025-07-15T16:00:00-05:00",
      );
  });
  const startedMs = performance.now();
  for (let first = 0; first < relayWrites; first += 200) write.immediate(first);
  const tookMs = performance.now() - startedMs;
  database.close();
  return tookMs;
}

/** Returns the time in which the relay carries the waiting writes. */
async function relayed(carrier: Bridged): Promise<number> {
  carrier.plan.mirrors = false;
  await throughBridge(carrier, { writes: relayWrites, rows: 1 }, 64);
  carrier.plan.mirrors = true;
  const startedMs = performance.now();
  const { drained } = await carrier.bridge.drain({ timeoutMs: 60_000 });
  if (!drained) throw new Error("the relay has not carried everything");
  return performance.now() - startedMs;
}

/** Returns the sorted times from a write's acknowledgement to its row in the mirror, at 1,000 writes/s. */
async function mirrorAges({ bridge, pair }: Bridged): Promise<readonly number[]> {
  const { incarnation } = await pair.legacy.call("fence", null);
  const applied = async () => (await pair.modern.call("applied", { source: incarnation })).seq;
  const first = (await pair.legacy.call("progress", null)).last;
  turn += 1;
  const acknowledgedMs: number[] = [];
  const ages: number[] = [];
  const writes: Promise<unknown>[] = [];
  for (const startedMs = performance.now(); ages.length < ageWrites; ) {
    const due = Math.min(ageWrites, (performance.now() - startedMs) / ageEveryMs);
    for (; writes.length < due; ) {
      const idempotencyKey = `${turn} ${writes.length}`;
      const write = bridge.write([positionOf(writes.length)], { idempotencyKey });
      writes.push(write.then(() => acknowledgedMs.push(performance.now())));
    }
    const seen = (await applied()) - first;
    for (let at = ages.length; at < Math.min(seen, acknowledgedMs.length); at++)
      ages.push(performance.now() - (acknowledgedMs[at] ?? 0));
    await sleep(5);
  }
  return ages.toSorted((a, b) => a - b);
}

function legacyDays(path: string): void {
  const database = openDatabase(path, { journal: "wal", busyTimeoutMs: 5_000 });
  const insert = database.prepare(`INSERT INTO eod_pnl (trade_date, instrument_name, opening_position,
    closing_position, trades_count, realized_pnl, unrealized_pnl, total_pnl) VALUES (?, ?, 0, ?, 0, ?, ?, ?)`);
  database.transaction(() => {
    for (let row = 0; row < backfillRows; row++) {
      const date = new Date(Date.UTC(2024, 0, 1 + Math.floor(row / 500))).toISOString().slice(0, 10);
      insert.run(date, symbolOf(row % 500), row % 50, row % 97, row % 31, (row % 97) + (row % 31));
    }
  })();
  database.close();
}

function bareCopy(folder: string): number {
  const path = join(folder, `copy-${++turn}.db`);
  legacyDays(path);
  const from = new Database(path, { readonly: true });
  const to = new Database(`${path}.modern`);
  to.pragma("journal_mode = WAL");
  to.pragma("synchronous = FULL");
  to.exec(modernTables);
  const insert = to.prepare("INSERT INTO newpnl_daily VALUES (?, '', ?, ?, ?, ?, ?, 0)");
  const page = from.prepare<[number], Record<string, number | string>>(
    "SELECT * FROM eod_pnl WHERE id > ? ORDER BY id LIMIT 1000",
  );
  const startedMs = performance.now();
  for (let after = 0; ; ) {
    const rows = page.all(after);
    const last = rows.at(-1);
    if (last === undefined) break;
    to.transaction(() => {
      for (const row of rows) {
        const { trade_date, instrument_name, closing_position, realized_pnl, unrealized_pnl } = row;
        insert.run(
          trade_date,
          instrument_name,
          instrument_name,
          String(closing_position),
          String(Number(realized_pnl) * 1_000),
          String(Number(unrealized_pnl) * 1_000),
        );
      }
    })();
    after = Number(last.id);
  }
  const tookMs = performance.now() - startedMs;
  from.close();
  to.close();
  return tookMs;
}

async function backfilled(folder: string): Promise<number> {
  const name = `fill-${++turn}`;
  legacyDays(join(folder, `${name}.legacy.db`));
  const database = await openedPair(folder, name, () => ({ authority: "legacy", mirrors: false }));
  const startedMs = performance.now();
  const { finished } = await database.backfill.run({ pass: "backfill" });
  const tookMs = performance.now() - startedMs;
  await database.close();
  if (!finished) throw new Error("the backfill has not ended");
  return tookMs;
}

const rate = (rows: number, ms: number): string =>
  `${Math.round((rows / ms) * 1_000).toLocaleString("en-US")} rows/s`;
