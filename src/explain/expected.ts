/**
 * The rows that both systems reported about one component, and their comparison with a run of the reference.
 */
import { parseFigure } from "../base/fraction.ts";
import { parseDay } from "../domain/market/trading-day.ts";
import type { Side } from "../domain/migration/phase.ts";
import { agrees } from "../domain/migration/verdict.ts";
import type { ParityRow } from "../ports/parity-report.ts";
import type { Figures, LaneFigures } from "./reference.ts";

/** The figures of each kind of row, by the report's name of the field. */
const fieldsOf = {
  position: {
    quantity: "quantity",
    averagePrice: "averagePrice",
    realized: "realized",
    unrealized: "unrealized",
  },
  daily: { realized: "realized", unrealized: "unrealized", total: "total" },
  snapshot: {
    quantity: "quantity",
    averagePrice: "averagePrice",
    realized: "realizedToDate",
    unrealized: "unrealized",
  },
} as const satisfies Record<ParityRow["kind"], Record<string, keyof Figures>>;

export type Place = Pick<ParityRow, "kind" | "key" | "field">;

/** Returns the name of a lane in the form of the rows and keys of a report. */
export const laneName = (book: string | undefined, symbol: string): string =>
  JSON.stringify(book === undefined ? [symbol] : [symbol, book]);

interface ExpectedField {
  readonly field: string;
  readonly source: keyof Figures;
  /** Null if the system reports no value; undefined if it reports a value that no run can give. */
  readonly value: number | null | undefined;
  readonly tolerance: number;
}

interface ExpectedRow {
  readonly lane: string;
  readonly kind: ParityRow["kind"];
  readonly day: number | undefined;
  readonly isPresent: boolean;
  readonly fields: ExpectedField[];
}

/**
 * The tolerance for a figure to which the report gives no tolerance, because one side has no number. It
 * covers float errors.
 */
const dust = 1e-6;

/** The days whose rows are compared. */
export interface ComparedDays {
  readonly first: number;
  /** The last day of each kind of row. */
  readonly last: ReadonlyMap<ParityRow["kind"], number>;
}

/** The rows that one side reported. */
export class Expected {
  readonly #rows: readonly ExpectedRow[];
  readonly #names: ReadonlySet<string>;
  #days: ReadonlyMap<string, ExpectedRow> | undefined;
  readonly #compared: ComparedDays;

  constructor(rows: readonly ParityRow[], side: Side, compared: ComparedDays) {
    const byKey = new Map<string, ExpectedRow>();
    for (const row of rows) {
      const key = rowKey(row);
      const isAbsent = row.field === "row" && row[side] === "0";
      const known = byKey.get(key) ?? {
        lane: laneName(row.key.book, row.key.symbol),
        kind: row.kind,
        day: row.key.tradingDay === undefined ? undefined : parseDay(row.key.tradingDay),
        isPresent: !isAbsent,
        fields: [],
      };
      byKey.set(key, known);
      const sources: Readonly<Record<string, keyof Figures>> = fieldsOf[row.kind];
      if (row.field !== "row") known.fields.push(expectedField(sources, row.field, row[side], row.tolerance));
      else if (row.duplicatedIn !== undefined) known.fields.push(impossible);
      else if (!isAbsent)
        for (const [field, text] of Object.entries(row.present ?? {}))
          known.fields.push(expectedField(sources, field, text, null));
    }
    this.#rows = [...byKey.values()];
    this.#names = new Set(byKey.keys());
    this.#compared = compared;
  }

  /**
   * Whether a run's figures for a day are those that the side reported for it, or the day is not compared.
   */
  isDayRight(lane: string, day: number, figures: Figures): boolean {
    if (!this.#isCompared(day)) return true;
    this.#days ??= new Map(
      this.#rows.flatMap((row) =>
        row.kind === "daily" ? [[nameOf("daily", row.lane, row.day), row] as const] : [],
      ),
    );
    const row = this.#days.get(nameOf("daily", lane, day));
    return row?.isPresent === true && row.fields.every((field) => isSame(figures, field));
  }

  get rows(): number {
    return this.#rows.length;
  }

  /**
   * Counts the figures in which a run of the reference differs, and returns the rows that have such figures.
   */
  compare(lanes: ReadonlyMap<string, LaneFigures>): {
    readonly apart: number;
    readonly wrong: ReadonlySet<string>;
  } {
    let apart = 0;
    const wrongRows = new Set<string>();
    for (const row of this.#rows) {
      const figures = figuresAt(lanes, row.lane, row.kind, row.day);
      let wrong = 0;
      if (!row.isPresent) wrong = figures === undefined ? 0 : 1;
      else if (figures === undefined) wrong = Math.max(1, row.fields.length);
      else for (const field of row.fields) if (!isSame(figures, field)) wrong += 1;
      apart += wrong;
      if (wrong > 0) wrongRows.add(nameOf(row.kind, row.lane, row.day));
    }
    return { apart: apart + this.#surplus(lanes), wrong: wrongRows };
  }

  /** Counts the rows of the run that the report has on neither side. */
  #surplus(lanes: ReadonlyMap<string, LaneFigures>): number {
    let surplus = 0;
    for (const [lane, { position, days }] of lanes) {
      if (
        position !== undefined &&
        this.#compared.last.has("position") &&
        !this.#names.has(nameOf("position", lane))
      )
        surplus += 1;
      for (const day of days.keys())
        if (this.#isCompared(day) && !this.#names.has(nameOf("daily", lane, day))) surplus += 1;
    }
    return surplus;
  }

  #isCompared(day: number): boolean {
    const { first, last } = this.#compared;
    return day >= first && day <= (last.get("daily") ?? Number.NEGATIVE_INFINITY);
  }
}

const nameOf = (kind: string, lane: string, day?: number): string => `${kind} ${day ?? ""} ${lane}`;

const rowKey = ({ kind, key }: ParityRow): string =>
  nameOf(
    kind,
    laneName(key.book, key.symbol),
    key.tradingDay === undefined ? undefined : parseDay(key.tradingDay),
  );

const impossible: ExpectedField = { field: "row", source: "quantity", value: undefined, tolerance: 0 };

function expectedField(
  sources: Readonly<Record<string, keyof Figures>>,
  field: string,
  text: string | null,
  tolerance: string | null,
): ExpectedField {
  const source = sources[field];
  if (source === undefined) return impossible;
  const value = text === null ? null : numberOf(text);
  return { field, source, value, tolerance: numberOf(tolerance ?? "") ?? dust };
}

/** Returns the float nearest to a decimal text or `p/q`; undefined if the text is neither. */
export function numberOf(text: string): number | undefined {
  const plain = text.includes("/") || text === "" ? Number.NaN : Number(text);
  if (!Number.isNaN(plain)) return plain;
  const value = parseFigure(text);
  return value && Number(value.numerator) / Number(value.denominator);
}

function isSame(figures: Figures, { source, value, tolerance, field }: ExpectedField): boolean {
  const ours = figures[source];
  if (typeof ours === "boolean" || value === undefined) return false;
  if (value === null) return ours === null || (ours === 0 && field === "unrealized" && figures.isUnmarked);
  if (ours === null) return false;
  const gap = Math.abs(ours - value);
  return gap <= tolerance + 1e-12 * Math.max(Math.abs(ours), Math.abs(value));
}

function figuresAt(
  lanes: ReadonlyMap<string, LaneFigures>,
  lane: string,
  kind: ParityRow["kind"],
  day: number | undefined,
): Figures | undefined {
  const figures = lanes.get(lane);
  return kind === "position" ? figures?.position : day === undefined ? undefined : figures?.days.get(day);
}

/** Returns the figure of a run at a place of the report; null if it has none. */
export function valueAt(lanes: ReadonlyMap<string, LaneFigures>, { kind, key, field }: Place): number | null {
  const day = key.tradingDay === undefined ? undefined : parseDay(key.tradingDay);
  const sources: Readonly<Record<string, keyof Figures>> = fieldsOf[kind];
  const source = sources[field];
  const figures = figuresAt(lanes, laneName(key.book, key.symbol), kind, day);
  const value = source === undefined ? undefined : figures?.[source];
  return typeof value === "number" ? value : null;
}

/** Whether a row of a report differs. */
export const isApart = ({ verdict }: ParityRow): boolean => !agrees(verdict);

/**
 * Returns the figure of a run at a place as text; for a whole row, all figures of that row as JSON, or `null`
 * if the run has no such row.
 */
export function textAt(lanes: ReadonlyMap<string, LaneFigures> | undefined, place: Place): string {
  if (lanes === undefined) return "";
  const { kind, key, field } = place;
  if (field !== "row") return String(valueAt(lanes, place));
  const day = key.tradingDay === undefined ? undefined : parseDay(key.tradingDay);
  return JSON.stringify(figuresAt(lanes, laneName(key.book, key.symbol), kind, day) ?? null);
}
