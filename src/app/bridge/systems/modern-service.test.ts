import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ModuleSystem } from "../../../adapters/module/index.ts";
import { add, formatFraction, parseFraction, zero } from "../../../base/fraction.ts";
import type { SystemFailure } from "../../../domain/migration/system-failure.ts";
import { pnlMethods, type TotalsAnswer } from "../../../ports/pnl-service.ts";
import { failureOf } from "../../../testing/system-contract.ts";
import { generateDesk } from "../../demo-desk/index.ts";
import { runPnl } from "../../parity/pnl-run.ts";
import { LedgerWorld } from "./ledger-world.ts";
import { ModernEngineService } from "./modern-service.ts";

const zn = "XCMEFFDPSX20250919U0ZN";
const zf = "XCMEFFDPSX20250930U0ZF";
const header = "tradeId,instrumentName,marketTradeTime,buySell,quantity,price";
const thursday = `${header}
1,${zn},2025-07-24 09:00:00.000,B,2.0,110
2,${zn},2025-07-24 09:01:00.250,B,1.0,111
`;
const friday = `${header}
3,${zn},2025-07-25 09:00:00.000,S,1.0,112
4,${zf},2025-07-25 10:00:00.000,S,1.0,108.5
`;

let folder: string;
let ledgers: string;
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "modern-service-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  files += 1;
  ledgers = join(folder, `${files}`);
  write({ "trades_20250724.csv": thursday, "trades_20250725.csv": friday });
});

function write(named: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(named)) writeFileSync(join(mkdirOf(ledgers), name), text);
}
const mkdirOf = (path: string): string => {
  mkdirSync(path, { recursive: true });
  return path;
};

const service = (): ModernEngineService => new ModernEngineService(new LedgerWorld({ trades: [ledgers] }));

/** The refusal of a request, as a caller behind the bridge receives it. */
async function refusal(method: string, request: unknown): Promise<SystemFailure> {
  const system = new ModuleSystem({ name: "modern-engine", kind: "builtin", service: service() });
  try {
    return await failureOf(system.invoke(method, request as never, { deadlineMs: 20_000 }), "REFUSED");
  } finally {
    await system.close();
  }
}

describe("calculatePnl", () => {
  const trades = [
    { id: "1", symbol: zn, side: "B", quantity: "2", price: "110" },
    { id: "2", symbol: zn, side: "B", quantity: "1", price: "111" },
    { id: "3", symbol: zn, side: "S", quantity: "1", price: "112" },
  ] as const;

  // The sale closes a lot at 110, one at 111, or one at the average of 331/3; a point is worth 1000.
  it.each([
    ["fifo", { realized: "2000", unrealized: "3000", averagePrice: "110.5" }],
    ["lifo", { realized: "1000", unrealized: "4000", averagePrice: "110" }],
    ["average", { realized: "5000/3", unrealized: "10000/3", averagePrice: "331/3" }],
  ] as const)("closes lots by %s, exactly", async (method, expected) => {
    const { positions, totals, rejected } = await new ModernEngineService(undefined).calculatePnl({
      method,
      trades,
      marks: { [zn]: "112" },
    });
    expect(positions).toEqual([expect.objectContaining({ symbol: zn, quantity: "2", ...expected })]);
    expect(totals.USD).toEqual({
      realized: expected.realized,
      unrealized: expected.unrealized,
      total: "5000",
    });
    expect(rejected).toEqual([]);
  });

  it("needs no ledgers, and has no unrealized P&L without a mark", async () => {
    const { positions } = await new ModernEngineService(undefined).calculatePnl({ trades });
    expect(positions[0]).toMatchObject({ realized: "2000", unrealized: null });
  });

  it("leaves a bad trade out and reports which one and why", async () => {
    const bad = { ...trades[0], quantity: "lots" };
    const { positions, rejected } = await service().calculatePnl({ trades: [bad, trades[1], null as never] });
    expect(positions).toMatchObject([{ quantity: "1" }]);
    expect(rejected).toMatchObject([
      { index: 0, code: "BAD_QUANTITY" },
      { index: 2, code: "BAD_SYMBOL" },
    ]);
  });
});

describe("over ledgers", () => {
  it("openPositions lists the open positions with their marks", async () => {
    expect(await service().openPositions({})).toEqual({
      positions: [
        {
          symbol: zn,
          quantity: "2",
          averagePrice: "110.5",
          realized: "2000",
          unrealized: "3000",
          mark: "112",
          markAt: "2025-07-25T09:00:00-05:00",
          currency: "USD",
        },
        {
          symbol: zf,
          quantity: "-1",
          averagePrice: "108.5",
          realized: "0",
          unrealized: "0",
          mark: "108.5",
          markAt: "2025-07-25T10:00:00-05:00",
          currency: "USD",
        },
      ].sort((a, b) => (a.symbol < b.symbol ? -1 : 1)),
    });
    expect((await service().openPositions({ symbol: zf })).positions.map(({ symbol }) => symbol)).toEqual([
      zf,
    ]);
    expect(await service().openPositions({ symbol: "ZN" })).toEqual({ positions: [] });
  });

  it("openPositions leaves out flat positions, which positionDetail and totals include", async () => {
    write({ "trades_20250728.csv": `${header}\n5,${zn},2025-07-28 09:00:00.000,S,2.0,113\n` });
    const asked = service();
    expect((await asked.openPositions({})).positions.map(({ symbol }) => symbol)).toEqual([zf]);
    // 2000 from before, 3000 from the lot at 110 and 2000 from the lot at 111.
    expect((await asked.positionDetail({ symbol: zn })).position).toMatchObject({
      quantity: "0",
      averagePrice: null,
      realized: "7000",
      unrealized: "0",
      lots: [],
    });
    expect((await asked.totals({})).totals).toEqual({
      USD: { realized: "7000", unrealized: "0", total: "7000" },
    });
  });

  it.each([
    ["fifo", { realized: "2000", unrealized: "3000", total: "5000" }],
    ["lifo", { realized: "1000", unrealized: "4000", total: "5000" }],
    ["average", { realized: "5000/3", unrealized: "10000/3", total: "5000" }],
  ] as const)("totals adds up the positions' money by %s", async (method, expected) => {
    expect(await service().totals({ method })).toEqual({ totals: { USD: expected } });
    expect(await service().totals({ method, symbol: zf })).toEqual({
      totals: { USD: { realized: "0", unrealized: "0", total: "0" } },
    });
    expect(await service().totals({ method, symbol: "unknown" })).toEqual({ totals: {} });
  });

  it("dailyPnl shows the P&L of each day from `from` to `to`, both included", async () => {
    // Three lots, bought for 331 together, against a mark of 111. On the next day 2000 realized and 3000
    // unrealized, of which 2000 belong to the day before.
    const days = [
      { symbol: zn, tradingDay: "2025-07-24", realized: "0", unrealized: "2000", total: "2000" },
      { symbol: zn, tradingDay: "2025-07-25", realized: "2000", unrealized: "3000", total: "3000" },
    ];
    const ask = async (request: object) => (await service().dailyPnl({ symbol: zn, ...request })).daily;
    expect(await ask({})).toEqual(days);
    expect(await ask({ from: "2025-07-25" })).toEqual(days.slice(1));
    expect(await ask({ to: "2025-07-24" })).toEqual(days.slice(0, 1));
    expect(await ask({ from: "2025-07-24", to: "2025-07-25" })).toEqual(days);
    expect(await ask({ from: "2025-07-25", to: "2025-07-24" })).toEqual([]);
    expect((await service().dailyPnl({ from: "2025-07-25" })).daily).toHaveLength(2);
  });

  it("tradeHistory shows the newest trades first, up to the limit", async () => {
    const { trades } = await service().tradeHistory({});
    expect(trades.map(({ id }) => id)).toEqual(["4", "3", "2", "1"]);
    expect(trades[2]).toEqual({
      id: "2",
      symbol: zn,
      side: "B",
      quantity: "1",
      price: "111",
      time: "2025-07-24T09:01:00.250-05:00",
    });
    const ids = async (request: object) => (await service().tradeHistory(request)).trades.map(({ id }) => id);
    expect(await ids({ limit: 2 })).toEqual(["4", "3"]);
    expect(await ids({ limit: 0 })).toEqual([]);
    expect(await ids({ limit: 1_000 })).toEqual(["4", "3", "2", "1"]);
    expect(await ids({ symbol: zn, limit: 2 })).toEqual(["3", "2"]);
    expect(await ids({ asOf: "2025-07-24T23:00:00-05:00" })).toEqual(["2", "1"]);
  });

  it("tradeHistory shows 500 trades by default", async () => {
    const rows = Array.from({ length: 501 }, (_, at) => `m${at},${zf},2025-07-28 09:00:00.000,B,1.0,108`);
    write({ "trades_20250728.csv": `${[header, ...rows].join("\n")}\n` });
    const { trades } = await service().tradeHistory({});
    expect([trades.length, trades[0]?.id, trades.at(-1)?.id]).toEqual([500, "m500", "m1"]);
  });

  it("positionDetail shows the lots by each method, and null for an unknown position", async () => {
    const lotsBy = async (method: "fifo" | "lifo" | "average") =>
      (await service().positionDetail({ symbol: zn, method })).position?.lots?.map(
        ({ tradeId, quantity, price }) => [tradeId, quantity, price],
      );
    expect(await lotsBy("fifo")).toEqual([
      ["1", "1", "110"],
      ["2", "1", "111"],
    ]);
    expect(await lotsBy("lifo")).toEqual([["1", "2", "110"]]);
    expect(await lotsBy("average")).toEqual([[null, "2", "331/3"]]);
    expect(await service().positionDetail({ symbol: "nothing" })).toEqual({ position: null });
  });

  it.each(["TYU5", "TYU5 Comdty", "XCME.ZN.SEP25", "ZNU2025"])(
    "a request may name a symbol as %s",
    async (symbol) => {
      const asked = service();
      const own = { symbol: zn };
      for (const method of [
        "openPositions",
        "tradeHistory",
        "dailyPnl",
        "totals",
        "positionDetail",
      ] as const) {
        const answer = await asked[method as "totals"]({ symbol });
        expect(answer).toEqual(await asked[method as "totals"](own));
        expect(JSON.stringify(answer)).not.toMatch(/^\{"\w+":(?:\[\]|null|\{\})\}$/);
      }
      expect((await asked.openPositions({ symbol: "TYZ5" })).positions).toEqual([]);
    },
  );

  it("an as-of time shows the positions of that moment", async () => {
    const then = "2025-07-24T09:00:30-05:00";
    expect((await service().openPositions({ asOf: then })).positions).toMatchObject([
      { symbol: zn, quantity: "2", averagePrice: "110", unrealized: "0" },
    ]);
    // The moment itself is included.
    expect((await service().openPositions({ asOf: "2025-07-24T14:01:00.250Z" })).positions).toMatchObject([
      { quantity: "3" },
    ]);
    expect(await service().totals({ asOf: "2025-07-23T09:00:00-05:00" })).toEqual({ totals: {} });
    const afterAll = await service().totals({ asOf: "2030-01-01T00:00:00Z" });
    expect(afterAll).toEqual(await service().totals({}));
  });

  it("an as-of time without an offset is Chicago time in every time zone", async () => {
    const before = process.env.TZ;
    try {
      for (const zone of ["Pacific/Honolulu", "UTC", "Asia/Tokyo"]) {
        process.env.TZ = zone;
        const { trades } = await service().tradeHistory({ asOf: "2025-07-25T09:30:00" });
        expect(trades.map(({ id }) => id)).toEqual(["3", "2", "1"]);
      }
    } finally {
      if (before === undefined) delete process.env.TZ;
      else process.env.TZ = before;
    }
  });
});

describe("books", () => {
  const booked = `book,${header}
UST,1,${zn},2025-07-24 09:00:00.000,B,2.0,110
ARB,2,${zn},2025-07-24 09:01:00.000,S,1.0,111
`;
  beforeEach(() => {
    ledgers = join(folder, `books-${files}`);
    write({ "trades_20250724.csv": booked });
  });

  it("have separate positions, and every method accepts a book", async () => {
    const asked = service();
    expect((await asked.openPositions({})).positions.map(({ book, quantity }) => [book, quantity])).toEqual([
      ["ARB", "-1"],
      ["UST", "2"],
    ]);
    expect((await asked.openPositions({ book: "UST" })).positions).toMatchObject([
      { book: "UST", quantity: "2" },
    ]);
    expect((await asked.openPositions({ book: "none" })).positions).toEqual([]);
    expect((await asked.tradeHistory({ book: "ARB" })).trades).toMatchObject([{ id: "2", book: "ARB" }]);
    expect((await asked.dailyPnl({ book: "UST" })).daily).toMatchObject([{ book: "UST", total: "2000" }]);
    expect((await asked.totals({ book: "UST" })).totals.USD).toMatchObject({ unrealized: "2000" });
    expect((await asked.positionDetail({ book: "ARB", symbol: zn })).position).toMatchObject({
      book: "ARB",
      quantity: "-1",
    });
  });

  it("share one position if the other system does not know books", async () => {
    const asked = new ModernEngineService(new LedgerWorld({ trades: [ledgers], netBooks: true }));
    const { positions } = await asked.openPositions({});
    expect(positions).toMatchObject([{ quantity: "1", realized: "1000" }]);
    expect(positions[0]).not.toHaveProperty("book");
  });
});

describe("a request that cannot be answered is refused in one line", () => {
  const rows: readonly (readonly [string, unknown, string])[] = [
    ["calculatePnl", null, "the request must be an object, not null"],
    ["calculatePnl", {}, "trades must be a list, not nothing"],
    ["calculatePnl", { trades: { 0: "x" } }, 'trades must be a list, not {"0":"x"}'],
    ["calculatePnl", { trades: [], marks: null }, "marks must be an object by symbol, not null"],
    ["calculatePnl", { trades: [], instruments: [] }, "instruments must be an object by symbol, not []"],
    ["calculatePnl", { trades: [], method: "hifo" }, "method must be one of fifo, lifo, average"],
    ["calculatePnl", { trades: [], asOf: "noon" }, 'asOf is not a time: "noon"'],
    ["calculatePnl", { trades: [], asOf: "2025-07-24" }, 'asOf names a day, not a time: "2025-07-24"'],
    [
      "calculatePnl",
      { trades: [], asOf: "2025-03-09 02:30" },
      "asOf 2025-03-09 02:30 does not exist in Chicago",
    ],
    ["calculatePnl", { trades: [], mark: {} }, 'the request has no key "mark"; did you mean "marks"?'],
    [
      "calculatePnl",
      { trades: [], instruments: { A: { multplier: "2" } } },
      'A has no key "multplier"; did you mean "multiplier"?',
    ],
    ["openPositions", { asOf: "2025-03-09 02:30" }, "asOf 2025-03-09 02:30 does not exist in Chicago"],
    ["calculatePnl", { trades: [], marks: { [zn]: "high" } }, "must be decimal text"],
    ["openPositions", [], "the request must be an object, not []"],
    ["openPositions", { method: "hifo" }, 'method must be one of fifo, lifo, average, not "hifo"'],
    ["openPositions", { method: null }, "not null"],
    ["openPositions", { asOf: "noon" }, 'asOf is not a time: "noon"'],
    ["openPositions", { asOf: 5 }, "asOf is not a time: 5"],
    ["openPositions", { asOf: "2025-07-24" }, 'asOf names a day, not a time: "2025-07-24"'],
    ["openPositions", { asOf: "2031-07-24" }, "asOf names a day, not a time"],
    ["openPositions", { book: 5 }, "book must be text, not 5"],
    ["tradeHistory", { limit: -1 }, "limit must be a whole number of 0 or more, not -1"],
    ["tradeHistory", { limit: 1.5 }, "not 1.5"],
    ["tradeHistory", { limit: "ten" }, 'not "ten"'],
    ["dailyPnl", { from: "yesterday" }, 'from must be a day such as 2025-07-24, not "yesterday"'],
    ["dailyPnl", { to: "2025-02-30" }, "to must be a day"],
    ["totals", { symbol: ["ZN"] }, 'symbol must be text, not ["ZN"]'],
    ["positionDetail", {}, "symbol is missing"],
  ];
  it.each(rows)("%s %j", async (method, request, why) => {
    const { message, code } = await refusal(method, request);
    expect(message).toContain(why);
    expect(message).not.toContain("\n");
    expect(code).toBe("BAD_REQUEST");
  });

  it("without ledgers only calculatePnl answers", async () => {
    const bare = new ModernEngineService(undefined);
    for (const method of pnlMethods.slice(1))
      await expect(bare[method as "totals"]({})).rejects.toMatchObject({
        code: "NO_LEDGERS",
        message: expect.stringContaining("watch.trade_ledger"),
      });
  });

  it("a folder without ledgers is reported, and works as soon as it has one", async () => {
    ledgers = mkdirOf(join(folder, `empty-${files}`));
    const asked = service();
    await expect(asked.totals({})).rejects.toMatchObject({ code: "NO_INPUT" });
    write({ "trades_20250724.csv": thursday });
    expect((await asked.totals({})).totals.USD).toMatchObject({ total: "2000" });
  });
});

describe("between requests", () => {
  it("simultaneous requests do not affect each other", async () => {
    const asked = service();
    const alone = await Promise.all(
      (["fifo", "lifo", "average"] as const).map((method) => service().totals({ method })),
    );
    const times = Array.from({ length: 12 }, (_, second) => `2025-07-24T09:00:${10 + second}-05:00`);
    const mixed = await Promise.all([
      asked.totals({ method: "lifo" }),
      ...times.map((asOf) => asked.totals({ asOf })),
      asked.totals({}),
      asked.totals({ method: "average" }),
    ]);
    expect(mixed[0]).toEqual(alone[1]);
    for (const answer of mixed.slice(1, -2)) expect(answer.totals.USD).toMatchObject({ unrealized: "0" });
    expect(mixed.at(-2)).toEqual(alone[0]);
    expect(mixed.at(-1)).toEqual(alone[2]);
  });

  it("a caller that changes its answer changes no other answer", async () => {
    const system = new ModuleSystem({ name: "modern-engine", kind: "builtin", service: service() });
    const ask = async () =>
      (await system.invoke("positionDetail", { symbol: zn }, { deadlineMs: 20_000 })) as {
        position: { lots: unknown[] };
      };
    const first = await ask();
    first.position.lots.length = 0;
    expect((await ask()).position.lots).toHaveLength(2);
    await system.close();
  });

  it("the next request sees a new, changed or removed ledger", async () => {
    const asked = service();
    const open = async () => (await asked.openPositions({ symbol: zn })).positions[0]?.quantity;
    expect(await open()).toBe("2");
    write({ "trades_20250728.csv": `${header}\n5,${zn},2025-07-28 09:00:00.000,B,4.0,113\n` });
    expect(await open()).toBe("6");
    write({ "trades_20250728.csv": `${header}\n5,${zn},2025-07-28 09:00:00.000,B,40.0,113\n` });
    expect(await open()).toBe("42");
    rmSync(join(ledgers, "trades_20250728.csv"));
    expect(await open()).toBe("2");
  });

  it("the next request sees a changed price", async () => {
    const pricesOf = (price: string) =>
      "symbol,current_price,flash_close,prior_close,last_updated\n" +
      `TYU5 Comdty,${price},,,2025-07-25 14:00:00\n`;
    const prices = mkdirOf(join(ledgers, "prices"));
    writeFileSync(join(prices, "Futures_20250725_1400.csv"), pricesOf("112.5"));
    const asked = new ModernEngineService(new LedgerWorld({ trades: [ledgers], prices: [prices] }));
    const mark = async () => (await asked.positionDetail({ symbol: zn })).position?.mark;
    expect(await mark()).toBe("112.5");
    writeFileSync(join(prices, "Futures_20250725_1400.csv"), pricesOf("112.75"));
    expect(await mark()).toBe("112.75");
  });
});

/** The sum of figures, computed independently of the service. */
const sumOf = (texts: readonly (string | null)[]): string =>
  formatFraction(texts.reduce((sum, text) => add(sum, parseFraction(text ?? "0") ?? zero), zero)).text;

describe("over a week of a generated desk", () => {
  it("totals, positions and days add up to the same money by every method", async () => {
    const desk = await generateDesk(join(folder, "desk"), { days: 5, tradesPerDay: 60 });
    const world = new LedgerWorld({ trades: [desk.ledgers], prices: [desk.prices] });
    const asked = new ModernEngineService(world);
    for (const method of ["fifo", "lifo", "average"] as const) {
      const run = await runPnl({ trades: [desk.ledgers], prices: [desk.prices], method });
      const { daily } = await asked.dailyPnl({ method });
      const { totals } = (await asked.totals({ method })) as TotalsAnswer & {
        totals: Record<string, Record<string, string>>;
      };
      const details = await Promise.all(
        run.statement.positions.map(({ symbol }) => asked.positionDetail({ symbol, method })),
      );
      const positions = details.map(({ position }) => position);
      expect(positions).not.toContain(null);
      expect(totals.USD?.realized).toBe(sumOf(daily.map(({ realized }) => realized)));
      expect(totals.USD?.realized).toBe(sumOf(positions.map((position) => position?.realized ?? null)));
      expect(totals.USD?.unrealized).toBe(sumOf(positions.map((position) => position?.unrealized ?? null)));
      for (const position of positions)
        expect(sumOf((position?.lots ?? []).map(({ quantity }) => quantity))).toBe(position?.quantity);
      const open = (await asked.openPositions({ method })).positions.map(({ symbol }) => symbol);
      expect(open).toEqual(positions.filter((one) => one?.quantity !== "0").map((one) => one?.symbol));
    }
    const { trades } = await asked.tradeHistory({ limit: 100_000 });
    expect(trades).toHaveLength((await world.run({ method: "fifo", asOf: undefined })).input.accepted);
    expect(trades.map(({ time }) => time)).toEqual(
      trades
        .map(({ time }) => time)
        .toSorted()
        .reverse(),
    );
  });

  it("property: a limited history is the beginning of the whole history", async () => {
    const asked = service();
    const all = (await asked.tradeHistory({})).trades;
    await fc.assert(
      fc.asyncProperty(fc.nat(8), fc.constantFrom(zn, zf, undefined), async (limit, symbol) => {
        const { trades } = await asked.tradeHistory({ limit, ...(symbol === undefined ? {} : { symbol }) });
        expect(trades).toEqual(
          all.filter((trade) => symbol === undefined || trade.symbol === symbol).slice(0, limit),
        );
      }),
      { numRuns: 50 },
    );
  });
});

const data = "../shared/data";
const published = `${data}/expected/two-systems.json`;

describe.skipIf(!existsSync(published))("on the desk's real ledgers (skipped without ../shared/data)", () => {
  interface Expected {
    readonly files: readonly string[];
    readonly modern_with_numeric_lot_order: {
      readonly fifo: Readonly<
        Record<
          string,
          { readonly position: number; readonly open_lots: number; readonly realized_x1000: number }
        >
      >;
    };
  }
  const expected: Readonly<Record<string, Expected>> = existsSync(published)
    ? JSON.parse(readFileSync(published, "utf8"))
    : {};

  it.each(["PNLMODULE_0721_0723", "JULY_0721_0725"])("%s has the published positions", async (name) => {
    const { files: names = [], modern_with_numeric_lot_order: real } = expected[name] as Expected;
    const ledgerFolder = mkdirOf(join(folder, name));
    for (const file of names)
      copyFileSync(join(data, file), join(ledgerFolder, file.split("/").at(-1) as string));
    const asked = new ModernEngineService(new LedgerWorld({ trades: [ledgerFolder] }));
    expect(Object.keys(real.fifo)).toContain(zn);
    for (const [symbol, truth] of Object.entries(real.fifo)) {
      const { position } = await asked.positionDetail({ symbol });
      expect(Number(position?.quantity)).toBe(truth.position);
      expect(position?.lots).toHaveLength(truth.open_lots);
      expect(Number(position?.realized)).toBeCloseTo(truth.realized_x1000, 6);
    }
  });
});
