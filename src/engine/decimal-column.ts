import { type Decimal, formatDecimal, parseDecimal } from "../base/decimal.ts";

/** The largest whole number up to which a float64 holds every whole number: 2^53 - 1. */
export const safe = Number.MAX_SAFE_INTEGER;

/** 10^0 … 10^15: every power of ten below `safe`. */
export const tens: Float64Array = Float64Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);

const [noCoefficients, noScales] = [new Float64Array(0), new Uint8Array(0)];

/**
 * Exact decimals as a column: a whole number up to 2^53 - 1 and up to 15 decimal places, 9 bytes per value. A
 * value that does not fit is in `wide` and its coefficient is NaN, so no value overflows or is rounded.
 * Values are in lowest form: `1.50` is (15, 1).
 */
export class DecimalColumn {
  coefficient: Float64Array;
  scale: Uint8Array;
  #wide: Map<number, Decimal> | undefined;

  constructor(capacity: number) {
    this.coefficient = capacity === 0 ? noCoefficients : new Float64Array(capacity);
    this.scale = capacity === 0 ? noScales : new Uint8Array(capacity);
  }

  get wide(): Map<number, Decimal> {
    this.#wide ??= new Map();
    return this.#wide;
  }

  set(index: number, { coefficient, scale }: Decimal): void {
    if (coefficient <= BigInt(safe) && coefficient >= -BigInt(safe) && scale < tens.length) {
      this.coefficient[index] = Number(coefficient);
      this.scale[index] = scale;
    } else {
      this.coefficient[index] = Number.NaN;
      this.scale[index] = 0;
      this.wide.set(index, { coefficient, scale });
    }
  }

  /** Stores decimal text at an index; returns false if the text is not a decimal. */
  parse(index: number, text: string): boolean {
    const value = parseDecimal(text);
    if (value === undefined) return false;
    this.set(index, value);
    return true;
  }

  at(index: number): Decimal {
    const coefficient = this.coefficient[index] as number;
    if (Number.isNaN(coefficient)) return this.wide.get(index) as Decimal;
    return { coefficient: BigInt(coefficient), scale: this.scale[index] as number };
  }

  /** The value as `formatDecimal` writes it. */
  text(index: number): string {
    const coefficient = this.coefficient[index] as number;
    const scale = this.scale[index] as number;
    if (Number.isNaN(coefficient)) return formatDecimal(this.wide.get(index) as Decimal);
    if (scale === 0) return String(coefficient);
    const digits = String(Math.abs(coefficient)).padStart(scale + 1, "0");
    const point = digits.length - scale;
    return `${coefficient < 0 ? "-" : ""}${digits.slice(0, point)}.${digits.slice(point)}`;
  }

  same(index: number, other: number): boolean {
    const coefficient = this.coefficient[index] as number;
    if (!Number.isNaN(coefficient))
      return coefficient === this.coefficient[other] && this.scale[index] === this.scale[other];
    const [a, b] = [this.wide.get(index), this.wide.get(other)];
    return a !== undefined && b !== undefined && a.coefficient === b.coefficient && a.scale === b.scale;
  }

  grow(capacity: number): void {
    this.coefficient = grown(this.coefficient, new Float64Array(capacity));
    this.scale = grown(this.scale, new Uint8Array(capacity));
  }
}

/** Copies `column` to the beginning of `larger` and returns `larger`. */
export function grown<T extends { set(from: T): void }>(column: T, larger: T): T {
  larger.set(column);
  return larger;
}
