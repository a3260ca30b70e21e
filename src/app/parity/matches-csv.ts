import { matchRows, type PnlEngine } from "../../engine/index.ts";

const columns = [
  "book",
  "symbol",
  "openTradeId",
  "closeTradeId",
  "quantity",
  "openPrice",
  "closePrice",
  "pnl",
] as const;

/**
 * Yields a CSV text in pieces of about a megabyte: a line of column names, then a line for each match, in the
 * order of the closing trades. Numbers are exact; a text with a comma or quote is quoted (RFC 4180).
 */
export function* matchesCsv(engine: PnlEngine): Generator<string> {
  yield `${columns.join(",")}\n`;
  let piece = "";
  for (const row of matchRows(engine)) {
    piece += `${columns.map((column) => cell(row[column] ?? "")).join(",")}\n`;
    if (piece.length > 1 << 20) {
      yield piece;
      piece = "";
    }
  }
  yield piece;
}

const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
