/** A pair of databases with real processes on it, for simulations, and the check of the pair at the end. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Client } from "pg";
import { expect } from "vitest";
import type { Random } from "../../../src/app/demo-desk/random.ts";
import type { Side } from "../../../src/domain/migration/phase.ts";
import { openDatabase } from "../../../src/legacy-desk/database.ts";
import { connected } from "../../../src/testing/postgres-wire.ts";
import { connectionTo } from "../../../src/testing/sqlite-files.ts";
import { until } from "../../../src/testing/until.ts";
import { bundled } from "../../bundled.ts";
import type { PairProcessOptions } from "./pair-process.ts";

const program = bundled("test/simulation/database/pair-process");

/**
 * A trader's own program. It does not know the bridge, and waits five seconds for a lock, like legacy's
 * program.
 */
const foreignProgram = `
import random, sqlite3, sys, time
path, first, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(seed)
database = sqlite3.connect(path, timeout=5, isolation_level=None)
number = first
while True:
    try:
        database.execute("BEGIN IMMEDIATE" if number % 2 else "BEGIN")
        for part in range(random.choice((1, 1, 3))):
            database.execute(
                "INSERT INTO processed_trades (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, source_file)"
                " VALUES (?, 'XCMEFFDPSX20250919U0ZN', '2025-07-15', '2025-07-15 13:08:35.561000', 2, 110.515625, 'B', 'foreign.csv')",
                ("F%d-%d" % (number, part),))
            if random.random() < 0.2: time.sleep(0.03)
        database.execute("COMMIT")
        print('["foreign",%d]' % number, flush=True)
    except sqlite3.Error as error:
        print('["failed","foreign","%s"]' % error, flush=True)
        if database.in_transaction: database.execute("ROLLBACK")
    number += 1
    time.sleep(random.random() * 0.06)
`;

/** Returns the reason why no foreign writer in Python can run here; undefined if one can. */
export const pythonMissing = (): string | undefined =>
  spawnSync("python3", ["--version"]).status === 0 ? undefined : "(skipped: there is no python3)";

export type Line = readonly [kind: string, ...rest: unknown[]];

export class PairProcess {
  readonly lines: Line[] = [];
  readonly #child: ChildProcess;
  readonly #closed: Promise<number | null>;
  #isGone = false;
  #errors = "";

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#closed = new Promise((resolve) =>
      this.#child.on("close", (code) => {
        this.#isGone = true;
        resolve(code);
      }),
    );
    const { stdout, stderr, stdin } = this.#child;
    if (stdout === null || stderr === null) throw new Error("the process has no output");
    stdin?.on("error", () => {});
    createInterface({ input: stdout }).on("line", (line) => {
      // The last line of a killed process may be cut off.
      if (line.endsWith("]")) this.lines.push(JSON.parse(line));
    });
    stderr.on("data", (text) => {
      this.#errors += text;
    });
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  has(kind: string): boolean {
    return this.lines.some(([name]) => name === kind);
  }

  /** Waits for a report. Throws if the process ends without it. */
  async says(kind: string): Promise<void> {
    const isOver = () => this.#isGone || this.has(kind);
    await until(isOver, `a process reports ${kind}`).catch((failure) => {
      throw new Error(`${failure.message}; its last reports: ${JSON.stringify(this.lines.slice(-8))}`);
    });
    await (this.has(kind) ? undefined : this.#closed);
    if (!this.has(kind)) throw new Error(`the process ended without ${kind}: ${this.#errors}`);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }

  /** Ends the process by the end of its input. */
  async end(): Promise<void> {
    this.#child.stdin?.end();
    const code = await this.#closed;
    if (code !== 0) throw new Error(`the process ended with exit code ${code}: ${this.#errors}`);
  }
}

export interface PairOptions {
  /** The address of a PostgreSQL server for modern, or undefined for a SQLite file. */
  readonly postgres?: string;
  readonly journal?: "wal" | "rollback";
  /** The number of rows that legacy has before the bridge is set up. */
  readonly rows?: number;
  readonly authority: Side;
}

let pairs = 0;

export class PairOfDatabases {
  readonly folder: string;
  readonly addresses: Readonly<Record<Side, string>>;
  readonly legacyPath: string;
  readonly processes: PairProcess[] = [];
  readonly #modernPath: string | undefined;
  #client: Promise<Client> | undefined;
  #first = 0;

  constructor({ postgres, journal = "wal", rows = 0, authority }: PairOptions) {
    this.folder = mkdtempSync(join(tmpdir(), "pnl-bridge-pair-"));
    this.legacyPath = join(this.folder, "pnl_tracker.db");
    openDatabase(this.legacyPath, { journal, busyTimeoutMs: 5_000 }).close();
    using desk = connectionTo(this.legacyPath);
    const insert = desk.prepare(`INSERT INTO processed_trades
      (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, source_file) VALUES
      (?, 'XCMEFFDPSX20250919U0ZN', '2025-07-14', '2025-07-14 13:08:35.561000', 2, 110.515625, 'B', 'before.csv')`);
    desk.transaction(() => {
      for (let row = 1; row <= rows; row++) insert.run(`B${row}`);
    })();
    this.#modernPath = postgres === undefined ? join(this.folder, "newpnl.db") : undefined;
    pairs += 1;
    this.addresses = {
      legacy: `sqlite:${this.legacyPath}`,
      modern: postgres === undefined ? `sqlite:${this.#modernPath}` : `${postgres}?schema=pair_${pairs}`,
    };
    this.setWantedAuthority(authority);
  }

  /** Sets the side that should be authoritative, in place of the plan. */
  setWantedAuthority(side: Side): void {
    writeFileSync(join(this.folder, "wanted"), side);
  }

  begin(role: PairProcessOptions["role"], again: readonly number[] = []): PairProcess {
    this.#first += 100_000;
    const { addresses, folder } = this;
    const options: PairProcessOptions = { addresses, folder, role, first: this.#first, again };
    return this.#started(process.execPath, [
      "--disable-warning=ExperimentalWarning",
      program,
      JSON.stringify(options),
    ]);
  }

  /** Starts a program that writes legacy without the bridge. */
  beginForeign(random: Random): PairProcess {
    this.#first += 100_000;
    const numbers = [String(this.#first), String(random.below(1_000_000))];
    return this.#started("python3", ["-c", foreignProgram, this.legacyPath, ...numbers]);
  }

  #started(command: string, args: readonly string[]): PairProcess {
    const started = new PairProcess(command, args);
    this.processes.push(started);
    return started;
  }

  /**
   * Returns the rows of a statement, each as a list of its values as text. `{table}` means the modern table's
   * full name.
   */
  async sql(side: Side, statement: string): Promise<readonly (readonly string[])[]> {
    const textOf = (rows: readonly unknown[]) =>
      rows.map((row) => Object.values(row as object).map((value) => String(value)));
    const path = side === "legacy" ? this.legacyPath : this.#modernPath;
    if (path !== undefined) {
      using database = connectionTo(path, { timeout: 5_000 });
      return textOf(
        database.prepare(statement.replaceAll("{", "newpnl_").replaceAll(/[}]|\[|\]/g, "")).all(),
      );
    }
    const { client, schema } = await this.#onServer();
    const named = statement.replaceAll(/[{[]/g, `${schema}.`).replaceAll(/[}\]]/g, "");
    return textOf((await client.query(named)).rows);
  }

  /** Returns the connection of this object to the server, which it opens once. */
  async #onServer(): Promise<{ readonly client: Client; readonly schema: string }> {
    const [url = "", schema = ""] = this.addresses.modern.split("?schema=");
    this.#client ??= connected(url);
    return { client: await this.#client, schema };
  }

  /** Kills every process that still runs, and removes both databases. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.processes.map((one) => one.kill()));
    if (this.#modernPath === undefined) {
      const { client, schema } = await this.#onServer();
      await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await client.end();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Counts {
  kills: number;
  acknowledged: number;
  refused: number;
  unresolved: number;
  foreign: number;
  recoveries: number;
}

/** Returns the writes whose answers a process's caller does not know. */
export const unanswered = ({ lines }: PairProcess): readonly number[] => {
  const open = new Set<number>();
  for (const [kind, id, key, answer] of lines) {
    if (typeof id !== "number" || key !== `trade ${id}`) continue;
    if (kind === "sent") open.add(id);
    if (kind === "answer" && answer !== "unresolved") open.delete(id);
  }
  return [...open];
};

/** The id of trades that a test changes and removes, and that `audit` does not check. */
export const changingId = "changes";

/**
 * Checks both stores against what the processes have reported: each acknowledged write is in both once, each
 * refused one in neither, each unresolved one in both or neither.
 */
export async function audit(
  pair: PairOfDatabases,
  own: readonly Line[] = [],
): Promise<Omit<Counts, "kills" | "recoveries">> {
  const lines = [...own, ...pair.processes.flatMap((one) => one.lines)];
  const answers = new Map<number, Set<string>>();
  const foreign: number[] = [];
  const faults: unknown[] = [];
  for (const [kind, id, key, answer, code, because] of lines) {
    if (kind === "foreign") foreign.push(Number(id));
    if (kind === "failed") faults.push([kind, id, key]);
    if (kind === "sent" && key === `trade ${id}` && !answers.has(Number(id)))
      answers.set(Number(id), new Set());
    if (kind !== "answer") continue;
    const isOther = key !== `trade ${id}`;
    if (isOther && answer === "acknowledged") faults.push(["acknowledged under another key", id]);
    if (
      answer === "refused" &&
      !["DRAINING", "DATABASE_BUSY", ...(isOther ? ["ALREADY_STORED"] : [])].includes(String(code))
    )
      faults.push([kind, id, key, code, because]);
    if (!isOther) answers.get(Number(id))?.add(String(answer));
  }
  const kept = `trade_id, source_file FROM [trades] WHERE trade_id <> '${changingId}'`;
  const legacy = await pair.sql("legacy", `SELECT ${kept.replace("[trades]", "processed_trades")}`);
  const modern = await pair.sql("modern", `SELECT ${kept.replace("[trades]", "{trades}")}`);
  const counted = (rows: readonly (readonly string[])[]) => {
    const counts = new Map<string, number>();
    for (const row of rows) counts.set(row.join(" "), (counts.get(row.join(" ")) ?? 0) + 1);
    return counts;
  };
  const [inLegacy, inModern] = [counted(legacy), counted(modern)];
  for (const [name, count] of inModern) if (count !== 1) faults.push(["more than once in modern", name]);
  for (const name of new Set([...inLegacy.keys(), ...inModern.keys()]))
    if (inLegacy.get(name) !== inModern.get(name))
      faults.push(["not the same in both", name, inLegacy.get(name), inModern.get(name)]);
  const totals = { acknowledged: 0, refused: 0, unresolved: 0, foreign: foreign.length };
  let stored = 0;
  for (const [id, kinds] of answers) {
    const isStored = inLegacy.has(`${id} trades_20250715.csv`);
    if (isStored) stored += 1;
    if (kinds.has("acknowledged")) {
      totals.acknowledged += 1;
      if (!isStored) faults.push(["an acknowledged write is lost", id]);
    } else if (kinds.size > 0 && !kinds.has("unresolved")) {
      totals.refused += 1;
      if (isStored) faults.push(["a refused write is stored", id]);
    } else totals.unresolved += 1;
  }
  for (const number of foreign)
    if (!inLegacy.has(`F${number}-0 foreign.csv`)) faults.push(["a foreign trade is lost", number]);
  const version = "SELECT version FROM [pnlb_versions] WHERE aggregate LIKE '[\"position\"%'";
  const versions = await Promise.all(
    (["legacy", "modern"] as const).map((side) =>
      pair.sql(side, version.replace("'[\"", "'%").replace("[pnlb", "[pnlb")),
    ),
  );
  if (stored > 0 && versions.some((found) => found.flat().join() !== String(stored)))
    faults.push(["the version of a position is not the number of stored writes", stored, versions]);
  const quantity = [
    await pair.sql("legacy", "SELECT CAST(position_quantity AS INTEGER) AS q FROM positions"),
    await pair.sql("modern", "SELECT quantity FROM {positions}"),
  ];
  if (String(quantity[0]) !== String(quantity[1])) faults.push(["the positions differ", quantity]);
  for (const side of ["legacy", "modern"] as const) {
    const waiting = await pair.sql(
      side,
      "SELECT seq, state, code, because FROM [pnlb_outbox] WHERE state <> 'done'",
    );
    if (waiting.length > 0) faults.push([`${side} still owes`, waiting.slice(0, 5)]);
  }
  const review = await pair.sql(
    "modern",
    "SELECT key, code, because FROM [pnlb_quarantine] WHERE settled_ms IS NULL",
  );
  if (review.length > 0) faults.push(["rows wait for a person", review.slice(0, 5)]);
  const fences = await Promise.all(
    (["legacy", "modern"] as const).map((side) =>
      pair.sql(side, "SELECT epoch, authority, step FROM [pnlb_fence]"),
    ),
  );
  if (String(fences[0]) !== String(fences[1])) faults.push(["the fences differ", fences]);
  if (faults.length > 0) {
    const passes = await pair.sql("modern", "SELECT * FROM [pnlb_backfill]");
    const ids = await pair.sql("legacy", "SELECT min(id), max(id), count(*) FROM processed_trades");
    faults.push(passes, ids, pair.processes.at(-1)?.lines);
  }
  expect(faults.slice(-10).map((fault) => JSON.stringify(fault))).toEqual([]);
  return totals;
}
