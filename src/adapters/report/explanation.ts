import { plain } from "../../base/plain-text.ts";
import type { AcceptedUnder, Explanation, WitnessTrade } from "../../ports/explanation.ts";
import { align, figure, none, paragraphs } from "./text.ts";

/** The most trades, lanes and tried rules of one explanation that the text lists. */
const [tradesMax, lanesMax, triedMax] = [20, 4, 8];

/**
 * Returns explanations as text: for each one its place, the causes with their amounts, and the trades that
 * show the difference.
 */
export function renderExplanations(explanations: readonly Explanation[]): string {
  if (explanations.length === 0) return "Nothing to explain: every row agrees.\n";
  const counts = explanations.filter(({ unexplained }) => unexplained === "0").length;
  const summary =
    explanations.length === 1
      ? []
      : [
          `${counts} of ${explanations.length} groups of instruments with differences are explained completely.`,
        ];
  return `${paragraphs([...explanations.map(linesOf), summary])}\n`;
}

function linesOf(explanation: Explanation): readonly string[] {
  const { id, component, first, difference, causes, unexplained, alternatives, witness, tried } = explanation;
  const accepted = explanation.accepted?.map(acceptedWords) ?? [];
  const lanes = component.lanes.slice(0, lanesMax).map(laneWords);
  const more = component.lanes.length > lanesMax ? ` and ${component.lanes.length - lanesMax} more` : "";
  const day = first.tradingDay === undefined ? "in the position" : `on ${first.tradingDay}`;
  const place = `first difference ${day}, ${first.field}`;
  const amounts = [
    ...causes.map(({ code, level, amount, rule, side, rowsReproduced, rowsTotal }) => [
      `  ${code}`,
      level,
      figure(amount),
      `${side}: ${plain(rule)}; ${rowsReproduced} of ${rowsTotal} rows agree with it`,
    ]),
    ["  unexplained", "", figure(unexplained), ""],
  ];
  return [
    `explain ${id}  ${lanes.join(", ")}${more}`,
    `  ${place}${difference === null ? "" : `: modern - legacy = ${figure(difference)}`}`,
    ...align(amounts, new Set([0, 1, 3])),
    ...alternatives.map((codes) => `  or equally    ${codes.join(" and ")}`),
    ...accepted.map((words) => `  accepted      ${words}`),
    ...(witness === null ? [] : witnessLines(witness)),
    ...(causes.length > 0 || tried.length === 0 ? [] : [`  tried         ${triedWords(tried)}`]),
    ...(explanation.budget.exhausted ? ["  The budget ran out: a longer search may find more."] : []),
  ];
}

/**
 * Returns an explanation in one line: the place, each cause with its amount, and the trades that show the
 * difference.
 */
export function explanationWords({
  id,
  component,
  first,
  difference,
  causes,
  unexplained,
  alternatives,
  witness,
  tried,
  accepted = [],
}: Explanation): string {
  const lanes = component.lanes.slice(0, lanesMax).map(laneWords).join(", ");
  const place = `${plain(first.tradingDay ?? "position")} ${first.field}`;
  const amounts = causes.map(({ code, amount, level }) => `${code} ${figure(amount)} (${level})`);
  const others = alternatives.map((codes) => codes.join(" and "));
  const trades = witness?.trades
    .slice(0, tradesMax)
    .map(({ file, line, id }) => `${plain(file)}:${line} (id ${plain(id)})`);
  return [
    `${lanes}, ${place}${difference === null ? "" : `, modern - legacy ${figure(difference)}`}`,
    ...amounts,
    ...(others.length === 0 ? [] : [`or equally ${others.join(", or ")}`]),
    `unexplained ${figure(unexplained)}`,
    ...accepted.map((terms) => `accepted: ${acceptedWords(terms)}`),
    ...(causes.length > 0 || tried.length === 0 ? [] : [`tried ${triedWords(tried)}`]),
    ...(trades === undefined ? [] : [`shown by ${trades.join(", ")}`]),
    `explain ${id}`,
  ].join("; ");
}

const acceptedWords = ({ id, code, owner, until }: AcceptedUnder): string =>
  plain(`${code} by ${owner} until ${until} (entry ${id})`);

const laneWords = ({ book, symbol }: Explanation["component"]["lanes"][number]): string =>
  plain(book === undefined ? symbol : `${symbol} in ${book}`);

function witnessLines({ trades, minimal }: NonNullable<Explanation["witness"]>): readonly string[] {
  const shown = trades
    .slice(0, tradesMax)
    .map((trade) => [
      `    ${plain(trade.file)}:${trade.line}`,
      plain(trade.id),
      plain(trade.time),
      plain(trade.symbol),
      plain(trade.side),
      plain(trade.quantity),
      plain(trade.price),
      trade.opening === true
        ? "a lot that was open already"
        : trade.refused === undefined
          ? ""
          : `refused: ${trade.refused}`,
    ]);
  const left = trades.length > tradesMax ? [`    and ${trades.length - tradesMax} more`] : [];
  const smallest = minimal ? "; none of them can be left out" : "";
  return [
    `  ${trades.length === 1 ? "1 trade shows" : `${trades.length} trades show`} the difference${smallest}:`,
    ...align(shown, new Set([0, 1, 2, 3, 4, 7])),
    ...left,
  ];
}

const triedWords = (tried: Explanation["tried"]): string =>
  tried
    .slice(0, triedMax)
    .map(({ code, rowsLeft }) => `${code} (${rowsLeft} rows still differ)`)
    .join(", ") || none;

/** Returns the ledger of a witness: its trades as rows of one file. */
export const witnessLedger = (trades: readonly WitnessTrade[]): string => {
  const hasBooks = trades.some(({ book }) => book !== undefined);
  const header = `tradeId,instrumentName,marketTradeTime,buySell,quantity,price${hasBooks ? ",book" : ""}`;
  const rows = trades.map(({ id, symbol, time, side, quantity, price, book }) =>
    [id, symbol, time, side, quantity, price, ...(hasBooks ? [book ?? ""] : [])].map(csvField).join(","),
  );
  return `${[header, ...rows].join("\n")}\n`;
};

const csvField = (text: string): string => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
