import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isLongRun, runs } from "../../test/campaigns.ts";
import { formatDecimal, parseDecimal } from "./decimal.ts";
import { depthMax, parseExact, textLengthMax } from "./exact-json.ts";

describe("parseExact keeps the exact value of a number", () => {
  it.each([
    ["0", 0],
    ["-0", 0],
    ["42", 42],
    ["-7", -7],
    ["9007199254740991", 9007199254740991],
    ["9007199254740992", "9007199254740992"],
    ["9007199254740993", "9007199254740993"],
    ["-12345678901234567890", "-12345678901234567890"],
    ["0.1", "0.1"],
    ["1.0", "1"],
    ["-0.0", "0"],
    ["110.0156250", "110.015625"],
    ["0.30000000000000004", "0.30000000000000004"],
    ["0.1234567890123456789012345678901234567890", "0.123456789012345678901234567890123456789"],
    ["1e3", "1000"],
    ["1E+3", "1000"],
    ["1.5e-7", "0.00000015"],
    ["-2.50e1", "-25"],
    ["0e5", "0"],
    ["5e-324", `0.${"0".repeat(323)}5`],
  ])("%s", (text, value) => {
    expect(parseExact(text)).toBe(value);
    expect(parseExact(` [ ${text}\n,\t{"a":${text}}] `)).toEqual([value, { a: value }]);
  });

  it("and keeps texts that look like numbers as texts", () => {
    expect(parseExact('["1.0","-0","1e5"]')).toEqual(["1.0", "-0", "1e5"]);
  });
});

describe("parseExact refuses", () => {
  it.each([
    ["nothing", ""],
    ["space", " \n"],
    ["NaN", "NaN"],
    ["Infinity", "[Infinity]"],
    ["-Infinity", "-Infinity"],
    ["a leading zero", "01"],
    ["a bare minus", "-"],
    ["a plus", "+1"],
    ["a leading point", ".5"],
    ["a trailing point", "1."],
    ["a bare exponent", "1e"],
    ["a signed bare exponent", "1e+"],
    ["hexadecimal", "0x10"],
    ["a digit of another script", "١"],
    ["two values", "1 2"],
    ["a trailing comma in a list", "[1,]"],
    ["a trailing comma in an object", '{"a":1,}'],
    ["a leading comma", "[,1]"],
    ["no comma", '["a" "b"]'],
    ["no colon", '{"a" 1}'],
    ["no value", '{"a":}'],
    ["a number as key", "{1:2}"],
    ["a fraction as key", "{1.5:2}"],
    ["a bare key", "{a:1}"],
    ["single quotes", "'a'"],
    ["an open list", "[1"],
    ["an open object", '{"a":1'],
    ["an open text", '"abc'],
    ["an escape at the end", '"abc\\'],
    ["the wrong bracket", "[1}"],
    ["a newline in a text", '"a\nb"'],
    ["a tab in a text", '"a\tb"'],
    ["a bad escape", '"\\x41"'],
    ["half a code", '"\\u12"'],
    ["a word with a letter too many", "truer"],
    ["half a word", "nul"],
    ["a capital word", "True"],
    ["a comment", "/* a */ 1"],
    ["a byte order mark", "\ufeff1"],
    ["a no-break space", "\u00a01"],
    ["a key twice", '{"a":1,"b":2,"a":1}'],
    ["a key twice, once escaped", '{"a":1,"\\u0061":2}'],
    ["__proto__ twice", '{"__proto__":1,"__proto__":2}'],
    ["more digits than a number may have", "1e999"],
    ["more digits than a number may have, written in full", "9".repeat(401)],
    ["more levels than it may have", "[".repeat(depthMax + 1) + "]".repeat(depthMax + 1)],
    [
      "more levels of objects than it may have",
      `${'{"a":'.repeat(depthMax + 1)}1${"}".repeat(depthMax + 1)}`,
    ],
    ["a text of brackets", "[".repeat(1_000_000)],
  ])("%s", (_, text) => {
    expect(() => parseExact(text)).toThrow(SyntaxError);
  });

  it("more characters than a text may have", () => {
    const text = `"${"x".repeat(textLengthMax)}"`;
    expect(() => parseExact(text)).toThrow(SyntaxError);
  });

  it("an invalid text with a message that names the character and its place, and quotes nothing else", () => {
    expect(() => parseExact('{"secret":"s3cr3t", oops}')).toThrow('not exact JSON: "o" at character 21');
    expect(() => parseExact('{"a":1,"a":2}')).toThrow(
      "not exact JSON: a key for the second time at character 11",
    );
    expect(() => parseExact("[1,")).toThrow("not exact JSON: the end at character 4");
    expect(() => parseExact("[1,\u001b[31m]")).toThrow('not exact JSON: "\\u001b" at character 4');
  });
});

describe("parseExact", () => {
  it("reads every text that JSON.stringify writes, with exact numbers", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parseExact(text)).toEqual(JSON.parse(text, exactly));
      }),
      { numRuns: runs(60, 500) },
    );
  });

  it("refuses every text that JSON.parse refuses", () => {
    const pieces = fc.constantFrom(
      ...'{}[],:"\\0123.eE-+ tfnu\u0001',
      "true",
      "null",
      '"a"',
      '"b":',
      "1.5",
      "\\u00",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join("");
        expect(outcome(() => parseExact(text))).toEqual(outcome(() => JSON.parse(text, exactly)));
      }),
      { numRuns: runs(1_500, 20_000) },
    );
  });

  it("reads every form of escape in a text", () => {
    const text = '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\udcc8 📈 \u2028 \u007f"';
    expect(parseExact(text)).toBe('"\\/\b\f\n\r\tA📈 📈 \u2028 \u007f');
  });

  it("returns plain objects, whatever their keys", () => {
    const object = parseExact('{"__proto__":{"polluted":1},"constructor":2,"toString":3}') as {
      readonly polluted?: number;
    };
    expect(object.polluted).toBeUndefined();
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
    expect(Object.keys(object)).toEqual(["__proto__", "constructor", "toString"]);
  });

  it("reads up to the stated depth", () => {
    expect(JSON.stringify(parseExact("[".repeat(depthMax) + "]".repeat(depthMax)))).toHaveLength(
      2 * depthMax,
    );
  });

  it("does not keep a long text in memory because a value that was cut out of it is still in use", () => {
    const kept: unknown[] = [];
    const heap = (): number => {
      setFlagsFromString("--expose-gc");
      runInNewContext("gc")();
      return process.memoryUsage().heapUsed;
    };
    const rounds = isLongRun("sizes") ? 20 : 12;
    const before = heap();
    for (let round = 0; round < rounds; round++) {
      const text = `{"name":"a text of more than a few characters ${round}","price":110.0123456789${round}1,"rest":"${"x".repeat(1_000_000)}"}`;
      const { name, price } = parseExact(text) as { readonly [key: string]: string };
      kept.push(name, price);
    }
    expect((heap() - before) / 2 ** 20).toBeLessThan(10);
    expect(kept).toHaveLength(2 * rounds);
  });
});

/**
 * A reviver with which JSON.parse returns what parseExact returns. It gets the source text of each number.
 */
function exactly(
  this: unknown,
  _key: string,
  value: unknown,
  context?: { readonly source?: string },
): unknown {
  if (typeof value !== "number") return value;
  const source = context?.source ?? "";
  if (Number.isSafeInteger(value) && /^-?\d+$/.test(source)) return value === 0 ? 0 : value;
  const decimal = parseDecimal(source);
  if (decimal === undefined) throw new SyntaxError("too many digits");
  return formatDecimal(decimal);
}

/** Returns the parsed value, or "refused" if the text is not JSON. */
function outcome(parse: () => unknown): unknown {
  try {
    return { value: parse() };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return "refused";
  }
}
