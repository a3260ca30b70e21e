import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runPnl } from "../../src/app/parity/pnl-run.ts";
import { parseDecimal } from "../../src/base/decimal.ts";
import { formatFraction, fromDecimal } from "../../src/base/fraction.ts";
import { type DayMark, Figures, type LaneTrade } from "../../src/bridges/files/figures.ts";
import { formatInstant } from "../../src/domain/market/chicago-time.ts";
import {
  type Describe,
  MarkBook,
  type Method,
  markKinds,
  methods,
  PnlEngine,
  statementOf,
  TradeColumns,
} from "../../src/engine/index.ts";
import { instrumentOf, ownName } from "../../src/engine/trade-columns.ts";
import { runs } from "../campaigns.ts";
import { hasSharedData, sharedData } from "../shared-data.ts";

type Change = Parameters<Figures["change"]>[0];
type FigureRecord = Awaited<ReturnType<Figures["change"]>>[number];

const day0 = 20_284;
const dayUs = 86_400e6;

/** Symbols by instrument: one with two spellings, an option, and one whose product is unknown. */
const spellings = {
  "ZN.2025-09": ["TYU5 Comdty", "XCMEFFDPSX20250919U0ZN"],
  "OZN.2025-07-25.C110.5": ["XCMEOCADPS20250725Q0OZN/110.5"],
  NONESUCH: ["NONESUCH"],
};
const instruments = Object.keys(spellings) as (keyof typeof spellings)[];
const [future = "NONESUCH"] = instruments;
const described: Describe = (symbol) => {
  const instrument = instruments.find((name) => spellings[name].includes(symbol));
  return instrument === undefined || instrument === "NONESUCH"
    ? undefined
    : { instrument, multiplier: instrument.startsWith("ZN") ? "1000" : "15.625", currency: "USD" };
};

const tradeOf = fc
  .record({
    // Most trades are in one lane, at few times, so that many times are equal.
    instrument: fc.constantFrom(...instruments, future, future, future),
    spelling: fc.constantFrom(0, 0, 0, 1),
    book: fc.constantFrom("", "UST", "UST", "UST"),
    side: fc.constantFrom("B" as const, "S" as const),
    quantity: fc.constantFrom("1", "2", "3", "7", "0.125"),
    price: fc.constantFrom("110.5", "110.515625", "111", "0", "-37.63", "0.015625"),
    day: fc.integer({ min: day0, max: day0 + 3 }),
    minute: fc.integer({ min: 0, max: 1 }),
  })
  .map(({ spelling, minute, ...trade }) => ({
    ...trade,
    symbol: spellings[trade.instrument][spelling % spellings[trade.instrument].length] ?? "",
    timeUs: trade.day * dayUs + minute * 60e6,
  }));
/** Trades whose keys and sources are in no relation to their times. */
const tradesOf = (max: number) =>
  fc
    .tuple(fc.array(tradeOf, { minLength: 1, maxLength: max }), fc.infiniteStream(fc.nat(999)))
    .map(([trades, ranks]) =>
      trades.map((trade, index): LaneTrade => {
        const { value: rank } = ranks.next();
        return { ...trade, key: `k${index}`, source: `${String(rank).padStart(3, "0")}:${index}` };
      }),
    );
const markOf = fc.record({
  instrument: fc.constantFrom(...instruments),
  kind: fc.constantFrom("now" as const, "close" as const, "sod_tomorrow" as const),
  day: fc.integer({ min: day0, max: day0 + 7 }),
  price: fc.constantFrom("110.75", "112", "0", "0.0625", null),
  atUs: fc.integer({ min: 0, max: 9 }).map((hours) => (day0 + 1) * dayUs + hours * 3_600e6),
});

const laneKey = ({ book, instrument }: { book: string; instrument: string }) => `${book}|${instrument}`;

/** The accepted trades and marks, and the records that a store holds after all changes so far. */
class World {
  readonly trades = new Map<string, LaneTrade>();
  readonly marks = new Map<string, DayMark & { readonly instrument: string }>();
  readonly store = new Map<string, FigureRecord>();
  readonly figures: Figures;
  readonly #method: Method;
  lanesLoaded = 0;

  constructor(method: Method, tradesMax = Number.POSITIVE_INFINITY, describe = described) {
    this.#method = method;
    const accepted = {
      lane: async (lane: { book: string; instrument: string }) => {
        this.lanesLoaded += 1;
        return [...this.trades.values()].filter((trade) => laneKey(trade) === laneKey(lane)).reverse();
      },
      marks: async (name: string) => [...this.marks.values()].filter(({ instrument }) => instrument === name),
      books: async (name: string) => [
        ...new Set(
          [...this.trades.values()].filter(({ instrument }) => instrument === name).map(({ book }) => book),
        ),
      ],
    };
    this.figures = new Figures({ method, describe, accepted, tradesMax });
  }

  /** Removes and adds trades, sets marks, and stores the records of the change. */
  async apply({
    added = [],
    removed = [],
    marks = [],
  }: {
    added?: readonly LaneTrade[];
    removed?: readonly LaneTrade[];
    marks?: Change["marks"];
  }): Promise<readonly FigureRecord[]> {
    const touched = new Map([...added, ...removed].map((trade) => [laneKey(trade), trade]));
    const lanes = [...touched].map(([key, { book, instrument }]) => ({
      book,
      instrument,
      added: added.filter((trade) => laneKey(trade) === key),
      removed: removed.filter((trade) => laneKey(trade) === key).map((trade) => trade.key),
    }));
    const last = new Map(marks.map((mark) => [`${mark.instrument} ${mark.kind} ${mark.day}`, mark]));
    const records = await this.figures.change({ lanes, marks: [...last.values()] });
    for (const { key } of removed) this.trades.delete(key);
    for (const trade of added) this.trades.set(trade.key, trade);
    for (const [key, mark] of last)
      if (mark.price === null) this.marks.delete(key);
      else this.marks.set(key, mark);
    expect(new Set(records.map(nameOf)).size, "each record is in a change once").toBe(records.length);
    for (const record of records) this.store.set(nameOf(record), record);
    return records;
  }

  /** The records of a fresh run over all accepted trades, lane by lane. */
  expected(): ReadonlyMap<string, FigureRecord> {
    const lanes = Map.groupBy(this.trades.values(), laneKey);
    return new Map([...lanes.values()].flatMap((lane) => this.#expectedOf(lane)).map((r) => [nameOf(r), r]));
  }

  #expectedOf(lane: readonly LaneTrade[]): FigureRecord[] {
    const inFileOrder = lane.toSorted((a, b) => (a.source < b.source ? -1 : 1));
    const trades = columnsOf(inFileOrder, described);
    const engine = new PnlEngine(trades, { method: this.#method });
    engine.feed();
    engine.audit();
    const { instrument, book, symbol } = inFileOrder[0] as LaneTrade;
    const ofLane = [...this.marks.values()]
      .filter((mark) => mark.instrument === instrument)
      .sort((a, b) => markKinds.indexOf(a.kind) - markKinds.indexOf(b.kind));
    const marks = new MarkBook();
    for (const { day, price, kind, atUs } of ofLane) {
      const decimal = parseDecimal(price ?? "");
      if (decimal) marks.add(instrument, day, { price: fromDecimal(decimal), kind, atUs });
    }
    const asOfDay = Math.max(...lane.map(({ day }) => day), ...marks.days);
    const { positions, daily } = statementOf(engine, { marks, asOfDay, openedAt: () => false });
    return [
      ...positions.map((row): FigureRecord => {
        const { quantity, averagePrice, realized, unrealized } = row;
        const mark = quantity === "0" ? undefined : marks.on({ instrument, symbol }, asOfDay);
        const asOf = Math.max(...lane.map(({ timeUs }) => timeUs), mark?.atUs ?? 0);
        return {
          ...{ kind: "position", symbol, book, quantity, averagePrice, realized, unrealized },
          ...{ mark: mark ? formatFraction(mark.price).text : null, asOf: formatInstant(asOf) },
        };
      }),
      ...[...daily].map(({ tradingDay, quantity, realized, unrealized }): FigureRecord => {
        return { kind: "daily_pnl", tradingDay, symbol, book, quantity, realized, unrealized };
      }),
    ];
  }

  /** Checks that the store holds the figures of a fresh run, and 0 in all other records. */
  check(): void {
    const expected = this.expected();
    for (const [name, record] of expected) expect(this.store.get(name)).toEqual(record);
    for (const [name, record] of this.store)
      if (!expected.has(name))
        expect([record.quantity, record.realized, record.unrealized], name).toEqual(["0", "0", "0"]);
  }
}

const nameOf = (record: FigureRecord) =>
  `${record.book}|${record.symbol}|${record.kind === "position" ? "" : record.tradingDay}`;

/** A table of trades, as a reader of files would fill it. */
function columnsOf(rows: readonly LaneTrade[], describe: Describe): TradeColumns {
  const trades = new TradeColumns();
  for (const { symbol, book, day, side, quantity, price, timeUs } of rows) {
    const at = trades.next();
    trades.lane[at] = trades.laneOf(instrumentOf(symbol, describe(symbol, day), book));
    trades.side[at] = side === "B" ? 1 : -1;
    trades.quantity.parse(at, quantity);
    trades.price.parse(at, price);
    trades.timeUs[at] = timeUs;
    trades.day[at] = day;
    trades.commit();
  }
  return trades;
}

const trade = (key: string, fields: Partial<LaneTrade>): LaneTrade => ({
  ...{ key, symbol: "TYU5 Comdty", instrument: future, book: "UST", side: "B", quantity: "1", price: "110" },
  ...{ day: day0, timeUs: (fields.day ?? day0) * dayUs, source: key, ...fields },
});

describe("the figures of the stores", () => {
  it("are those of a fresh run over the accepted trades, after any changes in any order", async () => {
    const step = fc.record({
      toggled: fc.array(fc.nat(39), { maxLength: 10 }),
      removes: fc.constantFrom(true, false, false),
      moved: fc.array(fc.tuple(fc.nat(39), fc.nat(999)), { maxLength: 1 }),
      marks: fc.array(markOf, { maxLength: 3 }),
      forgets: fc.constantFrom(true, false, false, false),
    });
    await fc.assert(
      fc.asyncProperty(
        tradesOf(40),
        fc.array(step, { minLength: 1, maxLength: 8 }),
        fc.constantFrom(...methods),
        fc.constantFrom(0, 5, 1_000),
        async (pool, steps, method, tradesMax) => {
          const world = new World(method, tradesMax);
          for (const { toggled, removes, moved, marks, forgets } of steps) {
            const chosen = [...new Set(toggled)].flatMap((index) => pool[index] ?? []);
            const removed = removes ? chosen.flatMap(({ key }) => world.trades.get(key) ?? []) : [];
            const added = chosen.filter(({ key }) => !world.trades.has(key));
            // A row that an earlier file has too: the same trade, with another source.
            for (const [index, rank] of removes ? moved : []) {
              const known = world.trades.get(`k${index}`);
              if (known === undefined || removed.includes(known)) continue;
              removed.push(known);
              added.push({ ...known, source: `${String(rank).padStart(3, "0")}:${index}` });
            }
            if (forgets) world.figures.forget();
            await world.apply({ added, removed, marks });
            world.check();
          }
        },
      ),
      { numRuns: runs(80, 3_000) },
    );
  });

  it("do not depend on how trades arrive, and trades in matching order load no lane again", async () => {
    await fc.assert(
      fc.asyncProperty(
        tradesOf(20),
        fc.constantFrom(...methods),
        fc.infiniteStream(fc.integer({ min: 1, max: 6 })),
        fc.boolean(),
        async (pool, method, sizes, isInOrder) => {
          // All trades are in one lane under one symbol, so that only equal times can make a difference.
          const lane = { instrument: future, book: "UST", symbol: "TYU5 Comdty" };
          const rows = pool.map((row) => ({ ...row, ...lane }));
          if (isInOrder)
            rows.sort((a, b) => a.day - b.day || a.timeUs - b.timeUs || (a.source < b.source ? -1 : 1));
          const world = new World(method);
          while (rows.length > 0) await world.apply({ added: rows.splice(0, sizes.next().value) });
          world.check();
          if (isInOrder) expect(world.lanesLoaded).toBe(1);
        },
      ),
      { numRuns: runs(100, 3_000) },
    );
  });

  it("are written again only where a change alters them", async () => {
    const world = new World("fifo");
    const days = [0, 1, 2, 3].map((offset) => trade(`d${offset}`, { day: day0 + offset }));
    await world.apply({ added: days });
    const dates = async (change: Parameters<World["apply"]>[0]) =>
      (await world.apply(change)).map((row) => (row.kind === "position" ? "position" : row.tradingDay));
    const mark = { instrument: future, kind: "close", price: "111", atUs: (day0 + 1) * dayUs } as const;

    expect(await dates({ marks: [{ ...mark, day: day0 + 1 }] })).toEqual(["2025-07-16"]);
    expect(await dates({ marks: [{ ...mark, day: day0 + 1 }] })).toEqual([]);
    const later = { ...mark, day: day0 + 5 };
    expect(await dates({ marks: [later] })).toEqual(["position", "2025-07-20"]);
    const late = trade("late", { day: day0 + 2, timeUs: (day0 + 2) * dayUs - 1 });
    expect(await dates({ added: [late] })).toEqual(["position", "2025-07-17", "2025-07-18", "2025-07-20"]);
    expect(world.lanesLoaded, "a late trade is matched in memory").toBe(1);
    expect(await dates({ removed: [late], added: [late] })).toEqual([]);
    expect(world.lanesLoaded).toBe(2);
  });

  it("become 0 where the last trade or the last mark behind a record is gone", async () => {
    const world = new World("fifo");
    const [buy, sell] = [trade("1", {}), trade("2", { day: day0 + 1, side: "S", price: "112" })];
    const mark = {
      instrument: future,
      kind: "close",
      day: day0 + 3,
      price: "113",
      atUs: day0 * dayUs,
    } as const;
    await world.apply({ added: [buy], marks: [mark] });
    await world.apply({ added: [sell] });
    const flat = { book: "UST", symbol: "TYU5 Comdty", quantity: "0", realized: "0", unrealized: "0" };
    expect([...world.store.values()]).toContainEqual({
      ...flat,
      kind: "daily_pnl",
      tradingDay: "2025-07-18",
    });
    await world.apply({ removed: [buy, sell] });
    expect([...world.store.values()].map(({ quantity, realized }) => [quantity, realized])).toEqual(
      Array(4).fill(["0", "0"]),
    );
    expect(world.store.size).toBe(4);
    expect(await world.apply({ marks: [{ ...mark, day: day0 + 4 }] })).toEqual([]);
  });

  it("move to the symbol of the trade whose source comes first, and leave no quantity under the former symbol", async () => {
    const world = new World("fifo");
    await world.apply({ added: [trade("2", {})] });
    await world.apply({ added: [trade("1", { day: day0 + 1, symbol: "XCMEFFDPSX20250919U0ZN" })] });
    const bySymbol = Map.groupBy(world.store.values(), ({ symbol }) => symbol);
    const quantities = (symbol: string) => bySymbol.get(symbol)?.map(({ quantity }) => quantity);
    expect(quantities("TYU5 Comdty")).toEqual(["0", "0"]);
    expect(quantities("XCMEFFDPSX20250919U0ZN")).toEqual(["2", "1", "2"]);
  });

  it("refuse to remove a trade that was never accepted", async () => {
    const world = new World("fifo");
    await world.apply({ added: [trade("1", {})] });
    await expect(world.apply({ removed: [trade("2", {})] })).rejects.toThrow(
      "only accepted trades are removed",
    );
  });
});

describe.skipIf(!hasSharedData)("the desk's real ledgers and prices", () => {
  it.each(methods)(
    "give the positions and daily rows of `replay` under %s, whatever arrives first",
    async (method) => {
      const run = await runPnl({
        trades: [`${sharedData}/ledgers`],
        prices: [`${sharedData}/prices`],
        method,
      });
      const { trades } = run.input;
      const rows = Array.from({ length: trades.length }, (_, index): LaneTrade => {
        const { symbol, instrument, book = "" } = trades.instrumentAt(index);
        const { file, line } = trades.placeOf(index);
        return {
          key: String(index),
          symbol,
          instrument: instrument ?? ownName(symbol),
          book,
          side: trades.sideAt(index) > 0 ? "B" : "S",
          quantity: formatFraction(fromDecimal(trades.quantity.at(index))).text,
          price: formatFraction(fromDecimal(trades.price.at(index))).text,
          timeUs: trades.timeAt(index),
          day: trades.dayAt(index),
          source: `${String(file).padStart(3, "0")}:${String(line).padStart(7, "0")}`,
        };
      });
      const marks = [
        ...new Map(trades.instruments.map((name) => [name.instrument ?? ownName(name.symbol), name])),
      ].flatMap(([instrument, name]) => {
        const book = run.valuation.marks;
        if (typeof book === "string") return [];
        return [...book.days].flatMap((day) => {
          const mark = book.on(name, day);
          return mark ? [{ instrument, day, ...mark, price: formatFraction(mark.price).text }] : [];
        });
      });
      const facts = new Map(trades.instruments.map((instrument) => [instrument.symbol, instrument]));
      const world = new World(method, 300, (symbol) => facts.get(symbol));
      // The newest files first, in pieces; the prices in the middle.
      const pieces = Map.groupBy(rows.keys(), (index) => -Math.ceil((rows.length - index) / 100));
      for (const [place, piece] of [...pieces.values()].reverse().entries())
        await world.apply({
          added: piece.flatMap((index) => rows[index] ?? []),
          marks: place === 1 ? marks : [],
        });

      const positions = run.statement.positions.map(
        ({ symbol, book = "", quantity, averagePrice, realized }) => [
          ...[book, symbol, quantity, averagePrice, realized],
        ],
      );
      expect(
        [...world.store.values()]
          .flatMap((row) =>
            row.kind === "position"
              ? [[row.book ?? "", row.symbol, row.quantity, row.averagePrice, row.realized]]
              : [],
          )
          .sort(),
      ).toEqual(positions.sort());
      const daily = new Map(
        [...run.statement.daily].map(({ tradingDay, symbol, book = "", quantity, realized, unrealized }) => [
          `${book}|${symbol}|${tradingDay}`,
          [quantity, realized, unrealized],
        ]),
      );
      for (const [name, row] of world.store)
        if (row.kind === "daily_pnl")
          expect([row.quantity, row.realized, row.unrealized], name).toEqual(
            daily.get(name) ?? ["0", "0", "0"],
          );
    },
  );
});
