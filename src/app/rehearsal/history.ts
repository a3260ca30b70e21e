/** The history of a desk, divided into the days on which its files land. */
import { dayInName } from "../../adapters/csv/ledger-lines.ts";
import { findPriceFiles } from "../../adapters/csv/price-files.ts";
import { BridgeError } from "../../base/errors.ts";
import { at } from "../../base/present.ts";
import type { Config } from "../../config/index.ts";
import { formatDay } from "../../domain/market/chicago-time.ts";
import { type DayNumber, nextBusinessDay, parseDay } from "../../domain/market/trading-day.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { Explanation } from "../../ports/explanation.ts";
import type { ParityReport, ParityRow } from "../../ports/parity-report.ts";
import { assumedCause } from "../../ports/tallies.ts";
import type { PnlRun } from "../parity/pnl-run.ts";
import { type ReplayOptions, replay } from "../parity/replay.ts";

export interface PlayedDay {
  /** YYYY-MM-DD. */
  readonly day: string;
  /** The files of trades and of prices that land on this day. */
  readonly ledgers: readonly string[];
  readonly prices: readonly string[];
  readonly trades: number;
  /** The number of lanes (a book and an instrument) in `rows`, counted again for each day. */
  readonly lanes: number;
  /** The daily rows of both systems that follow from these files. */
  readonly rows: readonly ParityRow[];
}

export interface DeskHistory {
  /** The days before the rehearsal begins: a history that was replayed beforehand. */
  readonly before: readonly PlayedDay[];
  readonly days: readonly PlayedDay[];
  readonly explanations: readonly Explanation[];
  /** The explanations that count as accepted. */
  readonly accepted: ReadonlySet<string>;
  readonly systems: Config["systems"];
  readonly dayRule: PnlRun["dayRule"];
  /** The time that each system of the desk took for the whole history; absent if built in or recorded. */
  readonly tookMs: Readonly<Partial<Record<Side, number>>>;
  readonly refusedRows: number;
  readonly books: readonly string[];
}

export interface HistoryOptions extends ReplayOptions {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/**
 * Runs both systems once over the whole history, and divides their daily rows and the files into days. Every
 * business day between the first and the last day is a day, with or without files. Throws the errors of
 * `replay`, and NO_INPUT if no trade or no day is left to play.
 */
export async function deskHistory(options: HistoryOptions): Promise<DeskHistory> {
  const [from, to] = [dayOption("from", options.from), dayOption("to", options.to)];
  const run: { world?: PnlRun; systems?: Config["systems"] } = {};
  const tookMs: Partial<Record<Side, number>> = {};
  const report = await replay({
    ...options,
    onWorld: (world, systems) => Object.assign(run, { world, systems }),
    onTimed: (side, ms) => {
      tookMs[side] = ms;
    },
  });
  const { world, systems } = run;
  if (world === undefined || systems === undefined) throw new Error("broken invariant: the replay has run");
  if (world.input.accepted === 0)
    throw new BridgeError("NO_INPUT", {
      what: "the ledgers hold no trade",
      where: options.trades.join(", "),
      fix: "name ledgers with trades, such as --trades ./trade_ledger",
    });
  const explanations = report.explanations ?? [];
  const accepted = new Set(explanations.filter(isLegacyDefect).map(({ id }) => id));
  const all = daysOf(report, world, await landings(world, options.prices ?? []), to);
  const isPlayed = ({ day }: PlayedDay): boolean => (from ?? day) <= day && day <= (to ?? day);
  const days = all.filter(isPlayed);
  const [first] = days;
  if (first === undefined)
    throw new BridgeError("NO_INPUT", {
      what: `the history has no trading day in that period: it has ${all[0]?.day} to ${all.at(-1)?.day}`,
      fix: "choose --from and --to among these days",
    });
  return {
    before: all.filter(({ day }) => day < first.day),
    days,
    explanations: explanations.map((one) =>
      accepted.has(one.id) ? { ...one, accepted: one.causes.map(acceptedUnder) } : one,
    ),
    accepted,
    systems,
    dayRule: world.dayRule,
    tookMs,
    refusedRows: world.quarantine.length,
    books: [...new Set(world.input.trades.instruments.flatMap(({ book }) => book ?? []))].toSorted(),
  };
}

function dayOption(name: string, text: string | undefined): string | undefined {
  if (text === undefined || parseDay(text) !== undefined) return text;
  throw new BridgeError("BAD_USAGE", {
    what: `--${name} ${JSON.stringify(text)} is not a day`,
    fix: "write a day such as 2025-07-24",
  });
}

/**
 * Whether legacy is proved to cause the whole difference. The people of a real desk would accept such a
 * cause; they would not accept a defect of modern or an unexplained difference.
 */
const isLegacyDefect = ({ causes, unexplained }: Explanation): boolean =>
  unexplained === "0" &&
  causes.length > 0 &&
  causes.every(({ level, side }) => level === "proved" && side === "legacy");

const acceptedUnder = ({ code }: Explanation["causes"][number]) => ({
  id: assumedCause,
  code,
  owner: "simulated",
  until: "9999-12-31",
});

interface Landing {
  readonly path: string;
  readonly day: DayNumber;
}

interface Landings {
  readonly ledgers: readonly Landing[];
  readonly prices: readonly Landing[];
}

/**
 * A ledger lands on the day in its name, or else on its last trading day. A price file without a day in its
 * name is left out.
 */
async function landings(world: PnlRun, prices: readonly string[]): Promise<Landings> {
  const { trades } = world.input;
  const lastDay = world.ledgers.map(() => 0);
  for (let trade = 0; trade < trades.length; trade++) {
    const { file } = trades.placeOf(trade);
    lastDay[file] = Math.max(lastDay[file] ?? 0, trades.dayAt(trade));
  }
  return {
    ledgers: world.ledgers.map((path, file) => ({ path, day: dayInName(path) ?? lastDay[file] ?? 0 })),
    prices: (prices.length === 0 ? [] : await findPriceFiles(prices)).flatMap((path) => {
      const day = dayInName(path);
      return day === undefined ? [] : [{ path, day }];
    }),
  };
}

/** Returns the days of a history; if `to` is later than the last one, the days continue to `to`. */
function daysOf(
  report: ParityReport,
  world: PnlRun,
  { ledgers, prices }: Landings,
  to: string | undefined,
): readonly PlayedDay[] {
  const days = new Map<DayNumber, Growing>();
  const dayOf = (day: DayNumber): Growing => {
    const found = days.get(day) ?? { ledgers: [], prices: [], rows: [], trades: 0 };
    days.set(day, found);
    return found;
  };
  const landed = new Map<string, DayNumber>();
  for (const { path, day } of ledgers) dayOf(day).ledgers.push(path);
  for (const [day, count] of tradesByDay(world, ledgers, landed)) dayOf(day).trades += count;
  for (const row of report.rows) {
    const { book = "", symbol, tradingDay } = row.key;
    if (row.kind !== "daily" || tradingDay === undefined) continue;
    // A row counts on the day on which the last file with a trade of it lands.
    const day = landed.get(`${tradingDay}\n${book}\n${symbol}`) ?? parseDay(tradingDay) ?? 0;
    dayOf(day).rows.push(row);
  }
  const played = [...days.keys()].toSorted((one, other) => one - other);
  const [first = 0, last = 0] = [played[0], played.at(-1)];
  const end = Math.max(last, (to === undefined ? undefined : parseDay(to)) ?? last);
  for (let day = nextBusinessDay(first); day <= end; day = nextBusinessDay(day)) dayOf(day);
  // Prices of a day that is not played are left out.
  for (const { path, day } of prices) days.get(day)?.prices.push(path);
  return [...days]
    .toSorted(([one], [other]) => one - other)
    .map(([day, found]) => ({ day: formatDay(day), lanes: lanesIn(found.rows), ...found }));
}

const lanesIn = (rows: readonly ParityRow[]): number =>
  new Set(rows.map(({ key: { book, symbol, tradingDay } }) => JSON.stringify([book, symbol, tradingDay])))
    .size;

interface Growing {
  readonly ledgers: string[];
  readonly prices: string[];
  readonly rows: ParityRow[];
  trades: number;
}

/** The number of trades that land on each day. Sets `landed` to the day on which a lane-day is complete. */
function tradesByDay(
  { input: { trades } }: PnlRun,
  ledgers: readonly Landing[],
  landed: Map<string, DayNumber>,
): ReadonlyMap<DayNumber, number> {
  const counts = new Map<DayNumber, number>();
  for (let trade = 0; trade < trades.length; trade++) {
    const { day } = at(ledgers, trades.placeOf(trade).file);
    const { symbol, book } = trades.instrumentAt(trade);
    const own = Math.max(day, trades.dayAt(trade));
    const lane = `${formatDay(trades.dayAt(trade))}\n${book ?? ""}\n${symbol}`;
    landed.set(lane, Math.max(landed.get(lane) ?? 0, own));
    counts.set(day, (counts.get(day) ?? 0) + 1);
  }
  return counts;
}
