/** A watcher over a disk in memory, whose process dies at a chosen step and is started again. */
import { createHash } from "node:crypto";
import { expect } from "vitest";
import { dayInName, ledgerRank } from "../../../src/adapters/csv/ledger-lines.ts";
import { ledgerRows } from "../../../src/adapters/csv/ledger-rows.ts";
import { JournalFile } from "../../../src/adapters/sqlite/journal-file.ts";
import { priceRows } from "../../../src/app/files/price-rows.ts";
import { describeSymbol } from "../../../src/app/symbols/symbols.ts";
import { BridgeError } from "../../../src/base/errors.ts";
import { FileWatcher, type RecordWriter, StoreSink } from "../../../src/bridges/files/index.ts";
import { dayUs, wallOfInstant } from "../../../src/domain/market/chicago-time.ts";
import { tradingDayRules } from "../../../src/domain/market/trading-day.ts";
import type { FileJournal } from "../../../src/ports/file-journal.ts";
import { FakeDisk } from "../../../src/testing/fake-disk.ts";
import { TestClock } from "../../../src/testing/test-clock.ts";
import { expected, symbols } from "./model.ts";
import { MemoryStores } from "./stores.ts";

const dayRule = tradingDayRules["chicago-17"];
export const settleMs = 500;
export const leaseMs = 3_000;

/** One process. Each of its calls is a step; it dies at one of them, before or after the call's effect. */
class Life {
  #steps: number;
  readonly #diesBefore: boolean;
  #isDead = false;
  readonly death: Promise<"died">;
  #die = (_: "died"): void => {};
  #stepsToFreeze = Number.POSITIVE_INFINITY;
  #thawed: Promise<void> | undefined;

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
    this.#stepsToFreeze -= 1;
    if (this.#stepsToFreeze < 0) await this.#thawed;
    const value = await work();
    if (this.#steps <= 0) this.end();
    return this.#isDead ? never : value;
  }

  /** Stops before the step `steps`, until the returned function is called. */
  freeze(steps: number): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stepsToFreeze = steps - 1;
    this.#thawed = promise;
    return resolve;
  }

  end(): void {
    this.#isDead = true;
    this.#die("died");
  }
}

export interface WorldOptions {
  readonly republished: "quarantine" | "apply" | "ignore";
  /** The disk's file times are multiples of this. Default 1. */
  readonly tickMs?: number;
  /** By how much the disk's clock is ahead of the watcher's. Default 0. */
  readonly skewMs?: number;
  /**
   * The world of another process on the same machine: both share the clock, disk, journal and stores, but
   * neither world ends the other's process.
   */
  readonly beside?: World;
  /** Receives the records instead of `stores`. */
  readonly writer?: RecordWriter;
}

/** The numbers of the watched folders on the disk. */
export const ledgers = 0;
export const prices = 1;

export class World {
  readonly clock: TestClock;
  readonly disk: FakeDisk;
  readonly stores: MemoryStores;
  readonly journal: JournalFile;
  /** The watcher's events as `kind code-or-path`, except `read`, `file` and `watch_failed`. */
  readonly events: string[] = [];
  readonly #options: WorldOptions;
  #life = new Life(Number.POSITIVE_INFINITY, false);
  #watcher: FileWatcher | undefined;
  #lives = 0;
  readonly failures: string[] = [];
  /** Whether the disk of the journal is full. */
  isJournalFull = false;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { tickMs = 1, skewMs = 0, beside } = options;
    this.clock = beside?.clock ?? new TestClock("2025-07-24T15:00:00.000Z");
    this.stores = beside?.stores ?? new MemoryStores();
    this.journal = beside?.journal ?? new JournalFile({ path: ":memory:", incarnation: "one" });
    this.disk =
      beside?.disk ??
      new FakeDisk({
        ...{ roots: 2, nowMs: () => this.clock.monotonicMs(), tickMs, skewMs },
        isWatched: (name) => name.endsWith(".csv"),
      });
  }

  /** Starts a process that dies at its step `steps`. */
  start(steps: number, diesBefore = false): void {
    this.#life.end();
    this.#life = new Life(steps, diesBefore);
    this.#lives += 1;
    const name = `life ${this.#lives}${this.#options.beside === undefined ? "" : " beside"}`;
    this.disk.forgetTold();
    const [life, clock] = [this.#life, this.clock];
    const journal: FileJournal = {
      call: (name, given) =>
        life.step(() => {
          if (this.isJournalFull) throw new BridgeError("UNWRITABLE", { what: "the disk is full" });
          return this.journal.call(name, structuredClone(given));
        }),
      close: async () => {},
    };
    const finder = {
      modes: this.disk.modes,
      pollReasons: this.disk.pollReasons,
      look: () => life.step(() => this.disk.look()),
      read: (given: Parameters<FakeDisk["read"]>[0]) => life.step(() => this.disk.read(given)),
      close: async () => {},
    };
    const { writer: taker = this.stores } = this.#options;
    const writer: RecordWriter = {
      write: (...given) => life.step(() => taker.write(...given)),
    };
    const common = { journal, clock, describe: describeSymbol };
    const sink = new StoreSink({
      ...{ ...common, name: "stores", writer, method: "fifo", draw: () => 0.5, onEvent: () => {} },
    });
    this.#watcher = new FileWatcher({
      ...{ ...common, finder, sinks: [sink], scanMs: 1_000, settleMs },
      roots: ["ledgers", "prices"],
      kindOf: (root) => (root === "prices" ? "prices" : "ledger"),
      ledgers: ledgerRows({ describe: describeSymbol, dayRule }),
      prices: priceRows(dayRule),
      digest: (before, bytes) => createHash("sha256").update(before).update(bytes).digest("hex"),
      today: () => this.today(),
      dayInName,
      rankOf: ledgerRank,
      republished: this.#options.republished,
      lease: {
        ...{ name, lastsMs: leaseMs },
        isDead: (holder) => holder.endsWith("beside") === name.endsWith("beside"),
      },
      onEvent: (event) => {
        if (event.kind === "watch_failed") this.failures.push(event.why);
        else if (event.kind !== "file" && event.kind !== "read")
          this.events.push(
            `${event.kind} ${"code" in event ? event.code : "path" in event ? event.path : ""}`,
          );
      },
    });
  }

  today(): number {
    const wall = wallOfInstant(this.clock.nowMs() * 1_000);
    return dayRule.dayOf(wall) ?? Math.floor(wall / dayUs);
  }

  /** Runs one pass of the living process. Returns whether the process died. */
  async pass(): Promise<boolean> {
    const work = async (): Promise<"passed"> => {
      await this.#watcher?.attempt();
      await this.#watcher?.carry().catch(() => {});
      return "passed";
    };
    return (await Promise.race([work(), this.#life.death])) === "died";
  }

  /** Stops the living process before its step `steps`, until the returned function is called. */
  freeze(steps: number): () => void {
    return this.#life.freeze(steps);
  }

  /** Advances the clock by each of the given times, and runs a pass after each of them. */
  async looks(...afterMs: readonly number[]): Promise<void> {
    for (const ms of afterMs) {
      this.clock.advance(ms);
      await this.pass();
    }
  }

  /** Runs passes of a process that does not die, until the state of every file is final. */
  async settle(): Promise<void> {
    this.stores.fault = "none";
    this.isJournalFull = false;
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
      if (rounds > 50)
        throw new Error(`the state of the files never becomes final: ${before} and then ${this.#state()}`);
    }
  }

  /** Whether the days of a file's name and of its last row are over. */
  readonly isOver = (path: string, content: string): boolean => {
    const [, ...date] = /,(\d{4})-(\d\d)-(\d\d) .*$/.exec(content) ?? [];
    return [path, date.join("")].every((text) => (dayInName(text) ?? 0) < this.today());
  };

  /** Checks that the stores hold the rows that the model computes from the files that count. */
  check(counted: ReadonlyMap<string, string>): void {
    const { sinks } = this.journal.call("report", null);
    expect(sinks.map(({ oldestMs, why }) => [oldestMs, why])).toEqual(sinks.map(() => [null, ""]));
    const model = expected(counted, this.isOver);
    const keys = this.stores.trades().map((key) => {
      const [id, symbol, , side, quantity, price, ms, occurrence] = JSON.parse(key);
      const wall = new Date(ms - 5 * 3_600_000).toISOString().slice(0, 19).replace("T", " ");
      return `${JSON.stringify([id, symbol, side, quantity, price, wall])} ${occurrence}`;
    });
    expect(keys.sort()).toEqual(model.trades);
    const stored = this.stores.positions();
    for (const symbol of symbols) {
      const wanted = model.positions.get(symbol) ?? { quantity: "0", points: "0" };
      const { quantity = "0", realized = "0" } = stored.get(` ${symbol}`) ?? {};
      expect(fraction(quantity), symbol).toBe(fraction(wanted.quantity));
      expect(fraction(realized) / 1_000, symbol).toBeCloseTo(fraction(wanted.points), 9);
    }
  }

  #state(): string {
    const { holder: _, ...report } = this.journal.call("report", null);
    return JSON.stringify([report, this.stores.trades()]);
  }
}

const fraction = (text: string): number => {
  const [numerator, denominator = "1"] = text.split("/");
  return Number(numerator) / Number(denominator);
};
