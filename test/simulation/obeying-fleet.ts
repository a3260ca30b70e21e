/**
 * How soon a fleet obeys an operator. Processes serve calls while each statement of the operator's SQL is typed into the
 * control store. Measured is the time from sending a statement until the last process has acknowledged it
 * (`instances.seen_epoch`, polled all the time). Every call that begins after that must be under the statement's epoch,
 * and answered by legacy where the statement takes modern out of use. Runs on SQLite, and on PostgreSQL where the test
 * server is installed. Times are reported and never judged: they are the machine's.
 */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { postgresMissing, startPostgres } from "../../src/testing/postgres.ts";
import { Desk, type DeskProcess, nowMs } from "./desk/desk.ts";

/** As an operator types them, and whether they take every call to legacy. */
export const statements = [
  { sql: "UPDATE config SET use_new_pnl_system = false", kills: true },
  { sql: "UPDATE config SET migration_mode = 'old_only'", kills: true },
  { sql: "UPDATE config SET new_system_percentage = 10", kills: false },
  { sql: "DELETE FROM new_pnl_cache", kills: false },
] as const;

/** So that modern answers, and each statement changes something. */
const back = "UPDATE config SET use_new_pnl_system = NULL, migration_mode = NULL, new_system_percentage = 100";
const acknowledgedMsMax = 10_000;
/** Serving goes on for so long after an acknowledgement, so that there are calls to look at. */
const lookMs = 25;

export interface ObeyReport {
  readonly store: string;
  /** By statement: each time, in order. */
  readonly times: Readonly<Record<string, readonly number[]>>;
  /** Calls that began after an acknowledgement, and those of them that should not have been. */
  readonly callsAfter: number;
  readonly disobeyed: readonly string[];
  readonly servedByModern: number;
}

export interface ObeyedStore {
  readonly name: string;
  /** Of the configuration; undefined for a SQLite file of the desk's own. */
  readonly url?: string;
}

export async function obeyLatency(store: ObeyedStore, repetitions: number, processes: number): Promise<ObeyReport> {
  await using desk = new Desk({ ...(store.url === undefined ? {} : { control: store.url }), percentage: 100 });
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
        if (instances.length === processes && instances.every(({ seenEpoch }) => seenEpoch >= epoch)) return epoch;
        if (nowMs() > untilMs) throw new Error(`epoch ${epoch} was not acknowledged: ${JSON.stringify(instances)}`);
        await sleep(1);
      }
    };
    for (let repetition = 0; repetition < repetitions; repetition++)
      for (const { sql, kills } of statements) {
        await shell.run(back);
        await acknowledged();
        // Not in step with anybody's rhythm.
        await sleep(Math.random() * 30);
        const sentMs = nowMs();
        await shell.run(sql);
        const epoch = await acknowledged();
        const acknowledgedMs = nowMs();
        times[sql]?.push(acknowledgedMs - sentMs);
        await sleep(lookMs);
        for (const { name, reads } of fleet)
          for (const { began, epoch: under, source } of since(reads, acknowledgedMs)) {
            callsAfter += 1;
            if (under < epoch || (kills && source !== "legacy"))
              disobeyed.push(
                `${sql}: ${name} answered by ${source} under epoch ${under}, ${began - acknowledgedMs} ms after ${epoch}`,
              );
          }
      }
    const servedByModern = fleet.reduce((sum, { reads }) => sum + reads.filter(({ source }) => source === "modern").length, 0);
    const faults = fleet.flatMap((process) => process.faults.map((fault) => `${process.name}: ${fault}`));
    return { store: store.name, times, callsAfter, disobeyed: [...disobeyed, ...faults], servedByModern };
  } finally {
    await shell.close();
  }
}

/** From the end, since there may be very many. */
function since(reads: DeskProcess["reads"], beganMs: number): DeskProcess["reads"] {
  const last = reads.findLastIndex(({ ended }) => ended < beganMs);
  return reads.slice(last + 1).filter(({ began }) => began > beganMs);
}

interface Shell {
  run(sql: string): Promise<void>;
  close(): Promise<void>;
}

async function shellOf(desk: Desk, { url }: ObeyedStore): Promise<Shell> {
  // Opened and closed with each statement, and it waits for no lock.
  if (url === undefined) return { run: async (sql) => desk.sql(sql), close: async () => {} };
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return { run: async (sql) => void (await client.query(sql)), close: () => client.end() };
}

/** Runs it on each store that this machine has. */
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

export function linesOf({ store, times, callsAfter, disobeyed, servedByModern }: ObeyReport): readonly string[] {
  const row = (sql: string, all: readonly number[]): string => {
    const sorted = all.toSorted((a, b) => a - b);
    const figures = [0.5, 0.95, 0.99, 1].map((share) => rank(sorted, share).toFixed(1).padStart(8));
    return `${store.padEnd(12)}${sql.padEnd(48)}${String(all.length).padStart(5)}${figures.join("")}`;
  };
  return [
    `${"store".padEnd(12)}${"statement, ms until the last acknowledgement".padEnd(48)}    n     p50     p95     p99     max`,
    ...Object.entries(times).map(([sql, all]) => row(sql, all)),
    row("all", Object.values(times).flat()),
    `${store}: ${callsAfter} calls began after an acknowledgement, ${disobeyed.length} of them wrong; modern answered ${servedByModern} before`,
    ...disobeyed.slice(0, 10),
  ];
}
