import { present } from "./present.ts";

/**
 * An exact decimal: a whole coefficient and its number of decimal places. `110.015625` is { coefficient:
 * 110015625n, scale: 6 }. Always in lowest form: the coefficient has no trailing zero among its decimal
 * places, and zero has scale 0. Decimals are never rounded; for quotients without a finite decimal, use a
 * Fraction.
 */
export interface Decimal {
  readonly coefficient: bigint;
  /** Decimal places, 0 or more. */
  readonly scale: number;
}

/**
 * The digit limit of input, above any real price or quantity. Longer input is refused, so that hostile input
 * stays cheap.
 */
export const digitsMax = 400;
/**
 * The digit limit of computed figures, above any product of price, quantity and multiplier, and any sum of
 * such products.
 */
export const figureDigitsMax = 10 * digitsMax;

const pattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;

/**
 * Reads plain or exponent notation (`-0.5`, `.0156250`, `110.`, `1.5e-07`). Returns undefined for
 * other text and for too many digits.
 */
export function parseDecimal(text: string, longest = digitsMax): Decimal | undefined {
  if (text.length > longest) return undefined;
  const [matched, sign, whole = "", fraction = "", exponent = "0"] = pattern.exec(text) ?? [];
  if (matched === undefined || whole.length + fraction.length === 0) return undefined;
  const scale = fraction.length - Number(exponent);
  if (Math.abs(scale) > longest) return undefined;
  const digits = BigInt(whole + fraction);
  const magnitude = scale < 0 ? digits * powerOfTen(-scale) : digits;
  return lowest(sign === "-" ? -magnitude : magnitude, Math.max(scale, 0));
}

/**
 * Returns the text of a decimal as `formatDecimal` writes it; undefined if `parseDecimal` refuses the text.
 */
export function canonicalDecimal(text: string): string | undefined {
  if (isCanonicalDecimal(text)) return text;
  const value = parseDecimal(text);
  return value && formatDecimal(value);
}

/** Whether a text is a decimal as `formatDecimal` writes it. */
export const isCanonicalDecimal = (text: string): boolean =>
  text.length <= digitsMax && canonicalPattern.test(text);

/** Returns the sum of two decimals in canonical text, as canonical text. */
export function sum(a: string, b: string): string {
  const whole = Number(a) + Number(b);
  if (areWhole(a, b) && [whole, Number(a), Number(b)].every(Number.isSafeInteger)) return String(whole);
  const [x, y] = [exactly(a), exactly(b)];
  const scale = Math.max(x.scale, y.scale);
  const scaled = (one: Decimal): bigint => one.coefficient * powerOfTen(scale - one.scale);
  return formatDecimal(lowest(scaled(x) + scaled(y), scale));
}

/** Returns the product of two decimals in canonical text, as canonical text. */
export function product(a: string, b: string): string {
  const whole = Number(a) * Number(b);
  // If the product of two whole numbers is a safe integer other than 0, both of them are safe integers too.
  if (areWhole(a, b) && Number.isSafeInteger(whole)) return String(whole);
  const [x, y] = [exactly(a), exactly(b)];
  return formatDecimal(lowest(x.coefficient * y.coefficient, x.scale + y.scale));
}

const areWhole = (a: string, b: string): boolean => !a.includes(".") && !b.includes(".");

const exactly = (text: string): Decimal =>
  present(parseDecimal(text, figureDigitsMax), "canonical text is a decimal");

const canonicalPattern = /^(?:0|-?(?:[1-9]\d*(?:\.\d*[1-9])?|0\.\d*[1-9]))$/;

/** Writes plain text without exponent, trailing zeros or `-0`. */
export function formatDecimal({ coefficient, scale }: Decimal): string {
  if (scale === 0) return coefficient.toString();
  const digits = (coefficient < 0n ? -coefficient : coefficient).toString().padStart(scale + 1, "0");
  const fraction = digits.slice(-scale).replace(/0+$/, "");
  const text = digits.slice(0, -scale) + (fraction === "" ? "" : `.${fraction}`);
  return coefficient < 0n ? `-${text}` : text;
}

/** Returns the decimal with the fewest possible decimal places. */
export function lowest(coefficient: bigint, scale: number): Decimal {
  let reduced = coefficient;
  let places = scale;
  while (places > 0 && reduced % 10n === 0n) {
    reduced /= 10n;
    places -= 1;
  }
  return { coefficient: reduced, scale: places };
}

const powers: bigint[] = [1n];

/** 10^exponent, for whole exponents of 0 or more. */
export function powerOfTen(exponent: number): bigint {
  for (let next = powers.length; next <= exponent; next++) powers.push((powers[next - 1] as bigint) * 10n);
  return powers[exponent] as bigint;
}
