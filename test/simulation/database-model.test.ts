/**
 * Tests a whole bridge on a pair of databases, with a control store, by random writes, phase moves, SQL
 * statements of an operator, rollbacks and restarts. Its relay and backfill run, and a program of the desk
 * writes to legacy without the bridge. At the end both databases must hold the same rows as a model of the
 * desk, whose trades with the id `changes` are also corrected, removed and written again.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createPnlBridge, type PnlBridge } from "../../src/app/bridge/pnl-bridge.ts";
import { backfill } from "../../src/app/database/commands.ts";
import { directionOf } from "../../src/app/database/open.ts";
import { reconcilePair, reconcileSettings, recordReconcile } from "../../src/app/database/reconcile.ts";
import { type Random, randomFrom } from "../../src/app/demo-desk/random.ts";
import { at, present } from "../../src/base/present.ts";
import type { Side } from "../../src/domain/migration/phase.ts";
import { postgresMissing, startPostgres } from "../../src/testing/postgres.ts";
import { positionRecord, tradeRecord } from "../../src/testing/records.ts";
import { connectionTo } from "../../src/testing/sqlite-files.ts";
import { until } from "../../src/testing/until.ts";
import { isLongRun, overSeeds } from "../campaigns.ts";
import { pnlBridge } from "../cli/run-cli.ts";
import { audit, changingId, type Line, PairOfDatabases, pythonMissing } from "./database/pair.ts";

/** Values of the control record that an operator may set with SQL at any time. */
const asked = [
  "use_new_pnl_system = false",
  "use_new_pnl_system = NULL",
  "migration_mode = 'old_only'",
  "migration_mode = 'new_only'",
  "migration_mode = NULL",
  "phase = 'shadow_mode'",
  "phase = 'dual_write'",
  "phase = 'primary_switch'",
];
const isKnown = ([, states]: readonly [number, readonly string[]]): boolean => states.length === 1;
const by = { actor: "amy", reason: "a random move" };

/**
 * Returns one of the trades that change; its quantity identifies it in the model. Legacy can store only one
 * of them for each file.
 */
const changing = (quantity: number, fee: string, file: string) => ({
  ...tradeRecord(7),
  id: changingId,
  quantity: String(quantity),
  fee,
  file,
});
const absent = "absent";

class Desk {
  readonly pair: PairOfDatabases;
  /** The writes of this process with their answers, in the form that `audit` reads. */
  readonly lines: Line[] = [];
  readonly acknowledged = new Set<number>();
  /**
   * The acknowledged writes of the last group that had any. They ran at the same time, so the stored position
   * may come from any of them.
   */
  last: readonly number[] = [];
  /** Maps the quantity of each trade that changes to its possible states, `file fee` or absent. */
  readonly #changing = new Map<number, readonly string[]>();
  #changes = 0;
  readonly #config: string;
  #bridge: PnlBridge | undefined;
  #ids = 0;

  constructor(random: Random, postgres?: string) {
    const rows = random.below(50);
    this.pair = new PairOfDatabases({ rows, authority: "legacy", ...(postgres && { postgres }) });
    const { folder, addresses } = this.pair;
    this.#config = join(folder, "pnl_migration_config.yaml");
    writeFileSync(join(folder, "system.mjs"), "export default { totals: async () => ({ totals: {} }) };");
    const system = { kind: "module", path: "./system.mjs" };
    const flags = { use_new_calculator: true, use_new_storage: true, use_new_reports: true };
    const config = {
      migration: { phase: "shadow_mode", feature_flags: flags },
      systems: { legacy: system, modern: system },
      gates: { profile: "trial" },
      stores: { control: "sqlite:./control.db", ...addresses },
      control: { heartbeat_ms: 200, stale_ms: 1_000, lease_ms: 5_000, poll_ms: 200 },
    };
    writeFileSync(this.#config, JSON.stringify(config));
  }

  async open(): Promise<void> {
    this.#bridge = await createPnlBridge({ config: this.#config, log: () => {} });
    await until(() => this.#database.latest !== undefined, "the databases are open");
  }

  async restart(): Promise<void> {
    await this.#bridge?.close();
    await this.open();
  }

  get #opened(): PnlBridge {
    return present(this.#bridge, "the bridge is open");
  }
  get #database() {
    return present(this.#opened.database, "the pair is configured");
  }
  get #operator() {
    return present(this.#opened.control, "a control store is configured").operator;
  }

  async write(ids: readonly number[]): Promise<void> {
    const answers = await Promise.all(
      ids.map(async (id) => {
        const key = `trade ${id}`;
        this.lines.push(["sent", id, key]);
        const records = [tradeRecord(id), positionRecord(String(id))];
        const answer = await this.#database.write(records, { idempotencyKey: key });
        const why = answer.kind === "refused" ? [answer.code, answer.because] : [];
        this.lines.push(["answer", id, key, answer.kind, ...why]);
        return answer.kind === "acknowledged" && !this.acknowledged.has(id) ? [id] : [];
      }),
    );
    if (answers.flat().length > 0) this.last = answers.flat();
    for (const id of answers.flat()) this.acknowledged.add(id);
  }

  async authority(): Promise<Side> {
    return (await this.#database.status()).authority;
  }

  newIds(count: number): readonly number[] {
    return Array.from({ length: count }, () => ++this.#ids);
  }

  /**
   * Draws a write. If it was acknowledged, sends its records again, and then other records under its key;
   * otherwise sends it.
   */
  async writeAgain(random: Random): Promise<void> {
    const id = 1 + random.below(this.#ids + 1);
    if (!this.acknowledged.has(id)) return this.write([id]);
    const key = { idempotencyKey: `trade ${id}` };
    const again = await this.#database.write([tradeRecord(id), positionRecord(String(id))], key);
    if (again.kind === "refused") expect(again.code).toMatch(/^(DRAINING|DATABASE_BUSY)$/);
    const other = await this.#database.write([tradeRecord(id + 1_000_000)], key);
    expect(other).toMatchObject({
      kind: "refused",
      code: expect.stringMatching(/^(KEY_REUSED|DRAINING|DATABASE_BUSY)$/),
    });
  }

  /** Writes, corrects or removes one of a few trades, and checks that the answer agrees with the model. */
  async change(random: Random): Promise<void> {
    const quantity = 1 + random.below(3);
    const [fee, file] = [String(random.below(3)), `changes_${random.below(4)}.csv`];
    const before = this.#changing.get(quantity) ?? [absent];
    // A trade that is not stored is mostly written.
    const kinds = ["trade_removal", "trade_correction", "trade", "trade", "trade"] as const;
    const kind = at(kinds, random.below(before.includes(absent) ? 5 : 3));
    const elsewhere = [...this.#changing].filter(([other]) => other !== quantity);
    const isTaken = elsewhere.some(([, states]) => states.some((state) => state.startsWith(`${file} `)));
    const refusals = ["DRAINING", "DATABASE_BUSY"];
    if (kind === "trade" && before.some((state) => state !== absent)) refusals.push("ALREADY_STORED");
    const isMissing = kind === "trade_correction" && before.includes(absent);
    if (isMissing || (kind !== "trade_removal" && isTaken)) refusals.push("CONFLICT");
    const record = { ...changing(quantity, fee, file), kind };
    const idempotencyKey = `change ${++this.#changes}`;
    const answer = await this.#database.write([record], { idempotencyKey });
    const what = `${kind} of ${quantity} in ${file}, which may be ${before}: ${JSON.stringify(answer)}`;
    if (answer.kind === "refused") return expect(refusals, what).toContain(answer.code);
    const after = kind === "trade_removal" ? absent : `${file} ${fee}`;
    const isCertain = answer.kind === "acknowledged" && before.length === 1 && elsewhere.every(isKnown);
    if (isCertain) expect(refusals, what).toHaveLength(2);
    this.#changing.set(quantity, answer.kind === "acknowledged" ? [after] : [...before, after]);
  }

  async changeSome(random: Random): Promise<void> {
    for (let count = 2 + random.below(8); count > 0; count--) await this.change(random);
  }

  /** Checks that both databases have the trades that change as the model has them. */
  async auditChanges(): Promise<void> {
    const where = `WHERE trade_id = '${changingId}'`;
    const modern = await this.pair.sql("modern", `SELECT quantity, source_file, fee FROM {trades} ${where}`);
    const stored = new Map(modern.map(([quantity, file, fee]) => [Number(quantity), `${file} ${fee}`]));
    for (const [quantity, states] of this.#changing)
      expect(states, `the trade of ${quantity}`).toContain(stored.get(quantity) ?? absent);
    const legacy = await this.pair.sql(
      "legacy",
      `SELECT CAST(quantity AS INTEGER) AS quantity, source_file FROM processed_trades ${where}`,
    );
    expect(legacy.toSorted()).toEqual(modern.map(([quantity, file]) => [quantity, file]).toSorted());
  }

  sql(change: string): void {
    using control = connectionTo(join(this.pair.folder, "control.db"), { timeout: 5_000 });
    control.exec(`UPDATE config SET ${change}`);
  }

  /**
   * Acts as an operator: fills modern, reconciles, lets a colleague approve, and moves one phase forward. If
   * modern is out of use, takes it back into use instead. A closed gate may refuse the move.
   */
  async advance(): Promise<void> {
    const options = { config: this.#config, onEvent: () => {} };
    await backfill(options).catch(() => {});
    const settings = await reconcileSettings(options);
    const report = await reconcilePair(settings, { waitMsMax: 3_000 }).catch(() => undefined);
    if (report !== undefined) await recordReconcile(settings, report);
    await this.#operator.signOff("approved", { actor: "bob", note: "looked at it" }).catch(() => {});
    const { phase, useNewPnlSystem, migrationMode } = this.#opened.service.plan;
    const isOut = !useNewPnlSystem || migrationMode === "old_only";
    await this.#operator.move(isOut ? { kind: "set", phase } : { kind: "advance" }, by).catch(() => {});
  }

  /** Runs a command in the desk's folder, which must succeed. Returns its output. */
  async command(...args: readonly string[]): Promise<string> {
    const { code, out, err } = await pnlBridge(args, { cwd: this.pair.folder });
    expect(code, `${args.join(" ")}: ${out}${err}`).toBe(0);
    return out;
  }

  async rollBack(): Promise<void> {
    await this.#operator.rollback(by).catch(() => {});
  }

  /** Checks that legacy has every write that was acknowledged before the question, if `canGoBack` is true. */
  async askWhetherItCanGoBack(): Promise<void> {
    const before = [...this.acknowledged];
    const { canGoBack } = await this.#database.status();
    if (!canGoBack.now) return;
    const inLegacy = new Set((await this.pair.sql("legacy", "SELECT trade_id FROM processed_trades")).flat());
    expect(before.filter((id) => !inLegacy.has(String(id)))).toEqual([]);
  }

  /** Sets a plan under which both databases get the writes, and waits until they have all of them. */
  async settle(): Promise<void> {
    this.sql("use_new_pnl_system = NULL, migration_mode = NULL");
    await until(async () => {
      if (directionOf(this.#opened.service.plan)?.mirrors !== true) await this.advance();
      await this.write(this.newIds(1));
      const { drained } = await this.#database.drain({ timeoutMs: 1_000 });
      return drained && directionOf(this.#opened.service.plan)?.mirrors === true;
    }, "both databases have every write");
    const trades = (side: "legacy" | "modern", table: string) =>
      this.pair.sql(side, `SELECT count(*) FROM ${table}`);
    await until(
      async () =>
        String(await trades("legacy", "processed_trades")) === String(await trades("modern", "{trades}")),
      "modern has the rows of the desk's own program",
    );
    await this.#bridge?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bridge?.close();
    await this.pair[Symbol.asyncDispose]();
  }
}

async function episode(seed: number): Promise<void> {
  const random = randomFrom(seed);
  await using desk = new Desk(random);
  const foreign = pythonMissing() === undefined ? desk.pair.beginForeign(random) : undefined;
  await desk.open();
  const actions: readonly (readonly [weight: number, act: () => unknown])[] = [
    [50, () => desk.write(desk.newIds(1 + random.below(4)))],
    [8, () => desk.writeAgain(random)],
    [15, () => desk.changeSome(random)],
    [12, () => desk.advance()],
    [2, () => desk.rollBack()],
    [5, () => desk.sql(at(asked, random.below(asked.length)))],
    [2, () => desk.restart()],
    [8, () => desk.askWhetherItCanGoBack()],
    [8, () => sleep(random.below(300))],
  ];
  const drawn = actions.flatMap(([weight, act]) => Array.from({ length: weight }, () => act));
  for (let step = 0; step < (isLongRun("db-model") ? 60 : 10); step++) {
    const act = at(drawn, random.below(drawn.length));
    await act();
  }
  await foreign?.kill();
  await desk.settle();
  const { acknowledged } = await audit(desk.pair, desk.lines);
  expect(acknowledged).toBe(desk.acknowledged.size);
  await desk.auditChanges();
  const [[quantity]] = (await desk.pair.sql("modern", "SELECT quantity FROM {positions}")) as [[string]];
  expect(desk.last.map(String)).toContain(quantity);
}

it("random writes, moves, statements, rollbacks and restarts leave both databases equal to the model", () =>
  overSeeds("db-model", 1, episode));

/**
 * Moves a desk to modern and back by the commands of the product, while a trader's program, which does not
 * know the bridge, writes to legacy all the time. `audit` finds each error that the program met, and each of
 * its trades that modern lacks.
 */
async function journey(postgres?: string): Promise<void> {
  const random = randomFrom(1);
  await using desk = new Desk(random, postgres);
  const trader = desk.pair.beginForeign(random);
  /** Waits until the desk and the trader have written in the present state. */
  const trade = async () => {
    const before = trader.lines.length;
    await desk.write(desk.newIds(3));
    await until(() => trader.lines.length >= before + 5, "the trader's program writes");
  };
  const advance = async (to: string) => {
    await desk.command("sign-off", "approved", "--actor", "bob", "--note", "looked at it");
    expect(await desk.command("phase", "advance", "--reason", "the next step")).toContain(`→ ${to}, epoch`);
  };
  await until(() => trader.lines.length >= 5, "the trader's program writes");
  await desk.open();
  await trade();
  await desk.command("db", "backfill");
  await trade();
  await advance("dual_write");
  await trade();
  await desk.command("db", "reconcile");
  await advance("primary_switch");
  await until(async () => (await desk.authority()) === "modern");
  await trade();
  await desk.command("rollback", "--reason", "the desk goes back");
  await until(async () => (await desk.authority()) === "legacy");
  await trade();
  await trader.kill();
  await desk.settle();
  const { acknowledged, foreign } = await audit(desk.pair, desk.lines);
  expect([acknowledged, foreign]).toEqual([desk.acknowledged.size, trader.lines.length]);
}

it.skipIf(pythonMissing() !== undefined)(
  `a trader's program that does not know the bridge writes to legacy while the desk moves to modern and back, meets no error, and all its trades are in modern ${pythonMissing() ?? ""}`,
  () => journey(),
);

describe.runIf(isLongRun("db-model") && postgresMissing() === undefined && pythonMissing() === undefined)(
  "with modern in PostgreSQL",
  () => {
    it("a trader's program writes to legacy during the move and back, and all its trades are in modern", async () => {
      const server = await startPostgres();
      try {
        await journey(server.url);
      } finally {
        await server.stop();
      }
    });
  },
);
