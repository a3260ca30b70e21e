import { open } from "node:fs/promises";
import { at } from "../../base/present.ts";
import { inPieces } from "../../base/text-pieces.ts";
import { dayNumber, nextBusinessDay } from "../../domain/market/trading-day.ts";
import { symbolsMax, unwritable } from "./desk.ts";
import { frontFutures, optionOf, optionTick } from "./instruments.ts";
import { ledgerHeader, wallText } from "./ledger-text.ts";
import { type Random, randomFrom } from "./random.ts";

interface LedgerFileOptions {
  /** Default 1. */
  readonly seed?: number;
  readonly trades: number;
  /** Distinct instruments: four futures, then options. Default 100, at most 200. */
  readonly symbols?: number;
}

const sessionMs = 23 * 3_600_000;
const sessions = 5;

/**
 * Writes one large ledger for benchmarks: any number of rows in time order, spread over one week of sessions,
 * without oddities. Positions grow, shrink and cross zero; nothing expires. Only one piece of 64 kB is in
 * memory at a time. The same options write the same bytes. Throws RangeError, BridgeError UNWRITABLE.
 */
export async function generateLedgerFile(
  path: string,
  options: LedgerFileOptions,
): Promise<{ readonly bytes: number }> {
  const { seed = 1, trades, symbols = 100 } = options;
  if (!(Number.isInteger(symbols) && symbols >= 1 && symbols <= symbolsMax))
    throw new RangeError(`symbols must be a whole number from 1 to ${symbolsMax}, not ${symbols}`);
  if (!(Number.isSafeInteger(trades) && trades >= 0))
    throw new RangeError(`trades must be a whole number, not ${trades}`);
  const fail = (cause: unknown): never => {
    throw unwritable(path, cause);
  };
  let bytes = 0;
  await using file = await open(path, "w").catch(fail);
  for (const piece of inPieces(lines(randomFrom(seed), trades, symbols))) {
    await file.appendFile(piece, "latin1").catch(fail);
    bytes += piece.length;
  }
  return { bytes };
}

function* lines(random: Random, trades: number, symbolCount: number): Generator<string> {
  const lanes = lanesOf(symbolCount);
  const days = [dayNumber(2025, 7, 14)];
  while (days.length < sessions) days.push(nextBusinessDay(at(days, -1)));
  yield `${ledgerHeader}\n`;
  for (let trade = 0; trade < trades; trade++) {
    const lane = random.pick(lanes);
    lane.ticks = Math.max(lane.ticksMin, lane.ticks + random.below(5) - 2);
    const sinceStart = Math.floor((trade / trades) * sessions * sessionMs);
    const session = Math.floor(sinceStart / sessionMs);
    const time = wallText(at(days, session), sinceStart - session * sessionMs, 3);
    const price = lane.ticks * lane.tick;
    const side = random.chance(0.5) ? "B" : "S";
    const priceText = Number.isInteger(price) ? `${price}.0` : price;
    yield `${trade + 1},${lane.symbol},${time},${side},${1 + random.below(20)}.0,${priceText}\n`;
  }
}

interface GeneratedLane {
  readonly symbol: string;
  readonly tick: number;
  readonly ticksMin: number;
  ticks: number;
}

function lanesOf(count: number): GeneratedLane[] {
  const lanes = frontFutures.map(({ symbol, tick }) => ({
    symbol,
    tick,
    ticks: Math.round(110 / tick),
    ticksMin: 1,
  }));
  // Options of later weeks, so that none expires during the ledger.
  let expiry = dayNumber(2025, 7, 18);
  for (let ring = 0; lanes.length < count; ring = (ring + 1) % 10) {
    if (ring === 0) expiry = nextBusinessDay(expiry);
    const { symbol } = optionOf(ring % 2 === 0 ? "C" : "P", expiry, 110 + (ring >> 1) * 0.25);
    lanes.push({ symbol, tick: optionTick, ticks: 48, ticksMin: 1 });
  }
  return lanes.slice(0, count);
}
