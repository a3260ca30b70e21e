import { canonicalDecimal } from "../../base/decimal.ts";
import { formatFraction, parseFraction } from "../../base/fraction.ts";
import { unknownKey } from "../../base/nearest.ts";
import { Refused } from "../../base/refused.ts";
import { storable } from "../../base/storable-text.ts";
import { dayUs, formatDay, formatInstant, parseDay, readInstant } from "../../domain/market/chicago-time.ts";
import type { TradingDayRule } from "../../domain/market/trading-day.ts";
import { type Describe, markKinds } from "../../engine/index.ts";
import { tradeKeyText } from "../../engine/trade-key.ts";
import type { RowImage } from "../../ports/record-store.ts";
import type { BridgeRecord, RecordKind } from "../../ports/records.ts";

/** The reasons why a write is refused before it reaches a store. */
type RecordRefusalCode = "BAD_RECORD" | "BAD_TEXT" | "BAD_NUMBER" | "BAD_TIME" | "UNKNOWN_SYMBOL";

export interface RecordRefusal {
  readonly code: RecordRefusalCode;
  /** A text for a person that names the record, the field and the reason. */
  readonly because: string;
}

export type Row = RowImage;

export interface IntakeTools {
  readonly describe: Describe;
  readonly dayRule: Pick<TradingDayRule, "dayOf">;
  /** SHA-256 of a text, hexadecimal. */
  readonly digest: (text: string) => string;
}

type FieldKind =
  | "name"
  | "text"
  | "side"
  | "markKind"
  | "size"
  | "decimal"
  | "average"
  | "instant"
  | "day"
  | "count";

interface Field {
  /** The field's name in the record. */
  readonly from: string;
  readonly kind: FieldKind;
  /** The column's value if the record lacks the field. A field without such a value is mandatory. */
  readonly absent?: string | null;
}

const mandatory = (from: string, kind: FieldKind): Field => ({ from, kind });
const optional = (from: string, kind: FieldKind, absent: string | null): Field => ({ from, kind, absent });
const book = optional("book", "text", "");
const symbol = mandatory("symbol", "name");

/**
 * The columns of modern's tables that records fill. `instrument`, `trading_day` of a trade, and `trade_key`
 * follow from them.
 */
const columns: Readonly<Record<RecordKind, Readonly<Record<string, Field>>>> = {
  trade: {
    trade_id: mandatory("id", "name"),
    symbol,
    book,
    side: mandatory("side", "side"),
    quantity: mandatory("quantity", "size"),
    price: mandatory("price", "decimal"),
    fee: optional("fee", "decimal", "0"),
    traded_at: mandatory("time", "instant"),
    source_file: mandatory("file", "name"),
    source_line: mandatory("line", "count"),
    occurrence: optional("occurrence", "count", "1"),
  },
  position: {
    book,
    symbol,
    quantity: mandatory("quantity", "decimal"),
    average_price: optional("averagePrice", "average", null),
    realized: mandatory("realized", "decimal"),
    unrealized: optional("unrealized", "decimal", null),
    mark: optional("mark", "decimal", null),
    as_of: mandatory("asOf", "instant"),
  },
  price: {
    symbol,
    mark_kind: mandatory("markKind", "markKind"),
    trading_day: mandatory("tradingDay", "day"),
    price: mandatory("mark", "decimal"),
    at: mandatory("at", "instant"),
    source: optional("source", "text", ""),
  },
  daily_pnl: {
    trading_day: mandatory("tradingDay", "day"),
    book,
    symbol,
    quantity: mandatory("quantity", "decimal"),
    realized: mandatory("realized", "decimal"),
    unrealized: optional("unrealized", "decimal", null),
  },
};

/** The kind of row that each kind of record writes, and the change that it makes to a stored row. */
const kinds: Readonly<Record<BridgeRecord["kind"], Pick<RowImage, "kind" | "does">>> = {
  trade: { kind: "trade" },
  position: { kind: "position" },
  price: { kind: "price" },
  daily_pnl: { kind: "daily_pnl" },
  trade_correction: { kind: "trade", does: "trade_correction" },
  trade_removal: { kind: "trade", does: "trade_removal" },
};

const kindsByName = new Map(Object.entries(kinds));

const shapeOf = (kind: RecordKind) => ({
  fields: Object.entries(columns[kind]),
  /** The names of all fields that a record may have. */
  names: ["kind", ...Object.values(columns[kind]).map(({ from }) => from)],
});
const shapes = {
  trade: shapeOf("trade"),
  position: shapeOf("position"),
  price: shapeOf("price"),
  daily_pnl: shapeOf("daily_pnl"),
} satisfies Record<RecordKind, unknown>;

/** The columns by which a row is found. */
export const keyColumns: Readonly<Record<RecordKind, readonly string[]>> = {
  trade: ["trade_key"],
  position: ["book", "symbol"],
  price: ["instrument", "mark_kind", "trading_day"],
  daily_pnl: ["trading_day", "book", "symbol"],
};

/** The column whose day decides which instrument a symbol names. */
const dayColumn: Readonly<Record<RecordKind, string>> = {
  trade: "traded_at",
  position: "as_of",
  price: "trading_day",
  daily_pnl: "trading_day",
};

/** The longest text of a field. Keys consist of fields, and PostgreSQL indexes no key above 2,704 bytes. */
const textMax = 200;

/** `read` returns a text in canonical form, or undefined. `wants` completes the message "field … must be". */
const readers: Readonly<
  Record<FieldKind, { readonly wants: string; readonly read: (text: string) => string | undefined }>
> = {
  name: {
    wants: `text of 1 to ${textMax} characters`,
    read: (text) => (text === "" || text.length > textMax ? undefined : text),
  },
  text: {
    wants: `text of at most ${textMax} characters`,
    read: (text) => (text.length > textMax ? undefined : text),
  },
  side: { wants: '"B" or "S"', read: (text) => (text === "B" || text === "S" ? text : undefined) },
  markKind: {
    wants: `one of ${markKinds.join(", ")}`,
    read: (text) => (markKinds.some((kind) => kind === text) ? text : undefined),
  },
  size: {
    wants: "a decimal above zero",
    read: (text) => {
      const value = canonicalDecimal(text);
      return value === "0" || value?.startsWith("-") ? undefined : value;
    },
  },
  decimal: {
    wants: "a decimal",
    read: canonicalDecimal,
  },
  average: {
    wants: "a decimal or p/q",
    read: (text) => {
      if (!text.includes("/")) return canonicalDecimal(text);
      const value = parseFraction(text);
      return value && exactText(value);
    },
  },
  instant: {
    wants:
      "a time that exists, with an offset and at most six decimals of a second, such as 2025-07-24T13:08:35.561-05:00",
    read: (text) => {
      const read =
        /(?:Z|[+-]\d{2}:?\d{2})$/.test(text) && !/\.\d{7}/.test(text) ? readInstant(text) : undefined;
      return read && formatInstant(read.instantUs);
    },
  },
  day: {
    wants: "a day, such as 2025-07-24",
    read: (text) => {
      const day = parseDay(text);
      return day === undefined ? undefined : formatDay(day);
    },
  },
  count: {
    wants: "a whole number of 1 or more",
    read: (text) => (/^[1-9]\d{0,14}$/.test(text) ? text : undefined),
  },
};

const refusalOfKind: Partial<Record<FieldKind, RecordRefusalCode>> = {
  size: "BAD_NUMBER",
  decimal: "BAD_NUMBER",
  average: "BAD_NUMBER",
  instant: "BAD_TIME",
  day: "BAD_TIME",
};

/** Returns a fraction of any length as text; `formatFraction` would round a long denominator. */
const exactText = (value: { readonly numerator: bigint; readonly denominator: bigint }): string => {
  const { text, rounded } = formatFraction(value);
  return rounded ? `${value.numerator}/${value.denominator}` : text;
};

const RecordRefused = Refused<RecordRefusalCode>;

/**
 * Reads the records of one write into canonical rows. One bad record refuses the whole write. Names are
 * kept byte for byte; decimals and times become canonical text, without rounding. A record is refused if no
 * product is known for its symbol. Removals come first; the other rows keep the order of the records.
 */
export function takeRecords(
  records: unknown,
  tools: IntakeTools,
): { readonly rows: readonly Row[] } | { readonly refusal: RecordRefusal } {
  try {
    if (!Array.isArray(records) || records.length === 0)
      throw new RecordRefused("BAD_RECORD", "a write must be a list of records that is not empty");
    const rows = records.map((record, index) => rowOf(record, `record ${index + 1}`, tools));
    const first = new Map<string, number>();
    for (const [index, { aggregate }] of rows.entries()) {
      const earlier = first.get(aggregate);
      if (earlier !== undefined)
        throw new RecordRefused(
          "BAD_RECORD",
          `records ${earlier + 1} and ${index + 1} of one write are the same row`,
        );
      first.set(aggregate, index);
    }
    // A trade may get the place in legacy of another trade that the same write removes.
    const isLater = ({ does }: Row): number => (does === "trade_removal" ? 0 : 1);
    return { rows: rows.toSorted((a, b) => isLater(a) - isLater(b)) };
  } catch (failure) {
    if (failure instanceof RecordRefused) return { refusal: failure.refusal };
    throw failure;
  }
}

/** Reads one record; `where` names it in the refusal. */
export function takeRecord(record: unknown, where: string, tools: IntakeTools): Row | RecordRefusal {
  try {
    return rowOf(record, where, tools);
  } catch (failure) {
    if (failure instanceof RecordRefused) return failure.refusal;
    throw failure;
  }
}

function rowOf(record: unknown, where: string, tools: IntakeTools): Row {
  if (typeof record !== "object" || record === null || Array.isArray(record))
    throw new RecordRefused("BAD_RECORD", `${where} must be an object`);
  const given: Record<string, unknown> = { ...record };
  const { kind, does } = kindOf(given.kind, where);
  const { fields, names } = shapes[kind];
  for (const name of Object.keys(given))
    if (!names.includes(name))
      throw new RecordRefused("BAD_RECORD", `${where} has no field ${unknownKey(name, names)}`);
  const values: Record<string, string | null> = {};
  for (const [column, field] of fields) values[column] = columnOf(given[field.from], field, where);
  const row = completed(kind, values, where, tools);
  return does === undefined ? row : { ...row, does };
}

function kindOf(kind: unknown, where: string): Pick<RowImage, "kind" | "does"> {
  const known = typeof kind === "string" ? kindsByName.get(kind) : undefined;
  if (known === undefined)
    throw new RecordRefused("BAD_RECORD", `${where}: kind must be one of ${Object.keys(kinds).join(", ")}`);
  return known;
}

function columnOf(given: unknown, { from, kind, absent }: Field, record: string): string | null {
  if (given === undefined || given === null) {
    if (absent !== undefined && (given === undefined || absent === null)) return absent;
    throw new RecordRefused("BAD_RECORD", `${record}, field ${from} is missing`);
  }
  const { wants, read } = readers[kind];
  const text = kind === "count" && Number.isSafeInteger(given) ? String(given) : given;
  if (typeof text !== "string")
    throw new RecordRefused("BAD_RECORD", `${record}, field ${from} must be text: ${wants}`);
  if (storable(text) !== text)
    throw new RecordRefused(
      "BAD_TEXT",
      `${record}, field ${from} holds NUL or half of a surrogate pair, which not every store can keep`,
    );
  const value = read(text);
  if (value === undefined)
    throw new RecordRefused(refusalOfKind[kind] ?? "BAD_RECORD", `${record}, field ${from} must be ${wants}`);
  return value;
}

/** Adds the columns that follow from the record's own. */
function completed(
  kind: RecordKind,
  values: Record<string, string | null>,
  where: string,
  tools: IntakeTools,
): Row {
  const text = (column: string): string => values[column] ?? "";
  const moment = readInstant(text(dayColumn[kind]));
  const day = moment && Math.floor(moment.wallUs / dayUs);
  const described = tools.describe(text("symbol"), day);
  if (described === undefined)
    throw new RecordRefused(
      "UNKNOWN_SYMBOL",
      `${where}: no product is known for the symbol ${JSON.stringify(text("symbol"))}`,
    );
  values.instrument = described.instrument ?? text("symbol");
  if (kind === "trade" && moment !== undefined) {
    const tradingDay = tools.dayRule.dayOf(moment.wallUs, undefined);
    values.trading_day = tradingDay === undefined ? null : formatDay(tradingDay);
    values.trade_key = tools.digest(
      tradeKeyText({
        id: text("trade_id"),
        instrument: text("instrument"),
        book: text("book"),
        instantUs: moment.instantUs,
        side: text("side") === "B" ? "B" : "S",
        quantity: text("quantity"),
        price: text("price"),
        occurrence: Number(text("occurrence")),
      }),
    );
  }
  const aggregate = JSON.stringify([kind, ...keyColumns[kind].map(text)]);
  return { kind, aggregate, values, multiplier: described.multiplier };
}
