/** Finds the few trades that, as new ledgers, show the same difference. */
import { formatDecimal, lowest } from "../base/decimal.ts";
import { dayUs } from "../domain/market/chicago-time.ts";
import { formatDay } from "../domain/market/trading-day.ts";
import type { Side } from "../domain/migration/phase.ts";
import type { Explanation, WitnessTrade } from "../ports/explanation.ts";
import type { ParityRow } from "../ports/parity-report.ts";
import type { Case } from "./catalogue.ts";
import type { LaneFigures, Rules, World } from "./reference.ts";
import type { Row, Rows } from "./row.ts";

interface WitnessCase {
  readonly given: Case;
  readonly budget: {
    readonly isExhausted: boolean;
    runs: number;
    run(world: World, rules: Rules): Lanes;
  };
  readonly worlds: Readonly<Record<Side, World>>;
  /** The first row that differs. The witness must show a difference of the same field with the same sign. */
  readonly first: ParityRow;
  /** Returns the rules of a side under all causes, or under all except one. */
  readonly rulesOf: (side: Side, without?: number) => Rules;
  readonly causes: number;
  readonly codes: readonly string[];
}

export function witnessOf(wanted: WitnessCase): NonNullable<Explanation["witness"]> {
  const before = wanted.budget.runs;
  const shrinking = new Shrinking(wanted);
  const { rows, minimal } = shrinking.smallest();
  const { component, history } = wanted.given;
  const needed = wanted.codes.includes("FILE_REJECTED") ? badRows(wanted.given, rows) : [];
  const trades = [...rows.map((row) => shown(row, component.world, history.files)), ...needed];
  return { trades, minimal, runs: wanted.budget.runs - before };
}

type Lanes = ReadonlyMap<string, LaneFigures>;

class Shrinking {
  readonly #wanted: WitnessCase;
  readonly #sign: number;

  constructor(wanted: WitnessCase) {
    this.#wanted = wanted;
    this.#sign = wanted.first.field === "row" ? 0 : Math.sign(Number(wanted.first.difference ?? 0));
  }

  smallest(): { readonly rows: readonly Row[]; readonly minimal: boolean } {
    const all = this.#wanted.given.component.world.rows;
    let rows = this.#prefix(all);
    if (!this.#isApart(rows)) return { rows, minimal: false };
    rows = this.#reduced(rows);
    for (let size = Number.POSITIVE_INFINITY; rows.length < size && !this.#wanted.budget.isExhausted; ) {
      size = rows.length;
      rows = this.#withoutPairs(rows);
      rows = this.#reduced(rows);
    }
    return { rows, minimal: !this.#wanted.budget.isExhausted };
  }

  /**
   * Finds a prefix in time that shows the difference and whose shorter neighbour does not, by growing and
   * bisection while the budget lasts. Such a prefix exists, because the empty prefix shows no difference and
   * the whole history shows one.
   */
  #prefix(all: Rows): readonly Row[] {
    const timeAt = (place: number): number => all.at(place)?.timeUs ?? 0;
    const inTime = Array.from({ length: all.length }, (_, place) => place).sort(
      (a, b) => timeAt(a) - timeAt(b) || a - b,
    );
    const prefixOf = (length: number): readonly Row[] => {
      const places = inTime.slice(0, length).sort((a, b) => a - b);
      return places.flatMap((place) => all.at(place) ?? []);
    };
    let [same, apart] = [0, Math.min(16, all.length)];
    while (apart < all.length && !this.#isApart(prefixOf(apart))) {
      same = apart;
      apart = Math.min(4 * apart, all.length);
    }
    while (apart - same > 1 && !this.#wanted.budget.isExhausted) {
      const middle = Math.floor((same + apart) / 2);
      if (this.#isApart(prefixOf(middle))) apart = middle;
      else same = middle;
    }
    return prefixOf(apart);
  }

  /**
   * Removes rows by delta debugging, in ever smaller chunks from the back, until no single row can be left
   * out.
   */
  #reduced(start: readonly Row[]): readonly Row[] {
    let rows = start;
    for (let chunk = Math.ceil(rows.length / 2); rows.length > 1; ) {
      let removed = false;
      for (let end = rows.length; end > 0 && !this.#wanted.budget.isExhausted; ) {
        const from = Math.max(0, end - chunk);
        const rest = [...rows.slice(0, from), ...rows.slice(end)];
        if (rest.length > 0 && this.#isApart(rest)) {
          rows = rest;
          removed = true;
        }
        end = from;
      }
      if (this.#wanted.budget.isExhausted || (chunk === 1 && !removed)) break;
      chunk = removed && chunk === 1 ? 1 : Math.max(1, Math.floor(chunk / 2));
    }
    return rows;
  }

  /**
   * Tries to leave out each two rows at once, since an opening trade may be needed as long as the trade that
   * closes it is there.
   */
  #withoutPairs(start: readonly Row[]): readonly Row[] {
    let rows = start;
    if (rows.length > pairedRowsMax) return rows;
    for (let one = rows.length - 1; one > 0; one--)
      for (let other = one - 1; other >= 0; other--) {
        if (this.#wanted.budget.isExhausted) return rows;
        const rest = rows.filter((_, index) => index !== one && index !== other);
        if (rest.length === 0 || !this.#isApart(rest)) continue;
        rows = rest;
        one = Math.min(one, rows.length);
        break;
      }
    return rows;
  }

  /** Whether rows, written into new ledgers, show the difference, and every cause contributes to it. */
  #isApart(rows: readonly Row[]): boolean {
    const fresh = renumbered(rows);
    const run = (side: Side, without?: number): Lanes =>
      this.#wanted.budget.run(
        { ...this.#wanted.worlds[side], rows: fresh, memory: undefined },
        rulesOf(side, without),
      );
    const { rulesOf, causes, first } = this.#wanted;
    const runs = { legacy: run("legacy"), modern: run("modern") };
    if (!this.#differs(runs.legacy, runs.modern)) return false;
    if (causes < 2) return true;
    for (let cause = 0; cause < causes; cause++) {
      const [legacy, modern] = [run("legacy", cause), run("modern", cause)];
      if (sameFigures(legacy, runs.legacy, first) && sameFigures(modern, runs.modern, first)) return false;
    }
    return true;
  }

  /** Whether any row of the field differs with the wanted sign. */
  #differs(legacy: Lanes, modern: Lanes): boolean {
    const { first } = this.#wanted;
    for (const lane of new Set([...legacy.keys(), ...modern.keys()])) {
      const [a, b] = [figuresOf(legacy.get(lane), first), figuresOf(modern.get(lane), first)];
      for (const key of new Set([...a.keys(), ...b.keys()])) {
        const [ours, theirs] = [a.get(key), b.get(key)];
        if (this.#sign === 0 ? ours !== theirs : signOf(theirs, ours) === this.#sign) return true;
      }
    }
    return false;
  }
}

const pairedRowsMax = 80;

/** Numbers rows as in new ledgers: from 1 in each file and through all files. */
function renumbered(rows: readonly Row[]): readonly Row[] {
  const numbers = new Map<number, number>();
  return rows.map((row, index) => {
    const number = (numbers.get(row.file) ?? 0) + 1;
    numbers.set(row.file, number);
    return row.with({ number, ordinal: index + 1 });
  });
}

type Values = ReadonlyMap<string, number | null>;

/** Returns the figures of one field of a lane, by day. */
function figuresOf(lane: LaneFigures | undefined, { kind, field }: ParityRow): Values {
  const values = new Map<string, number | null>();
  const put = (key: string, figures: object | undefined): void => {
    if (figures === undefined) return;
    const value: unknown =
      field === "row"
        ? 1
        : Reflect.get(figures, kind === "snapshot" && field === "realized" ? "realizedToDate" : field);
    values.set(key, typeof value === "number" ? value : null);
  };
  if (kind === "position") put("", lane?.position);
  else for (const [day, figures] of lane?.days ?? []) put(String(day), figures);
  return values;
}

const signOf = (modern: number | null | undefined, legacy: number | null | undefined): number => {
  const gap = (modern ?? 0) - (legacy ?? 0);
  return Math.abs(gap) < 1e-9 ? 0 : Math.sign(gap);
};

function sameFigures(some: Lanes, others: Lanes, first: ParityRow): boolean {
  const all = (lanes: Lanes): string =>
    JSON.stringify([...lanes].map(([name, lane]) => [name, [...figuresOf(lane, first)]]));
  return all(some) === all(others);
}

/** Returns the rows at which a system stopped reading the files. */
function badRows({ history, cuts }: Case, rows: readonly Row[]): readonly WitnessTrade[] {
  const files = new Set(rows.map(({ file }) => file));
  return history.refused
    .filter(({ file, line }) => files.has(file) && cuts.get(file) === line)
    .map(({ file, line, code, id, symbol, side, quantity, price, time, book }) => ({
      file: history.files[file] ?? "",
      line,
      id,
      ...(book === undefined ? {} : { book }),
      symbol,
      side,
      quantity,
      price,
      time,
      refused: code,
    }));
}

function shown(
  row: Row,
  { quantityUnit, priceUnit }: Omit<World, "days">,
  files: readonly string[],
): WitnessTrade {
  return {
    file: files[row.file] ?? "",
    line: row.line,
    id: row.id,
    ...(row.book === undefined ? {} : { book: row.book }),
    symbol: row.symbol,
    side: row.signed < 0 ? "S" : "B",
    quantity: unitsText(Math.abs(row.signed), quantityUnit),
    price: unitsText(row.price, priceUnit),
    time: wallText(row.wallUs),
    ...(row.refused === undefined ? {} : { refused: row.refused }),
  };
}

const unitsText = (units: number, unit: number): string =>
  formatDecimal(lowest(BigInt(units), Math.round(Math.log10(unit))));

/** Chicago wall time as ledgers write it. */
function wallText(wallUs: number): string {
  const day = Math.floor(wallUs / dayUs);
  const rest = wallUs - day * dayUs;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const seconds = rest / 1e6;
  const micros = String(Math.round(rest % 1e6)).padStart(6, "0");
  return `${formatDay(day)} ${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}.${micros}`;
}
