/** Checks the causes in the comparison of two daily reports a second time. */
import { reportCauses } from "../../src/bridges/reports/known-causes.ts";
import type { ReportDifference } from "../../src/ports/report-diff.ts";
import type { Workbook } from "../../src/ports/workbook.ts";

type Texts = Readonly<Record<string, string>>;

/**
 * Returns a function that checks the cause of a difference with the rows of both reports, without the rules
 * of the product. A known defect of legacy that has no check here fails. Amounts are compared to a cent,
 * which floats of this size hold.
 */
export function causeChecks(legacy: Workbook, modern: Workbook, all: readonly ReportDifference[]) {
  const [own, others] = [legacy, modern].map(
    (book) => new Map(book.sheets.map((one) => [one.name, textsOf(one)])),
  );
  const rows = (side: "legacy" | "modern", sheet: string): readonly Texts[] =>
    (side === "legacy" ? own : others)?.get(sheet) ?? [];
  const rowOf = (side: "legacy" | "modern", { sheet, key }: ReportDifference): Texts =>
    rows(side, sheet).find((row) => Object.entries(key ?? {}).every(([name, text]) => row[name] === text)) ??
    {};
  const isNear = (a: number, b: number): boolean => Math.abs(a - b) < 0.01;

  // The trades that legacy has twice.
  const identity = ["Trade_ID", "DateTime", "Symbol", "Action", "Quantity", "Price_Decimal"];
  const trade = (row: Texts): string => identity.map((name) => row[name]).join(" ");
  const once = new Set(rows("modern", "Trades").map(trade));
  const seen = new Set<string>();
  const repeated = rows("legacy", "Trades").filter((row) => {
    const isAgain = seen.has(trade(row)) && once.has(trade(row));
    seen.add(trade(row));
    return isAgain;
  });
  const lotsOf = (symbol = "") =>
    repeated
      .filter((row) => row.Symbol === symbol)
      .map((row) => ({
        quantity: Number(row.Quantity) * (row.Action === "SELL" ? -1 : 1),
        price: Number(row.Price_Decimal),
      }));
  const quantityOf = (symbol = ""): number => lotsOf(symbol).reduce((sum, { quantity }) => sum + quantity, 0);
  const profitOf = (symbol = "", mark = 0): number =>
    lotsOf(symbol).reduce((sum, { quantity, price }) => sum + quantity * (mark - price) * 1000, 0);
  const priceOf = (symbol = "", column = "Current_Price"): number =>
    Number(rows("modern", "Positions").find((row) => row.Symbol === symbol)?.[column]);

  /** The number by which legacy's figure is larger if only the repeated trades make a difference. */
  const expectedMore = (sheet: string, column: string, row: Texts): number => {
    const symbol = row.Symbol ?? /^POS_(.*)_\d+$/.exec(row.Position_ID ?? "")?.[1];
    if (sheet === "Summary")
      return row.Metric === "Total Trades"
        ? repeated.length
        : [...new Set(repeated.map((one) => one.Symbol))]
            .filter((one) => !Number.isNaN(priceOf(one)))
            .reduce((sum, one) => sum + profitOf(one, priceOf(one)), 0);
    if (column === "Scenario_PNL") return Number(row.Price_Change) * quantityOf(symbol) * 1000;
    if (column === "Net_Quantity" || column === "Quantity") return quantityOf(symbol);
    if (column === "Prior_Present_Value") return priceOf(symbol, "Prior_Close") * quantityOf(symbol) * 1000;
    if (column === "Current_Present_Value") return priceOf(symbol) * quantityOf(symbol) * 1000;
    if (column === "Avg_Entry_Price" || column === "Price") {
      const [net, average] = [priceOf(symbol, "Net_Quantity"), priceOf(symbol, "Avg_Entry_Price")];
      return (net * average + profitOf(symbol) / -1000) / (net + quantityOf(symbol)) - average;
    }
    return profitOf(symbol, priceOf(symbol));
  };
  const lots = (side: "legacy" | "modern", symbol = ""): readonly string[] =>
    rows(side, "Position_Breakdown")
      .filter((row) => row.Symbol === symbol && row.Label === "OPEN_POSITION")
      .map((row) => `${row.Quantity} ${row.Price?.split(".")[0]}`);
  const hasRepeatedLots = (symbol = ""): boolean =>
    [...lots("modern", symbol), ...lotsOf(symbol).map(({ quantity, price }) => `${quantity} ${cut(price)}`)]
      .toSorted()
      .join() === lots("legacy", symbol).toSorted().join();

  // The parts of an option's row that are the same in both reports.
  const bare = (text = ""): string => text.replace(/\/[^_]*/, "");
  const partOf = (sheet: string, row: Texts): string => {
    const rounded = (text = ""): string =>
      text === "" || Number.isNaN(Number(text)) ? text : Number(text).toFixed(6);
    if (sheet === "Positions")
      return [
        bare(row.Symbol),
        row.Type?.[0],
        row.Closed_Quantity,
        rounded(row.Avg_Entry_Price),
        rounded(row.Realized_PNL),
      ].join(" ");
    if (sheet === "Position_Breakdown")
      return [
        bare(row.Symbol),
        bare(row.Description),
        row.Label === "SUMMARY" ? rounded(row.Price) : row.Price?.split(".")[0],
      ].join(" ");
    const symbol = /^POS_(.*)_\d+$/.exec(row.Position_ID ?? "")?.[1];
    const [mark, average] = [priceOf(symbol), priceOf(symbol, "Avg_Entry_Price")];
    const price = symbol?.includes("/")
      ? (Number.isNaN(mark) ? average : mark) + Number(row.Price_Change)
      : Number(row.TYU5_Price);
    return [bare(row.Position_ID), row.Price_Change, price.toFixed(6)].join(" ");
  };
  const quantityIn = (sheet: string, row: Texts): number =>
    sheet === "Risk_Matrix" ? 0 : Number(row.Net_Quantity ?? row.Quantity);
  const rowTexts = (side: "legacy" | "modern", { sheet, [side]: text }: ReportDifference): Texts => {
    const columns = Object.keys(rows(side, sheet)[0] ?? {});
    return Object.fromEntries((text ?? "").split(" | ").map((one, at) => [columns[at], one]));
  };
  const isOneSided = ({ class: kind }: ReportDifference): boolean => kind.startsWith("only_in_");
  const partners = (cause: string) =>
    (["legacy", "modern"] as const).map((side) =>
      Map.groupBy(
        all.filter((one) => one.class === `only_in_${side}` && one.cause === cause),
        (one) => `${one.sheet} ${partOf(one.sheet, rowTexts(side, one))}`,
      ),
    );
  const renamed = partners("STRIKE_LOST");
  const doubled = partners("REPEATED_TRADE");

  const isRenamed = (one: ReportDifference, groups: typeof renamed, cause: string): boolean => {
    const side = one.class === "only_in_legacy" ? "legacy" : "modern";
    const [a = [], b = []] = groups.map(
      (group) => group.get(`${one.sheet} ${partOf(one.sheet, rowTexts(side, one))}`) ?? [],
    );
    const sumOf = (list: readonly ReportDifference[], of: "legacy" | "modern"): number =>
      list.reduce((sum, each) => sum + quantityIn(one.sheet, rowTexts(of, each)), 0);
    const more = b.reduce((sum, each) => sum + quantityOf(rowTexts("modern", each).Symbol), 0);
    return (
      a.length === b.length &&
      sumOf(a, "legacy") - sumOf(b, "modern") === (cause === "STRIKE_LOST" ? 0 : more)
    );
  };

  const words = ["not available", "awaiting data"];
  const known: Readonly<Record<string, (one: ReportDifference) => boolean>> = {
    STRIKE_LOST: (one) => isRenamed(one, renamed, "STRIKE_LOST"),
    TRUNCATED_32NDS: ({ legacy: a, modern: b }) => {
      const [points = "", parts = ""] = b?.split("-") ?? [];
      return a === `${points}-${parts.slice(0, 2)}` && a === cut(Number(points) + Number(parts) / 32);
    },
    REPEATED_TRADE: (one) => {
      const { sheet, column } = one;
      if (sheet === "Trades") return repeated.map(trade).includes(trade(rowTexts("legacy", one)));
      if (isOneSided(one))
        return rowTexts("legacy", one).Label === "OPEN_POSITION"
          ? hasRepeatedLots(one.key?.Symbol)
          : isRenamed(one, doubled, "REPEATED_TRADE");
      const row = rowOf("modern", one);
      if (column === "Notes")
        return (
          Number.parseInt(one.legacy ?? "", 10) - Number.parseInt(one.modern ?? "", 10) ===
          lotsOf(row.Symbol).length
        );
      if (row.Label === "OPEN_POSITION") return hasRepeatedLots(row.Symbol);
      return isNear(Number(one.legacy) - Number(one.modern), expectedMore(sheet, column ?? "", row));
    },
    NO_DAY: ({ column, legacy: a, modern: b }) =>
      column === "Daily_PNL" && words.includes(a ?? "") && Number(b) === 0,
    REALIZED_ONLY: (one) => {
      const position = rows("modern", "Positions").find((row) => row.Symbol === one.key?.Symbol);
      return (
        ["Total_PNL", "Inception_PNL"].includes(one.column ?? "") &&
        words.includes(one.modern ?? "") &&
        words.includes(position?.Unrealized_PNL ?? "") &&
        isNear(Number(one.legacy), Number(position?.Realized_PNL))
      );
    },
    ASSUMED_PRICE: (one) => {
      const { TYU5_Price: price, Price_Change: step, Position_ID: id } = rowOf("legacy", one);
      const position = rows("legacy", "Positions").find((row) => `POS_${row.Symbol}_001` === id);
      const [mark, average] = [Number(position?.Current_Price), Number(position?.Avg_Entry_Price)];
      const expected = (Number.isNaN(mark) ? average : mark) + Number(step);
      return (
        words.includes(one.modern ?? "") &&
        isNear(Number(price), expected) &&
        (one.column === "TYU5_Price" || one.legacy === cut(Number(price)))
      );
    },
    RUNNING_TOTAL: (one) => {
      const row = rowOf("legacy", one);
      const positions = rows("legacy", "Positions");
      const place = positions.findIndex((each) => `POS_${each.Symbol}_001` === row.Position_ID);
      const quantity = positions
        .slice(0, place + 1)
        .reduce((sum, each) => sum + (each.Type === "FUT" ? Number(each.Net_Quantity) : 0), 0);
      return isNear(Number(one.legacy), quantity * Number(row.Price_Change) * 1000);
    },
    TU_MULTIPLIER: ({ key, legacy: a, modern: b }) =>
      (key?.Symbol ?? "").endsWith("ZT") && isNear(2 * Number(a), Number(b)),
    MISSING_WORDS: ({ legacy: a, modern: b }) => words.includes(a ?? "") && words.includes(b ?? ""),
  };
  return (one: ReportDifference): boolean =>
    one.cause !== undefined && (!(one.cause in reportCauses) || known[one.cause]?.(one) === true);
}

/** The price in points and whole 32nds. */
function cut(price: number): string {
  const points = Math.floor(price);
  return `${points}-${String(Math.floor((price - points) * 32)).padStart(2, "0")}`;
}

function textsOf({ starts, columns, texts }: Workbook["sheets"][number]): readonly Texts[] {
  const cells = (row: number) => texts.slice(starts[row], starts[row + 1]);
  const names = cells(0);
  return starts
    .slice(1, -1)
    .map((start, at) =>
      Object.fromEntries(cells(at + 1).map((text, cell) => [names[columns[start + cell] ?? 0], text])),
    );
}
