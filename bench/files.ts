import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { watch } from "chokidar";
import { ledgerRank } from "../src/adapters/csv/ledger-lines.ts";
import { ledgerRows } from "../src/adapters/csv/ledger-rows.ts";
import { openFileFinder } from "../src/adapters/watch/index.ts";
import { type OpenedDatabase, openDatabase } from "../src/app/database/open.ts";
import { type OpenedFiles, openFileWatcher } from "../src/app/files/open.ts";
import { describeSymbol } from "../src/app/symbols/symbols.ts";
import { parseConfig } from "../src/config/index.ts";
import { wallOfInstant } from "../src/domain/market/chicago-time.ts";
import { formatDay, tradingDayRules } from "../src/domain/market/trading-day.ts";
import { openDatabase as openLegacy } from "../src/legacy-desk/database.ts";
import { startOfLedger } from "../src/ports/ledger-rows.ts";
import type { BridgeRecord } from "../src/ports/records.ts";
import { type Candidate, interleaved, median, ratio, type Times } from "./measure.ts";
import { type BenchResult, type BenchRow, megabytes, milliseconds } from "./report.ts";

const repetitions = 3;
const header = "tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n";
const lanes = 20;
/** The number of rows of a backlog, and of a file that is only read. */
const [backlogRows, readRows] = [20_000, 100_000];
const sliceBytes = 128 * 1_024;
const [folders, filesInFolder] = [100, 100];
const idleMs = 10_000;
const [knownFiles, changedFiles, looks] = [100_000, 1_000, 20];
const appends = 100;

const two = (value: number): string => String(value).padStart(2, "0");

/** Returns a ledger of one day with trades of twenty options, in order of time. */
function ledger(rows: number, day: string): string {
  const lines = Array.from({ length: rows }, (_, row) => {
    const second = 28_800 + Math.floor((row * 25_000) / rows);
    const time = `${two(Math.floor(second / 3_600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}`;
    const symbol = `XCMEOPADPS20250919U0ZN/${50 + (row % lanes)}`;
    const price = `110.${two(row % 64)}`;
    return `${row + 1},${symbol},${day} ${time}.${String(row % 1_000).padStart(3, "0")},${row % 3 ? "B" : "S"},${1 + (row % 9)},${price}\n`;
  });
  return header + lines.join("");
}

interface Desk {
  readonly folder: string;
  readonly database: OpenedDatabase;
  close(): Promise<void>;
}

async function openDesk(root: string, name: string): Promise<Desk> {
  const folder = join(root, name);
  mkdirSync(join(folder, "ledgers"), { recursive: true });
  openLegacy(join(folder, "pnl_tracker.db"), { journal: "wal", busyTimeoutMs: 5_000 }).close();
  const { database } = configOf();
  const addresses = { legacy: "sqlite:./pnl_tracker.db", modern: "sqlite:./newpnl.db" };
  const opened = await openDatabase(
    { addresses, folder, database },
    { direction: () => ({ authority: "legacy", mirrors: true }), writes: true },
  );
  return { folder, database: opened, close: () => opened.close() };
}

const configOf = () =>
  parseConfig(
    JSON.stringify({
      migration: { phase: "dual_write", feature_flags: { use_new_storage: true } },
      stores: { legacy: "sqlite:./pnl_tracker.db", modern: "sqlite:./newpnl.db" },
      watch: { trade_ledger: "./ledgers", settle_ms: 20 },
    }),
    "bench",
  );

const openWatcher = ({ folder, database }: Desk): Promise<OpenedFiles> => {
  const config = configOf();
  return openFileWatcher(
    { config, folder },
    { write: (...given) => database.bridge.write(...given), plan: () => config.plan, onEvent: () => {} },
  );
};

/** Returns the records of each write that the watcher makes for a backlog, as one run records them. */
async function recordsOf(desk: Desk): Promise<readonly (readonly BridgeRecord[])[]> {
  const writes: (readonly BridgeRecord[])[] = [];
  const config = configOf();
  const files = await openFileWatcher(
    { config, folder: desk.folder },
    {
      write: async (records) => {
        writes.push(records);
        return { kind: "acknowledged", version: 1, mirror: "pending" };
      },
      plan: () => config.plan,
      onEvent: () => {},
    },
  );
  await files.watcher.once(600_000);
  await files.close();
  return writes;
}

/** Watches folders, reads ledgers and feeds both stores, each against a plain program in the same run. */
export async function filesBench(): Promise<BenchResult> {
  const root = mkdtempSync(join(tmpdir(), "pnl-bridge-bench-"));
  try {
    const backlog = await backlogRowsOf(root);
    return {
      name: "files",
      what:
        "finding against chokidar and synchronous scans, reading against a bare loop, writing against the database " +
        `bridge with the same writes, median of ${repetitions}`,
      rows: [
        ...(await readingRows(root)),
        ...backlog,
        ...(await findingRows(root)),
        ...(await knownRows(root)),
        ...(await latencyRows(root)),
      ],
    };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function backlogRowsOf(root: string): Promise<readonly BenchRow[]> {
  const text = ledger(backlogRows, "2025-07-22");
  const teacher = await openDesk(root, "teacher");
  writeFileSync(join(teacher.folder, "ledgers", "trades_20250722.csv"), text);
  const writes = await recordsOf(teacher);
  await teacher.close();
  let turn = 0;
  let desk: Desk | undefined;
  const prepare = async (): Promise<void> => {
    await desk?.close();
    turn += 1;
    desk = await openDesk(root, `desk-${turn}`);
    writeFileSync(join(desk.folder, "ledgers", "trades_20250722.csv"), text);
  };
  const bridge = (): OpenedDatabase => {
    if (desk === undefined) throw new Error("no desk is open");
    return desk.database;
  };
  const candidates = {
    bridge: {
      prepare,
      run: async () => {
        for (const [at, records] of writes.entries())
          await bridge().bridge.write(records, { idempotencyKey: `bench ${at}`, keepsUnstorable: true });
        await bridge().bridge.drain({ timeoutMs: 600_000 });
      },
    },
    watcher: {
      prepare,
      run: async () => {
        if (desk === undefined) return;
        const files = await openWatcher(desk);
        await files.watcher.once(600_000);
        await bridge().bridge.drain({ timeoutMs: 600_000 });
        await files.close();
      },
    },
  } satisfies Record<string, Candidate>;
  const times = await interleaved(candidates, repetitions);
  await desk?.close();
  const base = { name: "the database bridge alone, a backlog", times: times.bridge };
  return rates(backlogRows, [base, { name: "the watcher, both stores", times: times.watcher }], 0.7);
}

interface Way {
  readonly name: string;
  readonly times: Times;
}

/** Returns the rows per second of a baseline, and of our code, which must reach a share of the baseline's. */
function rates(rows: number, [base, ours]: readonly [Way, Way], atLeast: number): readonly BenchRow[] {
  const rate = ({ times }: Way) => `${Math.round((rows * 1_000) / times.medianMs)} rows/s`;
  return [
    { case: base.name, measured: rate(base) },
    {
      case: ours.name,
      measured: rate(ours),
      ratio: ratio(base.times, ours.times),
      against: `rows/s of ${base.name}`,
      target: { atLeast },
    },
  ];
}

async function readingRows(root: string): Promise<readonly BenchRow[]> {
  const path = join(root, "trades_20250722.csv");
  writeFileSync(path, ledger(readRows, "2025-07-22"));
  const rows = ledgerRows({ describe: describeSymbol, dayRule: tradingDayRules["chicago-17"] });
  const finder = openFileFinder({ roots: [root], include: ["trades_*.csv"], mode: "poll", onHint: () => {} });
  await finder.look("all");
  const times = await interleaved(
    {
      bare: { run: () => void bareRead(path) },
      rows: {
        run: async () => {
          let place = startOfLedger;
          for (;;) {
            const slice = await finder.read({
              ...{ root: 0, path: "trades_20250722.csv", from: place.offset, length: sliceBytes },
            });
            if (slice.kind !== "bytes" || slice.bytes.length === 0) return;
            const piece = rows.read("trades_20250722.csv", place, slice.bytes);
            ({ place } = piece);
          }
        },
      },
    },
    repetitions,
  );
  await finder.close();
  const base = { name: "a bare read and parse loop", times: times.bare };
  return rates(readRows, [base, { name: "reading without sinks", times: times.rows }], 0.5);
}

/** Reads a ledger as a short program would: decodes it, splits at newlines and commas, and parses doubles. */
function bareRead(path: string): number {
  const file = openSync(path, "r");
  const buffer = Buffer.alloc(sliceBytes);
  const trades: unknown[] = [];
  let rest = "";
  for (;;) {
    const length = readSync(file, buffer, 0, buffer.length, null);
    if (length === 0) break;
    const lines = (rest + buffer.toString("utf8", 0, length)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [id, symbol, time = "", side, quantity, price] = line.split(",");
      trades.push({
        id,
        symbol,
        time: Date.parse(`${time}-05:00`),
        side,
        quantity: Number(quantity),
        price: Number(price),
      });
    }
  }
  closeSync(file);
  return trades.length;
}

async function findingRows(root: string): Promise<readonly BenchRow[]> {
  const tree = join(root, "tree");
  for (let folder = 0; folder < folders; folder += 1) {
    mkdirSync(join(tree, String(folder)), { recursive: true });
    for (let file = 0; file < filesInFolder; file += 1)
      writeFileSync(join(tree, String(folder), `trades_${20_000_000 + file}.csv`), header);
  }
  const scanMs = await scanMsOf(tree);
  const finder = openFileFinder({ roots: [tree], include: ["trades_*.csv"], mode: "poll", onHint: () => {} });
  const startMs = await timed(() => finder.look("all"));
  // Two seconds after its first look the finder reports each file once more, and is idle from then on.
  await sleep(2_500);
  for (let look = 0; look < 2; look += 1) await finder.look("all");
  const ourMs = await idleCpuMs((second) => finder.look(second % 5 === 0 ? "all" : "recent"));
  await finder.close();
  // All files here are new, so a scan of the recent ones is a scan of all.
  const allowedMs = await idleCpuMs((second) => {
    scan(tree);
    if (second % 5 === 0) scan(tree);
  });
  const chokidar = await chokidarIdle(tree);
  return [
    { case: `one synchronous scan of ${folders * filesInFolder} files`, measured: `${scanMs.toFixed(1)} ms` },
    { case: "first look of the finder", measured: `${startMs.toFixed(0)} ms` },
    { case: "start of chokidar", measured: `${chokidar.startMs.toFixed(0)} ms` },
    {
      case: `idle chokidar, processor time in ${idleMs / 1_000} s`,
      measured: `${chokidar.idleCpuMs.toFixed(0)} ms`,
    },
    {
      case: `idle finder, processor time in ${idleMs / 1_000} s`,
      measured: `${ourMs.toFixed(0)} ms`,
      ratio: ourMs / allowedMs,
      against: "a process that scans all files every 5 s and the recent ones every second",
      target: { atMost: 1 },
    },
  ];
}

/** The processor time of a process that does `work` once a second. */
async function idleCpuMs(work: (second: number) => unknown): Promise<number> {
  const before = process.cpuUsage();
  for (let second = 0; second < idleMs / 1_000; second += 1) {
    await work(second);
    await sleep(1_000);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

async function timed(work: () => unknown): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/** The time of one synchronous scan, median of five. */
async function scanMsOf(folder: string): Promise<number> {
  const times: number[] = [];
  for (let turn = 0; turn < 5; turn += 1) times.push(await timed(() => scan(folder)));
  return median(times);
}

function scan(folder: string): number {
  let count = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) count += scan(path);
    else count += statSync(path).size >= 0 ? 1 : 0;
  }
  return count;
}

async function chokidarIdle(
  folder: string,
): Promise<{ readonly startMs: number; readonly idleCpuMs: number }> {
  const watcher = watch(folder, { ignoreInitial: true });
  const startMs = await timed(() => new Promise<void>((resolve) => void watcher.once("ready", resolve)));
  const ms = await idleCpuMs(() => undefined);
  await watcher.close();
  return { startMs, idleCpuMs: ms };
}

/** The start of a watcher whose journal knows many files, of which none or a few have changed since. */
async function knownRows(root: string): Promise<readonly BenchRow[]> {
  const folder = join(root, "known");
  const tree = join(folder, "ledgers");
  const pathOf = (file: number) => `${file % folders}/trades_${20_000_000 + Math.floor(file / folders)}.csv`;
  for (let number = 0; number < folders; number += 1)
    mkdirSync(join(tree, String(number)), { recursive: true });
  writeFileSync(join(tree, pathOf(0)), header);
  const config = configOf();
  const write = async () => ({ kind: "acknowledged", version: 1, mirror: "pending" }) as const;
  const start = async (work: (files: OpenedFiles) => unknown): Promise<number> => {
    const files = await openFileWatcher(
      { config, folder },
      { write, plan: () => config.plan, onEvent: () => {} },
    );
    const ms = await timed(() => files.watcher.once(100));
    await work(files);
    await files.close();
    return ms;
  };
  await start(() => {});
  for (let file = 1; file < knownFiles; file += 1) writeFileSync(join(tree, pathOf(file)), header);
  // The watcher looks each second at the files that changed within the last ten minutes.
  for (const path of readdirSync(tree, { recursive: true, encoding: "utf8" }))
    utimesSync(join(tree, path), 0, 0);
  await knowAll(folder);
  const append = (count: number, id: number): void => {
    for (let file = 0; file < count; file += 1)
      appendFileSync(
        join(tree, pathOf(file)),
        `${id + file},XCMEOPADPS20250919U0ZN/${50 + file},2025-07-24 09:00:00.000,B,1,110.5\n`,
      );
  };
  const scanMs = await scanMsOf(tree);
  const memory: number[] = [];
  await start(async ({ watcher }) => {
    for (let look = 0; look <= looks; look += 1) {
      globalThis.gc?.();
      memory.push(process.memoryUsage.rss());
      await watcher.pass();
      await sleep(1_000);
    }
  });
  const noneMs = await start(() => {});
  append(changedFiles, 0);
  const someMs = await start(() => {});
  append(4 * changedFiles, changedFiles);
  const manyMs = await start(() => {});
  const [first = 0, last = 0] = [memory[0], memory.at(-1)];
  return [
    { case: `a synchronous scan of ${knownFiles} files`, measured: milliseconds(scanMs) },
    {
      case: "start with them known, none changed",
      measured: milliseconds(noneMs),
      ratio: noneMs / scanMs,
      against: "a synchronous scan",
    },
    { case: `the same, ${changedFiles} changed`, measured: milliseconds(someMs) },
    {
      case: `the same, ${4 * changedFiles} changed`,
      measured: milliseconds(manyMs),
      ratio: (manyMs - noneMs) / (4 * (someMs - noneMs)),
      against: `four times what ${changedFiles} cost`,
      target: { atMost: 1.5 },
    },
    {
      case: `memory after ${looks} further looks`,
      measured: megabytes(last),
      ratio: last / first,
      against: "memory after the start",
      target: { atMost: 1.1 },
    },
  ];
}

/** Adds every file of the folder to the journal, in the state of the one file that it has. */
async function knowAll(folder: string): Promise<void> {
  const finder = openFileFinder({
    ...{ roots: [join(folder, "ledgers")], include: ["trades_*.csv"], mode: "poll", onHint: () => {} },
  });
  const [look] = await finder.look("all");
  await finder.close();
  const journal = new Database(join(folder, ".pnl-bridge", "files.db"));
  const known = journal.prepare(
    `INSERT OR IGNORE INTO files SELECT NULL, root, @path, kind, @rank, state, note, since_ms, place, chain, checkpoint,
     unverified, revocable, @size, @mtimeMs, @inode, good, refused FROM files WHERE file = 1`,
  );
  journal.transaction(() => {
    for (const { path, size, mtimeMs, place } of look?.ok === true ? look.changed : [])
      known.run({ path, rank: ledgerRank(path), size, mtimeMs, inode: place });
  })();
  journal.close();
}

/** Returns the time from an append to its rows in both stores, in an idle watcher and during a backlog. */
async function latencyRows(root: string): Promise<readonly BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const [name, hasBacklog] of [
    ["idle", false],
    ["during a backlog", true],
  ] as const) {
    const desk = await openDesk(root, `latency-${hasBacklog}`);
    // The file is of the present trading day, which begins at five in the afternoon.
    const wallUs = wallOfInstant(Date.now() * 1_000);
    const today = formatDay(tradingDayRules["chicago-17"].dayOf(wallUs));
    const file = join(desk.folder, "ledgers", `trades_${today.replaceAll("-", "")}.csv`);
    writeFileSync(file, header);
    if (hasBacklog)
      for (let day = 10; day < 28; day += 1)
        writeFileSync(
          join(desk.folder, "ledgers", `trades_202507${day}.csv`),
          ledger(10_000, `2025-07-${day}`),
        );
    const files = await openWatcher(desk);
    files.watcher.start();
    const modern = new Database(join(desk.folder, "newpnl.db"), { readonly: true });
    const stored = modern.prepare("SELECT 1 FROM newpnl_trades WHERE trade_id = ?");
    await sleep(1_000);
    const timesMs: number[] = [];
    for (let number = 1; number <= appends; number += 1) {
      const id = `live-${number}`;
      const startedMs = performance.now();
      appendFileSync(file, `${id},XCMEFFDPSX20250919U0ZN,${today} 09:00:00.000,B,1,110.5\n`);
      while (stored.get(id) === undefined) await sleep(2);
      timesMs.push(performance.now() - startedMs);
      await sleep(20);
    }
    const sorted = timesMs.toSorted((a, b) => a - b);
    const at = (part: number) => `${(sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(0)} ms`;
    rows.push({
      case: `an appended row to both stores, ${name}`,
      measured: `p50 ${at(0.5)}, p99 ${at(0.99)}`,
    });
    modern.close();
    await files.close();
    await desk.close();
  }
  return rows;
}
