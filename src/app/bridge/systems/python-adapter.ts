/** The text of a Python adapter: what `doctor --write-adapter` writes from the methods and answers that it found. */
import { type PnlMethod, pnlMethods, requestKeys } from "../../../ports/pnl-service.ts";
import type { FoundMethod, JsonValue } from "../../../ports/system.ts";
import { answerShapes, isRow, type Row, rowsAnywhere } from "./answer-shapes.ts";
import { likelyField } from "./likely-names.ts";

/** A method of the bridge and the desk's own method that most likely does it. */
export interface AdaptedMethod extends FoundMethod {
  readonly method: PnlMethod;
  /** An answer of the desk's method; undefined where it could not be asked. */
  readonly answer: JsonValue | undefined;
}

interface AdapterFacts {
  /** `module:Name` of the desk's own object. */
  readonly target: string;
  /** The adapter's own module. */
  readonly module: string;
  readonly methods: readonly AdaptedMethod[];
  readonly pnlIn: "money" | "points";
}

/** The tables of field names in the adapter, and the fields that a row may lack. */
const tables = {
  POSITION: { from: "openPositions", optional: ["book", "currency"] },
  TRADE: { from: "tradeHistory", optional: ["time", "book"] },
  DAY: { from: "dailyPnl", optional: ["book"] },
  TOTAL: { from: "totals", optional: [] },
  DETAIL: { from: "positionDetail", optional: ["book", "currency"] },
} as const satisfies Record<string, { readonly from: PnlMethod; readonly optional: readonly string[] }>;
type Table = keyof typeof tables;

const tableOf: Readonly<Record<PnlMethod, Table>> = {
  calculatePnl: "POSITION",
  openPositions: "POSITION",
  tradeHistory: "TRADE",
  dailyPnl: "DAY",
  totals: "TOTAL",
  positionDetail: "DETAIL",
};

export function pythonAdapter({ target, module, methods, pnlIn }: AdapterFacts): string {
  const [from = "", name = ""] = target.split(":");
  const trade = rowOf(methods, "TRADE");
  // A calculator gets its trades under the names of the trade history.
  const used = new Set(
    methods.flatMap(({ method }) => (method === "calculatePnl" ? (["POSITION", "TRADE"] as const) : [tableOf[method]])),
  );
  const bodies = methods.map((one) => bodyOf(one, { pnlIn, trade }));
  const absent = pnlMethods.filter((method) => !methods.some((one) => one.method === method));
  return `"""Offers ${target} to pnl-bridge under the names of the bridge.

\`pnl-bridge doctor --write-adapter\` wrote it from what it found. It is yours: read it, correct the lines marked with CHECK, and keep it
beside the service. In the configuration, name ${module}:Desk instead of ${target}.
"""

from ${from} import ${name}

# The bridge's name of each field, and the service's.
${[...used].map((table) => tableText(table, rowOf(methods, table))).join("\n")}


class Desk:
    def __init__(self, *arguments, **keywords):
        self.service = ${name}(*arguments, **keywords)
${bodies.map((body) => `\n${body}`).join("")}${absent.length === 0 ? "" : `\n    # CHECK: nothing in the service looks like ${absent.join(", ")}.\n`}

def rows(answer, names, request):
    """The rows of an answer that the request asks for, under the bridge's names."""
    if hasattr(answer, "to_dict"):  # a pandas frame
        answer = answer.to_dict("records")
    if isinstance(answer, dict):  # rows by symbol
        answer = [dict(row, symbol=symbol) for symbol, row in answer.items()]
    return [row for row in (named(row, names) for row in answer) if is_asked(row, request)]


def named(row, names):
    """One row under the bridge's names. An object that is no dict is read by its attributes."""
    if not isinstance(row, dict):
        row = row._asdict() if hasattr(row, "_asdict") else vars(row)
    return {ours: row[theirs] if theirs else None for ours, theirs in names.items()}


def is_asked(row, request):
    """Whether a row is within the symbol, the book and the days that a request names."""
    day = row.get("tradingDay")
    return (
        request.get("symbol") in (None, row["symbol"])
        and request.get("book") in (None, row.get("book"))
        and (day is None or request.get("from", "") <= str(day) <= request.get("to", "9"))
    )
`;
}

/** The first row of the answers from which a table of names is made. */
function rowOf(methods: readonly AdaptedMethod[], table: Table): Row | undefined {
  const answer = methods.find(({ method }) => method === tables[table].from)?.answer;
  if (answer === undefined) return undefined;
  return table === "TOTAL" && isRow(answer) ? answer : rowsAnywhere(answer)?.rows[0];
}

const fieldIn = (row: Row, field: string): string => likelyField(field, Object.keys(row)) ?? "";

function tableText(table: Table, row: Row | undefined): string {
  const { from, optional } = tables[table];
  const { fields } = answerShapes[from];
  if (row === undefined)
    return `${table} = {${fields.map((field) => `"${field}": "${field}"`).join(", ")}}  # CHECK: no row was seen`;
  const taken = [...fields, ...optional.filter((field) => fieldIn(row, field) !== "")];
  const lines = taken.map((field) => {
    const theirs = fieldIn(row, field);
    return theirs === "" ? `    "${field}": None,  # CHECK: nothing looks like it` : `    "${field}": ${JSON.stringify(theirs)},`;
  });
  return `${table} = {\n${lines.join("\n")}\n}`;
}

interface BodyFacts {
  readonly pnlIn: "money" | "points";
  readonly trade: Row | undefined;
}

function bodyOf(one: AdaptedMethod, { pnlIn, trade }: BodyFacts): string {
  const { method, answer } = one;
  const call = `self.service.${one.name}(${argumentsOf(one)})`;
  const seen = answer === undefined ? undefined : rowsAnywhere(answer);
  const inner = seen?.key;
  const read = `rows(${call}${inner === undefined ? "" : `[${JSON.stringify(inner)}]`}, ${tableOf[method]}, request)`;
  return `    def ${method}(self, request):\n${linesOf()
    .map((line) => `        ${line}\n`)
    .join("")}`;

  function linesOf(): readonly string[] {
    switch (method) {
      case "calculatePnl":
        return [
          'names = dict(TRADE, time=TRADE.get("time", "time"))',
          'trades = [{theirs: trade.get(ours) for ours, theirs in names.items()} for trade in request["trades"]]',
          "for trade in trades:  # CHECK: the bridge sends numbers as text",
          '    trade.update({names[field]: float(trade[names[field]]) for field in ("quantity", "price")})',
          `positions = rows(${call}, POSITION, {})  # CHECK: no answer was seen`,
          'return {"positions": positions, "totals": {}, "rejected": []}',
        ];
      case "tradeHistory":
        // Times without a zone are read as Chicago's by the bridge.
        return [
          `trades = ${read}`,
          "for trade in trades:",
          '    trade["id"] = str(trade["id"])',
          ...(trade !== undefined && /^[BS]$/.test(String(trade[fieldIn(trade, "side")]))
            ? []
            : ['    trade["side"] = str(trade["side"])[:1].upper()  # CHECK: it must be B or S']),
          ...(trade !== undefined && fieldIn(trade, "time") !== ""
            ? ['trades.sort(key=lambda trade: trade["time"], reverse=True)']
            : []),
          'return {"trades": trades[: request.get("limit", 500)]}',
        ];
      case "totals":
        if (pnlIn === "points")
          return [
            "# Totals in points become money by the positions beside them. CHECK that closed positions are among these.",
            'return {"positions": self.openPositions(request)["positions"], "totals": {}}',
          ];
        return [`return {"totals": {"USD": named(${call}, TOTAL)}}  # CHECK the currency`];
      case "positionDetail":
        return seen?.isRow
          ? [`row = ${call}`, 'return {"position": named(row, DETAIL) if row else None}']
          : [`found = ${read}`, 'return {"position": found[0] if found else None}'];
      default:
        return [`return {"${answerShapes[method].part}": ${read}}`];
    }
  }
}

interface Parameter {
  readonly name: string;
  readonly isRequired: boolean;
}

/** The parameters that can be given by name. */
export const parameterNames = (parameters: readonly string[] = []): readonly Parameter[] =>
  parameters.flatMap((text) => {
    const [, name] = /^([A-Za-z_]\w*)/.exec(text) ?? [];
    return name === undefined ? [] : [{ name, isRequired: !text.includes("=") }];
  });

/** What the adapter hands to the desk's method: what it cannot do without, and a limit. */
function argumentsOf({ method, parameters }: AdaptedMethod): string {
  const keys: readonly string[] = requestKeys[method];
  return parameterNames(parameters)
    .flatMap(({ name, isRequired }) => {
      if (method === "calculatePnl" && name === "trades") return ["trades=trades"];
      if (method === "calculatePnl" && /^(prices|marks|market_prices)$/.test(name)) return [`${name}=request.get("marks", {})`];
      // The service would limit before the adapter chooses the rows of a symbol.
      if (name === "limit") return ['limit=1_000_000 if "symbol" in request or "book" in request else request.get("limit", 500)'];
      if (isRequired && keys.includes(name)) return [`${name}=request.get("${name}")`];
      return isRequired ? [`${name}=None`] : [];
    })
    .join(", ");
}
