import { writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { openSqliteEvidenceStore } from "../src/adapters/sqlite/index.ts";
import { openOperator } from "../src/app/control/session.ts";
import { evidenceKey } from "../src/app/evidence-key.ts";
import { loadConfig } from "../src/config/index.ts";
import type { LaneDay } from "../src/ports/tallies.ts";
import { interleaved, ratio } from "./measure.ts";
import { type BenchResult, milliseconds } from "./report.ts";
import { inTemporaryFolder } from "./temporary.ts";

const few = 10_000;
const many = Number(process.env.BENCH_RECORDS ?? 10_000_000);
const [days, lanes] = [60, 50];
const repetitions = 11;

/** Measures a judgement of the gates with few and with many stored comparisons, and the same evidence. */
export const gates = (): Promise<BenchResult> =>
  inTemporaryFolder(async (folder) => {
    const [small, large] = [await judging(folder, few), await judging(folder, many)];
    const times = await interleaved({ small: { run: small }, large: { run: large } }, repetitions);
    const [ofFew, ofMany] = [few, many].map((count) => `gates, ${count} comparisons stored`) as [
      string,
      string,
    ];
    return {
      name: "gates",
      what: `open the stores and judge all gates before dual_write, ${days * lanes} instrument-days of evidence`,
      rows: [
        { case: ofFew, measured: milliseconds(times.small.medianMs) },
        {
          case: ofMany,
          measured: milliseconds(times.large.medianMs),
          ...{ ratio: ratio(times.large, times.small), against: ofFew, target: { atMost: 1.2 } },
        },
      ],
    };
  });

/** Makes stores with a number of comparisons. Returns a function that opens them and judges the gates. */
async function judging(parent: string, comparisons: number): Promise<() => Promise<void>> {
  const folder = join(parent, String(comparisons));
  await mkdir(folder);
  const file = join(folder, "desk.yaml");
  writeFileSync(file, JSON.stringify({ stores: { control: "sqlite:./control.db" } }));
  const settings = { config: await loadConfig(file), folder };
  const { positionThreshold: position, comparisonThreshold: pnl } = settings.config.validation;
  const path = join(folder, "evidence.db");
  const store = await openSqliteEvidenceStore(path);
  const at = new Date().toISOString();
  const key = evidenceKey(settings, { position, pnl });
  await store.append([], {
    ...{ key, process: "bench", at, day: "2025-03-01", ended: true, laneDays: evidence(at) },
    tallies: [],
  });
  await store.close();
  fill(path, comparisons);
  return async () => {
    const { operator, close } = await openOperator(settings);
    try {
      const { gates: judged } = await operator.gates("dual_write");
      const { evidence: found } = judged.find(({ name }) => name === "accuracy/live") ?? {};
      const n = typeof found === "object" && found !== null ? Reflect.get(found, "n") : undefined;
      if (n !== days * lanes) throw new Error(`the gate accuracy/live counts ${n} instrument-days`);
    } finally {
      await close();
    }
  };
}

const evidence = (at: string): readonly LaneDay[] =>
  Array.from({ length: days * lanes }, (_, index) => ({
    ...{
      source: "live",
      day: new Date(Date.UTC(2025, 0, 1 + Math.floor(index / lanes))).toISOString().slice(0, 10),
    },
    ...{
      book: "EGB",
      symbol: `S${index % lanes}`,
      method: "openPositions",
      group: "future",
      at,
      apart: null,
      accepted: null,
    },
    ...{ money: 0, quantityApart: false, signed: 0, weight: 1_000 },
  }));

/** Adds comparisons by SQL, because a bridge would take hours. */
function fill(path: string, count: number): void {
  const database = new Database(path);
  database.pragma("synchronous = OFF");
  database
    .prepare(
      `INSERT INTO comparisons (at, method, epoch, answered, kind, verdict, unit, fingerprint, fields)
       WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
       SELECT '2025-03-01T12:00:00.000Z', 'totals', 1, 'legacy', 'ab', 'equal', 'EGB', n, '[]' FROM numbers`,
    )
    .run(count);
  database.close();
}
