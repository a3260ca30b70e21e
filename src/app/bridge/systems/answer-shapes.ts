import type { PnlMethod } from "../../../ports/pnl-service.ts";
import type { JsonValue } from "../../../ports/system.ts";
import { likelyField } from "./likely-names.ts";

export type Row = Readonly<Record<string, JsonValue>>;

interface AnswerShape {
  /** The key of the answer that holds its rows. */
  readonly part: string;
  /** The keys that each row must have. */
  readonly fields: readonly string[];
}

const position = ["symbol", "quantity", "averagePrice", "realized", "unrealized"];

/** The required shape of each method's answer. */
export const answerShapes: Readonly<Record<PnlMethod, AnswerShape>> = {
  calculatePnl: { part: "positions", fields: position },
  openPositions: { part: "positions", fields: position },
  tradeHistory: { part: "trades", fields: ["id", "symbol", "side", "quantity", "price"] },
  dailyPnl: { part: "daily", fields: ["symbol", "tradingDay", "realized", "unrealized", "total"] },
  totals: { part: "totals", fields: ["realized", "unrealized", "total"] },
  positionDetail: { part: "position", fields: position },
};

/**
 * Checks an answer against its shape and returns its rows. Throws an Error that names the missing field and
 * the one that the system probably uses for it.
 */
export function checkedRows(method: PnlMethod, answer: JsonValue): readonly Row[] {
  const { part, fields } = answerShapes[method];
  if (!isRow(answer)) throw new Error(`${method} answers ${kindOf(answer)}, not { ${part}: … }`);
  const rows = rowsIn(method, answer[part]);
  if (rows === undefined) {
    if (answer[part] !== undefined)
      throw new Error(
        `${part} in the answer of ${method} is ${kindOf(answer[part])}, ` +
          "not the rows that the bridge compares",
      );
    throw new Error(`the answer of ${method} lacks ${missingText(part, Object.keys(answer))}`);
  }
  for (const row of rows) {
    const missing = fields.filter((field) => row[field] === undefined);
    if (missing.length > 0) {
      const others = Object.keys(row).filter((key) => !fields.includes(key));
      const lacking = missing.map((field) => missingText(field, others));
      throw new Error(`a row in ${part} of ${method} lacks ${lacking.join(", ")}`);
    }
    if (method === "tradeHistory" && row.side !== "B" && row.side !== "S")
      throw new Error(`side in trades of ${method} is ${JSON.stringify(row.side)}, not "B" or "S"`);
  }
  return rows;
}

/** The rows in the part of an answer; undefined if the part does not hold rows. */
function rowsIn(method: PnlMethod, given: JsonValue | undefined): readonly Row[] | undefined {
  if (method === "positionDetail") return given === null ? [] : isRow(given) ? [given] : undefined;
  if (method === "totals") return isRow(given) ? Object.values<JsonValue>(given).filter(isRow) : undefined;
  return listOfRows(given);
}

function listOfRows(value: JsonValue | undefined): readonly Row[] | undefined {
  const listed: readonly JsonValue[] | undefined = Array.isArray(value) ? value : undefined;
  return listed?.every(isRow) ? listed : undefined;
}

function missingText(wanted: string, there: readonly string[]): string {
  const found = likelyField(wanted, there);
  return found === undefined ? wanted : `${wanted} (probably called ${found})`;
}

export const isRow = (value: JsonValue | undefined): value is Row =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const kindOf = (value: JsonValue | undefined): string =>
  Array.isArray(value)
    ? "a list"
    : value === null
      ? "null"
      : typeof value === "object"
        ? "an object"
        : `a ${typeof value}`;
