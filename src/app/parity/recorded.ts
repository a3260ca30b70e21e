/** The rows of systems that are not built in: from a file, or from their method `history`. */
import { BridgeError, lineOf } from "../../base/errors.ts";
import { type JsonValue, parseExact } from "../../base/exact-json.ts";
import type { SystemAnswer } from "../../comparison/index.ts";
import type { SystemConfig } from "../../config/index.ts";
import type { DailyRow, HistoryRequest, PositionRow, SystemError } from "../../ports/pnl-system.ts";
import { foreignSystem } from "../bridge/pnl-bridge.ts";
import { readJsonInput } from "./json-input.ts";

/** The time limit of a call of `history`, which may take as long as a system's nightly run. */
const historyMsMax = 3_600_000;

/** Reads an answer of `history` from a JSON file. Throws BridgeError UNREADABLE, BAD_USAGE. */
export async function recordedRows(path: string): Promise<SystemAnswer> {
  return answerOf(await readJsonInput(path, { what: "the rows", form: fix, parse: parseExact }), path);
}

/** Asks a system of a configuration for the rows of a history. Throws BridgeError SYSTEM_DOWN, BAD_USAGE. */
export async function askedRows(
  system: Exclude<SystemConfig, { readonly kind: "builtin" }>,
  request: HistoryRequest,
  folder: string,
): Promise<SystemAnswer> {
  const opened = await foreignSystem(system, {
    folder,
    log: undefined,
    methods: ["history"],
    readOnly: true,
  });
  try {
    await opened.start?.();
    const asked = {
      ledgers: [...request.ledgers],
      closes: (request.closes ?? []).map((close) => ({ ...close })),
    };
    const answer = await opened.invoke("history", asked, { deadlineMs: historyMsMax });
    return { ...answerOf(answer, system.name), system: system.name };
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    throw new BridgeError("SYSTEM_DOWN", {
      what: `${system.name} does not answer history: ${lineOf(cause)}`,
      fix: "let the system offer the method history, or record its rows in a file",
      cause,
    });
  } finally {
    await opened.close();
  }
}

const fix =
  'write { "dayRule": "calendar", "positions": [{ "symbol": …, "quantity": …, "averagePrice": …, "realized": …, ' +
  '"unrealized": … }], "daily": [{ "symbol": …, "tradingDay": …, "realized": …, "unrealized": …, "total": … }] }';

type Fields = Readonly<Record<string, JsonValue>>;

function answerOf(value: JsonValue, where: string): SystemAnswer {
  const refuse = (what: string): BridgeError => new BridgeError("BAD_USAGE", { what, where, fix });
  const isFields = (one: JsonValue | undefined): one is Fields =>
    typeof one === "object" && one !== null && !Array.isArray(one);
  if (!isFields(value)) throw refuse("the answer of history is not an object");
  const list = (name: string): readonly Fields[] => {
    const rows = value[name] ?? [];
    if (!Array.isArray(rows) || !rows.every(isFields)) throw refuse(`${name} is not a list of objects`);
    return rows;
  };
  const text = (row: Fields, name: string): string => {
    const found = row[name];
    if (typeof found === "string") return found;
    throw refuse(`a row lacks ${name}: ${JSON.stringify(row).slice(0, 80)}`);
  };
  const figure = (row: Fields, name: string): string | null => {
    const found = row[name] ?? null;
    return found === null ? null : String(found);
  };
  const key = (row: Fields) => ({
    symbol: text(row, "symbol"),
    ...(typeof row.book === "string" ? { book: row.book } : {}),
  });
  const { dayRule } = value;
  if (typeof dayRule !== "string") throw refuse("dayRule is missing");
  return {
    system: where,
    dayRule,
    positions: list("positions").map(
      (row): PositionRow => ({
        ...key(row),
        quantity: figure(row, "quantity"),
        averagePrice: figure(row, "averagePrice"),
        realized: figure(row, "realized"),
        unrealized: figure(row, "unrealized"),
      }),
    ),
    daily: list("daily").map(
      (row): DailyRow => ({
        ...key(row),
        tradingDay: text(row, "tradingDay"),
        realized: figure(row, "realized"),
        unrealized: figure(row, "unrealized"),
        total: figure(row, "total"),
      }),
    ),
    errors: list("errors").map(
      (row): SystemError => ({
        code: text(row, "code"),
        why: typeof row.why === "string" ? row.why : "",
        ...(typeof row.file === "string" && { file: row.file }),
        ...(typeof row.rowsTaken === "number" && { rowsTaken: row.rowsTaken }),
      }),
    ),
  };
}
