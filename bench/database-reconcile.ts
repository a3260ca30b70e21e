import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { modernTables } from "../src/adapters/sqlite/record-schema.ts";
import { reconcilePair } from "../src/app/database/reconcile.ts";
import { defaultConfig } from "../src/config/index.ts";
import { openDatabase } from "../src/legacy-desk/database.ts";
import { interleaved, ratio, type Times } from "./measure.ts";
import { type BenchResult, perSecond } from "./report.ts";

const sizes = { few: 250_000, many: 1_000_000 };
const symbolsADay = 500;
const repetitions = 5;

/** The reconciliation of daily rows of two SQLite files, against one bare EXCEPT over the same rows. */
export async function databaseReconcile(): Promise<BenchResult> {
  const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-bench-"));
  try {
    const [few, many] = [pairOf(folder, sizes.few), pairOf(folder, sizes.many)];
    const times = await interleaved(
      {
        except: { run: () => except(many) },
        reconcileFew: { run: () => reconciled(few) },
        reconcileMany: { run: () => reconciled(many) },
      },
      repetitions,
    );
    const perRow = ({ timesMs }: Times, rows: number): Times => ({
      medianMs: 0,
      timesMs: timesMs.map((ms) => ms / rows),
    });
    return {
      name: "database-reconcile",
      what: `db reconcile of daily rows, ${symbolsADay} symbols a day, median of ${repetitions}`,
      rows: [
        { case: "one bare EXCEPT", measured: perSecond(sizes.many, times.except.medianMs) },
        {
          case: "reconcile, 1,000,000 rows",
          measured: perSecond(sizes.many, times.reconcileMany.medianMs),
          ratio: ratio(times.except, times.reconcileMany),
          against: "rows/s of the EXCEPT",
          target: { atLeast: 0.65 },
        },
        {
          case: "time a row, 1,000,000 rows",
          measured: `${Math.round((times.reconcileMany.medianMs * 1e6) / sizes.many)} ns`,
          ratio: ratio(perRow(times.reconcileMany, sizes.many), perRow(times.reconcileFew, sizes.few)),
          against: "250,000 rows",
          target: { atMost: 1.5 },
        },
      ],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface BenchPair {
  readonly legacy: string;
  readonly modern: string;
}

function pairOf(folder: string, rows: number): BenchPair {
  const pair = { legacy: join(folder, `legacy-${rows}.db`), modern: join(folder, `modern-${rows}.db`) };
  const legacy = openDatabase(pair.legacy, { journal: "wal", busyTimeoutMs: 5_000 });
  const modern = new Database(pair.modern);
  modern.exec(modernTables);
  legacy.exec("BEGIN");
  modern.exec("BEGIN");
  const inLegacy = legacy.prepare(
    `INSERT INTO eod_pnl (trade_date, instrument_name, opening_position, closing_position, trades_count,
       realized_pnl, unrealized_pnl, total_pnl) VALUES (?, ?, 0, ?, 0, ?, ?, ?)`,
  );
  const inModern = modern.prepare("INSERT INTO newpnl_daily VALUES (?, 'UST', ?, ?, ?, ?, ?, 1)");
  for (let row = 0; row < rows; row++) {
    const day = Math.floor(row / symbolsADay);
    const place = row % symbolsADay;
    const date = new Date(Date.UTC(2010, 0, 1 + day)).toISOString().slice(0, 10);
    const symbol = `XCMEOPADPS20250919U0ZN/${100 + place / 4}`;
    const quantity = ((day * place) % 50) - 25;
    const realized = ((day * 7 + place * 13) % 20_000) * 15.625;
    const unrealized = ((day * 11 + place * 5) % 999) * 15.625;
    const points = [realized / 1_000, unrealized / 1_000, (realized + unrealized) / 1_000];
    inLegacy.run(date, symbol, quantity, ...points);
    inModern.run(date, symbol, symbol, String(quantity), String(realized), String(unrealized));
  }
  legacy.exec("COMMIT");
  modern.exec("COMMIT");
  legacy.close();
  modern.close();
  return pair;
}

function except({ legacy, modern }: BenchPair): void {
  const database = new Database(legacy, { readonly: true });
  database.prepare("ATTACH ? AS modern").run(modern);
  const different = database
    .prepare(
      `SELECT count(*) FROM (
         SELECT trade_date, instrument_name, closing_position, realized_pnl * 1000, unrealized_pnl * 1000,
           total_pnl * 1000 FROM main.eod_pnl
         EXCEPT SELECT trading_day, symbol, CAST(quantity AS REAL), CAST(realized AS REAL),
           CAST(unrealized AS REAL), CAST(realized AS REAL) + CAST(unrealized AS REAL) FROM modern.newpnl_daily)`,
    )
    .pluck()
    .get();
  database.close();
  if (different !== 0) throw new Error("the EXCEPT finds differences in an equal pair");
}

async function reconciled({ legacy, modern }: BenchPair): Promise<void> {
  const { database, validation } = defaultConfig;
  const addresses = { legacy: `sqlite:${legacy}`, modern: `sqlite:${modern}` };
  const report = await reconcilePair(
    { pair: { addresses, folder: "/", database }, validation },
    { kinds: ["daily"] },
  );
  if (!report.ok) throw new Error("the reconciliation finds differences in an equal pair");
}
