/**
 * Measures how soon a fleet obeys an operator. Processes serve calls while SQL statements change the control
 * store. The measured time goes from sending a statement until the last process has acknowledged it
 * (`instances.seen_epoch`, polled continuously). Every later call must run under the statement's epoch, and
 * legacy must answer it if the statement takes modern out of use. Runs on SQLite, and on PostgreSQL if the
 * test server is installed. Times are reported and not judged, because they depend on the machine.
 */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { postgresMissing, startPostgres } from "../../src/testing/postgres.ts";
import { Desk, type DeskProcess, nowMs } from "./desk/desk.ts";

/** The statements of an operator, and whether each takes every call to legacy. */
export const statements = [
  { sql: "UPDATE config SET use_new_pnl_system = false", kills: true },
  { sql: "UPDATE config SET migration_mode = 'old_only'", kills: true },
  { sql: "UPDATE config SET new_system_percentage = 10", kills: false },
  { sql: "DELETE FROM new_pnl_cache", kills: false },
] as const;

/** Resets the record, so that modern answers and each statement changes something. */
const reset =
  "UPDATE config SET use_new_pnl_system = NULL, migration_mode = NULL, new_system_percentage = 100";
const acknowledgedMsMax = 10_000;
/** The time for which the fleet serves after an acknowledgement, so that there are calls to check. */
const observeMs = 25;

export interface ObeyReport {
  readonly store: string;
  /** The measured times of each statement, in order. */
  readonly times: Readonly<Record<string, readonly number[]>>;
  /** The number of calls that began after an acknowledgement. */
  readonly callsAfter: number;
  /** The calls among them that did not follow the statement. */
  readonly disobeyed: readonly string[];
  readonly servedByModern: number;
}

export interface ObeyedStore {
  readonly name: string;
  /** The store in the configuration; undefined for a SQLite file in the desk's folder. */
  readonly url?: string;
}

export async function obeyLatency(
  store: ObeyedStore,
  repetitions: number,
  processes: number,
): Promise<ObeyReport> {
  await using desk = new Desk({
    ...(store.url === undefined ? {} : { control: store.url }),
    percentage: 100,
  });
  const fleet = await desk.start(Array.from({ length: processes }, (_, index) => `p${index + 1}`));
  const session = await desk.operator();
  await desk.advanceTo("dual_write", session);
  const shell = await shellOf(desk, store);
  try {
    const times: Record<string, number[]> = Object.fromEntries(statements.map(({ sql }) => [sql, []]));
    const disobeyed: string[] = [];
    let callsAfter = 0;
    const acknowledged = async (): Promise<number> => {
      const { epoch } = await session.store.read();
      const untilMs = nowMs() + acknowledgedMsMax;
      for (;;) {
        const instances = await session.store.instances();
        if (instances.length === processes && instances.every(({ seenEpoch }) => seenEpoch >= epoch))
          return epoch;
        if (nowMs() > untilMs)
          throw new Error(`epoch ${epoch} was not acknowledged: ${JSON.stringify(instances)}`);
        await sleep(1);
      }
    };
    for (let repetition = 0; repetition < repetitions; repetition++)
      for (const { sql, kills } of statements) {
        await shell.run(reset);
        await acknowledged();
        // A random pause keeps the statements out of step with the polls and heartbeats.
        await sleep(Math.random() * 30);
        const sentMs = nowMs();
        await shell.run(sql);
        const epoch = await acknowledged();
        const acknowledgedMs = nowMs();
        times[sql]?.push(acknowledgedMs - sentMs);
        await sleep(observeMs);
        for (const { name, reads } of fleet)
          for (const { began, epoch: under, source } of since(reads, acknowledgedMs)) {
            callsAfter += 1;
            if (under < epoch || (kills && source !== "legacy"))
              disobeyed.push(
                `${sql}: ${name} answered by ${source} under epoch ${under}, ${began - acknowledgedMs} ms after ${epoch}`,
              );
          }
      }
    const servedByModern = fleet.reduce(
      (sum, { reads }) => sum + reads.filter(({ source }) => source === "modern").length,
      0,
    );
    const faults = fleet.flatMap((process) => process.faults.map((fault) => `${process.name}: ${fault}`));
    return { store: store.name, times, callsAfter, disobeyed: [...disobeyed, ...faults], servedByModern };
  } finally {
    await shell.close();
  }
}

/** Returns the reads that began after `beganMs`. Searches from the end, because there may be very many. */
function since(reads: DeskProcess["reads"], beganMs: number): DeskProcess["reads"] {
  const last = reads.findLastIndex(({ ended }) => ended < beganMs);
  return reads.slice(last + 1).filter(({ began }) => began > beganMs);
}

interface Shell {
  run(sql: string): Promise<void>;
  close(): Promise<void>;
}

async function shellOf(desk: Desk, { url }: ObeyedStore): Promise<Shell> {
  // Opens and closes the file for each statement, and does not wait for locks.
  if (url === undefined) return { run: async (sql) => desk.sql(sql), close: async () => {} };
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return { run: async (sql) => void (await client.query(sql)), close: () => client.end() };
}

/** Runs `work` on each store that this machine has. Returns why PostgreSQL was skipped, if it was. */
export async function onEachStore(work: (store: ObeyedStore) => Promise<void>): Promise<string | undefined> {
  await work({ name: "SQLite" });
  const missing = postgresMissing();
  if (missing !== undefined) return `PostgreSQL ${missing}`;
  const server = await startPostgres();
  try {
    await work({ name: "PostgreSQL", url: server.url });
  } finally {
    await server.stop();
  }
  return undefined;
}

const rank = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] as number;

export function linesOf({
  store,
  times,
  callsAfter,
  disobeyed,
  servedByModern,
}: ObeyReport): readonly string[] {
  const row = (sql: string, all: readonly number[]): string => {
    const sorted = all.toSorted((a, b) => a - b);
    const figures = [0.5, 0.95, 0.99, 1].map((share) => rank(sorted, share).toFixed(1).padStart(8));
    return `${store.padEnd(12)}${sql.padEnd(48)}${String(all.length).padStart(5)}${figures.join("")}`;
  };
  return [
    `${"store".padEnd(12)}${"statement, ms until the last acknowledgement".padEnd(48)}    n     p50     p95     p99     max`,
    ...Object.entries(times).map(([sql, all]) => row(sql, all)),
    row("all", Object.values(times).flat()),
    `${store}: ${callsAfter} calls began after an acknowledgement, ${disobeyed.length} of them wrong; modern answered ${servedByModern} calls in all`,
    ...disobeyed.slice(0, 10),
  ];
}
