/** A watcher over a disk in memory, whose process dies at a chosen step and is started again. */
import { createHash } from "node:crypto";
import { ledgerRows } from "../../../src/adapters/csv/ledger-rows.ts";
import { JournalFile } from "../../../src/adapters/sqlite/journal-file.ts";
import { describeSymbol } from "../../../src/app/symbols/symbols.ts";
import { FileWatcher, StoreSink } from "../../../src/bridges/files/index.ts";
import { dayUs, parseDay, wallOfInstant } from "../../../src/domain/market/chicago-time.ts";
import { tradingDayRules } from "../../../src/domain/market/trading-day.ts";
import type { FileJournal } from "../../../src/ports/file-journal.ts";
import { FakeDisk } from "../../../src/testing/fake-disk.ts";
import { TestClock } from "../../../src/testing/test-clock.ts";
import { MemoryStores } from "./stores.ts";

const dayRule = tradingDayRules["chicago-17"];
const settleMs = 500;

/** One process: each of its calls is a step, at one of which it dies, before or after the call's effect. */
class Life {
  #steps: number;
  readonly #diesBefore: boolean;
  #isDead = false;
  readonly death: Promise<"died">;
  #die = (_: "died"): void => {};

  constructor(steps: number, diesBefore: boolean) {
    this.#steps = steps;
    this.#diesBefore = diesBefore;
    this.death = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  async step<T>(work: () => T | Promise<T>): Promise<T> {
    const never = new Promise<T>(() => {});
    this.#steps -= 1;
    if (this.#steps === 0 && this.#diesBefore) this.end();
    if (this.#isDead) return never;
    const value = await work();
    if (this.#steps <= 0) this.end();
    return this.#isDead ? never : value;
  }

  end(): void {
    this.#isDead = true;
    this.#die("died");
  }
}

export interface WorldOptions {
  readonly republished: "quarantine" | "apply";
  readonly tickMs: number;
  readonly skewMs: number;
}

export class World {
  readonly clock = new TestClock("2025-07-24T15:00:00.000Z");
  readonly disk: FakeDisk;
  readonly stores = new MemoryStores();
  readonly journal = new JournalFile({ path: ":memory:", incarnation: "one" });
  readonly #options: WorldOptions;
  #life = new Life(Number.POSITIVE_INFINITY, false);
  #watcher: FileWatcher | undefined;
  #lives = 0;
  readonly failures: string[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
    const { tickMs, skewMs } = options;
    this.disk = new FakeDisk({
      ...{ roots: 1, nowMs: () => this.clock.monotonicMs(), tickMs, skewMs },
      isWatched: (name) => name.endsWith(".csv"),
    });
  }

  /** Starts a process that dies at its step `steps`. */
  start(steps: number, diesBefore = false): void {
    this.#life.end();
    this.#life = new Life(steps, diesBefore);
    this.#lives += 1;
    this.disk.forgetTold();
    const [life, clock] = [this.#life, this.clock];
    const journal: FileJournal = {
      call: (name, given) => life.step(() => this.journal.call(name, structuredClone(given))),
      close: async () => {},
    };
    const finder = {
      modes: this.disk.modes,
      pollReasons: this.disk.pollReasons,
      look: () => life.step(() => this.disk.look()),
      read: (given: Parameters<FakeDisk["read"]>[0]) => life.step(() => this.disk.read(given)),
      close: async () => {},
    };
    const writer = {
      write: (...given: Parameters<MemoryStores["write"]>) => life.step(() => this.stores.write(...given)),
    };
    const common = { journal, clock, describe: describeSymbol };
    const sink = new StoreSink({
      ...{ ...common, name: "stores", writer, method: "fifo", draw: () => 0.5, onEvent: () => {} },
    });
    this.#watcher = new FileWatcher({
      ...{
        ...common,
        finder,
        roots: ["ledgers"],
        kindOf: () => "ledger",
        sinks: [sink],
        scanMs: 1_000,
        settleMs,
      },
      ledgers: ledgerRows({ describe: describeSymbol, dayRule }),
      prices: { read: () => ({ marks: [], refused: [] }) },
      digest: (before, bytes) => createHash("sha256").update(before).update(bytes).digest("hex"),
      today: () => this.today(),
      dayInName,
      rankOf: (path) => rankOf(path),
      republished: this.#options.republished,
      lease: { name: `life ${this.#lives}`, lastsMs: 3_000, isDead: () => true },
      onEvent: (event) => {
        if (event.kind === "watch_failed") this.failures.push(event.why);
      },
    });
  }

  today(): number {
    const wall = wallOfInstant(this.clock.nowMs() * 1_000);
    return dayRule.dayOf(wall) ?? Math.floor(wall / dayUs);
  }

  /** One pass of the living process. Answers whether it died. */
  async pass(): Promise<boolean> {
    const work = async (): Promise<"passed"> => {
      await this.#watcher?.pass();
      await this.#watcher?.carry();
      return "passed";
    };
    return (await Promise.race([work(), this.#life.death])) === "died";
  }

  /** Passes by a process that does not die, until every file is as it stays. */
  async settle(): Promise<void> {
    this.stores.fault = "none";
    this.start(Number.POSITIVE_INFINITY);
    let rounds = 0;
    for (let quiet = 0; quiet < 2; ) {
      const before = this.#state();
      for (const ms of [1, 700, 6_000, 61_000]) {
        this.clock.advance(ms);
        await this.pass();
      }
      quiet = this.#state() === before ? quiet + 1 : 0;
      rounds += 1;
      if (rounds > 50) throw new Error(`it never settles: ${before} and then ${this.#state()}`);
    }
  }

  #state(): string {
    const { holder: _, ...report } = this.journal.call("report", null);
    return JSON.stringify([report, this.stores.trades()]);
  }
}

export const dayInName = (path: string): number | undefined => {
  const [, year, month, day] = /(\d{4})(\d{2})(\d{2})/.exec(path) ?? [];
  return year === undefined ? undefined : parseDay(`${year}-${month}-${day}`);
};

const rankOf = (path: string): string => `${String(dayInName(path) ?? 0).padStart(8, "0")}${path}`;
