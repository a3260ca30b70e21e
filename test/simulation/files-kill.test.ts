/**
 * Kills real processes that watch real folders at random moments, while a program appends to, rewrites,
 * replaces and renames ledgers. At the end both stores must hold each row once, like an independent model,
 * without a person's help.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { type Random, randomFrom } from "../../src/app/demo-desk/random.ts";
import { at } from "../../src/base/present.ts";
import { connectionTo } from "../../src/testing/sqlite-files.ts";
import { until } from "../../src/testing/until.ts";
import { python, pythonMissing } from "../../src/testing/worker-programs.ts";
import { isLongRun, longSeconds, variant } from "../campaigns.ts";
import { main, pnlBridge } from "../cli/run-cli.ts";
import { expected, header, rowOf, symbols } from "./files/model.ts";

const isLong = isLongRun("files-kill");
const killsMax = Number(process.env.KILLS ?? (isLong ? 200 : 1));
const killsOfEpisode = isLong ? 10 : 1;
const names = ["22", "22_b", "23", "24"].map((day) => `trades_202507${day}.csv`);

/** A folder of ledgers and a program that writes them like an exporter. */
class Exporter {
  /**
   * The content of each file that must count. A file that is renamed keeps its last content under its former
   * name.
   */
  readonly contents = new Map<string, string>();
  readonly #folder: string;
  readonly #random: Random;
  #ids = 0;

  constructor(folder: string, random: Random) {
    this.#folder = folder;
    this.#random = random;
  }

  /** Changes one file in one of the ways that a watcher must handle. */
  async change(): Promise<void> {
    const random = this.#random;
    const name = at(names, random.below(names.length));
    const path = join(this.#folder, name);
    const before = this.contents.get(name);
    if (before === undefined) {
      const [source] = [...this.contents.values()].filter(() => random.chance(0.3));
      return this.#write(name, source ?? header + this.#rows(name));
    }
    const longer = before + this.#rows(name);
    switch (random.below(5)) {
      case 0:
        writeFileSync(`${path}.tmp`, longer);
        renameSync(`${path}.tmp`, path);
        break;
      case 1:
        return this.#write(name, longer);
      case 2: {
        const lines = before.split("\n");
        if (lines.length > 3) lines.splice(1 + random.below(lines.length - 2), 1);
        return this.#write(name, lines.join("\n"));
      }
      case 3: {
        const other = names.find((one) => !this.contents.has(one));
        if (other === undefined) return this.#append(name, longer.slice(before.length));
        writeFileSync(path, before);
        renameSync(path, join(this.#folder, other));
        this.contents.set(other, before);
        return;
      }
      default:
        return this.#append(name, longer.slice(before.length));
    }
    this.contents.set(name, longer);
  }

  /** Writes every file once more, because after a rename a name may be missing. */
  async end(): Promise<void> {
    for (const [name, content] of this.contents) await this.#write(name, content);
  }

  async #write(name: string, content: string): Promise<void> {
    writeFileSync(join(this.#folder, name), "");
    this.contents.set(name, "");
    await this.#append(name, content);
  }

  /**
   * Appends in pieces that end anywhere, with pauses in which a watcher may read a cut row as a whole one.
   */
  async #append(name: string, added: string): Promise<void> {
    const path = join(this.#folder, name);
    for (let from = 0; from < added.length; ) {
      const to = from + 1 + this.#random.below(added.length);
      appendFileSync(path, added.slice(from, to));
      from = to;
      if (this.#random.chance(0.5)) await sleep(this.#random.below(60));
    }
    this.contents.set(name, (this.contents.get(name) ?? "") + added);
  }

  #rows(name: string): string {
    const random = this.#random;
    return Array.from({ length: 1 + random.below(4) }, () => {
      if (random.chance(0.1)) return "oops,,,\n";
      this.#ids += 1;
      const row = rowOf({
        id: `${this.#ids}`,
        symbol: at(symbols, random.below(2)),
        time: `2025-07-${name.slice(13, 15)} 0${random.below(9)}:0${random.below(9)}:0${random.below(9)}`,
        side: random.chance(0.5) ? "B" : "S",
        quantity: `${1 + random.below(9)}`,
        price: `110.${1 + random.below(999)}`,
      });
      return random.chance(0.1) ? row.repeat(2) : row;
    }).join("");
  }
}

/** A desk's folder with a configuration, and the processes that watch it. */
class WatchedDesk {
  readonly folder = mkdtempSync(join(tmpdir(), "pnl-bridge-files-kill-"));
  readonly ledgers = join(this.folder, "ledgers");
  readonly #config = join(this.folder, "pnl_migration_config.yaml");
  #child: ChildProcess | undefined;

  constructor() {
    mkdirSync(this.ledgers);
    this.#configure("auto");
  }

  #configure(mode: "auto" | "poll"): void {
    const config = {
      migration: { phase: "dual_write", feature_flags: { use_new_storage: true } },
      stores: { legacy: "sqlite:./pnl_tracker.db", modern: "sqlite:./newpnl.db" },
      gateway: { listen: "127.0.0.1:0" },
      watch: { trade_ledger: "./ledgers", settle_ms: 20, scan_ms: 100, republished: "apply", mode },
    };
    writeFileSync(this.#config, JSON.stringify(config));
  }

  /** Starts a process that watches. `hasWritten` returns whether it has written a line. */
  start(mode: "auto" | "poll", ...command: readonly string[]): { readonly hasWritten: () => boolean } {
    this.#configure(mode);
    const args = [main, ...command];
    const child = spawn(process.execPath, args, { cwd: this.folder, stdio: ["ignore", "pipe", "ignore"] });
    let hasLine = false;
    child.stdout.on("data", () => {
      hasLine = true;
    });
    this.#child = child;
    return {
      hasWritten: () => {
        expect(child.exitCode, "the watching process goes on").toBeNull();
        return hasLine;
      },
    };
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.on("close", resolve));
    child.kill("SIGKILL");
    await ended;
    this.#child = undefined;
  }

  run(...args: readonly string[]) {
    return pnlBridge([...args, "--json"], { cwd: this.folder });
  }

  /** Returns the trades of modern's store in the model's form. */
  trades(): readonly string[] {
    const columns = "trade_id, symbol, side, quantity, price, traded_at, occurrence";
    return this.#modern(`SELECT ${columns} FROM newpnl_trades`)
      .map(({ trade_id, symbol, side, quantity, price, traded_at, occurrence }) => {
        const content = [trade_id, symbol, side, quantity, price, traded_at?.slice(0, 19).replace("T", " ")];
        return `${JSON.stringify(content)} ${occurrence}`;
      })
      .sort();
  }

  /** Checks that both stores hold the rows that the model computes from the files that count. */
  async check(contents: ReadonlyMap<string, string>): Promise<void> {
    const model = expected(contents, () => true);
    expect(this.trades()).toEqual(model.trades);
    const positions = this.#modern("SELECT symbol, quantity, realized FROM newpnl_positions");
    for (const [symbol, { quantity, points }] of model.positions) {
      const stored = positions.find((position) => position.symbol === symbol);
      expect(numberOf(stored?.quantity), symbol).toBe(numberOf(quantity));
      expect(numberOf(stored?.realized) / 1_000, symbol).toBeCloseTo(numberOf(points), 6);
    }
    const { out } = await this.run("db", "reconcile");
    expect(JSON.parse(out)).toMatchObject({ complete: true, unexplained: 0 });
  }

  /** Returns rows of modern's tables, none before they are created. */
  #modern(sql: string): readonly Readonly<Record<string, string>>[] {
    using database = connectionTo(join(this.folder, "newpnl.db"), { timeout: 5_000 });
    const isThere = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'newpnl_trades'").get();
    return isThere === undefined ? [] : database.prepare<[], Record<string, string>>(sql).all();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const numberOf = (text = "0"): number => {
  const [numerator, denominator = "1"] = text.split("/");
  return Number(numerator) / Number(denominator);
};

/**
 * Runs processes that watch, kills them, completes the work with one more process, and checks both stores.
 */
async function episode(random: Random, untilMs: number): Promise<number> {
  await using desk = new WatchedDesk();
  const exporter = new Exporter(desk.ledgers, random);
  let kills = 0;
  for (; kills < killsOfEpisode && Date.now() < untilMs; kills += 1) {
    const { hasWritten } = desk.start(kills % 2 === 0 ? "poll" : "auto", "watch", "--follow", "--json");
    // Some processes are killed before they have opened the stores.
    const isEarly = random.chance(0.15);
    const endMs = Date.now() + random.below(isEarly ? 500 : 250);
    const isOver = (): boolean => Date.now() >= endMs && (isEarly || hasWritten());
    await until(async () => {
      await exporter.change();
      return isOver();
    }, "the process that is killed next has written a line");
    if (!isEarly) await sleep(random.below(150));
    await desk.kill();
  }
  await exporter.end();
  const once = await desk.run("watch", "--once");
  expect(once.code, once.err).toBeLessThan(2);
  expect(JSON.parse(once.out).reviews).toEqual([]);

  await desk.check(exporter.contents);
  return kills;
}

it(
  "processes that watch folders and are killed lose no row, double none, and need no person",
  variant,
  async () => {
    const untilMs = Date.now() + (isLong ? longSeconds * 1_000 : Number.POSITIVE_INFINITY);
    let kills = 0;
    for (let seed = Number(process.env.SEED ?? 1); kills < killsMax && Date.now() < untilMs; seed += 1)
      kills += await episode(randomFrom(seed), untilMs).catch((cause) => {
        throw new Error(`to repeat: SEED=${seed} ./run test test/simulation/files-kill.test.ts`, { cause });
      });
    if (isLong) console.info(`files-kill: ${kills} kills`);
  },
);

/** A program that writes the ledgers of two days like a desk's exporter, in some seconds. */
const exporterProgram = `
import datetime, os, random, sys, time
folder = sys.argv[1]
random.seed(int(sys.argv[2]))
today = datetime.date.today()
days = [today, today - datetime.timedelta(days=1)]
ledgers = {os.path.join(folder, "trades_%s.csv" % day.strftime("%Y%m%d")): (day, [sys.argv[3]]) for day in days}
number = 0

def rows(day, hour):
    global number
    for _ in range(random.randint(1, 5)):
        number += 1
        symbol = random.choice(sys.argv[4:6])
        moment = "%s %02d:%02d:%02d" % (day.isoformat(), hour, random.randrange(60), random.randrange(60))
        yield "%d,%s,%s,%s,%d,110.%d\\n" % (
            number, symbol, moment, random.choice("BS"), random.randint(1, 9), random.randint(1, 99))

def pause():
    time.sleep(random.random() * 0.02)

for hour in range(7, 17):
    for path, (day, lines) in ledgers.items():
        added = list(rows(day, hour))
        way = random.choice(("flushed", "buffered", "rewritten", "replaced")) if hour > 7 else "rewritten"
        if way == "rewritten" and len(lines) > 4:
            del lines[random.randrange(1, len(lines))]  # a cancelled trade
        lines += added
        if way == "flushed":
            with open(path, "a") as ledger:
                for line in added:
                    ledger.write(line)
                    ledger.flush()
                    pause()
        elif way == "buffered":
            # Reaches the file in blocks that end anywhere.
            with open(path, "ab", buffering=48) as ledger:
                for line in added:
                    ledger.write(line.encode())
                    pause()
        elif way == "rewritten":
            with open(path, "wb", buffering=512) as ledger:
                for line in lines:
                    ledger.write(line.encode())
        else:
            with open(path + ".tmp", "w") as ledger:
                ledger.writelines(lines)
            os.replace(path + ".tmp", path)
        pause()
`;

it.skipIf(python === undefined)(
  `the ledgers that a desk's exporter writes reach both databases through serve, and reconcile explains every difference (${pythonMissing ?? "with python3"})`,
  async () => {
    await using desk = new WatchedDesk();
    const { hasWritten } = desk.start("auto", "serve");
    await until(hasWritten, "serve has printed its address");
    const given = [desk.ledgers, process.env.SEED ?? "1", header, ...symbols];
    await promisify(execFile)(python ?? "", ["-c", exporterProgram, ...given]);
    const contents = new Map(
      readdirSync(desk.ledgers).map((name) => [name, readFileSync(join(desk.ledgers, name), "utf8")]),
    );
    const { trades } = expected(contents, () => true);
    await until(() => JSON.stringify(desk.trades()) === JSON.stringify(trades), "modern has every trade");
    const status = await desk.run("watch", "status");
    expect(JSON.parse(status.out)).toMatchObject({ reviews: [], sinks: { legacy: { state: "ok" } } });
    await desk.check(contents);
  },
);
