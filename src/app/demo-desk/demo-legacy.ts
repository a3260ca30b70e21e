/** The legacy system of the living demo, which `serve` loads as a module. */
import type { PnlService } from "../../ports/pnl-service.ts";
import { LedgerWorld } from "../bridge/systems/ledger-world.ts";
import { builtinService } from "../builtin-systems.ts";

/** The futures that the books of the living demo trade. Each book has instruments of its own. */
export const demoBooks: Readonly<Record<string, string>> = {
  ZN: "RATES",
  ZF: "FLOW",
  ZB: "LONG",
  ZT: "UST",
};

type Row = { readonly symbol: string };

const rootOf = ({ symbol }: Row): string => symbol.slice(-2);

/**
 * The legacy desk with books, over a folder of ledgers. It has one defect on purpose: a point of the two-year
 * note counts 1000 dollars instead of 2000. Its P&L is in points, so it reports half of the points of that
 * note.
 */
export function demoLegacy(ledgers: string): PnlService {
  const world = new LedgerWorld({ trades: [ledgers], dayRule: "calendar" });
  const desk = builtinService({ kind: "builtin", name: "legacy-desk", mode: "chained" }, world);
  return {
    calculatePnl: async (request) => {
      const answer = await desk.calculatePnl(request);
      return { ...answer, positions: answer.positions.map(withDefect) };
    },
    openPositions: async ({ book, ...request }) => ({
      positions: inBook((await desk.openPositions(request)).positions, book).map(withDefect),
    }),
    tradeHistory: async ({ book, limit, ...request }) => {
      const { trades } = await desk.tradeHistory({ ...request, limit: tradesMax });
      return { trades: inBook(trades, book).slice(0, limit) };
    },
    dailyPnl: async ({ book, ...request }) => ({
      daily: inBook((await desk.dailyPnl(request)).daily, book).map(withDefect),
    }),
    totals: async ({ book, ...request }) => {
      // The desk answers its positions too, flat ones with them. The bridge adds up money from them.
      const { positions } = (await desk.totals(request)) as Awaited<ReturnType<PnlService["openPositions"]>> &
        Awaited<ReturnType<PnlService["totals"]>>;
      return { totals: {}, positions: inBook(positions, book).map(withDefect) };
    },
    positionDetail: async ({ book, ...request }) => {
      const { position } = await desk.positionDetail(request);
      const found = position === null ? [] : inBook([position], book).map(withDefect);
      return { position: found[0] ?? null };
    },
  };
}

/**
 * The number of trades that the desk is asked for: as many as a dashboard ever requests. The limit of a
 * request applies after the filter by book.
 */
const tradesMax = 100_001;

const inBook = <R extends Row>(
  rows: readonly R[],
  book: string | undefined,
): readonly (R & { book?: string })[] =>
  rows.map((row) => ({ ...row, ...bookOf(row) })).filter((row) => book === undefined || row.book === book);

const bookOf = (row: Row): { readonly book?: string } => {
  const book = demoBooks[rootOf(row)];
  return book === undefined ? {} : { book };
};

const inPoints = ["realized", "unrealized", "total"] as const;

function withDefect<R extends Row & { readonly [Field in (typeof inPoints)[number]]?: string | null }>(
  row: R,
): R {
  if (rootOf(row) !== "ZT") return row;
  const halves = inPoints.flatMap((field) => {
    const points = row[field];
    return points === undefined || points === null ? [] : [[field, String(Number(points) / 2)]];
  });
  return { ...row, ...Object.fromEntries(halves) };
}
