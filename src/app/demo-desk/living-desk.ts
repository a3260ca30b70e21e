/**
 * The living demo: a desk whose ledgers grow and whose traders ask for P&L while the bridge serves its page.
 */
import { randomBytes } from "node:crypto";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import { oneAtATime } from "../../base/one-at-a-time.ts";
import { at, present } from "../../base/present.ts";
import { dayUs, formatInstant, instantOfWall, wallOfInstant } from "../../domain/market/chicago-time.ts";
import { weekday } from "../../domain/market/trading-day.ts";
import { LegacyDesk } from "../../legacy-desk/index.ts";
import { makeFolder } from "../../platform/output.ts";
import { threadFile } from "../../platform/thread-rpc.ts";
import type { ServiceTrade } from "../../ports/pnl-service.ts";
import { productOfRoot } from "../../symbols/index.ts";
import type { PnlBridge } from "../bridge/pnl-bridge.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { symbolBridge } from "../symbols/symbols.ts";
import { demoBooks } from "./demo-legacy.ts";
import { compactDay } from "./instruments.ts";
import { eveningMs, ledgerHeader, wallText } from "./ledger-text.ts";
import { type Random, randomFrom } from "./random.ts";

export interface LivingDesk {
  /** The configuration file that `serve` opens. */
  readonly config: string;
  /** The tokens of two people, by the environment variables that the configuration names. */
  readonly env: { readonly DEMO_OPERATOR_TOKEN: string; readonly DEMO_VIEWER_TOKEN: string };
  /** Starts the traders on the bridge of that configuration. Returns a function that stops them. */
  start(bridge: PnlBridge): Promise<() => Promise<void>>;
}

/** The time of each event of the demo, in milliseconds after the start. */
interface Moments {
  /** From then on UST trades the two-year note, and its answers differ. */
  readonly twoYearNote: number;
  /** A file arrives that has a row which is not a valid trade. */
  readonly badRow: number;
  /** Somebody changes an old ledger. */
  readonly republished: number;
}
const demoMoments: Moments = { twoYearNote: 12_000, badRow: 20_000, republished: 35_000 };
const tradeMs = 1_000;
const callMs = 400;
const rampMs = 40_000;

/** Writes the files of a living desk into an existing folder. */
export async function makeLivingDesk(
  folder: string,
  seed: number,
  moments: Moments = demoMoments,
): Promise<LivingDesk> {
  const ledgers = join(folder, "trade_ledger");
  await makeFolder(ledgers);
  const config = join(folder, "pnl_migration_config.yaml");
  await writeFile(config, configText);
  const module = JSON.stringify(threadFile("demo-legacy", import.meta.url).href);
  const legacy = `import { demoLegacy } from ${module};\nexport default demoLegacy(${JSON.stringify(ledgers)});\n`;
  await writeFile(join(folder, "legacy.mjs"), legacy);
  await new LegacyDesk({ database: join(folder, "pnl_tracker.db") }).history({ ledgers: [] });
  const desk = new Desk(ledgers, randomFrom(seed));
  await desk.writePast();
  const token = () => randomBytes(12).toString("hex");
  return {
    config,
    env: { DEMO_OPERATOR_TOKEN: token(), DEMO_VIEWER_TOKEN: token() },
    start: (bridge) => start(bridge, desk, moments),
  };
}

/**
 * Two triggers are off, since the demo shows a divergence and a quarantined row on purpose. Tess, who trades
 * the book that diverges, stays with legacy.
 */
const configText = `# The configuration of the living demo.
migration:
  phase: dual_write
  feature_flags: { use_new_calculator: true, use_new_storage: true, use_new_reports: false }
  traffic_routing: { new_system_percentage: 0, user_denylist: [tess], bucket_by: book }
  triggers: { served_mismatch: false, quarantine: false }
systems:
  legacy: { kind: module, path: ./legacy.mjs, pnl_in: points, day_rule: calendar }
gates: { profile: trial }
stores:
  control: sqlite:./control.db
  legacy: sqlite:./pnl_tracker.db
  modern: sqlite:./newpnl.db
shadow: { keep_requests: 100000 }
watch:
  trade_ledger: ./trade_ledger
gateway:
  listen: 127.0.0.1:0
  tokens:
    - { name: olivia, role: operator, env: DEMO_OPERATOR_TOKEN }
    - { name: victor, role: viewer, env: DEMO_VIEWER_TOKEN }
`;

interface Future {
  readonly book: string;
  readonly symbol: string;
  readonly tick: number;
  price: number;
  position: number;
}

const startPrices = { ZN: 110.890625, ZF: 108.203125, ZB: 113.4375, ZT: 103.65625 };

/** The traders' files and trades. */
class Desk {
  readonly #ledgers: string;
  readonly #random: Random;
  readonly #futures: readonly Future[];
  readonly #trades = new Map<string, ServiceTrade[]>();
  #id = 0;
  /** The names of the ledgers that exist. */
  readonly #files = new Set<string>();

  constructor(ledgers: string, random: Random) {
    this.#ledgers = ledgers;
    this.#random = random;
    this.#futures = Object.entries(startPrices).map(([root, price]) => ({
      book: present(demoBooks[root], `${root} belongs to a book`),
      symbol: futureSymbol(root),
      tick: Number(productOfRoot(root)?.tick),
      price,
      position: 0,
    }));
  }

  /** Writes the ledgers of the last three business days. */
  async writePast(): Promise<void> {
    const today = chicago().day;
    const days = [1, 2, 3, 4, 5].map((back) => today - back).filter((day) => weekday(day) % 6 !== 0);
    for (const day of days.slice(0, 3).reverse())
      for (let index = 0; index < 40; index++)
        await this.#write(day, 15 * hourMs + index * 12 * 60_000, false);
  }

  /** Writes a trade of the present time. The two-year note is traded only if `isTwoYearTraded`. */
  async trade(isTwoYearTraded: boolean): Promise<void> {
    const { day, sinceMs } = chicago();
    await this.#write(day, sinceMs, isTwoYearTraded);
  }

  /** Writes a ledger whose last row is not a valid trade. */
  async landBadRow(): Promise<void> {
    const { day } = chicago();
    const name = `trades_${compactDay(day)}_by_hand.csv`;
    const row = `${this.#nextId()},${at(this.#futures, 0).symbol},yesterday,B,1.0,110.5,RATES`;
    await writeFile(join(this.#ledgers, name), `${ledgerHeader},book\n${row}\n`);
  }

  /** Somebody corrects a price in the oldest ledger. */
  async republish(): Promise<void> {
    const path = join(this.#ledgers, at([...this.#files], 0));
    const lines = (await readFile(path, "utf8")).split("\n");
    const cells = at(lines, 1).split(",");
    cells[5] = String(Number(cells[5]) + 1 / 64);
    lines[1] = cells.join(",");
    await writeFile(path, lines.join("\n"));
  }

  /** The latest trades of a book, with the last price of each symbol. */
  requestOf(book: string) {
    const marks = this.#futures
      .filter((future) => future.book === book)
      .map(({ symbol, price }) => [symbol, `${price}`]);
    return {
      trades: this.#trades.get(book) ?? [],
      marks: Object.fromEntries(marks) as Record<string, string>,
    };
  }

  #nextId(): string {
    this.#id += 1;
    return String(this.#id);
  }

  async #write(day: number, sinceMs: number, isTwoYearTraded: boolean): Promise<void> {
    const traded = this.#futures.filter(({ book }) => isTwoYearTraded || book !== "UST");
    const future = this.#random.pick(traded);
    future.price += future.tick * this.#random.pick([-2, -1, -1, 0, 1, 1, 2]);
    const size = this.#random.pick([1, 1, 2, 3, 5]);
    // A large position is reduced, so that the figures stay readable.
    const isBuy = Math.abs(future.position) > 12 ? future.position < 0 : this.#random.chance(0.5);
    future.position += isBuy ? size : -size;
    const [id, side] = [this.#nextId(), isBuy ? ("B" as const) : ("S" as const)];
    const time = wallText(day, sinceMs, 3);
    const name = `trades_${compactDay(day)}.csv`;
    const row = `${[id, future.symbol, time, side, `${size}.0`, future.price, future.book].join(",")}\n`;
    await appendFile(join(this.#ledgers, name), this.#files.has(name) ? row : `${ledgerHeader},book\n${row}`);
    this.#files.add(name);
    const trades = [
      ...(this.#trades.get(future.book) ?? []),
      {
        id,
        symbol: future.symbol,
        side,
        quantity: String(size),
        price: String(future.price),
        time: instantText(day, sinceMs),
      },
    ];
    this.#trades.set(future.book, trades.slice(-12));
  }
}

const hourMs = 3_600_000;

/** The day in Chicago, and the milliseconds since 17:00 of the day before. */
function chicago(): { readonly day: number; readonly sinceMs: number } {
  const wallUs = wallOfInstant(systemClock.nowMs() * 1_000);
  const day = Math.floor(wallUs / dayUs);
  return { day, sinceMs: Math.floor((wallUs - day * dayUs) / 1_000) + eveningMs };
}

const instantText = (day: number, sinceMs: number): string =>
  formatInstant(instantOfWall(day * dayUs + (sinceMs - eveningMs) * 1_000));

/**
 * The ledger's symbol of the future that will be a product's front contract in 40 days. So the demo trades no
 * contract in its last weeks.
 */
function futureSymbol(root: string): string {
  const symbols = symbolBridge(chicago().day + 40);
  const found = symbols.canonical(root, "cme");
  const printed = found.ok ? symbols.print(found.instrument, "actant-trades") : found;
  return present(printed.ok ? printed.text : undefined, `${root} has a front future`);
}

const traders = [
  { user: "amy", book: "RATES" },
  { user: "bob", book: "LONG" },
  { user: "carl", book: "FLOW" },
  { user: "tess", book: "UST" },
] as const;

async function start(bridge: PnlBridge, desk: Desk, moments: Moments): Promise<() => Promise<void>> {
  await beginRamp(present(bridge.control, "the demo has a control store"));
  const startMs = systemClock.monotonicMs();
  const isPast = (moment: number): boolean => systemClock.monotonicMs() - startMs >= moment;
  const once = [
    { at: moments.badRow, happens: () => desk.landBadRow() },
    { at: moments.republished, happens: () => desk.republish() },
  ];
  const trade = oneAtATime(async () => {
    await desk.trade(isPast(moments.twoYearNote));
    const [next] = once;
    if (next === undefined || !isPast(next.at)) return;
    once.shift();
    await next.happens();
  });
  let calls = 0;
  const call = oneAtATime(async () => {
    const { user, book } = at(traders, calls % traders.length);
    calls += 1;
    const request = desk.requestOf(book);
    if (request.trades.length > 0) await bridge.service.call("calculatePnl", request, { user, book });
    if (calls % 7 === 0) await bridge.dashboard.getPnlData({ view: "screen", user, book });
  });
  // A call may be refused while the bridge closes; the demo continues.
  const stops = [
    systemClock.every(tradeMs, () => void trade().catch(() => {})),
    systemClock.every(callMs, () => void call().catch(() => {})),
  ];
  return async () => {
    for (const stop of stops) stop();
    await Promise.allSettled([trade(), call()]);
  };
}

/** Grants dual_write without its gates, and begins a ramp. */
async function beginRamp({ store, follower, operator }: ControlPlane): Promise<void> {
  const actor = "demo";
  await store.change({
    ...{ actor, action: "phase", reason: "the demo begins in dual_write, without its gates" },
    set: { grantedPhase: "dual_write" },
    expectedEpoch: follower.record.epoch,
  });
  const ramp = { steps: [25, 50, 75], dwellMs: rampMs, endsIn: "stay" } as const;
  await operator.ramp(ramp, { actor, reason: "modern takes over the users step by step" });
}
