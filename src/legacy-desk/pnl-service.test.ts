import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ModuleSystem } from "../adapters/module/index.ts";
import type { HistoryRequest } from "../ports/pnl-system.ts";
import { failureOf } from "../testing/system-contract.ts";
import { LegacyDeskService } from "./index.ts";
import type { LegacyMode } from "./run.ts";

const zn = "XCMEFFDPSX20250919U0ZN";
const zf = "XCMEFFDPSX20250930U0ZF";
const header = "tradeId,instrumentName,marketTradeTime,buySell,quantity,price";

const folder = mkdtempSync(join(tmpdir(), "legacy-service-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, ...rows: readonly string[]): string => {
  const path = join(folder, name);
  writeFileSync(path, `${[header, ...rows].join("\n")}\n`);
  return path;
};

const thursday = file(
  "trades_20250724.csv",
  `1,${zn},2025-07-24 09:00:00.000,B,2.0,110`,
  `2,${zn},2025-07-24 09:01:00.250,B,1.0,111`,
);
const friday = file(
  "trades_20250725.csv",
  `3,${zn},2025-07-25 09:00:00.000,S,1.0,112`,
  `4,${zf},2025-07-25 10:00:00.000,S,1.0,108.5`,
);
const world: HistoryRequest = {
  ledgers: [thursday, friday],
  closes: [
    { symbol: zn, tradingDay: "2025-07-24", price: "111" },
    { symbol: zn, tradingDay: "2025-07-25", price: "112" },
    { symbol: zf, tradingDay: "2025-07-25", price: "108.5" },
  ],
};
const service = (mode?: LegacyMode, given: HistoryRequest = world) =>
  new LegacyDeskService({ ...(mode === undefined ? {} : { mode }), world: () => given });

/** The error that a caller behind the bridge receives. */
async function refusal(method: string, request: unknown) {
  const system = new ModuleSystem({ name: "legacy-desk", kind: "builtin", service: service() });
  try {
    return await failureOf(system.invoke(method, request as never, { deadlineMs: 20_000 }), "REFUSED");
  } finally {
    await system.close();
  }
}

describe("calculatePnl", () => {
  const buy = {
    id: "1",
    symbol: zn,
    side: "B",
    quantity: "2",
    price: "110",
    time: "2025-07-24T09:00:00-05:00",
  } as const;
  const more = {
    id: "2",
    symbol: zn,
    side: "B",
    quantity: "1",
    price: "111",
    time: "2025-07-24T09:01:00-05:00",
  } as const;
  const sell = {
    id: "3",
    symbol: zn,
    side: "S",
    quantity: "1",
    price: "112",
    time: "2025-07-25T09:00:00-05:00",
  } as const;

  it("closes the oldest lot, in points, and values open lots at the mark", async () => {
    expect(
      await service().calculatePnl({ trades: [buy, more, sell], marks: { [zn]: "112.5", other: "5" } }),
    ).toEqual({
      positions: [{ symbol: zn, quantity: "2", averagePrice: "110.5", realized: "2", unrealized: "4" }],
      totals: {},
      rejected: [],
    });
  });

  it("gives an unrealized P&L of 0 without a mark or if flat, and no position without trades", async () => {
    const { positions } = await service().calculatePnl({ trades: [buy] });
    expect(positions).toEqual([
      { symbol: zn, quantity: "2", averagePrice: "110", realized: "0", unrealized: "0" },
    ]);
    const flat = await service().calculatePnl({
      trades: [buy, { ...sell, quantity: "2" }],
      marks: { [zn]: "120" },
    });
    expect(flat.positions).toEqual([
      { symbol: zn, quantity: "0", averagePrice: "0", realized: "4", unrealized: "0" },
    ]);
    expect(await service().calculatePnl({ trades: [] })).toEqual({ positions: [], totals: {}, rejected: [] });
  });

  it("processes trades in the order of their times, and within a second in the order of the request", async () => {
    const { positions } = await service().calculatePnl({ trades: [sell, more, buy] });
    expect(positions).toMatchObject([{ realized: "2" }]);
    const sameSecond = { ...more, time: "2025-07-24T09:00:00.999-05:00" };
    expect((await service().calculatePnl({ trades: [sameSecond, buy, sell] })).positions).toMatchObject([
      { realized: "1" },
    ]);
  });

  it("quirk: processes a trade without a time before all others", async () => {
    const { time: _, ...timeless } = more;
    expect((await service().calculatePnl({ trades: [buy, timeless, sell] })).positions).toMatchObject([
      { realized: "1" },
    ]);
  });

  it("answers with the shortest texts of floats, including their rounding errors", async () => {
    const trades = ["0.1", "0.2"].map((price, at) => ({ ...buy, id: `${at}`, quantity: "1", price }));
    const { positions } = await service().calculatePnl({
      trades: [...trades, { ...sell, quantity: "2", price: "0.3" }],
    });
    expect(positions).toMatchObject([{ realized: "0.29999999999999993", quantity: "0" }]);
  });

  it("ignores books: all of them form one position", async () => {
    const { positions } = await service().calculatePnl({
      trades: [
        { ...buy, book: "UST" },
        { ...sell, book: "ARB" },
      ],
    });
    expect(positions).toEqual([expect.objectContaining({ symbol: zn, quantity: "1", realized: "2" })]);
  });
});

describe("the service over ledgers", () => {
  const positions = [
    { symbol: zn, quantity: "2", averagePrice: "110.5", realized: "2", unrealized: "3" },
    { symbol: zf, quantity: "-1", averagePrice: "108.5", realized: "0", unrealized: "0" },
  ];

  it("lists openPositions, of all symbols or of one", async () => {
    expect(await service().openPositions({})).toEqual({ positions });
    expect(await service().openPositions({ symbol: zf })).toEqual({ positions: positions.slice(1) });
    expect(await service().openPositions({ symbol: "ZN" })).toEqual({ positions: [] });
  });

  it("omits flat positions from openPositions, and shows them in positionDetail", async () => {
    const out = file("trades_20250728.csv", `5,${zf},2025-07-28 09:00:00,B,1.0,108`);
    const asked = service("chained", { ...world, ledgers: [thursday, friday, out] });
    expect((await asked.openPositions({})).positions.map(({ symbol }) => symbol)).toEqual([zn]);
    expect(await asked.positionDetail({ symbol: zf })).toEqual({
      position: { symbol: zf, quantity: "0", averagePrice: "0", realized: "0.5", unrealized: "0" },
    });
  });

  it("gives positionDetail without lots, and null for a symbol that was never traded", async () => {
    expect(await service().positionDetail({ symbol: zn })).toEqual({ position: positions[0] });
    expect(await service().positionDetail({ symbol: zn, book: "any" })).toEqual({ position: positions[0] });
    expect(await service().positionDetail({ symbol: "nothing" })).toEqual({ position: null });
  });

  it("adds up the points of all products in totals, and lists the positions", async () => {
    expect(await service().totals({})).toEqual({
      totals: { points: { realized: "2", unrealized: "3", total: "5" } },
      positions,
    });
    expect(await service().totals({ symbol: zf })).toEqual({
      totals: { points: { realized: "0", unrealized: "0", total: "0" } },
      positions: positions.slice(1),
    });
  });

  it("gives dailyPnl by calendar day, including the first and the last day", async () => {
    const before = (111 - 331 / 3) * 3;
    const days = [
      { symbol: zn, tradingDay: "2025-07-24", realized: "0", unrealized: `${before}`, total: `${before}` },
      { symbol: zn, tradingDay: "2025-07-25", realized: "2", unrealized: "3", total: `${2 + (3 - before)}` },
      { symbol: zf, tradingDay: "2025-07-25", realized: "0", unrealized: "0", total: "0" },
    ];
    const ask = async (request: object) => (await service().dailyPnl(request)).daily;
    expect(await ask({})).toEqual(days);
    expect(await ask({ symbol: zn })).toEqual(days.slice(0, 2));
    expect(await ask({ from: "2025-07-25" })).toEqual(days.slice(1));
    expect(await ask({ to: "2025-07-24" })).toEqual(days.slice(0, 1));
    expect(await ask({ from: "2025-07-25", to: "2025-07-24" })).toEqual([]);
  });

  it("lists tradeHistory newest first, in file order within a second, up to the limit", async () => {
    const { trades } = await service().tradeHistory({});
    expect(trades.map(({ id }) => id)).toEqual(["4", "3", "2", "1"]);
    expect(trades[2]).toEqual({
      id: "2",
      symbol: zn,
      side: "B",
      quantity: "1",
      price: "111",
      time: "2025-07-24T09:01:00",
    });
    const ids = async (request: object) => (await service().tradeHistory(request)).trades.map(({ id }) => id);
    expect(await ids({ limit: 2 })).toEqual(["4", "3"]);
    expect(await ids({ limit: 0 })).toEqual([]);
    expect(await ids({ symbol: zn, limit: 2 })).toEqual(["3", "2"]);
    const rows = Array.from({ length: 501 }, (_, at) => `m${at},${zf},2025-07-28 09:00:00.${at},B,1.0,108`);
    const many = service("chained", { ledgers: [file("trades_20250729.csv", ...rows)] });
    const page = (await many.tradeHistory({})).trades;
    expect([page.length, page[0]?.id, page.at(-1)?.id]).toEqual([500, "m0", "m499"]);
  });

  it("quirk: ignores as-of times and books", async () => {
    const asOf = "2025-07-24T09:00:30-05:00";
    expect(await service().openPositions({ asOf, book: "none" })).toEqual({ positions });
    expect((await service().tradeHistory({ asOf, book: "none" })).trades).toHaveLength(4);
  });

  it("in file-at-a-time mode carries no position to the next file, so no sale is realized", async () => {
    expect(await service("file-at-a-time").openPositions({})).toEqual({
      positions: [
        { symbol: zn, quantity: "-1", averagePrice: "112", realized: "0", unrealized: "0" },
        { symbol: zf, quantity: "-1", averagePrice: "108.5", realized: "0", unrealized: "0" },
      ],
    });
  });

  it("counts the rows before a bad one, and continues", async () => {
    const bad = file(
      "trades_20250730.csv",
      `6,${zf},2025-07-30 09:00:00,B,3.0,108`,
      `7,${zf},when,B,1.0,108`,
    );
    const asked = service("chained", { ...world, ledgers: [thursday, friday, bad] });
    expect((await asked.positionDetail({ symbol: zf })).position).toMatchObject({ quantity: "2" });
  });

  it("asks `world` for the files and prices of each call", async () => {
    const worlds = [{ ledgers: [thursday] }, world];
    const asked = new LegacyDeskService({ world: async () => worlds.shift() as HistoryRequest });
    expect((await asked.openPositions({})).positions).toMatchObject([{ symbol: zn, quantity: "3" }]);
    expect((await asked.openPositions({})).positions).toHaveLength(2);
  });

  it("fails only the calls that need ledgers if `world` fails", async () => {
    const asked = new LegacyDeskService({
      world: () => {
        throw new Error("no trade ledgers are configured");
      },
    });
    for (const method of ["openPositions", "tradeHistory", "dailyPnl", "totals"] as const)
      await expect(asked[method]({})).rejects.toThrow("no trade ledgers are configured");
    await expect(asked.positionDetail({ symbol: zn })).rejects.toThrow("no trade ledgers");
    expect(await asked.calculatePnl({ trades: [] })).toMatchObject({ positions: [] });
  });

  it("keeps concurrent requests independent", async () => {
    const asked = service();
    const answers = await Promise.all(Array.from({ length: 8 }, () => asked.totals({})));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    const trade = { id: "1", symbol: zn, side: "B", quantity: "1", price: "1" } as const;
    await asked.calculatePnl({ trades: [trade] });
    expect(await asked.calculatePnl({ trades: [trade] })).toMatchObject({ positions: [{ quantity: "1" }] });
    expect(await asked.openPositions({})).toEqual({ positions });
  });
});

describe("an unsupported or invalid request is refused with one line", () => {
  const trade = {
    id: "1",
    symbol: zn,
    side: "B",
    quantity: "1",
    price: "110",
    time: "2025-07-24T09:00:00-05:00",
  };
  const calculate = (changed: object) =>
    ["calculatePnl", { trades: [trade, { ...trade, ...changed }] }] as const;
  const rows: readonly (readonly [string, unknown, string])[] = [
    ["calculatePnl", {}, "trades must be a list"],
    ["calculatePnl", { trades: [null] }, "symbol must be text"],
    [...calculate({ symbol: 5 }), "symbol must be text"],
    [...calculate({ symbol: "" }), "symbol must not be empty"],
    [...calculate({ side: "buy" }), "side must be B or S: 'buy'"],
    [...calculate({ side: undefined }), "side must be B or S"],
    [...calculate({ quantity: "lots" }), "could not convert string to float: 'lots'"],
    [...calculate({ quantity: "" }), "could not convert string to float: ''"],
    [...calculate({ quantity: 1 }), "could not convert string to float: '1'"],
    [...calculate({ quantity: "0" }), "quantity must not be zero"],
    [...calculate({ quantity: "Infinity" }), "could not convert string to float: 'Infinity'"],
    [...calculate({ price: "-1" }), "price must not be negative"],
    [...calculate({ price: undefined }), "could not convert string to float"],
    [...calculate({ time: "noon" }), "time data 'noon' does not match"],
    [...calculate({ time: "2025-07-24" }), "time data '2025-07-24' does not match"],
    ["calculatePnl", { trades: [trade], marks: { [zn]: "-1" } }, "close price must not be negative"],
    [
      "calculatePnl",
      { trades: [trade], marks: { [zn]: "high" } },
      "could not convert string to float: 'high'",
    ],
    ["calculatePnl", { trades: [], method: "lifo" }, "closes lots by fifo only, not lifo"],
    ["openPositions", { method: "average" }, "closes lots by fifo only, not average"],
    ["dailyPnl", { method: "lifo" }, "by fifo only"],
    ["totals", { method: "lifo" }, "by fifo only"],
    ["positionDetail", { symbol: zn, method: "lifo" }, "by fifo only"],
    ["positionDetail", {}, "symbol must be text"],
    ["dailyPnl", { from: "yesterday" }, "time data 'yesterday' does not match format '%Y-%m-%d'"],
    ["tradeHistory", { limit: -1 }, "limit must be a whole number of 0 or more: -1"],
    ["tradeHistory", { limit: "ten" }, "limit must be a whole number of 0 or more: ten"],
  ];
  it.each(rows)("%s %j", async (method, request, why) => {
    const { message, code } = await refusal(method, request);
    expect(message).toContain(why);
    expect(message).not.toContain("\n");
    expect(code).toBe("LegacyRejection");
  });
});

const data = "../shared/data";
const published = `${data}/expected/two-systems.json`;

describe.skipIf(!existsSync(published))("on the desk's real ledgers (skipped without ../shared/data)", () => {
  interface Expected {
    readonly files: readonly string[];
    readonly marks: Readonly<Record<string, number>>;
    readonly legacy: Readonly<
      Record<
        string,
        {
          readonly position: number;
          readonly avg_cost: number;
          readonly realized_unscaled: number;
          readonly unrealized_unscaled: number;
        }
      >
    >;
  }
  const expected: Readonly<Record<string, Expected>> = existsSync(published)
    ? JSON.parse(readFileSync(published, "utf8"))
    : {};

  it.each(Object.keys(expected).filter((name) => !("note" in (expected[name] as Expected).legacy)))(
    "%s has exactly the real desk's figures",
    async (name) => {
      const { files, marks, legacy } = expected[name] as Expected;
      const asked = service("chained", {
        ledgers: files.map((path) => join(data, path)),
        marks: Object.fromEntries(Object.entries(marks).map(([symbol, price]) => [symbol, String(price)])),
      });
      const { positions } = await asked.totals({});
      expect(positions.map(({ symbol }) => symbol).sort()).toEqual(Object.keys(legacy).sort());
      for (const { symbol, quantity, averagePrice, realized } of positions) {
        const truth = legacy[symbol];
        expect([quantity, averagePrice, realized]).toEqual(
          [truth?.position, truth?.avg_cost, truth?.realized_unscaled].map(String),
        );
      }
    },
  );
});
